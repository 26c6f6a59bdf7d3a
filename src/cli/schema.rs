use super::context::Context;
use crate::{error::Result, spec, term::Page};

pub fn run(context: &Context) -> Result<()> {
    let document = spec::schema();
    let text = format!("{document:#}\n");
    context.ui.print(Page { document, names: vec!["pgmigrate.dev/v1alpha1".into()], text })
}

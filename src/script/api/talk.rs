//! Talking to the person: log, warn, refuse.

use super::{Api, Function};
use crate::script::context::{Fallible, HostError, refuse, run};
use rhai::{Dynamic, NativeCallContext};

pub(super) fn register(api: &mut Api) {
    let function = |name, params, returns, doc, example| Function {
        subject: "talk",
        name,
        params,
        returns,
        changes: false,
        doc,
        example,
    };
    api.add(
        function("log", &["text"], "nothing", "A line for the person who watches.", r#"log("the queues are empty");"#),
        |call: NativeCallContext, text: Dynamic| -> Fallible<()> {
            run(&call)?.host().log(&text.to_string());
            Ok(())
        },
    );
    api.add(
        function(
            "warn",
            &["text"],
            "nothing",
            "A warning: shown at once, and again in the report.",
            r#"warn("the media store is not part of this migration");"#,
        ),
        |call: NativeCallContext, text: Dynamic| -> Fallible<()> {
            let run = run(&call)?;
            run.host().warn(&text.to_string());
            run.found().warnings.push(text.to_string());
            Ok(())
        },
    );
    api.add(
        function(
            "refuse",
            &["why"],
            "never",
            "Vetoes the migration; nothing of the script runs after it. Up to before_promote.",
            r#"refuse("a db:migrate is under way");"#,
        ),
        |call: NativeCallContext, why: &str| -> Fallible<()> { refuse(&call, why) },
    );
    // A caught error of a host function prints as its text.
    api.engine.register_type_with_name::<HostError>("HostError");
    api.engine.register_fn("to_string", |error: &mut HostError| error.0.chain());
    api.engine.register_fn("to_debug", |error: &mut HostError| error.0.chain());
}

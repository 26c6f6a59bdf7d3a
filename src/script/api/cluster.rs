//! Other objects of the namespace, and the target's backups.

use super::{Api, Function};
use crate::script::{
    context::{Fallible, changing_run, wrong},
    values,
};
use rhai::{ImmutableString, Map, NativeCallContext};

pub(super) fn register(api: &mut Api) {
    let function = |name, params, returns, doc, example| Function {
        subject: "cluster",
        name,
        params,
        returns,
        changes: true,
        doc,
        example,
    };
    api.add(
        function(
            "annotate",
            &["object", "key", "value"],
            "nothing",
            "Sets an annotation of kind/name; () takes it away. Rollback restores it.",
            r#"annotate("deployment/web", "example.org/paused", "true");"#,
        ),
        |call: NativeCallContext, object: &str, key: &str, value: ImmutableString| {
            annotate(&call, object, key, Some(&value))
        },
    );
    api.also(|call: NativeCallContext, object: &str, key: &str, _none: ()| annotate(&call, object, key, None));
    api.add(
        function(
            "patch",
            &["object", "merge"],
            "nothing",
            "A JSON merge patch of kind/name; rollback restores what it touched. Secrets cannot be patched.",
            r#"patch("configmap/web", #{ data: #{ READ_ONLY: "true" } });"#,
        ),
        |call: NativeCallContext, object: &str, merge: Map| -> Fallible<()> {
            let run = changing_run(&call)?;
            let merge = values::from_script(&merge.into()).map_err(|why| wrong(&call, format!("patch(): {why}")))?;
            run.wait(call.call_position(), run.host().patch(object, &merge))
        },
    );
    api.add(
        function(
            "backup",
            &["cluster"],
            "the Backup's name",
            "Starts a backup of a CloudNativePG cluster.",
            r#"let name = backup("database-cnpg"); wait("backup/" + name, "complete", "1h");"#,
        ),
        |call: NativeCallContext, cluster: &str| -> Fallible<String> {
            let run = changing_run(&call)?;
            run.wait(call.call_position(), run.host().backup(cluster))
        },
    );
}

fn annotate(call: &NativeCallContext, object: &str, key: &str, value: Option<&str>) -> Fallible<()> {
    let run = changing_run(call)?;
    run.wait(call.call_position(), run.host().annotate(object, key, value))
}

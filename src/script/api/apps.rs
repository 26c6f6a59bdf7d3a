//! Workloads.

use super::{Api, Function, read, timeout};
use crate::{
    error::Error,
    script::{
        context::{Fallible, changing_run, run, wrong},
        host::JobFrom,
        values,
    },
};
use rhai::{Array, Dynamic, Map, NativeCallContext};

pub(super) fn register(api: &mut Api) {
    reading(api);
    changing(api);
}

fn reading(api: &mut Api) {
    let function = |name, params, returns, doc, example| Function {
        subject: "apps",
        name,
        params,
        returns,
        changes: false,
        doc,
        example,
    };
    api.add(
        function(
            "replicas",
            &["workload"],
            "a number",
            "How many pods are wanted.",
            r#"let before = replicas("deployment/web");"#,
        ),
        |call: NativeCallContext, workload: &str| -> Fallible<i64> {
            let (run, workload) = (run(&call)?, read(&call, workload)?);
            Ok(run.wait(call.call_position(), run.host().replicas(&workload))?.wanted)
        },
    );
    api.add(
        function(
            "ready",
            &["workload"],
            "a number",
            "How many pods are ready.",
            r#"check("web", ready("deployment/web") > 0);"#,
        ),
        |call: NativeCallContext, workload: &str| -> Fallible<i64> {
            let (run, workload) = (run(&call)?, read(&call, workload)?);
            Ok(run.wait(call.call_position(), run.host().replicas(&workload))?.ready)
        },
    );
    api.add(
        function(
            "wait",
            &["what", "condition", "timeout"],
            "nothing; an error that says the last state seen when the time is over",
            "Waits for kind/name to be ready, gone, stopped (no pods left), complete, or for a condition such as Ready=True.",
            r#"wait("deployment/web", "ready", "2m");"#,
        ),
        |call: NativeCallContext, what: &str, condition: &str, time: Dynamic| -> Fallible<()> {
            let (run, time) = (run(&call)?, timeout(&call, &time)?);
            run.wait(call.call_position(), run.host().wait(what, condition, time))
        },
    );
    api.add(
        function(
            "logs",
            &["workload", "lines"],
            "an array of texts",
            "The last lines of each of its pods, with the pod's name in front.",
            r#"for line in logs("deployment/web", 20) { log(line); }"#,
        ),
        |call: NativeCallContext, workload: &str, lines: i64| -> Fallible<Array> {
            let (run, workload) = (run(&call)?, read(&call, workload)?);
            let lines = usize::try_from(lines).map_err(|_| wrong(&call, format!("logs(): {lines} lines")))?;
            let lines = run.wait(call.call_position(), run.host().logs(&workload, lines))?;
            Ok(lines.into_iter().map(Dynamic::from).collect())
        },
    );
    api.add(
        function(
            "sleep",
            &["timeout"],
            "nothing",
            "Waits that long; a cancel ends it. To wait for something, use wait.",
            r#"sleep("2s");"#,
        ),
        |call: NativeCallContext, time: &str| pause(&call, &time.into()),
    );
    // Over rhai's own, which would block without hearing a cancel.
    api.also(|call: NativeCallContext, time: i64| pause(&call, &time.into()));
    api.also(|call: NativeCallContext, time: f64| pause(&call, &time.into()));
}

fn pause(call: &NativeCallContext, time: &Dynamic) -> Fallible<()> {
    let (run, time) = (run(call)?, timeout(call, time)?);
    run.wait(call.call_position(), async {
        tokio::time::sleep(time).await;
        Ok::<_, Error>(())
    })
}

fn changing(api: &mut Api) {
    let function = |name, params, returns, doc, example| Function {
        subject: "apps",
        name,
        params,
        returns,
        changes: true,
        doc,
        example,
    };
    api.add(
        function(
            "scale",
            &["workload", "n"],
            "nothing",
            "Sets the number of pods; rollback sets it back to what it was.",
            r#"scale("deployment/importer", 0);"#,
        ),
        |call: NativeCallContext, workload: &str, n: i64| -> Fallible<()> {
            let (run, workload) = (changing_run(&call)?, read(&call, workload)?);
            if n < 0 {
                return Err(wrong(&call, format!("scale(): {n} pods")));
            }
            run.wait(call.call_position(), run.host().scale(&workload, n))
        },
    );
    api.add(
        function(
            "restart",
            &["workload"],
            "nothing",
            "A rolling restart, as kubectl rollout restart does it.",
            r#"restart("deployment/importer");"#,
        ),
        |call: NativeCallContext, workload: &str| -> Fallible<()> {
            let (run, workload) = (changing_run(&call)?, read(&call, workload)?);
            run.wait(call.call_position(), run.host().restart(&workload))
        },
    );
    api.add(
        function(
            "job",
            &["from"],
            "the Job's name",
            "Starts a Job from \"cronjob/NAME\" or from a manifest as a map; rollback deletes it.",
            r#"let name = job("cronjob/refresh"); wait("job/" + name, "complete", "5m");"#,
        ),
        |call: NativeCallContext, from: &str| -> Fallible<String> {
            let run = changing_run(&call)?;
            let Some(name) = from.strip_prefix("cronjob/") else {
                return Err(wrong(
                    &call,
                    format!("job({from:?}): write \"cronjob/NAME\", or give a manifest as a map"),
                ));
            };
            run.wait(call.call_position(), run.host().job(JobFrom::CronJob(name.into())))
        },
    );
    api.also(|call: NativeCallContext, manifest: Map| -> Fallible<String> {
        let run = changing_run(&call)?;
        let manifest = values::from_script(&manifest.into()).map_err(|why| wrong(&call, format!("job(): {why}")))?;
        run.wait(call.call_position(), run.host().job(JobFrom::Manifest(manifest)))
    });
}

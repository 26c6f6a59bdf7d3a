//! What a script found to be so, or not, or could not see.

use super::{Api, Function};
use crate::{
    error::Kind,
    script::{
        context::{Fallible, HostError, Run, ScriptVerdict, run},
        host::Verdict,
        values,
    },
};
use rhai::{Dynamic, EvalAltResult, NativeCallContext};
use serde_json::json;

pub(super) fn register(api: &mut Api) {
    api.add(
        Function {
            subject: "verdicts",
            name: "compare",
            params: &["name?", "query"],
            returns: "a map: verdict, source, target, why",
            changes: false,
            doc: "The same query on both sides, with a verdict under that name: PASS when the rows are equal, INCONCLUSIVE when a side cannot be asked.",
            example: r#"compare("accounts", "select count(*) as rows from accounts");"#,
        },
        |call: NativeCallContext, name: &str, query: &str| compare(&call, name, query),
    );
    api.also(|call: NativeCallContext, query: &str| compare(&call, query, query));
    api.add(
        Function {
            subject: "verdicts",
            name: "check",
            params: &["name", "ok", "detail?"],
            returns: "ok",
            changes: false,
            doc: "A verdict of the script's own: PASS when ok is true, FAIL when not; detail is shown with it.",
            example: r#"check("web is ready", ready("deployment/web") == replicas("deployment/web"));"#,
        },
        |call: NativeCallContext, name: &str, ok: bool, detail: Dynamic| check(&call, name, ok, &detail.to_string()),
    );
    api.also(|call: NativeCallContext, name: &str, ok: bool| check(&call, name, ok, ""));
    api.add(
        Function {
            subject: "verdicts",
            name: "inconclusive",
            params: &["name", "why"],
            returns: "nothing",
            changes: false,
            doc: "A verdict for what could not be looked at: it is never a pass.",
            example: r#"try { check("answers", http("service/web:3000/health").status == 200) } catch (e) { inconclusive("answers", `${e}`) }"#,
        },
        |call: NativeCallContext, name: &str, why: &str| -> Fallible<()> {
            add(&run(&call)?, name, Verdict::Inconclusive, why.into());
            Ok(())
        },
    );
}

fn add(run: &Run, name: &str, verdict: Verdict, detail: String) {
    run.found().verdicts.push(ScriptVerdict { name: name.into(), verdict, detail });
}

fn check(call: &NativeCallContext, name: &str, ok: bool, detail: &str) -> Fallible<bool> {
    add(&run(call)?, name, if ok { Verdict::Pass } else { Verdict::Fail }, detail.into());
    Ok(ok)
}

fn compare(call: &NativeCallContext, name: &str, query: &str) -> Fallible<Dynamic> {
    let run = run(call)?;
    let compared = match run.wait(call.call_position(), run.host().compare(query)) {
        Ok(compared) => json!(compared),
        // A side that cannot be asked is no reason to leave the other tables uncompared. A stop is.
        Err(error) => match unreachable(&error) {
            Some(why) => json!({"verdict": Verdict::Inconclusive, "source": [], "target": [], "why": why}),
            None => return Err(error),
        },
    };
    let verdict = serde_json::from_value(compared["verdict"].clone()).unwrap_or(Verdict::Inconclusive);
    add(&run, name, verdict, compared["why"].as_str().unwrap_or_default().into());
    Ok(values::to_script(compared))
}

fn unreachable(error: &EvalAltResult) -> Option<String> {
    let EvalAltResult::ErrorRuntime(value, _) = error else { return None };
    let HostError(error) = value.clone().try_cast::<HostError>()?;
    (!matches!(error.kind, Kind::Usage | Kind::Bug)).then(|| error.chain())
}

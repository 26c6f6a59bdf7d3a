//! SQL on both ends.

use super::{Api, Function, read};
use crate::{
    postgres::session::Row,
    script::{
        context::{Fallible, changing_run, run, wrong},
        values,
    },
};
use rhai::{Array, Dynamic, NativeCallContext};
use serde_json::Value;

pub(super) fn register(api: &mut Api) {
    api.add(
        Function {
            subject: "sql",
            name: "sql",
            params: &["side", "query", "args?"],
            returns: "an array of maps, a row each",
            changes: false,
            doc: "Asks the first of the migration's databases in a read-only transaction with a timeout, as superuser: a function that acts (pg_promote) acts. $1.. are bound from args.",
            example: r#"let tables = sql("source", "select relname from pg_class where relkind = $1", ["r"]);"#,
        },
        |call: NativeCallContext, side: &str, query: &str, args: Array| ask(&call, side, query, &args),
    );
    api.also(|call: NativeCallContext, side: &str, query: &str| ask(&call, side, query, &Array::new()));
    api.add(
        Function {
            subject: "sql",
            name: "execute",
            params: &["side", "statement", "args?"],
            returns: "the rows of a RETURNING",
            changes: true,
            doc: "Runs a statement that writes. Not undone by rollback, not repeated by resume: what RETURNING gives is kept in the journal, so let it be little.",
            example: r#"execute("target", "analyze statuses");"#,
        },
        |call: NativeCallContext, side: &str, query: &str, args: Array| write(&call, side, query, &args),
    );
    api.also(|call: NativeCallContext, side: &str, query: &str| write(&call, side, query, &Array::new()));
}

fn ask(call: &NativeCallContext, side: &str, query: &str, args: &Array) -> Fallible<Array> {
    let (run, side, args) = (run(call)?, read(call, side)?, texts(call, args)?);
    Ok(rows(run.wait(call.call_position(), run.host().sql(side, query, &args))?))
}

fn write(call: &NativeCallContext, side: &str, statement: &str, args: &Array) -> Fallible<Array> {
    let (run, side, args) = (changing_run(call)?, read(call, side)?, texts(call, args)?);
    Ok(rows(run.wait(call.call_position(), run.host().execute(side, statement, &args))?))
}

fn texts(call: &NativeCallContext, args: &Array) -> Fallible<Vec<String>> {
    let texts: Result<_, _> = args.iter().map(values::to_argument).collect();
    texts.map_err(|why| wrong(call, format!("{}(): {why}", call.fn_name())))
}

fn rows(rows: Vec<Row>) -> Vec<Dynamic> {
    rows.into_iter().map(|row| values::to_script(Value::Object(row))).collect()
}

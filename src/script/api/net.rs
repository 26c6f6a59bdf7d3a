//! Things outside the database: the app's own health page, the backup store.

use super::{Api, Function};
use crate::script::{
    context::{Fallible, run},
    values,
};
use rhai::{Dynamic, NativeCallContext};
use serde_json::json;

pub(super) fn register(api: &mut Api) {
    api.add(
        Function {
            subject: "net",
            name: "http",
            params: &["address"],
            returns: "a map: status, body",
            changes: false,
            doc: "GET service/NAME:PORT/path or pod/NAME:PORT/path through the API server: works from anywhere kubectl works.",
            example: r#"check("Mastodon answers", http("service/mastodon-web:3000/health").status == 200);"#,
        },
        |call: NativeCallContext, address: &str| -> Fallible<Dynamic> {
            let run = run(&call)?;
            Ok(values::to_script(json!(run.wait(call.call_position(), run.host().http(address))?)))
        },
    );
    api.add(
        Function {
            subject: "net",
            name: "s3_size",
            params: &["store_or_url"],
            returns: "a map: objects, bytes",
            changes: false,
            doc: "Counts what is under an ObjectStore's destination, or under s3://bucket/prefix in a store of this namespace.",
            example: r#"log(`${s3_size("database-backups").objects} objects`);"#,
        },
        |call: NativeCallContext, store: &str| -> Fallible<Dynamic> {
            let run = run(&call)?;
            Ok(values::to_script(json!(run.wait(call.call_position(), run.host().s3_size(store))?)))
        },
    );
}

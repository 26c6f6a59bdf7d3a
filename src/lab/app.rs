//! The practice app: it writes all the time, and counts its own outage and its lost writes.
//!
//! Environment of a `lab/app` container: `DB_HOST`, `DB_PORT` (5432), `DB_USER`, `DB_PASS`, `DB_NAME` (DB_USER);
//! `LAB_WRITE` names the table that a writer inserts into (columns id, account_id, text, token uuid; the seven counted
//! tables' `statuses`); without it the app only reads. `LAB_INTERVAL_MS` (10) is the pause between two rows.
//! It is Ready while its last commit (or read) is younger than five seconds.
pub mod audit;
pub mod connect;
pub mod ledger;

use super::{api::store::Store, node::Node, workloads::image::Container};
use crate::postgres::quote::Ident;
use connect::Connect;
use ledger::Ledger;
use serde_json::json;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio_postgres::{Client, types::Type};

const FRESH: Duration = Duration::from_secs(5);

/// Runs until told to stop (exit code 0): the row in flight is finished first.
pub async fn run(container: Container) -> i32 {
    if !container.variables.contains_key("DB_HOST") {
        container.say("no DB_HOST: nothing to do");
        container.ready.send_replace(true);
        container.stop.cancelled().await;
        return 0;
    }
    let last = Arc::new(Mutex::new(None));
    let readiness = readiness(&container, last.clone());
    tokio::select! {
        () = work(&container, &last) => 0,
        () = readiness => 1,
    }
}

type LastSuccess = Arc<Mutex<Option<Instant>>>;

async fn readiness(container: &Container, last: LastSuccess) {
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let last = *last.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = last.is_some_and(|last| last.elapsed() < FRESH);
        container.ready.send_if_modified(|ready| std::mem::replace(ready, fresh) != fresh);
    }
}

/// Connects and works, again and again, until told to stop.
async fn work(container: &Container, last: &LastSuccess) {
    let interval = container.variables.get("LAB_INTERVAL_MS").and_then(|text| text.parse().ok()).unwrap_or(10);
    let mut back_off = Duration::from_millis(50);
    while !container.stop.is_cancelled() {
        let connect = Connect::from_variables(&container.variables);
        let connected = connect.open(&container.node, &container.namespace, Some(container.sandbox.ip));
        match connected.await {
            Ok(client) => {
                container.say(&format!("connected to {connect}"));
                let pause = Duration::from_millis(interval);
                match with_connection(container, &client, last, pause).await {
                    Ok(()) => return,
                    Err(error) => container.say(&format!("connection lost: {error}")),
                }
                back_off = Duration::from_millis(50);
            }
            Err(error) => container.say(&format!("cannot connect to {connect}: {error}")),
        }
        tokio::select! {
            () = tokio::time::sleep(back_off) => {}
            () = container.stop.cancelled() => {}
        }
        back_off = (back_off * 2).min(Duration::from_millis(500));
    }
}

/// Ok: told to stop.
async fn with_connection(
    container: &Container,
    client: &Client,
    last: &LastSuccess,
    pause: Duration,
) -> Result<(), String> {
    let writer = match container.variables.get("LAB_WRITE") {
        Some(table) => Some(Writer::new(container, client, table).await?),
        None => None,
    };
    let pause = if writer.is_some() { pause } else { pause.max(Duration::from_millis(200)) };
    loop {
        match &writer {
            Some(writer) => writer.write(client).await?,
            None => drop(timely(client.simple_query("SELECT 1")).await?),
        }
        *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = container.stop.cancelled() => return Ok(()),
        }
    }
}

struct Writer {
    ledger: Arc<Ledger>,
    insert: String,
    account: i64,
    pod: String,
}

impl Writer {
    async fn new(container: &Container, client: &Client, table: &str) -> Result<Writer, String> {
        let rows = timely(client.query_typed("SELECT coalesce(min(id), 0)::bigint FROM accounts", &[])).await?;
        let insert = format!(
            "INSERT INTO {} (account_id, text, token) VALUES ($1, $2, $3::text::uuid) RETURNING id",
            Ident::new(table)
        );
        let ledger = Ledger::shared(container.node.dir(), &container.namespace, table).map_err(|e| e.to_string())?;
        Ok(Writer { ledger, insert, account: rows.first().map_or(0, |row| row.get(0)), pod: container.pod.clone() })
    }

    async fn write(&self, client: &Client) -> Result<(), String> {
        let token = uuid::Uuid::new_v4();
        // Before the statement leaves: a row that is found later without this line would be somebody else's.
        self.ledger.sent(token).map_err(|error| format!("cannot write the ledger: {error}"))?;
        let text = format!("written by {}", self.pod);
        let key = token.to_string();
        timely(
            client.query_typed(&self.insert, &[(&self.account, Type::INT8), (&text, Type::TEXT), (&key, Type::TEXT)]),
        )
        .await?;
        self.ledger.acknowledged(token).map_err(|error| format!("cannot write the ledger: {error}"))
    }
}

/// A statement's answer within five seconds: a server that went silent must not hold the app for ever.
async fn timely<T>(query: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, String> {
    match tokio::time::timeout(Duration::from_secs(5), query).await {
        Ok(answer) => answer.map_err(|error| connect::explain(&error)),
        Err(_) => Err("no answer within 5 s".into()),
    }
}

/// Writes ConfigMap `lab-app-report` in every namespace with a writing app, each second, so that `kubectl get` shows it.
pub async fn publish(store: Store, node: Node) {
    loop {
        for (namespace, ledger) in Ledger::all(node.dir()) {
            let report = ledger.report();
            let seconds = |duration: Duration| format!("{:.3}", duration.as_secs_f64());
            let data = json!({
                "sent": report.sent.to_string(), "acked": report.acked.to_string(),
                "longestGapSeconds": seconds(report.longest_gap),
                "longestGapBegan": report.longest_gap_began.map(|time| time.to_string()).unwrap_or_default(),
                "sinceLastCommitSeconds": report.since_last.map(seconds).unwrap_or_default(),
            });
            store.ensure(
                "configmaps",
                json!({
                    "apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": "lab-app-report", "namespace": namespace}, "data": data,
                }),
            );
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

//! The reckoning at the end: the ledger against the database that the app is left with.
use super::{connect::Connect, connect::explain, ledger::Ledger, ledger::Report};
use crate::{
    lab::{
        api::store::Store,
        node::Node,
        workloads::environment::{self, Variables},
    },
    postgres::quote::Ident,
};
use futures::TryStreamExt;
use serde_json::{Value, json};
use std::{collections::HashMap, pin::pin};
use tokio_postgres::{Client, types::ToSql};
use uuid::Uuid;

#[derive(Debug, Clone)]
pub struct Audit {
    pub report: Report,
    /// Acknowledged, and not in the database: what must never be.
    pub lost: Vec<Uuid>,
    /// In the database more than once.
    pub duplicated: Vec<Uuid>,
    /// Sent, never acknowledged, there all the same: harmless.
    pub unacked_present: u64,
    /// In the database with a token that nobody of this lab wrote.
    pub unknown: u64,
}

impl Audit {
    /// No acknowledged write lost, none twice.
    pub fn clean(&self) -> bool {
        self.lost.is_empty() && self.duplicated.is_empty()
    }

    pub fn to_json(&self) -> Value {
        let mut all = self.report.to_json();
        all["lost"] = self.lost.len().into();
        all["duplicated"] = self.duplicated.len().into();
        all["unackedPresent"] = self.unacked_present.into();
        all["unknown"] = self.unknown.into();
        all
    }
}

/// Reads every token of the final database (`client`) and compares. Writers should be stopped or idle: a row that is
/// acknowledged while this reads is not held against anybody (the ledger is read first).
pub async fn audit(ledger: &Ledger, client: &Client) -> Result<Audit, String> {
    let (report, rows) = (ledger.report(), ledger.rows());
    let query = format!("SELECT token::text FROM {} WHERE token IS NOT NULL", Ident::new(&ledger.table));
    let none: [&(dyn ToSql + Sync); 0] = [];
    let found = client.query_raw(&query, none).await.map_err(|error| explain(&error))?;
    let mut found = pin!(found);
    let mut times: HashMap<Uuid, u32> = HashMap::new();
    while let Some(row) = found.try_next().await.map_err(|error| explain(&error))? {
        let token: Uuid = row.get::<_, &str>(0).parse().map_err(|error| format!("token: {error}"))?;
        *times.entry(token).or_default() += 1;
    }
    let lost = rows.iter().filter(|(token, acked)| **acked && !times.contains_key(token));
    let unacked_present = rows.iter().filter(|(token, acked)| !**acked && times.contains_key(token)).count() as u64;
    let duplicated = times.iter().filter(|(_, times)| **times > 1);
    Ok(Audit {
        lost: lost.map(|(token, _)| *token).collect(),
        duplicated: duplicated.map(|(token, _)| *token).collect(),
        unacked_present,
        unknown: times.keys().filter(|token| !rows.contains_key(token)).count() as u64,
        report,
    })
}

/// Audits a namespace's app through the connection that its pods would get if they started now.
pub async fn audit_namespace(store: &Store, node: &Node, namespace: &str) -> Result<Audit, String> {
    let ledger = Ledger::all(node.dir()).into_iter().find(|(of, _)| of == namespace);
    let (_, ledger) = ledger.ok_or_else(|| format!("no app has written in namespace {namespace} yet"))?;
    let variables = writer_variables(store, namespace)?;
    let client = Connect::from_variables(&variables).open(node, namespace, None).await?;
    audit(&ledger, &client).await
}

/// The environment that the first Deployment with a writing app would give its pods now.
fn writer_variables(store: &Store, namespace: &str) -> Result<Variables, String> {
    for deployment in store.list("deployments.apps", Some(namespace)) {
        let template = &deployment["spec"]["template"];
        for container in template["spec"]["containers"].as_array().into_iter().flatten() {
            let pod = json!({"metadata": {"namespace": namespace}});
            let variables = environment::resolve(store, &pod, container, "");
            if variables.as_ref().is_ok_and(|variables| variables.contains_key("LAB_WRITE")) {
                return variables;
            }
        }
    }
    Err(format!("no Deployment in namespace {namespace} writes (LAB_WRITE)"))
}

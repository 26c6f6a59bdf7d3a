//! Tells the Zalando operator to leave the cluster alone, by an annotation on the CR.
//!
//! Without it the next sync undoes a fence (roles, pooler, instances). Undone by putting the annotation back as
//! it was. A crash leaves the annotation: Patroni and the database run on as before.

use crate::{
    error::{Error, Result},
    kube::kind::POSTGRESQL,
    step::*,
};
use serde_json::{Value, json};
use std::time::Duration;

/// The operator serves only CRs whose value equals its own CONTROLLER_ID (postgres-operator, `hasOwnership`).
const ANNOTATION: &str = "acid.zalan.do/controller";
pub const ID: &str = "detach-operator";
pub const OURS: &str = "kubectl-pgmigrate";

pub struct DetachOperator {
    /// The Zalando cluster.
    pub source: String,
}

async fn annotation(world: &World) -> Result<Value> {
    let name = &world.migration.source;
    let cr = world.kube.get(&POSTGRESQL, name).await?;
    let cr = cr.ok_or_else(|| Error::failed(format!("postgresql {name} is not there")))?;
    Ok(cr["metadata"]["annotations"][ANNOTATION].clone())
}

fn patch(value: &Value) -> Value {
    json!({ "metadata": { "annotations": { ANNOTATION: value } } })
}

async fn set(world: &World, value: &Value) -> Result<()> {
    world.kube.merge(&POSTGRESQL, &world.migration.source, &patch(value)).await.map(drop)
}

#[async_trait::async_trait]
impl Step for DetachOperator {
    fn id(&self) -> String {
        ID.into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "detach the Zalando operator from the source".into(),
            details: format!("sets the annotation {ANNOTATION}; undone by putting it back as it was"),
            objects: vec![format!("postgresql/{}", self.source)],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Disruptive
    }
    fn sends(&self) -> Vec<Sent> {
        vec![Sent::Patch { object: format!("postgresql/{}", self.source), patch: patch(&json!(OURS)) }]
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(30)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        Ok(if annotation(world).await? == OURS { Observed::Done } else { Observed::Absent })
    }
    async fn prepare(&self, world: &World) -> Result<Receipt> {
        Ok(json!({ "annotation": annotation(world).await? }))
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        set(world, &json!(OURS)).await?;
        Ok(Value::Null)
    }
    async fn revert(&self, world: &World, receipt: &Receipt) -> Result<()> {
        if annotation(world).await? == OURS { set(world, &receipt["annotation"]).await } else { Ok(()) }
    }
}

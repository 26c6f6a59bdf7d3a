//! Removes what only the way there and the way back needed: Secrets of ours. The journal stays, for the certificate.
//!
//! The target's Cluster still names the login that it imported with: that goes first, so that it points at nothing gone.

use super::ends;
use crate::{
    error::Result,
    kube::kind::{CLUSTER, SECRET},
    step::*,
};
use serde_json::{Value, json};
use std::time::Duration;

pub struct Tidy {
    pub secrets: Vec<String>,
}

impl Tidy {
    /// The Cluster's external clusters without the passwords that are in our Secrets; None: it names none of them.
    fn without_passwords(&self, cluster: &Value) -> Option<Value> {
        let mut external = cluster["spec"]["externalClusters"].clone();
        let ours = |one: &&mut Value| self.secrets.iter().any(|secret| one["password"]["name"] == secret.as_str());
        let named: Vec<&mut Value> = external.as_array_mut()?.iter_mut().filter(ours).collect();
        if named.is_empty() {
            return None;
        }
        named.into_iter().filter_map(Value::as_object_mut).for_each(|one| drop(one.remove("password")));
        Some(external)
    }
}

#[async_trait::async_trait]
impl Step for Tidy {
    fn id(&self) -> String {
        "tidy".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "remove what the migration kept".into(),
            details: "Secrets with the old connections and the migration's own login; the journal stays for `report`"
                .into(),
            objects: self.secrets.iter().map(|name| format!("secret/{name}")).collect(),
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Disruptive
    }
    fn sends(&self) -> Vec<Sent> {
        self.secrets.iter().map(|name| Sent::Delete { object: format!("secret/{name}") }).collect()
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let looks = self.secrets.iter().map(|name| world.kube.get(&SECRET, name));
        let kept = futures::future::try_join_all(looks).await?;
        Ok(if kept.iter().any(Option::is_some) { Observed::Absent } else { Observed::Done })
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        if let Some(external) = self.without_passwords(&ends::cluster(world).await?) {
            let patch = json!({ "spec": { "externalClusters": external } });
            world.kube.merge(&CLUSTER, &world.migration.target.cluster, &patch).await?;
        }
        for name in &self.secrets {
            world.kube.delete(&SECRET, name).await?;
        }
        Ok(Value::Null)
    }
}

//! Imports the schema alone into a scratch cluster, while the app is up: every error of a restore is in it.
//!
//! The scratch cluster is deleted in any case. A crash leaves it; undoing deletes it.

use super::watch;
use crate::{
    error::{Context, Error, Result},
    kube::kind::CLUSTER,
    step::*,
    steps::replica::create_target::delete_cluster,
};
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

pub struct Rehearse {
    pub manifest: Value,
    passed: AtomicBool,
}

impl Rehearse {
    /// `manifest`: of the import; the rehearsal is the same but for its name and the data.
    pub fn new(mut manifest: Value) -> Self {
        let name = format!("{}-rehearsal", manifest["metadata"]["name"].as_str().unwrap_or_default());
        manifest["metadata"]["name"] = json!(name);
        manifest["spec"]["bootstrap"]["initdb"]["import"]["schemaOnly"] = json!(true);
        if let Some(spec) = manifest["spec"].as_object_mut() {
            // It must not write into the target's archive.
            for key in ["plugins", "backup", "walStorage"] {
                spec.remove(key);
            }
        }
        Rehearse { manifest, passed: AtomicBool::new(false) }
    }
    fn name(&self) -> &str {
        self.manifest["metadata"]["name"].as_str().unwrap_or_default()
    }
}

#[async_trait::async_trait]
impl Step for Rehearse {
    fn id(&self) -> String {
        "rehearse".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "rehearse the import, schema only".into(),
            details: format!("a scratch cluster {}, deleted afterwards, shows every error of a restore", self.name()),
            objects: vec![format!("cluster/{}", self.name())],
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Additive
    }
    fn sends(&self) -> Vec<Sent> {
        vec![Sent::Object(self.manifest.clone())]
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(900)
    }
    /// A rehearsal leaves nothing to be seen: that it passed is in the journal, or was just now.
    async fn observe(&self, world: &World) -> Result<Observed> {
        if world.kube.get(&CLUSTER, self.name()).await?.is_some() {
            return Ok(Observed::Partial(format!("cluster {} is there", self.name())));
        }
        let passed = self.passed.load(Ordering::SeqCst) || !world.journal.evidence(&self.id()).is_null();
        Ok(if passed { Observed::Done } else { Observed::Absent })
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        // What an earlier run left would be taken for this one's result.
        delete_cluster(world, self.name()).await.context("removing an earlier rehearsal")?;
        world.kube.apply(&CLUSTER, &self.manifest).await?;
        let began = Instant::now();
        let result = watch::until_healthy(world, self.name()).await;
        let took = began.elapsed().as_secs();
        let removed = delete_cluster(world, self.name()).await;
        result.map_err(|e| Error::check("the rehearsal of the import failed").cause(e).hint(self.remedy(world)))?;
        removed.context("removing the rehearsal")?;
        self.passed.store(true, Ordering::SeqCst);
        Ok(json!({ "note": format!("the schema imports, in {took} s"), "seconds": took }))
    }
    async fn revert(&self, world: &World, _receipt: &Receipt) -> Result<()> {
        delete_cluster(world, self.name()).await
    }
}

impl Rehearse {
    fn remedy(&self, world: &World) -> String {
        format!("kubectl pgmigrate prepare {}, when the cause named above is gone", world.migration.name)
    }
}

//! A Cluster object, read: the fields the stand-in honours, with CloudNativePG's defaults.
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// One state of a Cluster object.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub object: Arc<Value>,
}

impl Cluster {
    pub fn of(object: &Arc<Value>) -> Cluster {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        Cluster { namespace: text("namespace"), name: text("name"), uid: text("uid"), object: object.clone() }
    }

    pub fn spec(&self) -> &Value {
        &self.object["spec"]
    }

    pub fn status(&self) -> &Value {
        &self.object["status"]
    }

    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.object["metadata"]["annotations"][name].as_str()
    }

    pub fn generation(&self) -> u64 {
        self.object["metadata"]["generation"].as_u64().unwrap_or_default()
    }

    pub fn instances(&self) -> u32 {
        self.spec()["instances"].as_u64().unwrap_or(1) as u32
    }

    pub fn pod(&self, serial: u32) -> String {
        format!("{}-{serial}", self.name)
    }

    pub fn image(&self) -> String {
        self.spec()["imageName"].as_str().unwrap_or("ghcr.io/cloudnative-pg/postgresql:18.4-system-trixie").to_owned()
    }

    pub fn replica(&self) -> bool {
        self.spec()["replica"]["enabled"].as_bool().unwrap_or(false)
    }

    /// The external cluster a replica follows.
    pub fn replica_source(&self) -> &str {
        self.spec()["replica"]["source"].as_str().unwrap_or_default()
    }

    /// `initdb`, `import`, `pgbasebackup` or `full-recovery`: what the bootstrap job is called.
    pub fn job_role(&self) -> &'static str {
        let bootstrap = &self.spec()["bootstrap"];
        if bootstrap["pg_basebackup"].is_object() {
            "pgbasebackup"
        } else if bootstrap["recovery"].is_object() {
            "full-recovery"
        } else if self.import().is_object() {
            "import"
        } else {
            "initdb"
        }
    }

    pub fn import(&self) -> &Value {
        &self.spec()["bootstrap"]["initdb"]["import"]
    }

    fn bootstrap(&self) -> &Value {
        let bootstrap = &self.spec()["bootstrap"];
        ["pg_basebackup", "recovery", "initdb"]
            .into_iter()
            .map(|m| &bootstrap[m])
            .find(|m| m.is_object())
            .unwrap_or(bootstrap)
    }

    /// The application's database: none for a monolith import that names none.
    pub fn database(&self) -> Option<&str> {
        let given = self.bootstrap()["database"].as_str().filter(|name| !name.is_empty());
        if given.is_none() && self.import()["type"] == "monolith" {
            return None;
        }
        Some(given.unwrap_or("app"))
    }

    pub fn owner(&self) -> Option<&str> {
        let database = self.database()?;
        Some(self.bootstrap()["owner"].as_str().filter(|name| !name.is_empty()).unwrap_or(database))
    }

    /// The owner's Secret as the user gave it.
    pub fn given_secret(&self) -> Option<&str> {
        self.bootstrap()["secret"]["name"].as_str().filter(|name| !name.is_empty())
    }

    /// The Secret whose password the owner gets: the given one, or `<cluster>-app`.
    pub fn owner_secret(&self) -> Option<String> {
        self.owner()?;
        Some(self.given_secret().map_or_else(|| format!("{}-app", self.name), str::to_owned))
    }

    pub fn initdb(&self) -> &Value {
        &self.spec()["bootstrap"]["initdb"]
    }

    pub fn superuser_access(&self) -> bool {
        self.spec()["enableSuperuserAccess"].as_bool().unwrap_or(false)
    }

    pub fn smart_shutdown_timeout(&self) -> Duration {
        Duration::from_secs(self.spec()["smartShutdownTimeout"].as_u64().unwrap_or(180))
    }

    /// `spec.postgresql.parameters`; numbers and booleans are taken as they are written.
    pub fn parameters(&self) -> BTreeMap<String, String> {
        let parameters = self.spec()["postgresql"]["parameters"].as_object();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        parameters.into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
    }

    pub fn external(&self, name: &str) -> Option<&Value> {
        strings_of(&self.spec()["externalClusters"]).find(|external| external["name"] == name)
    }

    /// `cnpg.io/fencedInstances` names the pod, or everything.
    pub fn fenced(&self, pod: &str) -> bool {
        let Some(list) = self.annotation("cnpg.io/fencedInstances") else { return false };
        let names: Vec<String> = serde_json::from_str(list).unwrap_or_default();
        names.iter().any(|name| name == "*" || name == pod)
    }

    pub fn hibernated(&self) -> bool {
        self.annotation("cnpg.io/hibernation") == Some("on")
    }

    pub fn current_primary(&self) -> Option<&str> {
        self.status()["currentPrimary"].as_str().or(self.status()["targetPrimary"].as_str())
    }
}

fn strings_of(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// The texts of a JSON list; nothing if it is none.
pub fn texts(list: &Value) -> Vec<String> {
    strings_of(list).filter_map(Value::as_str).map(str::to_owned).collect()
}

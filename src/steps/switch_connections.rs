//! Points the apps at the target: the keys of Secrets and ConfigMaps that the migration file names.
//!
//! The old values are kept in a Secret of ours first (they may be passwords, so never in the journal). Undone by
//! writing them back, but only over our own values: what somebody has edited meanwhile stays and is said. A crash
//! leaves some objects switched; running again, or undoing, finishes it. Apps read the values when they start.

use super::stop_apps;
use crate::{
    error::{Context, Error, Kind, Result},
    facts::cnpg::OURS,
    kube::kind::{CONFIG_MAP, SECRET},
    spec::{Connection, ConnectionObject},
    step::*,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use std::time::Duration;

pub struct SwitchConnections {
    pub objects: Vec<String>,
    /// As [`sent`] shows it.
    pub sends: Vec<Sent>,
    /// Secret with the target owner's username and password.
    pub owner_secret: String,
    pub database: String,
    /// `guardrails.stopApps`, for an app that somebody has started meanwhile.
    pub limit: Duration,
}

const FIELD: &str = "previous.json";

fn kind(object: &ConnectionObject) -> (&'static crate::kube::Kind, &str) {
    match object {
        ConnectionObject::Secret(name) => (&SECRET, name),
        ConnectionObject::ConfigMap(name) => (&CONFIG_MAP, name),
    }
}

/// A value as the API shows it: base64 in a Secret.
fn stored(object: &ConnectionObject, text: &str) -> Value {
    match object {
        ConnectionObject::Secret(_) => json!(STANDARD.encode(text)),
        ConnectionObject::ConfigMap(_) => json!(text),
    }
}

/// The file's own words for what is known only then. A Secret's value that is more than such a word is not shown: the
/// file may hold a password.
pub fn sent(connection: &Connection) -> Sent {
    let secret = matches!(connection.object, ConnectionObject::Secret(_));
    let word = |text: &str| text.strip_prefix("${").and_then(|t| t.strip_suffix('}')).is_some_and(|t| !t.contains('$'));
    let shown = |(key, text): &(String, String)| {
        let text = if secret && !word(text) { REDACTED } else { text };
        (key.clone(), json!(text))
    };
    let data: Map<String, Value> = connection.set.iter().map(shown).collect();
    Sent::Patch { object: connection.object.to_string(), patch: json!({ "data": data }) }
}

/// The Secret that holds the connections as they were.
pub fn saved_name(migration: &str) -> String {
    format!("pgmigrate-{migration}-connections")
}

fn decoded(secret: &Value, field: &str) -> Option<String> {
    let bytes = STANDARD.decode(secret["data"][field].as_str()?).ok()?;
    String::from_utf8(bytes).ok()
}

impl SwitchConnections {
    async fn variables(&self, world: &World) -> Result<Vec<(&'static str, String)>> {
        let target = &world.migration.target;
        let namespace = world.kube.namespace();
        let secret = world.kube.get(&SECRET, &self.owner_secret).await?.unwrap_or_default();
        let of = |field: &str| {
            decoded(&secret, field).ok_or_else(|| Error::failed(format!("secret {} has no {field}", self.owner_secret)))
        };
        let host = format!("{}-rw.{namespace}.svc", target.cluster);
        let mut variables = vec![
            ("target.user", of("username")?),
            ("target.password", of("password")?),
            ("target.host", host.clone()),
            ("target.port", "5432".into()),
            ("target.database", self.database.clone()),
            ("source.host", format!("{}.{namespace}.svc", world.migration.source)),
        ];
        if let Some(pooler) = &target.pooler {
            variables.push(("target.pooler.host", format!("{}.{namespace}.svc", pooler.name)));
        }
        Ok(variables)
    }

    /// Every object with the values it is to have, and as it is now.
    async fn wanted<'a>(&self, world: &'a World) -> Result<Vec<(&'a Connection, Map<String, Value>, Value)>> {
        let variables = self.variables(world).await?;
        let fill = |template: &str| {
            variables
                .iter()
                .fold(template.to_string(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
        };
        let looks = world.migration.connections.iter().map(|connection| {
            let set = connection
                .set
                .iter()
                .map(|(key, template)| (key.clone(), stored(&connection.object, &fill(template))))
                .collect();
            async move {
                let (kind, name) = kind(&connection.object);
                let now = world.kube.get(kind, name).await?;
                let now = now.ok_or_else(|| {
                    Error::failed(format!("{} {name}, a connection, is not there", kind.kind.to_lowercase()))
                })?;
                Ok::<_, Error>((connection, set, now))
            }
        });
        futures::future::try_join_all(looks).await
    }

    /// Keeps what is there now, once: a second try after a crash must not keep our own values as the old ones.
    async fn save(&self, world: &World, wanted: &[(&Connection, Map<String, Value>, Value)]) -> Result<()> {
        let name = saved_name(&world.migration.name);
        if world.kube.get(&SECRET, &name).await?.is_some() {
            return Ok(());
        }
        let old: Vec<Value> = wanted
            .iter()
            .map(|(connection, set, now)| {
                let (kind, name) = kind(&connection.object);
                let was: Map<String, Value> = set.keys().map(|key| (key.clone(), now["data"][key].clone())).collect();
                json!({ "kind": kind.kind, "name": name, "data": was })
            })
            .collect();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": name, "labels": { OURS: world.migration.name } },
            "stringData": { FIELD: Value::Array(old).to_string() },
        });
        world.kube.create(&SECRET, &secret).await.context("keep the connections as they are")?;
        Ok(())
    }
}

#[async_trait::async_trait]
impl Step for SwitchConnections {
    fn id(&self) -> String {
        "switch-connections".into()
    }
    fn describe(&self) -> Description {
        Description {
            title: "point the apps at the target".into(),
            details: "sets the keys named under spec.connections; undone by writing the old values back".into(),
            objects: self.objects.clone(),
        }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Disruptive
    }
    fn sends(&self) -> Vec<Sent> {
        self.sends.clone()
    }
    fn deadline(&self) -> Duration {
        self.limit + Duration::from_secs(60)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let wanted = self.wanted(world).await?;
        let all: Vec<bool> =
            wanted.iter().map(|(_, set, now)| set.iter().all(|(key, value)| &now["data"][key] == value)).collect();
        Ok(match (all.iter().all(|d| *d), all.iter().any(|d| *d)) {
            (true, _) => Observed::Done,
            (false, true) => Observed::Partial("some connections point at the target".into()),
            (false, false) => Observed::Absent,
        })
    }
    async fn prepare(&self, world: &World) -> Result<Receipt> {
        Ok(json!({ "savedIn": format!("secret/{}", saved_name(&world.migration.name)) }))
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let (wanted, ()) = tokio::try_join!(self.wanted(world), stop_apps::once_more(world))?;
        self.save(world, &wanted).await?;
        let patches = wanted.iter().map(|(connection, set, _)| async move {
            let (kind, name) = kind(&connection.object);
            world.kube.merge(kind, name, &json!({ "data": set })).await
        });
        futures::future::try_join_all(patches).await?;
        Ok(Value::Null)
    }
    async fn revert(&self, world: &World, _receipt: &Receipt) -> Result<()> {
        let Some(saved) = world.kube.get(&SECRET, &saved_name(&world.migration.name)).await? else { return Ok(()) };
        let text = decoded(&saved, FIELD).ok_or_else(|| {
            Error::new(Kind::RollbackIncomplete, format!("secret {} can't be read", saved_name(&world.migration.name)))
        })?;
        let old: Vec<Value> = serde_json::from_str(&text).context("read the kept connections")?;
        for (connection, set, now) in self.wanted(world).await? {
            let (kind, name) = kind(&connection.object);
            let Some(was) = old.iter().find(|o| o["kind"] == kind.kind && o["name"] == name) else { continue };
            let mut back = Map::new();
            for (key, ours) in &set {
                let (old, now) = (&was["data"][key], &now["data"][key]);
                if now == ours {
                    back.insert(key.clone(), old.clone());
                } else if now != old {
                    world.events.warn(format!(
                        "{} {name}: somebody has changed {key} meanwhile; left as it is",
                        kind.kind.to_lowercase()
                    ));
                }
            }
            if !back.is_empty() {
                world.kube.merge(kind, name, &json!({ "data": back })).await?;
            }
        }
        world.kube.delete(&SECRET, &saved_name(&world.migration.name)).await.map(drop)
    }
}

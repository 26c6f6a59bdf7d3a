//! What the two ends look like when all is over.
use super::{Bench, NAMESPACE, SOURCE, SOURCE_POD, TARGET, TARGET_POD};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::time::{Duration, Instant};
use tokio::process::Command;

impl Bench {
    /// As the superuser over the pod's own socket.
    pub async fn sql(&self, pod: &str, database: &str, sql: &str) -> Result<String, String> {
        let sandbox = self.lab.node.sandbox(NAMESPACE, pod).ok_or_else(|| format!("no pod {pod}"))?;
        let mut command = Command::new("psql");
        command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]);
        command.env_clear().envs(&sandbox.env).current_dir(&sandbox.dir).kill_on_drop(true);
        if let Some((uid, gid)) = sandbox.user {
            command.uid(uid).gid(gid);
        }
        let output = command.output().await.map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// In the application's database at the source.
    #[track_caller]
    pub fn at_source(&self, sql: &str) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move { self.sql(SOURCE_POD, "mastodon", sql).await.unwrap_or_else(|error| panic!("{caller}: {error}")) }
    }

    #[track_caller]
    pub fn at_target(&self, sql: &str) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move { self.sql(TARGET_POD, "mastodon", sql).await.unwrap_or_else(|error| panic!("{caller}: {error}")) }
    }

    fn host(&self) -> String {
        self.object("configmaps", "mastodon-database")["data"]["DB_HOST"].as_str().unwrap_or_default().to_owned()
    }

    pub fn password(&self, secret: &str, key: &str) -> String {
        let data = self.object("secrets", secret);
        let bytes = STANDARD.decode(data["data"][key].as_str().unwrap_or_default()).expect("base64");
        String::from_utf8(bytes).expect("text")
    }

    /// Every app has the size that it began with, and its CronJob is not suspended.
    #[track_caller]
    pub fn apps_are_up(&self) {
        for (name, size) in [("web", 2), ("streaming", 1), ("sidekiq-default", 1), ("sidekiq-scheduler", 1)] {
            let deployment = self.object("deployments.apps", &format!("mastodon-{name}"));
            assert_eq!(deployment["spec"]["replicas"], size, "{name}");
            assert_eq!(deployment["status"]["readyReplicas"], size, "{name}");
        }
        assert_eq!(self.object("cronjobs.batch", "mastodon-media-cleanup")["spec"]["suspend"], false);
    }

    /// The app lives on the source, which its operator looks after as ever; nothing is lost.
    pub async fn on_source(&self) {
        assert_eq!(self.host(), SOURCE);
        self.apps_are_up();
        let cluster = self.object("postgresqls.acid.zalan.do", SOURCE);
        assert!(cluster["metadata"]["annotations"]["acid.zalan.do/controller"].is_null(), "{cluster}");
        self.nothing_lost().await;
        assert_eq!(self.at_source("SELECT pg_is_in_recovery()").await, "f");
    }

    /// The app lives on the target; the source's server does not accept a write; nothing is lost.
    pub async fn on_target(&self) {
        assert!(self.host().starts_with(&format!("{TARGET}-")), "{}", self.host());
        self.apps_are_up();
        self.nothing_lost().await;
        assert_eq!(self.at_target("SELECT pg_is_in_recovery()").await, "f");
        let app = "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'lab-app'";
        assert_eq!(self.at_target(app).await, "t", "the app is connected to the target");
        if let Ok(connected) = self.sql(SOURCE_POD, "mastodon", app).await {
            assert_eq!(connected, "f", "no app is left on the source");
        }
    }

    /// Waits until the journal says that this step has begun.
    pub async fn begun(&self, step: &str) {
        let wanted = format!("\"{step}\"");
        let what = format!("the step {step} in the journal");
        let probe = |store: &pgmigrate::lab::api::store::Store| {
            let maps = store.list("configmaps", Some(NAMESPACE));
            let journal = maps
                .iter()
                .filter(|m| m["metadata"]["name"].as_str().is_some_and(|name| name.starts_with("pgmigrate-mastodon")));
            journal.into_iter().any(|map| {
                let data = map["data"].as_object().cloned().unwrap_or_default();
                data.values().any(|text| text.as_str().is_some_and(|text| text.contains(&wanted)))
            })
        };
        self.lab.until(&what, Duration::from_secs(60), probe).await.expect("begun");
    }
}

//! What the two ends look like when all is over.
use super::Bench;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::time::{Duration, Instant};

pub const SOURCE: &str = "mastodon-postgresql";
pub const TARGET: &str = "database-cnpg";
/// The leader's pod of a source with one member.
pub const SOURCE_POD: &str = "mastodon-postgresql-0";
pub const TARGET_POD: &str = "database-cnpg-1";

impl Bench {
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
        let (wanted, end) = (format!("\"{step}\""), Instant::now() + super::LIMIT);
        while !self.journal().contains(&wanted) {
            assert!(Instant::now() < end, "the step {step} never began");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

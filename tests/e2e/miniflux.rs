//! A real application: people use Miniflux before, during and after, through its HTTP API.
//! `PGMIGRATE_E2E_MINIFLUX` names its image (docs/real-cluster.md says how it is made); without it these are skipped.
use super::support::Bench;
use serde_json::json;
use std::time::Duration;

const SOURCE: &str = "miniflux-db";

#[tokio::test(flavor = "multi_thread")]
async fn moves_as_a_replica() {
    whole("replica").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moves_as_a_dump() {
    whole("dump").await;
}

/// The shipped example as it is, but for the namespace and the images that are here.
async fn whole(strategy: &str) {
    let Some(app) = Miniflux::up().await else { return };
    let bench = &app.0;
    let _ = bench.run("init miniflux --from miniflux").await.code(0);
    let file = bench.path().join("miniflux.yaml");
    let text = std::fs::read_to_string(&file).expect("written by init");
    let text = bench.at_home(&text, "miniflux").replace("strategy: replica", &format!("strategy: {strategy}"));
    std::fs::write(&file, text).expect("a file");
    let _ = bench.run("check miniflux").await.code(0);
    let _ = bench.run("prepare miniflux").await.code(0);
    let before = app.used(0).await;
    let _ = bench.run("cutover miniflux --accept-one-way miniflux").await.code(0).says("outage");
    let after = app.used(before.last).await;
    assert!(after.feeds > before.feeds, "a feed was subscribed to on the target");
    bench.measured(after.gap);
    let _ = bench.run("verify miniflux").await.code(0);
    let url = bench.password("miniflux", "DATABASE_URL");
    assert!(
        url.contains("@miniflux-cnpg-rw.") && url.ends_with(".svc:5432/miniflux?sslmode=require"),
        "where the app connects to"
    );
    let _ = bench.run("finalize miniflux --accept-one-way miniflux").await.code(0);
    let end = app.used(after.last).await;
    bench.passed(end.lost.len(), end.twice as usize);
}

struct Miniflux(Bench);

/// What the reader's book says against what Miniflux has.
#[derive(serde::Deserialize)]
struct Audit {
    lost: Vec<String>,
    twice: u32,
    categories: u32,
    feeds: u32,
    last: u64,
    #[serde(deserialize_with = "nanoseconds")]
    gap: Duration,
}

fn nanoseconds<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    serde::Deserialize::deserialize(value).map(Duration::from_nanos)
}

impl Miniflux {
    async fn up() -> Option<Miniflux> {
        let Ok(image) = std::env::var("PGMIGRATE_E2E_MINIFLUX") else {
            eprintln!("skipped: PGMIGRATE_E2E_MINIFLUX does not name Miniflux' image (docs/real-cluster.md)");
            return None;
        };
        let bench = Bench::empty().await?;
        bench.apply(include_str!("miniflux.yaml"));
        bench.zalando_runs(SOURCE).await;
        let password = bench.password(&format!("miniflux.{SOURCE}.credentials.postgresql.acid.zalan.do"), "password");
        let url = format!("postgres://miniflux:{password}@{SOURCE}:5432/miniflux?sslmode=require");
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "miniflux"},
            "stringData": {"DATABASE_URL": url, "ADMIN_PASSWORD": uuid::Uuid::new_v4().to_string()}});
        bench.apply(&secret.to_string());
        let reader = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "reader"},
            "data": {"reader.py": include_str!("reader.py")}});
        bench.apply(&reader.to_string());
        let apps = include_str!("miniflux-apps.yaml").replace("$MINIFLUX$", &image);
        bench.apply(&apps.replace("$IMAGE$", &bench.image(&format!("{SOURCE}-0"))));
        let app = Miniflux(bench);
        app.used(0).await;
        Some(app)
    }

    /// After another 100 categories and a feed: nothing that Miniflux acknowledged is gone or there twice.
    async fn used(&self, since: u64) -> Audit {
        let look = || {
            let words = ["exec", "deploy/reader", "--", "python3", "/app/reader.py", "audit", &since.to_string()];
            serde_json::from_str::<Audit>(&self.0.kubectl(&words, "").ok()?).ok()
        };
        let mut seen = None;
        self.0
            .until("Miniflux answers", || {
                seen = look();
                seen.is_some()
            })
            .await;
        let begun = seen.take().expect("seen");
        let more = |now: &Audit| now.categories >= begun.categories + 100 && now.feeds > begun.feeds;
        self.0
            .until("people use Miniflux", || {
                seen = look();
                seen.as_ref().is_some_and(more)
            })
            .await;
        let audit = seen.expect("seen");
        assert!(audit.lost.is_empty() && audit.twice == 0, "lost {:?}, twice {}", audit.lost, audit.twice);
        audit
    }
}

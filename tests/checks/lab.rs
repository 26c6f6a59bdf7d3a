//! What only a server can say: logins, surveys, roles of Patroni; and sources that cannot be migrated.
use super::{
    judged::{POSTGRESQLS, detach, judged},
    support::{Bench, SOURCE, SOURCE_POD, Setting, TARGET},
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_source_within_the_budget() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let run = bench.run("check mastodon -v -o json").await.code(0);
    let count = &run.json()["count"];
    assert_eq!((&count["fail"], &count["unknown"], &count["skipped"]), (&json!(0), &json!(0), &json!(0)), "{run}");
    // What the example, or the lab, leaves to be warned of passes in other scenarios.
    // An operator may be connected at this moment, which `clients` tells.
    let warned = ["collation-version", "page-checksums", "volume-growth", "source-backup", "clients"];
    let document = run.json();
    for finding in document["findings"].as_array().expect("findings") {
        let known = warned.iter().any(|id| finding["id"] == *id);
        assert!(finding["status"] == "pass" || known, "{finding}: {run}");
    }
    assert!(count["pass"].as_u64() > Some(60), "{run}");
    // `3.1 s, 38 API calls, 14 SQL statements`
    let said = run.stderr.lines().find(|line| line.contains("API calls")).unwrap_or_else(|| panic!("no cost: {run}"));
    let numbers: Vec<u32> = said.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!(matches!(numbers[..], [calls, sql] if calls <= 40 && sql <= 25), "{said}");
    let junit = bench.run("check mastodon -o junit --skip names").await.code(0);
    let _ = junit.says("<testcase classname=\"source\" name=\"source-found\">").says("name=\"target-name\"><skipped/>");
    let _ = bench.run("check mastodon --only source-heath").await.code(2).says("no check and no group");
    let _ = bench.run("plan mastodon -o junit").await.code(2).says("-o junit is for check");
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_servers_say() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    detach(&bench);
    let sound = ["unlogged-tables", "old-fence", "standby-login", "owner-login"].map(|id| (id, "pass", ""));
    judged(&bench, &sound).await;
    bench.at_source("CREATE UNLOGGED TABLE cache (id int)").await;
    bench.at_source("ALTER ROLE standby PASSWORD 'another'").await;
    bench.at_source("CREATE ROLE boss SUPERUSER LOGIN").await;
    bench.at_source("CREATE ROLE cnpg_pooler_pgbouncer").await;
    bench.at_source("SELECT pg_create_physical_replication_slot('somebody')").await;
    // For the apps' sessions to come; the ones that are there go on writing.
    bench.at_source("ALTER DATABASE mastodon SET default_transaction_read_only = on").await;
    let broken = [
        ("unlogged-tables", "fail", "mastodon: public.cache"),
        ("old-fence", "fail", "1 settings"),
        ("standby-login", "fail", "is refused"),
        ("superusers", "warn", "boss"),
        ("reserved-roles", "fail", "cnpg_pooler_pgbouncer"),
        ("foreign-slots", "warn", "somebody (physical, not in use"),
    ];
    judged(&bench, &broken).await;
    let reset = "ALTER DATABASE mastodon RESET default_transaction_read_only";
    bench.sql(SOURCE_POD, "postgres", reset).await.expect("reset");
    judged(&bench, &[("old-fence", "pass", ""), ("clients", "pass", "")]).await;
    // The app's deployment is left out of the file: its sessions are a stranger's.
    bench.files(&Setting::edited(&[("  - {workload: deployment/mastodon-web}\n", "")]));
    let broken = [
        ("clients", "fail", "deployment/mastodon-web (mastodon to mastodon)"),
        ("apps-complete", "fail", "deployment/mastodon-web"),
    ];
    judged(&bench, &broken).await;
    bench.lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_that_cannot_be_moved() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    // Two clusters, and the file means neither.
    let mut other = bench.object(POSTGRESQLS, SOURCE);
    other["metadata"] = json!({"name": "mastodon-other", "namespace": "mastodon"});
    other["spec"]["numberOfInstances"] = json!(0);
    bench.lab.put(POSTGRESQLS, other).expect("created");
    bench.files(&Setting::edited(&[("cluster: mastodon-postgresql", "cluster: mastodon-pg")]));
    let run = bench.run("check mastodon").await.code(3).says("no Zalando cluster mastodon-pg");
    let _ = run.says("mastodon-other, mastodon-postgresql").never_says("panicked");
    judged(&bench, &[("source-found", "fail", "no Zalando cluster mastodon-pg")]).await;
    bench.lab.store.delete(POSTGRESQLS, "mastodon", "mastodon-other").expect("deleted");

    bench.files(&Setting::edited(&[("cluster: database-cnpg", "cluster: mastodon-postgresql")]));
    let _ = bench.run("check mastodon").await.code(2).says("mastodon-postgresql");
    bench.files(&Setting::edited(&[("databases: [mastodon]", "databases: [mastodonn]")]));
    let _ = bench.run("check mastodon").await.code(3).says("no database mastodonn; it has mastodon");

    bench.files(&Setting::default());
    bench.change(POSTGRESQLS, SOURCE, |cluster| cluster["spec"]["standby"] = json!({"standby_host": "elsewhere"}));
    let _ = bench.run("check mastodon").await.code(3).says("is a standby cluster").says(".spec.standby");
    bench.change(POSTGRESQLS, SOURCE, |cluster| {
        cluster["spec"].as_object_mut().expect("a spec").remove("standby");
    });

    // Without its pod there is nobody who leads.
    detach(&bench);
    let gone = |store: &pgmigrate::lab::api::store::Store| {
        // A sync that was under way may have written once more.
        let scaled = store.update("statefulsets.apps", "mastodon", SOURCE, |set| set["spec"]["replicas"] = json!(0));
        scaled.expect("scaled");
        store.get("pods", "mastodon", SOURCE_POD).is_none()
    };
    bench.lab.until("the leader's pod is gone", std::time::Duration::from_secs(30), gone).await.expect("gone");
    let headless = bench.run("check mastodon").await.code(3).says("kubectl get pods");
    let _ = headless.says("unknown").never_says("panicked");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    assert!(bench.object("clusters.postgresql.cnpg.io", TARGET).is_null());
    bench.lab.stop().await;
}

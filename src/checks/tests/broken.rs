//! One thing broken a row.

use super::healthy::{certificate, client, consumer, of, turn};
use crate::{
    checks::{Looks, Status, permissions, rules},
    error::Error,
    facts::{apps::Workloads, cnpg::Operator, server::Transaction, survey::Slot},
    spec,
};
use serde_json::{Value, json};

use Status::{Fail, Unknown, Warn};

pub type Break = fn(&mut Looks);

fn refused(code: &str) -> Error {
    let said = crate::postgres::SqlError { code: code.into(), message: "refused".into(), detail: None, hint: None };
    Error::failed("cannot log in").cause(said)
}

/// Check, what it must say, and what is broken.
pub static BROKEN: &[(&str, Status, Break)] = &[
    ("permissions", Fail, |l| {
        l.permissions = Ok(vec![permissions::Missing { rule: &rules()[0], verb: "watch" }]);
    }),
    ("script", Fail, |l| {
        l.migration_mut().script =
            Some(spec::Script { name: "x.rhai".into(), text: "fn prefligt(m) {}".into(), digest: String::new() });
    }),
    ("source-found", Fail, |l| l.source = Err(Error::check("no Zalando cluster acid-shop").hint("look at it"))),
    ("source-found", Unknown, |l| l.source = Err(Error::failed("no answer"))),
    ("source-databases", Fail, |l| l.facts = Err(Error::check("the source has no database shopp").hint("look at it"))),
    ("source-databases", Fail, |l| l.facts_mut().databases.clear()),
    ("source-members", Fail, |l| l.source_mut().members[1].state = "start failed".into()),
    ("source-members", Fail, |l| l.source_mut().status = "UpdateFailed".into()),
    ("source-members", Fail, |l| l.source_mut().members[1].timeline = Some(2)),
    ("source-lag", Warn, |l| l.source_mut().members[1].lag = Some(1 << 30)),
    ("source-paused", Warn, |l| l.source_mut().paused = true),
    ("source-detached", Warn, |l| l.source_mut().detached = Some("pgmigrate".into())),
    ("source-restart-pending", Warn, |l| l.server_mut().pending_restart.push("max_connections".into())),
    ("source-checksums", Fail, |l| {
        l.server_mut().checksum_failures = of(json!([{"database": "shop", "failures": 2}]));
    }),
    ("long-transactions", Warn, |l| l.asked_mut().transactions.push(transaction("transaction", 3600.0))),
    ("prepared-transactions", Fail, |l| l.asked_mut().transactions.push(transaction("prepared", 1.0))),
    ("source-sql", Warn, |l| l.asked_mut().over_tls = false),
    ("source-tls", Fail, |l| l.set("ssl", "off")),
    ("source-certificate", Fail, |l| l.server_mut().certificate = Some(certificate(-3))),
    ("source-certificate", Warn, |l| l.server_mut().certificate = Some(certificate(5))),
    ("source-certificate", Unknown, |l| l.server_mut().certificate = Some("rubbish".into())),
    ("old-tls-clients", Fail, |l| l.server_mut().tls[0].version = Some("TLSv1.2".into())),
    ("wal-level", Fail, |l| l.set("wal_level", "minimal")),
    ("wal-senders", Fail, |l| l.set("max_wal_senders", "4")),
    ("replication-slots", Fail, |l| l.set("max_replication_slots", "2")),
    ("wal-retention", Fail, |l| l.schema_mut().wal_position = 10 << 30),
    ("wal-retention", Warn, |l| l.set("max_slot_wal_keep_size", "100")),
    ("standby-login", Fail, |l| l.standby = Err(refused("28P01"))),
    ("standby-login", Fail, |l| l.standby = Err(Error::check("secret standby.x is not there").hint("look at it"))),
    ("standby-login", Unknown, |l| l.standby = Err(Error::failed("no answer"))),
    ("replication-hba", Fail, |l| drop(l.server_mut().hba.remove(0))),
    ("replication-hba", Unknown, |l| l.server_mut().hba[0].address = Some("samenet".into())),
    ("foreign-slots", Warn, |l| {
        l.server_mut()
            .slots
            .extend(of::<Vec<Slot>>(json!([{"name": "debezium", "kind": "logical", "plugin": "pgoutput",
                "database": "shop", "active": true, "temporary": false}])));
    }),
    ("subscriptions", Warn, |l| l.server_mut().subscriptions = of(json!([{"name": "feed", "enabled": true}]))),
    ("passwords", Warn, |l| l.facts_mut().unknown_passwords.push("old".into())),
    ("owner-login", Fail, |l| l.owner = Err(refused("28P01"))),
    ("owner-login", Fail, |l| l.facts_mut().roles[2].login = false),
    ("app-superuser", Fail, |l| l.asked_mut().clients[0].user = Some("postgres".into())),
    ("app-superuser", Fail, |l| {
        l.consumers[0].mentions[0].object = "secret/postgres.acid-shop.credentials.postgresql.acid.zalan.do".into();
    }),
    ("superusers", Warn, |l| l.facts_mut().roles[2].superuser = true),
    ("reserved-roles", Fail, |l| l.facts_mut().roles[2].name = "cnpg_pooler_pgbouncer".into()),
    ("preloaded-by-setting", Fail, |l| {
        l.server_mut().overrides =
            of(json!([{"database": null, "role": "app", "setting": "session_preload_libraries=auto_explain"}]));
    }),
    ("extensions", Fail, |l| l.schema_mut().extensions[0].name = "postgis".into()),
    ("extensions", Warn, |l| {
        l.schema_mut().extensions[0].name = "postgis".into();
        l.migration_mut().target.image = Some("mine/postgis:17".into());
    }),
    ("spilo-dependants", Fail, |l| l.schema_mut().spilo_dependants.push("public.top needs pg_stat_kcache".into())),
    ("cron-jobs", Warn, |l| l.asked_mut().cron_jobs = 2),
    ("cnpg-operator", Fail, |l| l.facts_mut().operator = Operator::Absent),
    ("cnpg-operator", Fail, |l| {
        l.facts_mut().operator = Operator::NotReady { namespace: "cnpg-system".into(), why: "no ready pod".into() };
    }),
    ("cnpg-version", Fail, |l| {
        l.facts_mut().operator =
            Operator::Ready { namespace: "x".into(), image: "x/cloudnative-pg:1.28.1".into(), watches: None };
    }),
    ("postgres-version", Fail, |l| l.migration_mut().target.image = Some("mine/pg:16".into())),
    ("postgres-version", Fail, |l| l.facts_mut().settings.version_num = 130010),
    ("postgres-version", Warn, |l| l.migration_mut().target.image = Some("mine/pg@sha256:00".into())),
    ("locale", Fail, |l| {
        l.migration_mut().target.image = Some("ghcr.io/cloudnative-pg/postgresql:17-minimal-bookworm".into());
    }),
    ("collation-version", Warn, |l| l.inside.as_mut().expect("healthy").glibc = "2.35".into()),
    ("collation-version", Fail, |l| l.inside.as_mut().expect("healthy").glibc = "2.27".into()),
    ("collation-damage", Warn, |l| l.server_mut().collations[0].recorded = Some("2.27".into())),
    ("page-checksums", Warn, |l| l.facts_mut().settings.data_checksums = false),
    ("unlogged-tables", Fail, |l| l.schema_mut().unlogged.push("public.sessions".into())),
    ("tablespaces", Fail, |l| l.server_mut().tablespaces.push("fast".into())),
    ("invalid-indexes", Warn, |l| l.schema_mut().invalid_indexes = of(json!([{"name": "public.i", "unique": true}]))),
    ("event-triggers", Warn, |l| {
        l.schema_mut().event_triggers = of(json!([{"name": "guard", "owner": "postgres", "event": "sql_drop"}]));
    }),
    ("foreign-servers", Warn, |l| {
        l.schema_mut().foreign_servers = of(json!([{"name": "erp", "wrapper": "postgres_fdw"}]))
    }),
    ("foreign-servers", Fail, |l| l.schema_mut().foreign_servers = of(json!([{"name": "log", "wrapper": "file_fdw"}]))),
    ("target-storage", Fail, |l| l.migration_mut().target.storage = Some("2Gi".into())),
    ("source-disk", Warn, |l| l.inside.as_mut().expect("healthy").free = 900 << 20),
    ("source-disk", Fail, |l| l.inside.as_mut().expect("healthy").free = 100 << 20),
    ("storage-class", Fail, |l| l.classes = Ok(Vec::new())),
    ("storage-class", Fail, |l| l.template_is(json!({"storage": {"size": "10Gi", "storageClass": "slow"}}))),
    ("storage-class", Fail, |l| {
        l.ground.capacities = Ok(vec![
            json!({"storageClassName": "fast", "capacity": "9Gi"}),
            json!({"storageClassName": "slow", "capacity": "1Ti"}),
        ]);
    }),
    ("volume-growth", Warn, |l| l.classes.as_mut().expect("healthy")[0]["allowVolumeExpansion"] = json!(false)),
    ("volume-growth", Fail, |l| l.classes = Ok(Vec::new())),
    ("source-failovers", Warn, |l| l.history.as_mut().expect("healthy").push(turn(5))),
    ("settings-by-hand", Warn, |l| {
        l.server_mut().sources.insert("work_mem".into(), "postgresql.auto.conf".into());
    }),
    ("settings-files", Fail, |l| {
        l.server_mut().file_errors = of(
            json!([{"file": "postgresql.conf", "line": 7, "name": "wokr_mem", "error": "unrecognized configuration parameter"}]),
        );
    }),
    ("operator-configuration", Fail, |l| {
        let template = "{namespace}.{username}.{cluster}".to_string();
        l.configuration_mut().settings.insert("secret_name_template".into(), template);
    }),
    ("operator-configuration", Warn, |l| {
        l.configuration_mut().settings.insert("watched_namespace".into(), "blog,stock".into());
    }),
    ("operator-configuration", Warn, |l| {
        l.configuration_mut().settings.insert("enable_password_rotation".into(), "true".into());
    }),
    ("operator-configuration", Warn, |l| {
        l.configuration_mut().settings.insert("pod_role_label".into(), "role".into());
    }),
    ("operator-configuration", Warn, |l| l.ground.zalando = Ok(None)),
    ("cnpg-watches", Fail, |l| watches(l, Some(vec!["blog".into()]))),
    ("cnpg-watches", Warn, |l| watches(l, None)),
    ("cnpg-watches", Warn, |l| l.facts_mut().operator = Operator::Absent),
    ("cnpg-fields", Fail, |l| l.ground.cluster = Ok(None)),
    ("cnpg-fields", Fail, |l| without(l, ".spec.smartShutdownTimeout")),
    ("cnpg-fields", Fail, |l| without(l, ".spec.plugins.isWALArchiver")),
    ("cnpg-fields", Fail, |l| {
        l.dump();
        without(l, ".spec.bootstrap.initdb.import.pgRestoreDataOptions");
    }),
    ("pod-security", Fail, |l| enforced(l, "restricted")),
    ("pod-security", Fail, |l| {
        let container = json!({"name": "postgres", "securityContext": {"privileged": true}});
        l.pods = Ok(vec![json!({"metadata": {"name": "acid-shop-0"}, "spec": {"containers": [container]}})]);
    }),
    ("pod-security", Fail, |l| l.template_is(json!({"seccompProfile": {"type": "Unconfined"}}))),
    ("volatile-views", Warn, |l| {
        l.dump();
        l.schema_mut().volatile_views.push("public.today".into());
    }),
    ("archiving", Warn, |l| l.server_mut().archiver.waiting = 100),
    ("source-backup", Warn, |l| l.inside.as_mut().expect("healthy").last_backup = Some("2020-01-01T00:00:00Z".into())),
    ("target-follows", Fail, |l| {
        l.prepared = true;
        l.server_mut().senders.truncate(1);
    }),
    ("target-follows", Warn, |l| {
        l.prepared = true;
        l.server_mut().senders[1].lag = Some(1 << 30);
    }),
    ("import-hba", Fail, |l| {
        l.dump();
        l.server_mut().hba[2].method = Some("reject".into());
    }),
    ("large-objects", Warn, |l| {
        l.dump();
        l.schema_mut().large_objects = 1_000_000;
    }),
    ("not-valid-constraints", Warn, |l| {
        l.dump();
        l.schema_mut().not_valid.push("public.orders total_check".into());
    }),
    ("invalid-indexes", Fail, |l| {
        l.dump();
        l.schema_mut().invalid_indexes = of(json!([{"name": "public.i", "unique": true}]));
    }),
    ("target-storage", Fail, |l| {
        l.dump();
        l.migration_mut().target.storage = Some("2Gi".into());
    }),
    ("max-connections", Fail, |l| {
        l.dump();
        l.facts_mut().settings.connections = 300;
    }),
    ("max-connections", Warn, |l| {
        l.dump();
        l.facts_mut().settings.max_connections = 300;
    }),
    ("resource-quota", Fail, |l| l.quotas = Ok(vec![quota(json!({"requests.storage": "5Gi"}))])),
    ("resource-quota", Fail, |l| l.quotas = Ok(vec![quota(json!({"persistentvolumeclaims": "0"}))])),
    ("resource-quota", Fail, |l| l.quotas = Ok(vec![quota(json!({"limits.memory": "8Gi"}))])),
    ("limit-range", Fail, |l| {
        l.limits =
            Ok(vec![json!({"spec": {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "5Gi"}}]}})]);
    }),
    ("network-policies", Fail, |l| {
        l.policies =
            Ok(vec![json!({"metadata": {"name": "deny"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}})]);
    }),
    ("apps-exist", Fail, |l| l.workloads = Ok(Workloads::default())),
    ("apps-complete", Fail, |l| l.consumers.push(consumer("forgotten"))),
    ("autoscalers", Fail, |l| {
        let target = json!({"kind": "Deployment", "name": "web"});
        let labels = json!({"scaledobject.keda.sh/name": "web"});
        let hpa = json!({"metadata": {"name": "keda-hpa-web", "labels": labels}, "spec": {"scaleTargetRef": target}});
        l.workloads.as_mut().expect("healthy").autoscalers = vec![hpa];
    }),
    ("gitops", Warn, |l| {
        let web = &mut l.workloads.as_mut().expect("healthy").deployments[0];
        web["metadata"]["annotations"] = json!({"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"});
    }),
    ("gitops", Warn, |l| {
        let labels =
            json!({"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"});
        l.connections = vec![Ok(Some(json!({"metadata": {"name": "db", "labels": labels}, "data": {"HOST": "eA=="}})))];
    }),
    ("generated-objects", Fail, |l| {
        let owners = json!([{"kind": "ExternalSecret", "name": "db"}]);
        l.connections =
            vec![Ok(Some(json!({"metadata": {"name": "db", "ownerReferences": owners}, "data": {"HOST": "eA=="}})))];
    }),
    ("connections", Fail, |l| l.connections = vec![Ok(None)]),
    ("connections", Fail, |l| l.connections = vec![Ok(Some(json!({"data": {}})))]),
    ("connections-complete", Fail, |l| l.consumers[0].mentions[0].key = "READER".into()),
    ("connections-complete", Fail, |l| l.consumers[0].mentions[0].object = "env".into()),
    ("connections-complete", Warn, |l| {
        l.consumers[0].mentions[0].object = "secret/shop-owner.acid-shop.credentials.postgresql.acid.zalan.do".into();
    }),
    ("clients", Fail, |l| l.asked_mut().clients.push(client("10.1.0.10", Some("debug"), None))),
    ("clients", Warn, |l| l.asked_mut().clients.push(client("10.9.9.9", None, None))),
    ("archiving", Fail, |l| l.server_mut().archiver.failing = true),
    ("source-backup", Warn, |l| l.set("archive_command", "/bin/true")),
    ("object-store", Fail, |l| l.store = Some(Ok(None))),
    ("old-volumes", Fail, |l| {
        l.claims = Ok(vec![json!({"metadata": {"name": "shop-cnpg-1", "labels": {"cnpg.io/cluster": "shop-cnpg"}}})]);
    }),
    ("old-fence", Fail, |l| {
        l.server_mut().overrides =
            of(json!([{"database": "shop", "role": null, "setting": "default_transaction_read_only=on"}]));
    }),
    ("old-roles", Warn, |l| l.facts_mut().roles[2].name = "pgmigrate_shop".into()),
    ("target-name", Fail, |l| {
        l.pods = Ok(vec![json!({"metadata": {"name": "shop-cnpg-1"}})]);
    }),
];

fn watches(looks: &mut Looks, watches: Option<Vec<String>>) {
    let image = "ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0".to_string();
    looks.facts_mut().operator = Operator::Ready { namespace: "cnpg-system".into(), image, watches };
}

fn without(looks: &mut Looks, field: &str) {
    let fields = looks.ground.cluster.as_mut().expect("healthy").as_mut().expect("healthy");
    assert!(fields.0.remove(field), "{field}");
}

fn enforced(looks: &mut Looks, level: &str) {
    let labels = looks.ground.labels.as_mut().expect("healthy");
    labels.insert("pod-security.kubernetes.io/enforce".into(), level.into());
}

fn transaction(kind: &str, seconds: f64) -> Transaction {
    of(json!({"kind": kind, "id": "7", "user": "u", "database": "shop", "application": "", "seconds": seconds}))
}

fn quota(hard: Value) -> Value {
    json!({"metadata": {"name": "small"}, "spec": {"hard": hard}})
}

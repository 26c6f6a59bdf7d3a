//! A healthy world, as the real cluster showed it.

use crate::{
    checks::{
        Looks,
        look::{self, Own},
    },
    facts::{
        Facts,
        apps::{Consumer, Mention, Workloads},
        ground::{Configuration, Fields},
        history::Turn,
        member::Inside,
        server::Client,
        survey::{Schema, Server},
        zalando::{Member, Source},
    },
    spec::{self, Strategy},
};
use serde_json::{Value, from_value, json};
use std::sync::Arc;

pub fn of<T: serde::de::DeserializeOwned>(value: Value) -> T {
    from_value(value).expect("the shape of the type")
}

pub fn certificate(days: i64) -> String {
    let mut params = rcgen::CertificateParams::new(vec!["db".to_string()]).expect("a name");
    let key = rcgen::KeyPair::generate().expect("a key");
    // rcgen speaks in calendar days; the hour does not matter here.
    let end = jiff::Zoned::now().checked_add(jiff::Span::new().days(days)).expect("a date");
    params.not_after = rcgen::date_time_ymd(end.year().into(), end.month() as u8, end.day() as u8);
    params.self_signed(&key).expect("a certificate").pem()
}

fn source() -> Source {
    let member = |pod: &str, role: &str, state: &str, lag: Option<u64>| Member {
        pod: pod.into(),
        ip: "10.1.0.5".into(),
        role: role.into(),
        state: state.into(),
        timeline: Some(3),
        lag,
    };
    of::<Source>(json!({
        "cluster": "acid-shop", "namespace": "shop", "leader": "acid-shop-0",
        "members": [member("acid-shop-0", "leader", "running", None), member("acid-shop-1", "replica", "streaming", Some(0))],
        "timeline": 3, "system_identifier": "7", "version_num": 170006, "service_host": "acid-shop.shop.svc",
        "paused": false, "detached": null, "status": "Running", "wal_level": "replica", "volume_size": "10Gi",
        "labels": {"application": "spilo", "cluster-name": "acid-shop"},
    }))
}

fn facts() -> Facts {
    let role = |name: &str| {
        json!({"name": name, "superuser": name == "postgres", "inherit": true, "createrole": false,
        "createdb": false, "login": true, "replication": name == "standby", "bypassrls": false, "connection_limit": -1,
        "verifier": "scram"})
    };
    of::<Facts>(json!({
        "source": source(), "target": null,
        "operator": {"state": "ready", "namespace": "cnpg-system", "image": "ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0", "watches": []},
        "databases": [{"name": "shop", "owner": "shop_owner", "encoding": "UTF8", "collate": "en_US.UTF-8",
            "ctype": "en_US.UTF-8", "connection_limit": -1, "size": 1u64 << 30}],
        "roles": [role("postgres"), role("standby"), role("shop_owner")],
        "settings": {"version_num": 170006, "wal_level": "replica", "data_checksums": true, "max_connections": 100,
            "password_encryption": "scram-sha-256", "archiving": true, "connections": 12},
        "extensions": ["plpgsql", "pg_trgm"], "standby_minimum": {}, "unknown_passwords": [],
    }))
}

fn server() -> Server {
    let hba = |line: i64, kind: &str, database: &str, user: &str, method: &str| {
        json!({"type": kind, "databases": [database], "users": [user], "address": "all", "netmask": null, "method": method,
            "line": line, "error": null})
    };
    of(json!({
        "sources": {"work_mem": "postgresql.conf", "primary_conninfo": "postgresql.auto.conf"}, "file_errors": [],
        "settings": {"ssl": "on", "wal_level": "replica", "max_wal_senders": "10", "max_replication_slots": "10",
            "max_slot_wal_keep_size": "-1", "archive_mode": "on", "archive_command": "wal-g wal-push %p"},
        "pending_restart": [], "certificate": certificate(300),
        "hba": [hba(1, "hostssl", "replication", "standby", "md5"), hba(2, "hostnossl", "all", "all", "reject"),
            hba(3, "hostssl", "all", "all", "md5")],
        "senders": [{"name": "acid-shop-1", "state": "streaming", "lag": 0},
            {"name": "pgmigrate-shop-cnpg", "state": "streaming", "lag": 0}],
        "slots": [{"name": "acid_shop_1", "kind": "physical", "plugin": null, "database": null, "active": true, "temporary": false}],
        "tablespaces": [], "archiver": {"archived": 40, "failed": 0, "failing": false, "last_failed": null, "age_seconds": 120.0, "waiting": 0},
        "checksum_failures": [], "collations": [{"name": "shop", "provider": "c", "recorded": "2.36"}], "overrides": [],
        "tls": [{"user": "shop_owner", "address": "10.1.0.9", "version": "TLSv1.3"}], "memberships": [], "subscriptions": [],
        "wal_position": 1000, "clock": 100.0,
    }))
}

fn schema() -> Schema {
    Schema {
        database: "shop".into(),
        extensions: of(json!([{"name": "plpgsql", "version": "1.0"}, {"name": "set_user", "version": "4.1"}])),
        wal_position: 2000,
        clock: 101.0,
        ..Schema::default()
    }
}

/// A promotion, so many hours ago.
pub fn turn(hours: i64) -> Turn {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours);
    Turn { timeline: 2, reason: "x".into(), at: Some(at.to_string()), leader: Some("acid-shop-0".into()) }
}

fn ground() -> look::Ground {
    let configuration = Configuration {
        object: "operatorconfiguration/zalando in ops".into(),
        settings: of(json!({"watched_namespace": "*", "pod_role_label": "spilo-role",
            "secret_name_template": "{username}.{cluster}.credentials.{tprkind}.{tprgroup}"})),
    };
    let import = ["schemaOnly", "pgDumpExtraOptions", "pgRestoreDataOptions", "pgRestorePostdataOptions"];
    let import = import.map(|field| format!(".spec.bootstrap.initdb.import.{field}"));
    let replica = ["smartShutdownTimeout", "replica.enabled", "bootstrap.pg_basebackup.secret", "externalClusters"];
    let fields = replica.iter().chain(&["plugins.isWALArchiver"]).map(|field| format!(".spec.{field}"));
    look::Ground {
        labels: Ok(of(json!({"pod-security.kubernetes.io/enforce": "baseline"}))),
        zalando: Ok(Some(configuration)),
        cluster: Ok(Some(Fields(fields.chain(import).collect()))),
        capacities: Ok(Vec::new()),
    }
}

const FILE: &str = "
apiVersion: pgmigrate.dev/v1alpha1
kind: Migration
metadata: {name: shop, namespace: shop}
spec:
  strategy: replica
  source: {zalando: {cluster: acid-shop}}
  target: {cnpg: {cluster: shop-cnpg, image: 'ghcr.io/cloudnative-pg/postgresql:17-standard-bookworm', backup: {objectStore: store}}}
  databases: [shop]
  apps: [{workload: deployment/web}]
  connections: [{secret: db, set: {HOST: '${target.host}'}}]
";

pub fn workload(name: &str) -> Value {
    let template = json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": name}]}});
    json!({"metadata": {"name": name}, "spec": {"replicas": 1, "template": template}})
}

pub fn consumer(name: &str) -> Consumer {
    let target: spec::Workload = format!("deployment/{name}").parse().expect("a workload");
    let mention = Mention { object: "secret/db".into(), key: "HOST".into(), pooler: false };
    Consumer { workload: target.to_string(), target, replicas: 1, mentions: vec![mention] }
}

pub fn client(address: &str, pod: Option<&str>, workload: Option<&str>) -> Client {
    of(
        json!({"pid": 1, "user": "shop_owner", "database": "shop", "application": "web", "address": address, "state": "idle",
        "connected_seconds": 1.0, "pod": pod, "workload": workload}),
    )
}

fn migration() -> spec::Migration {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.yaml");
    std::fs::write(&path, FILE).expect("a file");
    spec::find(None, Some(&path), None).expect("a sound file")
}

/// A migration of a healthy cluster, before prepare.
pub fn healthy() -> Looks {
    Looks {
        migration: Arc::new(migration()),
        begun: false,
        own: Own::default(),
        prepared: false,
        permissions: Ok(Vec::new()),
        source: Ok(source()),
        facts: Ok(facts()),
        sql: Ok(look::Asked {
            over_tls: true,
            server: server(),
            schemas: vec![schema()],
            clients: vec![client("10.1.0.9", Some("web-1"), Some("deployment/web")), client("127.0.0.1", None, None)],
            transactions: Vec::new(),
            cron_jobs: 0,
        }),
        inside: Ok(Inside {
            architecture: "x86_64".into(),
            glibc: "2.36".into(),
            disk: 20 << 30,
            free: 15 << 30,
            data: 2 << 30,
            last_backup: None,
        }),
        history: Ok(vec![turn(100)]),
        standby: Ok(()),
        owner: Ok(()),
        workloads: Ok(Workloads { deployments: vec![workload("web")], ..Workloads::default() }),
        consumers: vec![consumer("web")],
        pods: Ok(Vec::new()),
        services: Ok(Vec::new()),
        claims: Ok(Vec::new()),
        jobs: Ok(Vec::new()),
        quotas: Ok(Vec::new()),
        limits: Ok(Vec::new()),
        policies: Ok(Vec::new()),
        classes: Ok(vec![
            json!({"metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
                "allowVolumeExpansion": true}),
        ]),
        ground: ground(),
        store: Some(Ok(Some(json!({})))),
        connections: vec![Ok(Some(json!({"metadata": {"name": "db"}, "data": {"HOST": "eA=="}})))],
        contents: None,
    }
}

impl Looks {
    pub fn migration_mut(&mut self) -> &mut spec::Migration {
        Arc::make_mut(&mut self.migration)
    }
    pub fn facts_mut(&mut self) -> &mut Facts {
        self.facts.as_mut().expect("healthy")
    }
    pub fn source_mut(&mut self) -> &mut Source {
        self.source.as_mut().expect("healthy")
    }
    pub fn asked_mut(&mut self) -> &mut look::Asked {
        self.sql.as_mut().expect("healthy")
    }
    pub fn server_mut(&mut self) -> &mut Server {
        &mut self.asked_mut().server
    }
    pub fn schema_mut(&mut self) -> &mut Schema {
        &mut self.asked_mut().schemas[0]
    }
    pub fn configuration_mut(&mut self) -> &mut Configuration {
        self.ground.zalando.as_mut().expect("healthy").as_mut().expect("healthy")
    }
    pub fn set(&mut self, setting: &str, value: &str) {
        self.server_mut().settings.insert(setting.into(), value.into());
    }
    pub fn dump(&mut self) {
        self.migration_mut().strategy = Strategy::Dump;
    }
    pub fn template_is(&mut self, spec: Value) {
        self.migration_mut().target.template = Some(json!({ "spec": spec }));
    }
}

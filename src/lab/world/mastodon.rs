//! The example that everything is tried on: Mastodon on a Zalando cluster.
use super::Lab;
use crate::{
    error::{Context, Error, Result},
    lab::{api::store::Store, app::connect::Connect, workloads::environment},
};
use serde_json::{Value, json};
use std::time::Duration;

const NAMESPACE: &str = "mastodon";
const CLUSTER: &str = "mastodon-postgresql";
const CREDENTIALS: &str = "mastodon.mastodon-postgresql.credentials.postgresql.acid.zalan.do";

/// Deployment, replicas, table that it writes to.
const APPS: [(&str, u32, Option<&str>); 6] = [
    ("mastodon-web", 2, Some("statuses")),
    ("mastodon-streaming", 1, None),
    ("mastodon-sidekiq-default", 1, Some("statuses")),
    ("mastodon-sidekiq-federation", 1, None),
    ("mastodon-sidekiq-background", 1, None),
    ("mastodon-sidekiq-scheduler", 1, None),
];

/// How big, and on what.
#[derive(Debug, Clone, Copy)]
pub struct Mastodon {
    /// Rows of `statuses`; the other tables follow.
    pub statuses: u32,
    /// Members of the Zalando cluster: 1 or 2.
    pub members: u32,
    /// PostgreSQL's major version; it must be installed here.
    pub version: u32,
}

impl Default for Mastodon {
    fn default() -> Mastodon {
        Mastodon { statuses: 2000, members: 1, version: 15 }
    }
}

impl Lab {
    /// Creates the objects of the example, loads the data and starts the apps; returns when every app is ready.
    pub async fn scenario_mastodon(&self, size: Mastodon) -> Result<()> {
        self.namespace(NAMESPACE)?;
        self.put("postgresqls.acid.zalan.do", cluster(size))?;
        let leader = [("cluster-name", CLUSTER), ("spilo-role", "master")];
        self.until("the Zalando cluster has a leader", Duration::from_secs(120), |store| {
            let ready =
                store.list_labelled("pods", NAMESPACE, &leader).iter().any(|pod| crate::lab::node::is_ready(pod));
            ready && store.get("secrets", NAMESPACE, CREDENTIALS).is_some()
        })
        .await?;
        self.put(
            "configmaps",
            plain("ConfigMap", "mastodon-database", json!({"DB_HOST": CLUSTER, "DB_PORT": "5432"})),
        )?;
        let credentials = self.store.get("secrets", NAMESPACE, CREDENTIALS).unwrap_or_default();
        let login = json!({"DB_USER": credentials["data"]["username"], "DB_PASS": credentials["data"]["password"]});
        self.put("secrets", plain("Secret", "mastodon-db-url", login))?;
        self.load(size.statuses).await?;
        for (name, replicas, writes) in APPS {
            self.put("deployments.apps", deployment(name, replicas, writes))?;
        }
        self.put("horizontalpodautoscalers.autoscaling", autoscaler())?;
        self.put("cronjobs.batch", cron_job())?;
        self.until("every app is ready", Duration::from_secs(60), |store| APPS.iter().all(|app| is_up(store, app)))
            .await
    }

    /// As the role mastodon, through the Service, as an application's own migration would.
    async fn load(&self, statuses: u32) -> Result<()> {
        let pod = json!({"metadata": {"namespace": NAMESPACE}});
        let variables = environment::resolve(&self.store, &pod, &container(None), "").map_err(Error::failed)?;
        let connect = Connect::from_variables(&variables);
        let client = super::patiently(Duration::from_secs(60), || connect.open(&self.node, NAMESPACE, None)).await;
        let client = client.with_context(|| format!("cannot connect to {connect}"))?;
        // The app's own limit of five seconds is not for loading.
        let sql = include_str!("mastodon.sql").replace("$ROWS$", &statuses.to_string());
        let loaded = client.batch_execute(&format!("SET statement_timeout = 0; BEGIN; {sql} COMMIT")).await;
        loaded.map_err(|error| Error::failed(crate::lab::app::connect::explain(&error))).context("cannot load the data")
    }
}

fn is_up(store: &Store, (name, replicas, _): &(&str, u32, Option<&str>)) -> bool {
    let deployment = store.get("deployments.apps", NAMESPACE, name).unwrap_or_default();
    deployment["status"]["readyReplicas"].as_u64() == Some(u64::from(*replicas))
}

fn plain(kind: &str, name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, "data": data})
}

fn cluster(size: Mastodon) -> Value {
    json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {"name": CLUSTER, "namespace": NAMESPACE, "labels": {"team": "mastodon"}},
        "spec": {
            "teamId": "mastodon", "numberOfInstances": size.members, "volume": {"size": "1Gi"},
            "users": {"mastodon": ["createdb"]}, "databases": {"mastodon": "mastodon"},
            "postgresql": {"version": size.version.to_string()},
        },
    })
}

fn container(writes: Option<&str>) -> Value {
    let secret =
        |key: &str| json!({"name": key, "valueFrom": {"secretKeyRef": {"name": "mastodon-db-url", "key": key}}});
    let config =
        |key: &str| json!({"name": key, "valueFrom": {"configMapKeyRef": {"name": "mastodon-database", "key": key}}});
    let mut env = vec![secret("DB_USER"), secret("DB_PASS"), config("DB_HOST"), config("DB_PORT")];
    env.push(json!({"name": "DB_NAME", "value": "mastodon"}));
    if let Some(table) = writes {
        env.push(json!({"name": "LAB_WRITE", "value": table}));
    }
    json!({"name": "mastodon", "image": "lab/app", "env": env})
}

fn deployment(name: &str, replicas: u32, writes: Option<&str>) -> Value {
    let labels = json!({"app.kubernetes.io/name": "mastodon", "app.kubernetes.io/component": name.trim_start_matches("mastodon-")});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container(writes)], "terminationGracePeriodSeconds": 20},
            },
        },
    })
}

fn autoscaler() -> Value {
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "mastodon-web", "namespace": NAMESPACE},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "mastodon-web"},
            "minReplicas": 2, "maxReplicas": 4,
        },
    })
}

fn cron_job() -> Value {
    let run = json!({"name": "tootctl", "image": "lab/command", "command": ["sh", "-c", "echo removing old media from $DB_HOST"]});
    let mut run = run;
    run["env"] = container(None)["env"].clone();
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "mastodon-media-cleanup", "namespace": NAMESPACE},
        "spec": {
            "schedule": "*/5 * * * *", "concurrencyPolicy": "Forbid", "suspend": false,
            "jobTemplate": {"spec": {"backoffLimit": 2, "template": {"spec": {"containers": [run], "restartPolicy": "Never"}}}},
        },
    })
}

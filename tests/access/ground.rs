//! A small lab: the API, a namespace, and when wanted one pod with a real PostgreSQL server in it.
use pgmigrate::{
    kube::{Kube, flags::Flags},
    lab::{
        api::{
            server::{ADMIN, Server},
            store::Store,
        },
        faults::Faults,
        node::{Node, Sandbox},
        servers,
        world::ground,
    },
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};

pub const NAMESPACE: &str = "shop";
pub const POD: &str = "db-0";
pub const PASSWORD: &str = "it's \\ a secret";

pub struct Lab {
    pub store: Store,
    pub node: Node,
    pub faults: Arc<Faults>,
    pub server: Server,
    ground: ground::Ground,
    /// PEM of the PostgreSQL server's certificate.
    pub certificate: String,
    postgres: Option<servers::Server>,
}

impl Lab {
    pub async fn start() -> Lab {
        let ground = ground::claim().expect("a subnet");
        let store = Store::new();
        let node = Node::new(store.clone(), ground.dir.clone(), ground.subnet);
        let faults = Faults::new(node.clone());
        let server = Server::start(store.clone(), node.clone(), faults.clone(), 0).await.expect("the API");
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        store.create("namespaces", namespace).expect("the namespace");
        Lab { store, node, faults, server, ground, certificate: String::new(), postgres: None }
    }

    /// The pod runs; nothing listens in it yet.
    pub fn pod(&self) -> Sandbox {
        let dir = self.node.pod_dir(NAMESPACE, POD);
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD, "namespace": NAMESPACE},
            "spec": {"containers": [{"name": "postgres", "image": "lab/postgres"}]},
            "status": {"phase": "Running"},
        });
        self.store.create("pods", pod).expect("the pod");
        let sandbox = Sandbox {
            ip: self.node.allocate_ip(),
            dir,
            env: BTreeMap::new(),
            logs: BTreeMap::new(),
            user: self.node.postgres_user(),
        };
        self.node.attach(NAMESPACE, POD, sandbox.clone());
        sandbox
    }

    /// None without PostgreSQL on this machine. Role `app` logs in with a password over TLS only.
    pub async fn with_postgres() -> Option<Lab> {
        let install = servers::installs().into_iter().next()?;
        let mut lab = Lab::start().await;
        let sandbox = lab.pod();
        let at = |name: &str| sandbox.dir.join(name);
        let user = sandbox.user;
        let (certificate, key) = servers::certificate(&["db-rw".to_string()]);
        let server = servers::Server {
            install,
            data: at("pgdata"),
            ip: sandbox.ip,
            port: 5432,
            socket: sandbox.dir.clone(),
            log: at("log"),
            user,
        };
        server.initdb(&[]).await.expect("initdb");
        let hba = "local all all trust\nhostssl all app 0.0.0.0/0 scram-sha-256\n";
        for (name, text) in [("tls.crt", certificate.as_str()), ("tls.key", &key), ("hba.conf", hba)] {
            servers::write_file(&at(name), text, user).expect("a file");
        }
        let paths = ["tls.crt", "tls.key", "hba.conf"].map(|name| at(name).display().to_string());
        let options = [
            ("ssl", "on"),
            ("ssl_cert_file", &paths[0]),
            ("ssl_key_file", &paths[1]),
            ("hba_file", &paths[2]),
            ("password_encryption", "scram-sha-256"),
        ];
        server.start(&options).await.expect("the server starts");
        let role = format!("CREATE ROLE app LOGIN PASSWORD {}", pgmigrate::postgres::Literal::new(PASSWORD));
        server.sql("postgres", &role).await.expect("the role");
        let sandbox = Sandbox { env: server.environment(), ..sandbox };
        lab.node.attach(NAMESPACE, POD, sandbox);
        lab.postgres = Some(server);
        lab.certificate = certificate;
        Some(lab)
    }

    pub async fn kube(&self) -> Kube {
        self.kube_as(ADMIN, Flags::default()).await
    }

    pub async fn kube_as(&self, user: &str, flags: Flags) -> Kube {
        let path = self.ground.dir.join(format!("kubeconfig-{user}"));
        std::fs::write(&path, self.server.kubeconfig(user, NAMESPACE)).expect("a kubeconfig");
        Kube::connect(&Flags { kubeconfig: Some(path), ..flags }).await.expect("a client")
    }

    pub fn dir(&self) -> &std::path::Path {
        &self.ground.dir
    }

    pub fn postgres(&self) -> &servers::Server {
        self.postgres.as_ref().expect("a lab with PostgreSQL")
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.node.stop();
        ground::clear(&self.ground.dir).ok();
    }
}

//! Real PostgreSQL servers for tests that compare two of them.
#![allow(dead_code)]

use pgmigrate::{
    lab::servers::{self, Install, Server},
    postgres::{Db, wire},
};
use secrecy::SecretString;
use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

const HBA: &str = "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 md5\n";

/// A server of its own, with TLS, that ends with the test.
pub struct Running(pub Server);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(pid) = self.0.pid() {
            // SIGQUIT: immediate shutdown; the data goes with its directory.
            std::process::Command::new("kill").args(["-QUIT", &pid.to_string()]).status().ok();
        }
    }
}

impl Running {
    /// None: there is no PostgreSQL on this machine.
    pub async fn start(dir: &Path, name: &str) -> Option<Running> {
        let install = servers::installs().into_iter().next()?;
        Some(Running::of(install, dir, name).await)
    }

    pub async fn of(install: Install, dir: &Path, name: &str) -> Running {
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).expect("a free port").port();
        let user = owner();
        let base = dir.join(name);
        let (data, socket, log) = (base.join("data"), base.clone(), base.join("log"));
        let server = Server { install, data, ip: Ipv4Addr::LOCALHOST, port, socket, log, user };
        server.initdb(&["--locale=C.UTF-8", "--data-checksums"]).await.expect("initdb");
        let (cert, key) = servers::certificate(&["localhost".into()]);
        servers::write_file(&server.data.join("server.crt"), &cert, user).expect("certificate");
        servers::write_file(&server.data.join("server.key"), &key, user).expect("key");
        servers::write_file(&server.data.join("pg_hba.conf"), HBA, user).expect("pg_hba");
        server.start(&[("ssl", "on"), ("wal_level", "logical")]).await.expect("start");
        server.sql("postgres", "ALTER ROLE postgres PASSWORD 'superuser'").await.expect("a password");
        Running(server)
    }

    /// A standby that streams from this server.
    pub async fn standby(&self, dir: &Path, name: &str) -> Running {
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).expect("a free port").port();
        let base = dir.join(name);
        servers::make_dir(&base, self.0.user).expect("a directory");
        let (from, source, data) =
            (self.0.socket.display().to_string(), self.0.port.to_string(), base.join("data").display().to_string());
        let args = ["-h", &from, "-p", &source, "-U", "postgres", "-D", &data, "-R", "-X", "stream", "-c", "fast"];
        self.0.tool("pg_basebackup", &args).await.expect("pg_basebackup");
        let server =
            Server { data: base.join("data"), port, socket: base.clone(), log: base.join("log"), ..self.0.clone() };
        server.start(&[("ssl", "on")]).await.expect("start");
        Running(server)
    }

    pub async fn login(&self, user: &str, password: &str, database: &str) -> Result<Db, pgmigrate::error::Error> {
        let stream = tokio::net::TcpStream::connect((self.0.ip, self.0.port)).await.expect("a connection");
        let password = SecretString::from(password);
        let login = wire::Login { pod: "test", user, password: &password, database, ca: None };
        wire::connect_stream(stream, &login).await
    }

    pub async fn open(&self, database: &str) -> Db {
        self.login("postgres", "superuser", database).await.expect("a superuser session")
    }

    pub async fn sql(&self, database: &str, sql: &str) -> String {
        self.0.sql(database, sql).await.unwrap_or_else(|e| panic!("{e}"))
    }
}

/// Where the servers live: the user that they run as can get there.
pub fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    std::os::unix::fs::chown(dir.path(), owner().map(|o| o.0), owner().map(|o| o.1)).expect("chown");
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("chmod");
    dir
}

fn owner() -> Option<(u32, u32)> {
    let id = |flag: &str| {
        let out = std::process::Command::new("id").args([flag, "postgres"]).output().ok()?;
        String::from_utf8(out.stdout).ok()?.trim().parse().ok()
    };
    let root = std::process::Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout == b"0\n");
    if root { Some((id("-u")?, id("-g")?)) } else { None }
}

//! Real PostgreSQL servers, found on this machine and run as children.
use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
};
/// One installation: `bin` holds initdb, pg_ctl, postgres, psql, pg_basebackup ...
#[derive(Debug, Clone)]
pub struct Install {
    pub major: u32,
    pub bin: PathBuf,
}
/// /usr/lib/postgresql/*/bin, PATH, or PGMIGRATE_PG_BIN; newest first.
pub fn installs() -> Vec<Install> {
    todo!()
}
/// A server's place and manner; nothing runs until `start`.
#[derive(Debug, Clone)]
pub struct Server {
    pub install: Install,
    pub data: PathBuf,
    pub ip: Ipv4Addr,
    pub port: u16,
    /** unix socket directory */
    pub socket: PathBuf,
    pub log: PathBuf,
    pub user: Option<(u32, u32)>,
}
#[derive(Debug)]
pub struct Failure(pub String);
impl Server {
    /// Runs one of the installation's programs as the server's user to its end; Err holds stderr.
    pub async fn tool(&self, _program: &str, _args: &[&str]) -> Result<String, Failure> {
        todo!()
    }
    /// initdb, from a cached template directory copied with reflink or hard copy when the options were used before (fast tests).
    pub async fn initdb(&self, _args: &[&str]) -> Result<(), Failure> {
        todo!()
    }
    /// Starts the postmaster (`-c` options on the command line) and returns when it accepts connections or has ended (Err: the log's last lines).
    pub async fn start(&self, _options: &[(&str, &str)]) -> Result<(), Failure> {
        todo!()
    }
    /// pg_ctl stop -m smart|fast|immediate -w
    pub async fn stop(&self, _mode: &str) -> Result<(), Failure> {
        todo!()
    }
    pub fn running(&self) -> bool {
        todo!()
    }
    /// psql over the socket as the bootstrap superuser `postgres`: output of -XAtq.
    pub async fn sql(&self, _database: &str, _sql: &str) -> Result<String, Failure> {
        todo!()
    }
}
/// Self-signed server certificate and key (PEM), for `ssl = on`.
pub fn certificate(_names: &[String]) -> (String, String) {
    todo!()
}
#[allow(unused)]
fn _p(_: &Path) {}

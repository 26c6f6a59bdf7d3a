//! PostgreSQL alone: a primary and a standby on this machine, `pg_ctl stop -m fast`, everything replayed, promote, reconnect.
use super::pair::{Running, directory};
use pgmigrate::lab::servers::{self, Server};
use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

/// The longest gap between two commits of a client that writes every 10 ms. None: no PostgreSQL is installed here.
pub async fn gap() -> Option<Duration> {
    let dir = directory();
    let primary = Running::start(dir.path(), "primary").await?;
    let hba = primary.0.data.join("pg_hba.conf");
    let lines = std::fs::read_to_string(&hba).expect("its rules") + "local replication all trust\n";
    servers::write_file(&hba, &lines, primary.0.user).expect("written");
    primary.0.stop("fast").await.expect("stopped");
    primary.0.start(&[]).await.expect("started with them");
    primary.sql("postgres", "CREATE TABLE rows (id serial PRIMARY KEY)").await;
    let standby = standby(&primary.0).await;
    let port = Arc::new(AtomicU16::new(primary.0.port));
    let over = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write(port.clone(), over.clone()));
    until(&standby.0, "SELECT count(*) > 50 FROM rows").await;

    primary.0.stop("fast").await.expect("stopped");
    let data = primary.0.data.display().to_string();
    let control = primary.0.tool("pg_controldata", &["-D", &data]).await.expect("its control file");
    let line = control.lines().find_map(|line| line.strip_prefix("Latest checkpoint location:"));
    let position = line.expect("a checkpoint").trim();
    until(&standby.0, &format!("SELECT pg_last_wal_replay_lsn() > '{position}'")).await;
    let data = standby.0.data.display().to_string();
    standby.0.tool("pg_ctl", &["promote", "-w", "-D", &data]).await.expect("promoted");
    port.store(standby.0.port, SeqCst);

    let rows: u64 = standby.sql("postgres", "SELECT count(*) FROM rows").await.parse().expect("a number");
    until(&standby.0, &format!("SELECT count(*) > {} FROM rows", rows + 50)).await;
    over.store(true, SeqCst);
    Some(writer.await.expect("the writer"))
}

async fn standby(primary: &Server) -> Running {
    let port = TcpListener::bind((primary.ip, 0)).and_then(|l| l.local_addr()).expect("a free port").port();
    let place = |name: &str| primary.data.parent().and_then(|dir| dir.parent()).expect("a folder").join(name);
    let server =
        Server { data: place("standby"), socket: place("s"), log: place("standby-log"), port, ..primary.clone() };
    let data = server.data.display().to_string();
    let copy = ["-h", &primary.socket.display().to_string(), "-p", &primary.port.to_string(), "-D", &data, "-R"];
    primary.tool("pg_basebackup", &[&copy[..], &["-c", "fast"]].concat()).await.expect("a copy");
    server.start(&[]).await.expect("a standby");
    Running(server)
}

async fn until(server: &Server, question: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    while !server.sql("postgres", question).await.is_ok_and(|answer| answer == "t") {
        assert!(Instant::now() < end, "never: {question}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn write(port: Arc<AtomicU16>, over: Arc<AtomicBool>) -> Duration {
    let (mut last, mut longest) = (None, Duration::ZERO);
    while !over.load(SeqCst) {
        let place = format!("host=127.0.0.1 port={} user=postgres password=superuser", port.load(SeqCst));
        if let Ok((client, connection)) = tokio_postgres::connect(&place, tokio_postgres::NoTls).await {
            tokio::spawn(connection);
            while !over.load(SeqCst) && client.execute("INSERT INTO rows DEFAULT VALUES", &[]).await.is_ok() {
                let now = Instant::now();
                longest = last.map_or(longest, |last| longest.max(now - last));
                last = Some(now);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    longest
}

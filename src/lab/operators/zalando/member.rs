//! One Patroni member: the server it drives, what it holds in memory, and how it shows itself on its pod.
use super::{
    Context,
    conf::{self, Parameters, Upstream},
    dcs::Dcs,
    manifest, objects,
    session::{Session, Status},
    spilo,
};
use crate::{
    lab::servers::{Failure, Server, write_file},
    postgres::lsn::Lsn,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::Write,
    path::PathBuf,
    sync::{Arc, PoisonError, atomic::AtomicBool},
};
use tokio::sync::{Mutex, Notify};

pub struct Member {
    pub context: Context,
    pub dcs: Dcs,
    /// Name of the pod and of the member.
    pub name: String,
    /// The pod's own directory.
    pub dir: PathBuf,
    pub server: Server,
    /// SPILO_CONFIGURATION of the container.
    pub spilo: Value,
    /// Makes the loop run now.
    pub wake: Notify,
    /// One thing at a time is done to the server: the loop's turn, a restart, a switchover.
    pub work: Mutex<Work>,
    pub heartbeat: Session,
    pub restapi: Session,
    /// The pause as its last turn saw it: that is what GET /patroni tells, so a pause is in force only when every member says so.
    pub paused: AtomicBool,
}

/// What a Patroni process knows and no file does.
pub struct Work {
    /// pg_hba as last read from postgres.yml: every start and reload writes it out again, whatever the file held.
    pub hba: Vec<String>,
    /// The role it last had or gave to the server.
    pub primary: bool,
    /// POST /reload came: postgres.yml is read again in the next turn.
    pub reload: bool,
    /// The list of slots is looked at only after a start, a change of role, a resume, or when a slot of ours changed (zalando.md, 6).
    pub slots_stale: bool,
    /// The slots it knows of: what of them is not wanted any more is dropped.
    pub slots: BTreeSet<String>,
    /// What postgresql.conf holds.
    pub parameters: Parameters,
    /// Turns in a row in which a replica did not stream although there was a leader.
    pub turns_without_stream: u32,
}

impl Member {
    pub fn new(context: &Context, dcs: Dcs, name: &str, server: Server, spilo: Value, dir: PathBuf) -> Arc<Member> {
        let work = Work {
            hba: vec![],
            primary: false,
            reload: false,
            slots_stale: true,
            slots: BTreeSet::new(),
            parameters: Parameters::new(),
            turns_without_stream: 0,
        };
        Arc::new(Member {
            context: context.clone(),
            paused: AtomicBool::new(dcs.paused()),
            dcs,
            name: name.into(),
            dir,
            server,
            spilo,
            wake: Notify::new(),
            work: Mutex::new(work),
            heartbeat: Session::new("Patroni heartbeat"),
            restapi: Session::new("Patroni restapi"),
        })
    }

    /// Patroni's line in the container's log.
    pub fn log(&self, level: &str, text: &str) {
        let time = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S,%3f");
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&self.server.log);
        // A log that cannot be written must not stop the loop.
        let _ = file.and_then(|mut file| writeln!(file, "{time} {level}: {text}"));
    }

    pub fn info(&self, text: impl AsRef<str>) {
        self.log("INFO", text.as_ref());
    }

    pub fn error(&self, doing: &str, failure: &Failure) {
        self.log("ERROR", &format!("{doing}: {failure}"));
    }

    /// From the Secret that the container has in its environment.
    pub fn password(&self, user: &str) -> Result<String, Failure> {
        let name = manifest::secret(&self.dcs.cluster, user);
        let secret = self.context.store.get("secrets", &self.dcs.namespace, &name);
        let value = secret.and_then(|secret| objects::secret_value(&secret, "password"));
        value.ok_or_else(|| Failure(format!("Secret {name} has no password")))
    }

    /// The parameters that hold now.
    pub fn wanted_parameters(&self) -> Parameters {
        let config = self.dcs.config().unwrap_or_default();
        conf::parameters(&self.server, &self.spilo["postgresql"]["parameters"], &config)
    }

    pub async fn start(&self, parameters: &Parameters) -> Result<(), Failure> {
        let options = conf::command_line(parameters, &self.dcs.cluster);
        let options: Vec<(&str, &str)> = options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.server.start(&options).await
    }

    fn signal(&self) -> PathBuf {
        self.server.data.join("standby.signal")
    }

    pub fn is_standby_on_disk(&self) -> bool {
        self.signal().exists()
    }

    pub fn has_data(&self) -> bool {
        self.server.data.join("PG_VERSION").exists()
    }

    /// Starts as what the data directory says it is, with the files written anew: postgresql.conf and pg_hba.conf from memory.
    pub async fn start_as_is(&self, work: &mut Work) -> Result<(), Failure> {
        work.parameters = self.wanted_parameters();
        conf::write(&self.server, &work.parameters, None)?;
        conf::write_hba(&self.server, &work.hba)?;
        work.primary = !self.is_standby_on_disk();
        work.slots_stale = true;
        self.start(&work.parameters).await
    }

    /// (Re)starts as a replica of `leader`; of nobody when there is none, which a leader race may end.
    pub async fn follow(&self, work: &mut Work, leader: Option<&str>) -> Result<(), Failure> {
        self.server.stop("fast").await?;
        let upstream = leader.map(|leader| self.upstream(leader)).transpose()?;
        work.parameters = self.wanted_parameters();
        let section = conf::recovery(&self.server, &self.name, upstream.as_ref())?;
        conf::write(&self.server, &work.parameters, Some(&section))?;
        conf::write_hba(&self.server, &work.hba)?;
        write_file(&self.signal(), "", self.server.user)?;
        (work.primary, work.slots_stale) = (false, true);
        self.start(&work.parameters).await
    }

    pub fn upstream(&self, leader: &str) -> Result<Upstream, Failure> {
        let pod = self.context.store.get("pods", &self.dcs.namespace, leader);
        let ip = pod.and_then(|pod| pod["status"]["podIP"].as_str()?.parse().ok());
        let ip = ip.ok_or_else(|| Failure(format!("leader {leader} has no address")))?;
        Ok(Upstream { ip, password: self.password("standby")? })
    }

    /// A parameter waits for a restart: PostgreSQL says so, or the command line it was started with is not the one of today
    /// (a value there hides the file's from PostgreSQL's own bookkeeping).
    pub async fn restart_needed(&self) -> bool {
        let Ok(status) = self.restapi.status(&self.server).await else { return false };
        status.pending_restart || self.stale_options().await
    }

    pub async fn stale_options(&self) -> bool {
        let options = conf::command_line(&self.wanted_parameters(), &self.dcs.cluster);
        let sql = "SELECT name, setting FROM pg_settings WHERE source = 'command line'";
        let Ok(rows) = self.restapi.rows(&self.server, sql).await else { return false };
        let differs = |(name, value): &(String, String)| rows.iter().any(|row| row[0] == *name && row[1] != *value);
        options.iter().any(differs)
    }

    /// pg_ctl promote; the lock must be held. Spilo's post_init follows in the background, as after the real callback.
    pub async fn promote(self: &Arc<Self>, work: &mut Work) -> Result<(), Failure> {
        let data = self.server.data.display().to_string();
        self.server.tool("pg_ctl", &["promote", "-D", &data, "-w"]).await?;
        (work.primary, work.slots_stale) = (true, true);
        self.write_history();
        let member = self.clone();
        tokio::spawn(async move {
            if let Err(failure) = spilo::post_init(&member.server).await {
                member.error("post_init", &failure);
            }
        });
        Ok(())
    }

    /// The newest timeline history file, as the list that /history shows: [[timeline, lsn, reason, time, new leader], ...].
    fn write_history(&self) {
        let known = self.dcs.history();
        let entries = std::fs::read_dir(self.server.data.join("pg_wal")).into_iter().flatten().flatten();
        let newest = entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "history")).max();
        let text = newest.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let mut lines: Vec<Value> = text.lines().filter_map(history_line).collect();
        for line in &mut lines {
            let old = known.as_array().into_iter().flatten().find(|old| old[0] == line[0]);
            match old {
                Some(old) => *line = old.clone(),
                None => line.as_array_mut().into_iter().for_each(|line| {
                    line.extend([super::dcs::now().into(), self.name.as_str().into()]);
                }),
            }
        }
        self.dcs.set_history(&Value::Array(lines));
    }

    /// Label spilo-role and annotation `status` of the pod. A stopped server loses the label (observed-physical.md, 3).
    pub fn show(&self, primary: bool, status: Option<&Status>) {
        let ip = self.server.ip;
        let state = if status.is_some() { "running" } else { self.stopped_state() };
        let mut shown = json!({
            "conn_url": format!("postgres://{ip}:5432/postgres"), "api_url": format!("http://{ip}:8008/patroni"),
            "state": state, "role": if primary { "primary" } else { "replica" }, "version": VERSION,
        });
        if let Some(status) = status {
            shown["xlog_location"] = status.location.into();
            if status.streaming == Some(true) {
                shown["replication_state"] = "streaming".into();
            }
            shown["timeline"] = status.timeline.into();
            if status.pending_restart {
                shown["pending_restart"] = true.into();
            }
        }
        if self.dcs.paused() {
            shown["pause"] = true.into();
        }
        let change = |pod: &mut Value| {
            pod["metadata"]["annotations"]["status"] = shown.to_string().into();
            if state == "running" {
                pod["metadata"]["labels"]["spilo-role"] = if primary { "master" } else { "replica" }.into();
            } else if let Some(labels) = pod["metadata"]["labels"].as_object_mut() {
                labels.remove("spilo-role");
            }
        };
        // The pod may be on its way out.
        let _ = self.context.store.update("pods", &self.dcs.namespace, &self.name, change);
    }

    pub fn stopped_state(&self) -> &'static str {
        if self.server.running() { "starting" } else { "stopped" }
    }
}

/// Patroni's version, as the test Spilo has it.
pub const VERSION: &str = "4.0.7";

/// Timeline, LSN and reason, separated by tabs.
fn history_line(line: &str) -> Option<Value> {
    let mut words = line.splitn(3, '\t');
    let timeline: u32 = words.next()?.trim().parse().ok()?;
    let lsn: Lsn = words.next()?.parse().ok()?;
    Some(json!([timeline, lsn.0, words.next().unwrap_or_default()]))
}

/// The members of one cluster that run in this lab.
pub fn of_cluster(context: &Context, dcs: &Dcs) -> Vec<Arc<Member>> {
    let members = context.members.lock().unwrap_or_else(PoisonError::into_inner);
    let same = |m: &&Arc<Member>| m.dcs.namespace == dcs.namespace && m.dcs.cluster == dcs.cluster;
    members.values().filter(same).cloned().collect()
}

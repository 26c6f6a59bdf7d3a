//! Postmasters as children: they die with the lab, and are reaped however they end.
use std::{
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus},
    sync::{
        OnceLock,
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
};

type Job = (Command, Sender<io::Result<Child>>);

/// A started postmaster; dropping this does not end it.
pub(super) struct Postmaster {
    pub pid: u32,
    end: Receiver<ExitStatus>,
}

impl Postmaster {
    /// Its exit status once it has ended.
    pub fn ended(&mut self) -> Option<String> {
        match self.end.try_recv() {
            Ok(status) => Some(status.to_string()),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some("status unknown".into()),
        }
    }
}

/// Starts it from the one thread that lives as long as the lab: the parent-death signal is sent when the *thread* that
/// forked ends (prctl(2)), and a runtime's threads come and go.
pub(super) fn spawn(command: Command) -> io::Result<Postmaster> {
    static FORK: OnceLock<Sender<Job>> = OnceLock::new();
    let forks = FORK.get_or_init(|| {
        let (send, jobs) = channel::<Job>();
        std::thread::spawn(move || jobs.iter().for_each(|(mut command, reply)| drop(reply.send(command.spawn()))));
        send
    });
    let gone = || io::Error::other("the thread that starts servers has ended");
    let (reply, started) = channel();
    forks.send((command, reply)).map_err(|_| gone())?;
    let mut child = started.recv().map_err(|_| gone())??;
    let (pid, (done, end)) = (child.id(), channel());
    // A zombie would look alive to pg_ctl and to kill(0).
    std::thread::spawn(move || {
        if let Ok(status) = child.wait() {
            let _ = done.send(status);
        }
    });
    Ok(Postmaster { pid, end })
}

/// The server's user, a process group of its own (a Ctrl-C in the terminal is for the lab, which stops its servers in order),
/// and a fast shutdown when the lab dies.
pub(super) fn as_user(command: &mut Command, user: Option<(u32, u32)>) {
    command.process_group(0);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    let lab = std::process::id();
    // SAFETY: only async-signal-safe calls between fork and exec. std runs this after setuid, which would clear the signal.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGINT) != 0 {
                return Err(io::Error::last_os_error());
            }
            // The lab may have died before the call above.
            if libc::getppid() as u32 == lab { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
        });
    }
}

/// A process that exists and is no zombie. A postmaster started by `pg_ctl start` in an exec is not our child, and where
/// nobody reaps orphans its zombie would answer kill(0) for ever.
pub(super) fn alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    state.is_some_and(|rest| !rest.starts_with(['Z', 'X']))
}

/// A postmaster's working directory is its data directory. True where that cannot be seen.
pub(super) fn works_in(pid: u32, data: &Path) -> bool {
    let (there, here) = (std::fs::read_link(format!("/proc/{pid}/cwd")), data.canonicalize());
    match (there, here) {
        (Ok(there), Ok(here)) => there == here,
        _ => true,
    }
}

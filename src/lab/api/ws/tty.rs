//! A pseudo terminal for `exec -t`.
use serde_json::Value;
use std::{
    fs::File,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};
use tokio::process::{Child, Command};

pub struct Terminal(OwnedFd);

/// Starts the command as the leader of a session on a new terminal.
pub fn spawn(mut command: Command) -> std::io::Result<(Child, Terminal)> {
    let (mut master, mut slave) = (-1, -1);
    use std::ptr::{null, null_mut};
    // SAFETY: openpty writes two descriptors and takes null for what is not wanted.
    if unsafe { libc::openpty(&mut master, &mut slave, null_mut(), null(), null()) } != 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: both were just opened and belong to nobody else.
    let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    // SAFETY: as above; processes started by others meanwhile must not inherit the terminal and keep it open.
    unsafe {
        libc::fcntl(master.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC);
        libc::fcntl(slave.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC);
    }
    command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave);
    // SAFETY: setsid and ioctl are async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            if libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY as _, 0) < 0 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
    let child = command.spawn()?;
    Ok((child, Terminal(master)))
}

impl Terminal {
    /// tokio's File does its blocking reads elsewhere.
    pub fn stream(&self) -> std::io::Result<tokio::fs::File> {
        Ok(tokio::fs::File::from_std(File::from(self.0.try_clone()?)))
    }

    /// `{"Width": columns, "Height": rows}`
    pub fn resize(&self, size: &Value) {
        let cells = |key: &str| size[key].as_u64().unwrap_or(0) as u16;
        let size = libc::winsize { ws_row: cells("Height"), ws_col: cells("Width"), ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the descriptor is ours and open, the struct outlives the call.
        unsafe { libc::ioctl(self.0.as_raw_fd(), libc::TIOCSWINSZ as _, &size) };
    }
}

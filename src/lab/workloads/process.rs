//! Child processes that must not outlive the lab.
use tokio::process::{Child, Command};

/// The child leads a process group of its own (so that it can be ended whole), and on Linux it is killed when the lab
/// itself is. It sees only the thread that started it: threads of a multi-thread runtime live as long as the runtime.
pub fn own_group_with_us(command: &mut Command) {
    command.process_group(0);
    #[cfg(target_os = "linux")]
    // SAFETY: prctl is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
}

/// Signals the child's whole group, unless it has been waited for (its id may be another's by now).
pub fn signal_group(child: &Child, signal: i32) {
    if let Some(id) = child.id() {
        // SAFETY: a plain system call on a process that is still ours.
        unsafe { libc::kill(-(id as i32), signal) };
    }
}

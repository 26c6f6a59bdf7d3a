//! `init` at a terminal: real keystrokes through a pseudo-terminal.
use super::support::{Bench, Setting};
use std::{
    fs::File,
    io::{Read, Write},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

/// The binary with a terminal of its own.
struct Terminal {
    child: Child,
    keys: File,
    screen: Receiver<Vec<u8>>,
    shown: String,
}

const LIMIT: Duration = Duration::from_secs(120);

impl Terminal {
    fn open(bench: &Bench, line: &str) -> Terminal {
        let size = libc::winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let (mut ours, mut theirs) = (0, 0);
        // SAFETY: both out-pointers are valid, name and termios may be null.
        let opened = unsafe { libc::openpty(&mut ours, &mut theirs, std::ptr::null_mut(), std::ptr::null(), &size) };
        assert_eq!(opened, 0, "no pseudo-terminal: {}", std::io::Error::last_os_error());
        // SAFETY: openpty has just made them, nobody else owns them.
        let (ours, theirs) = unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
        // Else the child keeps our end, and its end is never seen.
        // SAFETY: a valid descriptor.
        unsafe { libc::fcntl(ours.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) };
        let end = || Stdio::from(theirs.try_clone().expect("a descriptor"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-pgmigrate"));
        command.args(line.split_whitespace()).current_dir(bench.path()).env_clear().env("HOME", bench.path());
        command.env("KUBECONFIG", bench.lab.kubeconfig_path()).env("TERM", "xterm").env("NO_COLOR", "1");
        command.stdin(end()).stdout(end()).stderr(end());
        // SAFETY: setsid and ioctl may be called between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                libc::ioctl(0, libc::TIOCSCTTY as _, 0);
                Ok(())
            });
        }
        let child = command.spawn().expect("the binary starts");
        drop(theirs);
        let keys = File::from(ours);
        let (mut reader, (sender, screen)) = (keys.try_clone().expect("a descriptor"), channel());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // An error is the other end's close.
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal { child, keys, screen, shown: String::new() }
    }

    /// Waits until the screen has the text, then looks no more at what came before it.
    fn sees(&mut self, text: &str) {
        let end = Instant::now() + LIMIT;
        while !self.shown.contains(text) {
            let left = end.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("{text:?} is not on the screen ({error}):\n{}", self.shown),
            }
        }
        let at = self.shown.find(text).expect("just seen") + text.len();
        self.shown.drain(..at);
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// The exit code; None: by a signal, as a shell sees a Ctrl-C.
    fn ends(mut self) -> Option<i32> {
        while self.screen.recv_timeout(LIMIT).is_ok() {}
        self.child.wait().expect("it runs").code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

const DOWN: &str = "\x1b[B";
const RUBOUT: &str = "\x7f";

#[tokio::test(flavor = "multi_thread")]
async fn init_asks_and_takes_the_answers() {
    let Some(bench) = Bench::up(Setting::default()).await else { return };
    let file = |name: &str| std::fs::read_to_string(bench.path().join(name));

    // No to the last question: nothing is written.
    let mut terminal = Terminal::open(&bench, "init -n mastodon");
    terminal.sees("used by deployment/mastodon-web");
    terminal.sees("Name of the migration");
    terminal.types("refused\r");
    terminal.sees("Name of the CloudNativePG cluster");
    terminal.types("\r");
    terminal.sees("Strategy");
    terminal.types("\r");
    terminal.sees("Write ");
    terminal.types("n");
    assert_eq!(terminal.ends(), Some(130));
    assert!(file("refused.yaml").is_err() && file("refused.rhai").is_err());

    // A name mistyped and mended, a target of one's own, the other strategy by an arrow key.
    let mut terminal = Terminal::open(&bench, "init -n mastodon");
    terminal.sees("Name of the migration");
    terminal.types(&format!("minx{RUBOUT}e\r"));
    terminal.sees("Name of the CloudNativePG cluster");
    terminal.types("other-db\r");
    terminal.sees("Strategy");
    terminal.types(&format!("{DOWN}\r"));
    terminal.sees("Write ");
    terminal.types("y");
    terminal.sees("wrote ./mine.yaml");
    assert_eq!(terminal.ends(), Some(0));
    let written = file("mine.yaml").expect("written");
    for line in ["name: mine\n", "cluster: other-db ", "strategy: dump\n", "script: mine.rhai\n"] {
        assert!(written.contains(line), "{line:?} is not in:\n{written}");
    }

    // Ctrl-C at a question ends it, with nothing written.
    let mut terminal = Terminal::open(&bench, "init cut -n mastodon");
    terminal.sees("Name of the CloudNativePG cluster");
    terminal.types("\x03");
    assert_ne!(terminal.ends(), Some(0));
    assert!(file("cut.yaml").is_err());
    bench.lab.stop().await;
}

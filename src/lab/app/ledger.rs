//! The client's own book: every row that was sent, every row whose commit was acknowledged. One per namespace, shared by
//! all its pods, so that a gap is counted across them.
use serde_json::json;
use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use uuid::Uuid;

type Registry = BTreeMap<(PathBuf, String), Arc<Ledger>>;

/// Pods come and go; what they wrote down stays as long as the process.
static OPEN: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);

pub struct Ledger {
    /// `<lab dir>/ledger-<namespace>`: lines `sent <uuid>` and `acked <uuid>`.
    pub path: PathBuf,
    pub table: String,
    book: Mutex<Book>,
}

struct Book {
    file: File,
    /// token -> acknowledged
    rows: HashMap<Uuid, bool>,
    acked: u64,
    last: Option<Instant>,
    longest: Duration,
    longest_began: Option<jiff::Timestamp>,
}

/// What the ledger knows by itself.
#[derive(Debug, Clone)]
pub struct Report {
    pub sent: u64,
    pub acked: u64,
    /// Between two acknowledged commits that followed each other, by the monotonic clock; or since the last one, if that
    /// is longer.
    pub longest_gap: Duration,
    /// When the commit before that gap was acknowledged.
    pub longest_gap_began: Option<jiff::Timestamp>,
    /// None: nothing acknowledged yet.
    pub since_last: Option<Duration>,
}

impl Report {
    /// Durations in seconds.
    pub fn to_json(&self) -> serde_json::Value {
        json!({
            "sent": self.sent, "acked": self.acked, "longestGapSeconds": self.longest_gap.as_secs_f64(),
            "longestGapBegan": self.longest_gap_began.map(|time| time.to_string()),
            "sinceLastCommitSeconds": self.since_last.map(|duration| duration.as_secs_f64()),
        })
    }
}

impl Ledger {
    /// The namespace's ledger, begun if there is none.
    pub fn shared(dir: &Path, namespace: &str, table: &str) -> std::io::Result<Arc<Ledger>> {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (dir.to_owned(), namespace.to_owned());
        if let Some(ledger) = open.get(&key) {
            return Ok(ledger.clone());
        }
        let path = dir.join(format!("ledger-{namespace}"));
        let file = File::options().create(true).append(true).open(&path)?;
        let book =
            Book { file, rows: HashMap::new(), acked: 0, last: None, longest: Duration::ZERO, longest_began: None };
        let ledger = Arc::new(Ledger { path, table: table.to_owned(), book: Mutex::new(book) });
        open.insert(key, ledger.clone());
        Ok(ledger)
    }

    /// The ledgers of the lab in this directory, by namespace.
    pub fn all(dir: &Path) -> Vec<(String, Arc<Ledger>)> {
        let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let here = open.iter().filter(|((of, _), _)| of == dir);
        here.map(|((_, namespace), ledger)| (namespace.clone(), ledger.clone())).collect()
    }

    /// Forgets the ledgers of a lab that ends.
    pub fn close_all(dir: &Path) {
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).retain(|(of, _), _| of != dir);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called before the row leaves. It is in the file when this returns.
    pub fn sent(&self, token: Uuid) -> std::io::Result<()> {
        let mut book = self.book();
        book.rows.insert(token, false);
        book.file.write_all(format!("sent {token}\n").as_bytes())
    }

    /// To be called when its commit was acknowledged.
    pub fn acknowledged(&self, token: Uuid) -> std::io::Result<()> {
        let now = Instant::now();
        let mut book = self.book();
        book.rows.insert(token, true);
        book.acked += 1;
        book.settle(now);
        book.last = Some(now);
        book.file.write_all(format!("acked {token}\n").as_bytes())
    }

    /// The longest gap is counted anew from here on.
    pub fn mark(&self) {
        let mut book = self.book();
        book.longest = Duration::ZERO;
        book.longest_began = None;
        if book.last.is_some() {
            book.last = Some(Instant::now());
        }
    }

    pub fn report(&self) -> Report {
        let mut book = self.book();
        let now = Instant::now();
        book.settle(now);
        Report {
            sent: book.rows.len() as u64,
            acked: book.acked,
            longest_gap: book.longest,
            longest_gap_began: book.longest_began,
            since_last: book.last.map(|last| now - last),
        }
    }

    /// Every token that was ever sent, and whether it was acknowledged.
    pub fn rows(&self) -> HashMap<Uuid, bool> {
        self.book().rows.clone()
    }
}

impl Book {
    fn settle(&mut self, now: Instant) {
        let Some(gap) = self.last.map(|last| now - last) else { return };
        if gap > self.longest {
            self.longest = gap;
            self.longest_began = jiff::SignedDuration::try_from(gap).ok().map(|gap| jiff::Timestamp::now() - gap);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_is_between_two_acknowledgements() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::shared(dir.path(), "shop", "statuses").unwrap();
        assert_eq!(ledger.report().since_last, None);
        for pause in [0, 60, 5] {
            std::thread::sleep(Duration::from_millis(pause));
            let token = Uuid::new_v4();
            ledger.sent(token).unwrap();
            ledger.acknowledged(token).unwrap();
        }
        let report = ledger.report();
        assert_eq!((report.sent, report.acked), (3, 3));
        assert!(report.longest_gap >= Duration::from_millis(60), "{report:?}");
        assert_eq!(std::fs::read_to_string(&ledger.path).unwrap().lines().count(), 6);
        ledger.mark();
        assert!(ledger.report().longest_gap < Duration::from_millis(60));
    }
}

//! One SQL session, whichever way it runs.
use super::Literal;
use crate::error::{Context, Error, Result};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering},
};

/// Round trips of this process so far.
static SENT: AtomicU64 = AtomicU64::new(0);

/// How often this process has sent statements, all sessions together.
pub fn statements() -> u64 {
    SENT.load(Ordering::Relaxed)
}

/// The server behind a session.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// As text: it is a 64-bit number that JSON readers elsewhere would round.
    pub system_identifier: String,
    pub in_recovery: bool,
    /// `server_version_num`: 170004 is 17.4.
    pub version_num: u32,
}

pub type Row = Map<String, Value>;

/// What every session of ours is called in pg_stat_activity.
pub const APPLICATION_NAME: &str = "pgmigrate";
/// Settings that every session starts with, as libpq's `options`. A `SET` changes them for the session's rest.
/// search_path is fixed because a role's own may put another schema in front of what a query means.
pub(super) const OPTIONS: &str = "-c statement_timeout=60s -c lock_timeout=5s \
    -c idle_in_transaction_session_timeout=5min -c lc_messages=C -c client_min_messages=error \
    -c search_path=\"$user\",public";
/// Those of them that a role without privileges may set: lc_messages is a superuser's.
pub(super) const UNPRIVILEGED_OPTIONS: &str = "-c statement_timeout=60s -c lock_timeout=5s \
    -c idle_in_transaction_session_timeout=5min -c client_min_messages=error -c search_path=\"$user\",public";

/// `Wire`: tokio-postgres over TLS over a port-forward. `Pod`: psql kept open by exec, as the local superuser (peer or trust).
///
/// Limits: statement_timeout 60 s, lock_timeout 5 s, idle_in_transaction_session_timeout 5 min; raise with `run("SET ..")`.
/// A call is not cancelled on the server when its future is dropped; it ends by statement_timeout. A Pod session whose
/// future was dropped in the middle refuses all further calls.
pub enum Db {
    Wire(super::wire::Session),
    Pod(super::pod::Session),
}

/// What PostgreSQL said. Never holds the statement, which may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// SQLSTATE, five characters (PostgreSQL 17 docs, appendix A); empty where psql 17 does not tell it.
    pub code: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

impl std::error::Error for SqlError {}

impl std::fmt::Display for SqlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = (!self.code.is_empty()).then(|| format!("SQLSTATE {}", self.code));
        let detail = self.detail.as_ref().map(|detail| format!("detail: {detail}"));
        let hint = self.hint.as_ref().map(|hint| format!("hint: {hint}"));
        let more: Vec<String> = [code, detail, hint].into_iter().flatten().collect();
        if more.is_empty() { f.write_str(&self.message) } else { write!(f, "{} ({})", self.message, more.join("; ")) }
    }
}

/// PostgreSQL's own error behind an error; None when it came from elsewhere (the connection, Kubernetes).
pub fn sql_error(error: &Error) -> Option<&SqlError> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<SqlError>() {
            return Some(found);
        }
        next = current.source();
    }
    None
}

/// Statements prepared for queries with arguments, by their text.
pub(super) type Prepared = HashMap<String, String>;

impl Db {
    /// Rows of any query that returns some (SELECT, VALUES, INSERT .. RETURNING), as maps: PostgreSQL's own row_to_json of each.
    /// `args` bind to $1.. as text, typed by the query. 8-byte integers arrive as JSON numbers.
    /// The query becomes a CTE, so SHOW and EXPLAIN cannot be asked this way (`current_setting()` can).
    pub async fn rows(&mut self, query: &str, args: &[&str]) -> Result<Vec<Row>> {
        // The newline ends a comment that the query may end with.
        let query = query.trim().trim_end_matches(';');
        let wrapped =
            format!("WITH pgm_q AS ({query}\n) SELECT coalesce(json_agg(row_to_json(pgm_q)), '[]') FROM pgm_q");
        let statement = if args.is_empty() { wrapped } else { self.execute(wrapped, args).await? };
        let text = self.text(&statement).await?;
        serde_json::from_str(&text)
            .with_context(|| format!("the rows from {} are not what was asked for", self.place()))
    }

    /// `EXECUTE name('..', '..')` of the query, prepared on its first use. Arguments are untyped literals, so the query types them.
    async fn execute(&mut self, wrapped: String, args: &[&str]) -> Result<String> {
        let name = match self.prepared().get(&wrapped) {
            Some(name) => name.clone(),
            None => {
                let name = format!("pgm_{}", self.prepared().len());
                self.run(&format!("PREPARE {name} AS {wrapped}")).await?;
                self.prepared().insert(wrapped, name.clone());
                name
            }
        };
        let args: Vec<String> = args.iter().map(|a| Literal::new(*a).to_string()).collect();
        Ok(format!("EXECUTE {name}({})", args.join(", ")))
    }

    /// Exactly one row, deserialised.
    pub async fn one<T: DeserializeOwned>(&mut self, query: &str, args: &[&str]) -> Result<T> {
        let row = self.single(query, args).await?;
        T::deserialize(Value::Object(row))
            .with_context(|| format!("the row from {} is not what was expected", self.place()))
    }

    /// The only column of the only row.
    pub async fn value<T: DeserializeOwned>(&mut self, query: &str, args: &[&str]) -> Result<T> {
        let row = self.single(query, args).await?;
        let mut columns = row.into_iter();
        match (columns.next(), columns.next()) {
            (Some((name, value)), None) => T::deserialize(value)
                .with_context(|| format!("column {name} from {} is not what was expected", self.place())),
            _ => Err(Error::failed(format!("a query on {} gave several columns where one was expected", self.place()))),
        }
    }

    async fn single(&mut self, query: &str, args: &[&str]) -> Result<Row> {
        let mut rows = self.rows(query, args).await?;
        match (rows.pop(), rows.len()) {
            (Some(row), 0) => Ok(row),
            (None, _) => Err(Error::failed(format!("a query on {} gave no row where one was expected", self.place()))),
            (_, more) => {
                Err(Error::failed(format!("a query on {} gave {} rows where one was expected", self.place(), more + 1)))
            }
        }
    }

    /// Statements that return nothing of interest; several may be separated by `;` and are then one transaction,
    /// unless they hold BEGIN and COMMIT of their own. What cannot run in a transaction (VACUUM, CREATE DATABASE,
    /// CHECKPOINT can) goes alone. After an error inside BEGIN .. COMMIT, `run("ROLLBACK")` makes the session usable.
    pub async fn run(&mut self, statements: &str) -> Result<()> {
        self.text(statements).await.map(|_| ())
    }

    /// What the server is: to know it again, and to tell a standby from a primary.
    pub async fn identity(&mut self) -> Result<Identity> {
        self.one(
            "SELECT system_identifier::text, pg_is_in_recovery() AS in_recovery, \
             current_setting('server_version_num')::int AS version_num FROM pg_control_system()",
            &[],
        )
        .await
    }

    /// `pod mastodon-postgresql-0, database mastodon`
    pub fn place(&self) -> &str {
        match self {
            Db::Wire(session) => &session.place,
            Db::Pod(session) => &session.place,
        }
    }

    fn prepared(&mut self) -> &mut Prepared {
        match self {
            Db::Wire(session) => &mut session.prepared,
            Db::Pod(session) => &mut session.prepared,
        }
    }

    /// The first column of the last result's rows, lines joined.
    async fn text(&mut self, statements: &str) -> Result<String> {
        SENT.fetch_add(1, Ordering::Relaxed);
        let text = match self {
            Db::Wire(session) => session.text(statements).await,
            Db::Pod(session) => session.text(statements).await,
        };
        text.with_context(|| format!("SQL on {} failed", self.place()))
    }
}

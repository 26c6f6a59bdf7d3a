//! psql kept open in a pod by exec: superuser SQL without a password, millisecond round trips.
//!
//! A statement goes in as a string literal that `\gexec` sends on: psql's own lexer sees nothing but that literal, so an
//! open quote cannot swallow what follows, `:name` is not a variable and `\` no command. Then `\echo` and `\warn` print a
//! random token on both streams; what stands before it is the answer (stdout) and the error (stderr).
use super::{
    Db, Literal,
    session::{APPLICATION_NAME, OPTIONS, Prepared, SqlError},
};
use crate::{
    error::{Error, Result},
    kube::{
        Kube,
        dialogue::{Dialogue, token},
    },
};
use futures::future::BoxFuture;
use std::time::Duration;

/// Both operators' name for the database's container.
pub const CONTAINER: &str = "postgres";
/// exec, psql's start and login together.
const CONNECT: Duration = Duration::from_secs(20);

pub struct Session {
    dialogue: Dialogue,
    pub(super) place: String,
    pub(super) prepared: Prepared,
}

/// `psql -U postgres -XAtq -d database` in container `postgres` of the pod.
pub async fn connect(kube: &Kube, pod: &str, database: &str) -> Result<Db> {
    let conninfo = format!(
        "dbname={} application_name={APPLICATION_NAME} client_encoding=UTF8 connect_timeout=10 options={}",
        conninfo_value(database),
        conninfo_value(OPTIONS)
    );
    let argv = ["psql", "-U", "postgres", "-XAtq", "-v", "ON_ERROR_STOP=0", "-d", conninfo.as_str()];
    let place = format!("pod {pod}, database {database}");
    // Boxed: the compiler cannot prove the nested futures Send inside a step's otherwise.
    let opening: BoxFuture<'_, Result<Db>> = Box::pin(async {
        let dialogue = Dialogue::new(kube.spawn(pod, CONTAINER, &argv).await?);
        let mut session = Session { dialogue, place, prepared: Prepared::new() };
        session.text("SELECT 1").await?;
        Ok(Db::Pod(session))
    });
    match tokio::time::timeout(CONNECT, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(Error::failed(format!("no answer from psql in pod {pod} in {} s", CONNECT.as_secs()))),
    }
}

/// libpq's quoting of a value in a connection string (PostgreSQL 17 docs, 32.1.1.1).
fn conninfo_value(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

impl Session {
    /// One simple Query; what psql printed of it, which is the last result before psql 15 and all results from then on.
    pub(super) async fn text(&mut self, statements: &str) -> Result<String> {
        let token = token();
        let input = format!("{}\n\\echo {token} :ERROR :LAST_ERROR_SQLSTATE\n\\warn {token}\n", sendable(statements));
        let said = self.dialogue.ask(&input, &token).await;
        let said = said.map_err(|why| Error::failed(format!("the session to {} ended: {why}", self.place)))?;
        let mut end = said.end.split_whitespace();
        match (end.next(), end.next()) {
            (Some("true"), code) => {
                Err(Error::failed("the statement failed").cause(read_error(&said.stderr, code.unwrap_or_default())))
            }
            _ => Ok(said.stdout),
        }
    }
}

/// ROLLBACK, also to a savepoint, must not be wrapped: in a failed transaction the SELECT that carries it would be refused.
fn sendable(statements: &str) -> String {
    let bare = statements.trim().trim_end_matches(';').to_ascii_uppercase();
    let savepoint = bare.strip_prefix("ROLLBACK TO SAVEPOINT ");
    if bare == "ROLLBACK" || savepoint.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')) {
        return format!("{bare};");
    }
    format!("SELECT {} \\gexec", Literal::new(statements))
}

/// psql's error text, by its parts; LINE, CONTEXT and the like are left out because they quote the statement.
fn read_error(text: &str, code: &str) -> SqlError {
    let mut error = SqlError { code: code.to_string(), message: String::new(), detail: None, hint: None };
    let mut part: Option<&mut String> = None;
    for line in text.lines() {
        let labelled = line
            .split_once(":  ")
            .filter(|(label, _)| !label.is_empty() && label.bytes().all(|b| b.is_ascii_uppercase()));
        part = match labelled {
            Some(("ERROR" | "FATAL" | "PANIC", said)) => {
                error = SqlError { code: code.to_string(), message: said.to_string(), detail: None, hint: None };
                Some(&mut error.message)
            }
            Some(("DETAIL", said)) => Some(error.detail.insert(said.to_string())),
            Some(("HINT", said)) => Some(error.hint.insert(said.to_string())),
            Some(_) => None,
            None if line.starts_with("LINE ") => None,
            None => {
                if let Some(part) = part.as_mut() {
                    part.push(' ');
                    part.push_str(line.trim());
                }
                part
            }
        };
    }
    if error.message.is_empty() {
        error.message = "psql reports an error without a text".to_string();
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_by_their_parts_and_without_the_statement() {
        let text = "WARNING:  other\nERROR:  duplicate key\n  of two lines\nLINE 1: ALTER ROLE x PASSWORD 'secret'\n      ^\nDETAIL:  Key (id)=(1) exists.\nHINT:  Use another.\nCONTEXT:  SQL statement \"secret\"\nmore secret\n";
        let error = read_error(text, "23505");
        assert_eq!(
            error.to_string(),
            "duplicate key of two lines (SQLSTATE 23505; detail: Key (id)=(1) exists.; hint: Use another.)"
        );
    }

    #[test]
    fn what_ends_a_failed_transaction_goes_bare() {
        assert_eq!(sendable(" rollback;"), "ROLLBACK;");
        assert_eq!(sendable("ROLLBACK TO SAVEPOINT look"), "ROLLBACK TO SAVEPOINT LOOK;");
        for wrapped in ["ROLLBACK TO SAVEPOINT :name", "ROLLBACK TO SAVEPOINT a; SELECT 1", "ROLLBACK; SELECT 1"] {
            assert!(sendable(wrapped).starts_with("SELECT '"), "{wrapped}");
        }
    }

    #[test]
    fn connection_strings() {
        assert_eq!(conninfo_value(r"it's a \db"), r"'it\'s a \\db'");
    }
}

//! One SQL session, whichever way it runs.
use crate::error::Result;
use serde_json::{Map, Value};
/// The server behind a session.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    pub system_identifier: String,
    pub in_recovery: bool,
    pub version_num: u32,
}
pub type Row = Map<String, Value>;
/// `Wire`: tokio-postgres over TLS over a port-forward. `Pod`: psql kept open by exec, as the local superuser (peer or trust).
pub enum Db {
    Wire(super::wire::Session),
    Pod(super::pod::Session),
}
impl Db {
    /// Rows of any query that returns some (SELECT, INSERT .. RETURNING), as maps: PostgreSQL's own to_json of each.
    /// `args` bind to $1.. as text, typed by the query. 8-byte integers arrive as JSON numbers.
    pub async fn rows(&mut self, _query: &str, _args: &[&str]) -> Result<Vec<Row>> {
        todo!()
    }
    /// Exactly one row, deserialised.
    pub async fn one<T: serde::de::DeserializeOwned>(&mut self, _query: &str, _args: &[&str]) -> Result<T> {
        todo!()
    }
    /// The only column of the only row.
    pub async fn value<T: serde::de::DeserializeOwned>(&mut self, _query: &str, _args: &[&str]) -> Result<T> {
        todo!()
    }
    /// Statements that return nothing of interest; several may be separated by `;`.
    pub async fn run(&mut self, _statements: &str) -> Result<()> {
        todo!()
    }
    pub async fn identity(&mut self) -> Result<Identity> {
        todo!()
    }
}

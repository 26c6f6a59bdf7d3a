//! SQL sessions on both ends, and the arithmetic of PostgreSQL's own numbers.
pub mod controldata;
pub mod lsn;
pub mod pod;
pub mod quote;
pub mod session;
mod tls;
pub mod wal;
pub mod wire;
pub use lsn::Lsn;
pub use quote::{Ident, Literal};
pub use session::{Db, Identity, Row, SqlError, sql_error, statements};

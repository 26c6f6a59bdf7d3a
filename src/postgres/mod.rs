//! SQL sessions on both ends, and the arithmetic of PostgreSQL's own numbers.
pub mod controldata;
pub mod lsn;
pub mod pod;
pub mod quote;
pub mod session;
pub mod wire;
pub use lsn::Lsn;
pub use quote::{Ident, Literal};
pub use session::{Db, Identity};

//! Log sequence numbers and WAL file names (PostgreSQL 17 docs, 9.27.4 and 19.5).
use serde::{Deserialize, Serialize};
/// A byte position in the WAL; text form `16/B374D848`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lsn(pub u64);
impl From<Lsn> for String {
    fn from(l: Lsn) -> String {
        l.to_string()
    }
}
impl TryFrom<String> for Lsn {
    type Error = String;
    fn try_from(s: String) -> Result<Self, String> {
        s.parse()
    }
}
impl std::fmt::Display for Lsn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 as u32)
    }
}
impl std::str::FromStr for Lsn {
    type Err = String;
    fn from_str(_s: &str) -> Result<Self, String> {
        todo!()
    }
}

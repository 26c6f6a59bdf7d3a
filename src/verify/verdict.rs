//! What a comparison says of one thing: a verdict, and one word for machines why.

use crate::{
    error::Error,
    facts::redact::redact,
    postgres::{SqlError, sql_error},
};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Pass,
    Inconclusive,
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Pass => "PASS",
            Verdict::Inconclusive => "INCONCLUSIVE",
            Verdict::Fail => "FAIL",
        })
    }
}

/// Why a verdict is what it is. The words are stable; `docs/verify.md` explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    // PASS
    Equal,
    /// Differs, and the note says why that is no loss.
    Explained,
    /// A foreign table: its rows are on another server.
    Elsewhere,
    /// Not by this look: by what the cutover proved.
    Proved,
    /// Overall: everything passes, some of it because a user said so.
    Accepted,
    // INCONCLUSIVE
    QueryFailed,
    Timeout,
    RlsHidden,
    ConnectionLost,
    EndUnreachable,
    BeingWritten,
    /// A materialised view that differs, and whose definition could not be, or gives other rows, at the source.
    Stale,
    /// With which version of its library a collation's indexes were made is not known.
    VersionUnknown,
    /// An index that sorts by a collation of another version, and was not read.
    IndexUnchecked,
    AmcheckAbsent,
    NothingCompared,
    ScriptUnknown,
    // FAIL
    RowsDiffer,
    CountDiffers,
    SequenceDiffers,
    CatalogueDiffers,
    MissingAtTarget,
    MissingAtSource,
    IndexBroken,
    ScriptDiffers,
}

/// A question without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unseen {
    pub code: Code,
    pub why: String,
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl<T: Into<String>> From<T> for Unseen {
    fn from(why: T) -> Unseen {
        Unseen { code: Code::QueryFailed, why: why.into() }
    }
}

impl Unseen {
    pub fn of(error: &Error) -> Unseen {
        let code = sql_error(error).map_or(Code::ConnectionLost, code);
        Unseen { code, why: redact(&error.chain()) }
    }
}

/// By SQLSTATE (PostgreSQL 17 docs, appendix A), or by the words in English where psql does not tell it.
fn code(error: &SqlError) -> Code {
    let says = |words: &str| error.message.contains(words);
    match error.code.as_str() {
        // Query canceled, by the timeout or by somebody; lock not available.
        "57014" if says("timeout") => Code::Timeout,
        "55P03" => Code::Timeout,
        "42501" if says("row-level security") => Code::RlsHidden,
        "" if says("statement timeout") || says("lock timeout") => Code::Timeout,
        "" if says("row-level security") => Code::RlsHidden,
        // The server ends the session, or is going down.
        "57P01" | "57P02" | "57P03" | "57P05" => Code::ConnectionLost,
        _ => Code::QueryFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstates_have_words() {
        let told = |code: &str, message: &str| {
            let error = SqlError { code: code.into(), message: message.into(), detail: None, hint: None };
            Unseen::of(&Error::failed("SQL failed").cause(error)).code
        };
        assert_eq!(told("57014", "canceling statement due to statement timeout"), Code::Timeout);
        assert_eq!(told("57014", "canceling statement due to user request"), Code::QueryFailed);
        assert_eq!(told("", "canceling statement due to lock timeout"), Code::Timeout);
        let hidden = r#"query would be affected by row-level security policy for table "t""#;
        assert_eq!(told("42501", hidden), Code::RlsHidden);
        assert_eq!(told("42501", "permission denied for table t"), Code::QueryFailed);
        assert_eq!(Unseen::of(&Error::failed("the connection is closed")).code, Code::ConnectionLost);
        assert_eq!(serde_json::to_value(Code::RlsHidden).ok(), Some("rls-hidden".into()));
    }

    #[test]
    fn every_code_is_explained() {
        let source = include_str!("verdict.rs").split_once("pub enum Code {").expect("the list").1;
        let list = source.split_once("\n}").expect("its end").0;
        let names = list.lines().map(|line| line.trim().trim_end_matches(','));
        for name in names.filter(|name| !name.is_empty() && !name.starts_with('/')) {
            let code: String = name.chars().fold(String::new(), |mut text, c| {
                if c.is_uppercase() && !text.is_empty() {
                    text.push('-');
                }
                text.extend(c.to_lowercase());
                text
            });
            serde_json::from_value::<Code>(code.clone().into()).expect("a code");
            assert!(include_str!("../../docs/verify.md").contains(&format!("| `{code}` |")), "{code}");
        }
    }
}

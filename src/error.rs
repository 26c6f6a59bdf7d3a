//! One error type: what went wrong, what caused it, what to type next, and the exit code.

/// Decides the exit code (PRODUCT.md, section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Failed, nothing left behind: 1.
    Failed,
    /// Bad command line, file or script: 2.
    Usage,
    /// A check or verification failed: 3.
    Check,
    /// Stopped half way, `resume` is possible: 4.
    Stopped,
    /// A human must decide: 5.
    Human,
    /// Rollback incomplete: 6.
    RollbackIncomplete,
    /// Another runner holds the lock: 7.
    Locked,
    /// A bug in this program: 70.
    Bug,
    /// Interrupted cleanly: 130.
    Interrupted,
}

impl Kind {
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Check => 3,
            Kind::Stopped => 4,
            Kind::Human => 5,
            Kind::RollbackIncomplete => 6,
            Kind::Locked => 7,
            Kind::Bug => 70,
            Kind::Interrupted => 130,
        }
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A lower-case fragment that says what and where; then its cause; then a whole command as a hint.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    pub kind: Kind,
    pub what: String,
    pub hint: Option<String>,
    #[source]
    pub cause: Option<Cause>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Error { kind, what: what.into(), hint: None, cause: None }
    }
    pub fn failed(what: impl Into<String>) -> Self {
        Self::new(Kind::Failed, what)
    }
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Kind::Usage, what)
    }
    pub fn check(what: impl Into<String>) -> Self {
        Self::new(Kind::Check, what)
    }
    pub fn bug(what: impl Into<String>) -> Self {
        Self::new(Kind::Bug, what)
    }
    pub fn cause(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = Some(cause.into());
        self
    }
    /// A whole command, or the next thing to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }
    /// The message, then every cause that says something new: many libraries repeat theirs in their own text.
    pub fn causes(&self) -> Vec<String> {
        let mut said = vec![self.what.clone()];
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            let text = cause.to_string();
            if !said.iter().any(|before| before.contains(&text)) {
                said.push(text);
            }
            next = cause.source();
        }
        said
    }
    /// The message followed by every cause, on one line.
    pub fn chain(&self) -> String {
        self.causes().join(": ")
    }
}

/// Puts "what we were doing" in front of an error; keeps the kind and the hint of an inner [`Error`].
pub trait Context<T> {
    fn context(self, what: impl Into<String>) -> Result<T>;
    fn with_context<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T>;
}

impl<T, E: Into<Cause>> Context<T> for Result<T, E> {
    fn context(self, what: impl Into<String>) -> Result<T> {
        self.with_context(|| what)
    }
    fn with_context<S: Into<String>>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|e| {
            let cause: Cause = e.into();
            let (kind, hint) = match cause.downcast_ref::<Error>() {
                Some(inner) => (inner.kind, inner.hint.clone()),
                None => (Kind::Failed, None),
            };
            Error { kind, what: what().into(), hint, cause: Some(cause) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let inner = Error::failed("no such file");
        let error = Error::usage("cannot read a.yaml").cause(Error::failed("read: no such file").cause(inner));
        assert_eq!(error.chain(), "cannot read a.yaml: read: no such file");
        let error = Error::usage("cannot read a.yaml").cause(Error::failed("no such file"));
        assert_eq!(error.causes(), ["cannot read a.yaml", "no such file"]);
    }
}

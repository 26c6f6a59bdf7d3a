//! Identifiers and literals, quoted by type and never by format!.
//!
//! A NUL, which PostgreSQL cannot hold, is written as an escape that the server refuses: never cut off, never dropped.
use std::fmt::{Display, Formatter, Result, Write};

/// Displays as a quoted identifier: `"Weird""name"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident(String);
impl Ident {
    pub fn new(name: impl Into<String>) -> Self {
        Ident(name.into())
    }
}
impl Display for Ident {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.0.contains('\0') {
            return f.write_str(r#"U&"\0000""#);
        }
        f.write_char('"')?;
        for c in self.0.chars() {
            if c == '"' {
                f.write_char('"')?;
            }
            f.write_char(c)?;
        }
        f.write_char('"')
    }
}

/// Displays as a string literal that needs no particular standard_conforming_strings: `E'it''s'` form when a backslash is inside.
/// A space goes before that E, so that it cannot grow together with a word in front of it (as in libpq's PQescapeLiteral).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal(String);
impl Literal {
    pub fn new(text: impl Into<String>) -> Self {
        Literal(text.into())
    }
}
impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(if self.0.contains(['\\', '\0']) { " E'" } else { "'" })?;
        for c in self.0.chars() {
            match c {
                '\'' => f.write_str("''")?,
                '\\' => f.write_str(r"\\")?,
                '\0' => f.write_str(r"\000")?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('\'')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// PostgreSQL's lexer for one whole literal, with standard_conforming_strings on or off; None when it ends early or never.
    fn lex(sql: &str, standard: bool) -> Option<String> {
        let sql = sql.trim_start();
        let (escapes, body) = match sql.strip_prefix('E') {
            Some(body) => (true, body),
            None => (!standard, sql),
        };
        let mut chars = body.strip_prefix('\'')?.chars().peekable();
        let mut text = String::new();
        loop {
            match chars.next()? {
                '\'' if chars.peek() == Some(&'\'') => text.push(chars.next()?),
                '\'' => return chars.next().is_none().then_some(text),
                '\\' if escapes => text.push(chars.next()?),
                c => text.push(c),
            }
        }
    }

    proptest! {
        #[test]
        fn a_literal_reads_back_whatever_the_setting(s in "[^\\x00]*") {
            let literal = Literal::new(s.clone()).to_string();
            prop_assert_eq!(lex(&literal, true), Some(s.clone()));
            prop_assert_eq!(lex(&literal, false), Some(s));
        }
        #[test]
        fn nasty_literals(s in "[\\\\'\"E \n$;-]{0,12}") {
            prop_assert_eq!(lex(&Literal::new(s.clone()).to_string(), false), Some(s));
        }
        #[test]
        fn an_identifier_reads_back(s in "[^\\x00]*") {
            let quoted = Ident::new(s.clone()).to_string();
            let inner = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"')).unwrap();
            prop_assert!(!inner.replace("\"\"", "").contains('"'));
            prop_assert_eq!(inner.replace("\"\"", "\""), s);
        }
    }

    #[test]
    fn known_forms() {
        assert_eq!(Ident::new(r#"Weird"name"#).to_string(), r#""Weird""name""#);
        assert_eq!(Literal::new("it's").to_string(), "'it''s'");
        assert_eq!(Literal::new(r"a\b'").to_string(), r" E'a\\b'''");
        assert_eq!(Literal::new("a\0b").to_string(), r" E'a\000b'");
    }
}

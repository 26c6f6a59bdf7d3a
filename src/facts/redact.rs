//! Takes secrets out of log lines: PostgreSQL and CNPG print verifiers and foreign passwords (observed-import-logical.md 1).

use serde_json::Value;

/// What stands in a secret's place.
pub const MARK: &str = "***";

/// Every text in a document.
pub fn document(value: &mut Value) {
    match value {
        Value::String(text) => *text = redact(text),
        Value::Array(all) => all.iter_mut().for_each(document),
        Value::Object(all) => all.values_mut().for_each(document),
        _ => {}
    }
}

/// The text without the values of `PASSWORD '...'`, `password=...`, verifiers and passwords in URLs.
/// Works on one line or on a whole log; JSON-escaped quotes are quotes too.
pub fn redact(text: &str) -> String {
    text.split_inclusive('\n').map(line).collect()
}

fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let begins = !out.ends_with(in_name);
        let skip = secret_after(rest).or_else(|| assigned(rest).filter(|_| begins));
        match skip {
            Some((keep, drop)) => {
                out.push_str(&rest[..keep]);
                out.push_str(MARK);
                rest = &rest[keep + drop..];
            }
            None => {
                let step = rest.chars().next().map_or(1, char::len_utf8);
                out.push_str(&rest[..step]);
                rest = &rest[step..];
            }
        }
    }
    out
}

/// Where a secret begins right at the start of `rest`: bytes to keep (its introduction), bytes to drop.
fn secret_after(rest: &str) -> Option<(usize, usize)> {
    if let Some(tail) = rest.strip_prefix("SCRAM-SHA-256$") {
        let end = tail.find(|c: char| !(c.is_ascii_alphanumeric() || "+/=$:".contains(c))).unwrap_or(tail.len());
        return Some((0, "SCRAM-SHA-256$".len() + end));
    }
    if let Some(tail) = rest.strip_prefix("md5") {
        let hex = tail.bytes().take_while(u8::is_ascii_hexdigit).count();
        if hex >= 32 {
            return Some((0, 3 + 32));
        }
    }
    if let Some(tail) = rest.strip_prefix("://") {
        // user:password@host
        let authority = &tail[..tail.find(['/', ' ', '"', '\'']).unwrap_or(tail.len())];
        let at = authority.rfind('@')?;
        let colon = authority[..at].find(':')?;
        return Some((3 + colon + 1, at - colon - 1));
    }
    let word = rest.get(..8).filter(|w| w.eq_ignore_ascii_case("password"))?;
    let after = &rest[word.len()..];
    let lead = after.find(|c: char| !" =:\\\"".contains(c)).unwrap_or(after.len());
    let begin = &after[lead..];
    match begin.strip_prefix('\'') {
        Some(quoted) => Some((word.len() + lead + 1, literal(quoted))),
        // password=secret, "password":"secret"; but not the word in a sentence
        None if after[..lead].contains(['=', ':']) => {
            let end = begin.find([' ', ',', '"', '\'', '\\', '&', '\n']).unwrap_or(begin.len());
            Some((word.len() + lead, end))
        }
        None => None,
    }
}

fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.".contains(c)
}

/// `AWS_SECRET_ACCESS_KEY=x`, `app.jwt_secret=x`, `--token='x y'`: a name that speaks of a secret, and its value.
fn assigned(rest: &str) -> Option<(usize, usize)> {
    const SECRET: [&str; 6] = ["passw", "passphrase", "secret", "token", "credential", "_key"];
    let name = &rest[..rest.find(|c| !in_name(c)).unwrap_or(rest.len())];
    let value = rest[name.len()..].strip_prefix('=')?;
    let lower = name.to_ascii_lowercase();
    if !SECRET.iter().any(|word| lower.contains(word)) {
        return None;
    }
    let keep = name.len() + 1;
    Some(match value.strip_prefix('\'') {
        Some(quoted) => (keep + 1, literal(quoted)),
        None => {
            let begin = value.trim_start_matches(['"', '\\']);
            let end = begin.find([' ', ',', '"', '\'', '\\', '&', ';', '\n']).unwrap_or(begin.len());
            (keep + value.len() - begin.len(), end)
        }
    })
}

/// Bytes up to the closing quote of a literal whose opening one is gone; a doubled quote is part of it. A literal that
/// is not closed on its line is a secret to the end.
fn literal(quoted: &str) -> usize {
    let bytes = quoted.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'\'' {
            if bytes.get(at + 1) != Some(&b'\'') {
                return at;
            }
            at += 1;
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn secrets_go_and_the_rest_stays() {
        for (before, after) in [
            (
                r#"{"query":"CREATE ROLE a PASSWORD 'SCRAM-SHA-256$4096:x/+=$y=:z='","n":1}"#,
                r#"{"query":"CREATE ROLE a PASSWORD '***'","n":1}"#,
            ),
            (
                "Command was: CREATE USER MAPPING FOR a SERVER o OPTIONS (\n    password 'um-''secret',\n    \"user\" 'u'",
                "Command was: CREATE USER MAPPING FOR a SERVER o OPTIONS (\n    password '***',\n    \"user\" 'u'",
            ),
            ("rolpassword md5d41d8cd98f00b204e9800998ecf8427e end", "rolpassword *** end"),
            ("x SCRAM-SHA-256$4096:salt$a:b.", "x ***."),
            ("password authentication failed for user \"a\"", "password authentication failed for user \"a\""),
            ("postgres://u:p%40ss@host/db password=abc host=h", "postgres://u:***@host/db password=*** host=h"),
            (r#""password": "abc", "user": "u""#, r#""password": "***", "user": "u""#),
            ("unclosed PASSWORD 'abc", "unclosed PASSWORD '***"),
            ("md5 of é is fine", "md5 of é is fine"),
            ("AWS_SECRET_ACCESS_KEY=a/b+c wal-g wal-push %p", "AWS_SECRET_ACCESS_KEY=*** wal-g wal-push %p"),
            ("app.jwt_secret=abc;x --token='it''s' y", "app.jwt_secret=***;x --token='***' y"),
            ("cannot get secret: forbidden; work_mem=4MB", "cannot get secret: forbidden; work_mem=4MB"),
        ] {
            assert_eq!(redact(before), after);
        }
    }
}

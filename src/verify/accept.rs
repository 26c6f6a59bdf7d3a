//! Names of tables as somebody types them.

use crate::{
    error::{Error, Result},
    postgres::{Db, Ident, session::Row},
};
use serde_json::Value;

/// Which of a database's tables these names mean, quoted, with schema; the names that mean none come second.
/// A name is `schema.table` or `database.schema.table`, in quotes as in SQL where it is not in lower case.
pub async fn tables_named(db: &mut Db, database: &str, names: &[String]) -> Result<(Vec<String>, Vec<String>)> {
    let rows = db.rows(include_str!("../postgres/sql/tables.sql"), &[]).await?;
    let part = |row: &Row, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let tables: Vec<[String; 2]> = rows.iter().map(|row| [part(row, "schema"), part(row, "relation")]).collect();
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for name in names {
        let parts = parts(name).ok_or_else(|| {
            Error::usage(format!("{name} is no table's name: it is schema.table or database.schema.table"))
        })?;
        let table = match parts.as_slice() {
            [of, table @ ..] if table.len() == 2 && of == database => table,
            table => table,
        };
        match tables.iter().any(|t| t.as_slice() == table) {
            true => known.push(table.iter().map(|part| Ident::new(part).to_string()).collect::<Vec<_>>().join(".")),
            false => unknown.push(name.clone()),
        }
    }
    Ok((known, unknown))
}

/// Two or three identifiers, folded to lower case outside of quotes. None: it is something else.
fn parts(name: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        let part = parts.last_mut()?;
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => part.push('"'),
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            c if quoted => part.push(c),
            c => part.extend(c.to_lowercase()),
        }
    }
    let whole = !quoted && matches!(parts.len(), 2 | 3) && parts.iter().all(|part| !part.is_empty());
    whole.then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_sql_reads_them() {
        let read = |name: &str| parts(name).map(|parts| parts.join("|"));
        assert_eq!(read("Public.Users").as_deref(), Some("public|users"));
        assert_eq!(read(r#""public"."Odd.""Name""#).as_deref(), Some(r#"public|Odd."Name"#));
        assert_eq!(read("shop.public.users").as_deref(), Some("shop|public|users"));
        for wrong in ["users", "a.b.c.d", "public.", r#""public.users"#, ""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}

//! Indexes of a physical copy, under another version of libc or ICU than they were made with: rows may sort otherwise there,
//! and are then not found, although every byte is the same.
//!
//! Looked at on the target, which may be a standby (before the promotion) or not (after it). amcheck compares each item of a
//! btree with its neighbour, and every row of the table with the index (`bt_index_check(.., heapallindexed)`).

use super::{Code, Item, Verdict, side::text, verdict::Unseen};
use crate::{
    error::{Error, Result},
    facts::collated::{self, Collation, Index, collations},
    postgres::{Db, Ident, session::Row, sql_error},
};
use std::collections::BTreeMap;

/// What was found, and the statements for the promoted target that make it good, in their order.
#[derive(Debug, Default)]
pub struct Indexes {
    pub items: Vec<Item>,
    pub repair: Vec<String>,
}

/// `source`: while it can be asked. `amcheck`: reads every index in question, and its table, once.
pub async fn indexes(source: Option<&mut Db>, target: &mut Db, database: &str, amcheck: bool) -> Indexes {
    look(source, target, database, amcheck).await.unwrap_or_else(|error| {
        let unseen = Unseen::of(&error);
        let item = Item::new(database, "collation version", "all", Verdict::Inconclusive, unseen.code);
        Indexes { items: vec![Item { note: Some(unseen.why), ..item }], repair: Vec::new() }
    })
}

async fn look(source: Option<&mut Db>, target: &mut Db, database: &str, amcheck: bool) -> Result<Indexes> {
    let theirs: BTreeMap<String, Collation> = match source {
        Some(db) => collations(db).await?.into_iter().map(|c| (c.id.clone(), c)).collect(),
        None => BTreeMap::new(),
    };
    let standby = target.identity().await?.in_recovery;
    let (mut found, mut suspect) = (Indexes::default(), Vec::new());
    for collation in collations(target).await? {
        let asked = theirs.get(&collation.id).and_then(|c| c.actual.clone());
        let Some(item) = judged(database, &collation, asked, standby) else { continue };
        if item.code != Code::Equal {
            suspect.push(collation);
        }
        found.items.push(item);
    }
    if suspect.is_empty() {
        return Ok(found);
    }
    let indexes = collated::indexes(target).await?;
    let checker = checker(target).await?;
    for index in indexes {
        if !suspect.iter().any(|c| index.collations.contains(&c.id)) || (standby && index.unlogged) {
            continue;
        }
        let item = checked(&index, target, database, amcheck, checker.as_deref()).await;
        if item.verdict != Verdict::Pass {
            found.repair.push(index.rebuild());
        }
        found.items.push(item);
    }
    found.repair.extend(suspect.iter().filter_map(|collation| collation.refresh(database)));
    Ok(found)
}

/// None: it has no version, as C. What is recorded is what the indexes were made with; on a standby it is the source's, who
/// may have gone on since.
fn judged(database: &str, collation: &Collation, source: Option<String>, standby: bool) -> Option<Item> {
    let asked = source.filter(|_| standby || collation.recorded.is_none());
    let made: Vec<&String> = collation.recorded.iter().chain(&asked).collect();
    if collation.actual.is_none() && made.is_empty() && collation.versioned != Some(true) {
        return None;
    }
    let other = made.iter().find(|made| Some(**made) != collation.actual.as_ref());
    let (verdict, code, note) = match (other, made.first(), &collation.actual) {
        (Some(_), ..) => {
            let note = "rows may sort otherwise at the target: each index that sorts by it is judged by itself";
            (Verdict::Pass, Code::Explained, Some(note))
        }
        (None, Some(_), Some(_)) => (Verdict::Pass, Code::Equal, None),
        _ => {
            (Verdict::Inconclusive, Code::VersionUnknown, Some("with which version the indexes were made is not known"))
        }
    };
    let item = Item::new(database, "collation version", &collation.name, verdict, code);
    let made = other.or(made.first()).map(|made| (*made).clone());
    Some(Item { source: made, target: collation.actual.clone(), note: note.map(String::from), ..item })
}

/// The schema of amcheck; None: it is not installed in this database.
async fn checker(db: &mut Db) -> Result<Option<String>> {
    let query = "SELECT n.nspname AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'amcheck'";
    Ok(db.rows(query, &[]).await?.first().map(|row: &Row| text(row, "schema")))
}

async fn checked(index: &Index, db: &mut Db, database: &str, asked: bool, checker: Option<&str>) -> Item {
    let told = |verdict, code, note: &str| Item {
        note: (!note.is_empty()).then(|| note.to_owned()),
        ..Item::new(database, "index order", &index.name(), verdict, code)
    };
    let schema = match (asked, index.kind.as_str(), checker) {
        (_, kind, _) if kind != "btree" => {
            let why = format!("amcheck does not read indexes of kind {kind}");
            return told(Verdict::Inconclusive, Code::IndexUnchecked, &why);
        }
        (false, ..) => return told(Verdict::Inconclusive, Code::IndexUnchecked, "verify --indexes reads it"),
        (_, _, None) => {
            let why = "the extension amcheck is not in this database: CREATE EXTENSION amcheck (before the promotion: at the source)";
            return told(Verdict::Inconclusive, Code::AmcheckAbsent, why);
        }
        (_, _, Some(schema)) => schema,
    };
    let check = format!("SELECT {}.bt_index_check({}::regclass, true)", Ident::new(schema), index.oid);
    let checked = match db.run("SET statement_timeout = 0").await {
        Ok(()) => db.run(&check).await,
        failed => failed,
    };
    match checked {
        Ok(()) => told(Verdict::Pass, Code::Equal, "every row is where the target's library sorts it"),
        Err(error) if broken(&error) => told(Verdict::Fail, Code::IndexBroken, &Unseen::of(&error).why),
        Err(error) => {
            let Unseen { code, why } = Unseen::of(&error);
            told(Verdict::Inconclusive, code, &why)
        }
    }
}

/// Data corrupted, index corrupted (PostgreSQL 17 docs, appendix A); amcheck's words where psql does not tell the code.
fn broken(error: &Error) -> bool {
    sql_error(error).is_some_and(|e| match e.code.as_str() {
        "XX001" | "XX002" => true,
        "" => e.message.contains("invariant violated") || e.message.contains("lacks matching index tuple"),
        _ => false,
    })
}

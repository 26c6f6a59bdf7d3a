//! A materialised view that was made anew at the target differs wherever the source's is older than its tables. That the
//! target's is right is seen by making it anew once more: the same rows again are what its definition gives, out of tables
//! that are compared themselves. REFRESH runs the definition as the view's owner, whatever is in it, and is rolled back.

use super::{
    Code, Item, Unseen,
    hash::Hasher,
    scan::{self, Fingerprint},
    side::{self, Answers},
    tables::Table,
};
use crate::postgres::Db;

pub(crate) async fn make_anew(db: &mut Db, theirs: &Answers<'_>, hasher: &Hasher, items: &mut [Item]) {
    let Ok(tables) = &theirs.tables else { return };
    for item in items.iter_mut().filter(|item| item.code == Code::Stale) {
        let Some(seen) = tables.get(&item.name) else { continue };
        let hasher = (item.kind == "data").then_some(hasher);
        match anew(db, &seen.table, hasher).await {
            Ok(now) if seen.rows.as_ref().ok() == Some(&now) => {
                item.explain("stale at the source; the target's is what its definition gives, made anew twice".into());
            }
            Ok(_) => {
                item.note = Some("differs from the source's, and its definition gives other rows each time".into());
            }
            Err(why) => item.note = Some(format!("differs, and could not be made anew at the target: {why}")),
        }
    }
}

async fn anew(db: &mut Db, view: &Table, hasher: Option<&Hasher>) -> Result<Fingerprint, Unseen> {
    let looked = async {
        db.run(&format!("BEGIN; {}; REFRESH MATERIALIZED VIEW {}", side::SETTINGS, view.name)).await?;
        db.one(&scan::query(view, "", hasher), &[]).await
    };
    let looked = looked.await.map_err(|e| Unseen::of(&e)).and_then(|row| Fingerprint::read(&row));
    db.run("ROLLBACK").await.map_err(|e| Unseen::of(&e))?;
    looked
}

//! Indexes that sort by a collation, and what makes them right again where another version of libc or ICU sorts otherwise.

use crate::{
    error::{Context, Result},
    postgres::{Db, Ident},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// A collation that an index of this database sorts by.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Collation {
    /// Its OID.
    pub id: String,
    pub name: String,
    /// The database's own.
    pub default: bool,
    /// c: libc, i: ICU, b: PostgreSQL itself.
    pub provider: String,
    /// Version of the library that the indexes were made with.
    pub recorded: Option<String>,
    /// Of the one that is there.
    pub actual: Option<String>,
    pub versioned: Option<bool>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Index {
    pub schema: String,
    pub relation: String,
    pub oid: i64,
    /// btree, gist ...
    pub kind: String,
    /// Of an exclusion constraint.
    pub exclusion: bool,
    pub unlogged: bool,
    /// OIDs.
    pub collations: Vec<String>,
}

/// Of one database, the indexes from the smallest to the biggest.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Collated {
    pub collations: Vec<Collation>,
    pub indexes: Vec<Index>,
}

pub async fn collated(db: &mut Db) -> Result<Collated> {
    Ok(Collated { collations: collations(db).await?, indexes: indexes(db).await? })
}

pub async fn collations(db: &mut Db) -> Result<Vec<Collation>> {
    let default = match db.identity().await?.version_num {
        150_000.. => "pg_database_collation_actual_version(d.oid)",
        // Every locale of libc has libc's version.
        _ => "(SELECT max(pg_collation_actual_version(l.oid)) FROM pg_collation l WHERE l.collprovider = 'c')",
    };
    let query = include_str!("../postgres/sql/index_collations.sql").replace("{default}", default);
    list(db, &query).await.context("read the list of collations")
}

pub async fn indexes(db: &mut Db) -> Result<Vec<Index>> {
    list(db, include_str!("../postgres/sql/collated_indexes.sql")).await.context("read the list of indexes")
}

async fn list<T: DeserializeOwned>(db: &mut Db, query: &str) -> Result<Vec<T>> {
    let rows = db.rows(query, &[]).await?;
    rows.into_iter().map(|row| serde_json::from_value(Value::Object(row)).context("what was asked for")).collect()
}

impl Collated {
    /// For a physical copy whose libc has this version, once it is promoted: what sorts by another one is built anew, the
    /// biggest last, and then the version is recorded.
    pub fn repair(&self, database: &str, libc: &str) -> Vec<String> {
        let other = |c: &&Collation| c.provider == "c" && c.actual.as_deref().is_some_and(|actual| actual != libc);
        let other: Vec<&Collation> = self.collations.iter().filter(other).collect();
        let sorts = |index: &&Index| other.iter().any(|c| index.collations.contains(&c.id));
        let rebuilt = self.indexes.iter().filter(sorts).map(Index::rebuild);
        rebuilt.chain(other.iter().filter_map(|c| c.refresh(database))).collect()
    }
}

impl Index {
    pub fn name(&self) -> String {
        format!("{}.{}", Ident::new(&self.schema), Ident::new(&self.relation))
    }

    /// What an exclusion constraint stands on can't be rebuilt while it is used (PostgreSQL 17 docs, REINDEX).
    pub fn rebuild(&self) -> String {
        let how = if self.exclusion { "" } else { "CONCURRENTLY " };
        format!("REINDEX INDEX {how}{};", self.name())
    }
}

impl Collation {
    /// Only after its indexes are right: it takes the warning away.
    pub fn refresh(&self, database: &str) -> Option<String> {
        self.recorded.as_ref()?;
        Some(match self.default {
            true => format!("ALTER DATABASE {} REFRESH COLLATION VERSION;", Ident::new(database)),
            false => format!("ALTER COLLATION {} REFRESH VERSION;", self.name),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_sorts_by_another_libc_is_rebuilt() {
        let collation = |id: &str, provider: &str, default, actual: Option<&str>| Collation {
            id: id.into(),
            name: format!("c{id}"),
            default,
            provider: provider.into(),
            recorded: actual.map(Into::into),
            actual: actual.map(Into::into),
            versioned: Some(actual.is_some()),
        };
        let index = |relation: &str, collation: &str, exclusion| Index {
            schema: "public".into(),
            relation: relation.into(),
            oid: 1,
            kind: "btree".into(),
            exclusion,
            unlogged: false,
            collations: vec![collation.into()],
        };
        let collated = Collated {
            collations: vec![
                collation("100", "c", true, Some("2.31")),
                collation("1", "c", false, None),
                collation("2", "i", false, Some("153.1")),
            ],
            indexes: vec![
                index("small", "100", false),
                index("plain", "1", false),
                index("icu", "2", false),
                index("Big", "100", true),
            ],
        };
        let expected = [
            r#"REINDEX INDEX CONCURRENTLY "public"."small";"#,
            r#"REINDEX INDEX "public"."Big";"#,
            r#"ALTER DATABASE "app" REFRESH COLLATION VERSION;"#,
        ];
        assert_eq!(collated.repair("app", "2.36"), expected);
        assert_eq!(collated.repair("app", "2.31"), Vec::<String>::new());
    }
}

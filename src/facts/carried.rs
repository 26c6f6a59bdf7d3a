//! What an import loses, and the statements that bring it back (observed-import-logical.md 2).
//!
//! The same facts are read on both sides and told as statements: what the source has and the target has not is to be
//! repaired, so that the list is empty when it was.

use super::{
    scram,
    server::{many, system_role},
    zalando,
};
use crate::{
    error::{Context, Result},
    kube::Kube,
    postgres::{Db, Ident, Literal},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One thing to put right on the target. The order is that of application: roles before what names them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Repair {
    pub order: Order,
    /// `role app_rw`, `membership of app_rw in readers`.
    pub about: String,
    /// A whole statement, without a secret.
    pub statement: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    Role,
    Attributes,
    Membership,
    Setting,
    Database,
    Object,
}

/// A password to set: its statement is run and forgotten, never shown or journaled.
pub struct Password {
    pub role: String,
    /// Made anew from the clear text in the operator's Secret.
    pub rehashed: bool,
    pub statement: SecretString,
}

/// Makes a session's statements stay out of the server's log and of pg_stat_statements (superuser).
pub const PRIVATE: &str = include_str!("../postgres/sql/private.sql");

/// What the cluster-wide catalogue of the source has and the target lacks. Both sessions: any database, superuser.
/// `databases`: the ones that moved.
pub async fn cluster(source: &mut Db, target: &mut Db, databases: &[String]) -> Result<Vec<Repair>> {
    let major = target.identity().await?.version_num / 10000;
    let wanted = facts(source, databases, major).await.context("reading the source's roles and settings")?;
    let there = facts(target, databases, major).await.context("reading the target's roles and settings")?;
    Ok(wanted.difference(&there).cloned().collect())
}

/// What belongs to one database: both sessions must be in it. Owners of large objects.
pub async fn database(source: &mut Db, target: &mut Db) -> Result<Vec<Repair>> {
    let wanted = large_objects(source).await.context("reading the source's large objects")?;
    let there = large_objects(target).await.context("reading the target's large objects")?;
    // One that is missing altogether is a loss of data, which no statement of ours brings back: verify says so.
    let repairs = wanted.iter().filter(|(id, owner)| there.get(*id).is_some_and(|o| &o != owner));
    let repair = |(id, owner): (&i64, &String)| Repair {
        order: Order::Object,
        about: format!("large object {id}"),
        statement: format!("ALTER LARGE OBJECT {id} OWNER TO {}", Ident::new(owner)),
    };
    Ok(repairs.map(repair).collect())
}

/// Clear texts of the md5 roles, from the operator's Secrets; one whose Secret is for another user (rotation) is left out.
pub async fn clear_texts(kube: &Kube, cluster: &str, source: &mut Db) -> Result<BTreeMap<String, SecretString>> {
    let mut known = BTreeMap::new();
    for (role, verifier) in verifiers(source).await.context("reading the source's passwords")? {
        if verifier.starts_with("md5")
            && !system_role(&role)
            && let Ok((user, password)) = zalando::credentials(kube, cluster, &role).await
            && user == role
        {
            known.insert(role, password);
        }
    }
    Ok(known)
}

/// Which passwords to set on the target, and the md5 roles whose clear text nobody has. An md5 one is made anew from its
/// clear text, since CNPG's last hba line asks for scram; every other verifier is carried as it is.
pub async fn passwords(
    source: &mut Db,
    target: &mut Db,
    known: &BTreeMap<String, SecretString>,
) -> Result<(Vec<Password>, Vec<String>)> {
    let wanted = verifiers(source).await.context("reading the source's passwords")?;
    let there = verifiers(target).await.context("reading the target's passwords")?;
    let (mut set, mut left) = (Vec::new(), Vec::new());
    for (role, verifier) in wanted.iter().filter(|(role, v)| !v.is_empty() && !system_role(role)) {
        let now = there.get(role).map_or("", String::as_str);
        let md5 = verifier.starts_with("md5");
        if md5 && now.starts_with("SCRAM-SHA-256$") {
            continue;
        }
        match known.get(role).filter(|_| md5) {
            Some(password) => set.push(password_of(role, &scram::verifier(password), true)),
            None if verifier == now => {}
            None => set.push(password_of(role, &SecretString::from(verifier.clone()), false)),
        }
        if md5 && !known.contains_key(role) {
            left.push(role.clone());
        }
    }
    Ok((set, left))
}

fn password_of(role: &str, verifier: &SecretString, rehashed: bool) -> Password {
    use secrecy::ExposeSecret;
    let statement = format!("ALTER ROLE {} PASSWORD {}", Ident::new(role), Literal::new(verifier.expose_secret()));
    Password { role: role.to_owned(), rehashed, statement: SecretString::from(statement) }
}

async fn facts(db: &mut Db, databases: &[String], major: u32) -> Result<BTreeSet<Repair>> {
    let mut facts = BTreeSet::new();
    for role in many::<Role>(db, include_str!("../postgres/sql/carried_roles.sql"), &[], "roles").await? {
        if !system_role(&role.name) {
            facts.extend(role.told());
        }
    }
    let memberships =
        many::<Membership>(db, include_str!("../postgres/sql/carried_memberships.sql"), &[], "memberships");
    facts.extend(memberships.await?.iter().filter_map(|m| m.told(major)));
    let names = databases.join("\n");
    let named = [names.as_str()];
    let settings = many::<Setting>(db, include_str!("../postgres/sql/carried_settings.sql"), &named, "settings");
    facts.extend(settings.await?.iter().filter_map(Setting::told));
    let databases = many::<Base>(db, include_str!("../postgres/sql/carried_databases.sql"), &named, "databases");
    facts.extend(databases.await?.iter().flat_map(Base::told));
    Ok(facts)
}

async fn large_objects(db: &mut Db) -> Result<BTreeMap<i64, String>> {
    #[derive(Deserialize)]
    struct LargeObject {
        id: i64,
        owner: String,
    }
    let all = many::<LargeObject>(db, include_str!("../postgres/sql/carried_large_objects.sql"), &[], "large objects");
    Ok(all.await?.into_iter().map(|o| (o.id, o.owner)).collect())
}

async fn verifiers(db: &mut Db) -> Result<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    struct Stored {
        name: String,
        verifier: String,
    }
    let all = many::<Stored>(db, include_str!("../postgres/sql/carried_passwords.sql"), &[], "passwords").await?;
    Ok(all.into_iter().map(|s| (s.name, s.verifier)).collect())
}

#[derive(Deserialize)]
struct Role {
    name: String,
    superuser: bool,
    inherit: bool,
    createrole: bool,
    createdb: bool,
    login: bool,
    replication: bool,
    bypassrls: bool,
    connection_limit: i32,
    valid_until: String,
    comment: Option<String>,
}

impl Role {
    fn told(&self) -> Vec<Repair> {
        let ident = Ident::new(&self.name);
        let about = format!("role {}", self.name);
        // An import logs a failed CREATE ROLE and goes on: the role may be missing.
        let create = format!(
            "DO {}",
            Literal::new(format!("BEGIN CREATE ROLE {ident}; EXCEPTION WHEN duplicate_object THEN NULL; END"))
        );
        let words = [
            (self.superuser, "SUPERUSER"),
            (self.inherit, "INHERIT"),
            (self.createrole, "CREATEROLE"),
            (self.createdb, "CREATEDB"),
            (self.login, "LOGIN"),
            (self.replication, "REPLICATION"),
            (self.bypassrls, "BYPASSRLS"),
        ];
        let words: Vec<String> =
            words.iter().map(|(on, word)| format!("{}{word}", if *on { "" } else { "NO" })).collect();
        let alter = format!(
            "ALTER ROLE {ident} {} CONNECTION LIMIT {} VALID UNTIL {}",
            words.join(" "),
            self.connection_limit,
            Literal::new(&self.valid_until)
        );
        let mut told = vec![
            Repair { order: Order::Role, about: about.clone(), statement: create },
            Repair { order: Order::Attributes, about: about.clone(), statement: alter },
        ];
        if let Some(comment) = &self.comment {
            let statement = format!("COMMENT ON ROLE {ident} IS {}", Literal::new(comment));
            told.push(Repair { order: Order::Attributes, about, statement });
        }
        told
    }
}

#[derive(Deserialize)]
struct Membership {
    role: String,
    member: String,
    admin: bool,
    inherit: bool,
    set: bool,
}

impl Membership {
    /// Memberships of the operators' roles and in them are theirs; in PostgreSQL's predefined roles they are ours.
    fn told(&self, major: u32) -> Option<Repair> {
        let theirs = |name: &str| system_role(name) && !name.starts_with("pg_");
        if theirs(&self.role) || system_role(&self.member) {
            return None;
        }
        let options = match major {
            16.. => format!(" WITH ADMIN {}, INHERIT {}, SET {}", self.admin, self.inherit, self.set),
            _ if self.admin => " WITH ADMIN OPTION".to_owned(),
            _ => String::new(),
        };
        Some(Repair {
            order: Order::Membership,
            about: format!("membership of {} in {}", self.member, self.role),
            statement: format!("GRANT {} TO {}{options}", Ident::new(&self.role), Ident::new(&self.member)),
        })
    }
}

#[derive(Deserialize)]
struct Setting {
    database: Option<String>,
    role: Option<String>,
    name: String,
    value: String,
}

impl Setting {
    fn told(&self) -> Option<Repair> {
        if self.role.as_deref().is_some_and(system_role) {
            return None;
        }
        let of = match (&self.role, &self.database) {
            (None, None) => "ROLE ALL".to_owned(),
            (Some(role), None) => format!("ROLE {}", Ident::new(role)),
            (None, Some(database)) => format!("DATABASE {}", Ident::new(database)),
            (Some(role), Some(database)) => format!("ROLE {} IN DATABASE {}", Ident::new(role), Ident::new(database)),
        };
        // `auto_explain.log_analyze` is two identifiers.
        let name: Vec<String> = self.name.split('.').map(|part| Ident::new(part).to_string()).collect();
        Some(Repair {
            order: Order::Setting,
            about: format!("setting {} of {}", self.name, of.to_lowercase()),
            statement: format!("ALTER {of} SET {} TO {}", name.join("."), setting_value(&self.name, &self.value)),
        })
    }
}

/// The settings whose stored value is a list of quoted identifiers (GUC_LIST_QUOTE; pg_dump has the same list).
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// A list is taken apart and every element made a literal: its owner may have stored anything in it, and we are superuser.
fn setting_value(name: &str, value: &str) -> String {
    if !LISTS.contains(&name) {
        return Literal::new(value).to_string();
    }
    let mut elements = Vec::new();
    let mut rest = value.trim();
    while !rest.is_empty() {
        let (element, tail) = element(rest);
        elements.push(Literal::new(element).to_string());
        rest = tail.trim_start().strip_prefix(',').unwrap_or("").trim_start();
    }
    if elements.is_empty() { "''".to_owned() } else { elements.join(", ") }
}

/// The first identifier of a list, unquoted, and what follows it.
fn element(list: &str) -> (String, &str) {
    let Some(quoted) = list.strip_prefix('"') else {
        let end = list.find(',').unwrap_or(list.len());
        return (list[..end].trim().to_owned(), &list[end..]);
    };
    let mut name = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '"' {
            name.push(c);
        } else if chars.next_if(|(_, next)| *next == '"').is_some() {
            name.push('"');
        } else {
            return (name, &quoted[at + 1..]);
        }
    }
    (name, "")
}

/// A database's own facts.
#[derive(Deserialize)]
struct Base {
    name: String,
    owner: String,
    connection_limit: i32,
    comment: Option<String>,
}

impl Base {
    fn told(&self) -> Vec<Repair> {
        let ident = Ident::new(&self.name);
        let repair = |statement| Repair { order: Order::Database, about: format!("database {}", self.name), statement };
        let mut told = vec![
            repair(format!("ALTER DATABASE {ident} OWNER TO {}", Ident::new(&self.owner))),
            repair(format!("ALTER DATABASE {ident} CONNECTION LIMIT {}", self.connection_limit)),
        ];
        told.extend(
            self.comment.as_ref().map(|c| repair(format!("COMMENT ON DATABASE {ident} IS {}", Literal::new(c)))),
        );
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_taken_apart() {
        let parts = |value: &str| {
            let (mut parts, mut rest) = (Vec::new(), value);
            while !rest.is_empty() {
                let (part, tail) = element(rest);
                parts.push(part);
                rest = tail.trim_start().strip_prefix(',').unwrap_or("").trim_start();
            }
            parts
        };
        assert_eq!(parts(r#""$user", public"#), ["$user", "public"]);
        assert_eq!(parts(r#""odd "" , name",b"#), [r#"odd " , name"#, "b"]);
        assert_eq!(parts("a;ALTER/**/ROLE/**/x/**/SUPERUSER"), ["a;ALTER/**/ROLE/**/x/**/SUPERUSER"]);
        assert_eq!(parts("\"\""), [""]);
    }
}

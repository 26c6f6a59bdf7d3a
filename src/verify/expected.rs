//! Which differences are no losses, and why.

use crate::facts::server::system_role;

/// What may differ between the two sides of this migration. The default: nothing.
#[derive(Debug, Clone, Default)]
pub struct Expectations {
    /// The source is Spilo's, the target CNPG's: each has helpers and roles of its own.
    pub zalando_to_cnpg: bool,
    /// The target is a physical copy: unlogged tables are empty.
    pub unlogged_empty: bool,
    /// The target was restored from a dump: materialised views were made anew, out of tables that may have gone on since.
    pub refreshed: bool,
    /// Roles whose password was set anew from its clear text, so that the verifiers differ.
    pub rehashed: Vec<String>,
}

/// Schemas of Spilo and of the operator's pooler.
const SPILO_SCHEMAS: [&str; 5] = ["metric_helpers", "user_management", "pooler", "zmon_utils", "cron"];
const SPILO_EXTENSIONS: [&str; 6] = ["set_user", "pg_stat_kcache", "pg_auth_mon", "bg_mon", "pg_mon", "pgextwlist"];

impl Expectations {
    pub fn zalando_to_cnpg() -> Self {
        Expectations { zalando_to_cnpg: true, ..Expectations::default() }
    }

    /// Why an item may differ; None: it may not.
    pub(crate) fn reason(&self, name: &str, source: Option<&str>, target: Option<&str>) -> Option<String> {
        let spilo = self.zalando_to_cnpg && target.is_none() && source.is_some() && spilo_schema(name);
        spilo.then(|| "Spilo's own schema, left behind".into())
    }

    /// The same for a fact of the catalogue.
    pub(crate) fn of_fact(
        &self,
        kind: &str,
        id: &str,
        source: Option<&str>,
        target: Option<&str>,
        majors_differ: bool,
    ) -> Option<String> {
        if let Some(reason) = self.reason(id, source, target) {
            return Some(reason);
        }
        if let Some(reason) = across_majors(kind, id, majors_differ) {
            return Some(reason.into());
        }
        if kind == "index" && target.is_none() && source.is_some_and(|s| s.contains(" valid=f")) {
            return Some("an invalid index is not dumped".into());
        }
        if kind == "role password"
            && self.rehashed.iter().any(|r| r == id)
            && target.is_some_and(|t| t.starts_with("SCRAM"))
        {
            return Some("set anew from its clear text, as scram".into());
        }
        if !self.zalando_to_cnpg {
            return None;
        }
        operators(kind, id, source, target).map(str::to_owned)
    }
}

/// Facts that a newer major sets up differently by itself.
fn across_majors(kind: &str, id: &str, differ: bool) -> Option<&'static str> {
    let public = kind == "schema" && id == "public";
    match (differ, kind) {
        (true, _) if public => Some("PostgreSQL 15 gave schema public another owner and other default rights"),
        (true, "catalogue privileges" | "extension member privileges") => {
            Some("the majors differ in their own objects' default rights")
        }
        _ => None,
    }
}

/// What either operator, Spilo or Patroni keeps on its own side.
fn operators(kind: &str, id: &str, source: Option<&str>, target: Option<&str>) -> Option<&'static str> {
    let unquoted = |name: &str| system_role(name.trim_matches('"'));
    match kind {
        "role" | "role password" | "role comment" if system_role(id) => Some("a role of the operators"),
        // Membership in a predefined role is the application's own.
        "membership" if id.split(" <- ").any(|name| unquoted(name) && !name.starts_with("pg_")) => {
            Some("a membership of the operators' roles")
        }
        "setting" if id.split(" / ").nth(1).is_some_and(unquoted) => Some("a setting of the operators' roles"),
        "default privileges" if id.split(' ').any(unquoted) => Some("default rights of the operators' roles"),
        "schema" if target.is_none() && SPILO_SCHEMAS.contains(&id) => Some("Spilo's own schema, left behind"),
        "extension" if SPILO_EXTENSIONS.contains(&id) && target.is_none() => {
            Some("Spilo's own extension, not in CNPG's images")
        }
        "extension" if id == "pg_stat_statements" => Some("kept by CNPG's instance manager as its parameters say"),
        "extension" if same_schema(source, target) => Some(
            "the version comes with the target's image; its owner is the superuser who restored it, and cannot be changed",
        ),
        "extension member privileges"
            if id.contains("pg_stat_statements") || target.is_none() && spilo_function(id) =>
        {
            Some("rights on an extension that CNPG manages or that was left behind")
        }
        "publication" | "subscription" if id.starts_with("pgmigrate") => Some("of this program"),
        "subscription" if source.is_some() && target.is_some() => {
            Some("a restored subscription is disabled until somebody enables it")
        }
        "catalogue privileges" if only_admin(source, target) => Some("rights of Spilo's own roles"),
        "function" if source.is_none() && id == "public.user_search(text)" => {
            Some("how CNPG's pooler looks up passwords")
        }
        _ if source.is_some() && source.map(str::to_owned) == target.map(without_pooler) => {
            Some("a right of CNPG's pooler")
        }
        "comment" if target.is_none() && id.split(' ').next_back().is_some_and(spilo_schema) => {
            Some("Spilo's own schema, left behind")
        }
        _ => None,
    }
}

/// `metric_helpers.f(integer)` and the like.
fn spilo_schema(name: &str) -> bool {
    let first = name.split(['.', ' ']).next().unwrap_or_default().trim_matches('"');
    SPILO_SCHEMAS.contains(&first)
}

fn spilo_function(id: &str) -> bool {
    ["set_user", "reset_user", "set_session_auth", "pg_stat_kcache", "pg_auth_mon"].iter().any(|f| id.contains(f))
}

/// Extensions that differ in version, or in an owner that is `postgres` at the target: there is no ALTER EXTENSION OWNER.
fn same_schema(source: Option<&str>, target: Option<&str>) -> bool {
    let part = |value: Option<&str>, key: &str| {
        let rest = value?.split_once(key)?.1;
        Some(rest.split(' ').next().unwrap_or_default().to_owned())
    };
    let owner = part(target, "owner=");
    source.is_some()
        && part(source, "schema=") == part(target, "schema=")
        && (owner == part(source, "owner=") || owner.as_deref() == Some("postgres"))
}

/// A list of rights (`acl=a=X/o,b=Y/o`) without those of CNPG's pooler.
fn without_pooler(value: &str) -> String {
    let words = value.split(' ').map(|word| {
        let rights: Vec<&str> = word.split(',').collect();
        let kept = rights.iter().filter(|right| !right.starts_with("cnpg_pooler_pgbouncer="));
        kept.copied().collect::<Vec<_>>().join(",")
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The two lists of changed privileges differ in those of the operators' roles only.
fn only_admin(source: Option<&str>, target: Option<&str>) -> bool {
    let others = |value: Option<&str>| -> Vec<String> {
        let role = |grant: &str| grant.trim_start_matches(['+', '-']).split('=').next().unwrap_or_default().to_owned();
        let changes = value.unwrap_or_default().split(',').filter(|c| !c.is_empty());
        changes.filter(|c| !system_role(&role(c))).map(str::to_owned).collect()
    };
    others(source) == others(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_not_explained_away() {
        let e = Expectations::zalando_to_cnpg();
        let why = |kind, id, s, t| e.of_fact(kind, id, s, t, false);
        assert!(why("role", "standby", Some("x"), None).is_some());
        assert!(why("role", "app_owner", Some("inherit=f"), Some("inherit=t")).is_none());
        assert!(why("membership", "readers <- app_rw", Some("admin=f"), None).is_none());
        assert!(why("membership", "pg_monitor <- app_rw", Some("admin=f"), None).is_none());
        assert!(why("function", "metric_helpers.f(integer)", Some("x"), None).is_some());
        assert!(why("function", "app.f(integer)", Some("x"), None).is_none());
        assert!(
            why("extension", "hstore", Some("schema=a owner=b version=1.7"), Some("schema=a owner=b version=1.8"))
                .is_some()
        );
        assert!(why("extension", "hstore", Some("schema=a owner=b version=1.7"), None).is_none());
        assert!(why("catalogue privileges", "relation pg_stat_activity", Some("+admin=SELECT"), None).is_some());
        assert!(
            why(
                "catalogue privileges",
                "function pg_switch_wal()",
                Some("+admin=EXECUTE,+app=EXECUTE"),
                Some("+admin=EXECUTE")
            )
            .is_none()
        );
        assert!(why("role password", "app", Some("md5x"), Some("SCRAM-SHA-256$x")).is_none());
        let source = Some("owner=a acl=PUBLIC=CONNECT/a,a=CREATE/a provider=c");
        let pooler = "owner=a acl=PUBLIC=CONNECT/a,cnpg_pooler_pgbouncer=CONNECT/a,a=CREATE/a provider=c";
        assert!(why("database", "app", source, Some(pooler)).is_some());
        assert!(why("database", "app", source, Some(&pooler.replace("a=CREATE/a", "b=CREATE/a"))).is_none());
    }
}

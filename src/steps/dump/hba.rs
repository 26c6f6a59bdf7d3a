//! The fence's rules, and how they get into a member and out again.

use crate::{
    error::{Context, Error, Result},
    kube::Kube,
    postgres::Db,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);
const FENCE: &str = include_str!("fence.sh");
const UNFENCE: &str = include_str!("unfence.sh");
const FORGET: &str = r#"rm -f "$PGDATA/../../../postgres.yml.pgmigrate" "$PGDATA/../../../pg_hba.pgmigrate""#;

/// Local sockets (Patroni's, ours), the standbys' replication, the migration's role; nobody else, superusers included.
/// In the form of `pg_hba_file_rules` too, so that the two can be compared.
pub fn fence(role: &str) -> Vec<String> {
    vec![
        "local all all trust".into(),
        "local replication standby trust".into(),
        "host replication standby all md5".into(),
        format!("host all {role} all scram-sha-256"),
        "host all all all reject".into(),
        "host replication all all reject".into(),
    ]
}

/// The rules in the server's file, one a line, without their options. An unreadable line is an error: the server then
/// keeps the rules it had.
pub async fn rules(db: &mut Db) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Rule {
        rule: String,
        error: Option<String>,
        line: Option<i32>,
    }
    let rows =
        db.rows(include_str!("../../postgres/sql/hba_rules.sql"), &[]).await.context("reading pg_hba_file_rules")?;
    let mut rules = Vec::new();
    for row in rows {
        let rule: Rule = serde_json::from_value(Value::Object(row)).context("reading pg_hba_file_rules")?;
        if let Some(error) = rule.error {
            return Err(Error::failed(format!("line {} of pg_hba.conf: {error}", rule.line.unwrap_or(0))));
        }
        rules.push(rule.rule);
    }
    Ok(rules)
}

/// Writes the rules into Patroni's configuration file and the server's own, then tells Patroni: it holds its list in
/// memory, and without the reload the next restart would write the old rules back (observed-import-logical.md 3).
pub async fn write(kube: &Kube, pod: &str, rules: &[String]) -> Result<()> {
    let mut argv = vec!["sh", "-c", FENCE, "fence"];
    argv.extend(rules.iter().map(String::as_str));
    kube.exec_ok(pod, "postgres", &argv, LIMIT).await.with_context(|| format!("fencing member {pod}"))?;
    reload(kube, pod).await
}

/// Puts both files back and tells Patroni.
pub async fn restore(kube: &Kube, pod: &str) -> Result<()> {
    kube.exec_ok(pod, "postgres", &["sh", "-c", UNFENCE], LIMIT)
        .await
        .with_context(|| format!("opening member {pod}"))?;
    reload(kube, pod).await
}

/// Removes the copies: only when what they hold is in force again.
pub async fn forget(kube: &Kube, pod: &str) -> Result<()> {
    kube.exec_ok(pod, "postgres", &["sh", "-c", FORGET], LIMIT).await.map(drop)
}

async fn reload(kube: &Kube, pod: &str) -> Result<()> {
    let (status, body) = kube.http(pod, 8008, "POST", "/reload", Some(&json!({})), LIMIT).await?;
    match status {
        // 202: scheduled; 200: nothing to do
        200..=299 => Ok(()),
        _ => Err(Error::failed(format!("Patroni in pod {pod} answered {status} to POST /reload: {}", body.trim()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, process::Command};

    /// PyYAML's layout, with a wrapped line, and `pg_hba` under another section too.
    const YML: &str = "bootstrap:\n  pg_hba:\n  - local all all peer\npostgresql:\n  authentication:\n    superuser:\n      password: x\n  \
                       pg_hba:\n  - local   all   all   trust\n  - hostssl all +zalandos    127.0.0.1/32\n    pam\n  - hostssl all all all md5\n  \
                       pgpass: /run/pgpass\nrestapi:\n  listen: :8008\n";

    #[test]
    fn both_scripts_on_real_files() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("pgdata/pgroot/data");
        fs::create_dir_all(&data).unwrap();
        let (yml, hba) = (dir.path().join("postgres.yml"), data.join("pg_hba.conf"));
        fs::write(&yml, YML).unwrap();
        fs::write(&hba, "local all all trust\n").unwrap();
        let run = |script: &str, args: &[String]| {
            let out = Command::new("sh").args(["-c", script, "x"]).args(args).env("PGDATA", &data).output().unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        };
        let rules = fence("pgmigrate_x");
        // twice: the second run keeps the first one's copies
        run(FENCE, &rules);
        run(FENCE, &rules);
        let written: Value = serde_saphyr::from_str(&fs::read_to_string(&yml).unwrap()).unwrap();
        assert_eq!(written["postgresql"]["pg_hba"], json!(rules));
        assert_eq!(written["bootstrap"]["pg_hba"], json!(["local all all peer"]));
        assert_eq!(written["postgresql"]["pgpass"], "/run/pgpass");
        assert_eq!(fs::read_to_string(&hba).unwrap(), rules.join("\n") + "\n");
        run(UNFENCE, &[]);
        assert_eq!(fs::read_to_string(&yml).unwrap(), YML);
        assert_eq!(fs::read_to_string(&hba).unwrap(), "local all all trust\n");
        run(FORGET, &[]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}

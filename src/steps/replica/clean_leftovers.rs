//! Takes Spilo's helper objects out of the promoted target: schemas, extensions and roles that CNPG knows nothing of.
//!
//! After the window, since no app uses them. What was done by hand in observed-physical.md 4.4; `IF EXISTS` throughout,
//! so running again is harmless. Not undone: the target is ours, the source has them still.

use crate::{
    error::{Context, Result},
    facts::{cnpg, server},
    kube::kind::CLUSTER,
    postgres::Ident,
    step::*,
    steps::ends,
};
use serde_json::{Value, json};
use std::time::Duration;

pub struct CleanLeftovers {
    /// Drop the roles too, `standby` with its password among them: only when the way back is given up.
    pub roles: bool,
}

/// What `clean_spilo.sql` drops. pg_stat_statements stays (the target's manifest keeps it), pg_cron is the user's to judge.
const CLEANED: [&str; 6] = ["metric_helpers", "user_management", "pooler", "zmon_utils", "set_user", "pg_stat_kcache"];
const CLEAN: &str = include_str!("../../postgres/sql/clean_spilo.sql");
const CLEAN_POSTGRES: &str = include_str!("../../postgres/sql/clean_spilo_postgres.sql");
const ROLES: [&str; 5] = ["robot_zmon", "standby", "zalandos", "cron_admin", "admin"];

impl CleanLeftovers {
    async fn databases(&self, world: &World) -> Result<Vec<String>> {
        let mut db = ends::target(world).await?;
        let query = "SELECT datname FROM pg_database WHERE datallowconn ORDER BY datname = 'postgres', datname";
        let rows = db.rows(query, &[]).await.context("list the target's databases")?;
        ends::keep_target(world, db).await;
        Ok(rows.iter().filter_map(|row| row["datname"].as_str().map(String::from)).collect())
    }

    async fn clean(&self, world: &World, database: &str) -> Result<()> {
        let mut db = cnpg::open_target(&world.kube, &world.migration.target.cluster, database).await?;
        db.run(CLEAN).await.with_context(|| format!("clean database {database}"))?;
        if database == "postgres" {
            db.run(CLEAN_POSTGRES).await.context("clean database postgres")?;
        }
        Ok(())
    }

    /// Roles of Spilo's that an earlier try has not found to be in use.
    async fn droppable(&self, world: &World) -> Result<bool> {
        let mut db = ends::target(world).await?;
        let there = server::roles(&mut db).await?;
        ends::keep_target(world, db).await;
        // `standby` holds REPLICATION and a password that the source still knows: it is the one that must go.
        Ok(there.iter().any(|role| role.name == "standby"))
    }

    async fn drop_roles(&self, world: &World) -> Result<Vec<String>> {
        let mut db = ends::target(world).await?;
        let there: Vec<String> = server::roles(&mut db).await?.into_iter().map(|role| role.name).collect();
        let cron: bool = db.value("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron')", &[]).await?;
        let mut kept = Vec::new();
        for role in ROLES.iter().filter(|role| there.iter().any(|name| name == *role)) {
            // It goes with pg_cron, which is the user's to judge.
            if cron && *role == "cron_admin" {
                kept.push(role.to_string());
                continue;
            }
            // A role that owns something or holds a grant stays: dropping what is somebody's is not ours to do.
            if let Err(error) = db.run(&format!("DROP ROLE {}", Ident::new(*role))).await {
                world.events.warn(format!("role {role} stays on the target: {}", error.chain()));
                kept.push(role.to_string());
            }
        }
        ends::keep_target(world, db).await;
        Ok(kept)
    }
}

#[async_trait::async_trait]
impl Step for CleanLeftovers {
    fn id(&self) -> String {
        if self.roles { "drop-spilo-roles".into() } else { "clean-leftovers".into() }
    }
    fn describe(&self) -> Description {
        let (title, details) = if self.roles {
            let which = format!("roles {}, each unless something depends on it; not undone", ROLES.join(", "));
            ("drop Spilo's roles from the target", which)
        } else {
            let which =
                "schemas metric_helpers, user_management, pooler, zmon_utils and Spilo's extensions, in every database";
            ("take Spilo's helper objects out of the target", which.into())
        };
        Description { title: title.into(), details, objects: vec![] }
    }
    fn hazard(&self) -> Hazard {
        Hazard::Additive
    }
    fn sends(&self) -> Vec<Sent> {
        let roles = ROLES.map(|role| format!("DROP ROLE {};\n", Ident::new(role))).concat();
        let sql = |at: &str, text: &str| Sent::Sql { at: at.into(), text: text.into() };
        let mut sent = vec![sql("target, every database", CLEAN), sql("target, database postgres", CLEAN_POSTGRES)];
        if self.roles {
            sent.push(sql("target, each unless it owns something", &roles));
        }
        sent
    }
    fn deadline(&self) -> Duration {
        Duration::from_secs(300)
    }
    async fn observe(&self, world: &World) -> Result<Observed> {
        let ours = |left: &server::Leftover| CLEANED.contains(&left.name.as_str());
        for database in self.databases(world).await? {
            let mut db = cnpg::open_target(&world.kube, &world.migration.target.cluster, &database).await?;
            if let Some(left) = server::leftovers(&mut db).await?.iter().find(|left| ours(left)) {
                return Ok(Observed::Partial(format!("{} {} in {database}", left.kind, left.name)));
            }
        }
        if self.roles && self.droppable(world).await? { Ok(Observed::Absent) } else { Ok(Observed::Done) }
    }
    async fn apply(&self, world: &World, _receipt: &Receipt) -> Result<Evidence> {
        let databases = self.databases(world).await?;
        for database in &databases {
            self.clean(world, database).await?;
        }
        if self.roles {
            return Ok(json!({ "databases": databases, "rolesKept": self.drop_roles(world).await? }));
        }
        // An instance manager that failed at one of them looks again only minutes later, unless it is told.
        let again =
            json!({ "metadata": { "annotations": { "cnpg.io/reloadedAt": jiff::Timestamp::now().to_string() } } });
        world.kube.merge(&CLUSTER, &world.migration.target.cluster, &again).await?;
        Ok(json!({ "databases": databases, "note": Value::from(format!("{} databases", databases.len())) }))
    }
}

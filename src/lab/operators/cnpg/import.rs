//! The bootstrap job `import`: pg_dump and pg_restore from an external cluster (cnpg.md 2.5, observed-import-logical.md 1, 2).
//!
//! Whatever the real one loses is lost here, and its log says aloud what it says: verifiers and failed statements included.
use super::{
    Operator,
    cluster::{Cluster, texts},
    external, import_roles, initdb,
    place::Place,
    process,
    sql::{self, ident},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::PathBuf};

const SECTIONS: [(&str, &str); 3] = [
    ("pre-data", "pgRestorePredataOptions"),
    ("data", "pgRestoreDataOptions"),
    ("post-data", "pgRestorePostdataOptions"),
];

/// An import under way.
pub struct Import<'a> {
    pub place: &'a Place,
    pub cluster: &'a Cluster,
    /// How the source is reached; without `dbname`.
    pub source: Vec<(String, String)>,
}

/// initdb, then everything that the spec names.
pub async fn bootstrap(operator: &Operator, cluster: &Cluster, place: &Place) -> Result<(), String> {
    initdb::create(operator, cluster, place).await?;
    initdb::configure(cluster, place).await?;
    let name = cluster.import()["source"]["externalCluster"].as_str().unwrap_or_default();
    let source = external::conninfo(operator, cluster, place, name)?;
    let import = Import { place, cluster, source };
    let monolith = cluster.import()["type"] == "monolith";
    let done = if monolith { import.monolith().await } else { import.microservice().await };
    done.map_err(|error| format!("while executing logical import: {error}"))?;
    initdb::stop(place).await?;
    // The lab's servers run without fsync, so there is nothing to sync: the line is a mark of progress.
    place.log.info("Running initdb --sync-only");
    Ok(())
}

impl Import<'_> {
    fn spec(&self) -> &Value {
        self.cluster.import()
    }

    fn dump_path(&self, database: &str) -> PathBuf {
        self.place.data().join("dumps").join(format!("{database}.dump"))
    }

    /// One database into one that exists and belongs to the owner, who owns everything afterwards.
    async fn microservice(&self) -> Result<(), String> {
        self.place.log.info("starting microservice clone process");
        let databases = self.databases().await?;
        let [database] = databases.as_slice() else { return Err("exactly one database is needed".into()) };
        let (target, owner) = (self.cluster.database().unwrap_or("app"), self.cluster.owner().unwrap_or("app"));
        let restored = async {
            self.export(&databases).await?;
            self.drop_extensions(target).await?;
            self.place.log.info("temporarily granting superuser permission to owner user");
            sql::run(self.place, "postgres", &format!("ALTER USER {} SUPERUSER", ident(owner))).await?;
            let role = format!("--role={owner}");
            let fixed = ["-U", "postgres", "--no-owner", "--no-privileges", &role, "-d", target].map(str::to_owned);
            for (section, options) in self.sections() {
                self.restore(database, section, options, &fixed).await?;
            }
            sql::run(self.place, "postgres", &format!("ALTER USER {} NOSUPERUSER", ident(owner))).await
        };
        restored.await?;
        self.clean().await?;
        let post = texts(&self.spec()["postImportApplicationSQL"]);
        if !post.is_empty() {
            self.place.log.info("executing post import user defined queries");
        }
        for statement in post {
            sql::run(self.place, target, &statement).await?;
        }
        self.analyze(target).await
    }

    /// Several databases with their owners and rights, and the roles that are named.
    async fn monolith(&self) -> Result<(), String> {
        self.place.log.info("starting monolith clone process");
        import_roles::roles(self).await?;
        let databases = self.databases().await?;
        self.export(&databases).await?;
        for database in &databases {
            for (section, options) in self.sections() {
                let there = format!("SELECT 1 FROM pg_database WHERE datname = {}", sql::literal(database));
                let there = !sql::value(self.place, "postgres", &there).await?.is_empty();
                let fixed: &[&str] = if there {
                    &["-U", "postgres", "-d", database]
                } else {
                    &["-U", "postgres", "--create", "-d", "postgres"]
                };
                let fixed: Vec<String> = fixed.iter().map(|text| (*text).to_owned()).collect();
                self.restore(database, section, options, &fixed).await?;
            }
        }
        self.clean().await?;
        for database in &databases {
            self.analyze(database).await?;
        }
        Ok(())
    }

    /// The names to import; `*` never means `postgres` or a template.
    async fn databases(&self) -> Result<Vec<String>, String> {
        let given = texts(&self.spec()["databases"]);
        if given != ["*"] {
            return Ok(given);
        }
        const ALL: &str = "SELECT datname AS name FROM pg_database \
            WHERE datallowconn AND NOT datistemplate AND datname <> 'postgres' ORDER BY datname";
        let rows = self.ask("postgres", ALL).await?;
        Ok(rows.iter().filter_map(|row| row["name"].as_str()).map(str::to_owned).collect())
    }

    fn sections(&self) -> impl Iterator<Item = (&'static str, Vec<String>)> + '_ {
        let schema_only = self.spec()["schemaOnly"] == true;
        SECTIONS.into_iter().filter(move |(section, _)| !(schema_only && *section == "data")).map(|(section, field)| {
            let own = texts(&self.spec()[field]);
            let options = if own.is_empty() { texts(&self.spec()["pgRestoreExtraOptions"]) } else { own };
            (section, options)
        })
    }

    /// All dumps before any restore, on the volume of PGDATA.
    async fn export(&self, databases: &[String]) -> Result<(), String> {
        let place = self.place;
        let dumps = place.data().join("dumps");
        crate::lab::servers::make_dir(&dumps, place.server.user).map_err(|error| error.to_string())?;
        let (options, _) = self.dump_options();
        for database in databases {
            place.log.info_with("exporting database", json!({"databaseName": database}));
            let mut args = vec!["-Fd".to_owned(), "-f".into(), self.dump_path(database).display().to_string()];
            args.extend(["-d".into(), external::with_database(&self.source, database), "-v".into()]);
            args.extend(self.sections().map(|(section, _)| format!("--section={section}")));
            args.extend(options.iter().cloned());
            place.log.info_with("Running pg_dump", json!({"cmd": "pg_dump", "options": args}));
            let ended = self.program("pg_dump", &args).await?;
            if !ended.ok() {
                return Err(format!("error while executing pg_dump, {}", ended.status()));
            }
        }
        Ok(())
    }

    /// pgDumpExtraOptions without those that this pg_dump does not know, and the extensions these would leave out:
    /// `--exclude-extension` is PostgreSQL 17's.
    fn dump_options(&self) -> (Vec<String>, Vec<String>) {
        let all = texts(&self.spec()["pgDumpExtraOptions"]);
        if self.place.server.install.major >= 17 {
            return (all, Vec::new());
        }
        let (left_out, kept): (Vec<String>, Vec<String>) =
            all.into_iter().partition(|option| option.starts_with("--exclude-extension="));
        let name = |option: &String| option.split_once('=').map_or_else(String::new, |(_, name)| name.to_owned());
        (kept, left_out.iter().map(name).collect())
    }

    async fn restore(
        &self,
        database: &str,
        section: &str,
        options: Vec<String>,
        fixed: &[String],
    ) -> Result<(), String> {
        let log = &self.place.log;
        log.info_with("executing database importing section", json!({"databaseName": database, "section": section}));
        let dump = self.dump_path(database).display().to_string();
        let mut args = options;
        args.extend(fixed.iter().cloned());
        args.push(format!("--section={section}"));
        if let Some(list) = self.table_of_contents(&dump).await? {
            args.extend(["-L".into(), list]);
        }
        args.push(dump);
        log.info_with("Running pg_restore", json!({"cmd": "pg_restore", "options": args}));
        let ended = self.program("pg_restore", &args).await?;
        // Not told to stop at errors, it ends with 1 after any: that is the end of the import.
        if ended.ok() {
            Ok(())
        } else {
            Err(format!("error while executing pg_restore, section:{section}, {}", ended.status()))
        }
    }

    /// Stands in for `--exclude-extension`: a list of the archive without those extensions and their comments.
    async fn table_of_contents(&self, dump: &str) -> Result<Option<String>, String> {
        let (_, excluded) = self.dump_options();
        if excluded.is_empty() {
            return Ok(None);
        }
        let args = ["-l".to_owned(), dump.to_owned()];
        let ended =
            process::quiet(self.place, "pg_restore", &args, &BTreeMap::new()).await.map_err(|e| e.to_string())?;
        let kept: Vec<String> =
            ended.stdout.into_iter().filter(|line| !excluded.iter().any(|name| is_extension(line, name))).collect();
        let path = format!("{dump}.list");
        self.place.write(path.as_ref(), &(kept.join("\n") + "\n")).map_err(|error| error.to_string())?;
        Ok(Some(path))
    }

    async fn drop_extensions(&self, database: &str) -> Result<(), String> {
        self.place.log.info("dropping user-defined extensions from the target (empty) database");
        for row in sql::rows(self.place, database, "SELECT extname FROM pg_extension WHERE oid >= 16384").await? {
            if let Some(name) = row.into_iter().next().flatten() {
                sql::run(self.place, database, &format!("DROP EXTENSION {} CASCADE", ident(&name))).await?;
            }
        }
        Ok(())
    }

    async fn clean(&self) -> Result<(), String> {
        std::fs::remove_dir_all(self.place.data().join("dumps"))
            .map_err(|error| format!("while cleaning the dumps: {error}"))
    }

    async fn analyze(&self, database: &str) -> Result<(), String> {
        self.place.log.info(&format!("running analyze for database: {database}"));
        sql::run(self.place, database, "ANALYZE").await
    }

    async fn program(&self, program: &str, args: &[String]) -> Result<process::Ended, String> {
        process::logged(self.place, program, args, &BTreeMap::new())
            .await
            .map_err(|error| format!("{program}: {error}"))
    }

    /// Rows of the source as JSON objects.
    pub async fn ask(&self, database: &str, query: &str) -> Result<Vec<Value>, String> {
        let connection = external::with_database(&self.source, database);
        let query = format!("SELECT coalesce(json_agg(row_to_json(q)), '[]') FROM ({query}) q");
        let args = ["-XAtq", "-w", "-d", &connection, "-c", &query].map(str::to_owned);
        let ended =
            process::quiet(self.place, "psql", &args, &BTreeMap::new()).await.map_err(|error| error.to_string())?;
        if !ended.ok() {
            return Err(ended.stderr.join("\n"));
        }
        serde_json::from_str(&ended.stdout.join("\n"))
            .map_err(|error| format!("cannot read the source's answer: {error}"))
    }
}

/// Whether a line of `pg_restore -l` is the extension or its comment: `4; 3079 16391 EXTENSION - name owner`.
fn is_extension(line: &str, name: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.windows(3).any(|w| *w == ["EXTENSION", "-", name])
        || words.windows(4).any(|w| *w == ["COMMENT", "-", "EXTENSION", name])
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_extension_and_its_comment_are_found_in_a_table_of_contents() {
        assert!(super::is_extension("2; 3079 16385 EXTENSION - set_user ", "set_user"));
        assert!(super::is_extension("3354; 0 0 COMMENT - EXTENSION set_user ", "set_user"));
        assert!(!super::is_extension("2; 3079 16385 EXTENSION - set_user_other ", "set_user"));
        assert!(!super::is_extension("215; 1259 16390 TABLE public set_user postgres", "set_user"));
    }
}

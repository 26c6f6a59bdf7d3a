//! A key's value -> the template that points it at the target. What can't be rewritten surely, or only with a secret
//! in the file, is left to a human and said.

use crate::facts::uses::{Door, Objects, Place};

/// What is known of the source.
pub struct Known<'a> {
    pub place: Place<'a>,
    /// Owner of the main database: what `${target.user}` will be. "": not known.
    pub owner: &'a str,
    /// Its password, from the operator's Secret; None: it could not be read.
    pub password: Option<&'a str>,
}

/// What becomes of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The template, and why it is a guess; "" when it follows from the value itself.
    Set(String, &'static str),
    /// Why a human has to look.
    Left(&'static str),
}

/// An object with those of its keys that matter.
pub type Connection = (String, Vec<(String, Finding)>);

impl Known<'_> {
    /// Every object that has something to switch; `objects` are those that the users' pods read.
    pub fn connections(&self, objects: &Objects) -> Vec<Connection> {
        let ours = objects.iter().filter(|(object, _)| !self.place.made(object));
        ours.filter_map(|(object, keys)| {
            let leads = |(key, value): (&String, &String)| {
                self.place.reached_by(key, value, self.place.namespace).is_some() || self.is_password(value)
            };
            let here = keys.iter().any(leads);
            let found: Vec<(String, Finding)> =
                keys.iter().filter_map(|(key, value)| Some((key.clone(), self.finding(key, value, here)?))).collect();
            (!found.is_empty()).then(|| (object.clone(), found))
        })
        .collect()
    }

    fn is_password(&self, value: &str) -> bool {
        self.password.is_some_and(|password| !password.is_empty() && password == value)
    }

    /// `here`: the object speaks of the source in some other key.
    fn finding(&self, key: &str, value: &str, here: bool) -> Option<Finding> {
        let key = key.to_ascii_lowercase();
        let set = |template: &str| Some(Finding::Set(template.into(), ""));
        if self.is_password(value) {
            return set("${target.password}");
        }
        if let Some(door) = self.place.reached_by(&key, value, self.place.namespace) {
            return Some(self.address(value.trim(), door));
        }
        let user_like = ["user", "login", "role"].iter().any(|word| key.contains(word));
        if here && user_like && !self.owner.is_empty() && value == self.owner {
            return set("${target.user}");
        }
        if here && key.contains("port") && value.trim() == "5432" {
            let named = ["db", "database", "pg", "postgres"].iter().any(|word| key.contains(word)) || key == "port";
            let why = if named { "" } else { "by its name and 5432" };
            return Some(Finding::Set("${target.port}".into(), why));
        }
        None
    }

    /// A value with the source's host in it.
    fn address(&self, value: &str, door: Door) -> Finding {
        let host = match door {
            Door::Direct => "${target.host}",
            Door::Pooler => "${target.pooler.host}",
        };
        if value.contains('\n') {
            return Finding::Left("a whole file: take the address out of it, into a key of its own");
        }
        if value.contains("-repl") {
            return Finding::Left("the source's replicas: the target's are at NAME-ro");
        }
        if let Some((scheme, rest)) = value.split_once("://") {
            return self.url(scheme, rest, host);
        }
        if value.contains('=') {
            return self.pairs(value, host);
        }
        match value.split_once(':') {
            None if value.contains([' ', ',']) => Finding::Left("several hosts in one value"),
            None => Finding::Set(host.into(), ""),
            Some((_, "5432")) => Finding::Set(format!("{host}:${{target.port}}"), ""),
            Some(_) => Finding::Left("a host and something that is not the source's port"),
        }
    }

    /// `postgres://user:password@host:port/database?options`, `jdbc:postgresql://...`
    fn url(&self, scheme: &str, rest: &str, host: &str) -> Finding {
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains(',') {
            return Finding::Left("a URL with several hosts");
        }
        let (login, server) = authority.rsplit_once('@').map_or((None, authority), |(l, s)| (Some(l), s));
        let server = match server.rsplit_once(':') {
            Some((_, port)) if !port.is_empty() => format!("{host}:${{target.port}}"),
            _ => host.to_string(),
        };
        let login = match login.map(|login| login.split_once(':').map_or((login, None), |(u, p)| (u, Some(p)))) {
            None => String::new(),
            Some((user, password)) => match (self.user(user), password) {
                (user, None) => format!("{user}@"),
                (user, Some(password)) if self.is_password(password) => format!("{user}:${{target.password}}@"),
                _ => return Finding::Left("a URL with a password that is not the owner's: it can't stand in a file"),
            },
        };
        match self.options(tail, "&") {
            Some(tail) => Finding::Set(format!("{}://{login}{server}{tail}", literal(scheme)), ""),
            None => Finding::Left("a URL with a password that is not the owner's: it can't stand in a file"),
        }
    }

    /// `/database?user=u&password=p`; None: with a secret that is not known.
    fn options(&self, tail: &str, between: &str) -> Option<String> {
        let (path, options) = match tail.split_once('?') {
            Some((path, options)) => (format!("{}?", literal(path)), options),
            None => return Some(literal(tail)),
        };
        let pairs: Option<Vec<String>> = options.split(between).map(|pair| self.pair(pair, "")).collect();
        Some(format!("{path}{}", pairs?.join(between)))
    }

    /// `host=h port=5432 user=u password=p dbname=d`
    fn pairs(&self, value: &str, host: &str) -> Finding {
        let (separator, joint) = if value.contains(';') { (';', ";") } else { (' ', " ") };
        let pairs: Option<Vec<String>> = value.split(separator).map(|pair| self.pair(pair, host)).collect();
        match pairs {
            Some(pairs) => Finding::Set(pairs.join(joint), ""),
            None => Finding::Left("a password that is not the owner's: it can't stand in a file"),
        }
    }

    /// One `key=value`; `host` "" in a URL, where the address stands elsewhere.
    fn pair(&self, pair: &str, host: &str) -> Option<String> {
        let Some((key, value)) = pair.split_once('=') else { return Some(literal(pair)) };
        let value = match key.trim().to_ascii_lowercase().as_str() {
            "password" | "pwd" | "pass" => self.is_password(value).then(|| "${target.password}".to_string())?,
            "user" | "username" | "user id" | "uid" => self.user(value),
            "host" | "server" if !host.is_empty() => host.into(),
            "port" if !host.is_empty() => "${target.port}".into(),
            _ => literal(value),
        };
        Some(format!("{}={value}", literal(key)))
    }

    /// Roles keep their names: only the owner's is a variable.
    fn user(&self, user: &str) -> String {
        if !user.is_empty() && user == self.owner { "${target.user}".into() } else { literal(user) }
    }
}

/// `${` that is meant as it stands.
fn literal(text: &str) -> String {
    text.replace("${", "$${")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known =
        Known { place: Place { cluster: "acid-db", namespace: "shop" }, owner: "shop", password: Some("s3cret") };

    fn set(key: &str, value: &str) -> Option<String> {
        match KNOWN.finding(key, value, true)? {
            Finding::Set(template, _) => Some(template),
            Finding::Left(why) => Some(format!("left: {why}")),
        }
    }

    #[test]
    fn values_become_templates() {
        for (key, value, template) in [
            ("DB_HOST", "acid-db", "${target.host}"),
            ("DB_HOST", "acid-db-pooler.shop.svc.cluster.local", "${target.pooler.host}"),
            ("ADDR", "acid-db:5432", "${target.host}:${target.port}"),
            ("DB_PORT", "5432", "${target.port}"),
            ("DB_USER", "shop", "${target.user}"),
            ("whatever", "s3cret", "${target.password}"),
            (
                "DATABASE_URL",
                "postgres://shop:s3cret@acid-db:5432/shop?sslmode=require",
                "postgres://${target.user}:${target.password}@${target.host}:${target.port}/shop?sslmode=require",
            ),
            (
                "DATABASE_URL",
                "postgresql+asyncpg://reader@acid-db.shop/x",
                "postgresql+asyncpg://reader@${target.host}/x",
            ),
            (
                "JDBC",
                "jdbc:postgresql://acid-db/x?user=shop&password=s3cret",
                "jdbc:postgresql://${target.host}/x?user=${target.user}&password=${target.password}",
            ),
            (
                "DSN",
                "host=acid-db port=5432 user=shop password=s3cret dbname=shop",
                "host=${target.host} port=${target.port} user=${target.user} password=${target.password} dbname=shop",
            ),
        ] {
            assert_eq!(set(key, value).as_deref(), Some(template), "{key}={value}");
        }
    }

    #[test]
    fn a_secret_never_gets_into_a_template() {
        for value in [
            "postgres://reader:hunter2@acid-db/x",
            "jdbc:postgresql://acid-db/x?user=reader&password=hunter2",
            "host=acid-db user=reader password=hunter2",
            "production:\n  host: acid-db\n  password: hunter2\n",
        ] {
            let found = set("DATABASE_URL", value).expect("it is about the source");
            assert!(found.starts_with("left: ") && !found.contains("hunter2"), "{value}: {found}");
        }
        assert_eq!(set("DB_NAME", "shop"), None);
        assert_eq!(set("REDIS_URL", "redis://redis:6379"), None);
    }
}

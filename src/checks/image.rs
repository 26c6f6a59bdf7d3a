//! What is known of the target's image without starting it, and sizes in Kubernetes' words.

use super::{Looks, look::template};
use crate::{
    facts::{Facts, cnpg},
    spec::Migration,
};

/// What PostgreSQL's own contrib holds that CREATE EXTENSION knows (PostgreSQL 18 docs, appendix F), with plpgsql.
const CONTRIB: &[&str] = &[
    "adminpack",
    "amcheck",
    "autoinc",
    "bloom",
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "dblink",
    "dict_int",
    "dict_xsyn",
    "earthdistance",
    "file_fdw",
    "fuzzystrmatch",
    "hstore",
    "insert_username",
    "intagg",
    "intarray",
    "isn",
    "lo",
    "ltree",
    "moddatetime",
    "old_snapshot",
    "pageinspect",
    "pg_buffercache",
    "pg_freespacemap",
    "pg_logicalinspect",
    "pg_prewarm",
    "pg_stat_statements",
    "pg_surgery",
    "pg_trgm",
    "pg_visibility",
    "pg_walinspect",
    "pgcrypto",
    "pgrowlocks",
    "pgstattuple",
    "plpgsql",
    "postgres_fdw",
    "refint",
    "seg",
    "sslinfo",
    "tablefunc",
    "tcn",
    "tsm_system_rows",
    "tsm_system_time",
    "unaccent",
    "uuid-ossp",
    "xml2",
];
/// What CNPG's standard and system images add.
const STANDARD: &[&str] = &["vector", "pgaudit"];
/// What the strategies leave behind or clean away (zalando.md 3).
pub const SPILO: &[&str] = &["set_user", "pg_stat_kcache", "pg_auth_mon", "bg_mon", "pg_mon", "pgextwlist"];

/// The image that the target has or will have; "" for an image catalog.
pub fn of(migration: &Migration, facts: &Facts) -> String {
    let template = |pointer| template(migration, pointer);
    if let Some(target) = facts.target.as_ref().filter(|t| !t.image.is_empty()) {
        return target.image.clone();
    }
    let named = migration.target.image.as_deref().or(template("/spec/imageName").as_str());
    match named {
        Some(image) => image.to_owned(),
        None if !template("/spec/imageCatalogRef").is_null() => String::new(),
        None => format!("ghcr.io/cloudnative-pg/postgresql:{}", facts.source.major()),
    }
}

/// CNPG's own image, of which it is known what it holds.
pub fn is_cnpgs(image: &str) -> bool {
    image.starts_with("ghcr.io/cloudnative-pg/postgresql:")
}

pub fn is_minimal(image: &str) -> bool {
    image.contains("-minimal")
}

/// None: it can't be told from the image's name.
pub fn has_extension(image: &str, extension: &str) -> Option<bool> {
    if CONTRIB.contains(&extension) {
        return Some(true);
    }
    is_cnpgs(image).then(|| STANDARD.contains(&extension) && !is_minimal(image))
}

/// The C library of Debian's releases, as the tags of CNPG's images name them. None: the tag does not say.
pub fn glibc(image: &str) -> Option<&'static str> {
    let releases = [("bullseye", "2.31"), ("bookworm", "2.36"), ("trixie", "2.41")];
    releases.into_iter().find(|(release, _)| is_cnpgs(image) && image.contains(release)).map(|(_, version)| version)
}

/// What to type for certainty.
pub fn ask(looks: &Looks) -> String {
    format!("kubectl pgmigrate check {} --image-pod", looks.migration.name)
}

pub fn major(image: &str) -> Option<u32> {
    cnpg::image_major(image)
}

/// Bytes of a Kubernetes quantity (`10Gi`, `500M`, `1.5Ti`, `2`). None: it is none.
pub fn bytes(quantity: &str) -> Option<u64> {
    let end = quantity.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(quantity.len());
    let (number, unit) = quantity.split_at(end);
    let power = |base: u64, of: &str, units: &str| units.find(of).map(|at| base.pow(at as u32 + 1) as f64);
    let factor = match unit {
        "" => 1.0,
        "m" => 0.001,
        "k" => 1000.0,
        binary if binary.len() == 2 && binary.ends_with('i') => power(1024, &binary[..1], "KMGTPE")?,
        decimal if decimal.len() == 1 => power(1000, decimal, "kMGTPE")?,
        _ => return None,
    };
    Some((number.parse::<f64>().ok()? * factor) as u64)
}

/// `1.5 GiB`
pub fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < units.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    if unit == 0 || value.fract() < 0.05 {
        format!("{value:.0} {}", units[unit])
    } else {
        format!("{value:.1} {}", units[unit])
    }
}

#[cfg(test)]
mod units {
    use super::*;

    #[test]
    fn quantities() {
        assert_eq!(bytes("10Gi"), Some(10 << 30));
        assert_eq!(bytes("1.5Gi"), Some(3 << 29));
        assert_eq!(bytes("500M"), Some(500_000_000));
        assert_eq!(bytes("2"), Some(2));
        assert_eq!(bytes("10Gb"), None);
        assert_eq!(size(3 << 29), "1.5 GiB");
        assert_eq!(size(512), "512 B");
    }

    #[test]
    fn what_an_image_holds() {
        let standard = "ghcr.io/cloudnative-pg/postgresql:17-standard-bookworm";
        assert_eq!(has_extension(standard, "vector"), Some(true));
        assert_eq!(has_extension("ghcr.io/cloudnative-pg/postgresql:17-minimal-trixie", "vector"), Some(false));
        assert_eq!(has_extension(standard, "postgis"), Some(false));
        assert_eq!(has_extension("mine/postgis:17", "postgis"), None);
        assert_eq!(glibc(standard), Some("2.36"));
        assert_eq!(glibc("mine/postgis:17-bookworm"), None);
    }
}

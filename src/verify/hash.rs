//! A row's 64-bit hash, as an SQL expression made from the table's columns.
//!
//! `hashint4extended(run, h1 # h2 # .. # ht)`: each column of a common type is hashed by itself, with a seed of its own, so
//! that a value moved to another column shows. All other columns are hashed together as text, as their types' output
//! functions write it: it cannot depend on OIDs as an enum's hash does, nor fold what is equal but not the same. The last
//! step binds the row: without it, values exchanged between two rows would cancel out in the sum over a table. It takes
//! the bits as its seed, because `hashint8extended` folds its argument to 32 bits.

use super::{
    What,
    side::{Side, text},
};
use crate::postgres::Ident;
use serde::Deserialize;
use std::collections::BTreeSet;

/// A column as `tables.sql` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Column {
    pub name: String,
    /// A built-in base type; None: any other.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

struct Direct {
    kind: &'static str,
    /// `$` is the column, `@` the seed.
    call: &'static str,
    /// Equal hashes mean equal bytes; of the others, values that compare equal hash alike: 1.0 and 1.00, 0 and -0.
    exact: bool,
    /// A literal whose hash both servers must agree upon.
    probe: &'static str,
}

const fn exact(kind: &'static str, call: &'static str, probe: &'static str) -> Direct {
    Direct { kind, call, exact: true, probe }
}

/// Not for `--strict-bytes`.
const fn by_value(kind: &'static str, call: &'static str, probe: &'static str) -> Direct {
    Direct { kind, call, exact: false, probe }
}

/// What is fast on 13 to 18 and loses nothing. Many types' own hashes do: numeric's the sign and what is not a number,
/// those of int8 and timestamps half of their bits, those of jsonb and arrays all structure (`[[1],2]` = `[[1,2]]`),
/// interval's the units (1 day = 24 hours); enums, ranges and composites may hold OIDs. (PostgreSQL 15, hashfunc.c,
/// numeric.c, jsonb_util.c, arrayfuncs.c.)
const DIRECT: [Direct; 16] = [
    exact("int8", "hashint4extended(@, $)", "-81985529216486896"),
    exact("int4", "hashint4extended($, @)", "-19088744"),
    exact("int2", "hashint2extended($, @)", "-4661"),
    // The planner makes constants of the two.
    exact("bool", "CASE WHEN $ THEN hashint4extended(1, @) WHEN NOT $ THEN hashint4extended(0, @) END", "t"),
    exact("text", "hashtextextended($ COLLATE \"C\", @)", "größer als 16 Bytes, damit alle Wege gegangen werden"),
    exact("varchar", "hashtextextended($ COLLATE \"C\", @)", "größer als 16 Bytes, damit alle Wege gegangen werden"),
    exact("uuid", "uuid_hash_extended($, @)", "01234567-89ab-cdef-0123-456789abcdef"),
    exact(
        "timestamp",
        "hashtextextended(encode(timestamp_send($), 'hex') COLLATE \"C\", @)",
        "1999-12-31 23:59:59.999999",
    ),
    exact(
        "timestamptz",
        "hashtextextended(encode(timestamptz_send($), 'hex') COLLATE \"C\", @)",
        "1999-12-31 23:59:59.999999Z",
    ),
    exact("time", "hashtextextended(encode(time_send($), 'hex') COLLATE \"C\", @)", "23:59:59.999999"),
    exact("date", "hashtextextended(encode(date_send($), 'hex') COLLATE \"C\", @)", "1999-12-31"),
    // Its own hash cannot be called in SQL before 18, but through a row.
    exact("bytea", "hash_record_extended(ROW($), @)", "\\x00ff102030405060708090a0b0c0d0e0f0"),
    // Its own hash knows neither the sign nor what is no finite number: to that it returns the seed.
    by_value(
        "numeric",
        "hash_numeric_extended($, CASE WHEN $ < 0 THEN -@::int8 WHEN $ = 'NaN' THEN ~@::int8 ELSE @::int8 END)",
        "-12345678901234567890.123456789",
    ),
    by_value("float8", "hashfloat8extended($, @)", "-1.2345678901234567e89"),
    by_value("float4", "hashfloat4extended($, @)", "-1.234567e8"),
    by_value("bpchar", "hashbpcharextended($ COLLATE \"C\", @)", "char"),
];

/// How the rows of this run are hashed, the same way on both sides.
#[derive(Debug, Clone)]
pub(crate) struct Hasher {
    seed: u64,
    /// Types that go through their own function.
    direct: BTreeSet<&'static str>,
    /// The servers agree on the hashes of text and int8 themselves; if not, it is md5 of the row's text.
    native: bool,
    /// Not md5, where it is not native.
    sha256: bool,
}

impl Hasher {
    /// Asks both sides to hash the same literals. PostgreSQL does not promise that a hash stays the same between majors or
    /// machines: what is missing on a side, or differs, is left to text.
    pub async fn agreed(source: &mut Side<'_>, target: &mut Side<'_>, what: What<'_>) -> Hasher {
        if what.sha256 {
            return Hasher { seed: what.seed, direct: BTreeSet::new(), native: false, sha256: true };
        }
        let probes: Vec<String> = DIRECT.iter().map(probe).collect();
        let (ours, theirs) = tokio::join!(source.leader().each(&probes), target.leader().each(&probes));
        let same = DIRECT.iter().zip(ours.iter().zip(&theirs)).filter(|(_, pair)| match pair {
            (Ok(ours), Ok(theirs)) => text(ours, "h") == text(theirs, "h"),
            _ => false,
        });
        let same: Vec<&Direct> = same.map(|(direct, _)| direct).collect();
        Hasher::of(&same, what.seed, what.strict)
    }

    fn of(same: &[&Direct], seed: u64, strict: bool) -> Hasher {
        let has = |kind: &str| same.iter().any(|d| d.kind == kind);
        let direct = same.iter().filter(|d| d.exact || !strict).map(|d| d.kind).collect();
        Hasher { seed, direct, native: has("int8") && has("text"), sha256: false }
    }

    /// bigint, never null. The columns are those of relation `r`.
    pub fn row(&self, columns: &[Column]) -> String {
        let (mut terms, mut texts) = (Vec::new(), Vec::new());
        for (nth, column) in (1..).zip(columns) {
            let name = format!("r.{}", Ident::new(column.name.as_str()));
            match self.direct(column) {
                // Not the seed: some hash zero to that.
                Some(direct) => {
                    terms.push(format!("coalesce({}, {})", call(direct, &name, self.seed(nth)), self.seed(!nth)))
                }
                None => texts.push(name),
            }
        }
        if !texts.is_empty() || terms.is_empty() {
            terms.push(self.text(&texts));
        }
        match self.native {
            true => format!("hashint4extended({}, {})", self.seed(0), terms.join(" # ")),
            false => terms.join(" # "),
        }
    }

    fn direct(&self, column: &Column) -> Option<&'static Direct> {
        let kind = column.kind.as_deref().filter(|kind| self.native && self.direct.contains(kind))?;
        DIRECT.iter().find(|d| d.kind == kind)
    }

    /// A row's text tells null from the empty string, and one column's end from the next one's beginning.
    fn text(&self, names: &[String]) -> String {
        let row = format!("ROW({})::text", names.join(", "));
        match self.native {
            true => format!("hashtextextended({row} COLLATE \"C\", {})", self.seed(0)),
            // In one encoding, whatever the databases have.
            false if self.sha256 => {
                format!("('x'||left(encode(sha256(convert_to({row}, 'UTF8')), 'hex'), 16))::bit(64)::int8")
            }
            false => format!("('x'||left(md5({row}), 16))::bit(64)::int8"),
        }
    }

    /// A positive int4 for each column; 0 is the run's own (splitmix64).
    fn seed(&self, nth: u64) -> u64 {
        let mut x = self.seed.wrapping_add(nth.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) >> 33
    }
}

fn call(direct: &Direct, value: &str, seed: u64) -> String {
    direct.call.replace('@', &seed.to_string()).replace('$', value)
}

fn probe(direct: &Direct) -> String {
    let literal = format!("'{}'::pg_catalog.{}", direct.probe, direct.kind);
    format!("SELECT {} AS h", call(direct, &literal, 0x5eed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(kinds: &[(&str, Option<&str>)]) -> Vec<Column> {
        kinds.iter().map(|(name, kind)| Column { name: (*name).into(), kind: kind.map(Into::into) }).collect()
    }

    #[test]
    fn what_the_servers_disagree_upon_goes_as_text() {
        let table = columns(&[("a", Some("int8")), ("b$@", Some("numeric")), ("c", None)]);
        let all: Vec<&Direct> = DIRECT.iter().collect();
        let loose = Hasher::of(&all, 1, false).row(&table);
        assert!(loose.contains("hash_numeric_extended(r.\"b$@\"") && loose.contains("ROW(r.\"c\")::text"), "{loose}");
        assert!(Hasher::of(&all, 1, true).row(&table).contains("ROW(r.\"b$@\", r.\"c\")::text"));
        let but_text: Vec<&Direct> = DIRECT.iter().filter(|d| d.kind != "text").collect();
        let md5 = Hasher::of(&but_text, 1, false).row(&table);
        assert_eq!(md5, "('x'||left(md5(ROW(r.\"a\", r.\"b$@\", r.\"c\")::text), 16))::bit(64)::int8");
        assert_ne!(Hasher::of(&all, 2, false).row(&table), loose);
    }
}

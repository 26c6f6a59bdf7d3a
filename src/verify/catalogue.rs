//! The exhaustive catalogue diff: every fact a move must carry, by kind, from `postgres/sql/catalogue.sql`.

use super::{
    Code, Expectations, Item, Majors, Unseen, Verdict, item, paired,
    side::{Answers, Side, text},
    unlisted,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

struct Kind {
    name: &'static str,
    query: String,
}

/// The file's sections, without its comments.
static KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    include_str!("../postgres/sql/catalogue.sql")
        .split("-- kind: ")
        .skip(1)
        .filter_map(|section| section.split_once('\n'))
        .map(|(name, body)| {
            let lines = body.lines().filter(|line| !line.starts_with("--"));
            Kind { name: name.trim(), query: lines.collect::<Vec<_>>().join("\n") }
        })
        .collect()
});

/// The one kind whose values must not be shown.
const PASSWORD: &str = "role password";

pub(crate) async fn look(
    side: &mut Side<'_>,
    majors: Majors,
) -> BTreeMap<&'static str, Result<BTreeMap<String, String>, Unseen>> {
    let mut answers = BTreeMap::new();
    for kind in KINDS.iter() {
        let query = filled(&kind.query, side.major, majors);
        let rows = side.leader().ask(&query).await;
        let facts = rows.map(|rows| {
            let mut facts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for row in rows {
                facts.entry(text(&row, "id")).or_default().insert(text(&row, "value"));
            }
            facts.into_iter().map(|(id, values)| (id, values.into_iter().collect::<Vec<_>>().join(" | "))).collect()
        });
        answers.insert(kind.name, facts);
    }
    answers
}

/// The query with its `{word; ...}` filled in; the words are explained at the head of the file.
fn filled(query: &str, own: u32, majors: Majors) -> String {
    let mut out = String::with_capacity(query.len() * 2);
    let mut rest = query;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (inner, tail) = after.split_once('}').unwrap_or((after, ""));
        let mut parts = inner.splitn(2, "; ");
        let word = parts.next().unwrap_or_default();
        out.push_str(&fill(word, parts.next().unwrap_or_default(), own, majors));
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn fill(word: &str, text: &str, own: u32, majors: Majors) -> String {
    let mut args = text.split("; ");
    let mut next = || args.next().unwrap_or_default();
    match word {
        "acl" => privileges(next(), next(), next(), majors),
        "changed" => changes(next(), next(), next(), next()),
        "ours" => format!(
            "{} IN (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)' AND nspname NOT IN ('pg_catalog', 'information_schema'))",
            next()
        ),
        "no member" => {
            let class = next();
            let class = if class.contains('.') { class.to_owned() } else { format!("'{class}'::regclass") };
            format!(
                "NOT EXISTS (SELECT FROM pg_depend m WHERE m.deptype = 'e' AND m.classid = {class} AND m.objid = {})",
                next()
            )
        }
        "def" if majors.differ => format!(r#"regexp_replace({text}, '("[^"]+"|[a-z_][a-z0-9_$]*)\.', '', 'g')"#),
        "def" => text.to_owned(),
        "locale" => match (majors.lower, own) {
            // Before 15 an ICU locale stood in collcollate.
            (..15, 17..) => "coalesce(collcollate, colllocale)",
            (..15, 15..17) => "coalesce(collcollate, colliculocale)",
            (..15, _) => "collcollate",
            (_, 17..) => "coalesce(collcollate, '')||'/'||coalesce(colllocale, '')",
            _ => "coalesce(collcollate, '')||'/'||coalesce(colliculocale, '')",
        }
        .to_owned(),
        since => match since.strip_prefix("since ").and_then(|n| n.parse::<u32>().ok()) {
            Some(n) if majors.lower >= n => text.to_owned(),
            _ => String::new(),
        },
    }
}

/// Privileges in words, sorted. MAINTAIN is of 17 and comes with ALL there, so it is left out when the other side is older.
fn privileges(list: &str, kind: &str, owner: &str, majors: Majors) -> String {
    let known = if majors.lower < 17 { "WHERE privilege_type <> 'MAINTAIN'" } else { "" };
    format!(
        "(SELECT string_agg(x, ',' ORDER BY x) FROM (SELECT coalesce(nullif(grantee::regrole::text, '-'), 'PUBLIC')||'='||\
         string_agg(privilege_type||CASE WHEN is_grantable THEN '*' ELSE '' END, '+' ORDER BY privilege_type)||'/'||grantor::regrole AS x \
         FROM aclexplode(coalesce({list}, acldefault(({kind})::\"char\", {owner}))) {known} GROUP BY grantee, grantor) s)"
    )
}

/// Grants that one list has and the other has not; a null initial list stands for the type's default.
fn changes(list: &str, initial: &str, kind: &str, owner: &str) -> String {
    let exploded = |list: &str| {
        format!(
            "SELECT grantee, privilege_type, is_grantable FROM aclexplode(coalesce({list}, acldefault({kind}::\"char\", {owner})))"
        )
    };
    let (now, then) = (exploded(list), exploded(initial));
    format!(
        "(SELECT string_agg(sign||coalesce(nullif(grantee::regrole::text, '-'), 'PUBLIC')||'='||privilege_type, ',' ORDER BY grantee::regrole::text, privilege_type, sign) \
         FROM (SELECT '+' AS sign, * FROM ({now} EXCEPT {then}) a UNION ALL SELECT '-', * FROM ({then} EXCEPT {now}) b) s)"
    )
}

pub(crate) fn compare(
    source: &Answers<'_>,
    target: &Answers<'_>,
    majors: Majors,
    expectations: &Expectations,
) -> Vec<Item> {
    if !source.what.catalogue {
        return Vec::new();
    }
    KINDS.iter().flat_map(|kind| of_kind(kind.name, source, target, majors, expectations)).collect()
}

fn of_kind(
    kind: &str,
    source: &Answers<'_>,
    target: &Answers<'_>,
    majors: Majors,
    expectations: &Expectations,
) -> Vec<Item> {
    let unasked = Err("not asked".into());
    let (ours, theirs) =
        (source.catalogue.get(kind).unwrap_or(&unasked), target.catalogue.get(kind).unwrap_or(&unasked));
    let (Ok(ours), Ok(theirs)) = (ours, theirs) else {
        return vec![unlisted(kind, "all", ours.as_ref().err(), theirs.as_ref().err())];
    };
    let mut items = Vec::new();
    let mut equal = 0;
    for (id, s, t) in paired(ours, theirs) {
        if s == t {
            equal += 1;
            continue;
        }
        let reason = expectations.of_fact(kind, id, s.map(String::as_str), t.map(String::as_str), majors.differ);
        let (s, t) = (s.map(|v| Ok(shown(kind, v))), t.map(|v| Ok(shown(kind, v))));
        let mut item = item(kind, id, s.as_ref(), t.as_ref());
        match reason {
            Some(reason) => item.explain(reason),
            // Two verifiers of one kind are shown alike and still differ.
            None if kind == PASSWORD => {
                let note = Some("the stored passwords differ".to_owned());
                (item.verdict, item.code, item.note) = (Verdict::Fail, Code::CatalogueDiffers, note);
            }
            None => {}
        }
        items.push(item);
    }
    if equal > 0 {
        let note = Some(format!("{equal} equal"));
        items.push(Item { note, ..item(kind, "all others", None, None) });
    }
    items
}

fn shown(kind: &str, value: &str) -> String {
    match kind == PASSWORD {
        false => value.to_owned(),
        true if value == "none" => "none".to_owned(),
        true if value.starts_with("SCRAM-SHA-256$") => "scram".to_owned(),
        true => "md5".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_is_filled_on_every_pair() {
        assert!(KINDS.len() > 40);
        for (own, lower) in [(13, 13), (15, 13), (17, 13), (15, 15), (16, 16), (18, 17), (18, 18)] {
            for kind in KINDS.iter() {
                let query = filled(&kind.query, own, Majors { lower, differ: own != lower });
                assert!(!query.contains(['{', '}']), "{}: {query}", kind.name);
            }
        }
    }
}

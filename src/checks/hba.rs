//! pg_hba.conf simulated: the first line that matches decides (PostgreSQL 17 docs, 20.1).

use crate::facts::survey::{Hba, Membership};
use std::net::IpAddr;

/// A connection over TLS that will be made.
pub struct Attempt<'a> {
    /// "replication" for a physical replication connection.
    pub database: &'a str,
    pub user: &'a str,
    pub from: IpAddr,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// The line that lets it in, and how it must prove itself.
    Method(i64, &'a str),
    Rejected(i64),
    NoLine,
    /// A line before the decision can't be judged here.
    Unclear(i64),
}

pub fn simulate<'a>(lines: &'a [Hba], members: &[Membership], attempt: &Attempt) -> Verdict<'a> {
    for line in lines {
        if line.error.is_some() {
            return Verdict::Unclear(line.line);
        }
        let concerns = matches!(line.kind.as_deref(), Some("host" | "hostssl" | "hostgssenc"))
            && database(line, attempt)
            && user(line, members, attempt);
        if !concerns || line.kind.as_deref() == Some("hostgssenc") {
            continue;
        }
        match address(line, attempt.from) {
            Some(false) => {}
            None => return Verdict::Unclear(line.line),
            Some(true) => {
                return match line.method.as_deref() {
                    Some("reject") => Verdict::Rejected(line.line),
                    method => Verdict::Method(line.line, method.unwrap_or("")),
                };
            }
        }
    }
    Verdict::NoLine
}

/// "all" never means physical replication.
fn database(line: &Hba, attempt: &Attempt) -> bool {
    let named = line.databases.as_deref().unwrap_or_default();
    let replication = attempt.database == "replication";
    named.iter().any(|name| name == attempt.database || (name == "all" && !replication))
        || (!replication && named.iter().any(|name| name == "sameuser") && attempt.user == attempt.database)
}

fn user(line: &Hba, members: &[Membership], attempt: &Attempt) -> bool {
    line.users.as_deref().unwrap_or_default().iter().any(|name| match name.strip_prefix('+') {
        Some(group) => is_member(members, attempt.user, group, 0),
        None => name == "all" || name == attempt.user,
    })
}

fn is_member(members: &[Membership], role: &str, group: &str, depth: u32) -> bool {
    role == group
        || (depth < 8 && members.iter().any(|m| m.member == role && is_member(members, &m.role, group, depth + 1)))
}

/// None: a name or samenet, which only the server can judge.
fn address(line: &Hba, from: IpAddr) -> Option<bool> {
    let written = line.address.as_deref()?;
    if written == "all" {
        return Some(true);
    }
    let network: IpAddr = written.parse().ok()?;
    let mask: IpAddr = line.netmask.as_deref()?.parse().ok()?;
    Some(match (network, mask, from) {
        (IpAddr::V4(network), IpAddr::V4(mask), IpAddr::V4(from)) => {
            u32::from(from) & u32::from(mask) == u32::from(network) & u32::from(mask)
        }
        (IpAddr::V6(network), IpAddr::V6(mask), IpAddr::V6(from)) => {
            u128::from(from) & u128::from(mask) == u128::from(network) & u128::from(mask)
        }
        _ => false,
    })
}

#[cfg(test)]
mod rules {
    use super::*;

    fn line(number: i64, text: &str) -> Hba {
        let words: Vec<&str> = text.split(' ').collect();
        let (address, netmask) = match words[3].split_once('/') {
            Some((address, mask)) => (address.to_string(), Some(mask.to_string())),
            None => (words[3].to_string(), None),
        };
        Hba {
            kind: Some(words[0].into()),
            databases: Some(vec![words[1].into()]),
            users: Some(vec![words[2].into()]),
            address: Some(address),
            netmask,
            method: Some(words[4].into()),
            line: number,
            error: None,
        }
    }

    #[test]
    fn the_first_line_that_matches_decides() {
        let spilo = [
            line(1, "host all all 127.0.0.1/255.255.255.255 md5"),
            line(2, "hostssl replication standby all md5"),
            line(3, "hostnossl all all all reject"),
            line(4, "hostssl all +zalandos all pam"),
            line(5, "hostssl all all 10.0.0.0/255.0.0.0 md5"),
        ];
        let from = "10.1.2.3".parse().unwrap();
        let judged = |database, user| simulate(&spilo, &[], &Attempt { database, user, from });
        assert_eq!(judged("replication", "standby"), Verdict::Method(2, "md5"));
        assert_eq!(judged("replication", "postgres"), Verdict::NoLine);
        assert_eq!(judged("shop", "shop_owner"), Verdict::Method(5, "md5"));
        let human = [Membership { member: "shop_owner".into(), role: "zalandos".into() }];
        let attempt = Attempt { database: "shop", user: "shop_owner", from };
        assert_eq!(simulate(&spilo, &human, &attempt), Verdict::Method(4, "pam"));
        let named = [line(1, "host all all .example.org md5")];
        assert_eq!(simulate(&named, &[], &attempt), Verdict::Unclear(1));
        let closed = [line(7, "host all all all reject")];
        assert_eq!(simulate(&closed, &[], &attempt), Verdict::Rejected(7));
    }
}

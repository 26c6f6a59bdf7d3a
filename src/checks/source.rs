//! The source: running, with a leader, roles whose passwords are known.

use super::{Check, Finding};
use crate::facts::Facts;

pub const CHECK: Check = Check {
    id: "source-health",
    title: "the source runs and has a leader",
    why: "everything is copied from its leader, and the way back is its restart",
};
const PAUSED: Check = Check {
    id: "source-paused",
    title: "Patroni is not paused",
    why: "a pause that somebody else made hides a failover; it is put back as it was afterwards",
};
const DETACHED: Check = Check {
    id: "source-detached",
    title: "the Zalando operator serves the source",
    why: "somebody has detached the cluster; the annotation is put back as it was afterwards",
};
const PASSWORDS: Check = Check {
    id: "passwords",
    title: "every login role's password works under CNPG",
    why: "CNPG asks for SCRAM; an md5 hash whose password is in no Secret can't be made SCRAM",
};

pub fn check(facts: &Facts) -> Vec<Finding> {
    let source = &facts.source;
    let mut findings = vec![match source.fit() {
        Ok(()) => CHECK.pass(format!(
            "{} member{}, leader {}, timeline {}",
            source.members.len(),
            if source.members.len() == 1 { "" } else { "s" },
            source.leader,
            source.timeline
        )),
        Err(error) => CHECK.because(&error),
    }];
    if source.paused {
        findings.push(PAUSED.warn(
            "paused",
            format!("kubectl exec -n {} {} -c postgres -- patronictl resume", source.namespace, source.leader),
        ));
    }
    if let Some(by) = source.detached.as_deref() {
        findings.push(DETACHED.warn(
            format!("annotation {} = {by}", crate::facts::zalando::CONTROLLER),
            format!(
                "kubectl annotate postgresql -n {} {} {}-",
                source.namespace,
                source.cluster,
                crate::facts::zalando::CONTROLLER
            ),
        ));
    }
    findings.push(match facts.unknown_passwords.as_slice() {
        [] => PASSWORDS.pass("every md5 role has its password in a Secret"),
        unknown => PASSWORDS.warn(
            format!("md5 and in no Secret: {}", unknown.join(", ")),
            "the target gets the line 'host all all all md5'; or set these passwords anew with password_encryption = scram-sha-256",
        ),
    });
    findings
}

//! The CNPG operator is there and ready.

use super::{Check, Finding, Status};
use crate::facts::{Facts, cnpg::Operator};

const CHECK: Check = Check {
    id: "cnpg-operator",
    title: "the CloudNativePG operator is ready",
    why: "it makes the target, and restarts it after the promotion: without it the window does not end",
};

pub fn check(facts: &Facts) -> Vec<Finding> {
    let look = "kubectl get deployments -A -l app.kubernetes.io/name=cloudnative-pg";
    vec![match &facts.operator {
        Operator::Ready { namespace, image } => CHECK.pass(format!("{image} in {namespace}")),
        Operator::NotReady { namespace, why } => CHECK.fail(format!("in {namespace}: {why}"), look),
        Operator::Absent => CHECK.fail("no such Deployment", look),
        Operator::Unknown { why } => CHECK.found(Status::Warn, format!("can't be seen from here: {why}"), look),
    }]
}

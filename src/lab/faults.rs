//! Scripted faults: what goes wrong, when, how often. Tests write them; the API server asks before and after each request.
pub mod disk;
mod door;

pub use door::Door;

use super::{
    api::{
        request::RequestInfo,
        server::{Interceptor, Verdict},
    },
    node::Node,
    world::ground,
};
use crate::error::{Error, Result};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI32, AtomicU32, Ordering},
    },
    time::Duration,
};

pub type Matching = Box<dyn Fn(&RequestInfo) -> bool + Send + Sync>;

/// How often a rule has acted so far.
pub type Fired = Arc<AtomicU32>;

/// Every time.
pub const ALWAYS: u32 = u32::MAX;

/// Where in the life of a request a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing has been changed yet.
    Before,
    /// The change is committed, the answer not sent.
    After,
}

/// Process id of the runner that is to be lost; filled by the test when it has started it. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Runner(Arc<AtomicI32>);

impl Runner {
    pub fn is(&self, pid: u32) {
        self.0.store(pid as i32, Ordering::SeqCst);
    }
}

enum Effect {
    Verdict(Verdict),
    /// SIGKILL, and the connection closed.
    Kill(Runner),
}

struct Rule {
    moment: Moment,
    matching: Matching,
    times: u32,
    effect: Effect,
    fired: Fired,
}

/// The rules in force; the first that matches acts.
pub struct Faults {
    node: Node,
    rules: Mutex<Vec<Rule>>,
}

/// Requests of this verb (`patch`, `list` ...) for this resource (plural, without group) and name; "" stands for any.
/// Dry runs do not count.
pub fn on(verb: &str, resource: &str, name: &str) -> Matching {
    let (verb, resource, name) = (verb.to_owned(), resource.to_owned(), name.to_owned());
    Box::new(move |request| {
        let is = |wanted: &str, given: &str| wanted.is_empty() || wanted == given;
        is(&verb, request.verb)
            && is(&resource, &request.resource)
            && is(&name, request.name.as_deref().unwrap_or_default())
            && !request.dry_run()
    })
}

impl Faults {
    pub fn new(node: Node) -> Arc<Faults> {
        Arc::new(Faults { node, rules: Mutex::default() })
    }

    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, moment: Moment, matching: Matching, times: u32, effect: Effect) -> Fired {
        let fired = Fired::default();
        self.rules().push(Rule { moment, matching, times, effect, fired: fired.clone() });
        fired
    }

    /// Answers `times` matching requests with this code and the reason that goes with it. [`Moment::After`]: the change
    /// is made all the same, as when a gateway gives up (504).
    pub fn answer(&self, moment: Moment, matching: Matching, code: u16, times: u32) -> Fired {
        let reason = reason(code);
        let verdict = Verdict::Answer(code, reason, format!("{reason}: a fault of the lab"));
        self.add(moment, matching, times, Effect::Verdict(verdict))
    }

    /// Closes the connection without an answer.
    pub fn lose(&self, moment: Moment, matching: Matching, times: u32) -> Fired {
        self.add(moment, matching, times, Effect::Verdict(Verdict::Drop))
    }

    /// Lets matching requests (or their answers) wait.
    pub fn delay(&self, moment: Moment, matching: Matching, time: Duration, times: u32) -> Fired {
        self.add(moment, matching, times, Effect::Verdict(Verdict::Delay(time)))
    }

    /// "Lose the runner": SIGKILL to it when a request (a write of the journal, say) first matches.
    /// [`Moment::Before`]: the write never happens (done, but not in the journal); [`Moment::After`]: it is there, and
    /// nobody learned of it. Nothing happens while the runner's id is unknown.
    pub fn kill_runner(&self, runner: &Runner, moment: Moment, matching: Matching) -> Fired {
        let real: Matching = Box::new(move |request| !request.dry_run() && matching(request));
        self.add(moment, real, 1, Effect::Kill(runner.clone()))
    }

    /// Cuts the exec and port-forward streams into a pod.
    pub fn cut(&self, namespace: &str, pod: &str) -> Fired {
        self.node.cut(namespace, pod)
    }

    /// SIGKILL to the pod's PostgreSQL server; returns its process id.
    pub fn kill(&self, namespace: &str, pod: &str) -> Result<i32> {
        kill_server(&self.node, namespace, pod)
    }

    /// See [`disk::small`].
    pub fn small_disk(&self, namespace: &str, pod: &str, mib: u32) -> Result<()> {
        disk::small(&self.node, namespace, pod, mib)
    }

    /// See [`disk::fill`].
    pub fn fill_disk(&self, namespace: &str, pod: &str) -> Result<()> {
        disk::fill(&self.node, namespace, pod)
    }

    /// No rule is left.
    pub fn clear(&self) {
        self.rules().clear();
    }

    fn judge(&self, moment: Moment, request: &RequestInfo) -> Verdict {
        for rule in self.rules().iter_mut().filter(|rule| rule.moment == moment && rule.times > 0) {
            if !(rule.matching)(request) {
                continue;
            }
            let verdict = match &rule.effect {
                Effect::Verdict(verdict) => verdict.clone(),
                Effect::Kill(Runner(pid)) => match pid.load(Ordering::SeqCst) {
                    0 => continue,
                    pid => {
                        ground::signal(pid, libc::SIGKILL);
                        Verdict::Drop
                    }
                },
            };
            rule.times -= u32::from(rule.times != ALWAYS);
            rule.fired.fetch_add(1, Ordering::SeqCst);
            return verdict;
        }
        Verdict::Pass
    }
}

impl Interceptor for Faults {
    fn before(&self, request: &RequestInfo) -> Verdict {
        self.judge(Moment::Before, request)
    }
    fn after(&self, request: &RequestInfo, _status: u16) -> Verdict {
        self.judge(Moment::After, request)
    }
}

/// metav1.StatusReason
fn reason(code: u16) -> &'static str {
    match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "InternalError",
    }
}

/// SIGKILL to the postmaster of the pod: its process id. An error when no server runs there.
pub fn kill_server(node: &Node, namespace: &str, pod: &str) -> Result<i32> {
    let servers = ground::servers(&node.pod_dir(namespace, pod));
    let Some((pid, _)) = servers.first() else {
        return Err(Error::failed(format!("no PostgreSQL server runs in pod {namespace}/{pod}")));
    };
    ground::signal(*pid, libc::SIGKILL);
    Ok(*pid)
}

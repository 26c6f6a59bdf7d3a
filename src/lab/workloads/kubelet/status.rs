//! What the kubelet writes into a pod's status.
use crate::lab::{
    api::store::Store,
    workloads::object::{array, condition, name, namespace, now, text},
};
use serde_json::{Value, json};
use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

pub enum State {
    /// reason, message
    Waiting(&'static str, String),
    Running(String),
    Terminated {
        code: i32,
        started: String,
    },
}

struct Slot {
    state: State,
    ready: bool,
    restarts: u64,
    /// `lastState`: how the run before this one ended.
    last: Value,
}

/// Cheap to clone; every change is written at once.
#[derive(Clone)]
pub struct Report {
    pub ip: Ipv4Addr,
    store: Store,
    pod: Arc<Value>,
    slots: Arc<Mutex<Vec<Slot>>>,
    started: String,
}

impl Report {
    pub fn new(store: Store, pod: Arc<Value>, ip: Ipv4Addr) -> Report {
        let slot = |_: &Value| Slot {
            state: State::Waiting("ContainerCreating", String::new()),
            ready: false,
            restarts: 0,
            last: json!({}),
        };
        let slots = array(&pod["spec"]["containers"]).iter().map(slot).collect();
        Report { ip, store, pod, slots: Arc::new(Mutex::new(slots)), started: now() }
    }

    pub fn set(&self, container: usize, state: State) {
        self.change(container, |slot| {
            slot.ready = false;
            slot.state = state;
        });
    }

    /// Running from now on; returns since when.
    pub fn start(&self, container: usize) -> String {
        let since = now();
        self.change(container, |slot| {
            slot.restarts += u64::from(slot.last["terminated"].is_object());
            slot.state = State::Running(since.clone());
        });
        since
    }

    pub fn ready(&self, container: usize, ready: bool) {
        self.change(container, |slot| slot.ready = ready);
    }

    /// How long the containers may take to stop, as it stands now: `kubectl delete --grace-period` can shorten it.
    pub fn grace_period(&self) -> Duration {
        let pod = self.store.get("pods", namespace(&self.pod), name(&self.pod));
        let Some(pod) = pod.filter(|pod| pod["metadata"]["uid"] == self.pod["metadata"]["uid"]) else {
            return Duration::ZERO;
        };
        let seconds = pod["metadata"]["deletionGracePeriodSeconds"].as_u64();
        Duration::from_secs(seconds.or(pod["spec"]["terminationGracePeriodSeconds"].as_u64()).unwrap_or(30))
    }

    fn change(&self, container: usize, change: impl FnOnce(&mut Slot)) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get_mut(container) {
            change(slot);
            if let State::Terminated { .. } = slot.state {
                slot.last = json!({"terminated": terminated(&slot.state)});
            }
        }
        let containers = array(&self.pod["spec"]["containers"]);
        let statuses: Vec<Value> =
            slots.iter().zip(containers).map(|(slot, spec)| container_status(slot, spec)).collect();
        let ready = slots.iter().all(|slot| slot.ready);
        let phase = self.phase(&slots);
        let write = |pod: &mut Value| {
            if pod["metadata"]["uid"] == self.pod["metadata"]["uid"] {
                self.write(&mut pod["status"], phase, ready, statuses);
            }
        };
        // NotFound: removed without a grace period.
        let _ = self.store.update("pods", namespace(&self.pod), name(&self.pod), write);
    }

    fn phase(&self, slots: &[Slot]) -> &'static str {
        let policy = text(&self.pod["spec"]["restartPolicy"]);
        let ended = |slot: &Slot| match slot.state {
            State::Terminated { code, .. } if policy == "Never" || (policy == "OnFailure" && code == 0) => Some(code),
            _ => None,
        };
        let codes: Option<Vec<i32>> = slots.iter().map(ended).collect();
        match codes {
            Some(codes) if codes.iter().all(|code| *code == 0) => "Succeeded",
            Some(_) => "Failed",
            None if slots.iter().all(|slot| matches!(slot.state, State::Waiting(..)) && slot.last == json!({})) => {
                "Pending"
            }
            None => "Running",
        }
    }

    fn write(&self, status: &mut Value, phase: &str, ready: bool, statuses: Vec<Value>) {
        if !status.is_object() {
            *status = json!({});
        }
        let ip = self.ip.to_string();
        status["phase"] = phase.into();
        status["podIP"] = ip.as_str().into();
        status["podIPs"] = json!([{"ip": ip}]);
        status["hostIP"] = "127.0.0.1".into();
        status["startTime"] = self.started.as_str().into();
        status["qosClass"] = "BestEffort".into();
        status["containerStatuses"] = statuses.into();
        let done = phase == "Succeeded";
        let why = match (ready, done) {
            (true, _) => "",
            (false, true) => "PodCompleted",
            (false, false) => "ContainersNotReady",
        };
        for (kind, state, reason) in [
            ("PodScheduled", true, ""),
            ("Initialized", true, ""),
            ("ContainersReady", ready, why),
            ("Ready", ready, why),
        ] {
            condition(status, kind, state, reason, "");
        }
    }
}

fn container_status(slot: &Slot, spec: &Value) -> Value {
    let state = match &slot.state {
        State::Waiting(reason, message) if message.is_empty() => json!({"waiting": {"reason": reason}}),
        State::Waiting(reason, message) => json!({"waiting": {"reason": reason, "message": message}}),
        State::Running(since) => json!({"running": {"startedAt": since}}),
        State::Terminated { .. } => json!({"terminated": terminated(&slot.state)}),
    };
    let running = matches!(slot.state, State::Running(_));
    let last = if matches!(slot.state, State::Terminated { .. }) { json!({}) } else { slot.last.clone() };
    json!({
        "name": spec["name"], "image": spec["image"], "imageID": spec["image"], "ready": slot.ready,
        "started": running, "restartCount": slot.restarts, "state": state, "lastState": last,
    })
}

fn terminated(state: &State) -> Value {
    match state {
        State::Terminated { code, started } => {
            let reason = if *code == 0 { "Completed" } else { "Error" };
            json!({"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": now()})
        }
        _ => Value::Null,
    }
}

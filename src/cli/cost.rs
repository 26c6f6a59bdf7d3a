//! What a verb cost, said with `-v`.

use crate::{
    kube::{Kube, Used, used},
    postgres,
    term::Ui,
};
use std::time::Instant;

pub struct Cost {
    began: Instant,
    kube: Kube,
}

impl Cost {
    pub fn begin(kube: &Kube) -> Cost {
        Cost { began: Instant::now(), kube: kube.clone() }
    }

    /// Of this process so far; time since `begin`.
    pub fn say(&self, ui: &Ui) {
        let (took, calls, sql) = (self.began.elapsed().as_secs_f64(), self.kube.calls(), postgres::statements());
        let Used { memory, processor } = used();
        let memory = memory as f64 / 1048576.0;
        ui.say(format!(
            "{took:.1} s, {calls} API calls, {sql} SQL statements, {memory:.1} MiB at most, {processor:.2} s of processor"
        ));
    }
}

//! The arithmetic of a rolling update (kubernetes/pkg/controller/deployment/rolling.go), pure.
use serde_json::Value;

/// Replicas of the new ReplicaSet and how many pods of the old ones may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    pub new: usize,
    pub remove_old: usize,
}

/// What is there: `*_wanted` are spec.replicas, `new_ready` ready pods of the new ReplicaSet.
#[derive(Debug, Clone, Copy)]
pub struct Sets {
    pub desired: usize,
    pub new_wanted: usize,
    pub new_ready: usize,
    pub old_wanted: usize,
    /// Old pods that still exist, those on their way out included.
    pub old_present: usize,
}

pub fn next(strategy: &Value, sets: Sets) -> Move {
    let Sets { desired, new_wanted, new_ready, old_wanted, old_present } = sets;
    if strategy["type"] == "Recreate" {
        let new = if old_present == 0 { desired } else { new_wanted };
        return Move { new, remove_old: old_wanted };
    }
    let rolling = &strategy["rollingUpdate"];
    let mut surge = share(&rolling["maxSurge"], desired, true);
    let unavailable = share(&rolling["maxUnavailable"], desired, false).min(desired);
    if surge == 0 && unavailable == 0 {
        surge = 1;
    }
    let room = (desired + surge).saturating_sub(new_wanted + old_wanted);
    let new = if new_wanted > desired { desired } else { desired.min(new_wanted + room) };
    // What of the new set is not ready yet must not be counted on.
    let new_unready = new.saturating_sub(new_ready);
    let spare = (new + old_wanted).saturating_sub(desired - unavailable + new_unready);
    Move { new, remove_old: spare.min(old_wanted) }
}

/// A number or a percentage; 25% when absent.
fn share(value: &Value, of: usize, round_up: bool) -> usize {
    if let Some(number) = value.as_u64() {
        return number as usize;
    }
    let percent =
        value.as_str().and_then(|text| text.strip_suffix('%')).and_then(|text| text.parse().ok()).unwrap_or(25);
    if round_up { (of * percent).div_ceil(100) } else { of * percent / 100 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sets(desired: usize, new_wanted: usize, new_ready: usize, old_wanted: usize) -> Sets {
        Sets { desired, new_wanted, new_ready, old_wanted, old_present: old_wanted }
    }

    #[test]
    fn a_rolling_update_never_has_too_few() {
        let rolling = json!({});
        // One replica: the new pod comes first, the old one goes when it is ready.
        assert_eq!(next(&rolling, sets(1, 0, 0, 1)), Move { new: 1, remove_old: 0 });
        assert_eq!(next(&rolling, sets(1, 1, 1, 1)), Move { new: 1, remove_old: 1 });
        assert_eq!(next(&rolling, sets(4, 0, 0, 4)), Move { new: 1, remove_old: 1 });
        assert_eq!(next(&rolling, sets(0, 0, 0, 3)), Move { new: 0, remove_old: 3 });
        assert_eq!(next(&rolling, sets(0, 2, 2, 0)), Move { new: 0, remove_old: 0 });
    }

    #[test]
    fn recreate_waits_for_the_last_old_pod() {
        let recreate = json!({"type": "Recreate"});
        assert_eq!(next(&recreate, sets(2, 0, 0, 2)), Move { new: 0, remove_old: 2 });
        let leaving = Sets { old_present: 1, ..sets(2, 0, 0, 0) };
        assert_eq!(next(&recreate, leaving), Move { new: 0, remove_old: 0 });
        assert_eq!(next(&recreate, sets(2, 0, 0, 0)), Move { new: 2, remove_old: 0 });
    }
}

//! When to try again: soon at first, then less and less often, never all at the same moment.

use std::time::Duration;

use crate::config::Backoff;

/// So many failures in a row and an upstream counts as down: calls fail at once instead of waiting for it.
pub(crate) const DOWN_AFTER: u32 = 5;
/// A connection this old was a good one.
pub(crate) const HEALTHY_AFTER: Duration = Duration::from_secs(10);
/// The longest that a call arriving in a pause is made to wait for its end.
const ON_DEMAND_MAX: Duration = Duration::from_secs(5);

impl Backoff {
    /// The pause after `failures` in a row, with up to a quarter taken off at random.
    pub fn pause(&self, failures: u32) -> Duration {
        let full = self.full(failures);
        full - full.mul_f64(random_fraction() / 4.0)
    }

    /// The least time between two attempts when calls ask for one. Without it a client in a loop would keep a crashing
    /// server starting for ever.
    pub(crate) fn on_demand(&self, failures: u32) -> Duration {
        self.full(failures).min(ON_DEMAND_MAX)
    }

    fn full(&self, failures: u32) -> Duration {
        match failures {
            0 => Duration::ZERO,
            n => self.initial.saturating_mul(1 << (n - 1).min(16)).min(self.max),
        }
    }
}

/// A number in `0..1`. Only jitter depends on it, so a failing source of randomness means no jitter.
fn random_fraction() -> f64 {
    let mut bytes = [0_u8; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0),
        Err(_) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_bound_and_differ() {
        let backoff = Backoff { initial: Duration::from_millis(500), max: Duration::from_secs(60) };
        assert_eq!(backoff.pause(0), Duration::ZERO);
        for (failures, full) in [(1, 500), (2, 1000), (4, 4000), (9, 60_000), (u32::MAX, 60_000)] {
            let full = Duration::from_millis(full);
            let pause = backoff.pause(failures);
            assert!(pause <= full && pause >= full * 3 / 4, "{failures}: {pause:?}");
        }
        assert!((0..20).any(|_| backoff.pause(3) != backoff.pause(3)));
        assert_eq!(backoff.on_demand(30), Duration::from_secs(5));
    }
}

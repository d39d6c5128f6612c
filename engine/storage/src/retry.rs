//! How long and how often something is tried again.

use std::time::{Duration, Instant};

use object_store::{BackoffConfig, RetryConfig};

use crate::error::Failure;
use crate::explain;

/// Says for how many seconds an operation may be tried; the default is three minutes.
const VARIABLE: &str = "SLUICE_STORAGE_TIMEOUT";

const DEFAULT_TOTAL: Duration = Duration::from_secs(180);
/// One request, from connecting to the last byte of its answer.
const ONE_REQUEST: Duration = Duration::from_secs(60);
const MAX_RETRIES: usize = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// The limits of one operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// All tries together.
    pub(crate) total: Duration,
    /// One request.
    pub(crate) request: Duration,
}

impl Patience {
    /// What the environment says.
    ///
    /// # Errors
    /// Says what is wrong with the variable.
    pub(crate) fn of_environment() -> Result<Self, String> {
        let Some(text) = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty()) else {
            return Ok(Self::of(DEFAULT_TOTAL));
        };
        let seconds: Option<f64> = text.parse().ok().filter(|seconds| (0.1..=86_400.0).contains(seconds));
        match seconds {
            Some(seconds) => Ok(Self::of(Duration::from_secs_f64(seconds))),
            None => {
                Err(format!("`{VARIABLE}` is `{text}`, but must be a number of seconds from 0.1 to 86400"))
            }
        }
    }

    fn of(total: Duration) -> Self {
        Self { total, request: std::cmp::min(total, ONE_REQUEST) }
    }

    /// Everything that can be asked again without harm.
    pub(crate) fn retries(self) -> RetryConfig {
        RetryConfig { backoff: backoff(), max_retries: MAX_RETRIES, retry_timeout: self.total }
    }

    /// Nothing: whoever asks must find out first what the server has done.
    pub(crate) fn once(self) -> RetryConfig {
        RetryConfig { backoff: backoff(), max_retries: 0, retry_timeout: self.total }
    }
}

fn backoff() -> BackoffConfig {
    BackoffConfig { init_backoff: FIRST_PAUSE, max_backoff: LONGEST_PAUSE, base: 2.0 }
}

/// Our own tries of what the client library does not try again.
#[derive(Debug)]
pub(crate) struct Tries {
    began: Instant,
    total: Duration,
    done: usize,
    pause: Duration,
}

impl Tries {
    pub(crate) fn new(patience: Patience) -> Self {
        Self { began: Instant::now(), total: patience.total, done: 0, pause: FIRST_PAUSE }
    }

    /// How long the operation may still take.
    pub(crate) fn left(&self) -> Duration {
        std::cmp::max(self.total.saturating_sub(self.began.elapsed()), Duration::from_millis(1))
    }

    /// Waits before another try after `failure`; false if there shall be none.
    pub(crate) async fn again(&mut self, failure: &Failure) -> bool {
        if !explain::is_passing(failure) || self.done >= MAX_RETRIES || self.began.elapsed() >= self.total {
            return false;
        }
        self.done += 1;
        tokio::time::sleep(self.pause.mul_f64(jitter())).await;
        self.pause = std::cmp::min(self.pause * 2, LONGEST_PAUSE);
        true
    }
}

/// From one half to one, so that those who failed together do not come back together.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(std::process::id());
    0.5 + 0.5 * ((random >> 11) as f64 / (1_u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_differ_within_their_bounds() {
        let drawn: Vec<f64> = (0..100).map(|_| jitter()).collect();
        assert!(drawn.iter().all(|factor| (0.5..1.0).contains(factor)));
        assert!(drawn.iter().any(|factor| (factor - drawn[0]).abs() > 0.01));
    }

    #[test]
    fn what_cannot_pass_is_not_tried_again() {
        let asked = |failure: Failure| {
            let mut tries = Tries::new(Patience::of(Duration::from_secs(5)));
            crate::runtime::run(&sluice_core::execution::Cancel::default(), async move {
                tries.again(&failure).await
            })
            .unwrap()
        };
        assert!(asked(Failure::Throttled));
        assert!(!asked(Failure::Signature));
    }
}

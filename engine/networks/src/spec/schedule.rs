//! How the learning rate changes from step to step: a factor on the optimizer's own.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use sluice_core::options::{OptionsError, Range};

/// How the learning rate changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// Not at all.
    #[default]
    Constant,
    /// Half a cosine wave down (Loshchilov & Hutter 2017).
    Cosine {
        /// The share of all steps in which it first rises from 0.
        #[serde(default)]
        warmup: f64,
        /// The factor at the end.
        #[serde(default)]
        floor: f64,
    },
    /// Half a cosine wave up to 1, then one down (Smith & Topin 2019).
    OneCycle {
        /// The share of all steps in which it rises.
        #[serde(default = "default_rise")]
        warmup: f64,
        /// The factor at the start.
        #[serde(default = "default_start")]
        start: f64,
        /// The factor at the end.
        #[serde(default = "default_end")]
        floor: f64,
    },
    /// By `factor`, every so many epochs.
    Step {
        /// Epochs.
        every: u32,
        /// What the rate is multiplied by.
        factor: f64,
    },
}

fn default_rise() -> f64 {
    0.3
}

fn default_start() -> f64 {
    0.04
}

fn default_end() -> f64 {
    4e-6
}

/// From `from` at 0 to `to` at 1 along half a cosine wave.
fn half_wave(from: f64, to: f64, position: f64) -> f64 {
    to + (from - to) * 0.5 * (1.0 + (PI * position).cos())
}

impl Schedule {
    /// # Errors
    /// [`OptionsError::OutOfRange`] with the setting and its range.
    pub fn check(&self) -> Result<(), OptionsError> {
        let share = Range::closed(0.0, 1.0);
        match self {
            Self::Constant => {}
            Self::Cosine { warmup, floor } => {
                share.check("network.schedule.cosine.warmup", *warmup)?;
                share.check("network.schedule.cosine.floor", *floor)?;
            }
            Self::OneCycle { warmup, start, floor } => {
                share.check("network.schedule.one_cycle.warmup", *warmup)?;
                share.check("network.schedule.one_cycle.start", *start)?;
                share.check("network.schedule.one_cycle.floor", *floor)?;
            }
            Self::Step { every, factor } => {
                let every = f64::from(*every);
                Range::closed(1.0, 1e6).check("network.schedule.step.every", every)?;
                Range::above(0.0).check("network.schedule.step.factor", *factor)?;
            }
        }
        Ok(())
    }

    /// The factor on the learning rate at `step`, from 0, of `steps` in all, `steps_per_epoch` in an epoch.
    #[must_use]
    pub fn factor(&self, step: u64, steps: u64, steps_per_epoch: u64) -> f64 {
        // The last step is at 1.
        let last = std::cmp::max(steps.saturating_sub(1), 1) as f64;
        let position = step as f64 / last;
        match *self {
            Self::Constant => 1.0,
            Self::Cosine { warmup, floor } => {
                let rise = (warmup * steps as f64).floor();
                if (step as f64) < rise {
                    return (step as f64 + 1.0) / rise;
                }
                let rest = if last > rise { (step as f64 - rise) / (last - rise) } else { 1.0 };
                half_wave(1.0, floor, rest)
            }
            Self::OneCycle { warmup, start, .. } if position < warmup => {
                half_wave(start, 1.0, position / warmup)
            }
            Self::OneCycle { warmup, floor, .. } => {
                let rest = if warmup < 1.0 { (position - warmup) / (1.0 - warmup) } else { 1.0 };
                half_wave(1.0, floor, rest)
            }
            Self::Step { every, factor } => {
                let epoch = step / std::cmp::max(steps_per_epoch, 1);
                factor.powf((epoch / u64::from(std::cmp::max(every, 1))) as f64)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn schedules_begin_and_end_where_they_say() {
        let cosine = Schedule::Cosine { warmup: 0.1, floor: 0.01 };
        let factors: Vec<f64> = (0..100).map(|step| cosine.factor(step, 100, 10)).collect();
        assert!((factors[0] - 0.1).abs() < 1e-12 && (factors[9] - 1.0).abs() < 1e-12);
        assert!((factors[10] - 1.0).abs() < 1e-12 && (factors[99] - 0.01).abs() < 1e-12);
        let cycle = Schedule::OneCycle { warmup: 0.3, start: 0.04, floor: 4e-6 };
        let factors: Vec<f64> = (0..101).map(|step| cycle.factor(step, 101, 10)).collect();
        assert!((factors[0] - 0.04).abs() < 1e-12 && (factors[30] - 1.0).abs() < 1e-12);
        assert!((factors[100] - 4e-6).abs() < 1e-12);
        assert!(factors[..31].is_sorted() && factors[30..].is_sorted_by(|a, b| a >= b));
        let step = Schedule::Step { every: 2, factor: 0.5 };
        let factors: Vec<f64> = [0, 19, 20, 40].iter().map(|at| step.factor(*at, 100, 10)).collect();
        assert_eq!(
            factors.iter().map(|factor| (factor * 100.0).round()).collect::<Vec<_>>(),
            [100.0, 100.0, 50.0, 25.0]
        );
        for schedule in [cosine, cycle, step, Schedule::Constant] {
            assert!(schedule.factor(0, 1, 1).is_finite());
            assert!(schedule.factor(0, 0, 0).is_finite());
        }
    }
}

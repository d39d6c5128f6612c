//! Which scan is next, and when the iteration has come to its end.
//!
//! A step of length s with a matrix that was taken a length d before leaves about r s (s + 2d): the matrix that would
//! lead all the way is that of the middle of the step, s/2 + d from the one used, and curvatures change by the change
//! of their linear predictors at most, which over the rows is 1/√(Σ curvature) for each unit of length. What a step
//! left is the length of the next one, so the rate r is measured too. Near the end, then, the matrix of an earlier
//! point serves almost as well as a new one, and a scan for loss and slope alone costs about half.
//!
//! The iteration ends where a step by the matrix of its point is within the tolerance, or any step is expected to leave
//! next to nothing of it; and the matrix, where the statistics want it, was taken near enough.

use super::scan::Wanted;

/// The relative error that standard errors may have because their matrix is not that of the very end.
const STATISTICS: f64 = 1e-7;
/// What may be left, as a share of the tolerance, where the iteration ends by what it expects to be left: no more than a
/// step within the tolerance would leave.
const SHARE: f64 = 1e-5;
/// What a scan without matrix costs beside one with it.
const SLOPE_COST: f64 = 0.6;

/// What is to be done at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The step from here is the last.
    End,
    /// The step is taken, and this is scanned where it leads.
    Go(Wanted),
}

/// What the steps so far say of the next ones; lengths are in standard errors.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    tolerance: f64,
    /// Whether the matrix at the end is needed for the statistics.
    needs_matrix: bool,
    /// From where the matrix was taken to the point.
    travelled: f64,
    /// s (s + 2d) of the last step.
    last: Option<f64>,
    /// The length of the last step.
    previous: f64,
    rate: f64,
}

impl Pace {
    /// At the start, where the matrix was taken.
    pub(super) fn new(tolerance: f64, needs_matrix: bool) -> Self {
        Self {
            tolerance,
            needs_matrix,
            travelled: 0.0,
            last: None,
            previous: f64::INFINITY,
            rate: f64::INFINITY,
        }
    }

    /// The matrix was taken here.
    pub(super) fn renew(&mut self) {
        self.travelled = 0.0;
    }

    /// Whether the matrix was taken elsewhere.
    pub(super) fn is_stale(&self) -> bool {
        self.travelled > 0.0
    }

    /// The last step was not taken all the way, so that it says nothing.
    pub(super) fn shortened(&mut self) {
        self.last = None;
    }

    /// What is to be done where the next step is so long and curvatures add up to so much.
    pub(super) fn turn(&mut self, length: f64, curvature: f64) -> Turn {
        let per_row = 1.0 / curvature.sqrt();
        let measured = self.last.map(|last| length / last).filter(|rate| rate.is_finite());
        self.rate = measured.filter(|rate| *rate > per_row).unwrap_or(per_row);
        let left = self.left(length, self.travelled);
        let enough = self.tolerance * SHARE;
        let stalls = length <= ROUNDING_LENGTH && length >= self.previous / 2.0;
        let is_short = length <= self.tolerance;
        let arrives = (is_short && !self.is_stale()) || ((is_short || measured.is_some()) && left <= enough);
        let from_matrix = self.travelled + length;
        // Relative to the whole.
        let most = STATISTICS / per_row;
        let most = if most > self.tolerance { most } else { self.tolerance };
        let serves = !self.needs_matrix || from_matrix <= most;
        let turn = if (arrives && serves) || (stalls && !self.is_stale()) {
            Turn::End
        } else if arrives || stalls || !(left < length) {
            Turn::Go(Wanted::Matrix)
        } else if serves {
            Turn::Go(self.cheapest(left, from_matrix))
        } else {
            // A matrix is due; unless it were better taken one scan later.
            let after = self.left(left, from_matrix);
            let is_early = left > most || self.left(left, 0.0) > enough;
            let is_in_time = after <= most && self.left(after, 0.0) <= enough;
            Turn::Go(if is_early && is_in_time { Wanted::Slope } else { Wanted::Matrix })
        };
        self.last = Some(length * (length + 2.0 * self.travelled));
        self.previous = length;
        self.travelled = from_matrix;
        turn
    }

    /// What a step leaves, its matrix taken so far away.
    fn left(&self, length: f64, from_matrix: f64) -> f64 {
        self.rate * length * (length + 2.0 * from_matrix)
    }

    /// The scan that brings most for its cost where so much is left.
    fn cheapest(&self, left: f64, from_matrix: f64) -> Wanted {
        let (old, new) = (self.left(left, from_matrix), self.left(left, 0.0));
        let is_end = old <= self.tolerance * SHARE;
        // Each scan multiplies what is left; an old matrix is worth it where it does so often enough.
        let is_worth = old / left <= (new / left).powf(SLOPE_COST);
        if is_end || is_worth { Wanted::Slope } else { Wanted::Matrix }
    }
}

/// Below this length a step that is no shorter than the one before is rounding.
const ROUNDING_LENGTH: f64 = 1e-3;

#[cfg(test)]
mod tests {
    use super::{Pace, Turn, Wanted};

    /// Lengths and scans of an iteration whose steps leave what the model says.
    fn course(start: f64, curvature: f64, needs_matrix: bool) -> (Vec<f64>, Vec<Wanted>) {
        let mut pace = Pace::new(1e-6, needs_matrix);
        let (mut length, mut travelled) = (start, 0.0);
        let (mut lengths, mut scans) = (vec![start], vec![Wanted::Matrix]);
        while let Turn::Go(wanted) = pace.turn(length, curvature) {
            let left = 0.5 / curvature.sqrt() * length * (length + 2.0 * travelled);
            travelled += length;
            if wanted == Wanted::Matrix {
                travelled = 0.0;
                pace.renew();
            }
            length = left;
            lengths.push(length);
            scans.push(wanted);
            assert!(scans.len() < 50);
        }
        (lengths, scans)
    }

    #[test]
    fn the_end_is_as_near_as_asked_and_the_last_matrix_with_it() {
        for curvature in [10.0_f64, 1e3, 1e5, 1e8] {
            for start in [1e-7, 1e-3, 0.5, 10.0] {
                if start > curvature.sqrt() {
                    continue;
                }
                let (lengths, scans) = course(start, curvature, true);
                assert!(*lengths.last().unwrap() <= 1e-4, "{lengths:?}");
                let matrix = scans.iter().rposition(|wanted| *wanted == Wanted::Matrix).unwrap();
                let rest: f64 = lengths[matrix..].iter().sum();
                assert!(rest <= 1.1e-6 || rest <= 1.1e-7 * curvature.sqrt(), "{lengths:?} {scans:?}");
            }
        }
    }

    #[test]
    fn a_matrix_that_is_not_needed_at_the_end_is_spared() {
        assert_eq!(course(1e-3, 1e5, false).1, [Wanted::Matrix, Wanted::Slope]);
        assert_eq!(course(1e-3, 1e5, true).1, [Wanted::Matrix, Wanted::Matrix]);
        // It is taken once, near the end, where that saves one.
        let (lengths, scans) = course(0.5, 1e5, true);
        let matrices = scans.iter().filter(|wanted| **wanted == Wanted::Matrix).count();
        assert!(matrices < scans.len(), "{lengths:?} {scans:?}");
    }

    #[test]
    fn steps_that_do_not_shrink_end_by_rounding_but_not_on_an_old_matrix() {
        let mut pace = Pace::new(1e-9, false);
        assert_eq!(pace.turn(1e-4, 1e4), Turn::Go(Wanted::Slope));
        // Not shorter than half: the matrix may be why.
        assert_eq!(pace.turn(0.9e-4, 1e4), Turn::Go(Wanted::Matrix));
        pace.renew();
        assert_eq!(pace.turn(0.8e-4, 1e4), Turn::End);
    }

    #[test]
    fn far_away_or_without_curvature_each_scan_takes_the_matrix() {
        let mut pace = Pace::new(1e-6, false);
        assert_eq!(pace.turn(1e3, 1e4), Turn::Go(Wanted::Matrix));
        assert_eq!(Pace::new(1e-6, false).turn(1.0, 0.0), Turn::Go(Wanted::Matrix));
        assert_eq!(Pace::new(1e-6, false).turn(1.0, f64::NAN), Turn::Go(Wanted::Matrix));
    }
}

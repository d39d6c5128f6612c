//! The λ with the largest likelihood.
//!
//! Of n values with logarithms l (for Yeo-Johnson sign(x) log(1 + |x|)) whose transformed values have the population
//! variance V(λ), the logarithm of the likelihood divided by n is −log V(λ) / 2 + (λ − 1) mean(l), up to a constant
//! (Box & Cox 1964, eq. 8; Yeo & Johnson 2000, eq. 3.1). It is smooth, so it is looked at in the Chebyshev nodes of an
//! interval and its interpolant is maximised, whose error falls geometrically with the number of nodes (Trefethen,
//! Approximation Theory and Approximation Practice, chapter 8). Where the last coefficients say that λ could be off by
//! more than [`CLOSE`], the interval is narrowed around the maximum; where the maximum lies at an end, moved there.
//! Brent's method, as in SciPy, stops at some 1e-8.
//!
//! λ stays within ±[`WIDEST`], and where no transformed value passes e^300 / λ. A λ at which the transformed values
//! differ only in what rounding leaves of them is no candidate, whatever its likelihood: at λ = −30 all of 2000 to 2020
//! become 1/30. Where that holds everywhere there is none, and the column is only standardized.

use sluice_summaries::Moments;

use super::PowerMethod;

/// The largest |λ| looked at.
const WIDEST: f64 = 32.0;
/// The largest exponent of a transformed value, so that its square is in range.
const LARGEST_EXPONENT: f64 = 300.0;
/// A standard deviation below this share of the mean is rounding.
const SHALLOWEST: f64 = 1e5 * f64::EPSILON;
/// Nodes of an interval.
const NODES: usize = 17;
/// How far off λ may be.
const CLOSE: f64 = 1e-9;
/// Half the widths of the first interval: around a point of the grid, and around what quantiles tell.
const GRID_HALF_WIDTH: f64 = 0.5;
const SCAN_HALF_WIDTH: f64 = 0.1;
/// Narrower than this, rounding gains on the differences between the nodes.
const NARROWEST: f64 = 0.005;
/// Intervals looked at before the best point is taken.
const INTERVALS: usize = 12;

fn smaller(a: f64, b: f64) -> f64 {
    if b < a { b } else { a }
}

fn larger(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

/// What is known at one λ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    lambda: f64,
    mean: f64,
    standard_deviation: f64,
    /// Per row; `None` where λ is no candidate.
    likelihood: Option<f64>,
}

impl Point {
    pub(super) fn new(lambda: f64, mean_log: f64, mean: f64, standard_deviation: f64) -> Self {
        let is_sound = standard_deviation.is_finite()
            && standard_deviation > SHALLOWEST * mean.abs()
            && standard_deviation > f64::MIN_POSITIVE;
        let likelihood = is_sound.then(|| (lambda - 1.0) * mean_log - standard_deviation.ln());
        Self { lambda, mean, standard_deviation, likelihood: likelihood.filter(|value| value.is_finite()) }
    }

    pub(super) fn rank(&self) -> f64 {
        self.likelihood.unwrap_or(f64::NEG_INFINITY)
    }
}

/// A λ with the mean and the standard deviation that it leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) lambda: f64,
    pub(crate) mean: f64,
    pub(crate) standard_deviation: f64,
}

impl Found {
    pub(super) fn at(lambda: f64, moments: Moments) -> Self {
        Self {
            lambda,
            mean: moments.mean().unwrap_or(0.0),
            standard_deviation: moments.standard_deviation(0).unwrap_or(0.0),
        }
    }

    /// λ = 1.
    pub(super) fn identity(moments: Moments) -> Self {
        Self::at(1.0, moments)
    }

    fn of(point: Point) -> Self {
        Self { lambda: point.lambda, mean: point.mean, standard_deviation: point.standard_deviation }
    }
}

/// What comes of looking at an interval.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The maximum.
    Found(Found),
    /// Where to look next.
    Narrower(Search),
    /// There is no candidate at all.
    Nowhere,
}

/// An interval of λ that is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    center: f64,
    half_width: f64,
    allowed: (f64, f64),
    looked: usize,
}

/// The λs at which no transformed value is out of range; the logarithms are the extreme ones.
fn allowed((smallest, largest): (f64, f64), method: PowerMethod) -> (f64, f64) {
    let bound = |log: f64| if log.abs() > 0.0 { LARGEST_EXPONENT / log.abs() } else { WIDEST };
    let (mut low, mut high) = (-WIDEST, WIDEST);
    if largest > 0.0 {
        high = smaller(high, bound(largest));
    }
    if smallest < 0.0 {
        low = match method {
            PowerMethod::YeoJohnson => larger(low, 2.0 - bound(smallest)),
            PowerMethod::BoxCox => larger(low, -bound(smallest)),
        };
    }
    (low, high)
}

impl Search {
    /// All that is allowed; `None` where nothing is.
    pub(super) fn over(logs: (f64, f64), method: PowerMethod) -> Option<Self> {
        let (low, high) = allowed(logs, method);
        let half_width = (high - low) / 2.0;
        let search = Self { center: low + half_width, half_width, allowed: (low, high), looked: 0 };
        (low < high).then_some(search)
    }

    /// Near a λ that is known roughly.
    pub(super) fn around(lambda: f64, logs: (f64, f64), method: PowerMethod) -> Self {
        Self { center: lambda, half_width: 0.0, allowed: allowed(logs, method), looked: 0 }
            .moved(lambda, SCAN_HALF_WIDTH)
    }

    /// An interval within what is allowed.
    fn moved(self, center: f64, half_width: f64) -> Self {
        let (low, high) = self.allowed;
        let half_width = smaller(half_width, (high - low) / 2.0);
        Self { center: center.clamp(low + half_width, high - half_width), half_width, ..self }
    }

    /// The Chebyshev nodes of the interval, ascending.
    pub(crate) fn lambdas(&self) -> Vec<f64> {
        (0..NODES).map(|node| self.center - self.half_width * angle(node).cos()).collect()
    }

    /// The maximum over values that are at hand.
    pub(super) fn settle(self, mean_log: f64, at: impl Fn(f64) -> Moments) -> Option<f64> {
        let point = |lambda: f64| Point::of(lambda, mean_log, &at(lambda));
        let (low, high) = self.allowed;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 4 * WIDEST")]
        let steps = larger(((high - low) / GRID_HALF_WIDTH).ceil(), 1.0) as u32;
        let grid = (0..=steps).map(|step| low + (high - low) * f64::from(step) / f64::from(steps));
        let best = grid.map(point).max_by(|a, b| a.rank().total_cmp(&b.rank()))?;
        best.likelihood?;
        let mut search = self.moved(best.lambda, GRID_HALF_WIDTH);
        loop {
            let points: Vec<Point> = search.lambdas().into_iter().map(point).collect();
            match search.step(&points) {
                Outcome::Found(found) => return Some(found.lambda),
                Outcome::Narrower(narrower) => search = narrower,
                Outcome::Nowhere => return Some(best.lambda),
            }
        }
    }

    /// What the points at [`Search::lambdas`] tell.
    pub(crate) fn step(self, points: &[Point]) -> Outcome {
        let next = Self { looked: self.looked + 1, ..self };
        let Some(best) = points.iter().copied().max_by(|a, b| a.rank().total_cmp(&b.rank())) else {
            return Outcome::Nowhere;
        };
        let likelihoods: Option<Vec<f64>> = points.iter().map(|point| point.likelihood).collect();
        let is_last = next.looked >= INTERVALS;
        let Some(likelihoods) = likelihoods else {
            return match best.likelihood {
                None => Outcome::Nowhere,
                // At the end of what is sound: nothing smooth to interpolate.
                Some(_) if is_last => Outcome::Found(Found::of(best)),
                Some(_) => Outcome::Narrower(next.moved(best.lambda, self.half_width / 8.0)),
            };
        };
        let series = Series::of(&likelihoods);
        let Some(place) = series.maximum() else {
            // At an end of the interval.
            let end = self.center + self.half_width * series.higher_end();
            let is_bound = end <= self.allowed.0 || end >= self.allowed.1;
            if is_bound && self.half_width > NARROWEST && !is_last {
                return Outcome::Narrower(next.moved(end, self.half_width / 8.0));
            }
            return if is_bound || is_last {
                Outcome::Found(Found::of(best))
            } else {
                Outcome::Narrower(next.moved(end, self.half_width * 1.5))
            };
        };
        let lambda = self.center + self.half_width * place;
        let error = series.error_of_maximum(place) * self.half_width;
        if error > CLOSE && !is_last && self.half_width > NARROWEST {
            return Outcome::Narrower(next.moved(lambda, larger(self.half_width / 8.0, NARROWEST)));
        }
        let interpolated = |of: fn(&Point) -> f64| Series::of(&points.iter().map(of).collect::<Vec<_>>());
        Outcome::Found(Found {
            lambda,
            mean: interpolated(|point| point.mean).at(place),
            standard_deviation: interpolated(|point| point.standard_deviation.ln()).at(place).exp(),
        })
    }
}

/// Where a node stands on the half circle.
fn angle(node: usize) -> f64 {
    std::f64::consts::PI * (node as f64 + 0.5) / NODES as f64
}

/// Coefficients of Chebyshev polynomials on −1 to 1.
struct Series(Vec<f64>);

impl Series {
    /// Through values at the ascending nodes.
    fn of(values: &[f64]) -> Self {
        // Taken about one of them, which rounding then spares.
        let pivot = values[0];
        let coefficient = |degree: usize| {
            let terms = values.iter().enumerate().map(|(node, value)| {
                // The node is −cos(angle), hence the sign of odd degrees.
                let sign = if degree.is_multiple_of(2) { 1.0 } else { -1.0 };
                sign * (value - pivot) * (degree as f64 * angle(node)).cos()
            });
            terms.sum::<f64>() * 2.0 / NODES as f64
        };
        let mut coefficients: Vec<f64> = (0..values.len()).map(coefficient).collect();
        coefficients[0] = coefficients[0] / 2.0 + pivot;
        Self(coefficients)
    }

    fn at(&self, place: f64) -> f64 {
        let turn = place.clamp(-1.0, 1.0).acos();
        self.0
            .iter()
            .enumerate()
            .map(|(degree, coefficient)| coefficient * (degree as f64 * turn).cos())
            .sum()
    }

    /// The coefficients of the derivative (Mason & Handscomb, Chebyshev Polynomials, section 2.4.5).
    fn derivative(&self) -> Self {
        let count = self.0.len();
        let mut derivative = vec![0.0; count + 1];
        for degree in (1..count).rev() {
            derivative[degree - 1] = derivative[degree + 1] + 2.0 * degree as f64 * self.0[degree];
        }
        derivative.truncate(count - 1);
        derivative[0] /= 2.0;
        Self(derivative)
    }

    /// The end of −1 and 1 that is higher.
    fn higher_end(&self) -> f64 {
        if self.at(1.0) >= self.at(-1.0) { 1.0 } else { -1.0 }
    }

    /// Where it is largest; `None` at an end.
    fn maximum(&self) -> Option<f64> {
        const SAMPLES: u32 = 128;
        let sample = |index: u32| f64::from(index) / f64::from(SAMPLES / 2) - 1.0;
        let heights: Vec<f64> = (0..=SAMPLES).map(|index| self.at(sample(index))).collect();
        let highest = (0..=SAMPLES).max_by(|a, b| heights[*a as usize].total_cmp(&heights[*b as usize]))?;
        let derivative = self.derivative();
        let mut low = sample(highest.saturating_sub(1));
        let mut high = sample((highest + 1).min(SAMPLES));
        if !(derivative.at(low) > 0.0 && derivative.at(high) < 0.0) {
            return None;
        }
        for _ in 0..64 {
            let middle = low + (high - low) / 2.0;
            if derivative.at(middle) > 0.0 { low = middle } else { high = middle }
        }
        Some(low + (high - low) / 2.0)
    }

    /// How far the place of the maximum can be off, judged by the last coefficients: the error of the derivative over
    /// the curvature.
    fn error_of_maximum(&self, place: f64) -> f64 {
        let tail = self.0.iter().enumerate().rev().take(3);
        let slope: f64 = tail.map(|(degree, value)| (degree * degree) as f64 * value.abs()).sum();
        let curvature = self.derivative().derivative().at(place).abs();
        if curvature > 0.0 { slope / curvature } else { f64::INFINITY }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_goes_through_its_nodes_and_knows_its_maximum() {
        let search = Search { center: 0.3, half_width: 0.5, allowed: (-9.0, 9.0), looked: 0 };
        let hill = |x: f64| (-(x - 0.42_f64).powi(2)).exp() + 3.0;
        let series = Series::of(&search.lambdas().into_iter().map(hill).collect::<Vec<_>>());
        for lambda in [-0.15, 0.0, 0.3, 0.77] {
            assert!((series.at((lambda - 0.3) / 0.5) - hill(lambda)).abs() < 1e-13, "{lambda}");
        }
        let place = series.maximum().unwrap();
        assert!((0.3 + 0.5 * place - 0.42).abs() < 1e-12, "{place}");
        assert!(series.error_of_maximum(place) < 1e-9);
        let slope = Series::of(&search.lambdas());
        assert!(slope.maximum().is_none() && slope.higher_end() > 0.0);
    }

    #[test]
    fn powers_out_of_range_are_not_looked_at() {
        let log = 1e300_f64.ln_1p();
        let (low, high) = allowed((0.0, log), PowerMethod::YeoJohnson);
        assert!(low <= -WIDEST && (high * log - 300.0).abs() < 1e-9);
        assert!(Search::over((-log, log), PowerMethod::YeoJohnson).is_none());
        assert!(Search::over((0.1, 0.7), PowerMethod::BoxCox).is_some());
    }
}

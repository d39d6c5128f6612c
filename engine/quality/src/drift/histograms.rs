//! The Jensen-Shannon divergence of two histograms with different bounds.
//!
//! 1. Infinities and NaN are masses of their own that match nothing of the other side, not even its like.
//! 2. Buckets of one point (low = high) stand for that value; they match a point of the other side.
//! 3. The other buckets are cut at the bounds of both sides, their mass spread evenly, and compared piece by piece.

use std::cmp::Ordering;

use sluice_core::statistics::{Bucket, Histogram};

use super::jensen_shannon;

/// What is known of the distribution of a numeric column.
#[derive(Clone, Copy, Debug)]
pub struct Distribution<'a> {
    /// Finite values.
    pub histogram: &'a Histogram,
    /// -infinity and +infinity together.
    pub num_infinite: f64,
    /// NaN.
    pub num_nan: f64,
}

/// The divergence in bits, from 0 to 1; none where one side has no values.
#[must_use]
pub fn jensen_shannon_of_histograms(current: Distribution<'_>, control: Distribution<'_>) -> Option<f64> {
    let (current_side, control_side) = (Side::of(current.histogram), Side::of(control.histogram));
    let points = paired_points(&current_side.points, &control_side.points).into_iter();
    let mut pairs: Vec<(f64, f64)> = points.map(|(_, x, y)| (x, y)).collect();
    let bounds = union(&current_side.ranges, &control_side.ranges);
    let (x, y) = (spread(&current_side.ranges, &bounds), spread(&control_side.ranges, &bounds));
    pairs.extend(x.into_iter().zip(y));
    for mass in [current.num_infinite + current_side.infinite, current.num_nan] {
        pairs.push((mass, 0.0));
    }
    for mass in [control.num_infinite + control_side.infinite, control.num_nan] {
        pairs.push((0.0, mass));
    }
    jensen_shannon(&pairs)
}

/// The buckets of one side, by what they are.
pub(super) struct Side {
    /// In the order of the histogram, which is ascending.
    pub(super) ranges: Vec<Bucket>,
    /// Values and their counts, ascending.
    pub(super) points: Vec<(f64, f64)>,
    pub(super) infinite: f64,
}

impl Side {
    pub(super) fn of(histogram: &Histogram) -> Self {
        let mut side = Self { ranges: Vec::new(), points: Vec::new(), infinite: 0.0 };
        for bucket in &histogram.buckets {
            if !bucket.low.is_finite() || !bucket.high.is_finite() {
                side.infinite += bucket.count;
            } else if bucket.low < bucket.high {
                side.ranges.push(*bucket);
            } else {
                // Adding 0 makes -0 and 0 one point.
                side.points.push((bucket.low + 0.0, bucket.count));
            }
        }
        side.points.sort_by(|a, b| a.0.total_cmp(&b.0));
        side
    }
}

/// Every point with the counts of both sides.
pub(super) fn paired_points(current: &[(f64, f64)], control: &[(f64, f64)]) -> Vec<(f64, f64, f64)> {
    let mut all: Vec<(f64, f64, f64)> = current.iter().map(|(at, count)| (*at, *count, 0.0)).collect();
    all.extend(control.iter().map(|(at, count)| (*at, 0.0, *count)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.dedup_by(|later, first| {
        let is_same = later.0.total_cmp(&first.0) == Ordering::Equal;
        if is_same {
            first.1 += later.1;
            first.2 += later.2;
        }
        is_same
    });
    all
}

/// All bounds of both sides, ascending, each once.
pub(super) fn union(current: &[Bucket], control: &[Bucket]) -> Vec<f64> {
    let mut bounds: Vec<f64> =
        current.iter().chain(control).flat_map(|bucket| [bucket.low + 0.0, bucket.high + 0.0]).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup_by(|a, b| a.total_cmp(b) == Ordering::Equal);
    bounds
}

/// The mass of the buckets between each two neighbouring bounds, spread evenly within a bucket.
fn spread(buckets: &[Bucket], bounds: &[f64]) -> Vec<f64> {
    let mut masses = vec![0.0; bounds.len().saturating_sub(1)];
    for bucket in buckets {
        let first = bounds.partition_point(|bound| *bound < bucket.low);
        let last = bounds.partition_point(|bound| *bound < bucket.high);
        // Halves, so that the width of the widest range does not overflow.
        let width = bucket.high / 2.0 - bucket.low / 2.0;
        for piece in first..last {
            masses[piece] += bucket.count * ((bounds[piece + 1] / 2.0 - bounds[piece] / 2.0) / width);
        }
    }
    masses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(buckets: &[(f64, f64, f64)]) -> Histogram {
        let buckets =
            buckets.iter().map(|(low, high, count)| Bucket { low: *low, high: *high, count: *count });
        Histogram { buckets: buckets.collect(), max_error: 0.0 }
    }

    fn plain(histogram: &Histogram) -> Distribution<'_> {
        Distribution { histogram, num_infinite: 0.0, num_nan: 0.0 }
    }

    #[test]
    fn other_bounds_over_the_same_mass_are_no_difference() {
        let (a, b) = (histogram(&[(0.0, 4.0, 8.0)]), histogram(&[(0.0, 1.0, 2.0), (1.0, 4.0, 6.0)]));
        let found = jensen_shannon_of_histograms(plain(&a), plain(&b)).unwrap();
        assert!(found < 1e-15, "{found}");
    }

    #[test]
    fn points_match_points_only() {
        let (a, b) = (histogram(&[(1.0, 1.0, 4.0)]), histogram(&[(0.0, 2.0, 4.0)]));
        assert_eq!(jensen_shannon_of_histograms(plain(&a), plain(&b)), Some(1.0));
        let zero = histogram(&[(-0.0, 0.0, 1.0)]);
        let other = histogram(&[(0.0, 0.0, 3.0)]);
        assert_eq!(jensen_shannon_of_histograms(plain(&zero), plain(&other)), Some(0.0));
    }

    #[test]
    fn nan_and_infinities_match_nothing() {
        let empty = histogram(&[]);
        let nan = Distribution { histogram: &empty, num_infinite: 0.0, num_nan: 1.0 };
        assert_eq!(jensen_shannon_of_histograms(nan, nan), Some(1.0));
        assert_eq!(jensen_shannon_of_histograms(plain(&empty), nan), None);
        let full = histogram(&[(1.0, 2.0, 8.0)]);
        let some = Distribution { histogram: &full, num_infinite: 2.0, num_nan: 0.0 };
        let found = jensen_shannon_of_histograms(some, some).unwrap();
        assert!((found - 0.2).abs() < 1e-12, "{found}");
    }

    #[test]
    fn the_widest_range_does_not_overflow() {
        let wide = histogram(&[(-f64::MAX, f64::MAX, 2.0)]);
        let halves = histogram(&[(-f64::MAX, 0.0, 1.0), (0.0, f64::MAX, 1.0)]);
        let found = jensen_shannon_of_histograms(plain(&wide), plain(&halves)).unwrap();
        assert!(found < 1e-12, "{found}");
    }
}

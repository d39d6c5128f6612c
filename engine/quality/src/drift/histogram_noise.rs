//! What the Jensen-Shannon divergence of two histograms comes to on average where nothing changed: if both sides were
//! samples of what they hold together, counted into buckets with the bounds that they have.
//!
//! Buckets of equal width end at the least and the greatest value of a sample, so that two samples of the same have other
//! bounds. Within a bucket mass is spread evenly, on each side over another stretch, which is a divergence of its own. It
//! does not fade as rows become more the way sampling does, and of long tails it is most of the value. With P and Q the
//! masses of the pieces (`histograms`) that the numbers of both sides together have in these buckets, the noise is
//!
//! D(P, Q) + Σ over pieces of ½ (var p ∂²D/∂p² + var q ∂²D/∂q²), ∂²D/∂p² = q / (2 ln 2 · p (p + q)),
//!
//! the mean of a second-order expansion. A bucket of mass B has the variance B (1 − B) / n, and the piece that holds the
//! part f of it f² of that. A piece adds no more than if it were of one side only, ½ (p + q), so that rare pieces do not
//! count beyond what they can be. Outside of its own bounds a side has there what both have together. NaN and infinities
//! match nothing by definition, so that the share of them that both sides have together is noise too.

use super::cumulative::Cumulative;
use super::histograms::{Distribution, Side, paired_points, union};

/// The mass of a piece, and the variance of it over itself, which exists where there is no mass, too.
#[derive(Clone, Copy, Debug, Default)]
struct Mass {
    share: f64,
    relative_variance: f64,
}

/// The finite numbers of both sides together.
struct Pooled<'a> {
    sides: [&'a Cumulative; 2],
}

impl Pooled<'_> {
    fn mean(&self, of: impl Fn(&Cumulative) -> f64) -> f64 {
        let [n, m] = self.sides.map(Cumulative::count);
        (n * of(self.sides[0]) + m * of(self.sides[1])) / (n + m)
    }

    fn below(&self, value: f64) -> f64 {
        self.mean(|side| side.below(value).value)
    }

    fn up_to(&self, value: f64) -> f64 {
        self.mean(|side| side.up_to(value).value)
    }

    fn at(&self, value: f64) -> f64 {
        (self.up_to(value) - self.below(value)).max(0.0)
    }
}

/// The noise of [`jensen_shannon_of_histograms`](super::jensen_shannon_of_histograms), in bits; none where a side is empty.
pub(super) fn noise_of_histograms(
    distributions: [Distribution<'_>; 2],
    numbers: [&Cumulative; 2],
) -> Option<f64> {
    let sides = distributions.map(|it| Side::of(it.histogram));
    let pooled = Pooled { sides: numbers };
    let bounds = union(&sides[0].ranges, &sides[1].ranges);
    let points = paired_points(&sides[0].points, &sides[1].points);
    let unmatched = [0, 1].map(|side| unmatched(&sides[side], distributions[side]));
    let [n, m] = numbers.map(Cumulative::count);
    let unmatched = (n * unmatched[0]? + m * unmatched[1]?) / (n + m);
    let rest = 1.0 - unmatched;
    let masses = [0, 1].map(|side| {
        let rows = numbers[side].count() / rest.max(f64::MIN_POSITIVE);
        masses(&sides[side], &points, &bounds, &pooled, (rest, rows))
    });
    let pieces = masses[0].iter().zip(&masses[1]);
    Some((unmatched + pieces.map(|(p, q)| expected(*p, *q)).sum::<f64>()).clamp(0.0, 1.0))
}

/// The share of a side that matches nothing; none where it is empty.
fn unmatched(side: &Side, distribution: Distribution<'_>) -> Option<f64> {
    let finite = side.ranges.iter().map(|bucket| bucket.count).sum::<f64>()
        + side.points.iter().map(|(_, count)| count).sum::<f64>();
    let without = side.infinite + distribution.num_infinite + distribution.num_nan;
    (finite + without > 0.0).then(|| without / (finite + without))
}

/// What a side has in each point and each piece if it is a sample of both together.
fn masses(
    side: &Side,
    points: &[(f64, f64, f64)],
    bounds: &[f64],
    pooled: &Pooled<'_>,
    (rest, rows): (f64, f64),
) -> Vec<Mass> {
    let whole = |share: f64| {
        let share = share * rest;
        Mass { share, relative_variance: (1.0 - share) / rows }
    };
    let (low, high) = (side.ranges.first().map(|it| it.low), side.ranges.last().map(|it| it.high));
    let is_inside = |at: f64| low.is_some_and(|low| low <= at) && high.is_some_and(|high| at <= high);
    let is_own = |at: f64| side.points.iter().any(|(point, _)| point.total_cmp(&at).is_eq());
    // A point of the other side that lies in a bucket here is spread with it.
    let is_apart = |at: f64| is_own(at) || !is_inside(at);
    let mut found: Vec<Mass> = points
        .iter()
        .map(|(at, ..)| if is_apart(*at) { whole(pooled.at(*at)) } else { Mass::default() })
        .collect();
    let first = found.len();
    found.resize(first + bounds.len().saturating_sub(1), Mass::default());
    // The numbers in (from, to], or [from, to], without those that stand apart.
    let between = |from: f64, to: f64, with_from: bool| {
        let reached = if with_from { pooled.below(from) } else { pooled.up_to(from) };
        let apart = points.iter().map(|(at, ..)| *at).filter(|at| {
            is_apart(*at) && *at <= to && (from < *at || (with_from && from.total_cmp(at).is_eq()))
        });
        (pooled.up_to(to) - reached - apart.map(|at| pooled.at(at)).sum::<f64>()).max(0.0)
    };
    for (index, bucket) in side.ranges.iter().enumerate() {
        let bucket_mass = whole(between(bucket.low, bucket.high, index == 0));
        let width = bucket.high / 2.0 - bucket.low / 2.0;
        for (piece, ends) in bounds.windows(2).enumerate() {
            if bucket.low <= ends[0] && ends[1] <= bucket.high {
                let part = (ends[1] / 2.0 - ends[0] / 2.0) / width;
                let Mass { share, relative_variance } = bucket_mass;
                found[first + piece].share += part * share;
                found[first + piece].relative_variance += part * relative_variance;
            }
        }
    }
    for (piece, ends) in bounds.windows(2).enumerate() {
        let is_before = low.is_none_or(|low| ends[1] <= low);
        if is_before || high.is_some_and(|high| high <= ends[0]) {
            // What is at the least value of this side is in its first bucket.
            let at_low =
                if low.is_some_and(|low| low.total_cmp(&ends[1]).is_eq()) { pooled.at(ends[1]) } else { 0.0 };
            found[first + piece] = whole((between(ends[0], ends[1], piece == 0) - at_low).max(0.0));
        }
    }
    found
}

/// The mean of the term of a piece.
fn expected(p: Mass, q: Mass) -> f64 {
    let (sum, most) = (p.share + q.share, 0.5 * (p.share + q.share));
    if !(sum > 0.0) {
        return 0.0;
    }
    let term = |share: f64| if share > 0.0 { 0.5 * share * (2.0 * share / sum).log2() } else { 0.0 };
    let apart = term(p.share) + term(q.share);
    let of_sampling = (p.relative_variance * q.share + q.relative_variance * p.share)
        / (4.0 * std::f64::consts::LN_2 * sum);
    (apart + of_sampling).min(most).max(0.0)
}

#[cfg(test)]
mod tests {
    use sluice_core::statistics::Histogram;

    use super::*;
    use crate::drift::decision_tests::Chance;
    use crate::drift::golden_numbers::{column, cumulative, saved};
    use crate::drift::jensen_shannon_of_histograms;

    /// The mean value, the mean noise, and the share of the values above theirs, where nothing changed.
    fn where_nothing_changed(
        (simulations, rows, num_nan): (usize, usize, f64),
        is_saved: bool,
        shape: impl Fn(f64) -> f64,
    ) -> [f64; 3] {
        let mut chance = Chance(42);
        let mut found = [0.0; 3];
        for _ in 0..simulations {
            let sides = [0, 1].map(|_| (0..rows).map(|_| shape(chance.normal())).collect::<Vec<f64>>());
            let columns = sides.each_ref().map(|values| column(values).numeric.unwrap().histograms.unwrap());
            let of = |index: usize| {
                let histogram: &Histogram = &columns[index].equal_width;
                Distribution { histogram, num_infinite: 0.0, num_nan: num_nan * rows as f64 }
            };
            let numbers =
                sides.each_ref().map(|values| if is_saved { saved(values) } else { cumulative(values) });
            let value = jensen_shannon_of_histograms(of(0), of(1)).unwrap();
            let noise = noise_of_histograms([of(0), of(1)], numbers.each_ref()).unwrap();
            for (sum, one) in found.iter_mut().zip([value, noise, f64::from(value > noise)]) {
                *sum += one / simulations as f64;
            }
        }
        found
    }

    #[test]
    fn values_are_at_their_noise_on_average_where_nothing_changed() {
        type Shape = (&'static str, fn(f64) -> f64);
        let shapes: [Shape; 4] = [
            ("normal", |z| z),
            ("log-normal", |z| (1.5 * z).exp()),
            ("integers", |z| (3.0 * z).round()),
            ("two values", |z| f64::from(z > 0.3)),
        ];
        for (name, shape) in shapes {
            for (simulations, rows) in [(60, 1_000), (40, 10_000), (8, 100_000)] {
                for is_saved in [false, true] {
                    let what = (simulations, rows, 0.0);
                    let [value, noise, above] = where_nothing_changed(what, is_saved, shape);
                    let (part, told) =
                        (value / noise, format!("{name} {rows} {is_saved}: {value} {noise} {above}"));
                    // Two values have no bounds to differ in, and one degree of freedom: their mean varies by a fifth. From
                    // saved statistics what both have together is known by straight lines between few places.
                    let range = match (name, is_saved) {
                        ("two values", _) => 0.3..1.7,
                        (_, false) => 0.97..1.03,
                        (_, true) => 0.97..1.3,
                    };
                    assert!(range.contains(&part), "{told}");
                    assert!(is_saved || (0.1..0.9).contains(&above), "{told}");
                }
            }
        }
        // A tenth of NaN on both sides is a divergence of a tenth, as TFDV counts it.
        let [value, noise, _] = where_nothing_changed((40, 1_000, 1.0 / 9.0), false, |z| z);
        assert!(noise > 0.1 && (0.97..1.03).contains(&(value / noise)), "{value} {noise}");
    }
}

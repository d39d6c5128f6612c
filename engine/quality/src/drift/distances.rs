//! The distances of one column, each with its bounds, its noise and the probability that it is nothing but noise.
//!
//! One test decides per column, whatever distances are asked for, so that asking for more raises no more alarms. Labels:
//! chi-square. Numbers known by their values: Kolmogorov-Smirnov and chi-square over the tenths of the reference, twice
//! the smaller of both. Numbers known by saved quantiles: Kolmogorov-Smirnov with the least distance that these allow,
//! so that the probability is an upper bound.

use super::aligned::{Aligned, Bounded};
use super::cumulative::{Cumulative, Share};
use super::histogram_noise::noise_of_histograms;
use super::histograms::{Distribution, jensen_shannon_of_histograms};
use super::labels::{AlignedBin, AlignedLabels, OTHER};
use super::measure::Measure;
use super::shares::{
    chi_square_tail, cramers_v, freedom, greatest_noise, hellinger, jensen_shannon_noise,
    population_stability_within, total_variation, total_variation_noise,
};
use super::signals::Measured;
use super::significance::{KOLMOGOROV_MEAN, kolmogorov_smirnov_tail};
use super::view::View;
use super::{infinity_norm, jensen_shannon_of_labels, normalized_absolute_difference};
use crate::validation::words::{general, shortest};

/// The share that the Wasserstein distance leaves out at each end, which is what makes it robust.
pub const TRIM: f64 = 0.01;
/// Bins of numbers hold about this share of the reference each.
const TENTHS: [f64; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// The test of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Test {
    pub(super) tail: f64,
    pub(super) is_bound: bool,
}

/// What was found of a column.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) measured: Vec<Measured>,
    pub(super) bins: Vec<AlignedBin>,
}

/// Counts of bins, and by how much the difference of the shares of each may be off.
struct Binned<'a> {
    pairs: &'a [(f64, f64)],
    slack: &'a [f64],
    /// The shares of what is not told apart on either side, and so may be the same or not.
    hidden: (f64, f64),
    sampling: f64,
    /// The divergence of TFDV with its noise: it aligns in its own way.
    divergence: &'a dyn Fn() -> Option<(f64, f64)>,
}

impl Binned<'_> {
    fn measure(&self, measure: Measure) -> Option<(Bounded, f64)> {
        let (pairs, s) = (self.pairs, self.sampling);
        let degrees = freedom(pairs);
        let doubt = (0.5 * self.slack.iter().sum::<f64>()).min(1.0);
        let root = 2.0 * doubt.sqrt();
        // Told apart, what is hidden might have nothing in common: of the shares, of their roots, of their harmonic mean.
        let (p, q) = self.hidden;
        let harmonic = if p + q > 0.0 { 2.0 * p * q / (p + q) } else { 0.0 };
        let rooted = |value: f64, common: f64| (value * value + common).sqrt() - value;
        let around = |value: f64, doubt: f64, hidden: f64| Bounded {
            low: (value - doubt).max(0.0),
            value,
            high: (value + hidden + doubt).min(1.0),
        };
        Some(match measure {
            Measure::TotalVariation => {
                (around(total_variation(pairs)?, doubt, p.min(q)), total_variation_noise(pairs, s))
            }
            Measure::Hellinger => {
                let value = hellinger(pairs)?;
                (around(value, root, rooted(value, (p * q).sqrt())), (degrees * s / 8.0).sqrt().min(1.0))
            }
            Measure::CramersV => {
                let value = cramers_v(pairs)?;
                (around(value, root, rooted(value, harmonic)), (degrees * s / 4.0).sqrt().min(1.0))
            }
            Measure::PopulationStabilityIndex => {
                let (low, value, high) = population_stability_within(pairs, self.slack)?;
                (Bounded { low, value, high }, degrees * s)
            }
            Measure::JensenShannon => {
                let (value, noise) = (self.divergence)()?;
                (Bounded::exactly(value), noise)
            }
            _ => return None,
        })
    }
}

/// The distances of two columns of labels; none where a side has no values.
pub(super) fn of_labels(
    measures: &[Measure],
    labels: &AlignedLabels,
    sides: [View<'_>; 2],
) -> Option<(Found, Test)> {
    let pairs = labels.pairs();
    let (n, m) = pairs.iter().fold((0.0, 0.0), |(n, m), (x, y)| (n + x, m + y));
    if !(n > 0.0 && m > 0.0) {
        return None;
    }
    let sampling = 1.0 / n + 1.0 / m;
    let tail = chi_square_tail(&pairs, &labels.slack);
    let test = Test { tail, is_bound: !labels.is_complete };
    let [x, y] = sides.map(listed);
    let divergence = || Some((jensen_shannon_of_labels(&x, &y)?, jensen_shannon_noise(&pairs, sampling)));
    let hidden = labels.bins.iter().find(|bin| bin.bin == OTHER && !labels.is_complete);
    let hidden = hidden.map_or((0.0, 0.0), |bin| (bin.current / n, bin.reference / m));
    let greatest = labels.bins.first().map_or_else(String::new, |bin| format!("{:?} differs most", bin.bin));
    let binned = Binned { pairs: &pairs, slack: &labels.slack, hidden, sampling, divergence: &divergence };
    let mut measured = Vec::new();
    for &measure in measures {
        let of_tfdv = match measure {
            Measure::InfinityNorm => Some(infinity_norm(&x, &y)),
            Measure::NormalizedAbsoluteDifference => Some(normalized_absolute_difference(&x, &y)),
            _ => None,
        };
        let (bounds, noise, detail) = match of_tfdv {
            Some(found) => {
                let label = found.label.map_or_else(String::new, |label| format!("{label:?} differs most"));
                (Bounded::exactly(found.value), greatest_noise(&pairs, sampling), label)
            }
            None => match binned.measure(measure) {
                Some((bounds, noise)) => (bounds, noise, greatest.clone()),
                None => continue,
            },
        };
        measured.push(with_test(measure, bounds, noise, test, detail));
    }
    Some((Found { measured, bins: labels.bins.clone() }, test))
}

/// The labels of a side as statistics list them.
fn listed(side: View<'_>) -> Vec<(&str, f64)> {
    side.labels().map_or_else(Vec::new, |labels| labels.values)
}

/// The distances of two columns of numbers.
pub(super) fn of_numbers(
    measures: &[Measure],
    (current, reference): (&Cumulative, &Cumulative),
    sides: [View<'_>; 2],
) -> (Found, Test) {
    let aligned = Aligned::new(current, reference);
    let (n, m) = (current.count(), reference.count());
    let sampling = 1.0 / n + 1.0 / m;
    let (bins, slack) = tenths(current, reference);
    let pairs: Vec<(f64, f64)> = bins.iter().map(|bin| (bin.current, bin.reference)).collect();
    let (ks, at) = aligned.kolmogorov_smirnov();
    let of_order = kolmogorov_smirnov_tail(ks.low, n, m);
    let test = if current.is_table() && reference.is_table() {
        let of_bins = chi_square_tail(&pairs, &slack);
        Test { tail: (2.0 * of_order.min(of_bins)).min(1.0), is_bound: ks.high > ks.low + 1e-9 }
    } else {
        Test { tail: of_order, is_bound: true }
    };
    let divergence = || {
        let [x, y] = sides.map(distribution);
        let (x, y) = (x?, y?);
        Some((jensen_shannon_of_histograms(x, y)?, noise_of_histograms([x, y], [current, reference])?))
    };
    let binned =
        Binned { pairs: &pairs, slack: &slack, hidden: (0.0, 0.0), sampling, divergence: &divergence };
    let scale = scale(current, reference);
    let mut measured = Vec::new();
    for &measure in measures {
        let (bounds, noise, detail) = match measure {
            Measure::KolmogorovSmirnov => {
                (ks, (KOLMOGOROV_MEAN * sampling.sqrt()).min(1.0), format!("greatest at {}", shortest(at)))
            }
            Measure::Wasserstein => {
                let over = |distance: f64| (distance / scale).min(f64::MAX);
                let noise = over(aligned.wasserstein_noise(TRIM, sampling));
                (aligned.wasserstein(TRIM).map(over), noise, format!("in units of {}", general(scale)))
            }
            Measure::Energy => (aligned.normalized_energy(), aligned.energy_noise(sampling), String::new()),
            _ => match binned.measure(measure) {
                Some((bounds, noise)) if measure == Measure::JensenShannon => {
                    (bounds, noise, "over the histograms of equal width".to_owned())
                }
                Some((bounds, noise)) => (bounds, noise, "over tenths of the reference".to_owned()),
                None => continue,
            },
        };
        measured.push(with_test(measure, bounds, noise, test, detail));
    }
    (Found { measured, bins }, test)
}

fn with_test(measure: Measure, bounds: Bounded, noise: f64, test: Test, detail: String) -> Measured {
    let Bounded { low, value, high } = bounds;
    let (tail, tail_is_bound) = (Some(test.tail), test.is_bound);
    Measured { measure, bounds: (low, value, high), noise, tail, tail_is_bound, detail }
}

/// The unit of the Wasserstein distance: the deviation of the reference between its quantiles 1 % and 99 %; of a
/// constant that of the current side; between two constants how far they are apart, so that they are 0 or about 1.
fn scale(current: &Cumulative, reference: &Cumulative) -> f64 {
    let deviations = [reference, current].map(|side| side.trimmed_deviation(TRIM));
    let apart = (current.quantile(0.5) / 2.0 - reference.quantile(0.5) / 2.0).abs() * 2.0;
    let scales = [deviations[0], deviations[1], apart.min(f64::MAX)];
    scales.into_iter().find(|scale| *scale > 0.0).unwrap_or(1.0)
}

fn distribution(side: View<'_>) -> Option<Distribution<'_>> {
    let (histogram, num_infinite, num_nan) = side.equal_width()?;
    Some(Distribution { histogram, num_infinite, num_nan })
}

/// Both sides over the tenths of the reference, and by how much the difference of the shares of each may be off.
fn tenths(current: &Cumulative, reference: &Cumulative) -> (Vec<AlignedBin>, Vec<f64>) {
    let last = reference.extremes().1;
    let mut edges: Vec<f64> = TENTHS.map(|share| reference.quantile(share)).to_vec();
    edges.retain(|edge| *edge < last);
    edges.dedup_by(|a, b| a.total_cmp(b).is_eq());
    let (mut bins, mut slack) = (Vec::new(), Vec::new());
    let mut before = (0.0, 0.0, 0.0);
    for index in 0..=edges.len() {
        let edge = edges.get(index).copied();
        let [x, y] = [current, reference].map(|side| edge.map_or(Share::ALL, |edge| side.up_to(edge)));
        let doubt = (x.high - x.low) + (y.high - y.low);
        let up_to = (x.value * current.count(), y.value * reference.count(), doubt);
        let low = index.checked_sub(1).map_or_else(|| "…".to_owned(), |index| shortest(edges[index]));
        let high = edge.map_or_else(|| "…".to_owned(), shortest);
        bins.push(AlignedBin {
            bin: format!("{low} to {high}"),
            current: (up_to.0 - before.0).max(0.0),
            reference: (up_to.1 - before.1).max(0.0),
        });
        // Either end of the bin may be elsewhere.
        slack.push(before.2 + doubt);
        before = up_to;
    }
    (bins, slack)
}

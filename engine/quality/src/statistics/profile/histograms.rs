//! The two histograms of finite values that TFDV keeps, of ten buckets each.
//!
//! Equal width: bounds as NumPy's `linspace`, one bucket where all values are equal. Counts are counts, exact where the
//! summary is; TFDV interpolates them between a thousand quantiles. Equal depth: bounds where TFDV cuts; buckets in a
//! row that end at the same value share their count evenly, and the weight of the smallest value goes to the first
//! bucket, or evenly to the identical ones it begins with, so that fractions may appear (`quantiles_util`,
//! `generate_quantiles_histogram`). The bound on a bucket's count is twice that on a rank.

use sluice_core::statistics::{Bucket, Histogram, Histograms};
use sluice_summaries::Ranks;

/// Buckets of each histogram, as in TFDV.
const BUCKETS: u32 = 10;

/// Both histograms of some values; nothing where there are none.
pub(crate) fn histograms(ranks: &Ranks) -> Option<Histograms> {
    let equal_depth = equal_depth(ranks, BUCKETS)?;
    Some(Histograms { equal_width: equal_width(ranks, BUCKETS), equal_depth })
}

/// The histogram of how many values rows have.
pub(super) fn lengths(ranks: &Ranks) -> Option<Histogram> {
    equal_depth(ranks, BUCKETS)
}

fn max_error(ranks: &Ranks) -> f64 {
    2.0 * ranks.rank_error_rows() as f64
}

pub(crate) fn equal_width(ranks: &Ranks, buckets: u32) -> Histogram {
    let bars = ranks.equi_width(buckets).into_iter();
    let buckets = bars.map(|bar| Bucket { low: bar.low, high: bar.high, count: bar.count as f64 });
    Histogram { buckets: buckets.collect(), max_error: max_error(ranks) }
}

fn equal_depth(ranks: &Ranks, buckets: u32) -> Option<Histogram> {
    let min = ranks.min()?;
    let mut boundaries = vec![min];
    let mut cumulative = vec![ranks.rank(min)];
    for bar in ranks.equi_depth(buckets) {
        boundaries.push(bar.high);
        cumulative.push(ranks.rank(bar.high));
    }
    Some(Histogram { buckets: pooled(&boundaries, &cumulative), max_error: max_error(ranks) })
}

/// The buckets between ascending boundaries, given how many values are at most each.
pub(crate) fn pooled(boundaries: &[f64], cumulative: &[u64]) -> Vec<Bucket> {
    let counts = cumulative.windows(2).map(|pair| pair[1].saturating_sub(pair[0]) as f64);
    let mut buckets: Vec<Bucket> = boundaries
        .windows(2)
        .zip(counts)
        .map(|(bounds, count)| Bucket { low: bounds[0], high: bounds[1], count })
        .collect();
    for same in buckets.chunk_by_mut(|a, b| a.high.to_bits() == b.high.to_bits()) {
        let share = same.iter().map(|bucket| bucket.count).sum::<f64>() / same.len() as f64;
        same.iter_mut().for_each(|bucket| bucket.count = share);
    }
    let identical =
        |a: &Bucket, b: &Bucket| (a.low.to_bits(), a.high.to_bits()) == (b.low.to_bits(), b.high.to_bits());
    if let (Some(first), Some(leading)) = (cumulative.first(), buckets.chunk_by_mut(identical).next()) {
        let share = *first as f64 / leading.len() as f64;
        leading.iter_mut().for_each(|bucket| bucket.count += share);
    }
    buckets
}

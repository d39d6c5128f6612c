//! Distances of counts that belong together, p and q their shares of the current and the reference side:
//!
//! | distance | definition | range |
//! |---|---|---|
//! | PSI | Σ (p − q) ln(p / q), with ½ added to every count first | 0 up |
//! | Hellinger | sqrt(½ Σ (√p − √q)²) | 0 to 1 |
//! | total variation | ½ Σ \|p − q\| | 0 to 1 |
//! | chi-square | n m Σ (p − q)² / (x + y), counts x of n and y of m | 0 up |
//! | Cramér's V | sqrt(½ Σ (p − q)² / (p + q)) | 0 to 1 |
//!
//! V is that of two samples of the same size, sqrt(chi-square / rows) there. Of samples of different sizes that quotient
//! says more of the sizes than of the difference: with 100 million rows against 500 it is next to 0 whatever happens.
//!
//! What a distance comes to when both sides are samples of the same is its noise, s the sum of the reciprocal sizes and
//! b the number of bins: with chi-square's mean b − 1, PSI (b − 1) s, Hellinger and V sqrt((b − 1) s / 8) and
//! sqrt((b − 1) s / 4), Jensen-Shannon of labels (b − 1) s / (8 ln 2) bits (of numbers: `histogram_noise`); total variation
//! ½ Σ sqrt(2 r (1 − r) s / π) and the greatest difference of one share at most sqrt(2 ln(2 b)) max sqrt(r (1 − r) s), r the
//! share of both together.

/// Counts of both sides.
pub type Pairs<'a> = &'a [(f64, f64)];

/// What is added to each count before a logarithm of shares is taken.
pub const SMOOTHING: f64 = 0.5;
/// Bins in which either side would have fewer are joined before chi-square's tail is asked.
const LEAST_EXPECTED: f64 = 5.0;

fn totals(pairs: Pairs<'_>) -> (f64, f64) {
    pairs.iter().fold((0.0, 0.0), |(n, m), (x, y)| (n + x, m + y))
}

/// The shares of both sides; none where one adds up to nothing.
fn shares(pairs: Pairs<'_>) -> Option<impl Iterator<Item = (f64, f64)> + '_> {
    let (n, m) = totals(pairs);
    (n > 0.0 && m > 0.0).then(|| pairs.iter().map(move |(x, y)| (x / n, y / m)))
}

/// The population stability index; none where one side is empty.
#[must_use]
pub fn population_stability_index(pairs: Pairs<'_>) -> Option<f64> {
    let (_, value, _) = population_stability_within(pairs, &[])?;
    Some(value)
}

/// What the index is at least, is and is at most where a difference of shares may be off by its `slack`.
///
/// (p − q) ln(p / q) is convex, so that it is greatest where one share alone is off; and it is at least
/// 2 (p − q)² / (p + q), the logarithmic mean being no more than the arithmetic one.
pub(super) fn population_stability_within(pairs: Pairs<'_>, slack: &[f64]) -> Option<(f64, f64, f64)> {
    let (n, m) = totals(pairs);
    if !(n > 0.0 && m > 0.0) {
        return None;
    }
    let added = SMOOTHING * pairs.len() as f64;
    let term = |p: f64, q: f64| (p - q) * (p / q).ln();
    let (mut low, mut value, mut high) = (0.0, 0.0, 0.0);
    for ((x, y), slack) in pairs.iter().zip(slack.iter().chain(std::iter::repeat(&0.0))) {
        let (p, q) = ((x + SMOOTHING) / (n + added), (y + SMOOTHING) / (m + added));
        let here = term(p, q);
        value += here;
        if !(*slack > 0.0) {
            low += here;
            high += here;
            continue;
        }
        let apart = ((p - q).abs() - slack).max(0.0);
        low += 2.0 * apart * apart / (p + q + slack);
        // No count is below 0, none above all.
        let moved = |share: f64, total: f64| {
            let (least, most) = (SMOOTHING / (total + added), (total + SMOOTHING) / (total + added));
            [(share - slack).max(least), (share + slack).min(most)]
        };
        let of_current = moved(p, n).map(|p| term(p, q));
        let of_reference = moved(q, m).map(|q| term(p, q));
        high += of_current.into_iter().chain(of_reference).fold(here, f64::max);
    }
    Some((low.min(value), value, high))
}

/// The Hellinger distance; none where one side is empty.
#[must_use]
pub fn hellinger(pairs: Pairs<'_>) -> Option<f64> {
    let sum: f64 = shares(pairs)?.map(|(p, q)| (p.sqrt() - q.sqrt()).powi(2)).sum();
    Some((0.5 * sum).sqrt().min(1.0))
}

/// Half of the sum of the differences; none where one side is empty.
#[must_use]
pub fn total_variation(pairs: Pairs<'_>) -> Option<f64> {
    let sum: f64 = shares(pairs)?.map(|(p, q)| (p - q).abs()).sum();
    Some((0.5 * sum).min(1.0))
}

/// Cramér's V as of two samples of the same size; none where one side is empty.
#[must_use]
pub fn cramers_v(pairs: Pairs<'_>) -> Option<f64> {
    let term = |(p, q): (f64, f64)| if p + q > 0.0 { (p - q).powi(2) / (p + q) } else { 0.0 };
    let sum: f64 = shares(pairs)?.map(term).sum();
    Some((0.5 * sum).sqrt().min(1.0))
}

/// Pearson's statistic of homogeneity and its degrees of freedom; none where one side is empty.
#[must_use]
pub fn chi_square(pairs: Pairs<'_>) -> Option<(f64, f64)> {
    chi_square_within(pairs, &vec![0.0; pairs.len()])
}

/// The same where a difference of shares may be off by its `slack`: at least so much.
fn chi_square_within(pairs: Pairs<'_>, slack: &[f64]) -> Option<(f64, f64)> {
    let (n, m) = totals(pairs);
    let mut statistic = 0.0;
    for (((x, y), (p, q)), slack) in pairs.iter().zip(shares(pairs)?).zip(slack) {
        let difference = ((p - q).abs() - slack).max(0.0);
        if x + y > 0.0 {
            statistic += difference * difference / (x + y);
        }
    }
    let filled = pairs.iter().filter(|(x, y)| x + y > 0.0).count();
    Some((n * m * statistic, filled.saturating_sub(1) as f64))
}

/// The probability of a chi-square at least that large if both sides are samples of the same; of pairs known within
/// `slack` at most that. Bins in which too few are expected are joined. 1 where nothing is left to compare.
#[must_use]
pub fn chi_square_tail(pairs: Pairs<'_>, slack: &[f64]) -> f64 {
    let (n, m) = totals(pairs);
    let total = n + m;
    let (mut kept, mut kept_slack) = (Vec::new(), Vec::new());
    let (mut rest, mut rest_slack) = ((0.0, 0.0), 0.0);
    for ((x, y), slack) in pairs.iter().zip(slack) {
        if (x + y) * n.min(m) / total >= LEAST_EXPECTED {
            kept.push((*x, *y));
            kept_slack.push(*slack);
        } else {
            rest = (rest.0 + x, rest.1 + y);
            rest_slack += slack;
        }
    }
    if (rest.0 + rest.1) * n.min(m) / total >= LEAST_EXPECTED {
        kept.push(rest);
        kept_slack.push(rest_slack);
    } else if let Some((least, slack)) =
        kept.iter_mut().zip(&mut kept_slack).min_by(|(a, _), (b, _)| (a.0 + a.1).total_cmp(&(b.0 + b.1)))
    {
        *least = (least.0 + rest.0, least.1 + rest.1);
        *slack += rest_slack;
    }
    match chi_square_within(&kept, &kept_slack) {
        Some((statistic, freedom)) if freedom > 0.0 => {
            sluice_core::distribution::chi_squared::upper_tail(statistic, freedom)
        }
        _ => 1.0,
    }
}

/// Bins that are filled, less one.
pub(super) fn freedom(pairs: Pairs<'_>) -> f64 {
    pairs.iter().filter(|(x, y)| x + y > 0.0).count().saturating_sub(1) as f64
}

/// What the Jensen-Shannon divergence of labels comes to between two samples of the same, in bits.
pub(super) fn jensen_shannon_noise(pairs: Pairs<'_>, sampling: f64) -> f64 {
    (freedom(pairs) * sampling / (8.0 * std::f64::consts::LN_2)).min(1.0)
}

/// What total variation comes to between two samples of the same.
pub(super) fn total_variation_noise(pairs: Pairs<'_>, sampling: f64) -> f64 {
    let (n, m) = totals(pairs);
    let deviation = |(x, y): &(f64, f64)| {
        let share = (x + y) / (n + m);
        (2.0 / std::f64::consts::PI * share * (1.0 - share) * sampling).sqrt()
    };
    (0.5 * pairs.iter().map(deviation).sum::<f64>()).min(1.0)
}

/// What the greatest difference of one share comes to at most between two samples of the same.
pub(super) fn greatest_noise(pairs: Pairs<'_>, sampling: f64) -> f64 {
    let (n, m) = totals(pairs);
    let deviation = |(x, y): &(f64, f64)| {
        let share = (x + y) / (n + m);
        (share * (1.0 - share) * sampling).sqrt()
    };
    let greatest = pairs.iter().map(deviation).fold(0.0, f64::max);
    ((2.0 * (2.0 * pairs.len() as f64).ln()).sqrt() * greatest).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() <= 1e-9 * expected.abs().max(1e-3)
    }

    #[test]
    fn chi_square_equals_scipy() {
        // scipy.stats.chi2_contingency([x, y], correction=False) of SciPy 1.17.1.
        let pairs = [(10.0, 20.0), (20.0, 20.0), (30.0, 20.0)];
        let (statistic, freedom) = chi_square(&pairs).unwrap();
        assert!(close(statistic, 16.0 / 3.0) && close(freedom, 2.0), "{statistic}");
        let p = chi_square_tail(&pairs, &[0.0; 3]);
        assert!(close(p, 0.069_483_451_222_800_76), "{p}");
        // Both sides have 60 rows.
        assert!(close(cramers_v(&pairs).unwrap(), (statistic / 120.0).sqrt()));
    }

    #[test]
    fn distances_of_the_same_are_zero_and_of_strangers_the_greatest() {
        let (same, strangers) = ([(3.0, 6.0), (5.0, 10.0)], [(4.0, 0.0), (0.0, 9.0)]);
        for distance in [hellinger, total_variation, cramers_v] {
            assert!(distance(&same).unwrap() < 1e-8);
            assert!(close(distance(&strangers).unwrap(), 1.0));
            assert!(distance(&[(1.0, 0.0)]).is_none());
        }
        // By hand: p = 4.5/5, 0.5/5; q = 0.5/10, 9.5/10.
        let by_hand = 0.85 * (0.9_f64 / 0.05).ln() - 0.85 * (0.1_f64 / 0.95).ln();
        assert!(close(population_stability_index(&strangers).unwrap(), by_hand));
    }

    #[test]
    fn what_an_index_can_be_holds_what_it_is_of_counts_that_are_off() {
        let (counts, slack) = ([(30.0, 50.0), (45.0, 40.0), (25.0, 10.0)], [0.06, 0.02, 0.06]);
        let (low, value, high) = population_stability_within(&counts, &slack).unwrap();
        assert!(0.0 < low && low < value && value < high, "{low} {value} {high}");
        // Within the slack of each: up to 6, 2 and 6 of 100.
        for moved in [[6.0, -2.0, -4.0], [-6.0, 2.0, 4.0], [-6.0, 0.0, 6.0], [4.0, 2.0, -6.0]] {
            let other: Vec<_> = counts.iter().zip(moved).map(|((x, y), by)| (x + by, *y)).collect();
            let found = population_stability_index(&other).unwrap();
            assert!(low <= found && found <= high, "{low} {found} {high}");
        }
        let exactly = population_stability_within(&counts, &[0.0; 3]).unwrap();
        assert!(close(exactly.0, exactly.1) && close(exactly.1, exactly.2));
    }

    #[test]
    fn sparse_bins_are_joined_and_slack_only_raises_p() {
        let sparse: Vec<(f64, f64)> = (0..200).map(|i| (f64::from(i % 2), f64::from((i + 1) % 2))).collect();
        assert!(chi_square_tail(&sparse, &[0.0; 200]) > 0.9);
        let pairs = [(50.0, 20.0), (50.0, 80.0)];
        let p = chi_square_tail(&pairs, &[0.0; 2]);
        assert!(p < 1e-4 && chi_square_tail(&pairs, &[0.1; 2]) > p);
        assert!(close(chi_square_tail(&pairs, &[0.5; 2]), 1.0));
        // A bin that is joined to another brings its slack along.
        let (joined, slack) = ([(50.0, 20.0), (50.0, 80.0), (1.0, 1.0)], [0.0, 0.0, 0.1]);
        assert!(chi_square_tail(&joined, &slack) > 2.0 * chi_square_tail(&joined, &[0.0; 3]));
        assert!(close(chi_square_tail(&[], &[]), 1.0));
    }
}

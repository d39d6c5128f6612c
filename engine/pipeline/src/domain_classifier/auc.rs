//! The area under the ROC curve of scores in one fold, with its variances, and the mean over folds.
//!
//! With m current and n reference rows, V₁ the share of reference rows that a current row is scored above (ties count
//! half) and V₀ the share of current rows above a reference row: AUC = mean V₁ = mean V₀, its variance S²(V₁)/m + S²(V₀)/n
//! (DeLong, DeLong & Clarke-Pearson, Biometrics 44, 1988). Where both sides have one distribution it is
//! ((m + n + 1) − Σ(t³ − t)/((m + n)(m + n − 1)))/(12mn), t the rows of each tie (Lehmann, "Nonparametrics", 1975).

/// The area of a fold, or of several together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub(super) value: f64,
    /// DeLong's.
    pub(super) variance: f64,
    /// Where nothing tells the sides apart.
    pub(super) null_variance: f64,
    /// Pairs of a current row with one of the reference.
    pairs: f64,
    /// Rows of the smaller side.
    pub(super) least_rows: f64,
}

impl Area {
    /// That of rows with these scores. Both sides have at least two.
    pub(super) fn of(scores: &[f64], is_current: &[bool]) -> Self {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        let m = is_current.iter().filter(|current| **current).count() as f64;
        let n = scores.len() as f64 - m;
        // Sums of V₁ and V₀, and of their squares.
        let (mut current, mut reference) = ([0.0; 2], [0.0; 2]);
        let (mut before, mut ties) = ([0.0; 2], 0.0);
        // -0 and 0 are one score.
        for tied in order.chunk_by(|a, b| !(scores[*a] < scores[*b])) {
            let x = tied.iter().filter(|row| is_current[**row]).count() as f64;
            let t = tied.len() as f64;
            let y = t - x;
            let above = (before[0] + y / 2.0) / n;
            current = [current[0] + x * above, current[1] + x * above * above];
            let below = (m - before[1] - x / 2.0) / m;
            reference = [reference[0] + y * below, reference[1] + y * below * below];
            before = [before[0] + y, before[1] + x];
            ties += t * t * t - t;
        }
        let spread = |[sum, squares]: [f64; 2], rows: f64| {
            let centred = squares - sum * sum / rows;
            if centred > 0.0 { centred / (rows - 1.0) / rows } else { 0.0 }
        };
        let all = m + n;
        let null_variance = ((all + 1.0) - ties / (all * (all - 1.0))) / (12.0 * m * n);
        Self {
            value: current[0] / m,
            variance: spread(current, m) + spread(reference, n),
            null_variance: if null_variance > 0.0 { null_variance } else { 0.0 },
            pairs: m * n,
            least_rows: if m < n { m } else { n },
        }
    }

    /// The mean, weighted by pairs; ½ of none.
    pub(super) fn mean(areas: &[Self]) -> Self {
        let pairs: f64 = areas.iter().map(|area| area.pairs).sum();
        let mut mean = Self { value: 0.5, variance: 0.0, null_variance: 0.0, pairs, least_rows: 0.0 };
        if !(pairs > 0.0) {
            return mean;
        }
        mean.value = areas.iter().map(|area| area.value * (area.pairs / pairs)).sum();
        for area in areas {
            let share = area.pairs / pairs;
            mean.variance += share * share * area.variance;
            mean.null_variance += share * share * area.null_variance;
            mean.least_rows += area.least_rows;
        }
        mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() <= 1e-12
    }

    #[test]
    fn areas_are_those_of_pairs() {
        let scores = [0.1, 0.4, 0.4, 0.8, 0.35, 0.9];
        let is_current = [false, true, false, true, false, true];
        let area = Area::of(&scores, &is_current);
        // Of nine pairs eight are in order and one is tied.
        assert!(close(area.value, 8.5 / 9.0), "{area:?}");
        // By hand: V₁ = (2.5/3, 1, 1), V₀ = (1, 2.5/3, 1); each has the variance 1/108.
        assert!(close(area.variance, 2.0 / 108.0 / 3.0), "{area:?}");
        // One tie of two: 7 − 6/30, over 108.
        assert!(close(area.null_variance, 6.8 / 108.0), "{area:?}");
    }

    #[test]
    fn what_is_all_one_score_tells_nothing_and_has_no_variance() {
        let area = Area::of(&[0.0, -0.0, 0.0, 0.0], &[true, false, true, false]);
        assert!(
            close(area.value, 0.5) && close(area.null_variance, 0.0) && close(area.variance, 0.0),
            "{area:?}"
        );
        assert!(close(Area::mean(&[]).value, 0.5));
    }
}

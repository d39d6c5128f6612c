//! Mutual information of a table of counts, and what of it chance alone would give.
//!
//! With row sums a, column sums b and n in all, in natural units:
//! `I = sum n_ij / n ln(n n_ij / (a_i b_j))`, `H(b) = -sum b_j / n ln(b_j / n)`, and the expectation of I over all
//! tables with these sums (hypergeometric; Vinh, Epps & Bailey, "Information theoretic measures for clusterings
//! comparison", JMLR 11 (2010), eq. 24a). Each cell's expectation is summed over its distribution from the mode
//! outwards, by the ratio of neighbours, so that no factorial is needed. Where the count of a cell has a variance above
//! 10,000, the second-order term `(n - a)(n - b) / (2 n^2 (n - 1))` stands for the sum; it is off by less than one in
//! 1,000 of it. An empty table has no information. Cost: some 20 standard deviations a cell.

use std::collections::BTreeMap;

/// The variance of a cell above which its expectation is taken from the second-order term.
const LARGE_VARIANCE: f64 = 1e4;
/// Probabilities below this share of the mode's are left out.
const NEGLIGIBLE: f64 = 1e-24;

/// Counts by two things at once.
#[derive(Clone, Debug)]
pub(super) struct Contingency {
    /// Row, column, count; no cell twice.
    cells: Vec<(usize, usize, u64)>,
    rows: Vec<u64>,
    columns: Vec<u64>,
    total: u64,
}

impl Contingency {
    /// The table of these cells, which may name a place several times.
    pub(super) fn new(counts: impl Iterator<Item = (usize, usize, u64)>) -> Self {
        let mut cells = BTreeMap::new();
        for (row, column, count) in counts.filter(|(.., count)| *count > 0) {
            *cells.entry((row, column)).or_insert(0) += count;
        }
        let length = |largest: Option<usize>| largest.map_or(0, |largest| largest + 1);
        let mut rows = vec![0; length(cells.keys().map(|(row, _)| *row).max())];
        let mut columns = vec![0; length(cells.keys().map(|(_, column)| *column).max())];
        let mut total = 0;
        for (&(row, column), &count) in &cells {
            rows[row] += count;
            columns[column] += count;
            total += count;
        }
        let cells = cells.into_iter().map(|((row, column), count)| (row, column, count)).collect();
        Self { cells, rows, columns, total }
    }

    /// I, in natural units.
    pub(super) fn mutual_information(&self) -> f64 {
        let n = self.total as f64;
        let term = |&(row, column, count): &(usize, usize, u64)| {
            let (count, a, b) = (count as f64, self.rows[row] as f64, self.columns[column] as f64);
            count / n * (count / a * (n / b)).ln()
        };
        self.cells.iter().map(term).sum()
    }

    /// H of the columns, in natural units.
    pub(super) fn column_entropy(&self) -> f64 {
        let n = self.total as f64;
        let counts = self.columns.iter().filter(|count| **count > 0);
        counts.map(|&count| -(count as f64 / n) * (count as f64 / n).ln()).sum()
    }

    /// The expectation of I when rows and columns have nothing to do with one another.
    pub(super) fn expected_mutual_information(&self) -> f64 {
        let (rows, columns) = (multiplicities(&self.rows), multiplicities(&self.columns));
        let mut expected = 0.0;
        for (&a, &rows) in &rows {
            for (&b, &columns) in &columns {
                expected += (rows * columns) as f64 * expected_cell(a, b, self.total);
            }
        }
        expected
    }
}

/// How many rows or columns have each sum; none for empty ones.
fn multiplicities(sums: &[u64]) -> BTreeMap<u64, u64> {
    let mut multiplicities = BTreeMap::new();
    for &sum in sums.iter().filter(|sum| **sum > 0) {
        *multiplicities.entry(sum).or_insert(0) += 1;
    }
    multiplicities
}

/// E[k / n ln(n k / (a b))] for k hypergeometric: draws of `a` from `n` of which `b` count.
fn expected_cell(a: u64, b: u64, n: u64) -> f64 {
    let (af, bf, nf) = (a as f64, b as f64, n as f64);
    if a == n || b == n {
        return 0.0;
    }
    let variance = af * (bf / nf) * ((nf - af) / nf) * ((nf - bf) / (nf - 1.0));
    if variance > LARGE_VARIANCE {
        return (nf - af) / nf * ((nf - bf) / nf) / (2.0 * (nf - 1.0));
    }
    let (lowest, highest) = ((a + b).saturating_sub(n), std::cmp::min(a, b));
    let mode = u128::from(a + 1) * u128::from(b + 1) / (u128::from(n) + 2);
    let mode = u64::try_from(mode).unwrap_or(highest).clamp(lowest, highest);
    let term = |k: u64| {
        let k = k as f64;
        if k > 0.0 { k / nf * (k / af * (nf / bf)).ln() } else { 0.0 }
    };
    let (mut weights, mut sum) = (1.0, term(mode));
    let (mut k, mut weight) = (mode, 1.0);
    while k < highest && weight > NEGLIGIBLE {
        weight *= (a - k) as f64 / (k + 1) as f64 * ((b - k) as f64 / (n + k + 1 - a - b) as f64);
        k += 1;
        weights += weight;
        sum += weight * term(k);
    }
    let (mut k, mut weight) = (mode, 1.0);
    while k > lowest && weight > NEGLIGIBLE {
        weight *= k as f64 / (a - k + 1) as f64 * ((n + k - a - b) as f64 / (b - k + 1) as f64);
        k -= 1;
        weights += weight;
        sum += weight * term(k);
    }
    sum / weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_testkit::assert_relative;

    /// The definition, with factorials by logarithms.
    fn by_definition(a: u64, b: u64, n: u64) -> f64 {
        let ln_factorial = |n: u64| (1..=n).map(|k| (k as f64).ln()).sum::<f64>();
        let choose = |n: u64, k: u64| ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
        let (lowest, highest) = (std::cmp::max(1, (a + b).saturating_sub(n)), std::cmp::min(a, b));
        (lowest..=highest)
            .map(|k| {
                let probability = (choose(b, k) + choose(n - b, a - k) - choose(n, a)).exp();
                probability * k as f64 / n as f64 * (n as f64 * k as f64 / (a as f64 * b as f64)).ln()
            })
            .sum()
    }

    #[test]
    fn cells_are_the_definition() {
        for (a, b, n) in [(1, 1, 2), (3, 4, 10), (7, 9, 10), (50, 60, 400), (399, 1, 400), (200, 300, 1000)] {
            assert!((expected_cell(a, b, n) - by_definition(a, b, n)).abs() < 1e-13, "{a} {b} {n}");
        }
        assert!(expected_cell(10, 4, 10).abs() < 1e-300);
    }

    #[test]
    fn large_cells_go_on_smoothly() {
        // Just above the limit the second-order term must agree with the sum below it, scaled.
        let below = expected_cell(79_000, 79_000, 158_000) * 157_999.0;
        let above = expected_cell(81_000, 81_000, 162_000) * 161_999.0;
        assert_relative(below, above, 1e-3);
        assert_relative(above, 0.125, 1e-12);
    }

    #[test]
    fn tables_agree_with_scikit_learn() {
        let path = sluice_testkit::datasets::repository().join("tests/data/association.json");
        let golden: serde_json::Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
        let cases = golden["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 7);
        for case in cases {
            let column = |key: &str| -> Vec<usize> { serde_json::from_value(case[key].clone()).unwrap() };
            let table = Contingency::new(column("x").into_iter().zip(column("y")).map(|(x, y)| (x, y, 1)));
            let near = |found: f64, key: &str| {
                let expected = case[key].as_f64().unwrap();
                assert!((found - expected).abs() < 1e-12, "{} {key}: {found} {expected}", case["name"]);
            };
            near(table.mutual_information(), "mutual_information");
            near(table.expected_mutual_information(), "expected");
            near(table.column_entropy(), "entropy_y");
        }
    }
}

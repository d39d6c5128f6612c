//! What a token tells of the label: mutual information as TensorFlow Transform computes it, in bits times rows.
//!
//! Of n rows, let x hold the token, y have the label, c both. The token's information is the sum over labels of
//! c · log2(n c / (x y)), where c is (share of the label among the token's rows, held between 1e-6 and 1 − 1e-6) · x; rows
//! without the token add nothing. A label whose c is closer than `min_diff_from_average` to what chance
//! makes of it, x y / n, is passed over. A token of every row tells nothing. *Adjusted* takes off what chance gives on
//! average: the same sum under the hypergeometric distribution of c (Vinh, Epps & Bailey, "Information theoretic measures
//! for clusterings comparison", JMLR 11 (2010), section 4), because rare tokens tell much by luck.

/// Shares are held off 0 and 1 by this.
const SMALLEST_SHARE: f64 = 1e-6;

/// Terms of the hypergeometric distribution this much smaller than the largest add nothing.
const NEGLIGIBLE: f64 = 1e-25;

/// How many rows hold the token, have the label, and both; of how many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub(crate) both: f64,
    pub(crate) token: f64,
    pub(crate) label: f64,
    pub(crate) rows: f64,
}

/// c · log2(n c / (x y)); 0 where nothing is counted.
pub(crate) fn partial(Cell { both, token, label, rows }: Cell) -> f64 {
    if both == 0.0 || token == 0.0 || label == 0.0 {
        return 0.0;
    }
    both * ((both.log2() + rows.log2()) - (token.log2() + label.log2()))
}

/// The probabilities that of `token` rows drawn from `rows` so many have the label, from the first number on.
pub(crate) fn hypergeometric(token: u64, label: u64, rows: u64) -> (u64, Vec<f64>) {
    let first = (token + label).saturating_sub(rows);
    let last = token.min(label);
    let ratio = |both: u64| {
        // p(both + 1) / p(both)
        let up = (token - both) as f64 * (label - both) as f64;
        up / ((both + 1) as f64 * (rows + both + 1 - token - label) as f64)
    };
    let mode = (token as f64 + 1.0) * (label as f64 + 1.0) / (rows as f64 + 2.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between first and last")]
    let mode = (mode as u64).clamp(first, last);
    let mut below = Vec::new();
    let mut weight = 1.0;
    for both in (first..mode).rev() {
        weight /= ratio(both);
        if weight < NEGLIGIBLE {
            break;
        }
        below.push(weight);
    }
    let first = mode - below.len() as u64;
    below.reverse();
    let mut weights = below;
    weights.push(1.0);
    weight = 1.0;
    for both in mode..last {
        weight *= ratio(both);
        if weight < NEGLIGIBLE {
            break;
        }
        weights.push(weight);
    }
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|weight| *weight /= total);
    (first, weights)
}

/// What chance makes of [`partial`] on average.
pub(crate) fn expected(token: u64, label: u64, rows: u64) -> f64 {
    if token == 0 || label == 0 {
        return 0.0;
    }
    let (first, probabilities) = hypergeometric(token, label, rows);
    let [token, label, rows] = [token as f64, label as f64, rows as f64];
    let term = |(both, probability): (u64, f64)| {
        probability * partial(Cell { both: both as f64, token, label, rows })
    };
    (first..).zip(probabilities).map(term).sum()
}

/// How information is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counting {
    /// Whether what chance gives is taken off.
    pub(crate) is_adjusted: bool,
    /// Labels closer than this to what chance gives are passed over.
    pub(crate) min_diff_from_average: f64,
}

impl Counting {
    /// The information of a token; `labels` are (rows of the token with the label, rows with the label).
    pub(crate) fn of(self, token: f64, rows: f64, labels: &[(f64, f64)]) -> f64 {
        if token >= rows || token == 0.0 {
            return 0.0;
        }
        let mut information = 0.0;
        for (counted, label) in labels {
            let both = (counted / token).clamp(SMALLEST_SHARE, 1.0 - SMALLEST_SHARE) * token;
            if (token * label / rows - both).abs() < self.min_diff_from_average {
                continue;
            }
            information += partial(Cell { both, token, label: *label, rows });
            if self.is_adjusted {
                information -= expected(whole(token), whole(*label), whole(rows));
            }
        }
        information
    }
}

/// TFT's choice of `min_diff_from_average` by the number of rows: 2 up to 10,000, 25 from 1,000,000, linear between.
pub(crate) fn automatic_difference(rows: f64) -> f64 {
    (2.0 + (rows - 10_000.0) / (1_000_000.0 - 10_000.0) * (25.0 - 2.0)).clamp(2.0, 25.0)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of rows")]
fn whole(count: f64) -> u64 {
    count as u64
}

#[cfg(test)]
mod tests {
    use sluice_testkit::close::assert_relative;

    use super::*;
    use crate::testing::reference;

    #[test]
    fn the_golden_values_of_tft() {
        // tft-049
        let (first, found) = hypergeometric(5, 10, 1000);
        assert_eq!(first, 0);
        for (found, expected) in found.iter().zip([0.950_893_7, 0.048_219_8, 0.000_879_4, 7.1e-6, 2.5e-8]) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
        // tft-051, tft-053
        assert!(expected(0, 0, 10).abs() < 1e-12);
        assert!((expected(2, 4, 10) - 0.524_209).abs() < 1e-4);
        // tft-055, tft-057, tft-059
        let cell = |both, token, label, rows| partial(Cell { both, token, label, rows });
        assert!((cell(4.0, 15.0, 6.0, 25.0) - 0.608_012).abs() < 1e-4);
        assert!((cell(3.0, 31.0, 4.0, 41.0) + 0.035_045_4).abs() < 1e-4);
        assert!(cell(0.0, 0.0, 4.0, 8.0).abs() < 1e-12);
    }

    #[test]
    fn probabilities_and_expectations_agree_with_scipy() {
        for case in reference("categories.json")["hypergeometric"].as_array().unwrap() {
            let [token, label, rows] = ["token", "label", "rows"].map(|key| case[key].as_u64().unwrap());
            assert_relative(expected(token, label, rows), case["expected"].as_f64().unwrap(), 1e-9);
        }
    }

    #[test]
    fn the_automatic_difference_grows_with_the_rows() {
        assert_eq!([100.0, 1e9].map(|rows| automatic_difference(rows).to_string()), ["2", "25"]);
        assert!((automatic_difference(505_000.0) - 13.5).abs() < 1e-12);
    }
}

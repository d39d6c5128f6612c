//! Holm's step-down correction: p₍ᵢ₎ adjusted = max over j ≤ i of min(1, (m − j + 1) p₍ⱼ₎), with the p-values in
//! ascending order (S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
//! Statistics 6 (1979)). The chance of any false alarm among the m tests stays below the level, whatever their
//! dependence. Agrees with `statsmodels.stats.multitest.multipletests(method="holm")`.

/// The adjusted p-values, in the order given. None may be NaN.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        let scaled = p_values[index] * (p_values.len() - rank) as f64;
        let scaled = if scaled > 1.0 { 1.0 } else { scaled };
        largest = if scaled > largest { scaled } else { largest };
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use sluice_testkit::close::assert_relative;

    use super::*;

    #[test]
    fn holm_equals_statsmodels() {
        // multipletests([0.01, 0.04, 0.03, 0.005, 0.6], method="holm")
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005, 0.6]);
        for (found, expected) in adjusted.into_iter().zip([0.04, 0.09, 0.09, 0.025, 0.6]) {
            assert_relative(found, expected, 1e-15);
        }
    }

    #[test]
    fn ties_ones_and_nothing() {
        assert!(holm(&[]).is_empty());
        for (found, expected) in holm(&[0.02, 0.02, 1.0]).into_iter().zip([0.06, 0.06, 1.0]) {
            assert_relative(found, expected, 1e-15);
        }
        assert_relative(holm(&[0.3])[0], 0.3, 0.0);
    }
}

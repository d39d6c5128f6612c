//! The pairwise ranking loss (`RankNet`, Burges et al. 2005): rows i and j of a group whose labels differ cost
//! `ln(1 + exp(-(z_i - z_j)))`, i that of the greater label.
//!
//! Pairs are made of the rows that go through the network together (a piece, 128 rows at most). A group's loss there is the
//! mean over its pairs, weighted by `w_i w_j`; it counts as often as its rows weigh, so that the loss of a batch is a mean
//! over rows as with any other loss. A group without a pair costs nothing.

use crate::kernels::scalar;

/// The groups of the rows of a piece: each row's number among those met so far, and how many there are.
fn number(groups: &[u64], rows: usize) -> (Vec<usize>, usize) {
    let mut met: Vec<u64> = Vec::new();
    let numbers = groups.iter().map(|group| {
        // Rows of a group mostly stand together.
        met.iter().rposition(|known| known == group).unwrap_or_else(|| {
            met.push(*group);
            met.len() - 1
        })
    });
    let numbers: Vec<usize> = if groups.is_empty() { vec![0; rows] } else { numbers.collect() };
    (numbers, met.len().max(1))
}

/// Σ weight x loss of these rows, with the gradients of their sums into `gradient`. No groups are one.
pub(crate) fn loss_and_gradient(
    sums: &[f32],
    labels: &[f32],
    weights: &[f32],
    groups: &[u64],
    gradient: &mut [f32],
) -> f64 {
    gradient.fill(0.0);
    let (numbers, count) = number(groups, sums.len());
    let pairs = || {
        (0..sums.len())
            .flat_map(|above| (0..sums.len()).map(move |below| (above, below)))
            .filter(|(above, below)| labels[*above] > labels[*below] && numbers[*above] == numbers[*below])
    };
    let (mut of_rows, mut of_pairs) = (vec![0.0_f32; count], vec![0.0_f32; count]);
    for (number, weight) in numbers.iter().zip(weights) {
        of_rows[*number] += weight;
    }
    for (above, below) in pairs() {
        of_pairs[numbers[above]] += weights[above] * weights[below];
    }
    let mut total = 0.0;
    for (above, below) in pairs() {
        let group = numbers[above];
        let weight = weights[above] * weights[below];
        if weight > 0.0 {
            let share = weight * of_rows[group] / of_pairs[group];
            let apart = sums[above] - sums[below];
            let (loss, slope) = scalar::softplus(-apart);
            total += f64::from(share * loss);
            gradient[above] -= share * slope;
            gradient[below] += share * slope;
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::loss_and_gradient;

    fn loss(sums: &[f32], labels: &[f32], weights: &[f32], groups: &[u64]) -> (f64, Vec<f32>) {
        let mut gradient = vec![f32::NAN; sums.len()];
        let loss = loss_and_gradient(sums, labels, weights, groups, &mut gradient);
        (loss, gradient)
    }

    #[test]
    fn a_group_costs_the_mean_of_its_pairs() {
        // Two groups, not side by side; the third has no pair.
        let (sums, labels) = ([0.5, -1.0, 2.0, 0.0, 9.0], [1.0, 2.0, 3.0, 2.0, 7.0]);
        let (found, _) = loss(&sums, &labels, &[1.0; 5], &[7, 7, 8, 8, 9]);
        let pair = |apart: f64| (-apart).exp().ln_1p();
        let expected = 2.0 * pair(-1.5) + 2.0 * pair(2.0);
        assert!((found - expected).abs() < 1e-6 * expected, "{found} {expected}");
        // All rows as one group: pairs (1,0) (2,0) (3,0) (2,1) (2,3) (4,…).
        let (found, _) = loss(&sums, &labels, &[1.0; 5], &[]);
        let all = [pair(-1.5), pair(1.5), pair(-0.5), pair(3.0), pair(2.0)].iter().sum::<f64>()
            + [8.5, 10.0, 7.0, 9.0].map(pair).iter().sum::<f64>();
        let expected = 5.0 * all / 9.0;
        assert!((found - expected).abs() < 1e-6 * expected, "{found} {expected}");
    }

    #[test]
    fn gradients_are_central_differences_and_add_up_to_nothing() {
        let sums = [0.3_f32, -0.7, 1.2, 0.1, -0.2, 0.9];
        let (labels, weights) = ([1.0, 0.0, 2.0, 0.0, 1.0, 2.0], [1.0, 2.0, 0.5, 1.0, 0.0, 3.0]);
        let groups = [1, 1, 1, 2, 2, 2];
        let (_, gradient) = loss(&sums, &labels, &weights, &groups);
        for at in 0..6 {
            let moved = |by: f32| {
                let mut sums = sums;
                sums[at] += by;
                loss(&sums, &labels, &weights, &groups).0
            };
            let difference = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((difference - f64::from(gradient[at])).abs() < 1e-3, "{at}: {difference} {gradient:?}");
        }
        assert!(gradient.iter().sum::<f32>().abs() < 1e-6);
    }

    #[test]
    fn far_apart_sums_stay_numbers_and_rows_alike_cost_nothing() {
        let (far, gradient) = loss(&[-1e4, 1e4], &[1.0, 0.0], &[1.0; 2], &[]);
        assert!((far - 4e4).abs() < 1.0 && gradient == [-2.0, 2.0], "{far} {gradient:?}");
        assert_eq!(loss(&[1.0, 2.0], &[3.0, 3.0], &[1.0; 2], &[]), (0.0, vec![0.0; 2]));
        assert_eq!(loss(&[1.0, 2.0], &[3.0, 4.0], &[0.0; 2], &[]), (0.0, vec![0.0; 2]));
    }
}

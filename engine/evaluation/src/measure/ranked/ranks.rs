//! Spearman's correlation: that of the ranks of labels and predictions.
//!
//! The rank of a row is the weight before it and half of the weight of its equals, itself among them; without weights
//! that is the mean of the places of its equals, less a half. Ranks are doubled and taken less their mean, which is the
//! weight of the slice, so that without weights all sums are exact: Σwab/√(Σwa² Σwb²).

use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;

use super::figures::{Ranking, SliceFigures};
use super::order::{First, Place, in_order};
use super::placement::{SliceRows, Weighing};
use super::replicated;
use super::rows::Labels;
use crate::metric::{Statistic, Undefined};

/// Fills in what is asked for of them.
pub(super) fn fill<W: Weighing>(
    ranking: &Ranking<'_>,
    weighing: W,
    figures: &mut [Vec<SliceFigures>],
) -> Result<()> {
    let Labels::Numbers(labels) = &ranking.columns.labels else { return Ok(()) };
    let mut statistics = ranking.plan.statistics();
    let Some((number, _)) = statistics.find(|(_, statistic)| *statistic == Statistic::Spearman) else {
        return Ok(());
    };
    let by_label = in_order(labels.len(), |row| labels[row], &[], First::Least);
    let mut amounts = vec![W::Amount::default(); labels.len()];
    let mut scratch = [Vec::new(), Vec::new()];
    let slices = replicated::counts(ranking.layouts);
    for (model, predictions) in ranking.columns.predictions.iter().enumerate() {
        let by_prediction = in_order(predictions.len(), |row| predictions[row], &[], First::Least);
        for (layout, figures) in ranking.layouts.iter().zip(&mut *figures) {
            ranking.execution.cancel.check()?;
            let [first, second] = &mut scratch;
            let (own, theirs) = (layout.arrange(&by_label, first), layout.arrange(&by_prediction, second));
            let mut start = 0;
            for ((totals, end), slice) in layout.totals.iter().zip(layout.ends()).zip(figures) {
                let rows = SliceRows { weighing, totals };
                slice.figures[number].add(of_slice(
                    &rows,
                    &own[start..end],
                    &theirs[start..end],
                    &mut amounts,
                ));
                start = end;
            }
        }
        if let Some(drawing) = replicated::drawing(ranking, &slices) {
            let orders = (by_label.as_slice(), by_prediction.as_slice());
            replicated::correlations(ranking, &drawing, orders, (model, number), figures)?;
        }
    }
    Ok(())
}

fn of_slice<W: Weighing>(
    rows: &SliceRows<'_, W>,
    by_label: &[Place],
    by_prediction: &[Place],
    ranks: &mut [W::Amount],
) -> Result<f64, Undefined> {
    let [mut of_labels, mut of_predictions, mut of_both] = [W::Products::default(); 3];
    rows.ranks(by_label, |row, weight, rank| {
        ranks[row as usize] = rank;
        W::product(&mut of_labels, weight, rank, rank);
    });
    rows.ranks(by_prediction, |row, weight, rank| {
        W::product(&mut of_predictions, weight, rank, rank);
        W::product(&mut of_both, weight, rank, ranks[row as usize]);
    });
    correlation::<W>([of_labels, of_predictions, of_both])
}

/// From Σwa², Σwb² and Σwab.
pub(super) fn correlation<W: Weighing>(sums: [W::Products; 3]) -> Result<f64, Undefined> {
    let [of_labels, of_predictions, of_both] = sums.map(W::products);
    if of_labels.high <= 0.0 {
        return Err(Undefined::ConstantLabel);
    }
    if of_predictions.high <= 0.0 {
        return Err(Undefined::Nothing("predictions that differ"));
    }
    let correlation: DoubleDouble = of_both / (of_labels.sqrt() * of_predictions.sqrt());
    Ok(correlation.to_f64().clamp(-1.0, 1.0))
}

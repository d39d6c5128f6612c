//! How the penalty was chosen: the error of each that was tried.

use crate::html::figures::{brief, figure};
use crate::html::put;
use crate::html::training::PageModel;
use crate::svg::{Mark, Plot, Tick};

/// Ticks of the axis of penalties, at most.
const TICKS: usize = 5;

/// A penalty that was tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PagePenalty {
    /// The penalty.
    pub penalty: f64,
    /// Its mean squared error on rows left out.
    pub error: f64,
    /// The standard error of that.
    pub standard_error: f64,
}

/// Where each penalty stands: at its logarithm; 0 a step below the least of the others.
fn places(penalties: &[PagePenalty]) -> Vec<f64> {
    let logarithms: Vec<f64> = penalties.iter().map(|it| it.penalty.log10()).collect();
    let finite: Vec<f64> = logarithms.iter().copied().filter(|it| it.is_finite()).collect();
    let least = finite.first().copied().unwrap_or(0.0);
    let step = finite.get(1).map_or(1.0, |second| second - least);
    logarithms.into_iter().map(|it| if it.is_finite() { it } else { least - step }).collect()
}

/// The chart; nothing where no penalty was searched.
pub(super) fn chart(body: &mut String, model: &PageModel) {
    let penalties = &model.penalties;
    if penalties.len() < 2 {
        return;
    }
    let places = places(penalties);
    let pairs = || places.iter().copied().zip(penalties);
    let band =
        pairs().map(|(x, it)| (x, it.error - it.standard_error, it.error + it.standard_error)).collect();
    let line: Vec<(f64, f64)> = pairs().map(|(x, it)| (x, it.error)).collect();
    let lows = penalties.iter().map(|it| it.error - it.standard_error);
    let highs = penalties.iter().map(|it| it.error + it.standard_error);
    let low = lows.fold(f64::INFINITY, |least, it| if it < least { it } else { least });
    let high = highs.fold(f64::NEG_INFINITY, |most, it| if it > most { it } else { most });
    let mut marks = vec![Mark::Band(band), Mark::Line(line.clone(), "path"), Mark::Points(line, "dots")];
    let chosen = pairs().find(|(_, it)| it.penalty.to_bits() == model.penalty.to_bits());
    if let Some((x, _)) = chosen {
        marks.push(Mark::Line(vec![(x, low), (x, high)], "rule"));
    }
    let every = std::cmp::max(penalties.len().div_ceil(TICKS), 1);
    let ticks: Vec<Tick> = pairs().step_by(every).map(|(x, it)| (x, brief(it.penalty))).collect();
    let plot = Plot {
        title: "Mean squared error by penalty",
        x: "penalty",
        y: "mean squared error",
        marks,
        x_ticks: Some(ticks),
        shown: brief,
    };
    put!(
        body,
        "<article><h3>Choice of the penalty</h3><figure>{}<figcaption>Mean squared error in cross-validation, and one \
         standard error to both sides; the dashed line is the penalty of the model, {}.</figcaption></figure></article>",
        plot.svg(),
        figure(model.penalty)
    );
}

#[cfg(test)]
mod tests {
    use super::{PagePenalty, places};

    #[test]
    fn penalty_zero_has_a_place() {
        let penalty = |penalty| PagePenalty { penalty, error: 1.0, standard_error: 0.1 };
        assert_eq!(
            format!("{:?}", places(&[penalty(0.0), penalty(1.0), penalty(100.0)])),
            "[-2.0, 0.0, 2.0]"
        );
        assert_eq!(format!("{:?}", places(&[penalty(0.0)])), "[-1.0]");
    }
}

//! Confusion matrices as heat maps: a table each, a cell the darker the greater its share of the label's rows.

use crate::html::escape::{NAME, VALUE, escape, value};
use crate::html::evaluation::{FIGURES_FILE, PageSlice};
use crate::html::figures::{brief, percent};
use crate::html::put;

/// Classes that are shown; those of least weight are joined.
const MAX_CLASSES: usize = 20;
/// Matrices of a slice.
const MAX_MATRICES: usize = 4;

/// A confusion matrix.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageConfusion {
    /// Whose, and at which threshold.
    pub title: String,
    /// The classes.
    pub classes: Vec<String>,
    /// The weight of the rows: by label, then by prediction.
    pub weights: Vec<Vec<f64>>,
}

/// The matrices of a slice.
pub(super) fn section(body: &mut String, slice: &PageSlice) {
    if slice.confusions.is_empty() {
        return;
    }
    body.push_str("<div class=\"plots\">");
    for confusion in slice.confusions.iter().take(MAX_MATRICES) {
        matrix(body, &joined(confusion));
    }
    body.push_str("</div>");
    let left_out = slice.confusions.len().saturating_sub(MAX_MATRICES);
    if left_out > 0 {
        put!(body, "<p class=\"note\">{left_out} more matrices stand in <code>{FIGURES_FILE}</code>.</p>");
    }
}

/// The matrix with at most so many classes: the heaviest, and the others as one.
fn joined(whole: &PageConfusion) -> PageConfusion {
    let count = std::cmp::min(whole.classes.len(), whole.weights.len());
    let at = |label: usize, predicted: usize| -> f64 {
        let weight = whole.weights.get(label).and_then(|row| row.get(predicted)).copied().unwrap_or_default();
        if weight.is_finite() { weight } else { 0.0 }
    };
    let mut order: Vec<usize> = (0..count).collect();
    if count > MAX_CLASSES {
        let weight = |class: usize| (0..count).map(|other| at(class, other) + at(other, class)).sum::<f64>();
        order.sort_by(|a, b| weight(*b).total_cmp(&weight(*a)).then(a.cmp(b)));
    }
    let kept = if count > MAX_CLASSES { MAX_CLASSES - 1 } else { count };
    let (own, others) = order.split_at(kept);
    let mut own = own.to_vec();
    own.sort_unstable();
    let mut groups: Vec<Vec<usize>> = own.iter().map(|class| vec![*class]).collect();
    let mut classes: Vec<String> = own.iter().map(|class| whole.classes[*class].clone()).collect();
    if !others.is_empty() {
        classes.push(format!("({} others)", others.len()));
        groups.push(others.to_vec());
    }
    let sum = |labels: &[usize], predicted: &[usize]| {
        labels.iter().flat_map(|label| predicted.iter().map(|other| at(*label, *other))).sum()
    };
    let weights =
        groups.iter().map(|labels| groups.iter().map(|other| sum(labels, other)).collect()).collect();
    PageConfusion { title: whole.title.clone(), classes, weights }
}

fn matrix(body: &mut String, shown: &PageConfusion) {
    put!(
        body,
        "<figure><figcaption><b>Confusion matrix, {}.</b> Labels down, predictions across.</figcaption>\
         <div class=\"scroll\"><table class=\"heat\"><thead><tr><td></td>",
        escape(&shown.title, NAME)
    );
    for class in &shown.classes {
        put!(body, "<th scope=\"col\" class=\"n\">{}</th>", value(class));
    }
    body.push_str("</tr></thead><tbody>");
    for (label, (class, row)) in shown.classes.iter().zip(&shown.weights).enumerate() {
        put!(body, "<tr><th scope=\"row\">{}</th>", value(class));
        let whole: f64 = row.iter().sum();
        for (predicted, weight) in row.iter().enumerate() {
            let share = if whole > 0.0 { weight / whole } else { 0.0 };
            put!(
                body,
                "<td class=\"{}\" style=\"--h:{:.0}%\" title=\"{} predicted as {}\">{}<small>{}</small></td>",
                if label == predicted { "y" } else { "x" },
                share.clamp(0.0, 1.0) * 70.0,
                escape(class, VALUE),
                escape(&shown.classes[predicted], VALUE),
                brief(*weight),
                percent(share)
            );
        }
        body.push_str("</tr>");
    }
    body.push_str("</tbody></table></div></figure>");
}

#[cfg(test)]
mod tests {
    use super::{MAX_CLASSES, PageConfusion, joined};

    #[test]
    fn light_classes_are_joined_and_nothing_is_lost() {
        let count = 30;
        let classes = (0..count).map(|class| format!("c{class}")).collect();
        let weights: Vec<Vec<f64>> =
            (0..count).map(|row| (0..count).map(|column| f64::from(row * column)).collect()).collect();
        let whole: f64 = weights.iter().flatten().sum();
        let shown = joined(&PageConfusion { title: "t".into(), classes, weights });
        assert_eq!(shown.classes.len(), MAX_CLASSES);
        assert_eq!((shown.classes[0].as_str(), shown.classes[19].as_str()), ("c11", "(11 others)"));
        let sum: f64 = shown.weights.iter().flatten().sum();
        assert!((sum - whole).abs() < 1e-6, "{sum} of {whole}");
        let small = PageConfusion {
            title: "t".into(),
            classes: vec!["no".into(), "yes".into()],
            weights: vec![vec![5.0, f64::NAN]],
        };
        let shown = joined(&small);
        assert_eq!(shown.weights, [[5.0]]);
    }
}

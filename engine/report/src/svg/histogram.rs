//! A histogram of one or several data sets over one axis.
//!
//! The area of a block is the share of the values in its range, so that buckets of different widths, and data sets of
//! different sizes, compare. One data set is drawn as bars, several as outlines over one another. Two forms are drawn
//! and the page shows one: heights in proportion, and `ln(1 + k)` of the k values that a tenth of the axis would
//! hold at that density, in which rare values show.

use crate::svg::{Scale, coordinate};

/// Narrower blocks are drawn this wide, in shares of the axis: a heavy value is a line, not nothing.
const MIN_BLOCK: f64 = 0.008;
/// Anything counted is at least this high.
const MIN_HEIGHT: f64 = 0.02;

/// One data set's share of values by range.
#[derive(Clone, Debug, Default)]
pub(crate) struct Curve {
    /// Number of the data set, which decides its colour.
    pub(crate) set: usize,
    /// (lower bound, upper bound, count).
    pub(crate) blocks: Vec<(f64, f64, f64)>,
}

/// Size and words of a chart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    /// Class of the SVG, for the style sheet.
    pub(crate) class: &'a str,
    /// What a screen reader says; escaped already.
    pub(crate) title: &'a str,
    /// Units of the view box; the page stretches it.
    pub(crate) width: f64,
    /// As `width`.
    pub(crate) height: f64,
    /// Text of a bar's tooltip by its number, for one data set; escaped already.
    pub(crate) tips: &'a [String],
}

/// A block in shares of the axis, with its density.
struct Block {
    left: f64,
    right: f64,
    density: f64,
}

fn blocks(curve: &Curve, scale: Scale) -> (Vec<Block>, f64) {
    let counted = |count: f64| if count.is_finite() && count > 0.0 { count } else { 0.0 };
    let total: f64 = curve.blocks.iter().map(|block| counted(block.2)).sum();
    let blocks = curve.blocks.iter().map(|&(low, high, count)| {
        let (mut left, mut right) = (scale.at(low), scale.at(high));
        let least = if scale.is_point() { 0.2 } else { MIN_BLOCK };
        if !(right - left >= least) {
            let middle = ((left + right) / 2.0).clamp(least / 2.0, 1.0 - least / 2.0);
            (left, right) = (middle - least / 2.0, middle + least / 2.0);
        }
        let share = if total > 0.0 { counted(count) / total } else { 0.0 };
        Block { left, right, density: share / (right - left) }
    });
    (blocks.collect(), if total.is_finite() { total } else { f64::MAX })
}

/// The bars of one data set: closed blocks with a gap.
fn bars(blocks: &[Block], frame: &Frame<'_>, height: impl Fn(f64) -> f64) -> String {
    let mut path = String::new();
    for block in blocks.iter().filter(|block| block.density > 0.0) {
        let gap = if (block.right - block.left) * frame.width > 4.0 { 1.0 } else { 0.0 };
        let rise = height(block.density) * frame.height;
        path.push_str(&format!(
            "M{} {}h{}v-{}h-{}z",
            coordinate(block.left * frame.width + gap / 2.0),
            coordinate(frame.height),
            coordinate((block.right - block.left) * frame.width - gap),
            coordinate(rise),
            coordinate((block.right - block.left) * frame.width - gap),
        ));
    }
    path
}

/// The outline of one data set among several.
fn outline(blocks: &[Block], frame: &Frame<'_>, height: impl Fn(f64) -> f64) -> String {
    let Some(first) = blocks.first() else { return String::new() };
    let mut path = format!("M{} {}", coordinate(first.left * frame.width), coordinate(frame.height));
    let mut end = first.left;
    for block in blocks {
        if block.left > end + 1e-9 {
            path.push_str(&format!("V{}H{}", coordinate(frame.height), coordinate(block.left * frame.width)));
        }
        path.push_str(&format!(
            "V{}H{}",
            coordinate(frame.height * (1.0 - height(block.density))),
            coordinate(block.right * frame.width)
        ));
        end = block.right;
    }
    path.push_str(&format!("V{}", coordinate(frame.height)));
    path
}

/// The chart. Nothing is drawn for data sets without a value.
pub(crate) fn histogram(curves: &[Curve], scale: Scale, frame: &Frame<'_>) -> String {
    let drawn: Vec<(usize, Vec<Block>, f64)> = curves
        .iter()
        .map(|curve| {
            let (blocks, total) = blocks(curve, scale);
            (curve.set, blocks, total)
        })
        .collect();
    let greater = |most: f64, value: f64| if value > most { value } else { most };
    let most = drawn.iter().flat_map(|set| &set.1).map(|block| block.density).fold(0.0, greater);
    let tenth = drawn.iter().map(|set| set.2).fold(0.0, greater) / 10.0;
    let at_least = |height: f64| height.clamp(MIN_HEIGHT, 1.0);
    let linear = |density: f64| if density > 0.0 { at_least(density / most) } else { 0.0 };
    let logarithm = |density: f64| {
        let height = (density * tenth).ln_1p() / (most * tenth).ln_1p();
        if density > 0.0 { at_least(height) } else { 0.0 }
    };
    let mut text = format!(
        "<svg class=\"{}\" viewBox=\"0 0 {} {}\" preserveAspectRatio=\"none\" role=\"img\"><title>{}</title>",
        frame.class,
        coordinate(frame.width),
        coordinate(frame.height),
        frame.title
    );
    let alone = drawn.len() == 1;
    for form in ["lin", "log"] {
        text.push_str(&format!("<g class=\"{form}\">"));
        for (set, blocks, _) in &drawn {
            let height = |density: f64| if form == "lin" { linear(density) } else { logarithm(density) };
            let path = if alone { bars(blocks, frame, height) } else { outline(blocks, frame, height) };
            if !path.is_empty() {
                text.push_str(&format!(
                    "<path class=\"{}{set}\" d=\"{path}\"/>",
                    if alone { 'b' } else { 'o' }
                ));
            }
        }
        text.push_str("</g>");
    }
    if let (true, Some((_, blocks, _))) = (alone, drawn.first()) {
        text.push_str(&tips(blocks, frame));
    }
    text.push_str("</svg>");
    text
}

/// Areas as high as the chart that say a bar's figures when the pointer is on them.
fn tips(blocks: &[Block], frame: &Frame<'_>) -> String {
    let mut text = String::from("<g class=\"t\">");
    for (block, tip) in blocks.iter().zip(frame.tips) {
        text.push_str(&format!(
            "<rect x=\"{}\" width=\"{}\" height=\"{}\"><title>{tip}</title></rect>",
            coordinate(block.left * frame.width),
            coordinate((block.right - block.left) * frame.width),
            coordinate(frame.height)
        ));
    }
    text.push_str("</g>");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame<'_> = Frame { class: "h", title: "t", width: 100.0, height: 50.0, tips: &[] };

    #[test]
    fn heights_are_densities() {
        let curve = Curve { set: 0, blocks: vec![(0.0, 5.0, 10.0), (5.0, 10.0, 5.0)] };
        let svg = histogram(&[curve], Scale::over([0.0, 10.0]).unwrap(), &FRAME);
        assert!(svg.contains("M0.5 50h49v-50h-49z"), "{svg}");
        assert!(svg.contains("M50.5 50h49v-25h-49z"), "{svg}");
    }

    #[test]
    fn degenerate_data_draw_finite_coordinates() {
        let shapes = [
            (vec![(0.0, 0.0, 3.0)], Scale::over([0.0])),
            (vec![(-1e300, 1e300, 3.0), (1e300, 1.1e300, 0.0)], Scale::over([-1e300, 1.1e300])),
            (vec![(f64::MIN, f64::MAX, f64::INFINITY)], Scale::over([f64::MIN, f64::MAX])),
            (vec![(1.0, 2.0, f64::NAN), (2.0, 3.0, -4.0)], Scale::over([1.0, 3.0])),
            (vec![(1.0, 2.0, 0.0)], Scale::over([1.0, 2.0])),
            (vec![(1.0, 2.0, f64::MAX), (2.0, 3.0, f64::MAX)], Scale::over([1.0, 3.0])),
        ];
        for (blocks, scale) in shapes {
            for sets in [1, 2] {
                let curves = vec![Curve { set: 0, blocks: blocks.clone() }; sets];
                let svg = histogram(&curves, scale.unwrap(), &FRAME);
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }
}

//! Two distributions over the same bins, laid over one another: the current side as a filled bar, the reference as an
//! outline.

use crate::svg::coordinate;

const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 16.0;
const SMALL_WIDTH: f64 = 96.0;
const SMALL_HEIGHT: f64 = 24.0;

fn size(share: f64) -> f64 {
    if share.is_finite() && share > 0.0 { share } else { 0.0 }
}

/// The greatest of all shares; 1 where all are 0.
fn most(shares: &[[f64; 2]]) -> f64 {
    let most = shares.iter().flatten().map(|share| size(*share)).fold(0.0, |a, b| if b > a { b } else { a });
    if most > 0.0 { most } else { 1.0 }
}

/// One drawing per bin, all on one scale; current shares first.
pub(crate) fn bars(shares: &[[f64; 2]]) -> Vec<String> {
    let most = most(shares);
    let draw = |[current, reference]: &[f64; 2]| {
        let (now, before) = (size(*current) / most * WIDTH, size(*reference) / most * WIDTH);
        format!(
            "<svg class=\"over\" viewBox=\"-1 -1 {} {}\" preserveAspectRatio=\"none\" role=\"img\"><title>{:.2} % of the \
             current values, {:.2} % of the reference</title><rect \
             class=\"now\" y=\"3\" width=\"{}\" height=\"{}\"/><path class=\"before\" d=\"M0 0H{}V{}H0\"/></svg>",
            coordinate(WIDTH + 2.0),
            coordinate(HEIGHT + 2.0),
            100.0 * size(*current),
            100.0 * size(*reference),
            coordinate(now),
            coordinate(HEIGHT - 6.0),
            coordinate(before),
            coordinate(HEIGHT),
        )
    };
    shares.iter().map(draw).collect()
}

/// All bins in one small drawing, side by side.
pub(crate) fn small(shares: &[[f64; 2]]) -> String {
    if shares.is_empty() {
        return String::new();
    }
    let (most, width) = (most(shares), SMALL_WIDTH / shares.len() as f64);
    let (mut now, mut before) = (String::new(), format!("M0 {}", coordinate(SMALL_HEIGHT)));
    for (index, [current, reference]) in shares.iter().enumerate() {
        let left = index as f64 * width;
        let rise = |share: &f64| size(*share) / most * SMALL_HEIGHT;
        now.push_str(&format!(
            "M{} {}h{}v-{}h-{}z",
            coordinate(left),
            coordinate(SMALL_HEIGHT),
            coordinate(width),
            coordinate(rise(current)),
            coordinate(width)
        ));
        before.push_str(&format!(
            "V{}H{}",
            coordinate(SMALL_HEIGHT - rise(reference)),
            coordinate(left + width)
        ));
    }
    before.push_str(&format!("V{}", coordinate(SMALL_HEIGHT)));
    format!(
        "<svg class=\"over-all\" viewBox=\"-1 -1 {} {}\" role=\"img\"><title>Shares of the bins: current filled, reference \
         outlined</title><path class=\"now\" d=\"{now}\"/><path \
         class=\"before\" d=\"{before}\"/></svg>",
        coordinate(SMALL_WIDTH + 2.0),
        coordinate(SMALL_HEIGHT + 2.0)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_of_both_sides_share_a_scale() {
        let drawn = bars(&[[0.25, 0.5], [0.5, 0.0], [f64::NAN, f64::INFINITY]]);
        assert!(drawn[0].contains("width=\"120\"") && drawn[0].contains("H240V16H0"), "{}", drawn[0]);
        assert!(drawn[1].contains("width=\"240\"") && drawn[1].contains("H0V16H0"), "{}", drawn[1]);
        assert!(drawn[2].contains("width=\"0\""), "{}", drawn[2]);
        assert!(small(&[]).is_empty());
        assert!(
            small(&[[0.5, 1.0], [0.5, 0.0]]).contains("V0H48V24H96V24"),
            "{}",
            small(&[[0.5, 1.0], [0.5, 0.0]])
        );
        assert!(!small(&[[f64::NAN, f64::MAX]]).contains("NaN"));
    }
}

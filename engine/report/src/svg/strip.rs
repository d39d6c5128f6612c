//! Quantiles of one or several data sets as boxes over one axis: the line from the 1st to the 99th hundredth, the box
//! from the lower to the upper quarter, the median.

use crate::svg::{Scale, coordinate};

/// Five quantiles of a data set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Box5 {
    /// Number of the data set, which decides its colour.
    pub(crate) set: usize,
    /// The quantiles 0.01, 0.25, 0.5, 0.75 and 0.99.
    pub(crate) quantiles: [f64; 5],
}

/// One line of the view box for each data set.
const LINE: f64 = 12.0;
const WIDTH: f64 = 300.0;

/// The chart; `title` is escaped already.
pub(crate) fn strip(boxes: &[Box5], scale: Scale, title: &str) -> String {
    let height = LINE * boxes.len() as f64;
    let mut text = format!(
        "<svg class=\"strip\" viewBox=\"0 0 300 {height}\" style=\"height:{height}px\" \
         preserveAspectRatio=\"none\" role=\"img\"><title>{title}</title>"
    );
    for (index, Box5 { set, quantiles }) in boxes.iter().enumerate() {
        let middle = LINE * (index as f64 + 0.5);
        let [first, lower, median, upper, last] = quantiles.map(|value| coordinate(scale.at(value) * WIDTH));
        let width = coordinate((scale.at(quantiles[3]) - scale.at(quantiles[1])) * WIDTH);
        text.push_str(&format!(
            "<g class=\"q{set}\"><path class=\"w\" d=\"M{first} {middle}H{last}\"/>\
             <rect x=\"{lower}\" y=\"{}\" width=\"{width}\" height=\"8\"/>\
             <path d=\"M{lower} {top}v8M{upper} {top}v8\"/><path class=\"m\" d=\"M{median} {top}v8\"/></g>",
            middle - 4.0,
            top = middle - 4.0,
        ));
    }
    text.push_str("</svg>");
    text
}

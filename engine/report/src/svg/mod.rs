//! Small charts as inline SVG. Coordinates are always finite, whatever the data are; colours and fonts come
//! from the page's style sheet, so that one chart serves the light, the dark and the printed page.

mod bars;
mod histogram;
mod line;
pub(crate) mod overlay;
mod plot;
mod scale;
mod strip;
mod whisker;

pub(crate) use bars::bars;
pub(crate) use histogram::{Curve, Frame, histogram};
pub(crate) use line::line;
pub(crate) use plot::{Mark, Plot, Tick};
pub(crate) use scale::Scale;
pub(crate) use strip::{Box5, strip};
pub(crate) use whisker::whisker;

/// A coordinate with at most one decimal, which is finer than a pixel. What is not finite lies at 0.
pub(crate) fn coordinate(value: f64) -> String {
    if !value.is_finite() {
        return "0".into();
    }
    let text = format!("{value:.1}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" || text.is_empty() { "0".into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::coordinate;

    #[test]
    fn coordinates_are_short_and_finite() {
        assert_eq!(coordinate(12.3456), "12.3");
        assert_eq!(coordinate(100.0), "100");
        assert_eq!(coordinate(-0.001), "0");
        assert_eq!([f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(coordinate), ["0", "0", "0"]);
    }
}

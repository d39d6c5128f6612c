//! What a column's chart draws: its histograms, where there are none its quantiles, of times the spans of time, of
//! text the shares of the most frequent values.

use sluice_core::column::ColumnKind;
use sluice_core::statistics::{ColumnStatistics, Histogram, NumericStatistics, Quantiles, TimeStatistics};

use crate::html::escape::{VALUE, escape};
use crate::html::figures::{brief, figure, percent};
use crate::svg::{Box5, Curve, Frame, Scale, histogram, strip};

/// Columns of some data sets, each with the number of its data set.
pub(super) type Columns<'a> = [(usize, &'a ColumnStatistics)];

/// Which of the two histograms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Buckets of equal width.
    Width,
    /// Buckets of equally many values.
    Depth,
}

/// What is drawn over one axis.
pub(super) struct Drawing {
    curves: Vec<Curve>,
    scale: Scale,
    /// The ends of the axis, escaped.
    pub(super) ends: [String; 2],
    /// The middle of the axis; nothing for times.
    pub(super) middle: String,
    /// Where the blocks come from.
    pub(super) from: &'static str,
}

/// Seconds since 1970 of an ISO 8601 date or instant, for the axis alone; a zone is not taken off.
fn seconds(text: &str) -> Option<f64> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (date, time) = text.split_at_checked(text.find(['T', ' ']).unwrap_or(text.len()))?;
    let mut parts = date.split('-');
    let year = parts.next()?.trim_start_matches('+').parse::<i64>().ok()? * sign;
    let month = parts.next()?.parse::<i64>().ok()?;
    let day = parts.next()?.parse::<i64>().ok()?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year.abs() > 1_000_000 {
        return None;
    }
    // Days of the civil calendar with years that begin in March (Howard Hinnant's algorithm).
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468;
    let clock: String =
        time.chars().skip(1).take_while(|c| c.is_ascii_digit() || ":.".contains(*c)).collect();
    let mut total = 0.0;
    for (part, unit) in clock.split(':').filter(|part| !part.is_empty()).zip([3600.0, 60.0, 1.0]) {
        total += part.parse::<f64>().ok()? * unit;
    }
    Some(days as f64 * 86_400.0 + total)
}

fn of_histogram(set: usize, histogram: &Histogram) -> Curve {
    Curve { set, blocks: histogram.buckets.iter().map(|it| (it.low, it.high, it.count)).collect() }
}

/// Blocks between neighbouring quantiles; where a value spans several, they are one.
fn of_quantiles(set: usize, quantiles: &Quantiles, values: u64) -> Curve {
    let mut blocks: Vec<(f64, f64, f64)> = Vec::new();
    for pair in quantiles.values.windows(2) {
        let (low, high) = (pair[0].1, pair[1].1);
        let count = (pair[1].0 - pair[0].0) * values as f64;
        match blocks.last_mut() {
            Some(last) if !(last.1 > last.0) && !(high > low) && !(low > last.0) => last.2 += count,
            _ => blocks.push((low, high, count)),
        }
    }
    Curve { set, blocks }
}

fn of_times(set: usize, time: &TimeStatistics) -> Option<Curve> {
    let blocks: Option<Vec<_>> =
        time.histogram.iter().map(|it| Some((seconds(&it.low)?, seconds(&it.high)?, it.count))).collect();
    blocks.filter(|blocks| !blocks.is_empty()).map(|blocks| Curve { set, blocks })
}

fn of_numbers(set: usize, numeric: &NumericStatistics, form: Form) -> Option<(Curve, &'static str)> {
    if let Some(both) = &numeric.histograms {
        return Some(match form {
            Form::Width => (of_histogram(set, &both.equal_width), "buckets of equal width"),
            Form::Depth => (of_histogram(set, &both.equal_depth), "buckets of equally many values"),
        });
    }
    let quantiles = numeric.quantiles.as_ref().filter(|_| form == Form::Width)?;
    Some((of_quantiles(set, quantiles, numeric.num_finite), "drawn from quantiles"))
}

/// What to draw of numbers or times; none where there is nothing to draw.
pub(super) fn drawing(columns: &Columns<'_>, form: Form) -> Option<Drawing> {
    let mut from = "";
    let mut curves = Vec::new();
    let mut ends: Option<[String; 2]> = None;
    for (set, column) in columns {
        if let Some(time) = column.time.as_ref().filter(|_| form == Form::Width) {
            curves.extend(of_times(*set, time));
            from = "spans of equal length";
            ends = Some(match ends.take() {
                // ISO 8601 of one column sorts as text within four-digit years; the ends are labels only.
                Some([low, high]) => [low.min(time.earliest.clone()), high.max(time.latest.clone())],
                None => [time.earliest.clone(), time.latest.clone()],
            });
        } else if let Some((curve, source)) =
            column.numeric.as_ref().and_then(|numeric| of_numbers(*set, numeric, form))
        {
            curves.push(curve);
            from = source;
        }
    }
    curves.retain(|curve| curve.blocks.iter().any(|block| block.2 > 0.0));
    let scale = Scale::over(curves.iter().flat_map(|it| &it.blocks).flat_map(|it| [it.0, it.1]))?;
    match ends {
        Some(ends) => {
            let ends = ends.map(|end| escape(&end, VALUE));
            Some(Drawing { curves, scale, ends, middle: String::new(), from })
        }
        None => Some(Drawing::of_numbers(curves, scale, from)),
    }
}

/// The lengths of lists.
pub(super) fn lengths(columns: &Columns<'_>) -> Option<Drawing> {
    let curves: Vec<Curve> = columns
        .iter()
        .filter_map(|(set, column)| Some(of_histogram(*set, column.valency.as_ref()?.lengths.as_ref()?)))
        .collect();
    let scale = Scale::over(curves.iter().flat_map(|it| &it.blocks).flat_map(|it| [it.0, it.1]))?;
    Some(Drawing::of_numbers(curves, scale, "values per row"))
}

/// Weighted histograms.
pub(super) fn weighted(columns: &Columns<'_>) -> Option<Drawing> {
    let curves: Vec<Curve> = columns
        .iter()
        .filter_map(|(set, column)| {
            let numeric = column.weighted.as_ref()?.numeric.as_ref()?;
            Some(of_histogram(*set, &numeric.histograms.as_ref()?.equal_width))
        })
        .collect();
    let scale = Scale::over(curves.iter().flat_map(|it| &it.blocks).flat_map(|it| [it.0, it.1]))?;
    Some(Drawing::of_numbers(curves, scale, "by weight"))
}

impl Drawing {
    fn of_numbers(curves: Vec<Curve>, scale: Scale, from: &'static str) -> Self {
        let (low, high) = (scale.low(), scale.high());
        let middle = if scale.is_point() { String::new() } else { brief(low / 2.0 + high / 2.0) };
        Self { curves, scale, ends: [figure(low), figure(high)], middle, from }
    }

    /// The histogram; `title` is escaped.
    pub(super) fn svg(&self, title: &str, is_spark: bool) -> String {
        let tips = if is_spark { Vec::new() } else { self.tips() };
        let (class, width, height) = if is_spark { ("spark", 100.0, 24.0) } else { ("hist", 300.0, 100.0) };
        histogram(&self.curves, self.scale, &Frame { class, title, width, height, tips: &tips })
    }

    /// The figures of each bar of a single data set.
    fn tips(&self) -> Vec<String> {
        let [curve] = self.curves.as_slice() else { return Vec::new() };
        let total: f64 = curve.blocks.iter().map(|block| block.2).sum();
        let is_time = self.from == "spans of equal length";
        let tip = |&(low, high, count): &(f64, f64, f64)| {
            let shown = format!("{} values, {}", figure(count.round()), percent(count / total));
            if is_time { shown } else { format!("{} to {}: {shown}", figure(low), figure(high)) }
        };
        curve.blocks.iter().map(tip).collect()
    }

    /// The quantiles of the columns on the axis of this drawing.
    pub(super) fn strip(&self, columns: &Columns<'_>, title: &str) -> Option<String> {
        let boxes: Vec<Box5> = columns
            .iter()
            .filter_map(|(set, column)| {
                let quantiles = column.numeric.as_ref()?.quantiles.as_ref()?;
                let [a, b, c, d, e] = [0.01, 0.25, 0.5, 0.75, 0.99].map(|q| quantiles.at(q));
                Some(Box5 { set: *set, quantiles: [a?, b?, c?, d?, e?] })
            })
            .collect();
        (!boxes.is_empty()).then(|| strip(&boxes, self.scale, title))
    }
}

/// The shares of the most frequent values as a small chart, in the order of the first data set that has them.
fn spark_of_values(columns: &Columns<'_>, title: &str) -> Option<String> {
    const BARS: usize = 12;
    let tops: Vec<_> = columns
        .iter()
        .filter_map(|(set, column)| Some((*set, column.top_values.as_ref()?, column.num_values())))
        .collect();
    let (_, first, _) = tops.first()?;
    let names: Vec<&str> = first.values.iter().take(BARS).map(|(value, _)| value.as_str()).collect();
    let curve = |(set, top, total): &(usize, &sluice_core::statistics::TopValues, u64)| {
        let blocks = names.iter().enumerate().map(|(index, name)| {
            let count = top.values.iter().find(|(value, _)| value == name).map_or(0, |it| it.1);
            (index as f64, index as f64 + 1.0, count as f64 / std::cmp::max(*total, 1) as f64)
        });
        Curve { set: *set, blocks: blocks.collect() }
    };
    let curves: Vec<Curve> = tops.iter().map(curve).collect();
    let scale = Scale::over([0.0, if names.len() < 6 { 6.0 } else { names.len() as f64 }])?;
    let frame = Frame { class: "spark", title, width: 100.0, height: 24.0, tips: &[] };
    Some(histogram(&curves, scale, &frame))
}

/// The small chart of the overview, as fits the kind.
pub(super) fn spark(columns: &Columns<'_>, title: &str) -> Option<String> {
    let is_category = columns.iter().all(|(_, column)| {
        let kind = column.kind.innermost();
        column.top_values.is_some()
            && matches!(kind, ColumnKind::Text | ColumnKind::Binary | ColumnKind::Boolean)
    });
    if is_category {
        return spark_of_values(columns, title);
    }
    drawing(columns, Form::Width).map(|drawing| drawing.svg(title, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_a_place() {
        assert_eq!(seconds("1970-01-01"), Some(0.0));
        assert_eq!(seconds("2024-02-29T12:00:00.5Z"), Some(1_709_208_000.5));
        assert_eq!(seconds("1969-12-31 23:59:59"), Some(-1.0));
        assert_eq!(seconds("0000-03-01"), Some(-719_468.0 * 86_400.0));
        for wrong in ["", "x", "2024", "2024-13-01", "99999999-01-01", "-"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn quantiles_of_one_value_are_one_block() {
        let quantiles = Quantiles {
            values: vec![(0.0, 0.0), (0.5, 0.0), (0.75, 0.0), (1.0, 4.0)],
            rank_error_fraction: 0.0,
        };
        assert_eq!(of_quantiles(0, &quantiles, 100).blocks, [(0.0, 0.0, 75.0), (0.0, 4.0, 25.0)]);
    }
}

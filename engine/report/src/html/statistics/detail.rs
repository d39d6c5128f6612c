//! A column in detail: its charts, its frequent values, and all its figures in a table.

use sluice_core::column::ColumnKind;
use sluice_core::statistics::{
    Association, ColumnStatistics, CustomStatistic, Level, NumericStatistics, Quantiles, WeightedStatistics,
};

use crate::html::escape::{NAME, VALUE, escape, name};
use crate::html::figures::{counted, figure, kind, percent, share};
use crate::html::put;
use crate::html::statistics::chart::{self, Columns, Drawing, Form};
use crate::html::statistics::{Row, View, overview, slices, trouble, values};

/// Custom figures that are listed.
const MAX_CUSTOM: usize = 20;

/// The whole of a column, with its place in the order of trouble.
pub(super) fn article(body: &mut String, view: &View<'_>, (place, row): (usize, &Row<'_>)) {
    let columns: Vec<_> = row.present().collect();
    let Some((_, first)) = columns.first() else { return };
    let shown_kind = match &first.valency {
        Some(_) if !matches!(first.kind, ColumnKind::List(_)) => format!("list of {}", kind(&first.kind)),
        _ => kind(&first.kind),
    };
    put!(
        body,
        "<article id=\"c{}\" {}><h3>{}<span class=\"kind\">{}</span><a class=\"up\" href=\"#o{}\" \
         aria-label=\"Back to \
         the overview\">↑</a></h3>",
        row.order,
        overview::marks(place, row),
        name(row.name),
        escape(&shown_kind, VALUE),
        row.order
    );
    if !row.troubles.is_empty() {
        body.push_str("<ul class=\"troubles\">");
        for one in &row.troubles {
            let (class, sign, word) = trouble::grade(one.score);
            put!(
                body,
                "<li><span class=\"g {class}\" role=\"img\" aria-label=\"{word}\">{sign}</span>{}</li>",
                one.words
            );
        }
        body.push_str("</ul>");
    }
    bars(body, view, &columns);
    body.push_str("<div class=\"halves\"><div>");
    charts(body, view, row, &columns);
    values::top(body, view, &columns);
    body.push_str("</div><div>");
    table(body, view, &columns, "Figures", &main_figures(&columns));
    more(body, view, &columns);
    body.push_str("</div></div>");
    slices::of_column(body, view, row);
    body.push_str("</article>");
}

/// The kinds of nothing of each data set over the width of the page.
fn bars(body: &mut String, view: &View<'_>, columns: &Columns<'_>) {
    for (set, column) in columns {
        let key = if view.is_compared() { values::key(view, *set) } else { "present".into() };
        put!(
            body,
            "<div class=\"present\"><span>{key}</span>{}<span>{}</span></div>",
            overview::presence_bar(&column.presence, column.num_values()),
            percent(column.presence.fraction_present())
        );
    }
}

fn figure_of(body: &mut String, class: &str, drawing: &Drawing, title: &str, strip: Option<String>) {
    put!(
        body,
        "<figure class=\"{class}\">{}{}<div \
         class=\"ax\"><span>{}</span><span>{}</span><span>{}</span></div><figcaption>{}\
         </figcaption></figure>",
        drawing.svg(title, false),
        strip.unwrap_or_default(),
        drawing.ends[0],
        drawing.middle,
        drawing.ends[1],
        drawing.caption(),
    );
}

fn charts(body: &mut String, view: &View<'_>, row: &Row<'_>, columns: &Columns<'_>) {
    let title = escape(row.name, NAME);
    let width = chart::drawing(columns, Form::Width);
    let depth = chart::drawing(columns, Form::Depth);
    if view.is_compared() && (width.is_some() || depth.is_some()) {
        body.push_str("<p class=\"keys\">");
        for (set, _) in columns {
            put!(body, "<span>{}</span>", values::key(view, *set));
        }
        body.push_str("</p>");
    }
    let quantiles = format!("Quantiles 1%, 25%, 50%, 75% and 99% of {title}");
    if let Some(width) = width {
        let class = if depth.is_some() { "by-width" } else { "" };
        let strip = width.strip(columns, &quantiles);
        figure_of(body, class, &width, &format!("Histogram of {title}, {}", width.from), strip);
    }
    if let Some(depth) = depth {
        let strip = depth.strip(columns, &quantiles);
        figure_of(body, "by-depth", &depth, &format!("Histogram of {title}, {}", depth.from), strip);
    }
    if let Some(lengths) = chart::lengths(columns) {
        figure_of(body, "low", &lengths, &format!("Lengths of the lists of {title}"), None);
    }
    if let Some(weighted) = chart::weighted(columns) {
        figure_of(body, "low", &weighted, &format!("Histogram of {title} by weight"), None);
    }
    let is_shown =
        columns.iter().any(|(_, it)| it.top_values.as_ref().is_some_and(|top| !top.values.is_empty()));
    if !is_shown && chart::drawing(columns, Form::Width).is_none() && chart::lengths(columns).is_none() {
        body.push_str("<p class=\"calm\">Nothing to draw.</p>");
    }
}

/// A line of the table: its label, and the text for each column; lines without any text are left out.
struct Line {
    label: String,
    cells: Vec<Option<String>>,
}

/// Adds a line.
fn line(
    lines: &mut Vec<Line>,
    columns: &Columns<'_>,
    label: &str,
    cell: impl Fn(&ColumnStatistics) -> Option<String>,
) {
    let cells: Vec<Option<String>> = columns.iter().map(|(_, column)| cell(column)).collect();
    if cells.iter().any(Option::is_some) {
        lines.push(Line { label: label.to_owned(), cells });
    }
}

fn table(body: &mut String, view: &View<'_>, columns: &Columns<'_>, caption: &str, lines: &[Line]) {
    if lines.is_empty() {
        return;
    }
    put!(body, "<table class=\"figures\"><caption>{caption}</caption>");
    if view.is_compared() {
        body.push_str("<thead><tr><td></td>");
        for (set, _) in columns {
            put!(body, "<th scope=\"col\">{}</th>", values::key(view, *set));
        }
        body.push_str("</tr></thead>");
    }
    body.push_str("<tbody>");
    for line in lines {
        put!(body, "<tr><th scope=\"row\">{}</th>", line.label);
        for cell in &line.cells {
            put!(body, "<td>{}</td>", cell.as_deref().unwrap_or("–"));
        }
        body.push_str("</tr>");
    }
    body.push_str("</tbody></table>");
}

/// A count with its share of a whole; nothing for 0.
fn part(count: u64, whole: u64) -> Option<String> {
    (count > 0).then(|| format!("{} <small>{}</small>", counted(count), percent(share(count, whole))))
}

fn main_figures(columns: &Columns<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    presence(&mut lines, columns);
    line(&mut lines, columns, "different values", |column| {
        let it = column.distinct?;
        Some(if it.relative_error > 0.0 {
            format!("{} <small>± {}</small>", counted(it.count), percent(it.relative_error))
        } else {
            format!("{} <small>exact</small>", counted(it.count))
        })
    });
    numbers(&mut lines, columns);
    texts(&mut lines, columns);
    lists(&mut lines, columns);
    association(&mut lines, columns);
    lines
}

fn presence(lines: &mut Vec<Line>, columns: &Columns<'_>) {
    line(lines, columns, "rows with a value", |column| {
        let share = percent(column.presence.fraction_present());
        Some(format!("{} <small>{share}</small>", counted(column.presence.num_present())))
    });
    line(lines, columns, "missing", |it| part(it.presence.num_missing, it.presence.num_rows));
    line(lines, columns, "column absent", |it| part(it.presence.num_absent, it.presence.num_rows));
    line(lines, columns, "NaN", |it| part(it.presence.num_nan, it.num_values()));
    line(lines, columns, "+ infinity", |it| part(it.presence.num_positive_infinity, it.num_values()));
    line(lines, columns, "\u{2212} infinity", |it| part(it.presence.num_negative_infinity, it.num_values()));
    line(lines, columns, "empty text", |it| part(it.presence.num_empty, it.num_values()));
}

fn numbers(lines: &mut Vec<Line>, columns: &Columns<'_>) {
    let number = |value: fn(&NumericStatistics) -> Option<f64>| {
        move |column: &ColumnStatistics| column.numeric.as_ref().and_then(value).map(figure)
    };
    line(lines, columns, "zeros", |column| {
        let numeric = column.numeric.as_ref()?;
        part(numeric.num_zeros, numeric.num_finite)
    });
    line(lines, columns, "mean", number(|it| it.mean));
    line(lines, columns, "standard deviation", number(|it| it.standard_deviation));
    let exact = |column: &ColumnStatistics, is_low: bool| {
        let (low, high) = column.numeric.as_ref()?.exact_range.as_ref()?;
        Some(escape(if is_low { low } else { high }, VALUE))
    };
    line(lines, columns, "smallest", |column| {
        exact(column, true).or_else(|| column.numeric.as_ref()?.min.map(figure))
    });
    for (label, q) in [("1%", 0.01), ("25%", 0.25), ("median", 0.5), ("75%", 0.75), ("99%", 0.99)] {
        line(lines, columns, label, |column| column.numeric.as_ref()?.quantiles.as_ref()?.at(q).map(figure));
    }
    line(lines, columns, "largest", |column| {
        exact(column, false).or_else(|| column.numeric.as_ref()?.max.map(figure))
    });
}

fn texts(lines: &mut Vec<Line>, columns: &Columns<'_>) {
    line(lines, columns, "mean length, bytes", |it| it.text.map(|text| figure(text.mean_length_bytes)));
    line(lines, columns, "lengths, bytes", |it| {
        it.text
            .map(|text| format!("{} to {}", counted(text.min_length_bytes), counted(text.max_length_bytes)))
    });
    line(lines, columns, "not UTF-8", |it| part(it.text?.num_invalid_utf8, it.num_values()));
    line(lines, columns, "earliest", |it| Some(escape(&it.time.as_ref()?.earliest, VALUE)));
    for (label, q) in [("25%", 0.25), ("median", 0.5), ("75%", 0.75)] {
        line(lines, columns, label, |column| {
            let quantiles = &column.time.as_ref()?.quantiles;
            quantiles.iter().find(|(mine, _)| (mine - q).abs() < 1e-12).map(|(_, at)| escape(at, VALUE))
        });
    }
    line(lines, columns, "latest", |it| Some(escape(&it.time.as_ref()?.latest, VALUE)));
    line(lines, columns, "error of rank", |it| {
        let error = it.time.as_ref()?.rank_error_fraction;
        (error > 0.0).then(|| format!("± {}", percent(error)))
    });
    line(lines, columns, "resolution", |it| Some(escape(it.time.as_ref()?.resolution.as_ref()?, VALUE)));
}

fn lists(lines: &mut Vec<Line>, columns: &Columns<'_>) {
    let depth = columns.iter().filter_map(|(_, it)| it.valency.as_ref()).map(|it| it.levels.len()).max();
    line(lines, columns, "values", |it| it.valency.as_ref().map(|valency| counted(valency.num_values())));
    line(lines, columns, "nulls in lists", |it| {
        let valency = it.valency.as_ref()?;
        part(valency.num_null_values, valency.num_values() + valency.num_null_values)
    });
    for level in 0..std::cmp::min(depth.unwrap_or(0), 8) {
        let which = if depth == Some(1) { String::new() } else { format!(", level {}", level + 1) };
        let at = |column: &ColumnStatistics| column.valency.as_ref()?.levels.get(level).copied();
        let lengths = |Level { min_length, max_length, num_present, num_elements, .. }: Level| {
            let mean = num_elements as f64 / std::cmp::max(num_present, 1) as f64;
            format!("{} to {}, mean {}", counted(min_length), counted(max_length), figure(mean))
        };
        line(lines, columns, &format!("lengths{which}"), |it| at(it).map(lengths));
        line(lines, columns, &format!("empty lists{which}"), |it| {
            at(it).and_then(|level| part(level.num_empty, level.num_present))
        });
    }
}

fn association(lines: &mut Vec<Line>, columns: &Columns<'_>) {
    let of_label = |value: fn(&Association) -> Option<String>| {
        move |column: &ColumnStatistics| column.association.as_ref().and_then(value)
    };
    let label = columns.iter().find_map(|(_, it)| it.association.as_ref()).map(|it| name(&it.label));
    let label = label.unwrap_or_default();
    line(lines, columns, &format!("tells about {label}"), of_label(|it| Some(told(it))));
    line(lines, columns, &format!("correlation with {label}"), of_label(|it| it.correlation.map(figure)));
}

/// How much a column tells about the label.
pub(super) fn told(association: &Association) -> String {
    let bits = figure(association.adjusted_mutual_information);
    format!("{} <small>{bits} bits</small>", percent(association.normalized_mutual_information))
}

/// What few readers need, folded away.
fn more(body: &mut String, view: &View<'_>, columns: &Columns<'_>) {
    let mut inner = String::new();
    table(&mut inner, view, columns, "All quantiles", &all_quantiles(columns));
    table(&mut inner, view, columns, "By weight", &by_weight(columns));
    values::weighted(&mut inner, view, columns);
    table(&mut inner, view, columns, "Further figures", &custom(columns));
    if !inner.is_empty() {
        put!(body, "<details><summary>More figures</summary>{inner}</details>");
    }
}

fn all_quantiles(columns: &Columns<'_>) -> Vec<Line> {
    fn of(column: &ColumnStatistics) -> Option<&Quantiles> {
        column.numeric.as_ref()?.quantiles.as_ref()
    }
    let mut lines = Vec::new();
    let kept: Vec<f64> = columns
        .iter()
        .find_map(|(_, column)| of(column))
        .map(|it| it.values.iter().map(|(q, _)| *q).collect())
        .unwrap_or_default();
    for q in kept.into_iter().filter(|q| *q > 0.0 && *q < 1.0) {
        line(&mut lines, columns, &format!("{}%", figure(q * 100.0)), |column| of(column)?.at(q).map(figure));
    }
    line(&mut lines, columns, "error of rank", |column| {
        let error = of(column)?.rank_error_fraction;
        Some(if error > 0.0 { format!("± {}", percent(error)) } else { "exact".into() })
    });
    lines
}

fn by_weight(columns: &Columns<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    let weight = |value: fn(&WeightedStatistics) -> f64| {
        move |column: &ColumnStatistics| column.weighted.as_ref().map(|it| figure(value(it)))
    };
    line(&mut lines, columns, "rows with a value", weight(|it| it.num_present));
    line(&mut lines, columns, "missing", weight(|it| it.num_missing));
    let numeric = |column: &ColumnStatistics| column.weighted.as_ref()?.numeric.clone();
    line(&mut lines, columns, "mean", |it| numeric(it).map(|it| figure(it.mean)));
    line(&mut lines, columns, "standard deviation", |it| numeric(it).map(|it| figure(it.standard_deviation)));
    for (label, q) in [("25%", 0.25), ("median", 0.5), ("75%", 0.75)] {
        line(&mut lines, columns, label, |it| numeric(it)?.quantiles?.at(q).map(figure));
    }
    lines
}

/// Figures with names of their own.
fn custom(columns: &Columns<'_>) -> Vec<Line> {
    let mut labels: Vec<&str> =
        columns.iter().flat_map(|(_, column)| column.custom.keys()).map(String::as_str).collect();
    labels.sort_unstable();
    labels.dedup();
    let mut lines = Vec::new();
    for label in labels.into_iter().take(MAX_CUSTOM) {
        line(&mut lines, columns, &escape(label, VALUE), |column| {
            Some(match column.custom.get(label)? {
                CustomStatistic::Number(value) => figure(*value),
                CustomStatistic::Text(text) => escape(text, VALUE),
                CustomStatistic::Histogram(histogram) => format!("{} buckets", histogram.buckets.len()),
                CustomStatistic::Counts(counts) => counts
                    .iter()
                    .take(5)
                    .map(|(label, count)| format!("{} {}", escape(label, 20), figure(*count)))
                    .collect::<Vec<_>>()
                    .join(", "),
            })
        });
    }
    lines
}

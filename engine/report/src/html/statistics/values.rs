//! The most frequent values as bars, data sets beside one another.

use sluice_core::statistics::TopValues;

use crate::html::escape;
use crate::html::figures::{counted, figure, percent, share};
use crate::html::put;
use crate::html::statistics::chart::Columns;
use crate::html::statistics::{View, set_name};

/// One line of the table: a value, with its count or weight and share in each data set.
struct Line<'a> {
    value: &'a str,
    cells: Vec<Option<(String, f64)>>,
}

/// The values of the first data set that has some, then those of the others that it lacks.
fn union<'a>(tops: &[(usize, &'a TopValues)], limit: usize) -> Vec<&'a str> {
    let mut values: Vec<&str> = Vec::new();
    let Some(((_, first), others)) = tops.split_first() else { return values };
    values.extend(first.values.iter().take(limit).map(|it| it.0.as_str()));
    // What is frequent elsewhere and rare here is what one wants to see.
    for (_, other) in others {
        for (value, _) in other.values.iter().take(limit) {
            if values.len() < limit + limit / 2 && !values.contains(&value.as_str()) {
                values.push(value);
            }
        }
    }
    values
}

fn table(body: &mut String, view: &View<'_>, sets: &[usize], caption: &str, lines: &[Line<'_>]) {
    let most = lines
        .iter()
        .flat_map(|line| line.cells.iter().flatten())
        .map(|cell| cell.1)
        .fold(0.0, |most, share| if share > most { share } else { most });
    put!(body, "<table class=\"values\"><caption>{caption}</caption><thead><tr><th scope=\"col\">value</th>");
    for set in sets {
        put!(body, "<th scope=\"col\" colspan=\"2\">{}</th>", key(view, *set));
    }
    body.push_str("</tr></thead><tbody>");
    for line in lines {
        put!(body, "<tr><th scope=\"row\">{}</th>", escape::value(line.value));
        for (set, cell) in sets.iter().zip(&line.cells) {
            match cell {
                Some((count, share)) => {
                    let length = if most > 0.0 { (share / most * 100.0).clamp(0.0, 100.0) } else { 0.0 };
                    put!(
                        body,
                        "<td class=\"n\">{count}</td><td class=\"r\"><i class=\"f{set}\" style=\"width:{length:.0}%\">\
                         </i>{}</td>",
                        percent(*share)
                    );
                }
                None => body.push_str("<td class=\"n\">–</td><td class=\"r\"></td>"),
            }
        }
        body.push_str("</tr>");
    }
    body.push_str("</tbody></table>");
}

/// The name of a data set with its colour; nothing but "count" where there is only one.
pub(super) fn key(view: &View<'_>, set: usize) -> String {
    if view.is_compared() {
        format!("<span class=\"k f{set}\"></span>{}", set_name(view.sets[set]))
    } else {
        "count".into()
    }
}

/// The table of the most frequent values, if there are some.
pub(super) fn top(body: &mut String, view: &View<'_>, columns: &Columns<'_>) {
    let tops: Vec<(usize, &TopValues)> = columns
        .iter()
        .filter_map(|(set, column)| Some((*set, column.top_values.as_ref()?)))
        .filter(|(_, top)| !top.values.is_empty())
        .collect();
    if tops.is_empty() {
        return;
    }
    let limit = std::cmp::max(view.options.max_top_values, 1);
    let totals: Vec<u64> = tops.iter().map(|(set, _)| view_values(columns, *set)).collect();
    let lines: Vec<Line<'_>> = union(&tops, limit)
        .into_iter()
        .map(|value| {
            let cell = |((_, top), total): (&(usize, &TopValues), &u64)| {
                let (_, count) = top.values.iter().find(|(mine, _)| mine == value)?;
                Some((counted(*count), share(*count, *total)))
            };
            Line { value, cells: tops.iter().zip(&totals).map(cell).collect() }
        })
        .collect();
    let sets: Vec<usize> = tops.iter().map(|it| it.0).collect();
    table(body, view, &sets, "Most frequent values", &lines);
    let notes: Vec<String> = tops
        .iter()
        .zip(&totals)
        .filter_map(|((set, top), total)| note(view, *set, top, *total, lines.len()))
        .collect();
    if !notes.is_empty() {
        put!(body, "<p class=\"note\">{}</p>", notes.join(" "));
    }
}

fn view_values(columns: &Columns<'_>, set: usize) -> u64 {
    columns.iter().find(|(mine, _)| *mine == set).map_or(0, |(_, column)| column.num_values())
}

/// What the table leaves out, and how exact it is.
fn note(view: &View<'_>, set: usize, top: &TopValues, total: u64, shown: usize) -> Option<String> {
    let name = if view.is_compared() { format!("{}: ", set_name(view.sets[set])) } else { String::new() };
    let counted_here: u64 = top.values.iter().take(shown).map(|it| it.1).sum();
    let rest = total.saturating_sub(counted_here);
    let mut parts = Vec::new();
    if rest > 0 {
        parts.push(format!("other values make up {} ({})", percent(share(rest, total)), counted(rest)));
    }
    if top.max_error > 0 {
        parts.push(format!("counts may be low by up to {}", counted(top.max_error)));
    }
    (!parts.is_empty()).then(|| format!("{name}{}.", parts.join("; ")))
}

/// The values of greatest weight, if rows weigh.
pub(super) fn weighted(body: &mut String, view: &View<'_>, columns: &Columns<'_>) {
    let tops: Vec<_> = columns
        .iter()
        .filter_map(|(set, column)| Some((*set, column.weighted.as_ref()?)))
        .filter(|(_, weighted)| !weighted.top_values.is_empty())
        .collect();
    let Some((_, first)) = tops.first() else { return };
    let limit = std::cmp::max(view.options.max_top_values, 1);
    let lines: Vec<Line<'_>> = first
        .top_values
        .iter()
        .take(limit)
        .map(|(value, _)| {
            let cells = tops.iter().map(|(_, weighted)| {
                let (_, weight) = weighted.top_values.iter().find(|(mine, _)| mine == value)?;
                let total = if weighted.num_values > 0.0 { weighted.num_values } else { 1.0 };
                Some((figure(*weight), weight / total))
            });
            Line { value, cells: cells.collect() }
        })
        .collect();
    let sets: Vec<usize> = tops.iter().map(|it| it.0).collect();
    table(body, view, &sets, "Values of greatest weight", &lines);
}

//! Slices: a table of all that are shown, and below each column one line with a small chart for each slice.

use sluice_core::statistics::DatasetStatistics;

use crate::html::escape::{NAME, escape, name, nothing, value};
use crate::html::figures::{counted, percent, share};
use crate::html::put;
use crate::html::statistics::{Row, View, chart, detail, overview, set_name, values};

/// Lines of slices on a page, all columns together; many columns show fewer slices.
const MAX_LINES: usize = 1500;
/// Slices in the table of slices.
const MAX_LISTED: usize = 200;

/// The slices of a data set, those with most rows first.
fn largest(set: &DatasetStatistics) -> Vec<&DatasetStatistics> {
    let mut slices: Vec<&DatasetStatistics> = set.slices.iter().collect();
    slices.sort_by_key(|slice| std::cmp::Reverse(slice.num_rows));
    slices
}

/// What the rows of a slice have in common: `payment_type = Cash`.
fn label(slice: &DatasetStatistics) -> String {
    if slice.conditions.is_empty() {
        return set_name(slice);
    }
    let condition = |it: &sluice_core::statistics::SliceCondition| {
        // An expression is the name of its slice, and says enough.
        if it.column == slice.name {
            return escape(&it.column, NAME);
        }
        let shown = it.value.as_deref().map_or_else(|| nothing("missing"), value);
        format!("{} = {shown}", escape(&it.column, NAME))
    };
    slice.conditions.iter().take(8).map(condition).collect::<Vec<_>>().join(", ")
}

/// Slices shown of each column: of every data set as many.
fn per_column(view: &View<'_>) -> usize {
    let sliced = view.sets.iter().filter(|set| !set.slices.is_empty()).count();
    let lines = std::cmp::max(view.detailed().len() * sliced, 1);
    std::cmp::min(view.options.max_slices, MAX_LINES / lines)
}

/// The table of slices.
pub(super) fn section(body: &mut String, view: &View<'_>) {
    let total: usize = view.sets.iter().map(|set| set.slices.len()).sum();
    if total == 0 {
        return;
    }
    body.push_str(
        "<section aria-labelledby=\"slices\"><h2 id=\"slices\">Slices</h2><div class=\"scroll\"><table \
         class=\"plain\"><thead><tr><th scope=\"col\">Slice</th><th scope=\"col\">Data set</th><th \
         scope=\"col\" \
         class=\"n\">Rows</th><th scope=\"col\" class=\"n\">Share</th></tr></thead><tbody>",
    );
    let listed = view
        .sets
        .iter()
        .enumerate()
        .flat_map(|(index, set)| largest(set).into_iter().map(move |slice| (index, *set, slice)));
    for (index, set, slice) in listed.take(MAX_LISTED) {
        put!(
            body,
            "<tr><th scope=\"row\">{}</th><td><span class=\"k f{index}\"></span>{}</td><td \
             class=\"n\">{}</td><td \
             class=\"n\">{}</td></tr>",
            label(slice),
            set_name(set),
            counted(slice.num_rows),
            percent(share(slice.num_rows, set.num_rows))
        );
    }
    body.push_str("</tbody></table></div>");
    if total > MAX_LISTED {
        put!(body, "<p class=\"note\">{} smaller slices are left out.</p>", total - MAX_LISTED);
    }
    let shown = per_column(view);
    if view.sets.iter().any(|set| set.slices.len() > shown) {
        put!(body, "<p class=\"note\">Below each column: the {shown} slices with most rows.</p>");
    }
    body.push_str("</section>");
}

/// The slices of one column.
pub(super) fn of_column(body: &mut String, view: &View<'_>, row: &Row<'_>) {
    let limit = per_column(view);
    let columns: Vec<_> = row.present().collect();
    let known = columns.iter().find_map(|(_, column)| column.association.as_ref()).map(|it| name(&it.label));
    let mut lines = String::new();
    let mut count = 0;
    for (index, set) in view.sets.iter().enumerate() {
        for slice in largest(set).into_iter().take(limit) {
            let Some(column) = slice.at(row.steps) else { continue };
            count += 1;
            let named = label(slice);
            let chart =
                chart::spark(&[(index, column)], &columns, &format!("Distribution in {}", set_name(slice)));
            let key = if view.is_compared() {
                format!("<td>{}</td>", values::key(view, index))
            } else {
                String::new()
            };
            let told = column.association.as_ref().map_or_else(String::new, detail::told);
            let told = known.as_ref().map_or_else(String::new, |_| format!("<td class=\"n\">{told}</td>"));
            put!(
                lines,
                "<tr><th scope=\"row\">{named}</th>{key}<td class=\"sp\">{}</td><td \
                 class=\"pr\">{}<small>{}</small></td>\
                 <td>{}</td>{told}<td class=\"n\">{}</td></tr>",
                chart.unwrap_or_default(),
                overview::presence_bar(&column.presence, column.num_values()),
                percent(column.presence.fraction_present()),
                overview::typical(column),
                counted(slice.num_rows)
            );
        }
    }
    if count == 0 {
        return;
    }
    let key = if view.is_compared() { "<th scope=\"col\">Data set</th>" } else { "" };
    let told = known
        .map_or_else(String::new, |label| format!("<th scope=\"col\" class=\"n\">Tells about {label}</th>"));
    put!(
        body,
        "<details class=\"slices\"><summary>By slice ({count})</summary><div class=\"scroll\"><table \
         class=\"plain\"><thead>\
         <tr><th scope=\"col\">Slice</th>{key}<th scope=\"col\">Distribution</th><th \
         scope=\"col\">Present</th><th \
         scope=\"col\">Mean ± deviation, most frequent, range</th>{told}<th scope=\"col\" \
         class=\"n\">Rows</th></tr></thead>\
         <tbody>{lines}</tbody></table></div></details>"
    );
}

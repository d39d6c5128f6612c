//! The upper part of the page: title, data sets, controls, and one line per column.

use sluice_core::column::ColumnKind;
use sluice_core::statistics::{ColumnStatistics, CrossStatistics, DatasetStatistics, Presence};

use crate::html::escape::{NAME, VALUE, escape, name, value};
use crate::html::figures::{FAMILIES, brief, counted, family, figure, kind, percent, share};
use crate::html::put;
use crate::html::statistics::{Row, View, chart, set_name, trouble};

/// Pairs of columns that are listed.
const MAX_PAIRS: usize = 20;

/// Title and data sets.
pub(super) fn head(body: &mut String, title: &str, view: &View<'_>) {
    put!(
        body,
        "<header><p class=\"eyebrow\">Statistics</p><h1>{}</h1><ul class=\"sets\">",
        escape(title, NAME * 2)
    );
    for (index, set) in view.sets.iter().enumerate() {
        let columns = set.columns.iter().filter(|column| column.path.is_empty()).count();
        put!(
            body,
            "<li><span class=\"k f{index}\"></span><b>{}</b><span>{} rows</span><span>{columns} columns</span>",
            set_name(set),
            counted(set.num_rows)
        );
        if let Some(weight) = &set.weight {
            put!(body, "<span>weight {} by {}</span>", figure(weight.sum), name(&weight.column));
        }
        if !set.slices.is_empty() {
            put!(body, "<span>{} slices</span>", set.slices.len());
        }
        if view.is_compared() && index == 0 {
            body.push_str("<span>the others are compared with it</span>");
        }
        body.push_str("</li>");
    }
    body.push_str("</ul>");
    if view.sets_left_out > 0 {
        put!(body, "<p class=\"note\">{} more data sets are left out.</p>", view.sets_left_out);
    }
    body.push_str("</header>");
}

fn radios(body: &mut String, legend: &str, group: &str, choices: &[(&str, &str)]) {
    put!(body, "<fieldset><legend>{legend}</legend>");
    for (index, (id, label)) in choices.iter().enumerate() {
        let checked = if index == 0 { " checked" } else { "" };
        put!(
            body,
            "<input type=\"radio\" name=\"{group}\" id=\"{group}-{id}\"{checked}><label for=\"{group}-{id}\">{label}\
             </label>"
        );
    }
    body.push_str("</fieldset>");
}

/// Filters and forms of charts, which are style rules, and search and order, which need the script.
pub(super) fn controls(body: &mut String, view: &View<'_>) {
    body.push_str(
        "<form class=\"controls\" aria-label=\"What is shown\"><div class=\"needs-script\"><input type=\"search\" \
         id=\"find\" placeholder=\"Find a column\" aria-label=\"Find a column\" autocomplete=\"off\"><label \
         class=\"order\">Order <select id=\"order\"><option value=\"w\">worst first</option><option value=\"i\">as in the \
         source</option><option value=\"n\">name</option><option value=\"m\">most missing</option><option value=\"d\">most \
         distinct</option></select></label><button type=\"button\" id=\"expand\" aria-pressed=\"false\">Expand all\
         </button></div>",
    );
    let used: Vec<&str> = view.rows.iter().filter_map(Row::first).map(family_of).collect();
    let mut kinds = vec![("all", "all")];
    kinds.extend(FAMILIES.iter().filter(|(id, _)| used.contains(id)));
    if kinds.len() > 2 {
        radios(body, "Kind", "kind", &kinds);
    }
    radios(body, "Counts", "counts", &[("lin", "linear"), ("log", "log")]);
    let has_both = view
        .rows
        .iter()
        .flat_map(Row::present)
        .any(|(_, column)| column.numeric.as_ref().is_some_and(|numeric| numeric.histograms.is_some()));
    if has_both {
        radios(body, "Buckets", "buckets", &[("width", "equal width"), ("depth", "equal depth")]);
    }
    body.push_str("<output id=\"shown\" aria-live=\"polite\"></output></form>");
}

pub(super) fn family_of(column: &ColumnStatistics) -> &'static str {
    family(&column.kind, column.valency.is_some())
}

/// Attributes by which the script orders and finds; the style sheet filters by the class.
pub(super) fn marks(view: &View<'_>, row: &Row<'_>) -> String {
    let missing = row
        .present()
        .map(|(_, column)| 1.0 - column.presence.fraction_present())
        .fold(0.0, |most, share| if share > most { share } else { most });
    let distinct = row.present().filter_map(|(_, column)| column.distinct).map(|it| it.count).max();
    let place = view.rows.iter().position(|other| other.order == row.order).unwrap_or(0);
    format!(
        "class=\"c k-{}\" data-w=\"{place}\" data-i=\"{}\" data-r=\"{}\" data-m=\"{missing:.4}\" data-d=\"{}\" \
         data-n=\"{}\"",
        row.first().map_or("other", family_of),
        row.order,
        row.root,
        distinct.unwrap_or(0),
        escape(row.name, NAME),
    )
}

/// A stacked bar of the kinds of nothing, with its words.
pub(super) fn presence_bar(presence: &Presence, values: u64) -> String {
    let rows = presence.num_rows;
    let infinities = presence.num_positive_infinity + presence.num_negative_infinity;
    let odd = presence.num_nan + infinities;
    // NaN and empty text are values: they take their part of the rows that are present.
    let present = presence.fraction_present();
    let part = |count: u64| present * share(count, values).clamp(0.0, 1.0);
    let (odd_part, empty_part) = (part(odd), part(presence.num_empty));
    let widths = [
        ("p", (present - odd_part - empty_part).clamp(0.0, 1.0)),
        ("e", empty_part),
        ("x", odd_part),
        ("m", share(presence.num_missing, rows)),
        ("a", share(presence.num_absent, rows)),
    ];
    let mut words = vec![format!("{} present", percent(present))];
    for (count, label) in [
        (presence.num_missing, "missing"),
        (presence.num_absent, "absent"),
        (presence.num_nan, "NaN"),
        (infinities, "infinite"),
        (presence.num_empty, "empty"),
    ] {
        if count > 0 {
            words.push(format!("{} {label}", counted(count)));
        }
    }
    let mut text = format!("<span class=\"pb\" role=\"img\" title=\"{}\">", words.join(", "));
    for (class, width) in widths.into_iter().filter(|(_, width)| *width > 0.0) {
        put!(text, "<i class=\"{class}\" style=\"width:{:.2}%\"></i>", width * 100.0);
    }
    text.push_str("</span>");
    text
}

/// What a typical value is, in a few words.
pub(super) fn typical(column: &ColumnStatistics) -> String {
    if let (ColumnKind::Boolean, Some(mean)) = (&column.kind, column.numeric.as_ref().and_then(|it| it.mean))
    {
        return format!("{} true", percent(mean));
    }
    if let Some(numeric) = &column.numeric
        && let Some(mean) = numeric.mean
    {
        let deviation = numeric.standard_deviation.map(|it| format!(" ± {}", brief(it))).unwrap_or_default();
        return format!("{}{deviation}", brief(mean));
    }
    if let Some((top, count)) = column.top_values.as_ref().and_then(|top| top.values.first()) {
        return format!("{} <small>{}</small>", value(top), percent(share(*count, column.num_values())));
    }
    if let Some(time) = &column.time {
        let day = |text: &str| escape(text.split(['T', ' ']).next().unwrap_or_default(), VALUE);
        return format!("{} to {}", day(&time.earliest), day(&time.latest));
    }
    "–".into()
}

fn distinct(column: &ColumnStatistics) -> String {
    column.distinct.map_or_else(
        || "–".into(),
        |it| format!("{}{}", if it.relative_error > 0.0 { "≈ " } else { "" }, counted(it.count)),
    )
}

/// One line for each data set within a cell.
fn lines(view: &View<'_>, row: &Row<'_>, cell: impl Fn(&ColumnStatistics) -> String) -> String {
    let line = |(set, column): (usize, &Option<&ColumnStatistics>)| {
        let text = column.map_or_else(|| "<i class=\"nil\">absent</i>".to_owned(), &cell);
        if view.is_compared() { format!("<div><span class=\"k f{set}\"></span>{text}</div>") } else { text }
    };
    row.sets.iter().enumerate().map(line).collect()
}

/// The table with one line per column.
pub(super) fn table(body: &mut String, view: &View<'_>) {
    body.push_str(
        "<section aria-labelledby=\"columns\"><h2 id=\"columns\">Columns</h2><p class=\"legend\"><span><i \
         class=\"p\"></i>present</span><span><i class=\"e\"></i>empty text</span><span><i class=\"x\"></i>NaN, \
         infinite</span><span><i class=\"m\"></i>missing</span><span><i class=\"a\"></i>column absent</span></p><div \
         class=\"scroll\"><table class=\"overview\"><thead><tr><th scope=\"col\">Column</th><th scope=\"col\" \
         class=\"wide\">Kind</th><th scope=\"col\">Distribution</th><th scope=\"col\">Present</th><th scope=\"col\" \
         class=\"wide n\">Distinct</th><th scope=\"col\" class=\"wide\">Mean ± deviation, most frequent, range</th><th \
         scope=\"col\">Look at</th></tr></thead><tbody>",
    );
    for (index, row) in view.rows.iter().enumerate() {
        line(body, view, row, index < view.detailed().len());
    }
    body.push_str("</tbody></table></div>");
    if view.rows_left_out > 0 {
        put!(body, "<p class=\"note\">{} columns with less trouble are left out.</p>", view.rows_left_out);
    }
    body.push_str("</section>");
}

fn line(body: &mut String, view: &View<'_>, row: &Row<'_>, is_detailed: bool) {
    let columns: Vec<_> = row.present().collect();
    let depth = std::cmp::min(row.steps.len().saturating_sub(1), 8);
    let shown = row.steps.last().filter(|_| depth > 0).map_or(row.name, String::as_str);
    let link = match is_detailed {
        true => format!("<a href=\"#c{}\">{}</a>", row.order, name(shown)),
        false => name(shown),
    };
    put!(
        body,
        "<tr id=\"o{}\" {}><th scope=\"row\" style=\"--d:{depth}\">{link}</th><td class=\"wide kind\">{}</td>",
        row.order,
        marks(view, row),
        columns.first().map(|(_, column)| escape(&kind(&column.kind), VALUE)).unwrap_or_default()
    );
    let spark = chart::spark(&columns, &format!("Distribution of {}", escape(row.name, NAME)));
    put!(body, "<td class=\"sp\">{}</td>", spark.unwrap_or_default());
    let present = lines(view, row, |column| {
        let text = percent(column.presence.fraction_present());
        format!("{}<small>{text}</small>", presence_bar(&column.presence, column.num_values()))
    });
    put!(body, "<td class=\"pr\">{present}</td><td class=\"wide n\">{}</td>", lines(view, row, distinct));
    put!(body, "<td class=\"wide ty\">{}</td><td class=\"lo\">", lines(view, row, typical));
    if let Some(worst) = row.troubles.first() {
        let (class, sign, word) = trouble::grade(row.score);
        put!(
            body,
            "<span class=\"g {class}\" role=\"img\" aria-label=\"{word}\">{sign}</span>{}",
            worst.label
        );
    }
    body.push_str("</td></tr>");
}

/// The pairs of columns that vary most together.
pub(super) fn pairs(body: &mut String, view: &View<'_>) {
    let mut pairs: Vec<(&DatasetStatistics, &CrossStatistics, f64)> = Vec::new();
    for set in &view.sets {
        pairs.extend(set.crosses.iter().filter_map(|pair| Some((*set, pair, pair.correlation?))));
    }
    if pairs.is_empty() {
        return;
    }
    pairs.sort_by(|left, right| right.2.abs().total_cmp(&left.2.abs()));
    body.push_str(
        "<section aria-labelledby=\"pairs\"><h2 id=\"pairs\">Pairs of columns</h2><div class=\"scroll\"><table \
         class=\"plain\"><thead><tr><th scope=\"col\">Column</th><th scope=\"col\">Column</th><th scope=\"col\">Data set\
         </th><th scope=\"col\" class=\"n\">Correlation</th><th scope=\"col\" class=\"n\">Covariance</th><th scope=\"col\" \
         class=\"n\">Rows</th></tr></thead><tbody>",
    );
    for (set, pair, correlation) in pairs.iter().take(MAX_PAIRS) {
        put!(
            body,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td \
             class=\"n\">{}</td></tr>",
            name(&pair.x),
            name(&pair.y),
            set_name(set),
            figure(*correlation),
            figure(pair.covariance),
            counted(pair.num_rows)
        );
    }
    body.push_str("</tbody></table></div>");
    if pairs.len() > MAX_PAIRS {
        put!(body, "<p class=\"note\">The {MAX_PAIRS} strongest of {}.</p>", pairs.len());
    }
    body.push_str("</section>");
}

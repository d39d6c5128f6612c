//! The slices by their gaps: a table for each metric, all rows in its first line, the worst below.
//!
//! Which metric, which slicing and whether only proven harm is shown are radio buttons and style rules; without them,
//! as in an old browser, all is shown.

use crate::html::escape::{NAME, escape, name};
use crate::html::evaluation::detail::Drawn;
use crate::html::evaluation::{
    EvaluationPage, FIGURES_FILE, PageFigures, PageGap, PageMetric, PageSlice, interval, optional, p_value,
    signed,
};
use crate::html::figures::{brief, counted, percent};
use crate::html::put;
use crate::svg::{Scale, whisker};

/// Metrics that have a table of slices; the style sheet has a rule for each.
const MAX_METRICS: usize = 24;
/// Slicings that can be chosen; the style sheet has a rule for each.
const MAX_SLICINGS: usize = 12;
/// Bytes of the table that is shown first.
const MAIN_BYTES: usize = 2_200_000;
/// Bytes of all other tables together.
const OTHER_BYTES: usize = 1_000_000;

/// All of it.
pub(super) fn section(body: &mut String, shown: &EvaluationPage, drawn: &Drawn) {
    if shown.slices.is_empty() || shown.metrics.is_empty() {
        return;
    }
    let slicings = slicings(shown);
    let order = order(shown);
    controls(body, shown, &order, &slicings);
    let title = if shown.slices.len() > 1 { "Slices by gap" } else { "Metrics" };
    put!(body, "<section id=\"slices\"><h2>{title}</h2>");
    for (number, metric) in order.iter().enumerate() {
        let share = if number == 0 { MAIN_BYTES } else { OTHER_BYTES / std::cmp::max(order.len() - 1, 1) };
        put!(body, "<div class=\"panel m{number}\">");
        table(body, shown, *metric, &slicings, (drawn, share));
        body.push_str("</div>");
    }
    if shown.metrics.len() > order.len() {
        put!(
            body,
            "<p class=\"note\">{} more metrics stand with each slice below, and in <code>{FIGURES_FILE}</code>.</p>",
            shown.metrics.len() - order.len()
        );
    }
    body.push_str("</section>");
}

/// The places of the metrics that are shown, the main one first.
fn order(shown: &EvaluationPage) -> Vec<usize> {
    let others = (0..shown.metrics.len()).filter(|place| *place != shown.main_metric);
    let main = (shown.main_metric < shown.metrics.len()).then_some(shown.main_metric);
    main.into_iter().chain(others).take(MAX_METRICS).collect()
}

/// The lists of columns that make slices, as they first appear.
fn slicings(shown: &EvaluationPage) -> Vec<Vec<&str>> {
    let mut slicings: Vec<Vec<&str>> = Vec::new();
    for slice in shown.slices.iter().filter(|slice| !slice.is_overall()) {
        let columns = columns(slice);
        if !slicings.contains(&columns) {
            slicings.push(columns);
            if slicings.len() == MAX_SLICINGS {
                break;
            }
        }
    }
    slicings
}

fn columns(slice: &PageSlice) -> Vec<&str> {
    slice.parts.iter().map(|(column, _)| column.as_str()).collect()
}

fn radio(body: &mut String, group: &str, number: usize, label: &str) {
    let checked = if number == 0 { " checked" } else { "" };
    put!(
        body,
        "<input type=\"radio\" name=\"{group}\" id=\"{group}-{number}\"{checked}><label \
         for=\"{group}-{number}\">{label}</label>"
    );
}

fn controls(body: &mut String, shown: &EvaluationPage, order: &[usize], slicings: &[Vec<&str>]) {
    if shown.slices.len() < 2 {
        return;
    }
    body.push_str(
        "<form class=\"controls\" aria-label=\"What is shown\"><div class=\"needs-script\"><input type=\"search\" \
         id=\"find\" placeholder=\"Find a slice\" aria-label=\"Find a slice\" autocomplete=\"off\"></div>",
    );
    if order.len() > 1 {
        body.push_str("<fieldset><legend>Metric</legend>");
        for (number, metric) in order.iter().enumerate() {
            radio(body, "metric", number, &name(&shown.metrics[*metric].name));
        }
        body.push_str("</fieldset>");
    }
    if slicings.len() > 1 {
        body.push_str("<fieldset><legend>Slices by</legend>");
        radio(body, "by", 0, "all");
        for (number, columns) in slicings.iter().enumerate() {
            let columns: Vec<String> =
                columns.iter().take(4).map(|column| escape(column, NAME / 2)).collect();
            radio(body, "by", number + 1, &columns.join(", "));
        }
        body.push_str("</fieldset>");
    }
    body.push_str("<fieldset><legend>Show</legend>");
    radio(body, "harm", 0, "all");
    let proven = if shown.is_compared { "proven worse" } else { "worse than all rows" };
    radio(body, "harm", 1, proven);
    body.push_str("</fieldset><output id=\"shown\" aria-live=\"polite\"></output></form>");
}

/// The axis of a table: where its lines are, and what lies in its middle.
struct Axis {
    scale: Scale,
    centre: f64,
}

/// What a line draws: the change, or without a baseline the value.
fn drawn_figures(shown: &EvaluationPage, figures: &PageFigures) -> (Option<f64>, Option<(f64, f64)>) {
    if shown.is_compared {
        (figures.change, figures.change_interval)
    } else {
        (figures.candidate, figures.interval)
    }
}

/// An axis that holds what says something: all rows, slices that have rows enough, and proven harm. Where there is no
/// such slice it holds every dot.
fn axis(shown: &EvaluationPage, place: usize) -> Option<Axis> {
    let of = |slice: &PageSlice| slice.figures.get(place).map(|figures| drawn_figures(shown, figures));
    let overall = shown.slices.first().and_then(of).and_then(|(value, _)| value);
    let centre = if shown.is_compared { 0.0 } else { overall? };
    let gaps = &shown.metrics.get(place)?.gaps;
    let mut telling: Vec<&PageSlice> = Vec::new();
    for gap in gaps {
        let slice = shown.slices.get(gap.slice);
        telling.extend(slice.filter(|slice| slice.is_overall() || gap.is_proven || !slice.few_rows));
    }
    let ends = telling.iter().filter_map(|slice| of(slice)?.1).flat_map(|(low, high)| [low, high]);
    let is_any = telling.iter().any(|slice| !slice.is_overall());
    let dots = shown.slices.iter().filter(|slice| !is_any || slice.is_overall() || !slice.few_rows);
    let dots = dots.filter_map(|slice| of(slice)?.0);
    let scale = Scale::over(dots.chain(ends).chain([centre]).map(|value| value - centre))?;
    Some(Axis { scale, centre })
}

fn table(
    body: &mut String,
    shown: &EvaluationPage,
    place: usize,
    slicings: &[Vec<&str>],
    (drawn, bytes): (&Drawn, usize),
) {
    let metric = &shown.metrics[place];
    let axis = axis(shown, place);
    head(body, shown, metric, axis.as_ref());
    let start = body.len();
    let mut lines = 0;
    for gap in &metric.gaps {
        let Some(slice) = shown.slices.get(gap.slice) else { continue };
        let Some(figures) = slice.figures.get(place) else { continue };
        if body.len() - start > bytes {
            break;
        }
        line(body, shown, (gap, slice, figures), axis.as_ref(), (slicings, drawn));
        lines += 1;
    }
    body.push_str("</tbody></table></div>");
    if lines < metric.gaps.len() {
        put!(
            body,
            "<p class=\"note\">{} slices with smaller gaps in this metric are left out to keep the page small; they \
             stand in <code>{FIGURES_FILE}</code>.</p>",
            counted((metric.gaps.len() - lines) as u64)
        );
    }
}

fn head(body: &mut String, shown: &EvaluationPage, metric: &PageMetric, axis: Option<&Axis>) {
    let level = percent(1.0 - shown.alpha);
    put!(
        body,
        "<h3>{}<span class=\"kind\">{}</span></h3>",
        name(&metric.name),
        escape(&metric.direction, NAME)
    );
    if let Some(axis) = axis {
        let (low, high) = (brief(axis.scale.low() + axis.centre), brief(axis.scale.high() + axis.centre));
        let (what, middle) = if shown.is_compared {
            ("change from baseline to candidate", "no change")
        } else {
            ("candidate's value", "the value of all rows")
        };
        put!(
            body,
            "<p class=\"note\">Dots: {what}, from {low} to {high}; lines: {level} intervals; what lies \
             beyond is drawn at the end of the axis; the upright line is {middle}.{}</p>",
            if shown.is_compared {
                " Red is proven harm; green lies on the better side of no change."
            } else {
                ""
            }
        );
    }
    body.push_str(
        "<div class=\"scroll tall\"><table class=\"plain gaps\"><thead><tr><th scope=\"col\">Slice</th>\
         <th scope=\"col\"></th><th scope=\"col\" class=\"n\">Candidate</th>",
    );
    if shown.is_compared {
        put!(
            body,
            "<th scope=\"col\" class=\"n wide\">Baseline</th><th scope=\"col\" class=\"n\">Change</th>\
             <th scope=\"col\" class=\"n wide\">{level} interval</th><th scope=\"col\" class=\"n\">p of harm</th>"
        );
    } else {
        put!(body, "<th scope=\"col\" class=\"n wide\">{level} interval</th>");
    }
    body.push_str("<th scope=\"col\" class=\"n\">Rows</th></tr></thead><tbody>");
}

/// How a line is coloured: only what is more than chance.
fn class(shown: &EvaluationPage, gap: &PageGap, figures: &PageFigures) -> &'static str {
    let is_apart = figures.change_interval.is_some_and(|(low, high)| low > 0.0 || high < 0.0);
    let harm = gap.harm.unwrap_or_default();
    if gap.is_proven {
        " worse"
    } else if shown.is_compared && is_apart && harm < 0.0 {
        " better"
    } else if !shown.is_compared && harm > 0.0 {
        " behind"
    } else {
        ""
    }
}

fn line(
    body: &mut String,
    shown: &EvaluationPage,
    (gap, slice, figures): (&PageGap, &PageSlice, &PageFigures),
    axis: Option<&Axis>,
    (slicings, drawn): (&[Vec<&str>], &Drawn),
) {
    let by = slicings.iter().position(|columns| *columns == self::columns(slice));
    let by = match by {
        _ if slice.is_overall() => " o".to_owned(),
        Some(number) => format!(" c by{}", number + 1),
        None => " c".to_owned(),
    };
    let class = format!("{}{by}", class(shown, gap, figures));
    put!(
        body,
        "<tr class=\"{}\"><th scope=\"row\">{}</th><td>",
        class.trim_start(),
        linked(gap.slice, slice, drawn)
    );
    let (value, ends) = drawn_figures(shown, figures);
    if let (Some(axis), Some(value)) = (axis, value) {
        let moved = ends.map(|(low, high)| (low - axis.centre, high - axis.centre));
        body.push_str(&whisker(value - axis.centre, moved, axis.scale, &brief(value)));
    } else if let Some(note) = &figures.note {
        put!(body, "<small>{}</small>", escape(note, NAME * 2));
    }
    put!(body, "</td><td class=\"n\">{}</td>", optional(figures.candidate));
    if shown.is_compared {
        put!(
            body,
            "<td class=\"n wide\">{}</td><td class=\"n\">{}</td><td class=\"n wide\">{}</td><td class=\"n\">{}</td>",
            optional(figures.baseline),
            signed(figures.change),
            interval(figures.change_interval),
            p_value(gap.p_value)
        );
    } else {
        put!(body, "<td class=\"n wide\">{}</td>", interval(figures.interval));
    }
    put!(body, "<td class=\"n\">{}</td></tr>", slice.counted());
}

/// The name, leading to the slice's details where they are drawn.
fn linked(place: usize, slice: &PageSlice, drawn: &Drawn) -> String {
    let name = slice.name();
    if drawn.has(place) { format!("<a href=\"#s{place}\">{name}</a>") } else { name }
}

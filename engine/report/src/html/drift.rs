//! The page of a comparison with earlier data: the verdict, every column with both distributions laid over one another,
//! and every signal behind it.
//!
//! Columns with alarms come first, then those closest to a threshold. A page draws 200 columns with 12 bins each; what is
//! left out is said, and is in the table and in `drift.json`.

use crate::html::escape::{NAME, SENTENCE, escape, name, value};
use crate::html::figures::{brief, counted, figure, percent};
use crate::html::validation::PageVerdict;
use crate::html::{page, put};
use crate::svg::overlay;

/// Columns that are drawn.
const MAX_DRAWN: usize = 200;
/// Bins of a column.
const MAX_BINS: usize = 12;

/// One bin with its share of the values of each side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageDriftBin {
    /// The label, or the range.
    pub bin: String,
    /// Of the current side, from 0 to 1.
    pub current: f64,
    /// Of the reference.
    pub reference: f64,
}

/// What was measured of a column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageSignal {
    /// Its word.
    pub measure: String,
    /// How much.
    pub value: f64,
    /// The greatest that raises no alarm.
    pub threshold: f64,
    /// What chance alone comes to.
    pub noise_floor: f64,
    /// The share of false alarms, where chance has a part in it.
    pub q: Option<f64>,
    /// Whether it is an alarm.
    pub alarm: bool,
    /// Where, or what.
    pub detail: String,
}

/// One column of both sides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageDriftColumn {
    /// Its name.
    pub column: String,
    /// What it is to the model, where that is said: `label`, `prediction`.
    pub role: Option<String>,
    /// What was measured.
    pub signals: Vec<PageSignal>,
    /// Both distributions.
    pub bins: Vec<PageDriftBin>,
    /// What was not measured, and why.
    pub notes: Vec<String>,
}

/// What tells the rows of both sides apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageTelling {
    /// How well.
    pub signal: PageSignal,
    /// At least and at most.
    pub interval: [f64; 2],
    /// By what, with the area under the ROC curve of each alone, and what is lost without it.
    pub columns: Vec<(String, f64, f64)>,
    /// What was left out.
    pub notes: Vec<String>,
}

/// One subset of the data with its counterpart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageDriftSubset {
    /// Its name.
    pub name: String,
    /// Rows of the current side.
    pub num_rows: u64,
    /// Rows of the reference.
    pub num_reference_rows: u64,
    /// In any order.
    pub columns: Vec<PageDriftColumn>,
    /// Where that was asked.
    pub telling: Option<PageTelling>,
}

/// What a page of a comparison shows.
#[derive(Clone, Debug, PartialEq)]
pub struct DriftPage {
    /// What is to happen with the data.
    pub verdict: PageVerdict,
    /// The level of q.
    pub level: f64,
    /// What was compared.
    pub subsets: Vec<PageDriftSubset>,
}

impl PageDriftColumn {
    fn is_alarm(&self) -> bool {
        self.signals.iter().any(|signal| signal.alarm)
    }

    /// The alarm that is furthest above its threshold; of a column without alarms the signal that is closest to it.
    fn foremost(&self) -> Option<&PageSignal> {
        let order = |a: &&PageSignal, b: &&PageSignal| (a.alarm, a.part()).partial_cmp(&(b.alarm, b.part()));
        self.signals.iter().max_by(|a, b| order(a, b).unwrap_or(std::cmp::Ordering::Equal))
    }
}

impl PageSignal {
    /// The value as a part of its threshold; a threshold of 0 is the least there is.
    fn part(&self) -> f64 {
        self.value / if self.threshold > 0.0 { self.threshold } else { f64::MIN_POSITIVE }
    }
}

/// A page of what became of the columns. One file, self-contained.
#[must_use]
pub fn drift_page(title: &str, shown: &DriftPage) -> String {
    let mut body = String::new();
    head(&mut body, title, shown);
    let all = shown.subsets.iter().flat_map(|subset| &subset.columns);
    let alarms = all.clone().filter(|column| column.is_alarm()).count();
    controls(&mut body, alarms, all.count());
    let mut drawn = 0;
    for (number, subset) in shown.subsets.iter().enumerate() {
        let mut order: Vec<usize> = (0..subset.columns.len()).collect();
        let weight = |index: &usize| {
            let column = &subset.columns[*index];
            (column.is_alarm(), column.foremost().map_or(-1.0, PageSignal::part))
        };
        // Stable: of equals the first in the source comes first.
        order.sort_by(|a, b| weight(b).partial_cmp(&weight(a)).unwrap_or(std::cmp::Ordering::Equal));
        put!(body, "<section><h2>{}</h2>", escape(&subset.name, NAME));
        if let Some(found) = &subset.telling {
            telling(&mut body, found);
        }
        table(&mut body, subset, &order, (number, MAX_DRAWN - drawn));
        for index in order.iter().take(MAX_DRAWN - drawn) {
            column(&mut body, &subset.columns[*index], (number, *index), shown.level);
        }
        let left_out = order.len().saturating_sub(MAX_DRAWN - drawn);
        drawn = std::cmp::min(drawn + order.len(), MAX_DRAWN);
        if left_out > 0 {
            put!(
                body,
                "<p class=\"note\">{left_out} columns with less to say are in the table only, to keep the page small; \
                 <code>drift.json</code> has all of them.</p>"
            );
        }
        body.push_str("</section>");
    }
    page::document(title, "drift", &body)
}

fn head(body: &mut String, title: &str, shown: &DriftPage) {
    let alarms: usize = shown
        .subsets
        .iter()
        .flat_map(|subset| {
            let of_columns = subset.columns.iter().flat_map(|column| &column.signals);
            of_columns.chain(subset.telling.iter().map(|found| &found.signal))
        })
        .filter(|signal| signal.alarm)
        .count();
    let (class, word) = match shown.verdict {
        PageVerdict::Rejected => (" bad", "Rejected"),
        PageVerdict::Accepted => ("", "Accepted"),
    };
    put!(
        body,
        "<header><p class=\"eyebrow\">Drift</p><h1>{}</h1><div class=\"verdict{class}\"><strong>{word}</strong><p>{alarms} \
         alarm{}; at most a share of {} of all alarms is false</p></div></header><div class=\"scroll\"><table \
         class=\"plain\"><thead><tr><th scope=\"col\">Subset</th><th scope=\"col\" class=\"n\">Rows</th><th scope=\"col\" \
         class=\"n\">Rows of the reference</th><th scope=\"col\" class=\"n\">Columns</th><th scope=\"col\" \
         class=\"n\">With alarms</th></tr></thead><tbody>",
        escape(title, NAME * 2),
        if alarms == 1 { "" } else { "s" },
        figure(shown.level)
    );
    for subset in &shown.subsets {
        put!(
            body,
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td \
             class=\"n\">{}</td></tr>",
            name(&subset.name),
            counted(subset.num_rows),
            counted(subset.num_reference_rows),
            subset.columns.len(),
            subset.columns.iter().filter(|column| column.is_alarm()).count()
        );
    }
    body.push_str("</tbody></table></div>");
}

fn controls(body: &mut String, alarms: usize, columns: usize) {
    put!(
        body,
        "<form class=\"controls\" aria-label=\"What is shown\"><div class=\"needs-script\"><input type=\"search\" \
         id=\"find\" placeholder=\"Find a column\" aria-label=\"Find a column\" autocomplete=\"off\"></div><fieldset>\
         <legend>Columns</legend><input type=\"radio\" name=\"drift\" id=\"drift-all\" checked><label \
         for=\"drift-all\">all {columns}</label><input type=\"radio\" name=\"drift\" id=\"drift-alarm\"><label \
         for=\"drift-alarm\">{alarms} with alarms</label></fieldset><span class=\"sides\"><i class=\"now\"></i>current \
         <i class=\"before\"></i>reference</span><output id=\"shown\" aria-live=\"polite\"></output></form>"
    );
}

fn telling(body: &mut String, found: &PageTelling) {
    let PageTelling { signal, interval: [low, high], columns, notes } = found;
    let (class, word) = if signal.alarm { ("g2", "alarm") } else { ("g", "no alarm") };
    put!(
        body,
        "<article class=\"finding\"><h3><span class=\"sev {class}\">{word}</span>Rows told apart by all \
         columns</h3><p class=\"says\">The area under the ROC curve is {} ({} to {}); {} is allowed, 0.5 tells nothing.</p>",
        figure(signal.value),
        figure(*low),
        figure(*high),
        figure(signal.threshold)
    );
    if !columns.is_empty() {
        body.push_str(
            "<div class=\"scroll\"><table class=\"plain\"><thead><tr><th scope=\"col\">By</th><th scope=\"col\" \
             class=\"n\">Area alone</th><th scope=\"col\" class=\"n\">Lost without</th></tr></thead><tbody>",
        );
        for (column, alone, drop) in columns.iter().take(MAX_BINS) {
            put!(
                body,
                "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                name(column),
                brief(*alone),
                brief(*drop)
            );
        }
        body.push_str("</tbody></table></div>");
    }
    for note in notes {
        put!(body, "<p class=\"note\">{}</p>", escape(note, SENTENCE));
    }
    body.push_str("</article>");
}

/// A line per column with both distributions in small.
fn table(body: &mut String, subset: &PageDriftSubset, order: &[usize], (number, drawn): (usize, usize)) {
    body.push_str(
        "<div class=\"scroll\"><table class=\"plain drifts\"><thead><tr><th scope=\"col\">Column</th><th \
         scope=\"col\">Both</th><th scope=\"col\">Foremost signal</th><th scope=\"col\" class=\"n\">Value</th><th \
         scope=\"col\" class=\"n\">Threshold</th><th scope=\"col\" class=\"n\">q</th></tr></thead><tbody>",
    );
    for (place, index) in order.iter().enumerate() {
        let column = &subset.columns[*index];
        let class = if column.is_alarm() { "c k-alarm" } else { "c k-calm" };
        let role = column
            .role
            .as_ref()
            .map_or_else(String::new, |role| format!(" <small>{}</small>", escape(role, NAME)));
        let link = match place < drawn {
            true => format!("<a href=\"#d{number}-{index}\">{}</a>", name(&column.column)),
            false => name(&column.column),
        };
        put!(
            body,
            "<tr class=\"{class}\" data-text=\"{}\"><th scope=\"row\">{link}{role}</th><td>{}</td>",
            escape(&column.column, NAME),
            overlay::small(&shares(column))
        );
        match column.foremost() {
            Some(signal) => {
                let mark = if signal.alarm { "<span class=\"sev g2\">alarm</span> " } else { "" };
                put!(
                    body,
                    "<td>{mark}{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                    escape(&signal.measure, NAME),
                    brief(signal.value),
                    brief(signal.threshold),
                    signal.q.map_or_else(|| "–".to_owned(), brief)
                );
            }
            None => body.push_str("<td colspan=\"4\"><small>nothing was measured</small></td></tr>"),
        }
    }
    body.push_str("</tbody></table></div>");
}

fn shares(column: &PageDriftColumn) -> Vec<[f64; 2]> {
    column.bins.iter().take(MAX_BINS).map(|bin| [bin.current, bin.reference]).collect()
}

fn column(body: &mut String, shown: &PageDriftColumn, (number, index): (usize, usize), level: f64) {
    let is_alarm = shown.is_alarm();
    let (class, grade, word) = if is_alarm { ("alarm", "g2", "alarm") } else { ("calm", "g", "no alarm") };
    put!(
        body,
        "<article class=\"finding c k-{class}\" id=\"d{number}-{index}\" data-text=\"{}\"><h3><span class=\"sev \
         {grade}\">{word}</span>{}",
        escape(&shown.column, NAME),
        name(&shown.column)
    );
    if let Some(role) = &shown.role {
        put!(body, "<span class=\"kind\">{}</span>", escape(role, NAME));
    }
    body.push_str("</h3>");
    bins(body, shown);
    signals(body, shown, level);
    for note in &shown.notes {
        put!(body, "<p class=\"note\">{}</p>", escape(note, SENTENCE));
    }
    body.push_str("</article>");
}

/// Both distributions, a bar over a bar for each bin.
fn bins(body: &mut String, shown: &PageDriftColumn) {
    if shown.bins.is_empty() {
        return;
    }
    body.push_str(
        "<table class=\"overlaid\"><thead><tr><th scope=\"col\">Values</th><th scope=\"col\"></th><th scope=\"col\" \
         class=\"n\">Current</th><th scope=\"col\" class=\"n\">Reference</th></tr></thead><tbody>",
    );
    let drawn = overlay::bars(&shares(shown));
    for (bin, bars) in shown.bins.iter().zip(drawn) {
        put!(
            body,
            "<tr><th scope=\"row\">{}</th><td>{bars}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            value(&bin.bin),
            percent(bin.current),
            percent(bin.reference)
        );
    }
    body.push_str("</tbody></table>");
    let rest = shown.bins.len().saturating_sub(MAX_BINS);
    if rest > 0 {
        let sum = |of: fn(&PageDriftBin) -> f64| shown.bins[MAX_BINS..].iter().map(of).sum::<f64>();
        put!(
            body,
            "<p class=\"note\">{rest} more, {} of the current values and {} of the reference, differ less.</p>",
            percent(sum(|bin| bin.current)),
            percent(sum(|bin| bin.reference))
        );
    }
}

fn signals(body: &mut String, shown: &PageDriftColumn, level: f64) {
    if shown.signals.is_empty() {
        return;
    }
    put!(
        body,
        "<details{}><summary>Signals ({})</summary><div class=\"scroll\"><table class=\"plain\"><thead><tr><th \
         scope=\"col\">Measure</th><th scope=\"col\" class=\"n\">Value</th><th scope=\"col\" class=\"n\">Threshold</th><th \
         scope=\"col\" class=\"n\">Noise</th><th scope=\"col\" class=\"n\" title=\"an alarm needs at most {}\">q</th><th \
         scope=\"col\">Detail</th></tr></thead><tbody>",
        if shown.is_alarm() { " open" } else { "" },
        shown.signals.len(),
        figure(level)
    );
    for signal in &shown.signals {
        let mark = if signal.alarm { "<span class=\"sev g2\">alarm</span> " } else { "" };
        put!(
            body,
            "<tr><th scope=\"row\">{mark}{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td \
             class=\"n\">{}</td><td>{}</td></tr>",
            escape(&signal.measure, NAME),
            brief(signal.value),
            brief(signal.threshold),
            brief(signal.noise_floor),
            signal.q.map_or_else(|| "–".to_owned(), brief),
            escape(&signal.detail, SENTENCE)
        );
    }
    body.push_str("</tbody></table></div></details>");
}

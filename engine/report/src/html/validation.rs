//! The page of a validation: the verdict, what was judged, and every finding with what would settle it.
//!
//! Errors come before warnings, findings that more rows break before those that fewer do, then in the order
//! given. A page holds 500 findings with 10 examples each; what is left out is said.

use crate::html::escape::{NAME, SENTENCE, VALUE, escape, escape_lines, name, nothing, value};
use crate::html::figures::counted;
use crate::html::{page, put};

/// Findings on a page.
const MAX_FINDINGS: usize = 500;
/// Examples of a finding.
const MAX_EXAMPLES: usize = 10;
/// Key columns of an example.
const MAX_KEYS: usize = 6;

/// What is to happen with the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageVerdict {
    /// They flow on.
    Accepted,
    /// They stop.
    Rejected,
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PageSeverity {
    /// To be read.
    Warning,
    /// The data break the schema.
    Error,
}

/// A part of the data that was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageSubset {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub num_rows: u64,
}

/// A row that breaks a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageExample {
    /// The file, relative to the source.
    pub file: String,
    /// The row group, from 0, where the file has such.
    pub row_group: Option<u64>,
    /// The row in the file, from 1.
    pub row: u64,
    /// The key columns with their values; none for null.
    pub key: Vec<(String, Option<String>)>,
    /// What stands there; none for null.
    pub value: Option<String>,
}

/// One place where data and schema disagree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageFinding {
    /// The subset, by its name.
    pub subset: String,
    /// How much it weighs.
    pub severity: PageSeverity,
    /// A stable word: `missing-column`.
    pub code: String,
    /// The column; none where it concerns the whole data set.
    pub column: Option<String>,
    /// The rule of the schema.
    pub rule: String,
    /// What the rule demands.
    pub expected: String,
    /// What the data have.
    pub observed: String,
    /// One sentence.
    pub message: String,
    /// The change of the schema that accepts the data, to be copied; empty if there is none.
    pub suggestion: String,
    /// Rows or values that break the rule, where the count is exact.
    pub num_violations: Option<u64>,
    /// Rows that break it.
    pub examples: Vec<PageExample>,
}

/// What a page of a validation shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationPage {
    /// What is to happen with the data.
    pub verdict: PageVerdict,
    /// One sentence on the schema: where it comes from, its version.
    pub schema: String,
    /// What was judged.
    pub subsets: Vec<PageSubset>,
    /// What was found, in any order.
    pub findings: Vec<PageFinding>,
}

impl ValidationPage {
    fn count(&self, severity: PageSeverity, subset: Option<&str>) -> usize {
        let is_meant =
            |it: &&PageFinding| it.severity == severity && subset.is_none_or(|subset| it.subset == subset);
        self.findings.iter().filter(is_meant).count()
    }
}

/// "1 error", "2 errors".
fn several(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// A page of what a validation found. One file, self-contained.
#[must_use]
pub fn validation_page(title: &str, shown: &ValidationPage) -> String {
    let mut body = String::new();
    head(&mut body, title, shown);
    let mut order: Vec<usize> = (0..shown.findings.len()).collect();
    order.sort_by(|&left, &right| {
        let [left, right] = [left, right].map(|index| (&shown.findings[index], index));
        right
            .0
            .severity
            .cmp(&left.0.severity)
            .then(right.0.num_violations.cmp(&left.0.num_violations))
            .then(left.1.cmp(&right.1))
    });
    let (errors, warnings) =
        (shown.count(PageSeverity::Error, None), shown.count(PageSeverity::Warning, None));
    controls(&mut body, errors, warnings);
    body.push_str("<section id=\"findings\"><h2>Findings</h2>");
    if order.is_empty() {
        body.push_str("<p class=\"calm\">The data agree with the schema.</p>");
    }
    for index in order.iter().take(MAX_FINDINGS) {
        finding(&mut body, *index, &shown.findings[*index], shown.subsets.len() > 1);
    }
    if order.len() > MAX_FINDINGS {
        put!(
            body,
            "<p class=\"note\">{} lesser findings are left out to keep the page small; they stand in \
             <code>validation.json</code>.</p>",
            order.len() - MAX_FINDINGS
        );
    }
    body.push_str("</section>");
    page::document(title, "validation", &body)
}

fn head(body: &mut String, title: &str, shown: &ValidationPage) {
    let (errors, warnings) =
        (shown.count(PageSeverity::Error, None), shown.count(PageSeverity::Warning, None));
    let (class, word) = match shown.verdict {
        PageVerdict::Rejected => (" bad", "Rejected"),
        PageVerdict::Accepted if errors + warnings > 0 => (" mild", "Accepted, with remarks"),
        PageVerdict::Accepted => ("", "Accepted"),
    };
    put!(
        body,
        "<header><p class=\"eyebrow\">Validation</p><h1>{}</h1><div \
         class=\"verdict{class}\"><strong>{word}</strong><p>{}, \
         {}{}{}</p></div></header>",
        escape(title, NAME * 2),
        several(errors, "error"),
        several(warnings, "warning"),
        if shown.schema.is_empty() { "" } else { ". " },
        escape(&shown.schema, SENTENCE)
    );
    if shown.subsets.is_empty() {
        return;
    }
    body.push_str(
        "<div class=\"scroll\"><table class=\"plain\"><thead><tr><th scope=\"col\">Subset</th><th \
         scope=\"col\" \
         class=\"n\">Rows</th><th scope=\"col\" class=\"n\">Errors</th><th scope=\"col\" \
         class=\"n\">Warnings</th></tr></thead>\
         <tbody>",
    );
    for subset in &shown.subsets {
        put!(
            body,
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n\">{}</td><td \
             class=\"n\">{}</td></tr>",
            name(&subset.name),
            counted(subset.num_rows),
            shown.count(PageSeverity::Error, Some(&subset.name)),
            shown.count(PageSeverity::Warning, Some(&subset.name))
        );
    }
    body.push_str("</tbody></table></div>");
}

fn controls(body: &mut String, errors: usize, warnings: usize) {
    if errors + warnings == 0 {
        return;
    }
    put!(
        body,
        "<form class=\"controls\" aria-label=\"What is shown\"><div class=\"needs-script\"><input \
         type=\"search\" \
         id=\"find\" placeholder=\"Find in findings\" aria-label=\"Find in findings\" \
         autocomplete=\"off\"></div><fieldset>\
         <legend>Severity</legend><input type=\"radio\" name=\"severity\" id=\"severity-all\" \
         checked><label \
         for=\"severity-all\">all</label><input type=\"radio\" name=\"severity\" \
          id=\"severity-error\"><label \
         for=\"severity-error\">{}</label><input type=\"radio\" name=\"severity\" \
          id=\"severity-warning\"><label \
         for=\"severity-warning\">{}</label></fieldset><output id=\"shown\" \
          aria-live=\"polite\"></output></form>",
        several(errors, "error"),
        several(warnings, "warning")
    );
}

fn finding(body: &mut String, index: usize, shown: &PageFinding, names_subset: bool) {
    let (class, grade, word) = match shown.severity {
        PageSeverity::Error => ("error", "g2", "error"),
        PageSeverity::Warning => ("warning", "g1", "warning"),
    };
    let column = shown.column.as_deref();
    put!(
        body,
        "<article class=\"finding c k-{class}\" id=\"f{index}\" data-text=\"{} {} {} {}\"><h3><span \
         class=\"sev {grade}\">{word}</span>{}<span class=\"kind\"><code>{}</code></span>",
        escape(column.unwrap_or_default(), NAME),
        escape(&shown.code, NAME),
        escape(&shown.subset, NAME),
        escape(&shown.message, 200),
        column.map_or_else(|| "whole data set".to_owned(), name),
        escape(&shown.code, NAME),
    );
    if names_subset {
        put!(body, "<span class=\"kind\">in {}</span>", name(&shown.subset));
    }
    if let Some(count) = shown.num_violations {
        put!(
            body,
            "<span class=\"kind\">{} {}</span>",
            counted(count),
            if count == 1 { "violation" } else { "violations" }
        );
    }
    put!(body, "</h3><p class=\"says\">{}</p><dl class=\"pair\">", escape(&shown.message, SENTENCE));
    for (term, text) in [("Expected", &shown.expected), ("Observed", &shown.observed)] {
        if !text.is_empty() {
            put!(body, "<div><dt>{term}</dt><dd>{}</dd></div>", escape(text, SENTENCE));
        }
    }
    body.push_str("</dl>");
    if !shown.rule.is_empty() {
        put!(body, "<p class=\"note\">Rule <code>{}</code></p>", escape(&shown.rule, NAME));
    }
    examples(body, shown);
    if !shown.suggestion.is_empty() {
        put!(
            body,
            "<p class=\"fix-label\">If the data are right</p><div class=\"fix\"><pre \
             id=\"fix{index}\">{}</pre><button type=\"button\" class=\"copy\" \
             data-from=\"fix{index}\">Copy</button></div>",
            escape_lines(&shown.suggestion, SENTENCE)
        );
    }
    body.push_str("</article>");
}

fn examples(body: &mut String, shown: &PageFinding) {
    if shown.examples.is_empty() {
        return;
    }
    let has_groups = shown.examples.iter().any(|it| it.row_group.is_some());
    let has_keys = shown.examples.iter().any(|it| !it.key.is_empty());
    let count = std::cmp::min(shown.examples.len(), MAX_EXAMPLES);
    put!(
        body,
        "<details open><summary>Rows ({count})</summary><div class=\"scroll\"><table \
         class=\"plain\"><thead><tr><th \
         scope=\"col\">File</th>{}<th scope=\"col\" class=\"n\">Row</th>{}<th \
         scope=\"col\">Value</th></tr></thead><tbody>",
        if has_groups { "<th scope=\"col\" class=\"n\">Row group</th>" } else { "" },
        if has_keys { "<th scope=\"col\">Key</th>" } else { "" }
    );
    let text = |text: Option<&str>| text.map_or_else(|| nothing("missing"), value);
    for example in shown.examples.iter().take(MAX_EXAMPLES) {
        put!(body, "<tr><th scope=\"row\"><code>{}</code></th>", escape(&example.file, NAME * 2));
        if has_groups {
            put!(body, "<td class=\"n\">{}</td>", example.row_group.map_or_else(|| "–".into(), counted));
        }
        put!(body, "<td class=\"n\">{}</td>", counted(example.row));
        if has_keys {
            let keys: Vec<String> = example
                .key
                .iter()
                .take(MAX_KEYS)
                .map(|(column, key)| format!("{} = {}", escape(column, VALUE), text(key.as_deref())))
                .collect();
            put!(body, "<td>{}</td>", keys.join(", "));
        }
        put!(body, "<td>{}</td></tr>", text(example.value.as_deref()));
    }
    body.push_str("</tbody></table></div>");
    if shown.examples.len() > MAX_EXAMPLES {
        put!(body, "<p class=\"note\">{} more are left out.</p>", shown.examples.len() - MAX_EXAMPLES);
    }
    body.push_str("</details>");
}

//! The verdict, and every reason for it: those against the model first.

use crate::html::escape::{NAME, SENTENCE, escape};
use crate::html::evaluation::EvaluationPage;
use crate::html::evaluation::detail::Drawn;
use crate::html::figures::counted;
use crate::html::put;

/// Reasons of a kind on a page.
const MAX_REASONS: usize = 200;
/// Reasons of a kind that are not folded away.
const FEW_REASONS: usize = 10;
/// Characters of a reason.
const REASON: usize = 600;

/// The decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PageOutcome {
    /// Every requirement is met.
    #[default]
    Passed,
    /// At least one is not.
    Failed,
    /// The evaluation did not come to its end.
    Error,
}

/// A reason of the verdict.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageReason {
    /// Whether it speaks for the model.
    pub passed: bool,
    /// One sentence; words between backticks are names.
    pub text: String,
    /// The slice that it is about, by its place.
    pub slice: Option<usize>,
}

/// The title, the verdict, the reasons.
pub(super) fn head(body: &mut String, title: &str, shown: &EvaluationPage, drawn: &Drawn) {
    let against = shown.reasons.iter().filter(|reason| !reason.passed).count();
    let (class, word) = match shown.outcome {
        PageOutcome::Passed => ("", "Passed"),
        PageOutcome::Failed => (" bad", "Failed"),
        PageOutcome::Error => (" bad", "Not evaluated"),
    };
    let count = match (shown.outcome, against) {
        (PageOutcome::Error, _) => String::new(),
        (_, 0) => "Nothing speaks against the model. ".into(),
        (_, 1) => "1 reason speaks against the model. ".into(),
        (_, several) => format!("{} reasons speak against the model. ", counted(several as u64)),
    };
    put!(
        body,
        "<header><p class=\"eyebrow\">Evaluation</p><h1>{}</h1><div class=\"verdict{class}\">\
         <strong>{word}</strong><p>{count}{}</p>",
        escape(title, NAME * 2),
        escape(&shown.basis, SENTENCE)
    );
    reasons(body, shown, drawn, false);
    body.push_str("</div>");
    reasons(body, shown, drawn, true);
    body.push_str("</header>");
}

/// The reasons that speak for the model, or those against it.
fn reasons(body: &mut String, shown: &EvaluationPage, drawn: &Drawn, passed: bool) {
    let all: Vec<&PageReason> = shown.reasons.iter().filter(|reason| reason.passed == passed).collect();
    if all.is_empty() {
        return;
    }
    let count = counted(all.len() as u64);
    let few = std::cmp::min(all.len(), FEW_REASONS);
    if passed {
        // Below a failure they would stand between the reason and the slices.
        let is_open = shown.outcome == PageOutcome::Passed && all.len() <= FEW_REASONS;
        let open = if is_open { " open" } else { "" };
        put!(body, "<details class=\"met\"{open}><summary>What is met ({count})</summary>");
        list(body, &all, drawn);
        body.push_str("</details>");
    } else {
        list(body, &all[..few], drawn);
        if all.len() > few {
            put!(body, "<details><summary>{} more</summary>", counted((all.len() - few) as u64));
            list(body, &all[few..], drawn);
            body.push_str("</details>");
        }
    }
}

fn list(body: &mut String, all: &[&PageReason], drawn: &Drawn) {
    body.push_str("<ol class=\"reasons\">");
    for reason in all.iter().take(MAX_REASONS) {
        let (class, word) = if reason.passed { ("", "met") } else { (" g2", "not met") };
        let link = reason.slice.filter(|slice| drawn.has(*slice));
        let link = link.map_or_else(String::new, |slice| format!(" <a href=\"#s{slice}\">look</a>"));
        let text = named(&reason.text);
        put!(body, "<li><span class=\"sev{class}\">{word}</span><span>{text}{link}</span></li>");
    }
    body.push_str("</ol>");
    if all.len() > MAX_REASONS {
        let left_out = counted((all.len() - MAX_REASONS) as u64);
        put!(body, "<p class=\"note\">{left_out} more stand in <code>verdict.json</code>.</p>");
    }
}

/// The sentence, names between backticks as code.
fn named(text: &str) -> String {
    let escaped = escape(text, REASON);
    let mut parts = escaped.split('`');
    let mut markup = parts.next().unwrap_or_default().to_owned();
    while let Some(inside) = parts.next() {
        match parts.next() {
            Some(after) => put!(markup, "<code>{inside}</code>{after}"),
            None => put!(markup, "`{inside}"),
        }
    }
    markup
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn names_are_code_and_the_rest_is_text() {
        assert_eq!(named("`rmse` is 3 in a=`<"), "<code>rmse</code> is 3 in a=`&lt;");
        assert_eq!(named("no names"), "no names");
        assert_eq!(named("`a``b`"), "<code>a</code><code>b</code>");
    }
}

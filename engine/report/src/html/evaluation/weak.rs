//! The weak slices that a search found, the worst first.

use crate::html::escape::{NAME, SENTENCE, VALUE, escape};
use crate::html::evaluation::p_value;
use crate::html::figures::{counted, figure, percent};
use crate::html::put;

/// Slices on a page.
const MAX_SLICES: usize = 200;
/// Conditions of a slice that are shown.
const MAX_CONDITIONS: usize = 8;

/// What a search for weak slices found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageWeakSlices {
    /// The loss that was compared.
    pub loss: String,
    /// How it was searched, in a sentence or two.
    pub note: String,
    /// The slices, in the order in which they are shown.
    pub slices: Vec<PageWeakSlice>,
}

/// A slice in which the loss is greater than elsewhere.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageWeakSlice {
    /// Its conditions, as they are written: `fare > 20`.
    pub conditions: Vec<String>,
    /// Its rows.
    pub rows: u64,
    /// Their share of all rows.
    pub share: f64,
    /// The mean loss in it.
    pub inside: f64,
    /// The mean loss outside.
    pub outside: f64,
    /// The size of the effect.
    pub effect: f64,
    /// The false-discovery rate at which it is found.
    pub q_value: f64,
}

/// The table; nothing where none were looked for.
pub(super) fn section(body: &mut String, shown: Option<&PageWeakSlices>) {
    let Some(shown) = shown else { return };
    put!(
        body,
        "<section id=\"weak\"><h2>Weak slices</h2><p class=\"note\">{}</p>",
        escape(&shown.note, SENTENCE)
    );
    if shown.slices.is_empty() {
        body.push_str("<p class=\"calm\">No slice stands out by more than chance.</p></section>");
        return;
    }
    put!(
        body,
        "<div class=\"scroll\"><table class=\"plain\"><thead><tr><th scope=\"col\">Slice</th><th scope=\"col\" \
         class=\"n\">Rows</th><th scope=\"col\" class=\"n wide\">Share</th><th scope=\"col\" class=\"n\">{loss} \
         inside</th><th scope=\"col\" class=\"n\">{loss} outside</th><th scope=\"col\" class=\"n\">Effect</th>\
         <th scope=\"col\" class=\"n\">q</th></tr></thead><tbody>",
        loss = escape(&shown.loss, NAME)
    );
    for slice in shown.slices.iter().take(MAX_SLICES) {
        let conditions = slice.conditions.iter().take(MAX_CONDITIONS);
        let conditions: Vec<String> =
            conditions.map(|condition| format!("<bdi>{}</bdi>", escape(condition, NAME + VALUE))).collect();
        put!(
            body,
            "<tr><th scope=\"row\">{}</th><td class=\"n\">{}</td><td class=\"n wide\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            conditions.join(", "),
            counted(slice.rows),
            percent(slice.share),
            figure(slice.inside),
            figure(slice.outside),
            figure(slice.effect),
            p_value(Some(slice.q_value))
        );
    }
    body.push_str("</tbody></table></div>");
    if shown.slices.len() > MAX_SLICES {
        put!(
            body,
            "<p class=\"note\">{} lesser ones are left out.</p>",
            counted((shown.slices.len() - MAX_SLICES) as u64)
        );
    }
    body.push_str("</section>");
}

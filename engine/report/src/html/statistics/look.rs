//! What to look at: the columns with most trouble, in words with figures.

use crate::html::escape;
use crate::html::put;
use crate::html::statistics::{View, trouble};

/// Columns named at the top.
const MAX_LOOKS: usize = 10;
/// Sentences of each.
const MAX_WORDS: usize = 3;

/// The list, with a link to each column.
pub(super) fn section(body: &mut String, view: &View<'_>) {
    let mut rows: Vec<_> = view.rows.iter().filter(|row| row.score >= 0.1).collect();
    rows.sort_by(|left, right| right.score.total_cmp(&left.score).then(left.order.cmp(&right.order)));
    body.push_str("<section class=\"look\" aria-labelledby=\"look\"><h2 id=\"look\">What to look at</h2>");
    if rows.is_empty() {
        body.push_str("<p class=\"calm\">Nothing stands out.</p></section>");
        return;
    }
    let detailed: Vec<usize> = view.detailed().iter().map(|row| row.order).collect();
    body.push_str("<ol>");
    for row in rows.iter().take(MAX_LOOKS) {
        let (class, sign, word) = trouble::grade(row.score);
        let words: Vec<&str> = row.troubles.iter().take(MAX_WORDS).map(|it| it.words.as_str()).collect();
        let anchor = if detailed.contains(&row.order) { 'c' } else { 'o' };
        put!(
            body,
            "<li><span class=\"g {class}\" role=\"img\" aria-label=\"{word}\">{sign}</span><a href=\"#{anchor}{}\">{}\
             </a><span>{}</span></li>",
            row.order,
            escape::name(row.name),
            words.join("; ")
        );
    }
    body.push_str("</ol>");
    if rows.len() > MAX_LOOKS {
        put!(body, "<p class=\"note\">{} more columns below, in this order.</p>", rows.len() - MAX_LOOKS);
    }
    body.push_str("</section>");
}

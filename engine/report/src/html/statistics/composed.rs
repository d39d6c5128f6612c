//! Sparse and weighted features: whether the columns of each fit together.

use sluice_core::statistics::PartnerStatistics;

use crate::html::escape::name;
use crate::html::figures::figure;
use crate::html::put;
use crate::html::statistics::{View, set_name};

/// Features that are listed.
const MAX_FEATURES: usize = 200;

/// The table of all features that consist of several columns.
pub(super) fn section(body: &mut String, view: &View<'_>) {
    let features =
        || view.sets.iter().flat_map(|set| set.composed.iter().map(move |feature| (*set, feature)));
    if features().next().is_none() {
        return;
    }
    body.push_str(
        "<section aria-labelledby=\"composed\"><h2 id=\"composed\">Sparse and weighted features</h2><div \
         class=\"scroll\"><table class=\"plain\"><thead><tr><th scope=\"col\">Feature</th><th \
         scope=\"col\">Data set</th><th scope=\"col\" class=\"n\">Rows without values</th><th \
         scope=\"col\">Positions, weights</th><th scope=\"col\" class=\"n\">Rows without them</th><th \
         scope=\"col\" class=\"n\">More than values, by row</th></tr></thead><tbody>",
    );
    for (set, feature) in features().take(MAX_FEATURES) {
        for partner in feature.partners() {
            put!(
                body,
                "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td><td>{}</td><td \
                 class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                name(&feature.name),
                set_name(set),
                figure(feature.num_missing_values()),
                name(partner.name),
                figure(partner.num_missing),
                differences(partner)
            );
        }
    }
    body.push_str("</tbody></table></div>");
    let count = features().count();
    if count > MAX_FEATURES {
        put!(body, "<p class=\"note\">{} further features are left out.</p>", count - MAX_FEATURES);
    }
    body.push_str("</section>");
}

/// `0`, or `−1 to 2`.
fn differences(partner: PartnerStatistics<'_>) -> String {
    let (least, greatest) = partner.differences;
    if least < greatest { format!("{} to {}", figure(least), figure(greatest)) } else { figure(least) }
}

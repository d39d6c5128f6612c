//! Spans: the numbered pieces in which data arrive, found by a pattern in their path.
//!
//! `data/span-{SPAN}/*.parquet` has a span per folder; `{SPAN:4}` is a number of four digits; `{VERSION}` numbers
//! what a span was delivered again as, of which the last counts; `{YYYY}`, `{MM}` and `{DD}` together are a date,
//! and the span is its number of days since 1970-01-01. These are TFX's patterns, so that its folders can be read.

mod error;
mod pattern;
mod selection;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sluice_core::error::Result;

pub use error::SpanError;
pub use pattern::has_spans;
pub use selection::SpanSelection;

use pattern::{Found, Pattern};
use selection::shown;

/// A span that was found, and where its files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSpan {
    /// Its number.
    pub span: u64,
    /// Its version, where the pattern has one.
    pub version: Option<u64>,
    /// Its files: a file, a glob or a folder.
    pub location: String,
}

/// The spans of each input that are read, ascending; an input without spans is not in the answer.
///
/// # Errors
/// [`SpanError`].
pub fn select_spans(
    inputs: &BTreeMap<String, String>,
    base: &Path,
    selection: Option<&SpanSelection>,
) -> Result<BTreeMap<String, Vec<FoundSpan>>> {
    let mut found: BTreeMap<String, (Pattern, Found)> = BTreeMap::new();
    for (input, location) in inputs.iter().filter(|(_, location)| has_spans(location)) {
        let pattern = Pattern::new(location)?;
        let spans = pattern.find(base)?;
        found.insert(input.clone(), (pattern, spans));
    }
    if found.is_empty() {
        return match selection {
            Some(_) => Err(SpanError::NoPattern.into()),
            None => Ok(BTreeMap::new()),
        };
    }
    let (selection, has_gaps) = match selection.cloned().unwrap_or_default() {
        SpanSelection::WithGaps(window) => (*window, true),
        whole => (whole, false),
    };
    let mut latest: Option<(&String, u64, bool)> = None;
    for (input, (pattern, spans)) in &found {
        let Some(highest) = spans.keys().next_back().copied() else {
            return Err(SpanError::Nothing { location: pattern.location.clone() }.into());
        };
        match latest {
            Some((first, span, by_date))
                if span != highest && !matches!(selection, SpanSelection::Range(..)) =>
            {
                return Err(SpanError::Disagree {
                    first: first.clone(),
                    first_span: shown(span, by_date),
                    second: input.clone(),
                    second_span: shown(highest, pattern.by_date),
                }
                .into());
            }
            _ => latest = Some((input, highest, pattern.by_date)),
        }
    }
    let highest = latest.map_or(0, |(_, span, _)| span);
    let (from, to) = match selection {
        SpanSelection::Latest | SpanSelection::WithGaps(_) => (highest, highest),
        SpanSelection::Last(count) => ((highest + 1).saturating_sub(count), highest),
        SpanSelection::Range(from, to) => (from, to),
    };
    // With gaps, a span that one input has must be in all of them: else a join would lose its rows.
    let there: BTreeSet<u64> =
        found.values().flat_map(|(_, spans)| spans.range(from..=to)).map(|(span, _)| *span).collect();
    let wanted = (has_gaps && !there.is_empty()).then_some(&there);
    found
        .into_iter()
        .map(|(input, (pattern, spans))| Ok((input, pattern.chosen(spans, (from, to), wanted)?)))
        .collect()
}

#[cfg(test)]
mod tests;

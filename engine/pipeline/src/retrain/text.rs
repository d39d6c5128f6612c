//! The verdict for people: on a terminal and in Markdown.

use sluice_report::markdown::inline;
use sluice_report::{Table, significant};

use super::{Check, RetrainRecord};

/// A span of time in its greatest whole unit: `12 days`, `1 hour`.
pub(super) fn span(seconds: u64) -> String {
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let (size, unit) = units.into_iter().find(|(size, _)| seconds >= *size).unwrap_or((1, "second"));
    let number = seconds / size;
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

fn lines(record: &RetrainRecord, shown: fn(&str) -> String) -> Table {
    let mut table = Table::new(&["", "check", ">value", ">bound", "what"]);
    let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), significant);
    let reasons = record.reasons().map(|check| (true, check));
    let others = record.checks.iter().filter(|check| !check.is_reason).map(|check| (false, check));
    for (is_reason, check) in reasons.chain(others) {
        let Check { kind, value, bound, text, .. } = check;
        let mark = if is_reason { "REASON" } else { "" };
        table.push([mark.to_owned(), kind.word().to_owned(), figure(*value), figure(*bound), shown(text)]);
    }
    table
}

pub(super) fn table(record: &RetrainRecord) -> Table {
    lines(record, str::to_owned)
}

pub(super) fn markdown(record: &RetrainRecord) -> String {
    let word = if record.retrain { "YES" } else { "NO" };
    let mut text = format!("## Train again: {word}\n\n");
    if let Some(training) = &record.training {
        text.push_str(&format!("Model: {}; ", inline(&training.name())));
    }
    text.push_str(&format!("asked at {}\n\n", record.decided_at));
    for reason in record.reasons() {
        text.push_str(&format!("- {}\n", inline(&reason.text)));
    }
    let gap = if record.retrain { "\n" } else { "" };
    text.push_str(&format!("{gap}### All that was looked at\n\n{}", lines(record, inline).to_markdown()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_whole_units() {
        let told =
            [(0, "0 seconds"), (1, "1 second"), (3599, "59 minutes"), (86_400, "1 day"), (200_000, "2 days")];
        for (seconds, expected) in told {
            assert_eq!(span(seconds), expected);
        }
    }
}

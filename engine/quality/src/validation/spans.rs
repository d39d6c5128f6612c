//! Spans that are not there: between the first and the last of the data, and between these and the data before.
//!
//! A warning unless `severity` says otherwise: who trains on every seventh span means it.

use sluice_core::statistics::DatasetStatistics;

use super::Baselines;
use super::code::FindingCode;
use super::finding::{Finding, Words};

/// The rule of spans within the data, as findings name it.
const WITHIN: &str = "spans";
/// That of spans since the data before.
const SINCE: &str = "spans since the previous";
/// So many ranges of missing spans are named.
const RANGES_NAMED: usize = 10;

/// Looks for gaps; data without spans have none.
pub(crate) fn check(statistics: &DatasetStatistics, baselines: &Baselines<'_>, findings: &mut Vec<Finding>) {
    let (Some(first), Some(last)) = (statistics.spans.first(), statistics.spans.last()) else { return };
    if let Some((missing, count)) = gaps(&statistics.spans) {
        let words = Words {
            rule: WITHIN,
            expected: format!("every span from {first} to {last}"),
            observed: format!("{missing} missing"),
            message: format!("{missing} missing between spans {first} and {last} of the data"),
            suggestion: advice(count),
        };
        findings.push(Finding::dataset(FindingCode::SpanMissing, words).into_warning());
    }
    let before = baselines.previous.and_then(|previous| previous.spans.last());
    let Some(before) = before.filter(|before| *before < first) else { return };
    if let Some((missing, count)) = gaps(&[*before, *first]) {
        let words = Words {
            rule: SINCE,
            expected: format!("span {} after {before}, the last of the previous data", before + 1),
            observed: format!("span {first}, {missing} missing"),
            message: format!(
                "{missing} missing between the previous data and these, which begin with {first}"
            ),
            suggestion: advice(count),
        };
        findings.push(Finding::dataset(FindingCode::SpanMissing, words).into_warning());
    }
}

fn advice(count: u64) -> String {
    let them = if count == 1 { "it" } else { "them" };
    format!("look for {them} where the data come from; if gaps are usual, set the severity of `span-missing`")
}

/// The numbers that ascending spans leave out, in words, and how many they are; `None` where there are none.
fn gaps(spans: &[u64]) -> Option<(String, u64)> {
    let ranges: Vec<(u64, u64)> = spans
        .windows(2)
        .filter(|pair| pair[1] > pair[0].saturating_add(1))
        .map(|pair| (pair[0] + 1, pair[1] - 1))
        .collect();
    let count: u64 = ranges.iter().map(|(from, to)| to - from + 1).sum();
    let named: Vec<String> = ranges
        .iter()
        .take(RANGES_NAMED)
        .map(|(from, to)| if from == to { from.to_string() } else { format!("{from} to {to}") })
        .collect();
    let more =
        if ranges.len() > RANGES_NAMED { format!(" and others, {count} in all,") } else { String::new() };
    match count {
        0 => None,
        1 => Some((format!("span {} is", named.join(", ")), count)),
        _ => Some((format!("spans {}{more} are", named.join(", ")), count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(spans: &[u64]) -> DatasetStatistics {
        DatasetStatistics { num_rows: 5, spans: spans.to_vec(), ..DatasetStatistics::default() }
    }

    fn observed(spans: &[u64], previous: Option<&[u64]>) -> Vec<(String, String)> {
        let previous = previous.map(data);
        let baselines = Baselines { previous: previous.as_ref(), ..Baselines::default() };
        let mut findings = Vec::new();
        check(&data(spans), &baselines, &mut findings);
        findings.into_iter().map(|finding| (finding.rule, finding.observed)).collect()
    }

    #[test]
    fn gaps_are_named() {
        for whole in [&[][..], &[7], &[7, 8, 9], &[u64::MAX - 1, u64::MAX]] {
            assert_eq!(observed(whole, None), []);
        }
        let within = |text: &str| vec![(WITHIN.to_owned(), text.to_owned())];
        assert_eq!(observed(&[1, 3], None), within("span 2 is missing"));
        assert_eq!(observed(&[1, 3, 8], None), within("spans 2, 4 to 7 are missing"));
        let every_second: Vec<u64> = (0..13).map(|number| number * 2).collect();
        let text = "spans 1, 3, 5, 7, 9, 11, 13, 15, 17, 19 and others, 12 in all, are missing";
        assert_eq!(observed(&every_second, None), within(text));
    }

    #[test]
    fn gaps_since_the_data_before_are_named() {
        for sound in [&[1, 2][..], &[2], &[3], &[4], &[5], &[]] {
            assert_eq!(observed(&[3, 4], Some(sound)), []);
        }
        let since = |text: &str| vec![(SINCE.to_owned(), text.to_owned())];
        assert_eq!(observed(&[3, 4], Some(&[0, 1])), since("span 3, span 2 is missing"));
        assert_eq!(observed(&[9], Some(&[5])), since("span 9, spans 6 to 8 are missing"));
    }
}

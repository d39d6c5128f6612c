//! Values of text against their domain: a list, words for true and false, integers or floats as text.
//!
//! Judged are the most frequent values. Where these are not all there are, only what is surely outside is an
//! error: listed values outside the domain, or more different values than the domain has. What remains open is
//! a warning.

use std::collections::BTreeSet;

use sluice_core::schema::Domain;

use super::code::FindingCode;
use super::finding::{Finding, Words};
use super::specification::rule_of;
use super::subject::{Subject, Values};
use super::words::general;
use super::{floats, integers};
use crate::protobuf::escape;

/// So many values are listed in a finding.
const MAX_LISTED_VALUES: usize = 10;
/// So many characters of each.
const MAX_VALUE_CHARACTERS: usize = 60;

/// A text column against its domain.
pub(crate) fn check(subject: &Subject<'_>, domain: &Domain, findings: &mut Vec<Finding>) {
    if matches!(domain, Domain::Time { .. } | Domain::Semantic(_)) {
        return;
    }
    let invalid = subject.column.text.as_ref().map_or(0, |text| text.num_invalid_utf8);
    if invalid > 0 && matches!(domain, Domain::Strings { .. }) {
        findings.push(invalid_utf8(subject, invalid));
        return;
    }
    let rule = rule_of(domain);
    let Some(values) = subject.values() else {
        findings.push(subject.undecided(rule));
        return;
    };
    let judged = Judged { rule, subject, values };
    match domain {
        Domain::Strings { name, values, .. } => judged.check_list(name, values, findings),
        Domain::Boolean { true_value, false_value } => {
            judged.check_words(&[false_value, true_value], findings);
        }
        Domain::Int { min, max, .. } => judged.check_integers(*min, *max, findings),
        Domain::Float { .. } => judged.check_floats(domain, findings),
        Domain::Time { .. } | Domain::Semantic(_) => {}
    }
}

fn invalid_utf8(subject: &Subject<'_>, count: u64) -> Finding {
    let name = subject.name();
    let found =
        Subject { weighted: None, ..*subject }.amount_of(count as f64, subject.column.num_values() as f64);
    let words = Words {
        rule: "domain",
        expected: "text in UTF-8".into(),
        observed: format!("{found} are not UTF-8"),
        message: format!("column `{name}` must hold values of a list, but {found} are not UTF-8"),
        suggestion: format!("in feature `{name}`, remove `domain`"),
    };
    let finding = subject.finding(FindingCode::InvalidUtf8, words).violated_by(Some(count));
    finding.saying("Found strings that were not valid UTF8 strings.")
}

/// The values of one column under one rule.
struct Judged<'a> {
    rule: &'static str,
    subject: &'a Subject<'a>,
    values: Values<'a>,
}

impl Judged<'_> {
    fn outside(&self, is_inside: impl Fn(&str) -> bool) -> Vec<(&str, f64)> {
        self.values.listed.iter().copied().filter(|(value, _)| !is_inside(value)).collect()
    }

    /// Any value outside is a finding; none listed, but not all known, is a warning. Whether there was one.
    fn report(
        &self,
        code: FindingCode,
        expected: &str,
        outside: &[(&str, f64)],
        tfdv: impl FnOnce(&str) -> String,
        findings: &mut Vec<Finding>,
    ) -> bool {
        let Some(first) = outside.iter().map(|(value, _)| *value).min() else {
            if !self.values.is_complete {
                findings.push(self.open(expected));
            }
            return false;
        };
        let suggestion = format!("in feature `{}`, remove `{}`", self.subject.name(), self.rule);
        findings.push(self.finding(code, expected, outside, suggestion).saying(tfdv(&escape(first))));
        true
    }

    fn check_words(&self, words: &[&Option<String>], findings: &mut Vec<Finding>) {
        let words: BTreeSet<&str> = words.iter().filter_map(|word| word.as_deref()).collect();
        let listed: Vec<&str> = words.iter().copied().collect();
        let expected = if words.is_empty() { "no text at all".to_owned() } else { quoted(&listed) };
        let outside = self.outside(|value| words.contains(value));
        let tfdv = |first: &str| {
            let words: Vec<String> = listed.iter().map(|word| format!("\"{}\"", escape(word))).collect();
            format!("Saw unexpected value \"{first}\" instead of {{{}}}.", words.join(", "))
        };
        self.report(FindingCode::TextNotBoolean, &expected, &outside, tfdv, findings);
    }

    fn check_integers(&self, min: Option<i64>, max: Option<i64>, findings: &mut Vec<Finding>) {
        let outside = self.outside(|value| value.parse::<i64>().is_ok());
        let tfdv = |first: &str| format!("String values that were not ints were found, such as \"{first}\".");
        if self.report(FindingCode::TextNotInteger, "integers as text", &outside, tfdv, findings) {
            return;
        }
        let numbers = self.values.listed.iter().filter_map(|(value, _)| value.parse::<i64>().ok());
        let (lowest, highest) = (numbers.clone().min(), numbers.max());
        if let (Some(lowest), Some(highest)) = (lowest, highest) {
            let range = integers::IntegerRange { min: lowest.into(), max: highest.into() };
            integers::check_range(self.subject, range, min, max, findings);
        }
    }

    fn check_floats(&self, domain: &Domain, findings: &mut Vec<Finding>) {
        let Domain::Float { min, max, disallow_nan, disallow_inf, .. } = domain else { return };
        let num_nan = self.count(f64::is_nan);
        if *disallow_nan && num_nan > 0 {
            findings.push(floats::forbidden(self.subject, FindingCode::HasNan, num_nan));
        }
        let outside = self.outside(|value| value.parse::<f64>().is_ok());
        let tfdv =
            |first: &str| format!("String values that were not floats were found, such as \"{first}\".");
        if self.report(FindingCode::TextNotFloat, "numbers as text", &outside, tfdv, findings) {
            return;
        }
        let numbers = self.values.listed.iter().filter_map(|(value, _)| value.parse::<f64>().ok());
        let mut sorted: Vec<f64> = numbers.filter(|value| !value.is_nan()).collect();
        sorted.sort_by(f64::total_cmp);
        if let (Some(lowest), Some(highest)) = (sorted.first(), sorted.last()) {
            floats::check_range(self.subject, (*lowest, *highest), *min, *max, findings);
        }
        let num_infinite = self.count(f64::is_infinite);
        if *disallow_inf && num_infinite > 0 {
            findings.push(floats::forbidden(self.subject, FindingCode::HasInfinity, num_infinite));
        }
    }

    /// How many of the listed values are such; a lower bound where not all are listed.
    fn count(&self, is_such: fn(f64) -> bool) -> u64 {
        let top = self.subject.column.top_values.iter().flat_map(|top| &top.values);
        top.filter(|(value, _)| value.parse().is_ok_and(is_such)).map(|(_, count)| *count).sum()
    }

    fn check_list(&self, name: &str, list: &[String], findings: &mut Vec<Finding>) {
        // A mass beyond its range is a finding on the schema.
        let min_mass = self.subject.feature.min_domain_mass.clamp(0.0, 1.0);
        let list: BTreeSet<&str> = list.iter().map(String::as_str).collect();
        let outside = self.outside(|value| list.contains(value));
        let total = self.values.total;
        let num_outside = sum(&outside);
        let num_inside = (sum(&self.values.listed) - num_outside).clamp(0.0, total);
        let share = |count: f64| if total > 0.0 { count / total } else { 0.0 };
        let is_strict = min_mass >= 1.0;
        let num_distinct = self.num_distinct_at_least();
        let has_too_many = is_strict && num_distinct > list.len() as u64;
        let is_outside = share(total - num_outside) < min_mass || (is_strict && !outside.is_empty());
        let expected = if is_strict {
            format!("one of the {} values of `{name}`", list.len())
        } else {
            format!("one of the {} values of `{name}` in a share of at least {min_mass}", list.len())
        };
        if is_outside {
            let lines: String =
                outside.iter().map(|(value, _)| format!("  value: \"{}\"\n", escape(value))).collect();
            let suggestion = format!("string_domain {{\n  name: \"{}\"\n{lines}}}\n", escape(name));
            let finding = self.finding(FindingCode::UnexpectedValue, &expected, &outside, suggestion);
            findings.push(finding.saying(self.missing_from_schema(&outside)));
        } else if has_too_many {
            findings.push(self.too_many_different(&expected, num_distinct));
        } else if !self.values.is_complete && share(num_inside) < min_mass {
            findings.push(self.open(&expected));
        }
    }

    /// TFDV's list of values with their shares of all values, cut to whole percents.
    fn missing_from_schema(&self, outside: &[(&str, f64)]) -> String {
        let mut sorted = outside.to_vec();
        sorted.sort_by(|a, b| a.0.cmp(b.0));
        let listed: Vec<String> = sorted
            .iter()
            .map(|(value, count)| {
                let percent = (count / self.values.total * 100.0).floor();
                let value = escape(value);
                if !percent.is_finite() {
                    format!("{value} (?)")
                } else if percent < 1.0 {
                    format!("{value} (<1%)")
                } else {
                    format!("{value} (~{percent:.0}%)")
                }
            })
            .collect();
        format!("Examples contain values missing from the schema: {}. ", listed.join(", "))
    }

    /// Values that are not listed are at least one more where the list is not complete.
    fn num_distinct_at_least(&self) -> u64 {
        let seen = self.values.listed.len() as u64 + u64::from(!self.values.is_complete);
        let counted = self.subject.column.distinct.filter(|distinct| distinct.relative_error <= 0.0);
        counted.map_or(seen, |distinct| distinct.count.max(seen))
    }

    fn finding(
        &self,
        code: FindingCode,
        expected: &str,
        outside: &[(&str, f64)],
        suggestion: String,
    ) -> Finding {
        let (subject, values) = (self.subject, &self.values);
        let at_least = if values.is_exact { "" } else { "at least " };
        let num_outside = sum(outside);
        let listed: Vec<String> = outside
            .iter()
            .take(MAX_LISTED_VALUES)
            .map(|(value, count)| format!("{} ({at_least}{})", shortened(value), subject.amount(*count)))
            .collect();
        let more = match outside.len().saturating_sub(MAX_LISTED_VALUES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let open = if values.is_complete { "" } else { "; values beyond the most frequent were not judged" };
        let words = Words {
            rule: self.rule,
            expected: expected.to_owned(),
            observed: format!(
                "{at_least}{} outside{}: {}{more}{open}",
                subject.amount_of(num_outside, values.total),
                self.share_in_words(num_outside),
                listed.join(", ")
            ),
            message: format!("column `{}` holds {}, expected {expected}", subject.name(), several(outside)),
            suggestion,
        };
        let is_exact = values.is_exact && subject.weighted.is_none();
        let top = subject.column.top_values.iter().flat_map(|top| &top.values);
        let count = || {
            let outside: BTreeSet<&str> = outside.iter().map(|(value, _)| *value).collect();
            top.filter(|(value, _)| outside.contains(value.as_str())).map(|(_, count)| *count).sum()
        };
        subject.finding(code, words).violated_by(is_exact.then(count))
    }

    /// The share of all values in percent.
    fn share_in_words(&self, count: f64) -> String {
        let percent = count / self.values.total * 100.0;
        if percent.is_finite() {
            format!(" ({}%)", general((percent * 100.0).round() / 100.0))
        } else {
            String::new()
        }
    }

    fn too_many_different(&self, expected: &str, num_distinct: u64) -> Finding {
        let name = self.subject.name();
        let words = Words {
            rule: self.rule,
            expected: expected.to_owned(),
            observed: format!(
                "at least {num_distinct} different values; which ones are outside is not known"
            ),
            message: format!(
                "column `{name}` holds at least {num_distinct} different values, expected {expected}"
            ),
            suggestion: format!("in feature `{name}`, remove `{}`, or add the values to it", self.rule),
        };
        self.subject.finding(FindingCode::UnexpectedValue, words)
    }

    /// All listed values are inside, but there are others.
    fn open(&self, expected: &str) -> Finding {
        let (name, values) = (self.subject.name(), &self.values);
        let words = Words {
            rule: self.rule,
            expected: expected.to_owned(),
            observed: format!(
                "only the {} most frequent values are known, in {}",
                values.listed.len(),
                self.subject.amount_of(sum(&values.listed), values.total)
            ),
            message: format!(
                "`{}` of column `{name}` could not be decided: not all values are known",
                self.rule
            ),
            suggestion: "none; compute the statistics with more top values".into(),
        };
        self.subject.finding(FindingCode::Undecided, words).into_warning()
    }
}

fn sum(values: &[(&str, f64)]) -> f64 {
    values.iter().map(|(_, count)| count).sum()
}

fn shortened(value: &str) -> String {
    let mut characters = value.chars();
    let start: String = characters.by_ref().take(MAX_VALUE_CHARACTERS).collect();
    let rest = if characters.next().is_some() { "…" } else { "" };
    format!("\"{}{rest}\"", escape(&start))
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| shortened(word)).collect::<Vec<_>>().join(" or ")
}

fn several(outside: &[(&str, f64)]) -> String {
    match outside {
        [(value, _)] => shortened(value),
        [(value, _), rest @ ..] => {
            let others =
                if rest.len() == 1 { "1 other value".into() } else { format!("{} other values", rest.len()) };
            format!("{} and {others}", shortened(value))
        }
        [] => "nothing".into(),
    }
}

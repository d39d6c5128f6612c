//! Values of text against their domain: a list, words for true and false, integers or floats as text.
//!
//! Judged are the most frequent values. Where these are not all there are, only what is surely outside is an
//! error: listed values outside the domain, or more different values than the domain has. What remains open is
//! a warning.

use std::collections::BTreeSet;

use sluice_core::schema::{Domain, Feature};
use sluice_core::statistics::{ColumnStatistics, TopValues};

use super::finding::{Finding, FindingCode, Words, rows};
use super::{floats, integers};
use crate::protobuf::escape;

/// So many values are listed in a finding.
const MAX_LISTED_VALUES: usize = 10;
/// So many characters of each.
const MAX_VALUE_CHARACTERS: usize = 60;

/// A text column against its domain.
pub(crate) fn check(
    feature: &Feature,
    domain: &Domain,
    column: &ColumnStatistics,
    findings: &mut Vec<Finding>,
) {
    let rule = match domain {
        Domain::Strings { .. } => "domain",
        Domain::Boolean { .. } => "bool_domain",
        Domain::Int { .. } => "int_domain",
        Domain::Float { .. } => "float_domain",
        Domain::Time { .. } | Domain::Semantic(_) => return,
    };
    let Some(top) = &column.top_values else {
        findings.push(integers::undecided(rule, column));
        return;
    };
    let judged = Judged { rule, column, top };
    match domain {
        Domain::Strings { name, values, .. } => {
            judged.check_list(name, values, feature.min_domain_mass, findings);
        }
        Domain::Boolean { true_value, false_value } => {
            let words: Vec<&str> =
                [true_value, false_value].into_iter().flatten().map(String::as_str).collect();
            let expected = if words.is_empty() { "no text at all".to_owned() } else { quoted(&words) };
            let outside = judged.outside(|value| words.contains(&value));
            judged.report(FindingCode::TextNotBoolean, &expected, &outside, findings);
        }
        Domain::Int { min, max, .. } => {
            let outside = judged.outside(|value| value.parse::<i64>().is_ok());
            judged.report(FindingCode::TextNotInteger, "integers as text", &outside, findings);
            let numbers =
                top.values.iter().filter_map(|(value, _)| value.parse::<i64>().ok().map(i128::from));
            let (lowest, highest) = (numbers.clone().min(), numbers.max());
            if let (Some(lowest), Some(highest)) = (lowest, highest) {
                let range = integers::IntegerRange { min: lowest, max: highest };
                integers::check_range(range, *min, *max, column, findings);
            }
        }
        Domain::Float { .. } => judged.check_floats(domain, findings),
        Domain::Time { .. } | Domain::Semantic(_) => {}
    }
}

/// The values of one column under one rule.
struct Judged<'a> {
    rule: &'static str,
    column: &'a ColumnStatistics,
    top: &'a TopValues,
}

impl Judged<'_> {
    fn outside(&self, is_inside: impl Fn(&str) -> bool) -> Vec<(&str, u64)> {
        let values = self.top.values.iter().map(|(value, count)| (value.as_str(), *count));
        values.filter(|(value, _)| !is_inside(value)).collect()
    }

    /// Any value outside is a finding; none listed, but not all known, is a warning.
    fn report(
        &self,
        code: FindingCode,
        expected: &str,
        outside: &[(&str, u64)],
        findings: &mut Vec<Finding>,
    ) {
        if !outside.is_empty() {
            let suggestion = format!("in feature `{}`, remove `{}`", self.column.name, self.rule);
            findings.push(self.finding(code, expected, outside, suggestion));
        } else if !self.top.is_complete {
            findings.push(self.open(expected));
        }
    }

    fn check_list(&self, name: &str, values: &[String], min_mass: f64, findings: &mut Vec<Finding>) {
        let list: BTreeSet<&str> = values.iter().map(String::as_str).collect();
        let outside = self.outside(|value| list.contains(value));
        let total = self.column.presence.num_present();
        let num_outside = outside.iter().map(|(_, count)| *count).sum::<u64>().min(total);
        let num_listed = self.top.values.iter().map(|(_, count)| *count).sum::<u64>().min(total);
        // At most this share can lie inside, at least that.
        let most = (total - num_outside) as f64 / total as f64;
        let least = num_listed.saturating_sub(num_outside) as f64 / total as f64;
        let is_strict = min_mass >= 1.0;
        let num_distinct = self.num_distinct_at_least();
        let is_outside =
            most < min_mass || (is_strict && (!outside.is_empty() || num_distinct > list.len() as u64));
        let expected = if is_strict {
            format!("one of the {} values of `{name}`", list.len())
        } else {
            format!("one of the {} values of `{name}` in a share of at least {min_mass}", list.len())
        };
        if is_outside && outside.is_empty() {
            findings.push(self.too_many_different(&expected, num_distinct));
        } else if is_outside {
            let lines: String = outside
                .iter()
                .take(MAX_LISTED_VALUES)
                .map(|(value, _)| format!("  value: \"{}\"\n", escape(value)))
                .collect();
            let suggestion = format!("string_domain {{\n  name: \"{}\"\n{lines}}}\n", escape(name));
            findings.push(self.finding(FindingCode::UnexpectedValue, &expected, &outside, suggestion));
        } else if !self.top.is_complete && least < min_mass {
            findings.push(self.open(&expected));
        }
    }

    /// Values that are not listed are at least one more where the list is not complete.
    fn num_distinct_at_least(&self) -> u64 {
        let seen = self.top.values.len() as u64 + u64::from(!self.top.is_complete);
        let counted = self.column.distinct.filter(|distinct| distinct.relative_error <= 0.0);
        counted.map_or(seen, |distinct| distinct.count.max(seen))
    }

    fn check_floats(&self, domain: &Domain, findings: &mut Vec<Finding>) {
        let Domain::Float { min, max, disallow_nan, disallow_inf, .. } = domain else { return };
        let outside = self.outside(|value| value.parse::<f64>().is_ok());
        self.report(FindingCode::TextNotFloat, "numbers as text", &outside, findings);
        let count = |is_such: fn(f64) -> bool| -> u64 {
            let values = self.top.values.iter().filter(|(value, _)| value.parse().is_ok_and(is_such));
            values.map(|(_, count)| *count).sum()
        };
        for (is_forbidden, code, rule, found) in [
            (*disallow_nan, FindingCode::HasNan, "float_domain.disallow_nan", count(f64::is_nan)),
            (*disallow_inf, FindingCode::HasInfinity, "float_domain.disallow_inf", count(f64::is_infinite)),
        ] {
            if is_forbidden && found > 0 {
                findings.push(floats::forbidden(code, rule, found, self.column));
            }
        }
        let numbers = self.top.values.iter().filter_map(|(value, _)| value.parse::<f64>().ok());
        let mut sorted: Vec<f64> = numbers.filter(|value| !value.is_nan()).collect();
        sorted.sort_by(f64::total_cmp);
        if let (Some(lowest), Some(highest)) = (sorted.first(), sorted.last()) {
            floats::check_range((*lowest, *highest), *min, *max, self.column, findings);
        }
    }

    fn finding(
        &self,
        code: FindingCode,
        expected: &str,
        outside: &[(&str, u64)],
        suggestion: String,
    ) -> Finding {
        let (name, total) = (&self.column.name, self.column.presence.num_present());
        let is_exact = self.top.is_complete && self.top.max_error == 0;
        let at_least = if is_exact { "" } else { "at least " };
        let num_outside: u64 = outside.iter().map(|(_, count)| *count).sum();
        let listed: Vec<String> = outside
            .iter()
            .take(MAX_LISTED_VALUES)
            .map(|(value, count)| format!("{} ({at_least}{})", shortened(value), rows(*count)))
            .collect();
        let more = match outside.len().saturating_sub(MAX_LISTED_VALUES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let open =
            if self.top.is_complete { "" } else { "; values beyond the most frequent were not judged" };
        let words = Words {
            rule: self.rule,
            expected: expected.to_owned(),
            observed: format!(
                "{at_least}{num_outside} of {} outside: {}{more}{open}",
                rows(total),
                listed.join(", ")
            ),
            message: format!("column `{name}` holds {}, expected {expected}", several(outside)),
            suggestion,
        };
        Finding::column(code, name, words)
    }

    fn too_many_different(&self, expected: &str, num_distinct: u64) -> Finding {
        let name = &self.column.name;
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
        Finding::column(FindingCode::UnexpectedValue, name, words)
    }

    /// All listed values are inside, but there are others.
    fn open(&self, expected: &str) -> Finding {
        let (name, total) = (&self.column.name, self.column.presence.num_present());
        let listed: u64 = self.top.values.iter().map(|(_, count)| *count).sum();
        let words = Words {
            rule: self.rule,
            expected: expected.to_owned(),
            observed: format!(
                "only the {} most frequent values are known, in {listed} of {}",
                self.top.values.len(),
                rows(total)
            ),
            message: format!(
                "`{}` of column `{name}` could not be decided: not all values are known",
                self.rule
            ),
            suggestion: "none; compute the statistics with more top values".into(),
        };
        Finding::column(FindingCode::Undecided, name, words).into_warning()
    }
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

fn several(outside: &[(&str, u64)]) -> String {
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

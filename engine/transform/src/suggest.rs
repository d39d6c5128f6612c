//! A transform proposed from statistics and a schema: one section of YAML with the reason for every column, to be read
//! and edited. Nothing is proposed that the statistics do not show.

use std::fmt::Write as _;

use serde::Serialize;

use sluice_core::ROW_HASH_COLUMN;
use sluice_core::column::ColumnKind;
use sluice_core::role::Roles;
use sluice_core::schema::{Domain, Schema};
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics, NumericStatistics};

use crate::fit::role_name;

/// So many missing cells of 100 and the column is left out.
const MOSTLY_MISSING: f64 = 0.95;
/// From this share of missing cells on it is worth a feature of its own that a cell was missing.
const WORTH_AN_INDICATOR: f64 = 0.01;
/// A column of at least so many rows, nearly all of them different, is a key.
const KEY_ROWS: u64 = 100;
const KEY_SHARE: f64 = 0.95;
/// Text with more values than this has an indicator for each of the most frequent only.
const MOST_LEVELS: u64 = 1000;
/// Integers that name things begin here, and are on average so far apart: postal codes, tracts.
const CODES_FROM: f64 = 1000.0;
const CODES_APART: f64 = 10.0;
/// |mean − median| / sd beyond this is a skew; it lies between 0 and 1.
const SKEW: f64 = 0.2;
/// A largest value so many times as far from the median as the quartiles are from each other is a long tail.
const TAIL: f64 = 20.0;
/// Normalized mutual information with the label beyond this is more likely a leak than luck.
const LEAK: f64 = 0.95;
/// Buckets of a number whose tails no logarithm tames.
const BUCKETS: u32 = 10;

/// What is proposed for a column, or why it is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// The column.
    pub column: String,
    /// The operations, in order; none for a column that is left out.
    pub operations: Vec<String>,
    /// Why.
    pub reasons: Vec<String>,
}

/// A proposed transform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suggestions {
    /// What was looked at: the subset with its rows.
    pub subset: String,
    /// How many rows it has.
    pub num_rows: u64,
    /// In the order of the columns.
    pub columns: Vec<Suggestion>,
}

/// Proposes operations for the columns that have no role.
#[must_use]
pub fn suggest(statistics: &DatasetStatistics, schema: Option<&Schema>, roles: &Roles) -> Suggestions {
    let top_level = statistics.columns.iter().filter(|column| {
        (column.path.is_empty() || column.path.len() == 1) && column.name != ROW_HASH_COLUMN
    });
    let columns = top_level.map(|column| {
        let mut suggestion =
            Suggestion { column: column.name.clone(), operations: Vec::new(), reasons: Vec::new() };
        match left_out(column, roles) {
            Some(reason) => suggestion.reasons.push(reason),
            None => decide(column, schema, &mut suggestion),
        }
        suggestion
    });
    Suggestions { subset: statistics.name.clone(), num_rows: statistics.num_rows, columns: columns.collect() }
}

/// The share of rows without a value, NaN among them.
fn missing_share(column: &ColumnStatistics) -> f64 {
    let presence = &column.presence;
    let missing = presence.num_absent + presence.num_missing + presence.num_nan;
    if presence.num_rows == 0 { 1.0 } else { missing as f64 / presence.num_rows as f64 }
}

fn percent(share: f64) -> String {
    match 100.0 * share {
        small if small < 0.1 => "less than 0.1 %".into(),
        percent => format!("{percent:.1} %"),
    }
}

/// Why a column cannot be a good feature, if so.
fn left_out(column: &ColumnStatistics, roles: &Roles) -> Option<String> {
    if let Some(role) = roles.of(&column.name) {
        return Some(format!("is the {}", role_name(role)));
    }
    let (present, missing) = (column.presence.num_present(), missing_share(column));
    if present == 0 || missing >= 1.0 {
        return Some("has no value".into());
    }
    if missing > MOSTLY_MISSING {
        return Some(format!("is missing in {} of the rows", percent(missing)));
    }
    if let Some(association) = &column.association
        && association.normalized_mutual_information > LEAK
    {
        let label = &association.label;
        return Some(format!("tells nearly all of `{label}`: is it known when the model is asked?"));
    }
    let distinct = column.distinct?.count;
    if distinct <= 1 && missing == 0.0 {
        return Some("has one value only".into());
    }
    let may_be_key = matches!(column.kind, ColumnKind::Text | ColumnKind::Integer | ColumnKind::Unsigned);
    let is_key = may_be_key && present >= KEY_ROWS && distinct as f64 > KEY_SHARE * present as f64;
    is_key.then(|| format!("looks like a key: {distinct} different values in {present} rows"))
}

fn decide(column: &ColumnStatistics, schema: Option<&Schema>, suggestion: &mut Suggestion) {
    let is_categorical = schema.is_some_and(|schema| is_categorical(&column.name, schema));
    match &column.kind {
        ColumnKind::Boolean => boolean(column, suggestion),
        ColumnKind::Integer | ColumnKind::Unsigned if is_categorical => {
            suggestion.reasons.push("the schema calls it categorical".into());
            suggestion.operations.push("one_hot".into());
        }
        ColumnKind::Integer | ColumnKind::Unsigned if looks_like_codes(column) => {
            let distinct = column.distinct.map_or(0, |distinct| distinct.count);
            suggestion.reasons.push(format!("{distinct} integers far apart: codes rather than amounts"));
            suggestion.operations.push("one_hot".into());
        }
        ColumnKind::Integer | ColumnKind::Unsigned | ColumnKind::Float | ColumnKind::Decimal { .. } => {
            number(column, suggestion);
        }
        ColumnKind::Text => text(column, suggestion),
        ColumnKind::Date | ColumnKind::Timestamp { zone: None, .. } => time(column, suggestion),
        ColumnKind::Timestamp { .. } => {
            suggestion.reasons.push("is a time with a zone: derive from `CAST(… AS TIMESTAMP)`".into());
        }
        other => suggestion.reasons.push(format!("is {other}: no operation takes it as it is")),
    }
}

fn is_categorical(name: &str, schema: &Schema) -> bool {
    let feature = schema.features.iter().find(|feature| feature.name == name);
    matches!(
        feature.and_then(|feature| feature.domain.as_ref()),
        Some(Domain::Int { is_categorical: true, .. } | Domain::Float { is_categorical: true, .. })
    )
}

/// Whether integers have so few values in so wide a range, and none of the small ones, that they name things.
fn looks_like_codes(column: &ColumnStatistics) -> bool {
    let (Some(numeric), Some(distinct)) = (&column.numeric, column.distinct) else { return false };
    let (Some(min), Some(max)) = (numeric.min, numeric.max) else { return false };
    (2..=MOST_LEVELS).contains(&distinct.count)
        && min >= CODES_FROM
        && max - min > CODES_APART * distinct.count as f64
}

fn boolean(column: &ColumnStatistics, suggestion: &mut Suggestion) {
    let missing = missing_share(column);
    if missing > 0.0 {
        suggestion.reasons.push(format!("true or false, missing in {} of the rows", percent(missing)));
        suggestion.operations.push("one_hot".into());
    } else {
        suggestion.reasons.push("true or false: 1 or 0".into());
        suggestion.operations.push("pass_through".into());
    }
}

fn number(column: &ColumnStatistics, suggestion: &mut Suggestion) {
    let Some(numeric) = &column.numeric else {
        suggestion.reasons.push("has no statistics of numbers".into());
        return;
    };
    let Suggestion { operations, reasons, .. } = suggestion;
    let infinite = column.presence.num_positive_infinity + column.presence.num_negative_infinity;
    if let (Some(min), Some(max), true) = (numeric.min, numeric.max, infinite > 0) {
        reasons.push(format!("{infinite} infinite values"));
        operations.push(format!("clip {min:?} {max:?}"));
    }
    let missing = missing_share(column);
    if missing > 0.0 {
        reasons.push(format!("missing in {} of the rows", percent(missing)));
        let is_worth = missing >= WORTH_AN_INDICATOR;
        operations.push(if is_worth { "impute with indicator" } else { "impute" }.into());
    }
    match (skew(numeric), numeric.min) {
        (Some(reason), Some(min)) if min >= 0.0 => {
            reasons.push(format!("{reason}, none below 0"));
            operations.extend(["log1p".into(), "standardize".into()]);
        }
        (Some(reason), _) => {
            reasons.push(format!("{reason}, on both sides of 0"));
            operations.push("bucketize".into());
        }
        (None, _) => {
            reasons.push("a number".into());
            operations.push("standardize".into());
        }
    }
}

/// What makes the distribution lopsided, if so.
fn skew(numeric: &NumericStatistics) -> Option<String> {
    let quantiles = numeric.quantiles.as_ref()?;
    let (median, mean, deviation) = (quantiles.at(0.5)?, numeric.mean?, numeric.standard_deviation?);
    let skew = (mean - median) / deviation;
    if skew.abs() > SKEW {
        return Some(format!("skewed, mean {} and median {}", short(mean), short(median)));
    }
    let (low, high) = (quantiles.at(0.25)?, quantiles.at(0.75)?);
    let (above, below) = (numeric.max? - median, median - numeric.min?);
    let is_far = |distance: f64| distance > TAIL * (high - low);
    (high > low && (is_far(above) || is_far(below))).then(|| {
        let (half_low, half_high) = (short(low), short(high));
        format!("a long tail, half of the values lie in {half_low} to {half_high}")
    })
}

/// A number in a comment: four digits will do.
fn short(number: f64) -> String {
    let text = format!("{number:.3e}");
    let rounded: f64 = text.parse().unwrap_or(number);
    format!("{rounded}")
}

fn text(column: &ColumnStatistics, suggestion: &mut Suggestion) {
    let Some(distinct) = column.distinct.map(|distinct| distinct.count) else {
        suggestion.reasons.push("text of which the statistics do not say how many values it has".into());
        return;
    };
    let is_wide = distinct > MOST_LEVELS;
    let kept = if is_wide { format!(", the {MOST_LEVELS} most frequent of them") } else { String::new() };
    suggestion.reasons.push(format!("text with {distinct} values{kept}"));
    let missing = missing_share(column);
    if missing >= WORTH_AN_INDICATOR {
        suggestion.reasons.push(format!("missing in {} of the rows: a level of its own", percent(missing)));
        suggestion.operations.push("impute level".into());
    }
    suggestion.operations.push(if is_wide { "vocabulary" } else { "one_hot" }.into());
}

fn time(column: &ColumnStatistics, suggestion: &mut Suggestion) {
    let parts: &[&str] =
        if column.kind == ColumnKind::Date { &["month", "dayofweek"] } else { &["hour", "dayofweek"] };
    suggestion.reasons.push("a time: what recurs in it".into());
    suggestion.operations.extend(parts.iter().map(|part| format!("derive {part}")));
}

impl Suggestions {
    /// As a section of a pipeline file, with the reason for every column.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut yaml = format!(
            "# Proposed from the statistics of `{}`, {} rows. A start: read it, then edit it.\ntransform:\n",
            self.subset, self.num_rows
        );
        self.write_clips(&mut yaml);
        self.write_group(&mut yaml, "impute", "impute: { columns: [@], with: median }");
        self.write_group(
            &mut yaml,
            "impute with indicator",
            "impute: { columns: [@], with: median, indicator: true }",
        );
        self.write_group(&mut yaml, "impute level", "impute: { columns: [@], with: { constant: missing } }");
        self.write_group(&mut yaml, "log1p", "math: { columns: [@], function: log1p }");
        self.write_group(&mut yaml, "standardize", "standardize: [@]");
        self.write_group(
            &mut yaml,
            "bucketize",
            &format!("bucketize: {{ columns: [@], buckets: {BUCKETS}, by: quantile }}"),
        );
        self.write_group(&mut yaml, "pass_through", "pass_through: [@]");
        self.write_group(&mut yaml, "one_hot", "one_hot: [@]");
        let vocabulary = format!("vocabulary: {{ columns: [@], top: {MOST_LEVELS} }}");
        self.write_group(&mut yaml, "vocabulary", &vocabulary);
        self.write_times(&mut yaml);
        if self.columns.iter().all(|column| column.operations.is_empty()) {
            yaml.push_str("  []\n");
        }
        let mut left_out = self.columns.iter().filter(|column| column.operations.is_empty()).peekable();
        if left_out.peek().is_some() {
            yaml.push_str("  # Left out:\n");
        }
        for column in left_out {
            comment(&mut yaml, column);
        }
        yaml
    }

    fn with<'a>(&'a self, operation: &'a str) -> impl Iterator<Item = &'a Suggestion> {
        self.columns.iter().filter(move |column| column.operations.iter().any(|known| known == operation))
    }

    /// One operation on all columns that it is proposed for; the reasons stand where a column first occurs.
    fn write_group(&self, yaml: &mut String, operation: &str, form: &str) {
        let columns: Vec<&Suggestion> = self.with(operation).collect();
        if columns.is_empty() {
            return;
        }
        for column in &columns {
            let is_clipped = column.operations.iter().any(|known| known.starts_with("clip"));
            if !is_clipped && column.operations.first().is_some_and(|first| first == operation) {
                comment(yaml, column);
            }
        }
        let names: Vec<String> = columns.iter().map(|column| plain(&column.column)).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(yaml, "  - {}", form.replace('@', &names.join(", ")));
    }

    /// Bounds are each column's own.
    fn write_clips(&self, yaml: &mut String) {
        for column in &self.columns {
            let clip = column.operations.iter().find_map(|operation| operation.strip_prefix("clip "));
            if let Some((low, high)) = clip.and_then(|bounds| bounds.split_once(' ')) {
                comment(yaml, column);
                let name = plain(&column.column);
                let _ = writeln!(yaml, "  - clip: {{ columns: [{name}], at_least: {low}, at_most: {high} }}");
            }
        }
    }

    fn write_times(&self, yaml: &mut String) {
        for column in &self.columns {
            let parts: Vec<&str> =
                column.operations.iter().filter_map(|operation| operation.strip_prefix("derive ")).collect();
            if parts.is_empty() {
                continue;
            }
            comment(yaml, column);
            let names: Vec<String> =
                parts.iter().map(|part| plain(&format!("{} {part}", column.column))).collect();
            let identifier = format!("\"{}\"", column.column.replace('"', "\"\""));
            let derived = parts.iter().zip(&names).map(|(part, name)| {
                let expression = format!("{part}({identifier})");
                format!("{name}: {}", quoted(&expression))
            });
            let derived: Vec<String> = derived.collect();
            let _ = writeln!(yaml, "  - derive: {{ {} }}", derived.join(", "));
            let _ = writeln!(yaml, "  - one_hot: [{}]", names.join(", "));
        }
    }
}

fn comment(yaml: &mut String, column: &Suggestion) {
    // A name may hold a line break, which would end the comment.
    let name = column.column.replace(['\n', '\r'], " ");
    let _ = writeln!(yaml, "  # {name}: {}", column.reasons.join("; "));
}

/// A name as YAML reads it back: as it is where that is safe, else in quotes.
fn plain(name: &str) -> String {
    let mut characters = name.chars();
    let begins = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    let is_word = begins && characters.all(|character| character.is_ascii_alphanumeric() || character == '_');
    let lower = name.to_ascii_lowercase();
    let means_something =
        ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&lower.as_str());
    if is_word && !means_something { name.to_owned() } else { quoted(name) }
}

/// A text in double quotes.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use sluice_core::statistics::{Distinct, Presence, Quantiles};

    use super::*;

    fn column(name: &str, kind: ColumnKind, distinct: u64, missing: u64) -> ColumnStatistics {
        ColumnStatistics {
            presence: Presence { num_rows: 1000, num_missing: missing, ..Presence::default() },
            distinct: Some(Distinct { count: distinct, relative_error: 0.0 }),
            ..ColumnStatistics::new(name, kind)
        }
    }

    fn numbers(name: &str, missing: u64, (min, quartiles, max): (f64, [f64; 3], f64)) -> ColumnStatistics {
        let quantiles = Quantiles {
            values: [0.25, 0.5, 0.75].into_iter().zip(quartiles).collect(),
            rank_error_fraction: 0.0,
        };
        let numeric = NumericStatistics {
            num_finite: 1000 - missing,
            num_zeros: 0,
            mean: Some(quartiles[1]),
            standard_deviation: Some(1.0),
            min: Some(min),
            max: Some(max),
            exact_range: None,
            quantiles: Some(quantiles),
            histograms: None,
        };
        ColumnStatistics { numeric: Some(numeric), ..column(name, ColumnKind::Float, 900, missing) }
    }

    #[test]
    fn every_column_gets_operations_or_a_reason_to_be_left_out() {
        let statistics = DatasetStatistics {
            name: "train".into(),
            num_rows: 1000,
            columns: vec![
                column("id", ColumnKind::Integer, 1000, 0),
                column("tips", ColumnKind::Float, 90, 0),
                column("city", ColumnKind::Text, 1, 0),
                column("empty", ColumnKind::Text, 0, 1000),
                column("company name", ColumnKind::Text, 30, 50),
                ColumnStatistics {
                    presence: Presence { num_rows: 10_000, ..Presence::default() },
                    ..column("street", ColumnKind::Text, 5000, 0)
                },
                column("paid", ColumnKind::Boolean, 2, 0),
                column("when", ColumnKind::Timestamp { zone: None, nanoseconds: false }, 900, 0),
                numbers("fare", 5, (0.0, [6.0, 8.0, 15.0], 9000.0)),
                numbers("change", 50, (-9000.0, [-1.0, 0.0, 1.0], 9000.0)),
                ColumnStatistics {
                    kind: ColumnKind::Integer,
                    ..ColumnStatistics {
                        distinct: Some(Distinct { count: 80, relative_error: 0.0 }),
                        ..numbers("zip", 0, (10_115.0, [20_000.0, 40_000.0, 60_000.0], 99_998.0))
                    }
                },
                numbers("age", 0, (18.0, [30.0, 40.0, 50.0], 90.0)),
            ],
            ..DatasetStatistics::default()
        };
        let roles = Roles { label: Some("tips".into()), ..Roles::default() };
        let suggestions = suggest(&statistics, None, &roles);
        assert!(suggestions.columns.iter().all(|column| !column.reasons.is_empty()), "{suggestions:?}");
        let yaml = suggestions.to_yaml();
        let lines: Vec<&str> = yaml.lines().map(str::trim).filter(|line| line.starts_with("- ")).collect();
        assert_eq!(
            lines,
            [
                "- impute: { columns: [fare], with: median }",
                "- impute: { columns: [change], with: median, indicator: true }",
                "- impute: { columns: [\"company name\"], with: { constant: missing } }",
                "- math: { columns: [fare], function: log1p }",
                "- standardize: [fare, age]",
                "- bucketize: { columns: [change], buckets: 10, by: quantile }",
                "- pass_through: [paid]",
                "- one_hot: [\"company name\", zip]",
                "- vocabulary: { columns: [street], top: 1000 }",
                "- derive: { \"when hour\": \"hour(\\\"when\\\")\", \"when dayofweek\": \"dayofweek(\\\"when\\\")\" }",
                "- one_hot: [\"when hour\", \"when dayofweek\"]",
            ]
        );
        for reason in [
            "# id: looks like a key: 1000 different values in 1000 rows",
            "# tips: is the label",
            "# zip: 80 integers far apart: codes rather than amounts",
            "# city: has one value only",
            "# empty: has no value",
            "# street: text with 5000 values, the 1000 most frequent of them",
            "# fare: missing in 0.5 % of the rows; a long tail, half of the values lie in 6 to 15, none below 0",
        ] {
            assert!(yaml.contains(reason), "{reason}\n{yaml}");
        }
    }
}

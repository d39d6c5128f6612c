//! Spans: the numbered pieces in which data arrive, found by a pattern in their path.
//!
//! `data/span-{SPAN}/*.parquet` has a span per folder; `{SPAN:4}` is a number of four digits; `{VERSION}` numbers
//! what a span was delivered again as, of which the last counts; `{YYYY}`, `{MM}` and `{DD}` together are a date,
//! and the span is its number of days since 1970-01-01. These are TFX's patterns, so that its folders can be read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use regex::Regex;
use serde::{Deserialize, Serialize};

use sluice_core::error::{CommonError, Diagnostic, ErrorKind, Result};

/// What is wrong with spans.
#[derive(Debug, thiserror::Error)]
pub enum SpanError {
    /// A selection that cannot be read.
    #[error("`{text}` does not say which spans to read")]
    Selection {
        /// The text.
        text: String,
    },
    /// A range that ends before it begins.
    #[error("the spans `{text}` end before they begin")]
    Backwards {
        /// The text.
        text: String,
    },
    /// A pattern that cannot be used.
    #[error("`{location}`: {problem}")]
    Pattern {
        /// The pattern.
        location: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Spans are chosen of an input that has none.
    #[error("spans are chosen, but no input has `{{SPAN}}` or a date in its path")]
    NoPattern,
    /// There is not a single one.
    #[error("no span matches `{location}`")]
    Nothing {
        /// The pattern.
        location: String,
    },
    /// Some of those that were asked for are not there.
    #[error("span {missing} of `{location}` is missing")]
    Missing {
        /// The pattern.
        location: String,
        /// Those that are missing.
        missing: String,
        /// Those that are there.
        found: String,
    },
    /// Two paths claim to be the same span.
    #[error("`{first}` and `{second}` are both span {span}")]
    Twice {
        /// The span.
        span: String,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// Inputs whose latest spans are not the same.
    #[error("the latest span of input `{first}` is {first_span}, but that of `{second}` is {second_span}")]
    Disagree {
        /// An input.
        first: String,
        /// Its latest span.
        first_span: String,
        /// Another input.
        second: String,
        /// Its latest span.
        second_span: String,
    },
}

impl Diagnostic for SpanError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Selection { .. } | Self::Backwards { .. } | Self::Pattern { .. } | Self::NoPattern => {
                ErrorKind::Usage
            }
            Self::Nothing { .. } | Self::Missing { .. } | Self::Disagree { .. } => ErrorKind::Unavailable,
            Self::Twice { .. } => ErrorKind::Malformed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Selection { .. } | Self::Backwards { .. } => {
                "write `latest`, a span such as `3` or `2014-05-31`, a range such as `3..5`, or `last 7`"
                    .into()
            }
            Self::Pattern { .. } => {
                "for example `data/span-{SPAN}/*.parquet`, `data/{SPAN:4}/v{VERSION}/*.csv` or \
                 `data/{YYYY}-{MM}-{DD}/*.parquet`"
                    .into()
            }
            Self::NoPattern => "for example `inputs: {trips: \"data/span-{SPAN}/*.parquet\"}`".into(),
            Self::Nothing { .. } => "check the path before the number, and that the data have arrived".into(),
            Self::Missing { found, .. } => format!("there is {found}; wait for it, or choose other spans"),
            Self::Twice { .. } => "keep one of them, or number deliveries of a span with `{VERSION}`".into(),
            Self::Disagree { .. } => "wait for the missing one, or choose the spans: `spans: 3`".into(),
        })
    }
}

/// Which spans are read. Dates stand for their number of days since 1970-01-01.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SpanSelection {
    /// The one with the highest number.
    #[default]
    Latest,
    /// The latest ones, so many numbers up to the highest: a rolling window.
    Last(u64),
    /// All from one to another, both included.
    Range(u64, u64),
}

impl FromStr for SpanSelection {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let wrong = || SpanError::Selection { text: text.into() };
        let trimmed = text.trim();
        if trimmed == "latest" {
            return Ok(Self::Latest);
        }
        if let Some(count) = trimmed.strip_prefix("last ") {
            let count = count.trim().parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?;
            return Ok(Self::Last(count));
        }
        let number = |text: &str| parse_span(text.trim()).ok_or_else(wrong);
        match trimmed.split_once("..") {
            Some((from, to)) => {
                let (from, to) = (number(from)?, number(to)?);
                if from > to {
                    return Err(SpanError::Backwards { text: text.into() });
                }
                Ok(Self::Range(from, to))
            }
            None => number(trimmed).map(|span| Self::Range(span, span)),
        }
    }
}

impl std::fmt::Display for SpanSelection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Latest => formatter.write_str("latest"),
            Self::Last(count) => write!(formatter, "last {count}"),
            Self::Range(from, to) if from == to => write!(formatter, "{from}"),
            Self::Range(from, to) => write!(formatter, "{from}..{to}"),
        }
    }
}

impl Serialize for SpanSelection {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SpanSelection {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(span) => Ok(Self::Range(span, span)),
            Written::Text(text) => text.parse().map_err(|error: SpanError| {
                let hint = error.hint().unwrap_or_default();
                serde::de::Error::custom(format!("{error}; {hint}"))
            }),
        }
    }
}

/// A number, or a date as its days since 1970-01-01.
fn parse_span(text: &str) -> Option<u64> {
    if let Ok(span) = text.parse() {
        return Some(span);
    }
    let mut parts = text.splitn(3, '-');
    let year = parts.next().filter(|year| year.len() == 4)?.parse().ok()?;
    days(year, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?)
}

/// Days from 1970-01-01 to a date; `None` before it or where there is no such date.
fn days(year: i32, month: u32, day: u32) -> Option<u64> {
    u64::try_from(chrono::NaiveDate::from_ymd_opt(year, month, day)?.to_epoch_days()).ok()
}

/// A span as the pattern shows it: a date where it has dates.
fn shown(span: u64, by_date: bool) -> String {
    let date = i32::try_from(span).ok().filter(|_| by_date).and_then(chrono::NaiveDate::from_epoch_days);
    date.map_or_else(|| span.to_string(), |date| date.to_string())
}

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

/// Whether a location has spans.
#[must_use]
pub fn has_spans(location: &str) -> bool {
    PLACEHOLDERS.iter().any(|name| location.contains(&format!("{{{name}")))
}

const PLACEHOLDERS: [&str; 5] = ["SPAN", "VERSION", "YYYY", "MM", "DD"];

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
    let mut latest: Option<(&String, u64, bool)> = None;
    for (input, (pattern, spans)) in &found {
        let Some(highest) = spans.keys().next_back().copied() else {
            return Err(SpanError::Nothing { location: pattern.location.clone() }.into());
        };
        match latest {
            Some((first, span, by_date))
                if span != highest && !matches!(selection, Some(SpanSelection::Range(..))) =>
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
    let (from, to) = match selection.cloned().unwrap_or_default() {
        SpanSelection::Latest => (highest, highest),
        SpanSelection::Last(count) => ((highest + 1).saturating_sub(count), highest),
        SpanSelection::Range(from, to) => (from, to),
    };
    found.into_iter().map(|(input, (pattern, spans))| Ok((input, pattern.chosen(spans, from, to)?))).collect()
}

/// Versions and locations of each span.
type Found = BTreeMap<u64, BTreeMap<Option<u64>, String>>;

/// A location with placeholders, one matcher per part of the path up to the last that has one.
struct Pattern {
    location: String,
    by_date: bool,
    parts: Vec<String>,
    /// How many parts have to be matched.
    matched: usize,
}

/// What the placeholders of a path stood for.
#[derive(Clone, Debug, Default)]
struct Values {
    span: Option<u64>,
    version: Option<u64>,
    date: (Option<i32>, Option<u32>, Option<u32>),
}

impl Pattern {
    fn new(location: &str) -> Result<Self, SpanError> {
        let wrong = |problem: &str| SpanError::Pattern { location: location.into(), problem: problem.into() };
        let count = |name: &str| location.matches(&format!("{{{name}")).count();
        let (span, version, date) = (count("SPAN"), count("VERSION"), ["YYYY", "MM", "DD"].map(count));
        if span > 1 || version > 1 || date.iter().any(|count| *count > 1) {
            return Err(wrong("a placeholder stands in it twice"));
        }
        let by_date = date.iter().sum::<usize>() > 0;
        if by_date && (span > 0 || date != [1, 1, 1]) {
            return Err(wrong("a span is either `{SPAN}` or all of `{YYYY}`, `{MM}` and `{DD}`"));
        }
        if !by_date && span == 0 {
            return Err(wrong("`{VERSION}` needs a span"));
        }
        let parts: Vec<String> = location.split('/').map(str::to_owned).collect();
        let matched = parts.iter().rposition(|part| has_spans(part)).map_or(0, |last| last + 1);
        if parts[..matched].iter().any(|part| part == "**") {
            return Err(wrong("`**` cannot stand before a placeholder"));
        }
        let pattern = Self { location: location.into(), by_date, parts, matched };
        for part in &pattern.parts[..pattern.matched] {
            pattern.matcher(part)?;
        }
        Ok(pattern)
    }

    /// A part of the path as a regular expression with a group per placeholder.
    fn matcher(&self, part: &str) -> Result<Regex, SpanError> {
        let wrong = |problem: String| SpanError::Pattern { location: self.location.clone(), problem };
        let mut expression = String::from("^");
        let mut rest = part;
        while let Some(first) = rest.chars().next() {
            if first == '{' {
                let Some((inside, after)) = rest[1..].split_once('}') else {
                    return Err(wrong("a `{` is not closed".into()));
                };
                let (name, width) = match inside.split_once(':') {
                    Some((name, width)) => {
                        let width: u8 = width
                            .parse()
                            .ok()
                            .filter(|width| (1..=18).contains(width))
                            .ok_or_else(|| wrong(format!("`{width}` is not a width between 1 and 18")))?;
                        (name, Some(width))
                    }
                    None => (inside, None),
                };
                let digits = match (name, width) {
                    ("YYYY", None) => "[0-9]{4}".to_owned(),
                    ("MM" | "DD", None) => "[0-9]{2}".to_owned(),
                    ("SPAN" | "VERSION", Some(width)) => format!("[0-9]{{{width}}}"),
                    ("SPAN" | "VERSION", None) => {
                        if after.starts_with(|next: char| next.is_ascii_digit() || "*?[{".contains(next)) {
                            let problem = format!(
                                "where `{{{name}}}` ends cannot be told; give its width: `{{{name}:4}}`"
                            );
                            return Err(wrong(problem));
                        }
                        "[0-9]{1,18}".to_owned()
                    }
                    _ => return Err(wrong(format!("there is no placeholder `{{{inside}}}`"))),
                };
                expression.push_str(&format!("(?<{name}>{digits})"));
                rest = after;
                continue;
            }
            match first {
                '*' => expression.push_str(".*"),
                '?' => expression.push('.'),
                '[' => {
                    let Some(end) = rest[1..].find(']') else {
                        return Err(wrong("a `[` is not closed".into()));
                    };
                    expression.push_str(&rest[..end + 2].replacen("[!", "[^", 1));
                    rest = &rest[end + 2..];
                    continue;
                }
                literal => expression.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4]))),
            }
            rest = &rest[first.len_utf8()..];
        }
        expression.push('$');
        Regex::new(&expression).map_err(|_| wrong("it cannot be read as a pattern".into()))
    }

    /// All spans that are there.
    fn find(&self, base: &Path) -> Result<Found> {
        let mut found = Found::new();
        self.walk(base, 0, String::new(), &Values::default(), &mut found)?;
        Ok(found)
    }

    fn walk(
        &self,
        base: &Path,
        depth: usize,
        prefix: String,
        values: &Values,
        found: &mut Found,
    ) -> Result<()> {
        if depth == self.matched {
            return self.add(prefix, values, found);
        }
        let part = &self.parts[depth];
        let join = |name: &str| if depth == 0 { name.to_owned() } else { format!("{prefix}/{name}") };
        if !has_spans(part) && !part.contains(['*', '?', '[']) {
            return self.walk(base, depth + 1, join(part), values, found);
        }
        let matcher = self.matcher(part)?;
        let folder: PathBuf = if depth == 0 { base.to_owned() } else { base.join(format!("{prefix}/")) };
        let entries = match fs_err::read_dir(&folder) {
            Ok(entries) => entries,
            // A wildcard may lead to a file where another leads to a folder.
            Err(error)
                if depth > 0
                    && matches!(
                        error.kind(),
                        std::io::ErrorKind::NotADirectory | std::io::ErrorKind::NotFound
                    ) =>
            {
                return Ok(());
            }
            Err(error) => return Err(CommonError::file("list", &folder, error).into()),
        };
        for entry in entries {
            let entry = entry.map_err(|error| CommonError::file("list", &folder, error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(groups) = matcher.captures(&name) else { continue };
            let number =
                |group: &str| groups.name(group).and_then(|digits| digits.as_str().parse::<u64>().ok());
            let small = |group: &str| number(group).and_then(|number| u32::try_from(number).ok());
            let (year, month, day) = values.date;
            let values = Values {
                span: number("SPAN").or(values.span),
                version: number("VERSION").or(values.version),
                date: (
                    small("YYYY").and_then(|year| i32::try_from(year).ok()).or(year),
                    small("MM").or(month),
                    small("DD").or(day),
                ),
            };
            // Only the placeholders are filled in: what else varies stays a pattern.
            let mut filled = part.clone();
            for placeholder in PLACEHOLDERS {
                if let (Some(digits), Some(start)) =
                    (groups.name(placeholder), filled.find(&format!("{{{placeholder}")))
                    && let Some(end) = filled[start..].find('}')
                {
                    filled.replace_range(start..=start + end, digits.as_str());
                }
            }
            let next = join(&filled);
            self.walk(base, depth + 1, next, &values, found)?;
        }
        Ok(())
    }

    fn add(&self, prefix: String, values: &Values, found: &mut Found) -> Result<()> {
        let span = match values.date {
            (Some(year), Some(month), Some(day)) => days(year, month, day),
            _ => values.span,
        };
        // Digits that are no date are some other folder.
        let Some(span) = span else { return Ok(()) };
        let rest = self.parts[self.matched..].join("/");
        let location = if rest.is_empty() { prefix } else { format!("{prefix}/{rest}") };
        match found.entry(span).or_default().entry(values.version) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(location);
            }
            std::collections::btree_map::Entry::Occupied(entry) if *entry.get() != location => {
                let (first, second) = (entry.get().clone(), location);
                let (first, second) = if first < second { (first, second) } else { (second, first) };
                return Err(SpanError::Twice { span: shown(span, self.by_date), first, second }.into());
            }
            std::collections::btree_map::Entry::Occupied(_) => {}
        }
        Ok(())
    }

    /// The last version of each span from `from` to `to`.
    fn chosen(&self, spans: Found, from: u64, to: u64) -> Result<Vec<FoundSpan>, SpanError> {
        let missing: Vec<u64> = (from..=to).filter(|span| !spans.contains_key(span)).take(10).collect();
        if !missing.is_empty() {
            let list = |spans: &mut dyn Iterator<Item = u64>| {
                spans.map(|span| shown(span, self.by_date)).collect::<Vec<_>>().join(", ")
            };
            let found = match (spans.keys().next(), spans.keys().next_back()) {
                (Some(first), Some(last)) if spans.len() > 10 => format!(
                    "{} spans from {} to {}",
                    spans.len(),
                    shown(*first, self.by_date),
                    shown(*last, self.by_date)
                ),
                _ => format!("span {}", list(&mut spans.keys().copied())),
            };
            return Err(SpanError::Missing {
                location: self.location.clone(),
                missing: list(&mut missing.into_iter()),
                found,
            });
        }
        Ok(spans
            .into_iter()
            .filter(|(span, _)| (from..=to).contains(span))
            .filter_map(|(span, versions)| {
                versions.into_iter().next_back().map(|(version, location)| FoundSpan {
                    span,
                    version,
                    location,
                })
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(paths: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in paths {
            let path = folder.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "x\n1\n").unwrap();
        }
        folder
    }

    fn select(base: &Path, location: &str, selection: &str) -> Result<Vec<(u64, Option<u64>, String)>> {
        let inputs = BTreeMap::from([("t".to_owned(), location.to_owned())]);
        let selection: SpanSelection = selection.parse()?;
        let found = select_spans(&inputs, base, Some(&selection))?;
        Ok(found["t"].iter().map(|span| (span.span, span.version, span.location.clone())).collect())
    }

    fn one(span: u64, version: Option<u64>, location: &str) -> (u64, Option<u64>, String) {
        (span, version, location.to_owned())
    }

    #[test]
    fn spans_and_versions_in_folders() {
        let place = folder(&[
            "d/span-1/v-1/a.csv",
            "d/span-2/v-1/a.csv",
            "d/span-2/v-10/a.csv",
            "d/span-2/v-9/a.csv",
            "d/span-10/v-1/a.csv",
            "d/other/v-1/a.csv",
            "d/span-x/v-1/a.csv",
        ]);
        let pattern = "d/span-{SPAN}/v-{VERSION}/*.csv";
        assert_eq!(
            select(place.path(), pattern, "latest").unwrap(),
            [one(10, Some(1), "d/span-10/v-1/*.csv")]
        );
        assert_eq!(
            select(place.path(), pattern, "1..2").unwrap(),
            [one(1, Some(1), "d/span-1/v-1/*.csv"), one(2, Some(10), "d/span-2/v-10/*.csv")]
        );
        let error = select(place.path(), pattern, "last 3").unwrap_err();
        assert_eq!(error.to_string(), format!("span 8, 9 of `{pattern}` is missing"));
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.hint().unwrap().contains("there is span 1, 2, 10"));
    }

    #[test]
    fn dates_and_spans_in_file_names() {
        let place = folder(&[
            "2014/05/31/a.csv",
            "2014/06/01/a.csv",
            "2014/13/01/a.csv",
            "t-003-a.csv",
            "t-003-b.csv",
        ]);
        assert_eq!(
            select(place.path(), "{YYYY}/{MM}/{DD}/a.csv", "last 2").unwrap(),
            [one(16_221, None, "2014/05/31/a.csv"), one(16_222, None, "2014/06/01/a.csv")]
        );
        assert_eq!(
            select(place.path(), "{YYYY}/{MM}/{DD}", "2014-05-31").unwrap(),
            [one(16_221, None, "2014/05/31")]
        );
        assert_eq!(select(place.path(), "t-{SPAN:3}-*.csv", "3").unwrap(), [one(3, None, "t-003-*.csv")]);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let place = folder(&["s1/a.csv", "s01/a.csv"]);
        for (pattern, problem) in [
            ("{SPAN}/{SPAN}/a", "twice"),
            ("{YYYY}/{MM}/a", "all of"),
            ("{SPAN}/{YYYY}{MM}{DD}/a", "either"),
            ("v{VERSION}/a", "needs a span"),
            ("**/{SPAN}/a", "`**`"),
            ("t{SPAN}*.csv", "width"),
            ("t{SPAN:x}.csv", "not a width"),
            ("t{SPAM}{SPAN}.csv", "no placeholder `{SPAM}`"),
            ("t{SPAN.csv", "not closed"),
        ] {
            let error = select(place.path(), pattern, "latest").unwrap_err();
            assert!(error.to_string().contains(problem), "{pattern}: {error}");
            assert_eq!(error.kind(), ErrorKind::Usage);
        }
        let error = select(place.path(), "s{SPAN}/a.csv", "latest").unwrap_err();
        assert_eq!(error.to_string(), "`s01/a.csv` and `s1/a.csv` are both span 1");
        for text in ["", "first", "last 0", "5..3", "2014-02-30", "1..x"] {
            assert!(text.parse::<SpanSelection>().is_err(), "{text}");
        }
        for text in ["latest", "last 7", "3", "3..5"] {
            assert_eq!(text.parse::<SpanSelection>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn inputs_agree_on_the_latest_span() {
        let place = folder(&["a/1/x.csv", "a/2/x.csv", "b/1/x.csv", "c.csv"]);
        let inputs = |names: &[(&str, &str)]| {
            names.iter().map(|(name, location)| ((*name).to_owned(), (*location).to_owned())).collect()
        };
        let both: BTreeMap<String, String> =
            inputs(&[("a", "a/{SPAN}/x.csv"), ("b", "b/{SPAN}/x.csv"), ("c", "c.csv")]);
        let error = select_spans(&both, place.path(), None).unwrap_err();
        assert_eq!(error.to_string(), "the latest span of input `a` is 2, but that of `b` is 1");
        let chosen = select_spans(&both, place.path(), Some(&SpanSelection::Range(1, 1))).unwrap();
        assert_eq!(chosen.keys().collect::<Vec<_>>(), ["a", "b"]);
        let none = inputs(&[("c", "c.csv")]);
        assert!(select_spans(&none, place.path(), None).unwrap().is_empty());
        assert!(select_spans(&none, place.path(), Some(&SpanSelection::Latest)).is_err());
    }
}

//! A location with placeholders: what its parts match, and the spans that are found by it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;

use regex::Regex;

use sluice_core::error::{CommonError, Result};

use super::FoundSpan;
use super::error::SpanError;
use super::selection::{days, shown};

const PLACEHOLDERS: [&str; 5] = ["SPAN", "VERSION", "YYYY", "MM", "DD"];

/// Whether a location has spans.
#[must_use]
pub fn has_spans(location: &str) -> bool {
    PLACEHOLDERS.iter().any(|name| location.contains(&format!("{{{name}")))
}

/// Versions and locations of each span.
pub(super) type Found = BTreeMap<u64, BTreeMap<Option<u64>, String>>;

/// Where the parts of a path are looked up.
enum Tree<'a> {
    Disk {
        base: &'a Path,
    },
    /// The names of all objects behind the first `depth` parts.
    Bucket {
        depth: usize,
        names: Vec<String>,
    },
}

impl Tree<'_> {
    /// The names in a folder, which `depth` parts lead to.
    fn names_in(&self, depth: usize, prefix: &str) -> Result<Vec<String>> {
        let base = match self {
            Self::Disk { base } => base,
            Self::Bucket { depth: fixed, names } => {
                let below: String = prefix.split('/').skip(*fixed).map(|part| format!("{part}/")).collect();
                let names = names.iter().filter_map(|name| name.strip_prefix(&below)?.split('/').next());
                return Ok(names.collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect());
            }
        };
        let folder = if depth == 0 { base.to_path_buf() } else { base.join(format!("{prefix}/")) };
        let failed = |error| CommonError::file("list", &folder, error);
        let entries = match fs_err::read_dir(&folder) {
            Ok(entries) => entries,
            // A wildcard may lead to a file where another leads to a folder.
            Err(error)
                if depth > 0 && matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::NotFound) =>
            {
                return Ok(Vec::new());
            }
            Err(error) => return Err(failed(error).into()),
        };
        let name = |entry: fs_err::DirEntry| entry.file_name().to_string_lossy().into_owned();
        Ok(entries.map(|entry| entry.map(name)).collect::<std::io::Result<_>>().map_err(failed)?)
    }
}

/// A location with placeholders, one matcher per part of the path up to the last that has one.
pub(super) struct Pattern {
    pub(super) location: String,
    pub(super) by_date: bool,
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
    pub(super) fn new(location: &str) -> Result<Self, SpanError> {
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
    pub(super) fn find(&self, base: &Path) -> Result<Found> {
        let mut found = Found::new();
        let varies = |part: &String| has_spans(part) || part.contains(['*', '?', '[']);
        let fixed = self.parts.iter().take_while(|part| !varies(part)).count();
        let tree = match sluice_source::names_below(&self.parts[..fixed].join("/"), base)? {
            Some(names) => Tree::Bucket { depth: fixed, names },
            None => Tree::Disk { base },
        };
        self.walk(&tree, 0, String::new(), &Values::default(), &mut found)?;
        Ok(found)
    }

    fn walk(
        &self,
        tree: &Tree<'_>,
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
            return self.walk(tree, depth + 1, join(part), values, found);
        }
        let matcher = self.matcher(part)?;
        for name in tree.names_in(depth, &prefix)? {
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
            self.walk(tree, depth + 1, next, &values, found)?;
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
    pub(super) fn chosen(
        &self,
        spans: Found,
        (from, to): (u64, u64),
        wanted: Option<&BTreeSet<u64>>,
    ) -> Result<Vec<FoundSpan>, SpanError> {
        let is_missing = |span: &u64| !spans.contains_key(span);
        let missing: Vec<u64> = match wanted {
            Some(wanted) => wanted.iter().copied().filter(is_missing).take(10).collect(),
            None => (from..=to).filter(is_missing).take(10).collect(),
        };
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

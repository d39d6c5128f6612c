//! Which spans are read, and how they are written: numbers or dates.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use sluice_core::error::Diagnostic;

use super::error::SpanError;

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
    /// Those of a window that are there; one that no input has is left out.
    WithGaps(Box<Self>),
}

/// What a selection ends with that leaves out what is missing.
const WITH_GAPS: &str = " with gaps";

impl FromStr for SpanSelection {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let wrong = || SpanError::Selection { text: text.into() };
        let trimmed = text.trim();
        if let Some(window) = trimmed.strip_suffix(WITH_GAPS) {
            return match window.parse()? {
                window @ (Self::Last(_) | Self::Range(..)) => Ok(Self::WithGaps(Box::new(window))),
                Self::Latest | Self::WithGaps(_) => Err(wrong()),
            };
        }
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
            Self::WithGaps(window) => write!(formatter, "{window}{WITH_GAPS}"),
        }
    }
}

impl Serialize for SpanSelection {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SpanSelection {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
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
pub(super) fn days(year: i32, month: u32, day: u32) -> Option<u64> {
    u64::try_from(chrono::NaiveDate::from_ymd_opt(year, month, day)?.to_epoch_days()).ok()
}

/// A span as the pattern shows it: a date where it has dates.
pub(super) fn shown(span: u64, by_date: bool) -> String {
    let date = i32::try_from(span).ok().filter(|_| by_date).and_then(chrono::NaiveDate::from_epoch_days);
    date.map_or_else(|| span.to_string(), |date| date.to_string())
}

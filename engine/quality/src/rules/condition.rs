//! What a value breaks, one condition per finding of the schema, worked out for all values of a column at
//! once.
//!
//! The conditions are those of [`crate::validation`], value by value: text means the number that it parses
//! as, bounds of floats are compared in single precision. A null breaks nothing but presence and lengths of
//! lists. In lists the items are judged, one level deep.

use std::collections::BTreeSet;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::BooleanBuffer;
use serde::{Deserialize, Serialize};
use sluice_core::column::Column;
use sluice_core::schema::{Domain, Feature, Shape};

use crate::validation::{Finding, FindingCode};

/// Why a value, or a row, is not what the schema says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Condition {
    /// There is none.
    Missing,
    /// A list has fewer or more items; a single value counts as one. Null counts as none, or is passed over.
    Length { min: Option<i64>, max: Option<i64>, skips_null: bool },
    /// Text is not one of these.
    NotIn(BTreeSet<String>),
    /// Text is not an integer.
    NotInteger,
    /// Text is not a number.
    NotNumber,
    /// A whole number, or text that means one, is outside.
    IntegerOutside { min: Option<i64>, max: Option<i64> },
    /// A number, or text that means one, is outside.
    FloatOutside { min: Option<f64>, max: Option<f64> },
    /// A float is neither 0 nor 1.
    NotZeroOrOne,
    /// NaN, or text that means it.
    Nan,
    /// An infinity, or text that means one.
    Infinite,
}

/// A value as a number.
#[derive(Clone, Copy, Debug)]
enum Number {
    Whole(i128),
    Float(f64),
}

/// Whether one lies above the other in single precision, which is what the schema's format holds.
#[expect(clippy::cast_possible_truncation, reason = "the schema's format holds single precision")]
fn exceeds(value: f64, bound: f64) -> bool {
    value as f32 > bound as f32
}

impl Condition {
    /// The condition behind a finding; `None` where no row is.
    pub(super) fn of(finding: &Finding, feature: &Feature) -> Option<Self> {
        let integer = |takes_min: bool| match &feature.domain {
            Some(Domain::Int { min, max, .. }) => {
                Some(Self::IntegerOutside { min: min.filter(|_| takes_min), max: max.filter(|_| !takes_min) })
            }
            _ => None,
        };
        let float = |takes_min: bool| match &feature.domain {
            Some(Domain::Float { min, max, .. }) => {
                Some(Self::FloatOutside { min: min.filter(|_| takes_min), max: max.filter(|_| !takes_min) })
            }
            _ => None,
        };
        if let Some(bounds) = Self::of_value_count(finding, feature) {
            return Some(bounds);
        }
        match finding.code {
            FindingCode::NotPresent | FindingCode::LowFractionPresent | FindingCode::LowNumberPresent => {
                Some(Self::Missing)
            }
            FindingCode::ShapeBroken => match &feature.shape {
                Shape::Fixed(sizes) => match sizes[..] {
                    [size] => Some(Self::Length { min: Some(size), max: Some(size), skips_null: false }),
                    _ => None,
                },
                Shape::ValueCounts(counts) => match counts[..] {
                    [count] => Some(Self::Length { min: count.min, max: count.max, skips_null: false }),
                    _ => None,
                },
                Shape::Any => None,
            },
            FindingCode::UnexpectedValue => match &feature.domain {
                Some(Domain::Strings { values, .. }) => Some(Self::NotIn(values.iter().cloned().collect())),
                _ => None,
            },
            FindingCode::TextNotBoolean => match &feature.domain {
                Some(Domain::Boolean { true_value, false_value }) => {
                    Some(Self::NotIn([true_value, false_value].into_iter().flatten().cloned().collect()))
                }
                _ => None,
            },
            FindingCode::TextNotInteger => Some(Self::NotInteger),
            FindingCode::TextNotFloat => Some(Self::NotNumber),
            FindingCode::BooleanTooBig => Some(Self::IntegerOutside { min: None, max: Some(1) }),
            FindingCode::BooleanTooSmall => Some(Self::IntegerOutside { min: Some(0), max: None }),
            FindingCode::FloatNotBoolean => Some(Self::NotZeroOrOne),
            FindingCode::IntegerTooBig => integer(false),
            FindingCode::IntegerTooSmall => integer(true),
            FindingCode::FloatTooBig => float(false),
            FindingCode::FloatTooSmall => float(true),
            FindingCode::HasNan => Some(Self::Nan),
            FindingCode::HasInfinity => Some(Self::Infinite),
            _ => None,
        }
    }

    /// Lists outside the bounds of `value_count`: rows without a value are not judged.
    fn of_value_count(finding: &Finding, feature: &Feature) -> Option<Self> {
        let Shape::ValueCounts(counts) = &feature.shape else { return None };
        let [count] = counts[..] else { return None };
        let (min, max) = match finding.code {
            FindingCode::TooFewValues => (count.min, None),
            FindingCode::TooManyValues => (None, count.max),
            _ => return None,
        };
        Some(Self::Length { min, max, skips_null: true })
    }

    /// For each row, how many values break it.
    pub(super) fn violations(&self, array: &ArrayRef) -> Vec<u64> {
        let nulls = array.logical_nulls();
        let is_null = |row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        let list = array.as_list_opt::<i32>();
        match self {
            Self::Missing => (0..array.len()).map(|row| u64::from(is_null(row))).collect(),
            Self::Length { min, max, skips_null } => (0..array.len())
                .map(|row| {
                    if *skips_null && is_null(row) {
                        return 0;
                    }
                    let items = match list {
                        _ if is_null(row) => 0,
                        Some(list) => i64::from(list.value_length(row)),
                        None => 1,
                    };
                    u64::from(min.is_some_and(|min| items < min) || max.is_some_and(|max| items > max))
                })
                .collect(),
            _ => match list {
                None => {
                    let broken = self.broken(array);
                    (0..array.len()).map(|row| u64::from(!is_null(row) && broken.value(row))).collect()
                }
                Some(list) => {
                    let broken = self.broken(list.values());
                    let count = |row: usize| {
                        let (start, end) = (list.value_offsets()[row], list.value_offsets()[row + 1]);
                        let (start, end) =
                            (usize::try_from(start).unwrap_or(0), usize::try_from(end).unwrap_or(0));
                        broken.slice(start, end - start).count_set_bits() as u64
                    };
                    (0..array.len()).map(|row| if is_null(row) { 0 } else { count(row) }).collect()
                }
            },
        }
    }

    /// For each value, whether it breaks it; not for nulls.
    fn broken(&self, values: &ArrayRef) -> BooleanBuffer {
        let by = |breaks: &dyn Fn(usize) -> bool| {
            BooleanBuffer::collect_bool(values.len(), |index| values.is_valid(index) && breaks(index))
        };
        let number = |number| self.breaks_number(number);
        match Column::view(values) {
            Column::Boolean(array) => by(&|index| number(Number::Whole(array.value(index).into()))),
            Column::Integer(array) => by(&|index| number(Number::Whole(array.value(index).into()))),
            Column::Unsigned(array) => by(&|index| number(Number::Whole(array.value(index).into()))),
            Column::Float(array) => by(&|index| number(Number::Float(array.value(index)))),
            Column::Decimal(array) => {
                let divisor = 10_f64.powi(i32::from(array.scale()));
                by(&|index| number(Number::Float(array.value(index) as f64 / divisor)))
            }
            Column::Text(array) => by(&|index| self.breaks_text(array.value(index))),
            Column::CodedText(codes, texts) if texts.len() <= values.len() => {
                let broken = BooleanBuffer::collect_bool(texts.len(), |code| {
                    texts.is_valid(code) && self.breaks_text(texts.value(code))
                });
                by(&|index| usize::try_from(codes.value(index)).is_ok_and(|code| broken.value(code)))
            }
            view @ Column::CodedText(..) => {
                by(&|index| view.text(index).is_some_and(|text| self.breaks_text(text)))
            }
            Column::Null(_)
            | Column::Binary(_)
            | Column::Date(_)
            | Column::TimestampMicrosecond(_)
            | Column::TimestampNanosecond(_)
            | Column::Other(_) => BooleanBuffer::new_unset(values.len()),
        }
    }

    fn breaks_text(&self, text: &str) -> bool {
        match self {
            Self::NotIn(values) => !values.contains(text),
            Self::NotInteger => text.parse::<i64>().is_err(),
            Self::NotNumber => text.parse::<f64>().is_err(),
            Self::IntegerOutside { .. } => {
                text.parse::<i64>().is_ok_and(|value| self.breaks_number(Number::Whole(value.into())))
            }
            Self::FloatOutside { .. } | Self::Nan | Self::Infinite => {
                text.parse::<f64>().is_ok_and(|value| self.breaks_number(Number::Float(value)))
            }
            Self::Missing | Self::Length { .. } | Self::NotZeroOrOne => false,
        }
    }

    #[expect(clippy::float_cmp, reason = "0 and 1 are exact")]
    fn breaks_number(&self, number: Number) -> bool {
        let as_float = |number| match number {
            Number::Whole(value) => value as f64,
            Number::Float(value) => value,
        };
        match (self, number) {
            (Self::IntegerOutside { min, max }, Number::Whole(value)) => {
                min.is_some_and(|min| value < i128::from(min))
                    || max.is_some_and(|max| value > i128::from(max))
            }
            (Self::FloatOutside { min, max }, number) => {
                let value = as_float(number);
                min.is_some_and(|min| exceeds(min, value)) || max.is_some_and(|max| exceeds(value, max))
            }
            (Self::NotZeroOrOne, number) => {
                !matches!(as_float(number), value if value == 0.0 || value == 1.0)
            }
            (Self::Nan, Number::Float(value)) => value.is_nan(),
            (Self::Infinite, Number::Float(value)) => value.is_infinite(),
            _ => false,
        }
    }
}

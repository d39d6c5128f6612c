//! Labels: which classes there are, and the label of each row as a number.
//!
//! A first scan reads label and weight alone: the classes in ascending order, or the mean of an amount, and what the
//! likelihood adds to the deviance. Rows of weight 0 take no part, but their labels must be values too.

use std::collections::BTreeMap;
use std::fmt;

use arrow::array::{Array, ArrayRef, Float64Array};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use statrs::function::gamma::ln_gamma;

use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::{Batch, Inputs};
use sluice_core::column::{Column, ColumnKind};
use sluice_core::double_double::DoubleDouble;
use sluice_core::error::{CommonError, Error, Result};
use sluice_core::group::GroupMap;

use super::error::GlmError;
use super::family::Family;
use crate::design::rows::{finite_label, sound_weights};
use crate::error::TrainingError;

/// More classes than these are refused.
pub const MAX_CLASSES: usize = 1000;

/// A value of a label that is predicted as one of several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
}

/// [`Class`] in states, whose form does not describe itself.
#[derive(Serialize, Deserialize)]
enum Stored {
    Boolean(bool),
    Integer(i64),
    Text(String),
}

/// [`Class`] in files for people: the value itself.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Boolean(bool),
    Integer(i64),
    Text(String),
}

impl Serialize for Class {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let own = self.clone();
        if serializer.is_human_readable() {
            match own {
                Self::Boolean(value) => Written::Boolean(value),
                Self::Integer(value) => Written::Integer(value),
                Self::Text(value) => Written::Text(value),
            }
            .serialize(serializer)
        } else {
            match own {
                Self::Boolean(value) => Stored::Boolean(value),
                Self::Integer(value) => Stored::Integer(value),
                Self::Text(value) => Stored::Text(value),
            }
            .serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Class {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(if deserializer.is_human_readable() {
            match Written::deserialize(deserializer)? {
                Written::Boolean(value) => Self::Boolean(value),
                Written::Integer(value) => Self::Integer(value),
                Written::Text(value) => Self::Text(value),
            }
        } else {
            match Stored::deserialize(deserializer)? {
                Stored::Boolean(value) => Self::Boolean(value),
                Stored::Integer(value) => Self::Integer(value),
                Stored::Text(value) => Self::Text(value),
            }
        })
    }
}

impl Class {
    /// The places of the labels of a column among `classes`.
    ///
    /// # Errors
    /// A label that is null, none of them, or of a kind that classes cannot be, with its row.
    pub fn places(label: &str, array: &ArrayRef, classes: &[Self]) -> Result<Float64Array> {
        Ok(places(label, array, classes, |_| true)?.into())
    }
}

impl fmt::Display for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(formatter),
            Self::Integer(value) => value.fmt(formatter),
            Self::Text(value) => value.fmt(formatter),
        }
    }
}

/// The classes of the rows of a batch.
struct Coded {
    values: Vec<Class>,
    /// By row the place in `values`.
    codes: Vec<usize>,
}

impl Coded {
    /// The classes of a label.
    fn new(label: &str, array: &ArrayRef) -> Result<Self> {
        if let Some(row) = (0..array.len()).find(|&row| array.is_null(row)) {
            let problem = TrainingError::LabelNotANumber { label: label.into(), found: "null" };
            return Err(Error::from(problem).at_row(row));
        }
        let mut coder = Coder { label, places: BTreeMap::new(), codes: Vec::with_capacity(array.len()) };
        match Column::view(array) {
            Column::Boolean(values) => {
                coder.each(values.len(), |row| Ok(Class::Boolean(values.value(row))))?;
            }
            Column::Integer(values) => {
                coder.each(values.len(), |row| Ok(Class::Integer(values.value(row))))?;
            }
            Column::Unsigned(values) => coder.each(values.len(), |row| whole(label, values.value(row)))?,
            Column::Float(values) => coder.each(values.len(), |row| whole_float(label, values.value(row)))?,
            Column::Text(values) => {
                coder.each(values.len(), |row| Ok(Class::Text(values.value(row).into())))?;
            }
            Column::CodedText(codes, values) => {
                let place = |row: usize| usize::try_from(codes.value(row)).unwrap_or_default();
                coder.each(codes.len(), |row| Ok(Class::Text(values.value(place(row)).into())))?;
            }
            _ => {
                return Err(CommonError::ColumnKind {
                    column: label.into(),
                    found: ColumnKind::of(array.data_type()).to_string(),
                    expected: "text, booleans or whole numbers",
                    purpose: "a label of classes".into(),
                }
                .into());
            }
        }
        let mut values: Vec<(Class, usize)> = coder.places.into_iter().collect();
        values.sort_unstable_by_key(|(_, place)| *place);
        Ok(Self { values: values.into_iter().map(|(class, _)| class).collect(), codes: coder.codes })
    }
}

struct Coder<'a> {
    label: &'a str,
    places: BTreeMap<Class, usize>,
    codes: Vec<usize>,
}

impl Coder<'_> {
    fn each(&mut self, rows: usize, class: impl Fn(usize) -> Result<Class, GlmError>) -> Result<()> {
        for row in 0..rows {
            let class = class(row).map_err(|problem| Error::from(problem).at_row(row))?;
            let next = self.places.len();
            let place = *self.places.entry(class).or_insert(next);
            if place == MAX_CLASSES {
                return Err(too_many(self.label).into());
            }
            self.codes.push(place);
        }
        Ok(())
    }
}

fn too_many(label: &str) -> GlmError {
    GlmError::TooManyClasses { label: label.into(), limit: MAX_CLASSES }
}

fn whole(label: &str, value: u64) -> Result<Class, GlmError> {
    let no_class = |_| GlmError::NoClass { label: label.into(), found: value.to_string() };
    i64::try_from(value).map(Class::Integer).map_err(no_class)
}

#[expect(clippy::cast_possible_truncation, clippy::float_cmp, reason = "whole and below 2^53 by then")]
fn whole_float(label: &str, value: f64) -> Result<Class, GlmError> {
    if value.trunc() == value && value.abs() < (1_u64 << 53) as f64 {
        return Ok(Class::Integer(value as i64));
    }
    Err(GlmError::NoClass { label: label.into(), found: value.to_string() })
}

/// The places of the labels of a batch among `classes`; an error where a row that `counts` has another.
///
/// # Errors
/// [`GlmError::UnknownClass`] and what [`Class`] cannot be, with the row.
pub(crate) fn places(
    label: &str,
    array: &ArrayRef,
    classes: &[Class],
    counts: impl Fn(usize) -> bool,
) -> Result<Vec<f64>> {
    let coded = Coded::new(label, array)?;
    let known: Vec<Option<usize>> =
        coded.values.iter().map(|class| classes.iter().position(|known| known == class)).collect();
    let unknown = (0..coded.codes.len()).find(|&row| known[coded.codes[row]].is_none() && counts(row));
    if let Some(row) = unknown {
        let class = coded.values[coded.codes[row]].to_string();
        let classes = classes.iter().map(Class::to_string).collect();
        return Err(Error::from(GlmError::UnknownClass { label: label.into(), class, classes }).at_row(row));
    }
    Ok(coded.codes.iter().map(|code| known[*code].map_or(f64::NAN, |place| place as f64)).collect())
}

/// How a label is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct LabelReader {
    /// The column.
    pub(super) label: String,
    pub(super) family: Family,
    /// The distribution's name, for messages.
    pub(super) distribution: String,
    /// The classes, in the order of their numbers; none of an amount.
    pub(super) classes: Vec<Class>,
}

impl LabelReader {
    /// The labels of a batch as numbers; of weightless rows any.
    pub(super) fn read(&self, batch: &Batch, weights: Option<&Float64Array>) -> Result<Vec<f64>> {
        let counts = |row: usize| weights.is_none_or(|weights| weights.value(row) > 0.0);
        if self.family.has_classes() {
            return places(&self.label, batch.require(&self.label)?, &self.classes, counts);
        }
        let values = finite_label(batch, &self.label)?;
        self.check(&values, counts)?;
        Ok(values.values().to_vec())
    }

    fn check(&self, values: &Float64Array, counts: impl Fn(usize) -> bool) -> Result<()> {
        let problem = |row: usize| self.family.problem(values.value(row)).filter(|_| counts(row));
        let Some(row) = (0..values.len()).find(|&row| problem(row).is_some()) else { return Ok(()) };
        let (family, needed) = match self.family {
            Family::Power(power) if power < 2.0 => ("count or amount", "a number of at least 0"),
            _ => ("gamma or like", "a number above 0"),
        };
        let problem = GlmError::LabelOutOfRange {
            label: self.label.clone(),
            found: values.value(row).to_string(),
            family,
            needed,
        };
        Err(Error::from(problem).at_row(row))
    }
}

/// What the first scan learns of the label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct LabelSummary {
    pub(super) reader: LabelReader,
    pub(super) weight_column: Option<String>,
    /// Rows with a weight above 0.
    pub(super) rows: u64,
    /// The sum of their weights.
    pub(super) weight: DoubleDouble,
    /// Σ weight x label.
    pub(super) sum: DoubleDouble,
    /// The least and the largest label.
    pub(super) extent: Option<(f64, f64)>,
    /// What the log-likelihood is above minus half the deviance: of power 1 Σ w (y ln y − y − ln Γ(y + 1)), of
    /// power 2 −Σ ln y.
    pub(super) constant: DoubleDouble,
    /// Rows and weight of each class.
    pub(super) classes: BTreeMap<Class, (u64, DoubleDouble)>,
}

impl LabelSummary {
    pub(super) fn new(reader: LabelReader, weight_column: Option<String>) -> Self {
        Self {
            reader,
            weight_column,
            rows: 0,
            weight: DoubleDouble::ZERO,
            sum: DoubleDouble::ZERO,
            extent: None,
            constant: DoubleDouble::ZERO,
            classes: BTreeMap::new(),
        }
    }

    fn add(&mut self, batch: &Batch) -> Result<()> {
        let weights = self.weight_column.as_ref().map(|weight| sound_weights(batch, weight)).transpose()?;
        let weight = |row: usize| weights.as_ref().map_or(1.0, |weights| weights.value(row));
        if self.reader.family.has_classes() {
            let coded = Coded::new(&self.reader.label, batch.require(&self.reader.label)?)?;
            let mut totals = vec![(0, DoubleDouble::ZERO); coded.values.len()];
            for (row, &code) in coded.codes.iter().enumerate().filter(|(row, _)| weight(*row) > 0.0) {
                totals[code].0 += 1;
                totals[code].1 = totals[code].1 + weight(row);
            }
            let seen = coded.values.into_iter().zip(totals).filter(|(_, (rows, _))| *rows > 0);
            return self.add_classes(seen);
        }
        let values = self.reader.read(batch, weights.as_ref())?;
        for (row, &value) in values.iter().enumerate().filter(|(row, _)| weight(*row) > 0.0) {
            let weight = weight(row);
            self.rows += 1;
            self.weight = self.weight + weight;
            self.sum = self.sum + DoubleDouble::product(weight, value);
            self.extent = Some(joined(self.extent, (value, value)));
            self.constant = self.constant + self.reader.family.constant(value, weight);
        }
        Ok(())
    }

    fn add_classes(&mut self, seen: impl Iterator<Item = (Class, (u64, DoubleDouble))>) -> Result<()> {
        for (class, (rows, weight)) in seen {
            self.rows += rows;
            self.weight = self.weight + weight;
            let total = self.classes.entry(class).or_insert((0, DoubleDouble::ZERO));
            total.0 += rows;
            total.1 = total.1 + weight;
        }
        if self.classes.len() > MAX_CLASSES { Err(too_many(&self.reader.label).into()) } else { Ok(()) }
    }
}

impl Family {
    /// What the log-likelihood of a row is above minus half its deviance.
    fn constant(self, label: f64, weight: f64) -> f64 {
        match self {
            Self::Power(power) if power <= 1.0 => {
                let saturated = if label > 0.0 { label * label.ln() - label } else { 0.0 };
                weight * (saturated - ln_gamma(label + 1.0))
            }
            Self::Power(_) if label > 0.0 => -label.ln(),
            _ => 0.0,
        }
    }
}

fn joined(extent: Option<(f64, f64)>, (low, high): (f64, f64)) -> (f64, f64) {
    let (least, most) = extent.unwrap_or((low, high));
    (if low < least { low } else { least }, if high > most { high } else { most })
}

impl Accumulator for LabelSummary {
    type Output = Self;

    fn inputs(&self) -> Inputs {
        let inputs = Inputs::default().with_column(&self.reader.label);
        self.weight_column.iter().fold(inputs, Inputs::with_column)
    }

    fn empty(&self) -> Self {
        Self::new(self.reader.clone(), self.weight_column.clone())
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        if let Input::Rows(batch) = input { self.add(batch) } else { Ok(()) }
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        if self.reader.family.has_classes() {
            return self.add_classes(later.classes.into_iter());
        }
        self.rows += later.rows;
        self.weight = self.weight + later.weight;
        self.sum = self.sum + later.sum;
        self.constant = self.constant + later.constant;
        self.extent = later.extent.map(|extent| joined(self.extent, extent)).or(self.extent);
        Ok(())
    }

    fn finish(self) -> Self {
        self
    }

    fn size_bytes(&self) -> usize {
        // Texts of classes are short.
        size_of::<Self>() + self.classes.len() * (2 * size_of::<Class>() + 64)
    }
}

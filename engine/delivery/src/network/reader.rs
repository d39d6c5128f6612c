//! From the features of a batch to what a network reads: numbers in single precision, and ids.
//!
//! | feature of the transform | the network reads |
//! |---|---|
//! | one of several levels (`one_hot`, `vocabulary`, `bucketize`, …) | its id; none of them, or null, is one id more |
//! | numbers of a `vocabulary`, of `hash_buckets` or of a `cross` | the same; null is one id more |
//! | other numbers | the number; those of `ordinal` and `bucketize` as ids where `embeddings` names them |
//! | sparse terms | a number for each term |

use std::ops::Range;

use arrow::array::Array;

use sluice_core::error::{Error, Result};
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureKind, FeatureSpace, FeatureSpec};
use sluice_core::seam::BatchTransform as _;
use sluice_networks::{CategoricalInput, InputLayout, Inputs, NetworkSpec};
use sluice_training::TrainingError;
use sluice_transform::Transform;

use crate::error::DeliveryError;

/// More numbers of a row than this are refused: sparse terms are dense here.
const MAX_COLUMNS: usize = 1 << 16;

/// How the features of a transform become the inputs of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct InputReader {
    layout: InputLayout,
    /// One per feature, in order.
    columns: Vec<Source>,
    names: Vec<String>,
    /// Columns of the design matrix, by feature.
    widths: Vec<usize>,
}

/// What becomes of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// So many numbers, from a place in the row on.
    Numbers { first: usize, width: usize },
    /// An id, at a place in the row; the last of `ids` is for null.
    Ids { place: usize, ids: u32 },
}

/// Some rows as a network reads them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkRows {
    /// Rows.
    pub rows: usize,
    /// The numbers, row after row; 0 where there is none.
    pub numeric: Vec<f32>,
    /// The ids, row after row.
    pub ids: Vec<u32>,
    /// The first feature, then row, that is no input.
    problem: Option<(usize, usize, Problem)>,
    /// Which rows can be scored.
    sound: Vec<bool>,
}

/// Why a cell is no input.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Problem {
    Null,
    NotFinite,
    /// Finite, but not in single precision.
    TooLarge(f64),
    /// No whole number from 0 and below the number of ids.
    NoId(f64),
}

impl NetworkRows {
    /// As a network takes them.
    #[must_use]
    pub fn inputs(&self) -> Inputs<'_> {
        Inputs { rows: self.rows, numeric: &self.numeric, ids: &self.ids }
    }

    /// Whether a row can be scored.
    #[must_use]
    pub fn is_sound(&self, row: usize) -> bool {
        self.sound[row]
    }

    /// Whether all can.
    #[must_use]
    pub fn all_sound(&self) -> bool {
        self.problem.is_none()
    }

    fn note(&mut self, feature: usize, row: usize, problem: Problem) {
        self.sound[row] = false;
        if self.problem.is_none() {
            self.problem = Some((feature, row, problem));
        }
    }
}

impl InputReader {
    /// For a network that is to be fitted on the features of a transform.
    ///
    /// # Errors
    /// [`DeliveryError::NetworkInput`] for features that no network takes: too many ids or terms, none at all.
    pub fn of_spec(transform: &Transform, spec: &NetworkSpec) -> Result<Self, DeliveryError> {
        let mut layout = InputLayout::default();
        for feature in &transform.space().features {
            let ids = match &feature.kind {
                FeatureKind::OneHot { levels } => Some(levels.len() as u64),
                FeatureKind::Sparse { .. } => None,
                FeatureKind::Number => transform
                    .ids(&feature.name)
                    .filter(|ids| !ids.is_ordered || spec.embeddings.contains_key(&feature.name))
                    .map(|ids| ids.count),
            };
            let Some(ids) = ids else {
                layout.numeric.extend(feature.column_names());
                continue;
            };
            // One more, for null.
            let ids = u32::try_from(ids + 1).map_err(|_| DeliveryError::NetworkInput {
                feature: feature.name.clone(),
                problem: format!("has {ids} ids, more than a network looks up"),
                hint: "take fewer buckets".into(),
            })?;
            layout.categorical.push(CategoricalInput { name: feature.name.clone(), ids });
        }
        if layout.numeric.len() > MAX_COLUMNS {
            return Err(DeliveryError::NetworkInput {
                feature: layout.numeric[MAX_COLUMNS].clone(),
                problem: format!("is one of {} numbers, a network takes {MAX_COLUMNS}", layout.numeric.len()),
                hint: "give texts and lists fewer terms (`top`, `buckets`)".into(),
            });
        }
        Self::of_layout(transform.space(), layout).ok_or_else(|| DeliveryError::NetworkInput {
            feature: "transform".into(),
            problem: "gives a name twice".into(),
            hint: "name each feature once".into(),
        })
    }

    /// For a network that reads this; none where that is not what the features are.
    #[must_use]
    pub fn of_layout(space: &FeatureSpace, layout: InputLayout) -> Option<Self> {
        let (mut columns, mut numeric, mut place) = (Vec::new(), Vec::new(), 0);
        for feature in &space.features {
            match layout.categorical.get(place).filter(|input| input.name == feature.name) {
                Some(input) => {
                    columns.push(Source::Ids { place, ids: input.ids });
                    place += 1;
                }
                None => {
                    columns.push(Source::Numbers { first: numeric.len(), width: feature.width() });
                    numeric.extend(feature.column_names());
                }
            }
        }
        let is_it = numeric == layout.numeric && place == layout.categorical.len();
        let names = space.features.iter().map(|feature| feature.name.clone()).collect();
        let widths = space.features.iter().map(FeatureSpec::width).collect();
        is_it.then_some(Self { layout, columns, names, widths })
    }

    /// What the network reads.
    #[must_use]
    pub fn layout(&self) -> &InputLayout {
        &self.layout
    }

    /// By feature how many columns of the design matrix it fills.
    pub(crate) fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// By feature what becomes of it.
    pub(crate) fn sources(&self) -> &[Source] {
        &self.columns
    }

    /// Some rows of a batch; what is no input is noted.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "an arm for each form of a feature")]
    pub fn read(&self, features: &FeatureBatch, rows: Range<usize>) -> NetworkRows {
        let (first, count) = (rows.start, rows.len());
        let (width, places) = (self.layout.numeric.len(), self.layout.categorical.len());
        let mut read = NetworkRows {
            rows: count,
            numeric: vec![0.0; count * width],
            ids: vec![0; count * places],
            problem: None,
            sound: vec![true; count],
        };
        for (feature, (column, source)) in features.columns.iter().zip(&self.columns).enumerate() {
            match (column, *source) {
                (FeatureColumn::Numbers(values), Source::Numbers { first: column, .. }) => {
                    for row in 0..count {
                        let value = (!values.is_null(first + row)).then(|| values.value(first + row));
                        match single(value) {
                            Ok(value) => read.numeric[row * width + column] = value,
                            Err(problem) => read.note(feature, row, problem),
                        }
                    }
                }
                (FeatureColumn::Sparse(sparse), Source::Numbers { first: column, .. }) => {
                    for row in 0..count {
                        for (term, value) in sparse.row(first + row) {
                            match single(Some(value)) {
                                Ok(value) => read.numeric[row * width + column + term] = value,
                                Err(problem) => read.note(feature, row, problem),
                            }
                        }
                    }
                }
                (FeatureColumn::Codes(codes), Source::Ids { place, ids }) => {
                    for row in 0..count {
                        let code = (!codes.is_null(first + row)).then(|| f64::from(codes.value(first + row)));
                        match id(code, ids) {
                            Ok(id) => read.ids[row * places + place] = id,
                            Err(problem) => read.note(feature, row, problem),
                        }
                    }
                }
                (FeatureColumn::Numbers(values), Source::Ids { place, ids }) => {
                    for row in 0..count {
                        let value = (!values.is_null(first + row)).then(|| values.value(first + row));
                        match id(value, ids) {
                            Ok(id) => read.ids[row * places + place] = id,
                            Err(problem) => read.note(feature, row, problem),
                        }
                    }
                }
                (FeatureColumn::Codes(codes), Source::Numbers { first: column, width: levels }) => {
                    for row in 0..count {
                        let code = (!codes.is_null(first + row)).then(|| codes.value(first + row) as usize);
                        if let Some(code) = code.filter(|code| *code < levels) {
                            read.numeric[row * width + column + code] = 1.0;
                        }
                    }
                }
                // Only a package that someone else wrote asks for ids of terms.
                (FeatureColumn::Sparse(_), Source::Ids { .. }) => {
                    (0..count).for_each(|row| read.note(feature, row, Problem::NotFinite));
                }
            }
        }
        read
    }

    /// Refuses rows of which one cannot be scored.
    ///
    /// # Errors
    /// At the first feature, then row: a null, NaN or infinity, a number beyond single precision, an id that is none.
    pub fn check(&self, read: &NetworkRows) -> Result<()> {
        let Some((feature, row, problem)) = read.problem else { return Ok(()) };
        let name = self.names[feature].clone();
        let not_a_number = |found| TrainingError::FeatureNotANumber { feature: name.clone(), found };
        let error: Error = match problem {
            Problem::Null => not_a_number("null").into(),
            Problem::NotFinite => not_a_number("NaN or infinite").into(),
            Problem::TooLarge(value) => DeliveryError::NetworkInput {
                feature: name,
                problem: format!("is {value}, beyond the range of single precision"),
                hint: "`standardize` or `clip` it".into(),
            }
            .into(),
            Problem::NoId(value) => {
                let ids = self.layout.categorical.iter().find(|input| input.name == name);
                let last = ids.map_or(0, |input| input.ids.saturating_sub(2));
                DeliveryError::NetworkInput {
                    feature: name,
                    problem: format!("has the id {value}, its ids are 0 to {last}"),
                    hint: "leave a negative `default` or `unseen` out: null has an id of its own".into(),
                }
                .into()
            }
        };
        Err(error.at_row(row))
    }
}

/// A number in single precision.
#[allow(clippy::cast_possible_truncation, reason = "to the nearest, which is checked")]
fn single(value: Option<f64>) -> Result<f32, Problem> {
    match value {
        None => Err(Problem::Null),
        Some(value) if !value.is_finite() => Err(Problem::NotFinite),
        Some(value) if !(value as f32).is_finite() => Err(Problem::TooLarge(value)),
        Some(value) => Ok(value as f32),
    }
}

/// A value as an id; the last one stands for null.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and in range by then")]
fn id(value: Option<f64>, ids: u32) -> Result<u32, Problem> {
    let none = ids.saturating_sub(1);
    match value {
        None => Ok(none),
        Some(value) if value >= 0.0 && value < f64::from(none) && value.fract() == 0.0 => Ok(value as u32),
        Some(value) => Err(Problem::NoId(value)),
    }
}

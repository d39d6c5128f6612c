//! Vocabulary: the tokens of the training rows, numbered (TensorFlow Transform's `compute_and_apply_vocabulary`). A
//! token is the text of a value, or of each element of a list; `operation::texts` says what that is. Order: descending
//! count, of equal counts descending bytes, as in TFT. `reserved` tokens come first; then those that pass the
//! thresholds, at most `top`. What is in none of them is in one of `oov_buckets`, numbered on from the vocabulary:
//! Fingerprint64 of the token modulo their number.
//!
//! Instead of counting rows, tokens can be weighed by a column, or ordered by what they tell of the label (see
//! `operation::information`). Counts are exact, of up to `max_distinct` tokens; what exceeds the limit of memory lies on
//! disk meanwhile. Without a disk, `scans: N` reads the rows N times and counts the tokens of one part of N, by hash, each
//! time, keeping what may come into the vocabulary; or `approximate: N` counts in bounded memory (Misra & Gries): a count is never too high and too low by at most
//! rows / (N + 1) + a few.
//!
//! Null and NaN have no token, infinities are never learnt. The empty string is a token like any other, and so are line
//! breaks, which TFT's text files cannot hold. A list of numbers comes of a list (`output: number`; without default and
//! buckets, unknown tokens are null), how often each token is in the list as sparse terms (`output: levels`).

use std::hash::BuildHasher as _;
use std::sync::Arc;

use arrow::array::{Array as _, Int64Array, ListArray};
use arrow::datatypes::{DataType, Field};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use sluice_core::column::{Column, ColumnKind};
use sluice_core::error::{CommonError, Result};
use sluice_core::features::SparseRows;
use sluice_core::options::OptionsError;

use crate::error::TransformError;
use crate::fit::Builder;
use crate::fit::analyzer::MAX_KEYS;
use crate::graph::{Cell, CellInputs};
use crate::operation::bucketize::LevelOutput;
use crate::operation::hash_buckets::{bucket, code_cell, codes};
use crate::operation::ordinal::finite;
use crate::operation::texts::Tokens as Read;
use crate::operation::{Inputs, Map, Plan};
use crate::spec::OfColumns;
use crate::value::{Value, ValueKind};

mod fit;

use fit::VocabularyFitting;

/// More scans than this are refused.
const MAX_SCANS: u32 = 1000;

/// By what tokens are ordered and chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VocabularyBy {
    /// How often they occur, or the sum of their weights.
    #[default]
    Frequency,
    /// What they tell of the label.
    MutualInformation,
    /// The same, less what chance gives.
    AdjustedMutualInformation,
}

/// A number, or the word `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a number or `auto`")]
pub enum AutoOr {
    /// Chosen by the data.
    Auto(Auto),
    /// This number.
    Number(f64),
}

/// The word `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auto {
    /// Chosen by the data.
    Auto,
}

/// The options of `vocabulary`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    /// The columns; each has a vocabulary of its own.
    pub columns: Vec<String>,
    /// At most so many tokens, the reserved ones not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<usize>,
    /// Only tokens that occur at least so often, or weigh at least so much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_frequency: Option<f64>,
    /// By what they are ordered and chosen.
    #[serde(default)]
    pub by: VocabularyBy,
    /// Only tokens that tell at least so much of the label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_information: Option<f64>,
    /// Labels whose count is closer than this to what chance gives tell nothing; 0 without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_diff_from_average: Option<AutoOr>,
    /// The column that rows are weighed by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// The first tokens, whether they occur or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reserved: Vec<String>,
    /// Buckets for all other tokens.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub oov_buckets: u32,
    /// The number of all other tokens, where there are no buckets for them; null without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<i32>,
    /// More different tokens than this, counted in one scan, are an error; 2^20 without `top`, any number with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_distinct: Option<usize>,
    /// Scans among which the tokens are divided.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub scans: u32,
    /// Approximate counts of about so many tokens, in bounded memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approximate: Option<usize>,
    /// What comes out.
    #[serde(default)]
    pub output: LevelOutput,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

// Serde hands over references.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_one(count: &u32) -> bool {
    *count == 1
}

impl OfColumns for Vocabulary {
    fn of_columns(columns: Vec<String>) -> Self {
        Self {
            columns,
            top: None,
            min_frequency: None,
            by: VocabularyBy::default(),
            min_information: None,
            min_diff_from_average: None,
            weight: None,
            reserved: Vec::new(),
            oov_buckets: 0,
            default: None,
            max_distinct: None,
            scans: one(),
            approximate: None,
            output: LevelOutput::default(),
            names: Vec::new(),
        }
    }
}

fn out_of_range(name: &str, value: impl ToString, range: &str) -> OptionsError {
    OptionsError::OutOfRange { name: name.into(), value: value.to_string(), range: range.into() }
}

impl Vocabulary {
    fn is_labelled(&self) -> bool {
        self.by != VocabularyBy::Frequency
    }

    /// How many different tokens are counted. What is fitted is in memory, so without `top` they are bounded.
    fn limit(&self) -> usize {
        self.max_distinct.unwrap_or(if self.top.is_some() { usize::MAX } else { MAX_KEYS })
    }

    /// Options that say nothing beside others, or say it twice.
    fn conflict(&self) -> Option<(&'static str, &'static str)> {
        let is_adjusted = self.by == VocabularyBy::AdjustedMutualInformation;
        let about_labels = self.min_information.is_some() || self.min_diff_from_average.is_some();
        if self.default.is_some() && self.oov_buckets > 0 {
            return Some(("has both `default` and `oov_buckets`", "give one of them"));
        }
        if self.default.is_some() && self.output == LevelOutput::Levels {
            return Some(("has a `default` among levels", "ask for `output: number`, or for `oov_buckets`"));
        }
        if about_labels && !self.is_labelled() {
            return Some(("orders by frequency, not by information", "say `by: mutual_information`"));
        }
        if is_adjusted && self.weight.is_some() {
            return Some((
                "adjusts weighted information",
                "leave out `weight`, or say `by: mutual_information`",
            ));
        }
        if self.approximate.is_some() && self.scans > 1 {
            return Some(("counts about and in several scans", "leave out one of `approximate` and `scans`"));
        }
        let is_plain = self.weight.is_none() && !self.is_labelled();
        if self.approximate.is_some() && !is_plain {
            return Some(("counts about and by weight or label", "leave out `approximate`"));
        }
        None
    }
}

impl Plan for Vocabulary {
    fn check(&self) -> Result<(), OptionsError> {
        if let Some((problem, hint)) = self.conflict() {
            return Err(OptionsError::Conflict {
                name: "vocabulary".into(),
                problem: problem.into(),
                hint: Some(hint.into()),
            });
        }
        finite("vocabulary.min_frequency", self.min_frequency)?;
        finite("vocabulary.min_information", self.min_information)?;
        if let Some(AutoOr::Number(number)) = self.min_diff_from_average
            && !(number >= 0.0 && number.is_finite())
        {
            return Err(out_of_range("vocabulary.min_diff_from_average", number, "0 or more, or `auto`"));
        }
        let sizes =
            [("top", self.top), ("approximate", self.approximate), ("max_distinct", self.max_distinct)];
        if !(1..=MAX_SCANS).contains(&self.scans) {
            return Err(out_of_range("vocabulary.scans", self.scans, "from 1 to 1000"));
        }
        for (name, size) in sizes {
            if size == Some(0) {
                return Err(out_of_range(&format!("vocabulary.{name}"), 0, "at least 1"));
            }
        }
        if let (Some(top), Some(approximate)) = (self.top, self.approximate)
            && top > approximate
        {
            return Err(out_of_range("vocabulary.approximate", approximate, "at least `top`"));
        }
        let is_repeated = |(place, token): (usize, &String)| self.reserved[..place].contains(token);
        match self.reserved.iter().enumerate().find(|reserved| is_repeated(*reserved)) {
            Some((_, token)) => {
                Err(out_of_range("vocabulary.reserved", format!("`{token}` twice"), "each token once"))
            }
            None => Ok(()),
        }
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = graph.read(column)?;
            let item = match input.kind.column() {
                Some(ColumnKind::List(item)) => Some(item.as_ref().clone()),
                _ => None,
            };
            let is_list = item.is_some();
            if item.is_some_and(|item| !has_text(&item)) {
                return Err(graph.unsuitable(&input, "lists of text, numbers or booleans").into());
            }
            let input = if is_list { input } else { graph.scalar(column)? };
            let mut fitted_on = Vec::new();
            if let Some(weight) = &self.weight {
                fitted_on.push(graph.number(weight)?);
            }
            if self.is_labelled() {
                fitted_on.push(graph.label()?);
            }
            let kind = match (is_list, self.output) {
                (false, output) => output.kind(),
                (true, LevelOutput::Levels) => ValueKind::Sparse,
                (true, LevelOutput::Number) => {
                    ValueKind::Column(ColumnKind::List(Box::new(ColumnKind::Integer)))
                }
            };
            let label = fitted_on.last().map(|input| input.name.clone()).unwrap_or_default();
            let fitting = VocabularyFitting::new(self.clone(), column, label, is_list);
            graph.step_on(&[input], &fitted_on, [(name, kind)], fitting)?;
        }
        Ok(())
    }
}

fn has_text(kind: &ColumnKind) -> bool {
    matches!(
        kind,
        ColumnKind::Text
            | ColumnKind::Integer
            | ColumnKind::Unsigned
            | ColumnKind::Float
            | ColumnKind::Boolean
            | ColumnKind::Null
    )
}

/// Tokens that can be looked up.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "StoredTokens", into = "StoredTokens")]
pub struct Tokens {
    stored: StoredTokens,
    index: HashTable<u32>,
}

/// Tokens and what comes of the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredTokens {
    /// The tokens, in the order of their numbers.
    pub tokens: Vec<String>,
    /// Buckets for all others.
    pub oov_buckets: u32,
    /// The number of all others, where there are no buckets.
    pub default: Option<i32>,
    /// Whether lists are read.
    pub is_list: bool,
    /// What comes out.
    pub output: LevelOutput,
}

/// The order of the index does not show.
const HASHER: FixedState = FixedState::with_seed(0);

impl From<StoredTokens> for Tokens {
    fn from(stored: StoredTokens) -> Self {
        let tokens = &stored.tokens;
        let hash = |number: &u32| HASHER.hash_one(tokens[*number as usize].as_str());
        let mut index = HashTable::with_capacity(tokens.len());
        // A state of 2^32 tokens does not fit a memory.
        for (number, token) in (0_u32..).zip(tokens) {
            let is_token = |other: &u32| tokens[*other as usize] == *token;
            *index.entry(HASHER.hash_one(token.as_str()), is_token, hash).or_insert(number).into_mut() =
                number;
        }
        Self { stored, index }
    }
}

impl From<Tokens> for StoredTokens {
    fn from(tokens: Tokens) -> Self {
        tokens.stored
    }
}

impl PartialEq for Tokens {
    fn eq(&self, other: &Self) -> bool {
        self.stored == other.stored
    }
}

impl Tokens {
    /// The tokens, in the order of their numbers.
    #[must_use]
    pub fn tokens(&self) -> &[String] {
        &self.stored.tokens
    }

    /// All that it knows.
    #[must_use]
    pub fn stored(&self) -> &StoredTokens {
        &self.stored
    }

    fn code(&self, token: Option<&str>) -> Option<u32> {
        let token = token?;
        let is_token = |number: &u32| self.stored.tokens[*number as usize] == token;
        self.index.find(HASHER.hash_one(token), is_token).copied().or_else(|| {
            let buckets = self.stored.oov_buckets;
            // As above.
            let size = u32::try_from(self.stored.tokens.len()).unwrap_or(u32::MAX);
            (buckets > 0).then(|| size.saturating_add(bucket(token, buckets)))
        })
    }

    fn number(&self, token: Option<&str>) -> Option<i64> {
        self.code(token).map(i64::from).or(self.stored.default.map(i64::from))
    }

    /// How often each token is in each list.
    fn terms(&self, tokens: &Read<'_>, rows: usize) -> SparseRows {
        let codes = tokens.texts().map(|token| self.code(token));
        let mut sparse = SparseRows { offsets: vec![0], ..SparseRows::default() };
        for row in 0..rows {
            let mut of_row: Vec<u32> = codes[tokens.row(row)].iter().copied().flatten().collect();
            of_row.sort_unstable();
            for run in of_row.chunk_by(|a, b| a == b) {
                sparse.indices.push(run[0]);
                sparse.values.push(run.len() as f64);
            }
            // A batch has far fewer elements than 2^32.
            sparse.offsets.push(u32::try_from(sparse.indices.len()).unwrap_or(u32::MAX));
        }
        sparse
    }

    /// The numbers of the tokens of each list; a null element is of no token.
    fn lists(&self, tokens: &Read<'_>, rows: usize) -> Result<Value> {
        let field = Arc::new(Field::new("item", DataType::Int64, true));
        let Some(list) = tokens.list() else {
            return Ok(Value::Column(Arc::new(ListArray::new_null(field, rows))));
        };
        let numbers = Int64Array::from(tokens.texts().map(|token| self.number(token)));
        let lists =
            ListArray::try_new(field, list.offsets().clone(), Arc::new(numbers), list.nulls().cloned())
                .map_err(|error| CommonError::Internal(format!("`vocabulary`: {error}")))?;
        Ok(Value::Column(Arc::new(lists)))
    }

    fn scalar<'a>(&self, token: Option<&str>) -> Cell<'a> {
        match self.stored.output {
            LevelOutput::Levels => code_cell(self.code(token), LevelOutput::Levels),
            LevelOutput::Number => self.number(token).map_or(Cell::Null, |number| Cell::Float(number as f64)),
        }
    }
}

impl Map for Tokens {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let values = inputs.values[0].column()?;
        let tokens = Read::of(inputs.names[0], values, inputs.operation)?;
        let is_nothing = matches!(Column::view(values), Column::Null(_));
        if tokens.list().is_some() != self.stored.is_list && !is_nothing {
            return Err(TransformError::KindChanged {
                operation: inputs.operation.to_owned(),
                column: inputs.names[0].to_owned(),
                found: ColumnKind::of(values.data_type()).to_string(),
            }
            .into());
        }
        Ok(vec![match (self.stored.is_list, self.stored.output) {
            (true, LevelOutput::Levels) => Value::Sparse(Arc::new(self.terms(&tokens, inputs.rows))),
            (true, LevelOutput::Number) => self.lists(&tokens, inputs.rows)?,
            (false, LevelOutput::Levels) => {
                codes(tokens.texts().map(|token| self.code(token)), LevelOutput::Levels)
            }
            (false, LevelOutput::Number) => {
                let numbers = tokens.texts().map(|token| self.number(token).map(|number| number as f64));
                Value::floats(numbers.into())
            }
        }])
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        if self.stored.is_list {
            return self.apply_column_of_one(inputs, outputs);
        }
        let mut scratch = String::new();
        outputs.push(self.scalar(inputs.text(0, &mut scratch)?));
        Ok(())
    }

    fn is_sparse(&self) -> bool {
        self.stored.is_list && self.stored.output == LevelOutput::Levels
    }

    fn labels(&self, _: usize) -> Option<Vec<String>> {
        if self.stored.output == LevelOutput::Number {
            return None;
        }
        let others = (0..self.stored.oov_buckets).map(|bucket| match self.stored.oov_buckets {
            1 => "(other)".to_owned(),
            _ => format!("(other {bucket})"),
        });
        Some(self.stored.tokens.iter().cloned().chain(others).collect())
    }
}

#[cfg(test)]
mod tests;

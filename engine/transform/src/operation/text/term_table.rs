//! Terms of texts as sparse rows: how often each occurs, whether it does, or how telling it is there.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use sluice_core::error::Result;
use sluice_core::features::SparseRows;

use super::words::{Scratch, Words};
use super::{Texts, code_of, not_text};
use crate::graph::{Cell, CellInputs};
use crate::operation::sparse::SparseBuilder;
use crate::operation::{Inputs, Map};
use crate::value::Value;

/// What the columns of a bag of words stand for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TermSpace {
    /// A term each; others have none.
    Vocabulary(Vec<String>),
    /// A bucket each; a term is in the bucket XXH3-64 (seed 0) of its UTF-8 bytes, modulo their number.
    Buckets(u32),
}

/// What stands in a cell, n being how often the term occurs in the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Weighting {
    /// n.
    Count,
    /// 1.
    Presence,
    /// n / (terms of the text, unknown ones too) · the factor of the term.
    Frequency(Vec<f64>),
    /// n · the factor of the term, divided by the Euclidean norm of the row.
    UnitFrequency(Vec<f64>),
}

/// The same as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredTerms {
    words: Words,
    space: TermSpace,
    weighting: Weighting,
}

/// Finds the terms of texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "StoredTerms", into = "StoredTerms")]
pub struct TermTable(Arc<Terms>);

#[derive(Debug)]
struct Terms {
    stored: StoredTerms,
    index: HashMap<String, u32, FixedState>,
}

impl PartialEq for TermTable {
    fn eq(&self, other: &Self) -> bool {
        self.0.stored == other.0.stored
    }
}

impl TryFrom<StoredTerms> for TermTable {
    type Error = String;

    fn try_from(stored: StoredTerms) -> Result<Self, String> {
        let columns = match &stored.space {
            TermSpace::Vocabulary(terms) => u32::try_from(terms.len()).unwrap_or(0),
            TermSpace::Buckets(buckets) => *buckets,
        };
        let fits = match &stored.weighting {
            Weighting::Count | Weighting::Presence => true,
            Weighting::Frequency(factors) | Weighting::UnitFrequency(factors) => {
                factors.len() == columns as usize
            }
        };
        if columns == 0 || !fits {
            return Err(format!("{columns} terms, with factors for other ones"));
        }
        Ok(Self::new(stored.words, stored.space, stored.weighting))
    }
}

impl From<TermTable> for StoredTerms {
    fn from(table: TermTable) -> Self {
        table.0.stored.clone()
    }
}

impl TermTable {
    /// A table with a factor for each term where the weighting has factors.
    pub(crate) fn new(words: Words, space: TermSpace, weighting: Weighting) -> Self {
        let mut index = HashMap::with_hasher(FixedState::with_seed(0));
        if let TermSpace::Vocabulary(terms) = &space {
            index.extend(terms.iter().cloned().zip(0..));
        }
        Self(Arc::new(Terms { stored: StoredTerms { words, space, weighting }, index }))
    }
}

/// What one row needs room for.
#[derive(Debug, Default)]
struct RowScratch {
    words: Scratch,
    codes: Vec<u32>,
    entries: Vec<(u32, f64)>,
}

impl Terms {
    #[allow(clippy::cast_possible_truncation, reason = "a remainder of a u32")]
    fn code(&self, term: &str) -> Option<u32> {
        match self.stored.space {
            TermSpace::Vocabulary(_) => self.index.get(term).copied(),
            TermSpace::Buckets(buckets) => Some((xxh3_64(term.as_bytes()) % u64::from(buckets)) as u32),
        }
    }

    /// The row of a text.
    fn row<'s>(&self, text: &str, scratch: &'s mut RowScratch) -> impl Iterator<Item = (u32, f64)> + use<'s> {
        let RowScratch { words, codes, entries } = scratch;
        codes.clear();
        entries.clear();
        let mut length = 0_u64;
        self.stored.words.each_term(text, words, |term| {
            length += 1;
            codes.extend(self.code(term));
        });
        codes.sort_unstable();
        for same in codes.chunk_by(|one, other| one == other) {
            let (code, count) = (same[0], same.len() as f64);
            entries.push((
                code,
                match &self.stored.weighting {
                    Weighting::Count => count,
                    Weighting::Presence => 1.0,
                    Weighting::Frequency(factors) => count / length as f64 * factors[code as usize],
                    Weighting::UnitFrequency(factors) => count * factors[code as usize],
                },
            ));
        }
        if matches!(self.stored.weighting, Weighting::UnitFrequency(_)) {
            let norm = entries.iter().map(|(_, value)| value * value).sum::<f64>().sqrt();
            // A text without a known term stays a row of zeros.
            entries.iter_mut().for_each(|(_, value)| *value /= norm);
        }
        entries.drain(..)
    }

    fn rows(&self, array: &ArrayRef) -> Option<Result<SparseRows>> {
        Some(match Texts::of(array)? {
            Texts::Rows(view) => self.rows_of((0..array.len()).map(|row| view.text(row))),
            Texts::Coded(codes, texts) => {
                let distinct = match self.rows_of(texts.iter()) {
                    Ok(distinct) => distinct,
                    Err(error) => return Some(Err(error)),
                };
                let mut rows = SparseBuilder::with_capacity(codes.len());
                let pushed = (0..codes.len()).try_for_each(|row| match code_of(codes, row) {
                    Some(code) => rows.push_row(&distinct, code),
                    None => rows.push([]),
                });
                pushed.map(|()| rows.finish())
            }
        })
    }

    fn rows_of<'t>(&self, texts: impl ExactSizeIterator<Item = Option<&'t str>>) -> Result<SparseRows> {
        let mut rows = SparseBuilder::with_capacity(texts.len());
        let mut scratch = RowScratch::default();
        for text in texts {
            rows.push(self.row(text.unwrap_or_default(), &mut scratch))?;
        }
        Ok(rows.finish())
    }
}

impl Map for TermTable {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let array = inputs.values[0].column()?;
        let rows = self.0.rows(array);
        let rows = rows.unwrap_or_else(|| Err(not_text(inputs.names[0], array, inputs.operation)))?;
        Ok(vec![Value::Sparse(Arc::new(rows))])
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        let mut rows = SparseBuilder::with_capacity(1);
        match inputs.cell(0) {
            Cell::Text(text) => rows.push(self.0.row(text, &mut RowScratch::default()))?,
            Cell::Null => rows.push([])?,
            other => {
                let value = other.to_value();
                return Err(not_text(&inputs.names[0], value.column()?, inputs.operation));
            }
        }
        outputs.push(Cell::Sparse(Arc::new(rows.finish())));
        Ok(())
    }

    fn is_sparse(&self) -> bool {
        true
    }

    fn labels(&self, _: usize) -> Option<Vec<String>> {
        Some(match &self.0.stored.space {
            TermSpace::Vocabulary(terms) => terms.clone(),
            TermSpace::Buckets(buckets) => (0..*buckets).map(|bucket| bucket.to_string()).collect(),
        })
    }
}

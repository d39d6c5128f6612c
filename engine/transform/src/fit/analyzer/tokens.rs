//! How often each token of a column occurs: a value, or each element of a list; by rows, by weights, or apart for each
//! value of the label. With a label a token counts once per row, however often a list repeats it. All sums are exact.

use arrow::array::{Array as _, Float64Array};
use serde::{Deserialize, Serialize};

use sluice_core::column::numbers;
use sluice_core::error::{Error, Result};
use sluice_core::seam::CountedColumn;
use sluice_core::spill::Scratch;
use sluice_summaries::{ExactSum, Frequencies};

use super::keyed::KeyedSums;
use super::{Analyze, Keyed, Keys, Rows, Table};
use crate::error::TransformError;
use crate::operation::hash_buckets::bucket;
use crate::operation::texts::{Texts, Tokens, push_part};

/// More values of the label than this are no classes.
const MAX_CLASSES: usize = 1000;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TokenOptions {
    /// Whether the second value is a weight.
    pub(crate) is_weighted: bool,
    /// Whether the last value is the label.
    pub(crate) is_labelled: bool,
    /// Whether the first value is a list.
    pub(crate) is_list: bool,
    /// More tokens (with a label: pairs of token and label) than this are not counted.
    pub(crate) limit: usize,
    /// Approximate counts of about so many tokens, in place of exact ones.
    pub(crate) approximate: Option<usize>,
    /// Only the tokens whose hash falls into this part, of so many.
    pub(crate) part: Option<(u32, u32)>,
}

impl TokenOptions {
    fn takes(&self, token: &str) -> bool {
        self.part.is_none_or(|(part, parts)| bucket(token, parts) == part)
    }
}

/// Counts of tokens: reads the column, then the weight and the label, where there are such.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TokenCounts {
    options: TokenOptions,
    /// By token, or by token and label.
    pub(crate) tokens: Table<ExactSum>,
    /// By label: all rows.
    pub(crate) classes: KeyedSums,
    pub(crate) approximate: Option<Frequencies>,
}

impl TokenCounts {
    /// Nothing yet.
    pub(crate) fn new(options: TokenOptions) -> Self {
        Self {
            options,
            tokens: Table::new(Keys::Text, options.limit),
            classes: Keyed::new(MAX_CLASSES),
            approximate: options.approximate.map(Frequencies::with_capacity),
        }
    }

    fn weights(&self, rows: &Rows<'_>) -> Result<Option<Float64Array>> {
        if !self.options.is_weighted {
            return Ok(None);
        }
        let weights = numbers(rows.names[1], rows.values[1].column()?, "`vocabulary`")?;
        let is_weight =
            |row: usize| !weights.is_null(row) && weights.value(row).is_finite() && weights.value(row) >= 0.0;
        match (0..weights.len()).find(|row| !is_weight(*row)) {
            Some(row) => {
                let column = rows.names[1].to_owned();
                Err(Error::from(TransformError::NoWeight { operation: "vocabulary", column }).at_row(row))
            }
            None => Ok(Some(weights)),
        }
    }

    /// The rows of tokens that have labels.
    fn labelled(
        &mut self,
        rows: &Rows<'_>,
        tokens: &Tokens<'_>,
        weights: Option<&Float64Array>,
    ) -> Result<()> {
        let last = rows.values.len() - 1;
        let labels: Texts<'_> = rows.texts(last)?;
        let (mut scratch, mut class, mut key) = (String::new(), String::new(), String::new());
        let texts = tokens.texts();
        for row in 0..rows.len() {
            let Some(label) = labels.get(row, &mut scratch) else {
                let (operation, label) = ("vocabulary", rows.names[last].to_owned());
                return Err(Error::from(TransformError::NoLabel { operation, label }).at_row(row));
            };
            class.clear();
            push_part(Some(label), &mut class);
            let weight = weights.map_or(1.0, |weights| weights.value(row));
            self.classes.add(&class, weight);
            let mut of_row: Vec<String> = Vec::new();
            for place in tokens.row(row) {
                if let Some(token) = texts.get(place, &mut scratch)
                    && self.options.takes(token)
                {
                    key.clear();
                    push_part(Some(token), &mut key);
                    key.push_str(&class);
                    if !of_row.contains(&key) {
                        self.tokens.tally(key.as_bytes()).add(weight);
                        of_row.push(key.clone());
                    }
                }
            }
        }
        Ok(())
    }

    fn unlabelled(&mut self, rows: &Rows<'_>, tokens: &Tokens<'_>, weights: Option<&Float64Array>) {
        let (mut scratch, mut key) = (String::new(), String::new());
        let texts = tokens.texts();
        for row in 0..rows.len() {
            let weight = weights.map_or(1.0, |weights| weights.value(row));
            for place in tokens.row(row) {
                let token = texts.get(place, &mut scratch).filter(|token| self.options.takes(token));
                let Some(token) = token else { continue };
                match &mut self.approximate {
                    Some(frequencies) => frequencies.update(token),
                    None => {
                        key.clear();
                        push_part(Some(token), &mut key);
                        self.tokens.tally(key.as_bytes()).add(weight);
                    }
                }
            }
        }
    }
}

impl Analyze for TokenCounts {
    fn empty(&self) -> Self {
        Self::new(self.options)
    }

    fn takes_counted(&self) -> bool {
        !self.options.is_weighted && !self.options.is_labelled && !self.options.is_list
    }

    fn takes_fill(&self) -> bool {
        false
    }

    fn rows(&mut self, rows: &Rows<'_>) -> Result<()> {
        let tokens = Tokens::of(rows.names[0], rows.values[0].column()?, "vocabulary")?;
        let weights = self.weights(rows)?;
        if self.options.is_labelled {
            self.labelled(rows, &tokens, weights.as_ref())?;
        } else {
            self.unlabelled(rows, &tokens, weights.as_ref());
        }
        self.tokens.bound();
        self.classes.bound();
        Ok(())
    }

    fn counted(&mut self, column: &CountedColumn) -> Result<()> {
        let texts = Texts::of(&column.column, &column.values, "vocabulary")?;
        let (mut scratch, mut key) = (String::new(), String::new());
        for (row, count) in column.counts.iter().enumerate() {
            let token = texts.get(row, &mut scratch).filter(|token| self.options.takes(token));
            let Some(token) = token else { continue };
            match &mut self.approximate {
                Some(frequencies) => frequencies.update_counted(token, *count),
                None => {
                    key.clear();
                    push_part(Some(token), &mut key);
                    self.tokens.tally(key.as_bytes()).add_counted(1.0, *count);
                }
            }
        }
        self.tokens.bound();
        Ok(())
    }

    fn merge(&mut self, later: Self) -> Result<()> {
        self.tokens.merge(later.tokens)?;
        self.classes.merge_sums(later.classes)?;
        if let (Some(mine), Some(later)) = (&mut self.approximate, later.approximate) {
            mine.merge(later);
        }
        Ok(())
    }

    fn shed(&mut self, least: usize, scratch: &Scratch) -> Result<()> {
        self.tokens.shed(least, scratch)
    }

    fn sheddable_bytes(&self) -> usize {
        self.tokens.size_in_memory()
    }

    fn size_bytes(&self) -> usize {
        let of = |_: &ExactSum| size_of::<ExactSum>();
        self.tokens.size_bytes()
            + self.classes.size_bytes(of)
            + self.approximate.as_ref().map_or(0, Frequencies::size_bytes)
    }
}

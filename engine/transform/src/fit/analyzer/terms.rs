//! How often each term of a text occurs, and in how many texts, exactly. Null is a text without terms. Past
//! [`TermCounts::LIMIT`] different terms it is only known that there are more.

use arrow::array::{Array, ArrayRef};
use serde::{Deserialize, Serialize};

use sluice_core::error::{CommonError, Result};
use sluice_core::seam::CountedColumn;
use sluice_core::spill::Scratch as Disk;

use super::table::Tally;
use super::{Analyze, Keys, Rows, Table, text_of};
use crate::operation::impute::Fill;
use crate::operation::text::words::{Scratch, Words};
use crate::operation::text::{Texts, code_of, not_text};

/// How often a term occurs.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct TermTally {
    pub(crate) occurrences: u64,
    /// Texts that it is in.
    pub(crate) documents: u64,
    /// The text that it was last seen in; has no meaning outside of one pass over it.
    #[serde(skip)]
    last: u64,
}

impl PartialEq for TermTally {
    fn eq(&self, other: &Self) -> bool {
        (self.occurrences, self.documents) == (other.occurrences, other.documents)
    }
}

impl Tally for TermTally {
    fn join(&mut self, other: Self) {
        self.occurrences += other.occurrences;
        self.documents += other.documents;
    }
}

/// Counts of the terms of texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TermCounts {
    words: Words,
    terms: Table<TermTally>,
    num_texts: u64,
    num_missing: u64,
    num_absent: u64,
    /// The number of the text at hand.
    #[serde(skip)]
    text: u64,
}

impl PartialEq for TermCounts {
    fn eq(&self, other: &Self) -> bool {
        let numbers = |counts: &Self| (counts.num_texts, counts.num_missing, counts.num_absent);
        (&self.words, &self.terms, numbers(self)) == (&other.words, &other.terms, numbers(other))
    }
}

impl TermCounts {
    /// More different terms than this are not counted.
    pub(crate) const LIMIT: usize = 1 << 21;

    /// Nothing yet.
    pub(crate) fn new(words: Words) -> Self {
        Self {
            words,
            terms: Table::new(Keys::Text, Self::LIMIT),
            num_texts: 0,
            num_missing: 0,
            num_absent: 0,
            text: 0,
        }
    }

    /// Texts, null ones too.
    pub(crate) fn num_documents(&self) -> u64 {
        self.num_texts + self.num_missing
    }

    /// Hands each term with its counts to `visit`, in the order of the bytes. False where there are more than
    /// [`TermCounts::LIMIT`]; what was handed over until then is to be forgotten.
    pub(crate) fn each(&self, mut visit: impl FnMut(&str, TermTally)) -> Result<bool> {
        self.terms.each(|term, tally| {
            visit(text_of(term)?, tally);
            Ok(())
        })
    }

    /// Adds a text that occurs so many times.
    fn add_text(&mut self, text: &str, times: u64, scratch: &mut Scratch) {
        self.num_texts += times;
        if times == 0 {
            return;
        }
        self.text += 1;
        let (terms, number) = (&mut self.terms, self.text);
        self.words.each_term(text, scratch, |term| {
            let tally = terms.tally(term.as_bytes());
            tally.occurrences += times;
            tally.documents += if tally.last == number { 0 } else { times };
            tally.last = number;
        });
        self.terms.bound();
    }

    fn add(&mut self, name: &str, values: &ArrayRef, count: impl Fn(usize) -> u64) -> Result<()> {
        let mut scratch = Scratch::default();
        match Texts::of(values) {
            None => return Err(not_text(name, values, "the transform")),
            Some(Texts::Rows(view)) => {
                for row in 0..values.len() {
                    match view.text(row) {
                        Some(text) => self.add_text(text, count(row), &mut scratch),
                        None => self.num_missing += count(row),
                    }
                }
            }
            Some(Texts::Coded(codes, texts)) => {
                let mut by_code = vec![0_u64; texts.len()];
                for row in 0..codes.len() {
                    match code_of(codes, row).filter(|code| texts.is_valid(*code)) {
                        Some(code) => by_code[code] += count(row),
                        None => self.num_missing += count(row),
                    }
                }
                for (code, times) in by_code.into_iter().enumerate().filter(|(_, times)| *times > 0) {
                    self.add_text(texts.value(code), times, &mut scratch);
                }
            }
        }
        Ok(())
    }
}

impl Analyze for TermCounts {
    fn empty(&self) -> Self {
        Self::new(self.words.clone())
    }

    fn takes_counted(&self) -> bool {
        true
    }

    fn rows(&mut self, rows: &Rows<'_>) -> Result<()> {
        self.add(rows.names[0], rows.values[0].column()?, |_| 1)
    }

    fn counted(&mut self, column: &CountedColumn) -> Result<()> {
        self.num_missing += column.nulls;
        self.add(&column.column, &column.values, |row| column.counts[row])
    }

    fn absent(&mut self, rows: u64) {
        self.num_absent += rows;
    }

    fn fill(&mut self, fill: &Fill) -> Result<()> {
        if let Fill::Text(text) = fill {
            let missing = std::mem::take(&mut self.num_missing);
            self.add_text(text, missing, &mut Scratch::default());
        }
        Ok(())
    }

    fn merge(&mut self, later: Self) -> Result<()> {
        if self.words != later.words {
            let problem = "two states of a transform split texts in different ways";
            return Err(CommonError::Internal(problem.into()).into());
        }
        self.num_texts += later.num_texts;
        self.num_missing += later.num_missing;
        self.num_absent += later.num_absent;
        // Neither's texts are at hand any more.
        self.text = std::cmp::max(self.text, later.text);
        self.terms.merge(later.terms)
    }

    fn shed(&mut self, least: usize, scratch: &Disk) -> Result<()> {
        self.terms.shed(least, scratch)
    }

    fn sheddable_bytes(&self) -> usize {
        self.terms.size_in_memory()
    }

    fn size_bytes(&self) -> usize {
        self.terms.size_bytes()
    }
}

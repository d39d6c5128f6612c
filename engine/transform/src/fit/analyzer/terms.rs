//! How often each term of a text occurs, and in how many texts, exactly. Null is a text without terms. Past
//! [`TermCounts::LIMIT`] different terms the counting stops: it is then known that there are more.

use arrow::array::{Array, ArrayRef};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use sluice_core::error::{CommonError, Result};
use sluice_core::seam::CountedColumn;

use super::{Analyze, Rows};
use crate::operation::impute::Fill;
use crate::operation::text::words::{Scratch, Words};
use crate::operation::text::{Texts, code_of, not_text};

#[derive(Clone, Copy, Debug)]
struct Tally {
    occurrences: u64,
    documents: u64,
    /// The text that it was last seen in; has no meaning outside of one pass over it.
    last: u64,
}

/// Counts of the terms of texts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "StoredTermCounts", into = "StoredTermCounts")]
pub(crate) struct TermCounts {
    words: Words,
    terms: HashMap<Box<str>, Tally, FixedState>,
    num_texts: u64,
    num_missing: u64,
    num_absent: u64,
    overflows: bool,
    /// The number of the text at hand.
    text: u64,
}

/// The same, sorted.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct StoredTermCounts {
    words: Words,
    /// Each with its occurrences and documents.
    terms: Vec<(Box<str>, u64, u64)>,
    num_texts: u64,
    num_missing: u64,
    num_absent: u64,
    overflows: bool,
}

impl From<TermCounts> for StoredTermCounts {
    fn from(counts: TermCounts) -> Self {
        let terms = counts.terms.into_iter();
        let mut terms: Vec<_> =
            terms.map(|(term, tally)| (term, tally.occurrences, tally.documents)).collect();
        terms.sort_unstable();
        Self {
            words: counts.words,
            terms,
            num_texts: counts.num_texts,
            num_missing: counts.num_missing,
            num_absent: counts.num_absent,
            overflows: counts.overflows,
        }
    }
}

impl From<StoredTermCounts> for TermCounts {
    fn from(stored: StoredTermCounts) -> Self {
        let mut counts = Self::new(stored.words);
        let tally = |(term, occurrences, documents)| (term, Tally { occurrences, documents, last: 0 });
        counts.terms.extend(stored.terms.into_iter().map(tally));
        counts.num_texts = stored.num_texts;
        counts.num_missing = stored.num_missing;
        counts.num_absent = stored.num_absent;
        counts.overflows = stored.overflows;
        counts
    }
}

impl PartialEq for TermCounts {
    fn eq(&self, other: &Self) -> bool {
        StoredTermCounts::from(self.clone()) == StoredTermCounts::from(other.clone())
    }
}

impl TermCounts {
    /// More different terms than this are not counted.
    pub(crate) const LIMIT: usize = 1 << 21;

    /// Nothing yet.
    pub(crate) fn new(words: Words) -> Self {
        Self {
            words,
            terms: HashMap::with_hasher(FixedState::with_seed(0)),
            num_texts: 0,
            num_missing: 0,
            num_absent: 0,
            overflows: false,
            text: 0,
        }
    }

    /// Whether all terms are counted.
    pub(crate) fn is_complete(&self) -> bool {
        !self.overflows
    }

    /// Texts, null ones too.
    pub(crate) fn num_documents(&self) -> u64 {
        self.num_texts + self.num_missing
    }

    /// The terms that occur at least so often, in no order, with their occurrences and the texts that they
    /// are in.
    pub(crate) fn terms_of(&self, min_frequency: u64) -> Vec<(&str, u64, u64)> {
        let terms = self.terms.iter().filter(|(_, tally)| tally.occurrences >= min_frequency);
        terms.map(|(term, tally)| (term.as_ref(), tally.occurrences, tally.documents)).collect()
    }

    /// Gives up the counts where there are too many, so that the state does not depend on the order of rows.
    fn bound(&mut self) {
        if self.overflows || self.terms.len() > Self::LIMIT {
            self.overflows = true;
            self.terms = HashMap::with_hasher(FixedState::with_seed(0));
        }
    }

    /// Adds a text that occurs so many times.
    fn add_text(&mut self, text: &str, times: u64, scratch: &mut Scratch) {
        self.num_texts += times;
        if self.overflows || times == 0 {
            return;
        }
        self.text += 1;
        let (terms, number) = (&mut self.terms, self.text);
        self.words.each_term(text, scratch, |term| match terms.get_mut(term) {
            Some(tally) => {
                tally.occurrences += times;
                tally.documents += if tally.last == number { 0 } else { times };
                tally.last = number;
            }
            None => {
                let tally = Tally { occurrences: times, documents: times, last: number };
                terms.insert(term.into(), tally);
            }
        });
        self.bound();
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

    fn fill(&mut self, fill: &Fill) {
        if let Fill::Text(text) = fill {
            let missing = std::mem::take(&mut self.num_missing);
            self.add_text(text, missing, &mut Scratch::default());
        }
    }

    fn merge(&mut self, later: Self) -> Result<()> {
        if self.words != later.words {
            let problem = "two states of a transform split texts in different ways";
            return Err(CommonError::Internal(problem.into()).into());
        }
        self.num_texts += later.num_texts;
        self.num_missing += later.num_missing;
        self.num_absent += later.num_absent;
        self.overflows |= later.overflows;
        for (term, tally) in later.terms {
            let mine = self.terms.entry(term).or_insert(Tally { occurrences: 0, documents: 0, last: 0 });
            mine.occurrences += tally.occurrences;
            mine.documents += tally.documents;
        }
        self.bound();
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        self.terms.allocation_size() + self.terms.keys().map(|term| term.len()).sum::<usize>()
    }
}

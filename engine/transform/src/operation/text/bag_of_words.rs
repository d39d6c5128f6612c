//! Bags of words and tf-idf: a text as the terms in it (words or n-grams), sparse; a column per term,
//! `review=good`.
//!
//! The vocabulary is that of the training rows, ordered as TFT's: by how often a term occurs, the most
//! frequent first, equally frequent ones by bytes, the last first. Terms that occur fewer than
//! `min_frequency` times are left out, then all but the first `top`. The counts are exact up to
//! [`TermCounts::LIMIT`] different terms; more are refused.
//!
//! - `bag_of_words`: how often each term occurs (scikit-learn's `CountVectorizer`), or with `binary` whether
//!   it does (TFT's `bag_of_words`). With `buckets` there is no vocabulary: a term is counted in bucket
//!   XXH3-64(UTF-8) mod n.
//! - `tf_idf`: n / (terms of the text) · idf, idf = 1 + ln((N + 1) / (df + 1)), or 1 + ln(N / df) without
//!   `smooth`, where N is the number of training rows and df that of rows with the term (TFT's `tfidf`). With
//!   `norm: l2` each row is n · idf divided by its Euclidean norm (scikit-learn's `TfidfVectorizer`).
//!
//! Null counts as an empty text: a row of zeros, and one of the N. Terms that are not in the vocabulary have
//! no column, but are terms of the text.

use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::options::OptionsError;

use super::term_table::{TermSpace, TermTable, Weighting};
use super::text_input;
use super::words::{Split, WordOptions, Words};
use crate::error::TransformError;
use crate::fit::Builder;
use crate::fit::analyzer::{Analyzer, TermCounts, Wanted};
use crate::operation::{Fitted, Fitting, Known, Mapper, Plan};
use crate::spec::OfColumns;
use crate::value::ValueKind;

/// More buckets than this are refused.
const MAX_BUCKETS: u32 = 1 << 24;

/// The options of `bag_of_words`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BagOfWords {
    /// The columns.
    pub columns: Vec<String>,
    /// Where words end.
    #[serde(default)]
    pub split: Split,
    /// Whether upper case is lower case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lowercase: bool,
    /// The shortest and the longest n-gram, in words.
    #[serde(default = "single_words")]
    pub ngrams: [u32; 2],
    /// What stands between the words of an n-gram.
    #[serde(default = "space")]
    pub separator: String,
    /// Only so many of the most frequent terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<usize>,
    /// Only terms that occur so often in the training rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_frequency: Option<u64>,
    /// Whether a term counts once per text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub binary: bool,
    /// So many buckets instead of a vocabulary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buckets: Option<u32>,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// How the rows of `tf_idf` are scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowNorm {
    /// By the number of terms of the text.
    #[default]
    None,
    /// To Euclidean norm 1.
    L2,
}

/// The options of `tf_idf`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TfIdf {
    /// The columns.
    pub columns: Vec<String>,
    /// Where words end.
    #[serde(default)]
    pub split: Split,
    /// Whether upper case is lower case.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lowercase: bool,
    /// The shortest and the longest n-gram, in words.
    #[serde(default = "single_words")]
    pub ngrams: [u32; 2],
    /// What stands between the words of an n-gram.
    #[serde(default = "space")]
    pub separator: String,
    /// Only so many of the most frequent terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<usize>,
    /// Only terms that occur so often in the training rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_frequency: Option<u64>,
    /// Whether one row more is assumed, with every term in it.
    #[serde(default = "yes")]
    pub smooth: bool,
    /// How rows are scaled.
    #[serde(default)]
    pub norm: RowNorm,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

fn single_words() -> [u32; 2] {
    [1, 1]
}

fn space() -> String {
    " ".into()
}

fn yes() -> bool {
    true
}

impl OfColumns for BagOfWords {
    fn of_columns(columns: Vec<String>) -> Self {
        Self {
            columns,
            split: Split::Whitespace,
            lowercase: false,
            ngrams: single_words(),
            separator: space(),
            top: None,
            min_frequency: None,
            binary: false,
            buckets: None,
            names: Vec::new(),
        }
    }
}

impl OfColumns for TfIdf {
    fn of_columns(columns: Vec<String>) -> Self {
        Self {
            columns,
            split: Split::Whitespace,
            lowercase: false,
            ngrams: single_words(),
            separator: space(),
            top: None,
            min_frequency: None,
            smooth: true,
            norm: RowNorm::None,
            names: Vec::new(),
        }
    }
}

fn at_least_one(name: String, value: Option<u64>) -> Result<(), OptionsError> {
    if value != Some(0) {
        return Ok(());
    }
    Err(OptionsError::OutOfRange { name, value: "0".into(), range: "at least 1".into() })
}

impl BagOfWords {
    fn words(&self) -> Result<Words, OptionsError> {
        let options = WordOptions {
            split: self.split.clone(),
            lowercase: self.lowercase,
            ngrams: self.ngrams,
            separator: self.separator.clone(),
        };
        Words::new("bag_of_words", options)
    }

    fn selection(&self) -> Selection {
        Selection { top: self.top, min_frequency: self.min_frequency.unwrap_or(1) }
    }
}

impl Plan for BagOfWords {
    fn check(&self) -> Result<(), OptionsError> {
        self.words()?;
        self.selection().check("bag_of_words")?;
        match self.buckets {
            Some(_) if self.top.is_some() || self.min_frequency.is_some() => Err(OptionsError::Conflict {
                name: "bag_of_words".into(),
                problem:
                    "has `buckets`, which need no vocabulary, and `top` or `min_frequency`, which are of one"
                        .into(),
                hint: Some("give the number of buckets, or how the vocabulary is chosen".into()),
            }),
            Some(buckets) if !(1..=MAX_BUCKETS).contains(&buckets) => Err(OptionsError::OutOfRange {
                name: "bag_of_words.buckets".into(),
                value: buckets.to_string(),
                range: format!("from 1 to {MAX_BUCKETS}"),
            }),
            _ => Ok(()),
        }
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = text_input(graph, column)?;
            let (words, outputs) = (self.words()?, [(name, ValueKind::Sparse)]);
            match self.buckets {
                Some(buckets) => {
                    let weighting = if self.binary { Weighting::Presence } else { Weighting::Count };
                    let table = TermTable::new(words, TermSpace::Buckets(buckets), weighting);
                    graph.step(&[input], outputs, Known(Mapper::BagOfWords(table)))?;
                }
                None => {
                    let weigh = if self.binary { Weigh::Presence } else { Weigh::Count };
                    let (column, selection) = (column.to_owned(), self.selection());
                    let fitting = TermsFitting { operation: "bag_of_words", column, words, selection, weigh };
                    graph.step(&[input], outputs, fitting)?;
                }
            }
        }
        Ok(())
    }
}

impl TfIdf {
    fn words(&self) -> Result<Words, OptionsError> {
        let options = WordOptions {
            split: self.split.clone(),
            lowercase: self.lowercase,
            ngrams: self.ngrams,
            separator: self.separator.clone(),
        };
        Words::new("tf_idf", options)
    }

    fn selection(&self) -> Selection {
        Selection { top: self.top, min_frequency: self.min_frequency.unwrap_or(1) }
    }
}

impl Plan for TfIdf {
    fn check(&self) -> Result<(), OptionsError> {
        self.words()?;
        self.selection().check("tf_idf")
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = text_input(graph, column)?;
            let weigh = Weigh::Frequency { smooth: self.smooth, norm: self.norm };
            let (column, words, selection) = (column.to_owned(), self.words()?, self.selection());
            let fitting = TermsFitting { operation: "tf_idf", column, words, selection, weigh };
            graph.step(&[input], [(name, ValueKind::Sparse)], fitting)?;
        }
        Ok(())
    }
}

/// Which terms become columns.
#[derive(Clone, Copy, Debug)]
struct Selection {
    top: Option<usize>,
    min_frequency: u64,
}

impl Selection {
    fn check(self, operation: &str) -> Result<(), OptionsError> {
        at_least_one(format!("{operation}.top"), self.top.map(|top| top as u64))?;
        at_least_one(format!("{operation}.min_frequency"), Some(self.min_frequency))
    }
}

#[derive(Clone, Copy, Debug)]
enum Weigh {
    Count,
    Presence,
    Frequency { smooth: bool, norm: RowNorm },
}

#[derive(Debug)]
struct TermsFitting {
    operation: &'static str,
    column: String,
    words: Words,
    selection: Selection,
    weigh: Weigh,
}

impl Fitting for TermsFitting {
    fn wanted(&self) -> Vec<Wanted> {
        vec![Wanted::of(0, TermCounts::new(self.words.clone()))]
    }

    fn fit(self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        let (operation, column) = (self.operation, self.column);
        let Some(counts) = answers.into_iter().find_map(Analyzer::into_terms) else {
            return Err(TransformError::NoValues { operation, column }.into());
        };
        let Selection { top, min_frequency } = self.selection;
        let mut terms: Vec<(String, u64, u64)> = Vec::new();
        let is_whole = counts.each(|term, tally| {
            if tally.occurrences >= min_frequency {
                terms.push((term.to_owned(), tally.occurrences, tally.documents));
            }
        })?;
        if !is_whole {
            let limit = TermCounts::LIMIT;
            return Err(TransformError::TooManyTerms { operation, column, limit }.into());
        }
        terms.sort_unstable_by(|one, other| (other.1, &other.0).cmp(&(one.1, &one.0)));
        terms.truncate(top.unwrap_or(usize::MAX));
        if terms.is_empty() {
            return Err(TransformError::NoTerms { operation, column, min_frequency }.into());
        }
        let documents = counts.num_documents() as f64;
        let factor = |smooth: bool, frequency: u64| {
            let frequency = frequency as f64;
            1.0 + if smooth {
                ((documents + 1.0) / (frequency + 1.0)).ln()
            } else {
                (documents / frequency).ln()
            }
        };
        let factors = |smooth| terms.iter().map(|(_, _, frequency)| factor(smooth, *frequency)).collect();
        let weighting = match self.weigh {
            Weigh::Count => Weighting::Count,
            Weigh::Presence => Weighting::Presence,
            Weigh::Frequency { smooth, norm: RowNorm::None } => Weighting::Frequency(factors(smooth)),
            Weigh::Frequency { smooth, norm: RowNorm::L2 } => Weighting::UnitFrequency(factors(smooth)),
        };
        let vocabulary = TermSpace::Vocabulary(terms.iter().map(|(term, _, _)| term.clone()).collect());
        let table = TermTable::new(self.words, vocabulary, weighting);
        Ok(Fitted::Done(match self.weigh {
            Weigh::Frequency { .. } => Mapper::TfIdf(table),
            Weigh::Count | Weigh::Presence => Mapper::BagOfWords(table),
        }))
    }
}

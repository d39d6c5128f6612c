//! Which tokens a vocabulary takes, and in which order.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use sluice_core::error::{Error, Result};

use super::{AutoOr, StoredTokens, Tokens, Vocabulary, VocabularyBy};
use crate::error::TransformError;
use crate::fit::analyzer::{
    Analyzer, Counted, KeyedSums, TokenCounts, TokenOptions, ValueCounts, Wanted, text_of,
};
use crate::operation::information::{Counting, automatic_difference};
use crate::operation::texts::parts;
use crate::operation::{Fitted, Fitting, Mapper};

const OPERATION: &str = "vocabulary";

#[derive(Debug)]
pub(super) struct VocabularyFitting {
    options: Vocabulary,
    column: String,
    label: String,
    is_list: bool,
    /// The part of the tokens that the next scan counts.
    part: u32,
    /// Whether there was any token.
    is_found: bool,
    /// The best of the tokens that were counted and pass.
    best: Best,
}

impl VocabularyFitting {
    pub(super) fn new(options: Vocabulary, column: &str, label: String, is_list: bool) -> Self {
        let column = column.to_owned();
        let best = Best::new(options.top);
        Self { options, column, label, is_list, part: 0, is_found: false, best }
    }

    /// Whether values with their counts are all that is needed: the fastest way, on counted views.
    fn is_plain(&self) -> bool {
        let Vocabulary { weight, approximate, scans, .. } = &self.options;
        let is_special = weight.is_some() || approximate.is_some() || *scans > 1;
        !self.is_list && !is_special && !self.options.is_labelled()
    }
}

impl Fitting for VocabularyFitting {
    fn is_iterated(&self) -> bool {
        self.options.scans > 1
    }

    fn wanted(&self) -> Vec<Wanted> {
        if self.is_plain() {
            return vec![Wanted::of(0, ValueCounts::new().with_limit(self.options.limit()))];
        }
        let options = TokenOptions {
            is_weighted: self.options.weight.is_some(),
            is_labelled: self.options.is_labelled(),
            is_list: self.is_list,
            limit: self.options.limit(),
            approximate: self.options.approximate,
            part: (self.options.scans > 1).then_some((self.part, self.options.scans)),
        };
        let inputs = 1 + usize::from(options.is_weighted) + usize::from(options.is_labelled);
        vec![Wanted { inputs: (0..inputs).collect(), analyzer: TokenCounts::new(options).into() }]
    }

    fn fit(mut self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        if self.is_plain() {
            if let Some(counts) = answers.into_iter().find_map(Analyzer::into_counts) {
                self.choose_values(&counts)?;
            }
        } else if let Some(counts) = answers.into_iter().find_map(Analyzer::into_tokens) {
            self.choose_tokens(counts)?;
        }
        self.part += 1;
        if self.part < self.options.scans {
            return Ok(Fitted::Again(self));
        }
        if !self.is_found {
            return Err(TransformError::NoValues { operation: OPERATION, column: self.column }.into());
        }
        let passed = self.best.into_tokens();
        let tokens: Vec<String> = self.options.reserved.iter().cloned().chain(passed).collect();
        if tokens.is_empty() && self.options.oov_buckets == 0 {
            return Err(TransformError::NothingKept { operation: OPERATION, column: self.column }.into());
        }
        let stored = StoredTokens {
            tokens,
            oov_buckets: self.options.oov_buckets,
            default: self.options.default,
            is_list: self.is_list,
            output: self.options.output,
        };
        Ok(Fitted::Done(Mapper::Vocabulary(Box::new(Tokens::from(stored)))))
    }
}

impl VocabularyFitting {
    /// Keeps the best of the tokens that pass.
    fn offer(&mut self, token: &str, count: f64, indicator: f64) {
        let Vocabulary { reserved, min_frequency, min_information, .. } = &self.options;
        let passes = min_frequency.is_none_or(|least| count >= least)
            && min_information.is_none_or(|least| indicator >= least)
            && !reserved.iter().any(|reserved| reserved == token);
        self.is_found = true;
        if passes {
            self.best.offer(token, indicator);
        }
    }

    fn too_many(&self, limit: usize) -> Error {
        TransformError::TooManyValues { operation: OPERATION, column: self.column.clone(), limit }.into()
    }

    /// Of values with their counts.
    fn choose_values(&mut self, counts: &ValueCounts) -> Result<()> {
        let mut scratch = String::new();
        let is_whole = counts.each(|value, count| {
            let token = match value {
                Counted::Text(text) => text,
                other => {
                    scratch.clear();
                    // Writing to a string cannot fail.
                    _ = write!(scratch, "{other}");
                    &scratch
                }
            };
            self.offer(token, count as f64, count as f64);
            Ok(())
        })?;
        if is_whole { Ok(()) } else { Err(self.too_many(counts.limit())) }
    }

    /// Of tokens with their sums.
    fn choose_tokens(&mut self, counts: TokenCounts) -> Result<()> {
        if let Some(frequencies) = &counts.approximate {
            for (token, count) in frequencies.by_value() {
                self.offer(token, count as f64, count as f64);
            }
            return Ok(());
        }
        if self.options.is_labelled() {
            return self.choose_informative(counts);
        }
        let is_whole = counts.tokens.each(|key, sum| {
            let count = sum.to_f64();
            if let Some(token) = parts(text_of(key)?).into_iter().flatten().next() {
                self.offer(&token, count, count);
            }
            Ok(())
        })?;
        if is_whole { Ok(()) } else { Err(self.too_many(counts.tokens.limit())) }
    }

    /// Of tokens with their sums for each value of the label.
    fn choose_informative(&mut self, counts: TokenCounts) -> Result<()> {
        let information = self.information(counts.classes)?;
        let mut offer = |token: &str, by_class: &BTreeMap<String, f64>| {
            let (count, indicator) = information.of(by_class);
            self.offer(token, count, indicator);
        };
        // The keys of a token begin with it, so they follow each other.
        let (mut current, mut by_class): (Option<String>, BTreeMap<String, f64>) = (None, BTreeMap::new());
        let is_whole = counts.tokens.each(|key, sum| {
            let mut key = parts(text_of(key)?).into_iter().flatten();
            let (Some(token), Some(class)) = (key.next(), key.next()) else { return Ok(()) };
            if current.as_ref() != Some(&token) {
                if let Some(before) = current.replace(token) {
                    offer(&before, &by_class);
                }
                by_class.clear();
            }
            by_class.insert(class, sum.to_f64());
            Ok(())
        })?;
        if !is_whole {
            return Err(self.too_many(counts.tokens.limit()));
        }
        if let Some(last) = current {
            offer(&last, &by_class);
        }
        Ok(())
    }

    fn information(&self, classes: KeyedSums) -> Result<Information, TransformError> {
        let too_many =
            |limit| TransformError::TooManyClasses { operation: OPERATION, label: self.label.clone(), limit };
        let classes = classes.into_sorted().map_err(too_many)?;
        let class = |key: Vec<Option<String>>| key.into_iter().flatten().next().unwrap_or_default();
        let classes: BTreeMap<String, f64> =
            classes.into_iter().map(|(key, sum)| (class(key), sum.to_f64())).collect();
        let rows: f64 = classes.values().sum();
        let counting = Counting {
            is_adjusted: self.options.by == VocabularyBy::AdjustedMutualInformation,
            min_diff_from_average: match self.options.min_diff_from_average {
                None => 0.0,
                Some(AutoOr::Auto(_)) => automatic_difference(rows),
                Some(AutoOr::Number(number)) => number,
            },
        };
        Ok(Information { counting, rows, classes })
    }

    #[cfg(test)]
    pub(super) fn indicators(mut self, counts: TokenCounts) -> Vec<(String, f64)> {
        self.choose_tokens(counts).unwrap();
        self.best.tokens
    }
}

/// What tokens tell of the label.
struct Information {
    counting: Counting,
    /// All of them.
    rows: f64,
    /// By the value of the label.
    classes: BTreeMap<String, f64>,
}

impl Information {
    /// The rows of a token and what it tells, by its rows for each value of the label.
    fn of(&self, by_class: &BTreeMap<String, f64>) -> (f64, f64) {
        let count: f64 = by_class.values().sum();
        let of_class = |(class, rows): (&String, &f64)| (by_class.get(class).copied().unwrap_or(0.0), *rows);
        let labels: Vec<(f64, f64)> = self.classes.iter().map(of_class).collect();
        (count, self.counting.of(count, self.rows, &labels))
    }
}

/// The best of the tokens that are offered; it holds at most twice as many as it keeps, or some thousand.
#[derive(Debug)]
pub(super) struct Best {
    top: usize,
    tokens: Vec<(String, f64)>,
    /// The last of the best so far, where they are as many as are kept: what comes after it need not be held.
    last: Option<(String, f64)>,
}

/// By descending indicator, then descending bytes.
fn order((token, indicator): (&str, f64), (other, of_other): (&str, f64)) -> Ordering {
    of_other.total_cmp(&indicator).then_with(|| other.cmp(token))
}

impl Best {
    /// Tokens beyond those that are kept, before the worse are given up.
    const LEAST_SPARE: usize = 4096;

    pub(super) fn new(top: Option<usize>) -> Self {
        Self { top: top.unwrap_or(usize::MAX), tokens: Vec::new(), last: None }
    }

    pub(super) fn offer(&mut self, token: &str, indicator: f64) {
        let is_after = |(last, of_last): &(String, f64)| {
            order((last.as_str(), *of_last), (token, indicator)) == Ordering::Less
        };
        if self.last.as_ref().is_some_and(is_after) {
            return;
        }
        self.tokens.push((token.to_owned(), indicator));
        if self.tokens.len() >= self.top.saturating_add(std::cmp::max(self.top, Self::LEAST_SPARE)) {
            self.prune();
        }
    }

    fn prune(&mut self) {
        if self.top == 0 || self.tokens.len() <= self.top {
            return;
        }
        let by_rank = |a: &(String, f64), b: &(String, f64)| order((&a.0, a.1), (&b.0, b.1));
        self.tokens.select_nth_unstable_by(self.top - 1, by_rank);
        self.tokens.truncate(self.top);
        self.last = self.tokens.last().cloned();
    }

    /// The best, in order.
    pub(super) fn into_tokens(mut self) -> impl Iterator<Item = String> {
        self.prune();
        self.tokens.sort_unstable_by(|a, b| order((&a.0, a.1), (&b.0, b.1)));
        self.tokens.into_iter().map(|(token, _)| token)
    }
}

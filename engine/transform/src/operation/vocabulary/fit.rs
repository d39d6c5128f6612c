//! Which tokens a vocabulary takes, and in which order.

use std::collections::BTreeMap;

use sluice_core::error::Result;

use super::{AutoOr, StoredTokens, Tokens, Vocabulary, VocabularyBy};
use crate::error::TransformError;
use crate::fit::analyzer::{Analyzer, TokenCounts, TokenOptions, ValueCounts, Wanted};
use crate::operation::information::{Counting, automatic_difference};
use crate::operation::ordinal::counted_levels;
use crate::operation::{Fitted, Fitting, Mapper};

const OPERATION: &str = "vocabulary";

/// Tokens that were counted.
#[derive(Debug)]
struct Counted {
    token: String,
    /// Rows, or the sum of their weights.
    count: f64,
    /// What they are ordered by.
    indicator: f64,
}

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
    /// The best of the tokens that were counted and pass, in order.
    passed: Vec<Counted>,
}

impl VocabularyFitting {
    pub(super) fn new(options: Vocabulary, column: &str, label: String, is_list: bool) -> Self {
        let column = column.to_owned();
        Self { options, column, label, is_list, part: 0, is_found: false, passed: Vec::new() }
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
            return vec![Wanted::of(0, ValueCounts::new().with_limit(self.options.max_distinct))];
        }
        let options = TokenOptions {
            is_weighted: self.options.weight.is_some(),
            is_labelled: self.options.is_labelled(),
            is_list: self.is_list,
            limit: self.options.max_distinct,
            approximate: self.options.approximate,
            part: (self.options.scans > 1).then_some((self.part, self.options.scans)),
        };
        let inputs = 1 + usize::from(options.is_weighted) + usize::from(options.is_labelled);
        vec![Wanted { inputs: (0..inputs).collect(), analyzer: TokenCounts::new(options).into() }]
    }

    fn fit(mut self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        let counted = if self.is_plain() {
            let counts = answers.into_iter().find_map(Analyzer::into_counts);
            let (levels, counts) = counted_levels(counts, OPERATION, self.column.clone())?;
            let pairs = levels.labels().into_iter().zip(counts);
            let counted = |(token, count): (String, u64)| Counted {
                token,
                count: count as f64,
                indicator: count as f64,
            };
            pairs.map(counted).collect()
        } else {
            match answers.into_iter().find_map(Analyzer::into_tokens) {
                Some(counts) => self.counted(counts)?,
                None => Vec::new(),
            }
        };
        self.is_found |= !counted.is_empty();
        self.choose(counted);
        self.part += 1;
        if self.part < self.options.scans {
            return Ok(Fitted::Again(self));
        }
        if !self.is_found {
            return Err(TransformError::NoValues { operation: OPERATION, column: self.column }.into());
        }
        let passed = self.passed.into_iter().map(|counted| counted.token);
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
    /// Keeps the best of all that pass.
    fn choose(&mut self, counted: Vec<Counted>) {
        let Vocabulary { reserved, min_frequency, min_information, top, .. } = &self.options;
        let passes = |counted: &Counted| {
            min_frequency.is_none_or(|least| counted.count >= least)
                && min_information.is_none_or(|least| counted.indicator >= least)
                && !reserved.contains(&counted.token)
        };
        self.passed.extend(counted.into_iter().filter(passes));
        self.passed
            .sort_unstable_by(|a, b| b.indicator.total_cmp(&a.indicator).then_with(|| b.token.cmp(&a.token)));
        self.passed.truncate(top.unwrap_or(usize::MAX));
    }

    fn counted(&self, counts: TokenCounts) -> Result<Vec<Counted>, TransformError> {
        let column = || self.column.clone();
        if let Some(frequencies) = counts.approximate {
            let pairs = frequencies.by_value().into_iter();
            let counted = |(token, count): (&str, u64)| Counted {
                token: token.to_owned(),
                count: count as f64,
                indicator: count as f64,
            };
            return Ok(pairs.map(counted).collect());
        }
        let too_many =
            |limit| TransformError::TooManyValues { operation: OPERATION, column: column(), limit };
        let tokens = counts.tokens.into_sorted().map_err(too_many)?;
        if !self.options.is_labelled() {
            let counted = |(key, sum): (Vec<Option<String>>, sluice_summaries::ExactSum)| {
                let count = sum.to_f64();
                key.into_iter().flatten().next().map(|token| Counted { token, count, indicator: count })
            };
            return Ok(tokens.into_iter().filter_map(counted).collect());
        }
        let too_many =
            |limit| TransformError::TooManyClasses { operation: OPERATION, label: self.label.clone(), limit };
        let classes = counts.classes.into_sorted().map_err(too_many)?;
        let class = |key: Vec<Option<String>>| key.into_iter().flatten().next().unwrap_or_default();
        let classes: BTreeMap<String, f64> =
            classes.into_iter().map(|(key, sum)| (class(key), sum.to_f64())).collect();
        let mut by_token: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
        for (key, sum) in tokens {
            let mut key = key.into_iter().flatten();
            if let (Some(token), Some(class)) = (key.next(), key.next()) {
                by_token.entry(token).or_default().insert(class, sum.to_f64());
            }
        }
        Ok(self.informative(&classes, by_token))
    }

    fn informative(
        &self,
        classes: &BTreeMap<String, f64>,
        by_token: BTreeMap<String, BTreeMap<String, f64>>,
    ) -> Vec<Counted> {
        let rows: f64 = classes.values().sum();
        let counting = Counting {
            is_adjusted: self.options.by == VocabularyBy::AdjustedMutualInformation,
            min_diff_from_average: match self.options.min_diff_from_average {
                None => 0.0,
                Some(AutoOr::Auto(_)) => automatic_difference(rows),
                Some(AutoOr::Number(number)) => number,
            },
        };
        let counted = |(token, by_class): (String, BTreeMap<String, f64>)| {
            let count: f64 = by_class.values().sum();
            let labels: Vec<(f64, f64)> = classes
                .iter()
                .map(|(class, rows)| (by_class.get(class).copied().unwrap_or(0.0), *rows))
                .collect();
            Counted { token, count, indicator: counting.of(count, rows, &labels) }
        };
        by_token.into_iter().map(counted).collect()
    }

    #[cfg(test)]
    pub(super) fn indicators(&self, counts: TokenCounts) -> Vec<(String, f64)> {
        let counted = self.counted(counts).unwrap();
        counted.into_iter().map(|counted| (counted.token, counted.indicator)).collect()
    }
}

//! A scan before the evaluation: where buckets of about as many rows are cut, and which groups are the largest.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use sluice_core::Accumulator;
use sluice_core::accumulator::Input;
use sluice_core::batch::{Batch, Inputs};
use sluice_core::column::{Column, numbers};
use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;
use sluice_core::group::{GroupMap, GroupTable, Grouping, KeyPart};
use sluice_core::seam::Derive;
use sluice_summaries::{ExactSum, Frequencies, Quantiles};

use super::names::SliceNames;
use crate::measure::Missing;

/// What is looked at.
#[derive(Clone)]
pub(super) struct Survey {
    derived: Vec<(String, Arc<dyn Derive>)>,
    weight: Option<String>,
    missing: Missing,
    quantiles: Vec<(String, Quantiles)>,
    groups: Vec<(Grouping, Sizes)>,
    texts: Vec<(String, Frequencies)>,
}

/// How large each group is.
#[derive(Clone, Debug, Default)]
pub(super) struct Sizes {
    rows: Vec<u64>,
    /// None without weights.
    weights: Vec<ExactSum>,
}

impl Survey {
    pub(super) fn new(derived: &[(String, Arc<dyn Derive>)], weight: Option<&str>, missing: Missing) -> Self {
        let weight = weight.map(str::to_owned);
        Self {
            derived: derived.to_vec(),
            weight,
            missing,
            quantiles: Vec::new(),
            groups: Vec::new(),
            texts: Vec::new(),
        }
    }

    pub(super) fn with_quantiles(&mut self, column: &str) {
        if !self.quantiles.iter().any(|(known, _)| known == column) {
            self.quantiles.push((column.into(), Quantiles::new()));
        }
    }

    pub(super) fn with_groups(&mut self, grouping: &Grouping) {
        if !self.groups.iter().any(|(known, _)| known == grouping) {
            self.groups.push((grouping.clone(), Sizes::default()));
        }
    }

    /// With how often texts occur, in bounded memory however many there are.
    pub(super) fn with_texts(&mut self, column: &str) {
        self.texts.push((column.into(), Frequencies::new()));
    }

    /// The values of a number, where they are no more than so many.
    pub(super) fn few_numbers(&self, column: &str, most: usize) -> Option<Vec<f64>> {
        let (_, quantiles) = self.quantiles.iter().find(|(known, _)| known == column)?;
        let values: Vec<f64> =
            quantiles.ranks().entries().map(|(value, _)| value + 0.0).take(most + 1).collect();
        (quantiles.is_exact() && values.len() <= most).then_some(values)
    }

    /// The most frequent texts of a column, the most frequent first.
    pub(super) fn frequent_texts(&self, column: &str, most: usize) -> Vec<String> {
        let texts = self.texts.iter().find(|(known, _)| known == column);
        let top = texts.map_or_else(Vec::new, |(_, texts)| texts.top(most));
        top.into_iter().map(|(text, _)| text).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.quantiles.is_empty() && self.groups.is_empty() && self.texts.is_empty()
    }

    /// Where so many buckets of a column are cut; fewer where values are equal.
    pub(super) fn bounds(&self, column: &str, buckets: u32) -> Vec<f64> {
        let Some((_, quantiles)) = self.quantiles.iter().find(|(known, _)| known == column) else {
            return Vec::new();
        };
        let ranks = quantiles.ranks();
        let cut = |place: u32| ranks.quantile(f64::from(place) / f64::from(buckets));
        let mut bounds: Vec<f64> =
            (1..buckets).filter_map(cut).filter(|cut| cut.is_finite()).map(|cut| cut + 0.0).collect();
        bounds.dedup();
        // Nothing lies below the least value.
        if bounds.first().is_some_and(|first| Some(*first) == ranks.min()) {
            bounds.remove(0);
        }
        bounds
    }

    /// The largest groups of a table, the largest first and of equals by what they are called; and the one that is null
    /// throughout.
    pub(super) fn largest(&self, table: &GroupTable, count: usize, names: &SliceNames) -> GroupTable {
        let empty = Sizes::default();
        let sizes = self.groups.iter().find(|(known, _)| known == table.grouping());
        let sizes = sizes.map_or(&empty, |(_, sizes)| sizes);
        let text = |group: &usize| names.texts(table.grouping(), &table.keys()[*group]);
        let is_null = |group: &usize| table.keys()[*group].iter().all(|part| *part == KeyPart::Null);
        let (nulls, mut groups): (Vec<usize>, Vec<usize>) = (0..table.len()).partition(is_null);
        groups.sort_by_cached_key(|group| (std::cmp::Reverse(sizes.weight(*group)), text(group)));
        groups.truncate(count);
        groups.extend(nulls);
        table.keep(&groups)
    }

    fn add(&mut self, batch: &Batch) -> Result<()> {
        for (column, quantiles) in &mut self.quantiles {
            let values = numbers(column, batch.require(column)?, "buckets")?;
            let values: Vec<f64> = values.iter().flatten().filter(|value| !value.is_nan()).collect();
            quantiles.update(&values);
        }
        for (column, texts) in &mut self.texts {
            count_texts(batch.require(column)?, texts);
        }
        // Only the largest groups ask for weights.
        let asked = self.weight.as_ref().filter(|_| !self.groups.is_empty());
        let weight = asked.map(|column| self.missing.weights(batch, column)).transpose()?;
        for (grouping, sizes) in &mut self.groups {
            let numbers = batch.groups(grouping)?;
            sizes.grow(numbers.count, weight.is_some());
            for row in 0..batch.rows() {
                sizes.rows[numbers.of(row)] += 1;
            }
            for (row, weight) in weight.iter().flat_map(|weight| weight.values()).enumerate() {
                sizes.weights[numbers.of(row)].add(*weight);
            }
        }
        Ok(())
    }
}

/// Adds the texts of a column; those with codes once for each code.
fn count_texts(array: &ArrayRef, texts: &mut Frequencies) {
    let view = Column::view(array);
    let Column::CodedText(codes, values) = view else {
        (0..array.len()).filter_map(|row| view.text(row)).for_each(|text| texts.update(text));
        return;
    };
    let mut counts = vec![0_u64; values.len()];
    for code in codes.iter().flatten().filter_map(|code| usize::try_from(code).ok()) {
        counts[code] += 1;
    }
    for (code, count) in counts.into_iter().enumerate().filter(|(code, _)| !values.is_null(*code)) {
        texts.update_counted(values.value(code), count);
    }
}

/// A weight that is ordered.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Weight(DoubleDouble);

impl Eq for Weight {}

impl PartialOrd for Weight {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Weight {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.high.total_cmp(&other.0.high).then(self.0.low.total_cmp(&other.0.low))
    }
}

impl Sizes {
    fn grow(&mut self, groups: usize, is_weighted: bool) {
        if groups > self.rows.len() {
            self.rows.resize(groups, 0);
            if is_weighted {
                self.weights.resize(groups, ExactSum::default());
            }
        }
    }

    fn weight(&self, group: usize) -> Weight {
        Weight(match self.weights.get(group) {
            Some(weight) => weight.to_double_double(),
            None => DoubleDouble::from(self.rows.get(group).copied().unwrap_or(0)),
        })
    }
}

impl Accumulator for Survey {
    type Output = Self;

    fn inputs(&self) -> Inputs {
        let mut inputs = Inputs::default();
        for (name, derive) in &self.derived {
            inputs = inputs.with_derived(name, derive);
        }
        for (column, _) in &self.quantiles {
            inputs = inputs.with_column(column);
        }
        for (grouping, _) in &self.groups {
            inputs = inputs.with_grouping(grouping);
        }
        for (column, _) in &self.texts {
            inputs = inputs.with_column(column);
        }
        if let Some(weight) = &self.weight {
            inputs = inputs.with_column(weight);
        }
        inputs
    }

    fn empty(&self) -> Self {
        let quantiles = self.quantiles.iter().map(|(column, _)| (column.clone(), Quantiles::new()));
        let groups = self.groups.iter().map(|(grouping, _)| (grouping.clone(), Sizes::default()));
        let texts = self.texts.iter().map(|(column, _)| (column.clone(), Frequencies::new()));
        let (quantiles, groups, texts) = (quantiles.collect(), groups.collect(), texts.collect());
        Self {
            derived: self.derived.clone(),
            weight: self.weight.clone(),
            missing: self.missing,
            quantiles,
            groups,
            texts,
        }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        match input {
            Input::Rows(batch) => self.add(batch),
            Input::Counted(_) | Input::Apart(_) => Ok(()),
        }
    }

    fn merge(&mut self, later: Self, groups: &GroupMap) -> Result<()> {
        for ((_, mine), (_, theirs)) in self.quantiles.iter_mut().zip(later.quantiles) {
            mine.merge(theirs);
        }
        for ((_, mine), (_, theirs)) in self.texts.iter_mut().zip(later.texts) {
            mine.merge(theirs);
        }
        for ((grouping, mine), (_, theirs)) in self.groups.iter_mut().zip(&later.groups) {
            let (count, numbers) = groups.of(grouping)?;
            mine.grow(count, self.weight.is_some());
            for (rows, number) in theirs.rows.iter().zip(numbers) {
                mine.rows[*number as usize] += rows;
            }
            for (weight, number) in theirs.weights.iter().zip(numbers) {
                mine.weights[*number as usize].merge(*weight);
            }
        }
        Ok(())
    }

    fn finish(self) -> Self {
        self
    }

    fn size_bytes(&self) -> usize {
        let quantiles: usize = self.quantiles.iter().map(|(_, quantiles)| quantiles.size_bytes()).sum();
        let of = |sizes: &Sizes| {
            sizes.rows.capacity() * size_of::<u64>() + sizes.weights.capacity() * size_of::<ExactSum>()
        };
        let texts: usize = self.texts.iter().map(|(_, texts)| texts.size_bytes()).sum();
        quantiles + texts + self.groups.iter().map(|(_, sizes)| of(sizes)).sum::<usize>()
    }
}

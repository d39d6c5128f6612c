//! A sample of the rows of a source, chosen by their places: those whose keyed number is least.
//!
//! The number of the row at place r of split s is splitmix64 (Steele, Lea & Flood, OOPSLA 2014) of seed, side, s and r.
//! How many rows a split has is known before it is read, so the choice is made first, and only chosen rows are kept.
//! Rows are chosen by place and not by content, as rows of one content would be in it all or none.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::{concat, filter};
use arrow::datatypes::DataType;
use sluice_core::error::{CommonError, Error, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::in_order;
use sluice_core::plan::{Plan, Split};
use sluice_core::seam::{BatchSource, Delivery, Request};
use sluice_core::splitmix::{GAMMA, mix};
use sluice_quality::drift::{Comparison, DomainClassifierOptions, DriftOptions};

/// Some rows of one side.
#[derive(Clone, Debug, Default)]
pub struct DomainSample {
    /// Columns by name, in the order of the source.
    pub(super) columns: Vec<(String, ArrayRef)>,
    /// The number of each row, by which folds are chosen.
    pub(super) keys: Vec<u64>,
}

/// The number that orders a key.
fn splitmix(key: u64) -> u64 {
    mix(key.wrapping_add(GAMMA))
}

/// Whose rows they are: equal files on both sides have other numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What is judged.
    Current,
    /// What it is compared with.
    Reference,
}

/// The numbers of the rows of a split.
fn numbers(split: &Split, side: Side, seed: u64) -> impl Iterator<Item = u64> + use<> {
    let of_side = splitmix(seed).wrapping_add(u64::from(side == Side::Current));
    let of_split = splitmix(splitmix(of_side).wrapping_add(split.number));
    (0..split.rows()).map(move |row| splitmix(of_split.wrapping_add(row)))
}

/// The greatest number that is among the `rows` least; none where all are.
fn bound(plan: &Plan, side: Side, options: DomainClassifierOptions) -> Option<u64> {
    let (all, wanted) = (plan.rows(), options.rows);
    if all <= wanted {
        return None;
    }
    // Numbers are uniform, so that those below this are enough but for a chance of 1e-15; then all are looked at.
    let share = (wanted as f64 + 8.0 * (wanted as f64).sqrt() + 16.0) / all as f64;
    let guess = share * u64::MAX as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float beyond u64 is its greatest"
    )]
    let guess = guess as u64;
    let below = |limit: u64| -> Vec<u64> {
        let all = plan.splits.iter().flat_map(|split| numbers(split, side, options.seed));
        all.filter(|number| *number <= limit).collect()
    };
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let mut candidates = below(guess);
    if candidates.len() < wanted {
        candidates = below(u64::MAX);
    }
    Some(*candidates.select_nth_unstable(wanted - 1).1)
}

impl DomainSample {
    /// Rows.
    #[must_use]
    pub fn num_rows(&self) -> u64 {
        self.keys.len() as u64
    }

    /// Some rows of a source with the columns that are compared, in one scan.
    ///
    /// # Errors
    /// What reading meets.
    pub fn take(
        source: &dyn BatchSource,
        side: Side,
        options: &DriftOptions,
        execution: &Execution,
    ) -> Result<Self> {
        let how = options.domain_classifier.unwrap_or_default();
        let plan = source.plan();
        let is_read = |index: &usize| {
            let column = &plan.columns[*index];
            let is_own = column.name.starts_with(sluice_core::RESERVED_PREFIX);
            let is_categorical = options.categorical.contains(&column.name);
            !is_own
                && options.compares(&column.name)
                && Comparison::of(&column.kind, is_categorical) != Comparison::Nothing
        };
        let indices: Vec<usize> = (0..plan.columns.len()).filter(is_read).collect();
        let bound = bound(plan, side, how);
        let request = Request::of_rows(indices.clone());
        let mut found = Self::default();
        let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); indices.len()];
        execution.progress.begin("sample", plan.extent());
        let read = |split: &Split| {
            let keys: Vec<u64> = numbers(split, side, how.seed).collect();
            let part = read(source, split, &request, &keys, bound, execution)?;
            let is_kept = |key: &u64| bound.is_none_or(|bound| *key <= bound);
            Ok((part, keys.into_iter().filter(is_kept).collect::<Vec<u64>>()))
        };
        in_order(&plan.splits, execution, read, |_, (columns, keys)| {
            found.keys.extend(keys);
            for (mine, more) in parts.iter_mut().zip(columns) {
                mine.extend(more);
            }
            Ok(())
        })?;
        execution.progress.end();
        for (index, parts) in indices.into_iter().zip(parts) {
            let arrays: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
            if !arrays.is_empty() {
                found.columns.push((plan.columns[index].name.clone(), concat(&arrays).map_err(internal)?));
            }
        }
        Ok(found)
    }

    pub(super) fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.columns.iter().find(|(mine, _)| mine == name).map(|(_, array)| array)
    }
}

/// The chosen rows of a split, by column.
fn read(
    source: &dyn BatchSource,
    split: &Split,
    request: &Request,
    keys: &[u64],
    bound: Option<u64>,
    execution: &Execution,
) -> Result<Vec<Vec<ArrayRef>>> {
    let mut parts = vec![Vec::new(); request.rows.len()];
    let mut first = 0;
    source.read(split, request, &mut |delivery| {
        execution.cancel.check()?;
        let Delivery::Rows(batch) = delivery else { return Ok(()) };
        let end = first + batch.num_rows();
        let keys = keys.get(first..end).ok_or_else(|| {
            CommonError::Internal(format!("{} has more rows than were planned", source.name()))
        })?;
        let mask: BooleanArray =
            keys.iter().map(|key| Some(bound.is_none_or(|bound| *key <= bound))).collect();
        for (mine, column) in parts.iter_mut().zip(batch.columns()) {
            let plain = sluice_core::column::plain_normal_type(column.data_type());
            let chosen = filter(column, &mask).map_err(internal)?;
            mine.push(own(&arrow::compute::cast(&chosen, &plain).map_err(internal)?));
        }
        execution.advance(source.plan(), split, first as u64, batch.num_rows() as u64);
        first = end;
        Ok(())
    })?;
    Ok(parts)
}

/// The values without what views hold on to: few rows would keep the text of a whole batch in memory.
fn own(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Utf8View => Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => Arc::new(array.as_binary_view().gc()),
        _ => Arc::clone(array),
    }
}

/// Rows that are there have one type per column, so that what arrow says is a bug here.
fn internal(error: arrow::error::ArrowError) -> Error {
    CommonError::Internal(error.to_string()).into()
}

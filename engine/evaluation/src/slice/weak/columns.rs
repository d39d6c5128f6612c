//! Columns as conditions are made of them: a number per row that says which of a few values or buckets it has.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::datatypes::Int32Type;
use sluice_core::RESERVED_PREFIX;
use sluice_core::batch::Batch;
use sluice_core::column::ColumnKind;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::{State, fold};
use sluice_core::group::{GroupTable, GroupTables, Grouping};
use sluice_core::seam::{BatchSource, Derive};

use super::options::WeakSliceOptions;
use crate::evaluation::SlicePart;
use crate::slice::SliceError;
use crate::slice::derive::{Buckets, Largest};
use crate::slice::names::{Shown, SliceNames, number};
use crate::slice::survey::Survey;

/// Stands for rows that no condition is about.
pub(super) const NO_CODE: u8 = u8::MAX;

/// A column whose rows have codes.
#[derive(Clone)]
pub(super) struct Coded {
    pub(super) column: String,
    /// By code what a condition on it says; the last is that there is no value.
    pub(super) all_conditions: Vec<SlicePart>,
    /// The same of those that are looked at; none before it is known which these are.
    pub(super) conditions: Vec<SlicePart>,
    pub(super) derive: Arc<dyn Derive>,
}

/// How a column becomes codes.
#[derive(Clone, Copy)]
enum Manner {
    Number,
    Text,
    Group,
}

/// The manner of a kind; none of those whose values are too many or no keys.
fn manner(kind: &ColumnKind) -> Option<Manner> {
    match kind {
        ColumnKind::Text => Some(Manner::Text),
        ColumnKind::Boolean | ColumnKind::Date => Some(Manner::Group),
        kind if kind.is_number() => Some(Manner::Number),
        _ => None,
    }
}

/// The columns of a source that conditions may be about.
///
/// # Errors
/// A column that is not there, or has no values that make slices; whatever reading meets.
pub(super) fn coded(
    source: &dyn BatchSource,
    taken: &[&str],
    options: &WeakSliceOptions,
    execution: &Execution,
) -> Result<Vec<Coded>> {
    let chosen = chosen(source, taken, options)?;
    let mut survey = Survey::new(&[], None, options.missing);
    for (column, manner) in &chosen {
        match manner {
            Manner::Number => survey.with_quantiles(column),
            Manner::Text => survey.with_texts(column),
            Manner::Group => survey.with_groups(&Grouping::by([column])),
        }
    }
    if survey.is_empty() {
        return Ok(Vec::new());
    }
    execution.progress.begin("values", source.plan().extent());
    let State { accumulator: survey, groups, .. } = fold(source, &survey, execution)?;
    chosen.into_iter().map(|(column, manner)| Coded::new(column, manner, &survey, &groups, options)).collect()
}

/// The columns asked for, or all that can be sliced by.
fn chosen(
    source: &dyn BatchSource,
    taken: &[&str],
    options: &WeakSliceOptions,
) -> Result<Vec<(String, Manner)>> {
    let plan = source.plan();
    if options.columns.is_empty() {
        let is_free = |name: &str| !taken.contains(&name) && !name.starts_with(RESERVED_PREFIX);
        let columns = plan.columns.iter().filter(|column| is_free(&column.name));
        return Ok(columns.filter_map(|column| Some((column.name.clone(), manner(&column.kind)?))).collect());
    }
    let one = |name: &String| {
        let kind = &plan.require(name, &source.name())?.kind;
        let unfit = || SliceError::NotSliceable { column: name.clone(), kind: kind.to_string() };
        Ok((name.clone(), manner(kind).ok_or_else(unfit)?))
    };
    options.columns.iter().map(one).collect()
}

impl Coded {
    fn new(
        column: String,
        manner: Manner,
        survey: &Survey,
        groups: &GroupTables,
        options: &WeakSliceOptions,
    ) -> Result<Self> {
        let most = options.values as usize;
        let grouping = Grouping::by([&column]);
        let (shown, derive): (Shown, Arc<dyn Derive>) = match manner {
            Manner::Number => match survey.few_numbers(&column, most) {
                Some(values) => of_values(&column, &values),
                None => {
                    let bounds = survey.bounds(&column, options.buckets);
                    (SliceNames::of_buckets(&column, &bounds), Arc::new(Buckets::new(&column, bounds)))
                }
            },
            Manner::Text => {
                let mut table = GroupTable::new(grouping);
                let texts = survey.frequent_texts(&column, most).into_iter().map(Some).chain([None]);
                let texts: ArrayRef = Arc::new(texts.collect::<StringViewArray>());
                table.number(&[&texts], texts.len())?;
                of_largest(table)
            }
            Manner::Group => {
                of_largest(survey.largest(groups.table(&grouping)?, most, &SliceNames::default()))
            }
        };
        let mut all_conditions: Vec<SlicePart> = match shown {
            Shown::Places(places) => places.into_iter().flatten().collect(),
            Shown::Values(_) => Vec::new(),
        };
        all_conditions.push(SlicePart { column: column.clone(), value: None });
        Ok(Self { column, all_conditions, conditions: Vec::new(), derive })
    }

    /// The code of each row.
    pub(super) fn codes(&self, batch: &Batch) -> Result<Vec<u8>> {
        let array = batch.require(&self.column_of_codes())?;
        let coded = array.as_dictionary_opt::<Int32Type>().ok_or_else(|| {
            CommonError::Internal(format!("codes of `{}` are {}", self.column, array.data_type()))
        })?;
        let null = self.all_conditions.len().saturating_sub(1);
        let place = |code: Option<i32>| code.and_then(|code| usize::try_from(code).ok()).unwrap_or(null);
        Ok(coded.keys().iter().map(|code| u8::try_from(place(code)).unwrap_or(NO_CODE)).collect())
    }

    /// What its codes are called among the columns of a batch.
    pub(super) fn column_of_codes(&self) -> String {
        format!("{RESERVED_PREFIX}codes of {}", self.column)
    }
}

/// A place for each of a few numbers.
fn of_values(column: &str, values: &[f64]) -> (Shown, Arc<dyn Derive>) {
    let bounds: Vec<f64> = values.iter().skip(1).copied().collect();
    let names = values.iter().map(|value| number(*value));
    // Of no number at all there is one bucket, which stays empty.
    let names = names.chain(values.is_empty().then(String::new)).chain(["NaN".to_owned()]);
    let part = |name| vec![SlicePart { column: column.into(), value: Some(name) }];
    (Shown::Places(names.map(part).collect()), Arc::new(Buckets::new(column, bounds)))
}

/// A place for each group of a table, and one for all others.
fn of_largest(table: GroupTable) -> (Shown, Arc<dyn Derive>) {
    let shown = SliceNames::default().of_largest(table.grouping(), table.keys(), None);
    (shown, Arc::new(Largest::new(table)))
}

//! Pairs that differ, with what stands there: read again, for a comparison keeps hashes only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::in_order;
use sluice_core::plan::Split;
use sluice_core::seam::Delivery;

use super::SkewOptions;
use super::join::Joined;
use super::side::Side;
use crate::rules::examples::text_of;

/// Two rows with one key that say something else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkewExample {
    /// The key, as text.
    pub key: Vec<(String, Option<String>)>,
    /// What the current side says, shortened; none for null.
    pub current: Option<String>,
    /// What the reference says.
    pub reference: Option<String>,
    /// File and row (from 1, without a header) of the current side.
    pub current_row: (String, u64),
    /// Those of the reference.
    pub reference_row: (String, u64),
}

/// Values as text: of the key, then of the columns.
type Texts = Vec<Option<String>>;

/// The examples of each column.
pub(super) fn of(
    joined: &Joined,
    sides: &[Side<'_>; 2],
    columns: &[String],
    options: &SkewOptions,
    execution: &Execution,
) -> Result<Vec<Vec<SkewExample>>> {
    let mut texts = Vec::new();
    for (index, side) in sides.iter().enumerate() {
        let wanted = joined.examples.iter().flatten().map(|places| (places[index], Texts::new()));
        let mut wanted: BTreeMap<(u64, u64), Texts> = wanted.collect();
        fetch(side, &mut wanted, execution)?;
        texts.push(wanted);
    }
    let text = |side: usize, place: (u64, u64), column: usize| -> Option<String> {
        texts[side].get(&place)?.get(column)?.clone()
    };
    let file = |side: usize, (split, row): (u64, u64)| {
        sides[side].source.plan().locate(split, row).unwrap_or_default()
    };
    let num_keys = options.key.len();
    let of_column = |(column, places): (usize, &Vec<super::join::Places>)| {
        let example = |places: &super::join::Places| SkewExample {
            key: options
                .key
                .iter()
                .enumerate()
                .map(|(index, name)| (name.clone(), text(0, places[0], index)))
                .collect(),
            current: text(0, places[0], num_keys + column),
            reference: text(1, places[1], num_keys + column),
            current_row: file(0, places[0]),
            reference_row: file(1, places[1]),
        };
        places.iter().map(example).collect()
    };
    debug_assert_eq!(columns.len(), joined.examples.len(), "a list of examples for each column");
    Ok(joined.examples.iter().enumerate().map(of_column).collect())
}

/// Reads the wanted rows of a side.
fn fetch(side: &Side<'_>, wanted: &mut BTreeMap<(u64, u64), Texts>, execution: &Execution) -> Result<()> {
    let plan = side.source.plan();
    let has_wanted =
        |split: &&Split| wanted.range((split.number, 0)..=(split.number, u64::MAX)).next().is_some();
    let splits: Vec<Split> = plan.splits.iter().filter(has_wanted).cloned().collect();
    let request = side.request();
    let places: Vec<(u64, u64)> = wanted.keys().copied().collect();
    let read = |split: &Split| {
        let (mut found, mut first_row) = (Vec::new(), 0);
        side.source.read(split, &request, &mut |delivery| {
            execution.cancel.check()?;
            let Delivery::Rows(batch) = delivery else { return Ok(()) };
            let end = first_row + batch.num_rows() as u64;
            let from = places.partition_point(|place| *place < (split.number, first_row));
            let until = places.partition_point(|place| *place < (split.number, end));
            if from < until {
                let columns = side.columns(&request, &batch);
                for place in &places[from..until] {
                    let row = usize::try_from(place.1 - first_row).unwrap_or(usize::MAX);
                    let texts = columns.iter().map(|(_, array)| text_of(array, row)).collect();
                    found.push((*place, texts));
                }
            }
            first_row = end;
            Ok(())
        })?;
        Ok(found)
    };
    in_order(&splits, execution, read, |_, found: Vec<((u64, u64), Texts)>| {
        wanted.extend(found);
        Ok(())
    })
}

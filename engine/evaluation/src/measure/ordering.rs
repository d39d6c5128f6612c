//! The rows of a batch in the order of their groups.

use std::ops::Range;

use sluice_core::group::GroupNumbers;

/// Where the rows of each group stand.
pub(crate) struct Ordering {
    /// Rows, group after group; none where all rows are one group.
    order: Option<Vec<u32>>,
    groups: Vec<(usize, Range<usize>)>,
}

impl Ordering {
    /// Of so many rows with these numbers.
    pub(crate) fn new(rows: usize, numbers: &GroupNumbers) -> Self {
        if numbers.is_overall() {
            return Self { order: None, groups: vec![(0, 0..rows)] };
        }
        let mut ends = vec![0_usize; numbers.count + 1];
        for row in 0..rows {
            ends[numbers.of(row) + 1] += 1;
        }
        for group in 1..ends.len() {
            ends[group] += ends[group - 1];
        }
        let groups = (0..numbers.count)
            .map(|group| (group, ends[group]..ends[group + 1]))
            .filter(|(_, range)| !range.is_empty())
            .collect();
        let mut order = vec![0_u32; rows];
        for row in 0..rows {
            let place = &mut ends[numbers.of(row)];
            // A batch has at most 65,536 rows.
            order[*place] = u32::try_from(row).unwrap_or(u32::MAX);
            *place += 1;
        }
        Self { order: Some(order), groups }
    }

    /// The groups that have rows, each with the places of its rows.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (usize, &Range<usize>)> {
        self.groups.iter().map(|(group, range)| (*group, range))
    }

    /// The rows at some places.
    pub(crate) fn rows(&self, places: &Range<usize>) -> impl Iterator<Item = usize> {
        places.clone().map(|place| self.order.as_ref().map_or(place, |order| order[place] as usize))
    }
}

//! Where the slices of a grouping stand in an order, and what they weigh by class.

use sluice_core::double_double::DoubleDouble;

use super::order::Place;
use super::rows::{Columns, Labels};

/// The negative rows of a slice come first where both classes do, then the positive ones.
pub(crate) const POSITIVE: usize = 1;

/// The rows of a slice by class; rows whose labels are numbers count as negative.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    pub(crate) rows: [u64; 2],
    /// Σw.
    pub(crate) weight: [DoubleDouble; 2],
    /// Σw².
    pub(crate) square: [DoubleDouble; 2],
}

impl Totals {
    /// Rows of a class, as many as would tell as much were their weights equal.
    pub(crate) fn effective_rows(&self, class: usize) -> f64 {
        (self.weight[class] * self.weight[class] / self.square[class]).to_f64()
    }

    /// Whether there is weight in both classes.
    pub(crate) fn has_both(&self) -> bool {
        self.weight.iter().all(|weight| weight.high > 0.0)
    }

    /// The weight of all rows.
    pub(crate) fn all(&self) -> DoubleDouble {
        self.weight[0] + self.weight[1]
    }
}

/// The slices of one grouping.
#[derive(Clone, Debug)]
pub(crate) struct Layout<'a> {
    /// The number of the slice of each row; none where all rows are one slice.
    groups: Option<&'a [u16]>,
    pub(crate) totals: Vec<Totals>,
}

impl<'a> Layout<'a> {
    /// Of rows with these numbers of slices.
    pub(crate) fn new(columns: &Columns, groups: Option<&'a [u16]>) -> Self {
        let mut totals = vec![Totals::default(); usize::from(groups.is_none())];
        add_rows(&mut totals, columns, groups);
        close(&mut totals, !columns.weights.is_empty());
        Self { groups, totals }
    }

    /// Whether all rows are one slice by definition.
    pub(crate) fn is_overall(&self) -> bool {
        self.groups.is_none()
    }

    /// The numbers of the slices of the rows; none where all are one.
    pub(crate) fn groups(&self) -> Option<&'a [u16]> {
        self.groups
    }

    /// The number of the slice of a row.
    #[inline]
    pub(crate) fn slice_of(&self, row: usize) -> usize {
        self.groups.map_or(0, |groups| usize::from(groups[row]))
    }

    /// Where each slice ends.
    pub(crate) fn ends(&self) -> Vec<usize> {
        let mut end = 0;
        let rows = |totals: &Totals| usize::try_from(totals.rows[0] + totals.rows[1]).unwrap_or(usize::MAX);
        self.totals
            .iter()
            .map(|totals| {
                end += rows(totals);
                end
            })
            .collect()
    }

    /// An order of all rows, slice after slice, in memory that was used before. That of one slice is the order itself.
    pub(crate) fn arrange<'b>(&self, order: &'b [Place], scratch: &'b mut Vec<Place>) -> &'b [Place] {
        let Some(groups) = self.groups else { return order };
        scratch.clear();
        scratch.resize(order.len(), Place::default());
        let ends = self.ends();
        let mut next: Vec<usize> = std::iter::once(0).chain(ends).collect();
        // A loop of nothing else looks up many at a time.
        let groups: Vec<u16> = order.iter().map(|place| groups[place.row() as usize]).collect();
        for (place, group) in order.iter().zip(groups) {
            let next = &mut next[usize::from(group)];
            scratch[*next] = *place;
            *next += 1;
        }
        scratch
    }
}

/// Adds rows to the totals of their slices.
pub(super) fn add_rows(totals: &mut Vec<Totals>, columns: &Columns, groups: Option<&[u16]>) {
    let count = groups.and_then(|groups| groups.iter().max()).map_or(0, |most| usize::from(*most) + 1);
    if count > totals.len() {
        totals.resize(count, Totals::default());
    }
    let group_of = |row: usize| groups.map_or(0, |groups| usize::from(groups[row]));
    let class_of = |row: usize| match &columns.labels {
        Labels::Classes(labels) => usize::from(labels[row]),
        Labels::Numbers(_) => 0,
    };
    for row in 0..columns.rows() {
        let (slice, class) = (&mut totals[group_of(row)], class_of(row));
        slice.rows[class] += 1;
        if let Some(weight) = columns.weights.get(row) {
            slice.weight[class] = slice.weight[class] + *weight;
            slice.square[class] = slice.square[class] + DoubleDouble::product(*weight, *weight);
        }
    }
}

/// After the last row: without weights every row weighs 1.
pub(super) fn close(totals: &mut [Totals], is_weighted: bool) {
    if !is_weighted {
        for slice in totals {
            slice.weight = slice.rows.map(DoubleDouble::from);
            slice.square = slice.weight;
        }
    }
}

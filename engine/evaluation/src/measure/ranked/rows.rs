//! The rows themselves, where sums do not say enough: label, weight, the score of each model and the slices of a row.
//!
//! Rows are kept in chunks of columns, in their order. Joining two states moves chunks and copies no row: a later
//! state's numbers of slices are translated when its rows are laid out, by a table that goes with its chunks. Chunks that
//! exceed the memory for them lie on disk. How the rows are cut into chunks, and where these are, is not part of the state.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sluice_core::error::Result;
use sluice_core::spill::{Run, RunReader, RunWriter, Scratch, Sorted};

use super::super::Pair;
use crate::error::EvaluationError;

/// Rows of a chunk that is still growing.
const CHUNK_ROWS: usize = 1 << 16;

/// Rows that are read from disk at a time.
const BLOCK_ROWS: usize = 1 << 12;

/// The labels of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Labels {
    /// Whether each row is positive.
    Classes(Vec<bool>),
    /// A number per row.
    Numbers(Vec<f64>),
}

impl Labels {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Classes(labels) => labels.len(),
            Self::Numbers(labels) => labels.len(),
        }
    }

    fn part(&self, rows: Range<usize>) -> Self {
        match self {
            Self::Classes(labels) => Self::Classes(labels[rows].to_vec()),
            Self::Numbers(labels) => Self::Numbers(labels[rows].to_vec()),
        }
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::Classes(labels) => labels.capacity(),
            Self::Numbers(labels) => labels.capacity() * size_of::<f64>(),
        }
    }

    fn append(&mut self, more: Self) {
        match (self, more) {
            (Self::Classes(mine), Self::Classes(mut theirs)) => mine.append(&mut theirs),
            (Self::Numbers(mine), Self::Numbers(mut theirs)) => mine.append(&mut theirs),
            // Of one plan, so of one kind; a restored state of mixed kinds is found out by its length.
            (Self::Classes(_), Self::Numbers(_)) | (Self::Numbers(_), Self::Classes(_)) => {}
        }
    }
}

/// What is kept of every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RowShape {
    /// Whether labels are classes.
    pub(crate) is_of_classes: bool,
    /// Whether rows have weights.
    pub(crate) is_weighted: bool,
    /// How many models there are.
    pub(crate) models: usize,
    /// How many groupings have more than one group.
    pub(crate) groupings: usize,
    /// Whether rows are drawn again, by what identifies them.
    pub(crate) has_identities: bool,
}

/// Rows in columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Columns {
    pub(crate) labels: Labels,
    /// None without weights.
    pub(crate) weights: Vec<f64>,
    /// Of the candidate, then of the baseline.
    pub(crate) predictions: Vec<Vec<f64>>,
    /// The number of the slice, per grouping of more than one.
    pub(crate) groups: Vec<Vec<u16>>,
    /// None where rows are not drawn again.
    pub(crate) identities: Vec<u64>,
}

impl Columns {
    pub(crate) fn new(shape: RowShape) -> Self {
        Self {
            labels: match shape.is_of_classes {
                true => Labels::Classes(Vec::new()),
                false => Labels::Numbers(Vec::new()),
            },
            weights: Vec::new(),
            predictions: vec![Vec::new(); shape.models],
            groups: vec![Vec::new(); shape.groupings],
            identities: Vec::new(),
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.labels.len()
    }

    /// Whether each row is positive; nothing where labels are numbers.
    pub(crate) fn classes(&self) -> &[bool] {
        match &self.labels {
            Labels::Classes(labels) => labels,
            Labels::Numbers(_) => &[],
        }
    }

    /// The weight of a row.
    #[inline]
    pub(crate) fn weight(&self, row: u32) -> f64 {
        self.weights.get(row as usize).copied().unwrap_or(1.0)
    }

    pub(crate) fn size_bytes(&self) -> usize {
        let numbers = self.predictions.iter().chain([&self.weights]).map(Vec::capacity).sum::<usize>();
        let groups = self.groups.iter().map(Vec::capacity).sum::<usize>();
        let identities = self.identities.capacity() * size_of::<u64>();
        self.labels.size_bytes() + numbers * size_of::<f64>() + groups * size_of::<u16>() + identities
    }

    fn reserve(&mut self, rows: usize) {
        match &mut self.labels {
            Labels::Classes(labels) => labels.reserve_exact(rows),
            Labels::Numbers(labels) => labels.reserve_exact(rows),
        }
        self.predictions.iter_mut().for_each(|column| column.reserve_exact(rows));
        self.groups.iter_mut().for_each(|column| column.reserve_exact(rows));
    }

    /// Some of the rows.
    fn part(&self, rows: Range<usize>) -> Self {
        let numbers = |column: &Vec<f64>| column.get(rows.clone()).unwrap_or_default().to_vec();
        Self {
            labels: self.labels.part(rows.clone()),
            weights: numbers(&self.weights),
            predictions: self.predictions.iter().map(numbers).collect(),
            groups: self.groups.iter().map(|column| column[rows.clone()].to_vec()).collect(),
            identities: self.identities.get(rows).unwrap_or_default().to_vec(),
        }
    }

    /// Gives slices the numbers of a later state.
    fn translate(&mut self, translation: Option<&Translation>) {
        let Some(translation) = translation else { return };
        for (column, table) in self.groups.iter_mut().zip(translation.iter()) {
            for number in column {
                *number = table.get(usize::from(*number)).copied().unwrap_or(u16::MAX);
            }
        }
    }

    fn append(&mut self, mut more: Self) {
        self.labels.append(more.labels);
        self.weights.append(&mut more.weights);
        self.identities.append(&mut more.identities);
        for (mine, theirs) in self.predictions.iter_mut().zip(&mut more.predictions) {
            mine.append(theirs);
        }
        for (mine, theirs) in self.groups.iter_mut().zip(&mut more.groups) {
            mine.append(theirs);
        }
    }

    fn push(&mut self, pair: &Pair<'_>, identities: &[u64]) {
        self.identities.extend_from_slice(identities);
        match &mut self.labels {
            Labels::Classes(labels) => labels.extend(pair.label.iter().map(|label| *label > 0.5)),
            Labels::Numbers(labels) => labels.extend_from_slice(pair.label),
        }
        self.weights.extend_from_slice(pair.weight.unwrap_or_default());
        let models = [Some(&pair.candidate), pair.baseline.as_ref()];
        for (column, model) in self.predictions.iter_mut().zip(models.into_iter().flatten()) {
            column.extend_from_slice(model.first().copied().unwrap_or_default());
        }
    }

    /// Whether the parts fit one another, as those of a restored state might not.
    fn is_sound(&self, shape: RowShape) -> bool {
        let rows = self.rows();
        matches!(self.labels, Labels::Classes(_)) == shape.is_of_classes
            && self.weights.len() == if shape.is_weighted { rows } else { 0 }
            && self.predictions.len() == shape.models
            && self.predictions.iter().all(|column| column.len() == rows)
            && self.groups.len() == shape.groupings
            && self.groups.iter().all(|column| column.len() == rows)
            && self.identities.len() == if shape.has_identities { rows } else { 0 }
    }
}

/// New numbers of slices by their old ones, per grouping.
type Translation = Arc<Vec<Vec<u16>>>;

/// Where rows are.
#[derive(Clone, Debug)]
enum Store {
    Memory(Columns),
    /// Blocks of rows, under their numbers.
    Disk {
        run: Arc<Run>,
        rows: usize,
    },
}

/// Rows that were read together.
#[derive(Clone, Debug)]
struct Chunk {
    store: Store,
    /// None where the numbers are those of the state.
    translation: Option<Translation>,
}

impl Chunk {
    fn rows(&self) -> usize {
        match &self.store {
            Store::Memory(columns) => columns.rows(),
            Store::Disk { rows, .. } => *rows,
        }
    }

    fn is_sound(&self, shape: RowShape) -> bool {
        match &self.store {
            Store::Memory(columns) => columns.is_sound(shape),
            Store::Disk { .. } => true,
        }
    }

    /// Hands over its rows.
    fn each(&self, mut visit: impl FnMut(Columns) -> Result<()>) -> Result<()> {
        let mut translated = |mut columns: Columns| {
            columns.translate(self.translation.as_ref());
            visit(columns)
        };
        match &self.store {
            Store::Memory(columns) => translated(columns.clone()),
            Store::Disk { run, .. } => {
                let (mut reader, mut key) = (RunReader::new(run), Vec::new());
                while let Some(columns) = Sorted::<Columns>::next(&mut reader, &mut key)? {
                    translated(columns)?;
                }
                Ok(())
            }
        }
    }
}

/// Rows as a run of blocks.
fn put_aside(columns: &Columns, scratch: &Scratch) -> Result<Run> {
    let mut writer = RunWriter::new(scratch);
    for (number, start) in (0_u64..).zip((0..columns.rows()).step_by(BLOCK_ROWS)) {
        let end = std::cmp::min(start + BLOCK_ROWS, columns.rows());
        writer.push(&number.to_be_bytes(), &columns.part(start..end))?;
    }
    writer.finish()
}

/// Rows, in order.
#[derive(Clone, Debug)]
pub(crate) struct RankedRows {
    shape: RowShape,
    chunks: Vec<Chunk>,
    bytes: usize,
}

impl RankedRows {
    /// No rows.
    pub(crate) fn new(shape: RowShape) -> Self {
        Self { shape, chunks: Vec::new(), bytes: 0 }
    }

    /// Adds rows with what identifies them, if they are drawn again, and with the numbers of their slices, a function
    /// per grouping of more than one group.
    pub(crate) fn add(
        &mut self,
        pair: &Pair<'_>,
        identities: &[u64],
        groups: &[impl Fn(usize) -> usize],
    ) -> Result<(), EvaluationError> {
        let rows = pair.label.len();
        let grows = |chunk: &Chunk| {
            let is_open = chunk.translation.is_none() && matches!(chunk.store, Store::Memory(_));
            is_open && chunk.rows() + rows <= CHUNK_ROWS
        };
        if !self.chunks.last().is_some_and(grows) {
            let mut columns = Columns::new(self.shape);
            columns.reserve(rows);
            self.bytes += columns.size_bytes();
            self.chunks.push(Chunk { store: Store::Memory(columns), translation: None });
        }
        let Some(Chunk { store: Store::Memory(columns), .. }) = self.chunks.last_mut() else { return Ok(()) };
        self.bytes -= columns.size_bytes();
        columns.push(pair, identities);
        for (column, group_of) in columns.groups.iter_mut().zip(groups) {
            for row in 0..rows {
                column.push(narrow(group_of(row))?);
            }
        }
        self.bytes += columns.size_bytes();
        Ok(())
    }

    /// Adds later rows; `numbers` are the new numbers of their slices, per grouping.
    pub(crate) fn merge(&mut self, later: Self, numbers: &[&[u32]]) -> Result<(), EvaluationError> {
        let narrowed = |numbers: &&[u32]| numbers.iter().map(|number| narrow(*number as usize)).collect();
        let table: Vec<Vec<u16>> = numbers.iter().map(narrowed).collect::<Result<_, _>>()?;
        let is_same = |new: &Vec<u16>| new.iter().enumerate().all(|(old, new)| old == usize::from(*new));
        self.bytes += later.bytes;
        if table.iter().all(is_same) {
            self.chunks.extend(later.chunks);
            return Ok(());
        }
        let table: Translation = Arc::new(table);
        // Chunks of one earlier state share a table, and stand together.
        let mut last: Option<(Translation, Translation)> = None;
        for mut chunk in later.chunks {
            let composed = match (&chunk.translation, &last) {
                (None, _) => Arc::clone(&table),
                (Some(own), Some((of, composed))) if Arc::ptr_eq(own, of) => Arc::clone(composed),
                (Some(own), _) => {
                    let composed: Translation = Arc::new(compose(own, &table));
                    last = Some((Arc::clone(own), Arc::clone(&composed)));
                    composed
                }
            };
            chunk.translation = Some(composed);
            self.chunks.push(chunk);
        }
        Ok(())
    }

    /// Whether the parts fit one another, as those of a restored state might not.
    pub(crate) fn is_sound(&self, shape: RowShape) -> bool {
        self.shape == shape && self.chunks.iter().all(|chunk| chunk.is_sound(shape))
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.bytes + self.chunks.capacity() * size_of::<Chunk>()
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.chunks.iter().map(Chunk::rows).sum()
    }

    /// What is kept of every row.
    pub(crate) fn shape(&self) -> RowShape {
        self.shape
    }

    /// Puts all rows on disk.
    pub(crate) fn shed(&mut self, scratch: &Scratch) -> Result<()> {
        for chunk in &mut self.chunks {
            if let Store::Memory(columns) = &chunk.store {
                let (run, rows) = (Arc::new(put_aside(columns, scratch)?), columns.rows());
                self.bytes -= columns.size_bytes();
                // What is known of a run: where its slots are.
                self.bytes += size_of::<Run>() + columns.size_bytes() / (1 << 14);
                chunk.store = Store::Disk { run, rows };
            }
        }
        Ok(())
    }

    /// Hands over all rows in order, some at a time.
    pub(crate) fn each(&self, mut visit: impl FnMut(Columns) -> Result<()>) -> Result<()> {
        self.chunks.iter().try_for_each(|chunk| chunk.each(&mut visit))
    }

    /// All rows as columns.
    pub(crate) fn into_columns(self) -> Result<Columns> {
        let mut all = Columns::new(self.shape);
        all.reserve(self.rows());
        for Chunk { store, translation } in self.chunks {
            match store {
                Store::Memory(mut columns) => {
                    columns.translate(translation.as_ref());
                    all.append(columns);
                }
                Store::Disk { .. } => Chunk { store, translation }.each(|columns| {
                    all.append(columns);
                    Ok(())
                })?,
            }
        }
        Ok(all)
    }
}

/// The number of a slice, of which there are fewer than 2¹⁶.
fn narrow(number: usize) -> Result<u16, EvaluationError> {
    let too_many = |_| EvaluationError::TooManySlices {
        columns: "the columns of a slice".into(),
        limit: usize::from(u16::MAX) + 1,
    };
    u16::try_from(number).map_err(too_many)
}

/// One translation after the other.
fn compose(first: &[Vec<u16>], second: &[Vec<u16>]) -> Vec<Vec<u16>> {
    let of = |(first, second): (&Vec<u16>, &Vec<u16>)| {
        first.iter().map(|number| second.get(usize::from(*number)).copied().unwrap_or(u16::MAX)).collect()
    };
    first.iter().zip(second).map(of).collect()
}

impl Serialize for RankedRows {
    /// As one chunk, so that the bytes do not tell how the rows came.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = self.clone().into_columns().map_err(serde::ser::Error::custom)?;
        (self.shape, columns).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RankedRows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (shape, columns) = <(RowShape, Columns)>::deserialize(deserializer)?;
        if !columns.is_sound(shape) {
            return Err(serde::de::Error::custom("the columns of the rows do not fit one another"));
        }
        let (bytes, is_empty) = (columns.size_bytes(), columns.rows() == 0);
        let chunk = Chunk { store: Store::Memory(columns), translation: None };
        Ok(Self { shape, chunks: if is_empty { Vec::new() } else { vec![chunk] }, bytes })
    }
}

//! A batch: at most 65,536 rows of the columns that were asked for, with the row context computed once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::filter;
use arrow::datatypes::UInt64Type;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};

use crate::encoding::hash_rows;
use crate::error::{CommonError, Result};
use crate::features::FeatureBatch;
use crate::group::{GroupNumbers, GroupTables, Grouping};
use crate::seam::{BatchTransform, Derive};
use crate::{RESERVED_PREFIX, ROW_HASH_COLUMN};

/// What identifies a row, for subsets, folds and samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowIdentity {
    /// The hash of these columns.
    Key(Vec<String>),
    /// The column `__row_hash` that `ingest` stored.
    Stored,
}

impl RowIdentity {
    /// The columns it reads, in byte order of their names.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        match self {
            Self::Key(columns) => {
                let mut columns = columns.clone();
                columns.sort();
                columns
            }
            Self::Stored => vec![ROW_HASH_COLUMN.into()],
        }
    }

    /// The identity of rows that have these columns: the key if there is one, else the stored hash, else all
    /// columns that are not ours.
    #[must_use]
    pub fn choose(key: &[String], columns: &[String]) -> Self {
        if !key.is_empty() {
            return Self::Key(key.to_vec());
        }
        if columns.iter().any(|column| column == ROW_HASH_COLUMN) {
            return Self::Stored;
        }
        Self::Key(columns.iter().filter(|column| !column.starts_with(RESERVED_PREFIX)).cloned().collect())
    }
}

/// How an accumulator wants a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Row by row.
    pub rows: bool,
    /// As a counted view where the source has one, else row by row, alone or in batches.
    pub counted: bool,
    /// As a counted view with the codes of the rows, which comes after them, where the source has one, else row by row.
    pub coded: bool,
    /// Missing in the source is an error.
    pub required: bool,
}

/// What an accumulator reads. `fold` reads the union over all accumulators, and computes each derived input
/// once per batch.
#[derive(Clone, Default)]
pub struct Inputs {
    /// Source columns.
    pub columns: BTreeMap<String, Need>,
    /// Groupings of the rows.
    pub groupings: BTreeSet<Grouping>,
    /// Row hashes.
    pub identity: Option<RowIdentity>,
    /// Outputs of transforms and models, by a name that identifies them.
    pub transforms: BTreeMap<String, Arc<dyn BatchTransform>>,
    /// Computed columns by their names, in the order in which they are computed.
    pub derived: Vec<(String, Arc<dyn Derive>)>,
}

impl std::fmt::Debug for Inputs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Inputs")
            .field("columns", &self.columns)
            .field("groupings", &self.groupings)
            .field("identity", &self.identity)
            .field("transforms", &self.transforms.keys())
            .field("derived", &self.derived.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}

impl Inputs {
    /// Adds a column that must be there, row by row.
    #[must_use]
    pub fn with_column(mut self, name: impl Into<String>) -> Self {
        let need = self.columns.entry(name.into()).or_default();
        need.rows = true;
        need.required = true;
        self
    }

    /// Adds a column that must be there, counted where the source can.
    #[must_use]
    pub fn with_counted(mut self, name: impl Into<String>) -> Self {
        let need = self.columns.entry(name.into()).or_default();
        need.counted = true;
        need.required = true;
        self
    }

    /// Adds a column that must be there, counted with the codes of its rows where the source can.
    #[must_use]
    pub fn with_coded(mut self, name: impl Into<String>) -> Self {
        let need = self.columns.entry(name.into()).or_default();
        need.coded = true;
        need.required = true;
        self
    }

    /// Adds a computed column and the columns it reads, before the groupings and computed columns that use it. What
    /// has its name already is taken to be the same.
    #[must_use]
    pub fn with_derived(mut self, name: impl Into<String>, derive: &Arc<dyn Derive>) -> Self {
        let name = name.into();
        if !self.derives(&name) {
            for column in derive.inputs() {
                self = self.with_source(&column);
            }
            self.derived.push((name, Arc::clone(derive)));
        }
        self
    }

    /// Adds a grouping and its columns.
    #[must_use]
    pub fn with_grouping(mut self, grouping: &Grouping) -> Self {
        for column in &grouping.columns {
            self = self.with_source(column);
        }
        self.groupings.insert(grouping.clone());
        self
    }

    /// Adds a column that the source must have, unless it is computed.
    fn with_source(self, name: &str) -> Self {
        if self.derives(name) { self } else { self.with_column(name) }
    }

    fn derives(&self, name: &str) -> bool {
        self.derived.iter().any(|(known, _)| known == name)
    }

    /// Adds row hashes and the columns they need.
    #[must_use]
    pub fn with_identity(mut self, identity: &RowIdentity) -> Self {
        for column in identity.columns() {
            self = self.with_column(column);
        }
        self.identity = Some(identity.clone());
        self
    }

    /// Adds the output of a transform or model under `name`, and the columns it reads.
    #[must_use]
    pub fn with_transform(mut self, name: impl Into<String>, transform: &Arc<dyn BatchTransform>) -> Self {
        for column in transform.inputs() {
            self = self.with_column(column);
        }
        self.transforms.insert(name.into(), Arc::clone(transform));
        self
    }

    /// Adds everything that `other` reads.
    #[must_use]
    pub fn union(mut self, other: Self) -> Self {
        for (name, need) in other.columns {
            let mine = self.columns.entry(name).or_default();
            mine.rows |= need.rows;
            mine.counted |= need.counted;
            mine.coded |= need.coded;
            mine.required |= need.required;
        }
        self.groupings.extend(other.groupings);
        self.identity = self.identity.or(other.identity);
        self.transforms.extend(other.transforms);
        for (name, derive) in other.derived {
            if !self.derives(&name) {
                self.derived.push((name, derive));
            }
        }
        self
    }
}

/// Where the values of a column are, for an accumulator that takes counted views.
#[derive(Clone, Copy, Debug)]
pub enum Delivered<'a> {
    /// In this batch.
    Rows(&'a ArrayRef),
    /// They came as a counted view of the split, or one column at a time.
    Apart,
    /// The source has no such column.
    Absent,
}

/// Rows with their context.
#[derive(Clone, Debug)]
pub struct Batch {
    split: u64,
    first_row: u64,
    /// Where rows were filtered: how far behind the first row each was.
    offsets: Option<Vec<u32>>,
    rows: usize,
    columns: Vec<(String, ArrayRef)>,
    /// Places in `columns` in the order of names: thousands of columns are asked for one by one.
    by_name: Vec<usize>,
    apart: Arc<BTreeSet<String>>,
    row_hashes: Option<Vec<u64>>,
    groups: Vec<(Grouping, GroupNumbers)>,
    features: Vec<(String, FeatureBatch)>,
}

impl Batch {
    /// Rows outside a fold: for applying a transform or a model to a table.
    #[must_use]
    pub fn new(record_batch: &RecordBatch) -> Self {
        Self::in_split(record_batch, 0, 0, Arc::new(BTreeSet::new()))
    }

    /// Rows at their place in a split; `apart` names the columns that come apart.
    #[must_use]
    pub fn in_split(
        record_batch: &RecordBatch,
        split: u64,
        first_row: u64,
        apart: Arc<BTreeSet<String>>,
    ) -> Self {
        let schema = record_batch.schema_ref();
        let columns: Vec<(String, ArrayRef)> = schema
            .fields()
            .iter()
            .zip(record_batch.columns())
            .map(|(field, array)| (field.name().clone(), Arc::clone(array)))
            .collect();
        let mut by_name: Vec<usize> = (0..columns.len()).collect();
        by_name.sort_by(|a, b| columns[*a].0.cmp(&columns[*b].0));
        Self {
            by_name,
            split,
            first_row,
            offsets: None,
            rows: record_batch.num_rows(),
            columns,
            apart,
            row_hashes: None,
            groups: Vec::new(),
            features: Vec::new(),
        }
    }

    /// Computes the derived inputs; group numbers go on from `tables`.
    ///
    /// # Errors
    /// When a grouping, an identity or a transform cannot take its columns.
    pub fn derive(mut self, inputs: &Inputs, tables: &mut GroupTables) -> Result<Self> {
        if let Some(identity) = &inputs.identity {
            self.row_hashes = Some(self.hash(identity)?);
        }
        for (name, derive) in &inputs.derived {
            let column = derive.derive(&self)?;
            self.add(name, column);
        }
        for table in tables.all_mut() {
            let grouping = table.grouping().clone();
            let columns =
                grouping.columns.iter().map(|name| self.require(name)).collect::<Result<Vec<_>>>()?;
            let numbers = table.number(&columns, self.rows)?;
            self.groups.push((grouping, numbers));
        }
        for (name, transform) in &inputs.transforms {
            let features = transform.apply(&self)?;
            self.features.push((name.clone(), features));
        }
        Ok(self)
    }

    fn add(&mut self, name: &str, column: ArrayRef) {
        let place = self.by_name.partition_point(|place| self.columns[*place].0.as_str() < name);
        self.by_name.insert(place, self.columns.len());
        self.columns.push((name.to_owned(), column));
    }

    /// The hash of each row by an identity whose columns are among those of the batch.
    ///
    /// # Errors
    /// [`CommonError::ColumnMissing`], and [`CommonError::ColumnKind`] for columns without an encoding.
    pub fn hash(&self, identity: &RowIdentity) -> Result<Vec<u64>> {
        let names = identity.columns();
        match identity {
            RowIdentity::Key(_) => {
                let columns = names
                    .iter()
                    .map(|name| Ok((name.as_str(), self.require(name)?)))
                    .collect::<Result<Vec<_>>>()?;
                hash_rows(&columns, self.rows)
            }
            RowIdentity::Stored => {
                let array = self.require(ROW_HASH_COLUMN)?;
                let hashes =
                    array.as_primitive_opt::<UInt64Type>().ok_or_else(|| CommonError::ColumnKind {
                        column: ROW_HASH_COLUMN.into(),
                        found: array.data_type().to_string(),
                        expected: "unsigned 64-bit integers",
                        purpose: "the identity of a row".into(),
                    })?;
                Ok(hashes.values().to_vec())
            }
        }
    }

    /// Some consecutive rows of its columns, without the derived inputs.
    #[must_use]
    pub fn slice(&self, rows: Range<usize>) -> Self {
        let (first, count) = (rows.start, rows.len());
        Self {
            split: self.split,
            first_row: if self.offsets.is_some() { self.first_row } else { self.first_row + first as u64 },
            offsets: self.offsets.as_ref().map(|offsets| offsets[rows].to_vec()),
            rows: count,
            columns: self
                .columns
                .iter()
                .map(|(name, array)| (name.clone(), array.slice(first, count)))
                .collect(),
            by_name: self.by_name.clone(),
            apart: Arc::clone(&self.apart),
            row_hashes: None,
            groups: Vec::new(),
            features: Vec::new(),
        }
    }

    /// The rows that `keep` marks, with all that was derived of them. Each keeps its [`Batch::place`].
    ///
    /// # Errors
    /// [`CommonError::Internal`] when `keep` is not of these rows.
    pub fn filtered(&self, keep: &BooleanArray) -> Result<Self> {
        let failed = |error: ArrowError| CommonError::Internal(format!("rows cannot be filtered: {error}"));
        let offset = |row: usize| self.offsets.as_ref().map_or(row as u64, |offsets| offsets[row].into());
        let too_long = |_| CommonError::Internal("a batch of more than 2^32 rows".into());
        let offsets = keep.values().set_indices().map(|row| u32::try_from(offset(row)).map_err(too_long));
        let offsets = offsets.collect::<Result<Vec<u32>, _>>()?;
        let kept = |hashes: &Vec<u64>| keep.values().set_indices().map(|row| hashes[row]).collect();
        let mut columns = Vec::with_capacity(self.columns.len());
        for (name, array) in &self.columns {
            columns.push((name.clone(), filter(array, keep).map_err(failed)?));
        }
        let mut features = Vec::with_capacity(self.features.len());
        for (name, batch) in &self.features {
            features.push((name.clone(), batch.filtered(keep).map_err(failed)?));
        }
        Ok(Self {
            split: self.split,
            first_row: self.first_row,
            offsets: Some(offsets),
            rows: keep.true_count(),
            columns,
            by_name: self.by_name.clone(),
            apart: Arc::clone(&self.apart),
            row_hashes: self.row_hashes.as_ref().map(kept),
            groups: self
                .groups
                .iter()
                .map(|(grouping, numbers)| (grouping.clone(), numbers.filtered(keep)))
                .collect(),
            features,
        })
    }

    /// Rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The split it belongs to.
    #[must_use]
    pub fn split(&self) -> u64 {
        self.split
    }

    /// Its first row, counted from 0 within the split.
    #[must_use]
    pub fn first_row(&self) -> u64 {
        self.first_row
    }

    /// The place of a row, counted from 0 within the split.
    #[must_use]
    pub fn place(&self, row: usize) -> u64 {
        self.first_row + self.offsets.as_ref().map_or(row as u64, |offsets| offsets[row].into())
    }

    /// The names of the columns delivered row by row.
    pub fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// A column that was asked for row by row.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ArrayRef> {
        let first = self.by_name.partition_point(|place| self.columns[*place].0.as_str() < name);
        let (mine, array) = &self.columns[*self.by_name.get(first)?];
        (mine == name).then_some(array)
    }

    /// A column that must be there.
    ///
    /// # Errors
    /// [`CommonError::ColumnMissing`] with the names there are.
    pub fn require(&self, name: &str) -> Result<&ArrayRef> {
        self.column(name).ok_or_else(|| {
            CommonError::ColumnMissing {
                column: name.into(),
                place: "the data".into(),
                available: self.column_names().map(str::to_owned).collect(),
            }
            .into()
        })
    }

    /// A column for an accumulator that takes counted views.
    #[must_use]
    pub fn delivered(&self, name: &str) -> Delivered<'_> {
        if self.apart.contains(name) {
            return Delivered::Apart;
        }
        self.column(name).map_or(Delivered::Absent, Delivered::Rows)
    }

    /// The hash of each row, if the inputs asked for it.
    #[must_use]
    pub fn row_hashes(&self) -> Option<&[u64]> {
        self.row_hashes.as_deref()
    }

    /// The group of each row.
    ///
    /// # Errors
    /// [`CommonError::Internal`] when the inputs did not ask for this grouping.
    pub fn groups(&self, grouping: &Grouping) -> Result<&GroupNumbers> {
        self.groups.iter().find(|(mine, _)| mine == grouping).map(|(_, numbers)| numbers).ok_or_else(|| {
            CommonError::Internal(format!("grouping {:?} is not among the inputs", grouping.columns)).into()
        })
    }

    /// The output of a transform or model.
    ///
    /// # Errors
    /// [`CommonError::Internal`] when the inputs did not ask for it.
    pub fn features(&self, name: &str) -> Result<&FeatureBatch> {
        self.features.iter().find(|(mine, _)| mine == name).map(|(_, features)| features).ok_or_else(|| {
            CommonError::Internal(format!("transform `{name}` is not among the inputs")).into()
        })
    }
}

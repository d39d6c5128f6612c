//! Writing the subsets: splits are read on all cores, rows sorted into subsets, and each subset written in
//! split order, so that the files are the same bytes for any number of threads.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt64Array};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use sluice_core::ROW_HASH_COLUMN;
use sluice_core::artifact::Draft;
use sluice_core::batch::{Batch, Inputs, RowIdentity};
use sluice_core::column::ColumnKind;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::{Execution, Extent};
use sluice_core::fold::in_order;
use sluice_core::group::GroupTables;
use sluice_core::plan::{PlannedColumn, Split};
use sluice_core::seam::{BatchSource, Delivery, Request};

use crate::dataset::{DATASET_KIND, DATASET_VERSION, Dataset, DatasetRecord, RECORD_FILE};
use crate::error::IngestError;
use crate::parquet_writer::ParquetWriter;
use crate::subsets::{Rule, SubsetOptions};

/// What the user chooses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IngestOptions {
    /// How rows are shared out.
    pub subsets: SubsetOptions,
    /// The columns that identify a row; empty: all columns together.
    pub key: Vec<String>,
    /// Subsets that must have rows.
    pub required: Vec<String>,
}

/// Reads a source and writes it as a data set at `target`.
///
/// # Errors
/// [`IngestError`] for subsets that cannot be made, and what reading and writing meet.
pub fn ingest(
    source: &dyn BatchSource,
    notes: Vec<String>,
    options: &IngestOptions,
    target: &Path,
    execution: &Execution,
) -> Result<Dataset> {
    let rule = options.subsets.checked()?;
    if source.plan().rows() == 0 {
        return Err(IngestError::NoRows { source_name: source.name() }.into());
    }
    let layout = Layout::new(source, options, rule)?;
    let mut draft = Draft::new(target)?;
    execution.progress.begin("ingest", source.plan().extent());
    let mut writers: BTreeMap<String, ParquetWriter> = BTreeMap::new();
    in_order(
        &source.plan().splits,
        execution,
        |split| layout.sort(source, split, execution),
        |_, sorted| {
            for (name, batches) in sorted {
                let writer = match writers.entry(name) {
                    std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                    std::collections::btree_map::Entry::Vacant(entry) => {
                        let name = format!("{}/part-00000.parquet", entry.key());
                        let writer = ParquetWriter::new(&mut draft, &name, &layout.schema)?;
                        entry.insert(writer)
                    }
                };
                batches.iter().try_for_each(|batch| writer.write(batch))?;
            }
            Ok(())
        },
    )?;
    execution.progress.begin("writing", Extent::default());
    let mut subsets = BTreeMap::new();
    for (name, writer) in writers {
        subsets.insert(name, writer.finish(&mut draft)?);
    }
    execution.progress.end();
    for name in &options.required {
        if subsets.get(name).copied().unwrap_or(0) == 0 {
            let found = subsets.into_iter().collect();
            return Err(IngestError::Empty { name: name.clone(), found, rule: options.subsets.rule() }.into());
        }
    }
    publish(draft, source, notes, options, &layout, subsets)
}

fn publish(
    mut draft: Draft,
    source: &dyn BatchSource,
    notes: Vec<String>,
    options: &IngestOptions,
    layout: &Layout,
    subsets: BTreeMap<String, u64>,
) -> Result<Dataset> {
    let plan = source.plan();
    let record = DatasetRecord {
        source_digest: plan.digest.clone(),
        files: plan.files.iter().map(|file| (file.path.clone(), file.rows)).collect(),
        rows_read: plan.rows(),
        subsets,
        assigned: options.subsets.rule(),
        key: options.key.clone(),
        columns: layout.columns.clone(),
        notes,
    };
    let written: u64 = record.subsets.values().sum();
    if written != record.rows_read {
        let message = format!("{} rows were read but {written} written", record.rows_read);
        return Err(CommonError::Internal(message).into());
    }
    draft.write_json(RECORD_FILE, &record)?;
    let made_from = BTreeMap::from([("source".to_owned(), plan.digest.clone())]);
    Ok(Dataset::new(draft.publish(DATASET_KIND, DATASET_VERSION, made_from)?, record))
}

/// Which columns are read, computed and written.
struct Layout {
    rule: Rule,
    inputs: Inputs,
    request: Request,
    /// Whether the row hash is added to what the source has.
    adds_hash: bool,
    schema: SchemaRef,
    columns: Vec<PlannedColumn>,
}

impl Layout {
    fn new(source: &dyn BatchSource, options: &IngestOptions, rule: Rule) -> Result<Self> {
        let plan = source.plan();
        let names = plan.column_names();
        let subset_column = options.subsets.column();
        for column in options.key.iter().map(String::as_str).chain(subset_column) {
            if plan.column(column).is_none() {
                return Err(CommonError::ColumnMissing {
                    column: column.into(),
                    place: source.name(),
                    available: names,
                }
                .into());
            }
        }
        let identity = RowIdentity::choose(&options.key, &names);
        let adds_hash = options.key.is_empty() && identity != RowIdentity::Stored;
        let needs_hash = adds_hash || matches!(rule, Rule::Hash { .. });
        let inputs = if needs_hash { Inputs::default().with_identity(&identity) } else { Inputs::default() };
        let mut columns: Vec<PlannedColumn> = plan
            .columns
            .iter()
            .filter(|column| Some(column.name.as_str()) != subset_column)
            .cloned()
            .collect();
        let mut fields: Vec<Field> = Vec::new();
        for column in &columns {
            let data_type = match column.kind.normal_type() {
                Some(data_type) => data_type,
                None => nested_type(source, &column.name)?,
            };
            fields.push(Field::new(&column.name, data_type, true));
        }
        if adds_hash {
            fields.push(Field::new(ROW_HASH_COLUMN, DataType::UInt64, false));
            columns.push(PlannedColumn { name: ROW_HASH_COLUMN.into(), kind: ColumnKind::Unsigned });
        }
        let request = Request { rows: (0..plan.columns.len()).collect(), counted: Vec::new() };
        Ok(Self { rule, inputs, request, adds_hash, schema: Arc::new(Schema::new(fields)), columns })
    }

    /// Reads a split and sorts its rows into subsets.
    fn sort(
        &self,
        source: &dyn BatchSource,
        split: &Split,
        execution: &Execution,
    ) -> Result<BTreeMap<String, Vec<RecordBatch>>> {
        let mut sorted: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
        let mut names = Vec::new();
        let mut first_row = 0;
        source.read(split, &self.request, &mut |delivery| {
            execution.cancel.check()?;
            let Delivery::Rows(batch) = delivery else { return Ok(()) };
            let rows = batch.num_rows() as u64;
            self.sort_batch(&batch, split, first_row, &mut names, &mut sorted).map_err(|mut error| {
                let plan = source.plan();
                let row = error.take_row().map(|row| first_row + row);
                match row.and_then(|row| plan.place(&source.name(), split.number, row)) {
                    Some(place) => error.in_place(place),
                    None => error,
                }
            })?;
            execution.advance(source.plan(), split, first_row, rows);
            first_row += rows;
            Ok(())
        })?;
        Ok(sorted)
    }

    fn sort_batch(
        &self,
        record_batch: &RecordBatch,
        split: &Split,
        first_row: u64,
        names: &mut Vec<String>,
        sorted: &mut BTreeMap<String, Vec<RecordBatch>>,
    ) -> Result<()> {
        let batch = Batch::in_split(record_batch, split.number, first_row, Arc::default())
            .derive(&self.inputs, &mut GroupTables::default())?;
        let assigned = self.rule.assign(&batch, names)?;
        let whole = self.written(&batch)?;
        for (index, name) in names.iter().enumerate() {
            let mask: BooleanArray = assigned.iter().map(|subset| Some(*subset == index)).collect();
            if mask.true_count() > 0 {
                let part =
                    filter_record_batch(&whole, &mask).map_err(|source| IngestError::Rows { source })?;
                sorted.entry(name.clone()).or_default().push(part);
            }
        }
        Ok(())
    }

    /// The columns as they are written: text as text, whatever the source had.
    fn written(&self, batch: &Batch) -> Result<RecordBatch> {
        let arrow = |source| IngestError::Rows { source };
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            if self.adds_hash && field.name() == ROW_HASH_COLUMN {
                arrays.push(Arc::new(UInt64Array::from(batch.row_hashes().unwrap_or_default().to_vec())));
                continue;
            }
            let array = batch.require(field.name())?;
            arrays.push(if array.data_type() == field.data_type() {
                Arc::clone(array)
            } else {
                cast(array, field.data_type()).map_err(arrow)?
            });
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(arrow)?)
    }
}

/// The Arrow type of a nested column, which only the data tell.
fn nested_type(source: &dyn BatchSource, column: &str) -> Result<DataType> {
    let index = source.plan().columns.iter().position(|planned| planned.name == column).unwrap_or(0);
    let head = source.head(&[index], 1)?;
    Ok(head.first().map_or(DataType::Null, |batch| batch.column(0).data_type().clone()))
}

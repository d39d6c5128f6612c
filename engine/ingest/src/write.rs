//! Writing the subsets: splits are read, their rows sorted into subsets and encoded on all cores; each subset's
//! bytes are put together in split order, so that the files are the same bytes for any number of threads.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
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
use sluice_core::fold::{Task, in_order_weighed};
use sluice_core::group::GroupTables;
use sluice_core::plan::{Piece, Plan, PlannedColumn, PlannedSpan, Split};
use sluice_core::seam::{BatchSource, Delivery, Request};

use crate::dataset::{
    DATASET_KIND, DATASET_VERSION, Dataset, DatasetRecord, RECORD_FILE, SpanRecord, rows_of_folders,
};
use crate::error::IngestError;
use crate::query::{Answer, NamedSource, Query};
use crate::split_folders::subset_of_file;
use crate::subset_files::{DatasetFormat, EncodedSubset, SubsetEncoder, SubsetWriter};
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
    /// The column that says when a row happened, for subsets by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// How rows are written.
    #[serde(default, skip_serializing_if = "DatasetFormat::is_parquet")]
    pub format: DatasetFormat,
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
    // Wrong options are found before anything is touched.
    options.subsets.check()?;
    write(Draft::new(target)?, source, options, (notes, None), execution)
}

/// Answers a query over named inputs and writes the answer as a data set at `target`.
///
/// # Errors
/// [`QueryError`](crate::QueryError), and as [`ingest`].
pub fn ingest_query(
    query: Query,
    inputs: Vec<NamedSource>,
    mut notes: Vec<String>,
    options: &IngestOptions,
    target: &Path,
    execution: &Execution,
) -> Result<Dataset> {
    options.subsets.check()?;
    if options.subsets.by_split_folder() {
        return Err(IngestError::FolderOfQuery.into());
    }
    query.check_key(&options.key)?;
    let draft = Draft::new(target)?;
    let answer = query.answer(inputs, &options.key, &draft.scratch()?, execution)?;
    notes.extend(answer.notes());
    write(draft, &answer, options, (notes, Some(&answer)), execution)
}

/// The files of the subsets, by span and name.
type Writers = BTreeMap<(Option<u64>, String), SubsetWriter>;

fn write(
    mut draft: Draft,
    source: &dyn BatchSource,
    options: &IngestOptions,
    (mut notes, answer): (Vec<String>, Option<&Answer>),
    execution: &Execution,
) -> Result<Dataset> {
    let plan = source.plan();
    if plan.rows() == 0 {
        return Err(IngestError::NoRows { source_name: source.name() }.into());
    }
    let layout = Layout::new(source, options)?;
    execution.progress.begin("ingest", plan.extent());
    let (writers, delivered, left_out) = write_parts(&mut draft, source, &layout, execution)?;
    execution.progress.begin("writing", Extent::default());
    let (subsets, spans) = finish(writers, (plan, &layout), &mut notes, &mut draft)?;
    execution.progress.end();
    for name in &options.required {
        if subsets.get(name).copied().unwrap_or(0) == 0 {
            let found = subsets.into_iter().collect();
            return Err(IngestError::Empty { name: name.clone(), found, rule: options.subsets.rule() }.into());
        }
    }
    let written: u64 = subsets.values().sum();
    // A query's own reader has counted what it read; its answer may have fewer rows, or more.
    let expected = if answer.is_some() { delivered } else { plan.rows() };
    if written + left_out != expected || delivered != expected {
        let message = format!(
            "{expected} rows were to be written, {delivered} came, {written} were written and {left_out} left out"
        );
        return Err(CommonError::Internal(message).into());
    }
    let record = DatasetRecord {
        source_digest: plan.digest.clone(),
        files: match answer {
            None => plan.files.iter().map(|file| (file.path.clone(), file.rows)).collect(),
            Some(_) => BTreeMap::new(),
        },
        rows_read: answer.map_or(plan.rows(), Answer::rows_read),
        left_out,
        subsets,
        spans,
        query: answer.map(|answer| answer.record(delivered)),
        assigned: options.subsets.rule(),
        key: options.key.clone(),
        columns: layout.columns,
        format: options.format,
        notes,
    };
    draft.write_json(RECORD_FILE, &record)?;
    let made_from = BTreeMap::from([("source".to_owned(), plan.digest.clone())]);
    Ok(Dataset::new(draft.publish(DATASET_KIND, DATASET_VERSION, made_from)?, record))
}

/// Reads all splits and appends their rows to the files of their subsets; answers how many rows came, and how many belong
/// to none.
fn write_parts(
    draft: &mut Draft,
    source: &dyn BatchSource,
    layout: &Layout<'_>,
    execution: &Execution,
) -> Result<(Writers, u64, u64)> {
    let plan = source.plan();
    let mut writers = Writers::new();
    let (mut delivered, mut left_out) = (0, 0);
    in_order_weighed(
        &plan.splits,
        execution,
        Sorted::size_bytes,
        |split, task| layout.sort(source, split, (execution, task)),
        |split, sorted: Sorted| {
            delivered += sorted.delivered;
            left_out += sorted.left_out;
            let span = layout.span_of(plan, split);
            for (name, part) in sorted.parts {
                let writer = match writers.entry((span, name)) {
                    Entry::Occupied(entry) => entry.into_mut(),
                    Entry::Vacant(entry) => {
                        let (span, subset) = entry.key();
                        let name = layout.format.file_of(subset, *span);
                        let writer = SubsetWriter::new(draft, layout.format, &name, &layout.schema)?;
                        entry.insert(writer)
                    }
                };
                writer.append(part)?;
            }
            Ok(writers.values().map(SubsetWriter::size_bytes).sum())
        },
    )?;
    Ok((writers, delivered, left_out))
}

/// Ends the files; answers the rows of each subset, and of each span by subset, and notes what was rounded.
fn finish(
    writers: Writers,
    (plan, layout): (&Plan, &Layout<'_>),
    notes: &mut Vec<String>,
    draft: &mut Draft,
) -> Result<(BTreeMap<String, u64>, Vec<SpanRecord>)> {
    let mut subsets: BTreeMap<String, u64> = BTreeMap::new();
    let mut rounded: BTreeMap<String, u64> = BTreeMap::new();
    let mut spans: Vec<SpanRecord> = layout
        .spans(plan)
        .iter()
        .map(|span| SpanRecord { span: span.span, version: span.version, subsets: BTreeMap::new() })
        .collect();
    for ((span, name), writer) in writers {
        let (rows, of_columns) = writer.finish(draft)?;
        for (column, values) in of_columns {
            *rounded.entry(column).or_default() += values;
        }
        *subsets.entry(name.clone()).or_default() += rows;
        for record in spans.iter_mut().filter(|record| Some(record.span) == span) {
            record.subsets.insert(name.clone(), rows);
        }
    }
    let told = |(column, values)| {
        format!("`{column}`: {values} values rounded to the 32 bits that `tf.Example` has for floats")
    };
    notes.extend(rounded.into_iter().map(told));
    Ok((subsets, spans))
}

/// The rows of a split by subset.
struct Sorted {
    parts: Vec<(String, EncodedSubset)>,
    /// Rows that the source delivered; a split that is put off and read again counts once.
    delivered: u64,
    /// Rows that belong to no subset.
    left_out: u64,
}

impl Sorted {
    fn size_bytes(&self) -> usize {
        self.parts.iter().map(|(_, part)| part.size_bytes()).sum()
    }
}

/// Which columns are read, computed and written.
struct Layout<'a> {
    rule: Rule,
    format: DatasetFormat,
    time: Option<&'a str>,
    inputs: Inputs,
    request: Request,
    /// Whether the row hash is added to what the source has.
    adds_hash: bool,
    schema: SchemaRef,
    columns: Vec<PlannedColumn>,
}

impl<'a> Layout<'a> {
    fn new(source: &dyn BatchSource, options: &'a IngestOptions) -> Result<Self> {
        let plan = source.plan();
        let rule = options.subsets.checked()?;
        let time = if options.subsets.by_time() {
            Some(options.time.as_deref().ok_or(IngestError::NoTime)?)
        } else {
            None
        };
        let names = plan.column_names();
        let subset_column = options.subsets.column();
        for column in options.key.iter().map(String::as_str).chain(subset_column).chain(time) {
            if plan.column(column).is_none() {
                return Err(CommonError::ColumnMissing {
                    column: column.into(),
                    place: source.name(),
                    available: names,
                }
                .into());
            }
        }
        if matches!(rule, Rule::SplitFolder) {
            rows_of_folders(plan)?;
        }
        let identity = RowIdentity::choose(&options.key, &names);
        // Nobody else would know what to do with it.
        let adds_hash =
            options.key.is_empty() && identity != RowIdentity::Stored && options.format.is_parquet();
        let needs_hash = adds_hash || matches!(rule, Rule::Hash { .. });
        let inputs = if needs_hash { Inputs::default().with_identity(&identity) } else { Inputs::default() };
        let mut columns: Vec<PlannedColumn> = Vec::new();
        let mut fields: Vec<Field> = Vec::new();
        for (index, column) in plan.columns.iter().enumerate() {
            if Some(column.name.as_str()) != subset_column {
                fields.push(Field::new(&column.name, column_type(source, index)?, true));
                columns.push(column.clone());
            }
        }
        if adds_hash {
            fields.push(Field::new(ROW_HASH_COLUMN, DataType::UInt64, false));
            columns.push(PlannedColumn { name: ROW_HASH_COLUMN.into(), kind: ColumnKind::Unsigned });
        }
        let request = Request::of_rows((0..plan.columns.len()).collect());
        let schema = Arc::new(Schema::new(fields));
        let format = options.format;
        Ok(Self { rule, format, time, inputs, request, adds_hash, schema, columns })
    }

    /// Reads a split, sorts its rows into subsets and encodes them.
    fn sort(
        &self,
        source: &dyn BatchSource,
        split: &Split,
        (execution, task): (&Execution, &Task<'_>),
    ) -> Result<Sorted> {
        let mut sorted: BTreeMap<String, SubsetEncoder> = BTreeMap::new();
        let mut left_out = 0;
        let mut names = Vec::new();
        let mut first_row = 0;
        for (folder, part) in self.parts(source.plan(), split) {
            source.read(&part, &self.request, &mut |delivery| {
                execution.cancel.check()?;
                let Delivery::Rows(batch) = delivery else { return Ok(()) };
                let rows = batch.num_rows() as u64;
                let kept = self
                    .sort_batch(&batch, (split, folder), first_row, &mut names, &mut sorted)
                    .map_err(|error| source.plan().located(error, &source.name(), split.number, first_row))?;
                left_out += rows - kept;
                task.advance(execution, source.plan(), split, first_row, rows);
                first_row += rows;
                Ok(task.holds(sorted.values().map(SubsetEncoder::size_bytes).sum())?)
            })?;
        }
        let parts = sorted.into_iter().map(|(name, encoder)| Ok((name, encoder.finish()?)));
        Ok(Sorted { parts: parts.collect::<Result<_>>()?, delivered: first_row, left_out })
    }

    /// A split, or where folders name subsets its pieces, each with the subset of its file.
    fn parts<'p>(&self, plan: &'p Plan, split: &Split) -> Vec<(Option<&'p str>, Split)> {
        if !matches!(self.rule, Rule::SplitFolder) {
            return vec![(None, split.clone())];
        }
        let part = |piece: &Piece| {
            let folder = plan.files.get(piece.file).and_then(|file| subset_of_file(&file.path));
            (folder, Split { number: split.number, pieces: vec![piece.clone()] })
        };
        split.pieces.iter().map(part).collect()
    }

    /// The span that the rows of a split are kept apart by.
    fn span_of(&self, plan: &Plan, split: &Split) -> Option<u64> {
        plan.span_of(split).map(|span| span.span).filter(|_| self.format.is_parquet())
    }

    /// The spans that are kept apart.
    fn spans<'p>(&self, plan: &'p Plan) -> &'p [PlannedSpan] {
        if self.format.is_parquet() { &plan.spans } else { &[] }
    }

    /// Sorts the rows of a batch; answers how many belong to a subset.
    fn sort_batch(
        &self,
        record_batch: &RecordBatch,
        (split, folder): (&Split, Option<&str>),
        first_row: u64,
        names: &mut Vec<String>,
        sorted: &mut BTreeMap<String, SubsetEncoder>,
    ) -> Result<u64> {
        let batch = Batch::in_split(record_batch, split.number, first_row, Arc::default())
            .derive(&self.inputs, &mut GroupTables::default())?;
        let assigned = self.rule.assign(&batch, (self.time, folder), names)?;
        let whole = self.written(&batch)?;
        let mut kept = 0;
        for (index, name) in names.iter().enumerate() {
            let mask: BooleanArray = assigned.iter().map(|subset| Some(*subset == Some(index))).collect();
            kept += mask.true_count() as u64;
            if mask.true_count() > 0 {
                let part =
                    filter_record_batch(&whole, &mask).map_err(|source| IngestError::Rows { source })?;
                let encoder = sorted.entry(name.clone()).or_insert_with(|| {
                    SubsetEncoder::new(self.format, &self.format.file_of(name, None), &self.schema)
                });
                encoder.push(&part)?;
            }
        }
        Ok(kept)
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

/// The Arrow type of a column in normal form; of a nested one only the data tell it.
pub(crate) fn column_type(source: &dyn BatchSource, index: usize) -> Result<DataType> {
    if let Some(data_type) = source.plan().columns[index].kind.normal_type() {
        return Ok(data_type);
    }
    let head = source.head(&[index], 1)?;
    Ok(head.first().map_or(DataType::Null, |batch| batch.column(0).data_type().clone()))
}

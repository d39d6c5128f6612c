//! Rows of an Arrow IPC file, one record batch after another.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::reader::{read_dictionary, read_record_batch};
use bytes::Bytes as FileBytes;
use xxhash_rust::xxh3::xxh3_128;

use sluice_core::column::ColumnKind;
use sluice_core::plan::{Piece, PlannedColumn, PlannedFile};
use sluice_core::seam::batch_rows;
use sluice_core::{Execution, Result};

use super::messages::{Body, Bytes, Place, parse};
use super::{damaged, guarded};
use crate::batches::{Sink, normal};
use crate::columns::check_names;
use crate::error::{SourceError, unreadable};
use crate::input::Extent;
use crate::listing::ListedFile;
use crate::remote_file::Fetch;
use crate::text_input::Hashing;
use crate::whole_files::WholeFile;

type Dictionaries = HashMap<i64, ArrayRef>;

/// A file or stream with its schema and where its messages lie.
#[derive(Clone, Debug)]
pub(crate) struct IpcFile {
    listed: ListedFile,
    size_bytes: u64,
    schema: SchemaRef,
    /// Messages after the leading dictionaries.
    places: Vec<Place>,
    /// Those before the first record batch.
    dictionaries: Dictionaries,
    /// For each column of the table, where it stands in the file.
    pub(super) order: Vec<usize>,
}

/// The columns of a file.
pub(super) fn columns(listed: &ListedFile) -> Result<Vec<PlannedColumn>> {
    columns_of(listed, &Bytes::open(listed, None)?.contents(false)?.schema)
}

/// The schema, as the file has it.
pub(super) fn schema(listed: &ListedFile) -> Result<Schema> {
    Ok(Bytes::open(listed, None)?.contents(false)?.schema)
}

fn columns_of(listed: &ListedFile, schema: &Schema) -> Result<Vec<PlannedColumn>> {
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    check_names(&listed.shown, &names)?;
    let kinds = schema.fields().iter().map(|field| ColumnKind::of(field.data_type()));
    Ok(names.into_iter().zip(kinds).map(|(name, kind)| PlannedColumn { name, kind }).collect())
}

impl WholeFile for IpcFile {
    fn open(
        listed: &ListedFile,
        _: Option<FileBytes>,
        execution: &Execution,
    ) -> Result<(Self, PlannedFile, Vec<PlannedColumn>)> {
        let mut bytes = Bytes::open(listed, None)?;
        let contents = bytes.contents(true)?;
        let columns = columns_of(listed, &contents.schema)?;
        let is_dictionary = |place: &&Place| place.body == Body::Dictionary;
        let leading = contents.places.iter().take_while(is_dictionary).count();
        let mut dictionaries = Dictionaries::new();
        for place in &contents.places[..leading] {
            execution.cancel.check()?;
            learn(listed, &mut bytes, place, &contents.schema, &mut dictionaries)?;
        }
        let rows = contents.places.iter().map(|place| match place.body {
            Body::Dictionary => 0,
            Body::Rows { rows, .. } => rows,
        });
        // The headers say nothing of the values.
        let (size_bytes, fingerprint) = fingerprint(listed, execution)?;
        let planned =
            PlannedFile { path: listed.relative.clone(), size_bytes, rows: rows.sum(), fingerprint };
        let file = Self {
            listed: listed.clone(),
            size_bytes,
            schema: Arc::new(contents.schema),
            places: contents.places[leading..].to_vec(),
            dictionaries,
            order: (0..columns.len()).collect(),
        };
        Ok((file, planned, columns))
    }

    /// One piece per record batch.
    fn pieces(&self, number: usize) -> Vec<Piece> {
        let pieces = self.places.iter().filter_map(|place| match place.body {
            Body::Dictionary => None,
            Body::Rows { first_row, rows } => {
                Some(Piece { file: number, first_row, rows, bytes: Some(place.range()) })
            }
        });
        pieces.collect()
    }

    fn set_order(&mut self, order: Vec<usize>) {
        self.order = order;
    }

    fn damaged(file: &str, problem: String) -> SourceError {
        damaged(file, problem)
    }
}

impl IpcFile {
    /// Hands the rows of a piece to `sink`, with the columns of these indices.
    pub(crate) fn read(
        &self,
        piece: &Piece,
        columns: &[usize],
        fetched: Option<Arc<Fetch>>,
        sink: &mut Sink<'_>,
    ) -> Result<ControlFlow<()>> {
        let mut bytes = Bytes::open(&self.listed, fetched)?;
        if bytes.size() != self.size_bytes {
            return Err(SourceError::Changed { file: self.listed.shown.clone() }.into());
        }
        let projection: Vec<usize> = columns.iter().map(|&column| self.order[column]).collect();
        let end = piece.first_row + piece.rows;
        let mut dictionaries = self.dictionaries.clone();
        for place in &self.places {
            match place.body {
                Body::Dictionary => {
                    learn(&self.listed, &mut bytes, place, &self.schema, &mut dictionaries)?;
                }
                Body::Rows { first_row, .. } if first_row >= end => break,
                Body::Rows { first_row, rows } => {
                    if rows == 0 || first_row + rows <= piece.first_row {
                        continue;
                    }
                    let batch = self.decode(&mut bytes, place, &dictionaries, &projection)?;
                    if batch.num_rows() as u64 != rows {
                        return Err(
                            damaged(&self.listed.shown, "a record batch contradicts its header").into()
                        );
                    }
                    if self.hand_out(&batch, first_row, sink)?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn decode(
        &self,
        bytes: &mut Bytes<'_>,
        place: &Place,
        dictionaries: &Dictionaries,
        projection: &[usize],
    ) -> Result<RecordBatch> {
        let shown = &self.listed.shown;
        let (metadata, data) = bytes.read(place)?;
        let message = parse(shown, metadata.as_slice())?;
        let batch =
            message.header_as_record_batch().ok_or_else(|| SourceError::Changed { file: shown.clone() })?;
        let schema = Arc::clone(&self.schema);
        let version = message.version();
        let work = || read_record_batch(&data, batch, schema, dictionaries, Some(projection), &version);
        Ok(guarded(shown, || self.part(place), work)?)
    }

    fn part(&self, place: &Place) -> String {
        match place.body {
            Body::Dictionary => "a dictionary".into(),
            Body::Rows { first_row, .. } => format!("the record batch at row {}", first_row + 1),
        }
    }

    fn hand_out(&self, batch: &RecordBatch, first_row: u64, sink: &mut Sink<'_>) -> Result<ControlFlow<()>> {
        let shown = &self.listed.shown;
        let places: Vec<usize> = (0..batch.num_columns()).collect();
        let most = batch_rows(self.order.len());
        for start in (0..batch.num_rows()).step_by(most) {
            let part = batch.slice(start, std::cmp::min(most, batch.num_rows() - start));
            let row = first_row + start as u64 + 1;
            let place = || format!("`{shown}`, the rows from {row}");
            if sink(normal(&part, &places).map_err(|error| error.in_place(place()))?)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Takes in a dictionary, or what a delta adds to one.
fn learn(
    listed: &ListedFile,
    bytes: &mut Bytes<'_>,
    place: &Place,
    schema: &Schema,
    dictionaries: &mut Dictionaries,
) -> Result<()> {
    let (metadata, data) = bytes.read(place)?;
    let message = parse(&listed.shown, metadata.as_slice())?;
    let changed = || SourceError::Changed { file: listed.shown.clone() };
    let batch = message.header_as_dictionary_batch().ok_or_else(changed)?;
    let version = message.version();
    Ok(guarded(
        &listed.shown,
        || "a dictionary".into(),
        || read_dictionary(&data, batch, schema, dictionaries, &version),
    )?)
}

/// What identifies the bytes of a file: their hash, or what the server says of a file that is elsewhere.
fn fingerprint(listed: &ListedFile, execution: &Execution) -> Result<(u64, String)> {
    if let Some(remote) = listed.place.remote() {
        let fingerprint = format!("{:032x}", xxh3_128(remote.identity().as_bytes()));
        return Ok((remote.size_bytes(), fingerprint));
    }
    let failed = |error| unreadable(&listed.shown, error);
    let stream = listed.open()?.stream(0..u64::MAX, Extent::Whole).map_err(failed)?;
    let reader = std::io::BufReader::with_capacity(1 << 18, stream);
    Hashing::new(reader).telling(Some(&execution.progress)).finish("").map_err(failed)
}

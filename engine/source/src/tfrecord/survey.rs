//! The pre-pass over TFRecord files: the features of all records, their types, rows, split bounds and fingerprint.
//! Memory does not grow with the files.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};

use sluice_core::column::ColumnKind;
use sluice_core::plan::{Piece, PlannedColumn, PlannedFile};
use sluice_core::{Execution, Result};

use super::error::{ExampleError, RecordPlace};
use super::example::{Example, Pair, ValueKind, Values};
use super::records::{RecordError, RecordProblem, Records};
use crate::blocks::MAX_ROW_BYTES;
use crate::columns::check_names;
use crate::csv::pieces;
use crate::error::SourceError;
use crate::listing::ListedFile;
use crate::options::SourceOptions;
use crate::text_input::{Packing, open_hashed, read_error};

/// Records between two looks at the cancel flag.
const RECORDS_BETWEEN_CHECKS: u64 = 1 << 12;

/// More features than this are values in the place of names.
const MAX_FEATURES: usize = 1 << 14;

/// What the pre-pass found.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) files: Vec<PlannedFile>,
    pub(crate) columns: Vec<PlannedColumn>,
    pub(crate) pieces: Vec<Piece>,
    /// The Arrow type of each column.
    pub(crate) types: Vec<DataType>,
}

/// What is known of a feature.
#[derive(Clone, Debug)]
struct Sighting {
    /// The list that it is, and the first record that says so.
    kind: Option<(ValueKind, RecordPlace)>,
    /// Whether every record in which it has a kind has one value.
    is_single: bool,
    is_text: bool,
    /// The last record that had it.
    seen: u64,
}

type Sightings = BTreeMap<String, Sighting>;

/// Reads all files once.
pub(crate) fn survey(files: &[ListedFile], options: &SourceOptions, execution: &Execution) -> Result<Survey> {
    let split_rows = std::cmp::max(options.plan.split_rows, 1);
    let numbered: Vec<(usize, &ListedFile)> = files.iter().enumerate().collect();
    let mut features = Sightings::new();
    let (mut planned, mut all_pieces) = (Vec::new(), Vec::new());
    sluice_core::fold::in_order(
        &numbered,
        execution,
        |&(number, file)| scan(number, file, split_rows, execution),
        |_, (file, file_pieces, found): (PlannedFile, Vec<Piece>, Sightings)| {
            planned.push(file);
            all_pieces.extend(file_pieces);
            join(&mut features, found)
        },
    )?;
    let shown = &files[0].shown;
    if planned.iter().all(|file| file.rows == 0) {
        return Err(SourceError::EmptyFile { file: shown.clone() }.into());
    }
    let names: Vec<String> = features.keys().cloned().collect();
    check_names(shown, &names)?;
    let types: Vec<DataType> = features.values().map(Sighting::data_type).collect();
    let column = |(name, data_type)| PlannedColumn { name, kind: ColumnKind::of(data_type) };
    let columns = names.into_iter().zip(&types).map(column).collect();
    Ok(Survey { files: planned, columns, pieces: all_pieces, types })
}

impl Sighting {
    fn new() -> Self {
        Self { kind: None, is_single: true, is_text: true, seen: 0 }
    }

    fn observe(
        &mut self,
        values: &Values,
        place: impl Fn() -> RecordPlace,
    ) -> Result<(), (RecordPlace, ValueKind)> {
        let (kind, _) = self.kind.get_or_insert_with(|| (values.kind(), place()));
        if *kind != values.kind() {
            return Err((place(), values.kind()));
        }
        self.is_single &= values.len() == 1;
        if let Values::Bytes(list) = values {
            self.is_text = self.is_text && list.values.iter().all(|value| std::str::from_utf8(value).is_ok());
        }
        Ok(())
    }

    /// The error of a record in which it is of another kind than before.
    fn mixed(&self, name: &str, place: RecordPlace, found: ValueKind) -> ExampleError {
        let (expected, first) = match &self.kind {
            Some((kind, first)) => (kind.name(), first.to_string()),
            None => ("nothing", String::new()),
        };
        ExampleError::Mixed { place, column: name.into(), found: found.name(), expected, first: first.into() }
    }

    /// In normal form.
    fn data_type(&self) -> DataType {
        let item = match &self.kind {
            None => return DataType::Null,
            Some((ValueKind::Integer, _)) => DataType::Int64,
            Some((ValueKind::Float, _)) => DataType::Float64,
            Some((ValueKind::Bytes, _)) if self.is_text => DataType::Utf8View,
            Some((ValueKind::Bytes, _)) => DataType::BinaryView,
        };
        if self.is_single { item } else { DataType::List(Arc::new(Field::new("item", item, true))) }
    }
}

/// Adds what a later file tells.
fn join(features: &mut Sightings, found: Sightings) -> Result<()> {
    for (name, later) in found {
        let Some(known) = features.get_mut(&name) else {
            if let (true, Some((_, place))) = (features.len() >= MAX_FEATURES, &later.kind) {
                return Err(
                    ExampleError::TooManyFeatures { place: place.clone(), limit: MAX_FEATURES }.into()
                );
            }
            features.insert(name, later);
            continue;
        };
        known.is_single &= later.is_single;
        known.is_text &= later.is_text;
        match (&known.kind, later.kind) {
            (Some((kind, _)), Some((other, place))) if *kind != other => {
                return Err(known.mixed(&name, place, other).into());
            }
            (None, Some(kind)) => known.kind = Some(kind),
            _ => {}
        }
    }
    Ok(())
}

/// Looks at all records of a file.
fn scan(
    number: usize,
    file: &ListedFile,
    split_rows: u64,
    execution: &Execution,
) -> Result<(PlannedFile, Vec<Piece>, Sightings)> {
    let (input, packing) = open_hashed(file, Some(&execution.progress))?;
    let mut records = Records::new(input, 0);
    let mut features = Sightings::new();
    let mut bounds = Vec::new();
    let mut rows = 0_u64;
    loop {
        let record = rows + 1;
        let next = records.next_record();
        let Some((offset, content)) = next.map_err(|error| record_error(file, packing, error, record))?
        else {
            break;
        };
        let place = || RecordPlace { file: file.shown.clone(), record, offset };
        if rows.is_multiple_of(split_rows) {
            bounds.push(offset);
        }
        if rows.is_multiple_of(RECORDS_BETWEEN_CHECKS) {
            execution.cancel.check()?;
        }
        let pairs = Example::of_record(content)
            .map_err(|problem| ExampleError::NotExample { place: place(), problem })?;
        observe(&mut features, pairs, record, &place)?;
        rows = record;
    }
    let finished = records.into_input().into_raw().finish("");
    let (size_bytes, fingerprint) = finished.map_err(|error| read_error(file, packing, error))?;
    let planned = PlannedFile { path: file.relative.clone(), size_bytes, rows, fingerprint };
    let pieces = match packing {
        Packing::Plain => pieces(number, &bounds, rows, split_rows, size_bytes),
        // There is no way into the middle of a packed file.
        Packing::Gzip | Packing::Zstd => {
            vec![Piece { file: number, first_row: 0, rows, bytes: Some((0, size_bytes)) }]
        }
    };
    Ok((planned, pieces, features))
}

/// Takes in the features of a record.
fn observe(
    features: &mut Sightings,
    pairs: Vec<Pair>,
    record: u64,
    place: &dyn Fn() -> RecordPlace,
) -> Result<(), ExampleError> {
    for Pair { name, feature } in pairs {
        if !features.contains_key(&name) {
            if features.len() >= MAX_FEATURES {
                return Err(ExampleError::TooManyFeatures { place: place(), limit: MAX_FEATURES });
            }
            features.insert(name.clone(), Sighting::new());
        }
        let Some(sighting) = features.get_mut(&name) else { continue };
        if std::mem::replace(&mut sighting.seen, record) == record {
            return Err(ExampleError::Repeated { place: place(), column: name });
        }
        if let Some(values) = feature.and_then(|feature| feature.values)
            && let Err((place, found)) = sighting.observe(&values, place)
        {
            return Err(sighting.mixed(&name, place, found));
        }
    }
    Ok(())
}

/// The error of a record, with its number from 1.
fn record_error(file: &ListedFile, packing: Packing, error: RecordError, record: u64) -> sluice_core::Error {
    let place = RecordPlace { file: file.shown.clone(), record, offset: error.offset };
    let damaged = |problem| ExampleError::Damaged { place: place.clone(), problem }.into();
    match error.problem {
        RecordProblem::Unreadable(source) => read_error(file, packing, source),
        RecordProblem::CutShort => damaged("the file ends within the record"),
        RecordProblem::Length => damaged("its length does not have the checksum that stands there"),
        RecordProblem::Content => damaged("its content does not have the checksum that stands there"),
        RecordProblem::TooLong(length) => {
            ExampleError::TooLong { place, length, limit_bytes: MAX_ROW_BYTES }.into()
        }
    }
}

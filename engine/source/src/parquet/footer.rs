//! The footer of a Parquet file: columns, row groups, and which chunks are dictionary-encoded throughout.

use std::sync::Arc;

use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use ::parquet::basic::Encoding;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy,
};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use sluice_core::column::ColumnKind;
use sluice_core::error::CommonError;
use sluice_core::plan::{Piece, PlannedColumn, PlannedFile, Split};
use sluice_core::{Execution, Result};

use super::hints::{Text, hinted_schema, texts};
use super::{damaged, guarded};
use crate::columns::check_names;
use crate::error::{SourceError, unreadable};
use crate::input::{Input, Place};
use crate::listing::ListedFile;
use crate::whole_files::WholeFile;

/// The footer's own length and the magic at the end.
const TAIL_BYTES: u64 = 8;

/// The end of a file that is elsewhere, read at once: most footers are shorter.
pub(super) const END_BYTES: u64 = 1 << 16;

/// A row group.
#[derive(Clone, Debug)]
pub(crate) struct RowGroup {
    pub(crate) first_row: u64,
    pub(crate) rows: u64,
    /// Of its pages, not compressed.
    pub(crate) size_bytes: u64,
    /// For each column of the file, whether its one chunk is dictionary-encoded throughout.
    pub(crate) coded: Vec<bool>,
}

impl RowGroup {
    pub(crate) fn end(&self) -> u64 {
        self.first_row + self.rows
    }
}

/// A file with its footer.
#[derive(Clone, Debug)]
pub(crate) struct ParquetFile {
    pub(crate) listed: ListedFile,
    pub(crate) size_bytes: u64,
    pub(crate) metadata: Arc<ParquetMetaData>,
    /// As the file itself means it, with the types of [`hinted_schema`].
    pub(crate) schema: SchemaRef,
    pub(crate) groups: Vec<RowGroup>,
    /// For each column of the file, the one leaf it has when it is flat.
    pub(crate) leaves: Vec<Option<usize>>,
    /// For each column of the file, what its text needs.
    pub(super) texts: Vec<Text>,
    /// For each column of the table, where it stands in the file.
    pub(crate) order: Vec<usize>,
    /// For each row group, how many splits meet it.
    pub(super) uses: Vec<usize>,
}

impl WholeFile for ParquetFile {
    fn open(
        listed: &ListedFile,
        end: Option<Bytes>,
        _: &Execution,
    ) -> Result<(Self, PlannedFile, Vec<PlannedColumn>)> {
        let shown = &listed.shown;
        let (footer, size_bytes) = read_footer(listed, end)?;
        let part = || "the footer".to_owned();
        // Of thousands of row groups they would be held to the end, and nobody asks for them.
        let options = ParquetMetaDataOptions::new()
            .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let decode = || ParquetMetaDataReader::decode_metadata_with_options(&footer, Some(&options));
        let metadata = guarded(shown, part, decode)?;
        let metadata = Arc::new(metadata);
        let schema = guarded(shown, part, || {
            let metadata = ArrowReaderMetadata::try_new(Arc::clone(&metadata), ArrowReaderOptions::new())?;
            Ok::<_, ParquetError>(Arc::clone(metadata.schema()))
        })?;
        let schema = hinted_schema(shown, &metadata, &schema)?;
        let leaves = leaves(&metadata, schema.fields().len());
        let texts = texts(&metadata, &leaves);
        let columns: Vec<PlannedColumn> = schema
            .fields()
            .iter()
            .zip(&texts)
            .map(|(field, text)| PlannedColumn {
                name: field.name().clone(),
                kind: match text {
                    Text::Bytes => ColumnKind::Text,
                    Text::Checked | Text::Unchecked => ColumnKind::of(field.data_type()),
                },
            })
            .collect();
        check_names(shown, &columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>())?;
        let groups = groups(shown, &metadata, &leaves)?;
        let rows = groups.last().map_or(0, RowGroup::end);
        let claimed = metadata.file_metadata().num_rows();
        // Some writers leave the sum out.
        if claimed != 0 && i64::try_from(rows) != Ok(claimed) {
            return Err(damaged(
                shown,
                format!("its footer says {claimed} rows, its row groups hold {rows}"),
            )
            .into());
        }
        let metadata = if claimed == 0 && rows > 0 { Arc::new(with_rows(&metadata, rows)) } else { metadata };
        let fingerprint = format!("{:032x}", xxh3_128(&footer));
        let planned = PlannedFile { path: listed.relative.clone(), size_bytes, rows, fingerprint };
        let order = (0..columns.len()).collect();
        let (listed, uses) = (listed.clone(), vec![0; groups.len()]);
        let file = Self { listed, size_bytes, metadata, schema, groups, leaves, texts, order, uses };
        Ok((file, planned, columns))
    }

    fn end_bytes() -> u64 {
        END_BYTES
    }

    fn set_order(&mut self, order: Vec<usize>) {
        self.order = order;
    }

    fn pieces(&self, number: usize) -> Vec<Piece> {
        let piece = |group: &RowGroup| Piece {
            file: number,
            first_row: group.first_row,
            rows: group.rows,
            bytes: None,
        };
        self.groups.iter().map(piece).collect()
    }

    fn damaged(file: &str, problem: String) -> SourceError {
        damaged(file, problem)
    }
}

impl ParquetFile {
    /// Whether a column of the table is dictionary-encoded throughout in a row group.
    pub(super) fn is_coded(&self, group: usize, column: usize) -> bool {
        let place = self.order.get(column);
        place.is_some_and(|&place| self.groups[group].coded.get(place) == Some(&true))
    }

    /// The file on this machine, if it is still the one that was planned.
    pub(super) fn reopen(&self) -> Result<std::fs::File> {
        let unreadable = |error| CommonError::file("read", &self.listed.shown, error);
        let Place::Local(path) = &self.listed.place else {
            return Err(CommonError::Internal("an object was opened like a file".into()).into());
        };
        let file = fs_err::File::open(path).map_err(unreadable)?;
        if file.metadata().map_err(unreadable)?.len() != self.size_bytes {
            return Err(SourceError::Changed { file: self.listed.shown.clone() }.into());
        }
        Ok(file.into_file())
    }
}

/// Notes how many splits meet each row group, after all are planned.
pub(crate) fn note_uses(files: &mut [ParquetFile], splits: &[Split]) {
    for piece in splits.iter().flat_map(|split| &split.pieces) {
        let Some(file) = files.get_mut(piece.file) else { continue };
        let groups: Vec<usize> = file.groups_of(piece).map(|(group, _)| group).collect();
        groups.into_iter().for_each(|group| file.uses[group] += 1);
    }
}

/// The schema of a file in the types of Arrow, as its writer left it.
pub(crate) fn arrow_schema(listed: &ListedFile) -> Result<SchemaRef> {
    let (footer, _) = read_footer(listed, None)?;
    let part = || "the footer".to_owned();
    let metadata = guarded(&listed.shown, part, || ParquetMetaDataReader::decode_metadata(&footer))?;
    let schema = guarded(&listed.shown, part, || {
        let metadata = ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new())?;
        Ok::<_, ParquetError>(Arc::clone(metadata.schema()))
    })?;
    Ok(schema)
}

/// The bytes of the footer, and the length of the file, whose `end` may be here already.
fn read_footer(listed: &ListedFile, end: Option<Bytes>) -> Result<(Bytes, u64)> {
    let failed = |error| unreadable(&listed.shown, error);
    let refused = |reason| SourceError::NotParquet { file: listed.shown.clone(), reason };
    let mut file = listed.open()?;
    let size = file.size_bytes().map_err(failed)?;
    if size == 0 {
        return Err(SourceError::EmptyFile { file: listed.shown.clone() }.into());
    }
    if size < 4 + TAIL_BYTES {
        return Err(refused("it is too short").into());
    }
    let end = match (end, &file) {
        (Some(end), _) => end,
        (None, Input::Local(_)) => file.range(size - TAIL_BYTES..size).map_err(failed)?,
        (None, Input::Remote(_)) => file.range(size.saturating_sub(END_BYTES)..size).map_err(failed)?,
    };
    let changed = || SourceError::Changed { file: listed.shown.clone() };
    let (_, tail) = end.split_last_chunk::<8>().ok_or_else(changed)?;
    let [l1, l2, l3, l4, last @ ..] = *tail;
    // Of what is elsewhere, only what ends wrongly is looked at from its beginning.
    let magic = match (&file, &last) {
        (Input::Remote(_), b"PAR1") => Bytes::from_static(b"PAR1"),
        _ => file.magic(4).map_err(failed)?,
    };
    match (&magic[..], &last) {
        (b"PAR1", b"PAR1") => {}
        (b"PAR1", b"PARE") | (b"PARE", _) => {
            return Err(refused("it is encrypted, which is not supported").into());
        }
        (b"PAR1", _) => return Err(damaged(&listed.shown, "its end is missing").into()),
        _ => return Err(refused("it does not begin with `PAR1`").into()),
    }
    let length = u64::from(u32::from_le_bytes([l1, l2, l3, l4]));
    if length + TAIL_BYTES + 4 > size {
        return Err(damaged(&listed.shown, "its footer is longer than the file").into());
    }
    if let Some(start) = (end.len() as u64).checked_sub(length + TAIL_BYTES) {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        return Ok((end.slice(start..end.len() - tail.len()), size));
    }
    let footer = file.range(size - TAIL_BYTES - length..size - TAIL_BYTES).map_err(failed)?;
    Ok((footer, size))
}

/// The metadata with the sum of rows put in, by which the reader bounds its batches.
fn with_rows(metadata: &ParquetMetaData, rows: u64) -> ParquetMetaData {
    let file = metadata.file_metadata();
    let file = FileMetaData::new(
        file.version(),
        i64::try_from(rows).unwrap_or(i64::MAX),
        file.created_by().map(str::to_owned),
        file.key_value_metadata().cloned(),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    ParquetMetaData::new(file, metadata.row_groups().to_vec())
}

/// Columns that are not nested have one leaf, whose path has one part.
fn leaves(metadata: &ParquetMetaData, columns: usize) -> Vec<Option<usize>> {
    let schema = metadata.file_metadata().schema_descr();
    let mut leaves = vec![None; columns];
    for leaf in 0..schema.num_columns() {
        let column = schema.column(leaf);
        let flat =
            column.path().parts().len() == 1 && column.max_rep_level() == 0 && column.max_def_level() <= 1;
        if let Some(entry) = leaves.get_mut(schema.get_column_root_idx(leaf)).filter(|_| flat) {
            *entry = Some(leaf);
        }
    }
    leaves
}

fn groups(
    file: &str,
    metadata: &ParquetMetaData,
    leaves: &[Option<usize>],
) -> Result<Vec<RowGroup>, SourceError> {
    let mut first_row = 0_u64;
    let mut groups = Vec::with_capacity(metadata.num_row_groups());
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let rows = u64::try_from(group.num_rows())
            .map_err(|_| damaged(file, format!("row group {number} has {} rows", group.num_rows())))?;
        let coded = leaves
            .iter()
            .map(|leaf| leaf.and_then(|leaf| group.columns().get(leaf)).is_some_and(is_coded))
            .collect();
        let size_bytes = u64::try_from(group.total_byte_size()).unwrap_or(0);
        groups.push(RowGroup { first_row, rows, size_bytes, coded });
        first_row = first_row
            .checked_add(rows)
            .ok_or_else(|| damaged(file, "its row groups hold more rows than can be counted"))?;
    }
    Ok(groups)
}

/// Whether every data page holds codes into a dictionary. Page statistics say so; without them only the old
/// spelling does, since there `PLAIN` cannot come from the dictionary page.
fn is_coded(chunk: &ColumnChunkMetaData) -> bool {
    let is_code = |encoding| matches!(encoding, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY);
    if let Some(mask) = chunk.page_encoding_stats_mask() {
        let mut encodings = mask.encodings().peekable();
        return encodings.peek().is_some() && encodings.all(is_code);
    }
    #[expect(deprecated, reason = "old files have such levels, and say so here")]
    let is_level = |encoding| matches!(encoding, Encoding::RLE | Encoding::BIT_PACKED);
    chunk.encodings().any(|encoding| encoding == Encoding::PLAIN_DICTIONARY)
        && chunk.encodings().all(|encoding| encoding == Encoding::PLAIN_DICTIONARY || is_level(encoding))
}

//! Features as a matrix for trainers: dense in NumPy's format or safetensors, or without zeros as compressed sparse
//! rows in safetensors. A missing number is NaN.

use std::io::{BufReader, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow::array::Array;
use fs_err as fs;

use sluice_core::artifact::{Draft, DraftFile};
use sluice_core::error::{CommonError, Result};
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureSpace, FeatureSpec};

use super::{CellType, FeatureLayout};

/// Cells of a dense matrix that are held at a time.
const BLOCK_CELLS: usize = 1 << 17;

/// Rows of a matrix on their way into a file.
pub(super) struct MatrixEncoder {
    cells: CellType,
    is_sparse: bool,
    rows: u64,
    /// Of a dense matrix the features as they are: a matrix of many levels would be far larger than they.
    batches: Vec<FeatureBatch>,
    /// How many columns each feature fills.
    widths: Vec<usize>,
    /// Of sparse rows the cells that are not 0, row by row.
    numbers: Vec<u8>,
    /// Of sparse rows the column of each number.
    indices: Vec<u8>,
    /// Of sparse rows how many numbers each row has.
    lengths: Vec<u32>,
}

impl MatrixEncoder {
    pub(super) fn dense(space: &FeatureSpace, cells: CellType) -> Self {
        let (batches, numbers, indices, lengths) = Default::default();
        let widths = space.features.iter().map(FeatureSpec::width).collect();
        Self { cells, is_sparse: false, rows: 0, batches, widths, numbers, indices, lengths }
    }

    pub(super) fn sparse(space: &FeatureSpace, cells: CellType) -> Self {
        Self { is_sparse: true, ..Self::dense(space, cells) }
    }

    pub(super) fn size_bytes(&self) -> usize {
        let of_column = |column: &FeatureColumn| match column {
            FeatureColumn::Numbers(values) => values.get_array_memory_size(),
            FeatureColumn::Codes(codes) => codes.get_array_memory_size(),
            FeatureColumn::Sparse(sparse) => {
                (sparse.offsets.len() + sparse.indices.len()) * size_of::<u32>()
                    + sparse.values.len() * size_of::<f64>()
            }
        };
        let columns = self.batches.iter().flat_map(|batch| &batch.columns);
        let lengths = self.lengths.capacity() * size_of::<u32>();
        columns.map(of_column).sum::<usize>() + self.numbers.capacity() + self.indices.capacity() + lengths
    }

    pub(super) fn push(&mut self, batch: &FeatureBatch) {
        self.rows += batch.rows as u64;
        if self.is_sparse {
            self.push_sparse(batch);
        } else {
            self.batches.push(batch.clone());
        }
    }

    /// The cells of a dense matrix, some rows at a time.
    fn blocks(&self, mut write: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let stride: usize = self.widths.iter().sum();
        let most = std::cmp::max(BLOCK_CELLS / std::cmp::max(stride, 1), 1);
        let (mut matrix, mut bytes) = (Vec::new(), Vec::new());
        for batch in &self.batches {
            for first in (0..batch.rows).step_by(most) {
                let rows = first..std::cmp::min(first + most, batch.rows);
                matrix.clear();
                matrix.resize(rows.len() * stride, 0.0);
                self.expand(batch, rows, stride, &mut matrix);
                bytes.clear();
                match self.cells {
                    CellType::F64 => bytes.extend(matrix.iter().flat_map(|cell: &f64| cell.to_le_bytes())),
                    CellType::F32 => {
                        bytes.extend(matrix.iter().flat_map(|cell| single(*cell).to_le_bytes()));
                    }
                }
                write(&bytes)?;
            }
        }
        Ok(())
    }

    /// Sets the cells of some rows in a matrix of zeros.
    fn expand(&self, batch: &FeatureBatch, rows: Range<usize>, stride: usize, matrix: &mut [f64]) {
        let mut offset = 0;
        for (width, column) in self.widths.iter().zip(&batch.columns) {
            for (place, row) in rows.clone().enumerate() {
                let cells = &mut matrix[place * stride + offset..place * stride + offset + width];
                entries(column, row, |place, number| {
                    if let Some(cell) = cells.get_mut(place) {
                        *cell = number;
                    }
                });
            }
            offset += width;
        }
    }

    fn push_sparse(&mut self, batch: &FeatureBatch) {
        for row in 0..batch.rows {
            let (mut offset, mut length) = (0, 0);
            for (width, column) in self.widths.iter().zip(&batch.columns) {
                entries(column, row, |place, number| {
                    if number == 0.0 || place >= *width {
                        return;
                    }
                    length += 1;
                    // The writer has seen that all columns are below 2^31, where both types have the same bytes.
                    let column = u32::try_from(offset + place).unwrap_or(u32::MAX);
                    self.indices.extend(column.to_le_bytes());
                    match self.cells {
                        CellType::F64 => self.numbers.extend(number.to_le_bytes()),
                        CellType::F32 => self.numbers.extend(single(number).to_le_bytes()),
                    }
                });
                offset += width;
            }
            self.lengths.push(length);
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "rounding to single precision is what is asked for")]
fn single(number: f64) -> f32 {
    number as f32
}

/// The numbers of a feature in a row, by their places in it.
fn entries(column: &FeatureColumn, row: usize, mut entry: impl FnMut(usize, f64)) {
    match column {
        FeatureColumn::Numbers(values) => {
            entry(0, if values.is_null(row) { f64::NAN } else { values.value(row) });
        }
        FeatureColumn::Codes(codes) => {
            if !codes.is_null(row) {
                entry(codes.value(row) as usize, 1.0);
            }
        }
        FeatureColumn::Sparse(sparse) => sparse.row(row).for_each(|(term, number)| entry(term, number)),
    }
}

/// The file of a matrix.
pub(super) struct MatrixWriter {
    layout: FeatureLayout,
    file: DraftFile,
    shown: PathBuf,
    rows: u64,
    sparse: Option<SparseParts>,
    width: u64,
}

/// Sparse rows whose number of entries is known only at the end, so that they wait beside the draft.
struct SparseParts {
    numbers: Part,
    indices: Part,
    offsets: Part,
    entries: i64,
}

struct Part {
    path: PathBuf,
    writer: BufWriter<fs::File>,
    bytes: u64,
}

impl Part {
    fn new(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        let file = fs::File::create(&path).map_err(CommonError::on("create", &path))?;
        Ok(Self { path, writer: BufWriter::new(file), bytes: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len() as u64;
        Ok(self.writer.write_all(bytes).map_err(CommonError::on("write", &self.path))?)
    }

    fn copy_to(mut self, target: &mut DraftFile, shown: &Path) -> Result<()> {
        self.writer.flush().map_err(CommonError::on("write", &self.path))?;
        let file = fs::File::open(&self.path).map_err(CommonError::on("read", &self.path))?;
        std::io::copy(&mut BufReader::new(file), target).map_err(CommonError::on("write", shown))?;
        Ok(())
    }
}

impl MatrixWriter {
    pub(super) fn new(draft: &mut Draft, layout: FeatureLayout, (rows, width): (u64, u64)) -> Result<Self> {
        let sparse = match layout {
            FeatureLayout::Csr { .. } => {
                if i32::try_from(width).is_err() {
                    return Err(CommonError::Internal(format!("{width} columns of a sparse matrix")).into());
                }
                let folder = draft.scratch()?;
                let mut offsets = Part::new(&folder, "offsets")?;
                offsets.write(&0_i64.to_le_bytes())?;
                let (numbers, indices) = (Part::new(&folder, "numbers")?, Part::new(&folder, "indices")?);
                Some(SparseParts { numbers, indices, offsets, entries: 0 })
            }
            _ => None,
        };
        let file = draft.create_file(layout.file())?;
        let mut writer = Self { layout, file, shown: layout.file().into(), rows: 0, sparse, width };
        match layout {
            FeatureLayout::Npy { cells } => writer.write(&npy_header(cells, rows, width))?,
            FeatureLayout::Safetensors { cells } => {
                let bytes = rows * width * cells.bytes();
                let header = format!(
                    "{{\"features\":{{\"dtype\":\"{}\",\"shape\":[{rows},{width}],\"data_offsets\":[0,{bytes}]}}}}",
                    cells.safetensors(),
                );
                writer.write(&framed(header))?;
            }
            _ => {}
        }
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.file.write_all(bytes).map_err(CommonError::on("write", &self.shown))?)
    }

    pub(super) fn append(&mut self, rows: &MatrixEncoder) -> Result<()> {
        self.rows += rows.rows;
        let Some(sparse) = &mut self.sparse else { return rows.blocks(|bytes| self.write(bytes)) };
        sparse.numbers.write(&rows.numbers)?;
        sparse.indices.write(&rows.indices)?;
        for length in &rows.lengths {
            sparse.entries += i64::from(*length);
            sparse.offsets.write(&sparse.entries.to_le_bytes())?;
        }
        Ok(())
    }

    /// Ends the file and answers its rows.
    pub(super) fn finish(mut self, draft: &mut Draft) -> Result<u64> {
        if let (Some(sparse), FeatureLayout::Csr { cells }) = (self.sparse.take(), self.layout) {
            let ends = [sparse.offsets.bytes, sparse.numbers.bytes, sparse.indices.bytes]
                .into_iter()
                .scan(0, |end, bytes| {
                    *end += bytes;
                    Some(*end)
                })
                .collect::<Vec<u64>>();
            let (entries, rows, width) = (sparse.entries, self.rows, self.width);
            let header = format!(
                "{{\"__metadata__\":{{\"format\":\"csr\",\"shape\":\"[{rows}, {width}]\"}},\
                 \"indptr\":{{\"dtype\":\"I64\",\"shape\":[{}],\"data_offsets\":[0,{}]}},\
                 \"data\":{{\"dtype\":\"{}\",\"shape\":[{entries}],\"data_offsets\":[{},{}]}},\
                 \"indices\":{{\"dtype\":\"I32\",\"shape\":[{entries}],\"data_offsets\":[{},{}]}}}}",
                rows + 1,
                ends[0],
                cells.safetensors(),
                ends[0],
                ends[1],
                ends[1],
                ends[2],
            );
            self.write(&framed(header))?;
            for part in [sparse.offsets, sparse.numbers, sparse.indices] {
                part.copy_to(&mut self.file, &self.shown)?;
            }
        }
        self.file.finish(draft)?;
        Ok(self.rows)
    }
}

impl CellType {
    fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    fn safetensors(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F64 => "F64",
        }
    }
}

/// The header of safetensors: its length, then JSON, padded so that the data are aligned.
fn framed(mut header: String) -> Vec<u8> {
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.into_bytes());
    bytes
}

/// The header of NumPy's format, version 1.0: the data begin at a multiple of 64 bytes.
fn npy_header(cells: CellType, rows: u64, width: u64) -> Vec<u8> {
    let mut text =
        format!("{{'descr': '<f{}', 'fortran_order': False, 'shape': ({rows}, {width}), }}", cells.bytes());
    while !(10 + text.len() + 1).is_multiple_of(64) {
        text.push(' ');
    }
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend(text.into_bytes());
    bytes
}

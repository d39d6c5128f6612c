//! The predictions of all rows of a source, on disk: as much memory for a million rows as for one.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use arrow::array::{Array, Float64Array};
use sluice_core::error::{CommonError, Result};
use sluice_core::plan::Plan;

/// Predictions in the order of the rows: of each row one number per output, NaN where there is none.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    outputs: usize,
    /// By split, the place of its first row.
    firsts: Vec<u64>,
    rows: u64,
}

/// A spool that grows.
#[derive(Debug)]
pub(super) struct SpoolWriter {
    file: BufWriter<File>,
    outputs: usize,
    rows: u64,
}

impl SpoolWriter {
    /// In a file without a name in `folder`, which goes away with the process.
    pub(super) fn new(folder: &Path, outputs: usize) -> io::Result<Self> {
        Ok(Self { file: BufWriter::new(tempfile::tempfile_in(folder)?), outputs, rows: 0 })
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The predictions of the next rows, a column for each output.
    pub(super) fn add(&mut self, columns: &[Float64Array]) -> io::Result<()> {
        let rows = columns.first().map_or(0, Float64Array::len);
        for row in 0..rows {
            for column in columns {
                let value = if column.is_null(row) { f64::NAN } else { column.value(row) };
                self.file.write_all(&value.to_le_bytes())?;
            }
        }
        self.rows += rows as u64;
        Ok(())
    }

    /// All there are; a row is found by its place in the plan.
    pub(super) fn finish(self, plan: &Plan) -> io::Result<Spool> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        let mut next = 0;
        let first = |rows: u64| {
            let first = next;
            next += rows;
            first
        };
        let firsts = plan.splits.iter().map(sluice_core::plan::Split::rows).map(first).collect();
        Ok(Spool { file, outputs: self.outputs, firsts, rows: self.rows })
    }
}

impl Spool {
    /// The predictions of some rows of a split, a column for each output.
    pub(super) fn rows(&self, split: u64, first_row: u64, rows: usize) -> Result<Vec<Float64Array>> {
        let first = usize::try_from(split).ok().and_then(|split| self.firsts.get(split));
        let first = first.map(|first| first + first_row).filter(|first| first + rows as u64 <= self.rows);
        let Some(first) = first else {
            let text = format!("predictions of rows that were not scored: split {split}, row {first_row}");
            return Err(CommonError::Internal(text).into());
        };
        let row_bytes = size_of::<f64>() * self.outputs;
        let mut bytes = vec![0; rows * row_bytes];
        self.file
            .read_exact_at(&mut bytes, first * row_bytes as u64)
            .map_err(CommonError::on("read", "the predictions put aside"))?;
        let number = |bytes: &[u8]| {
            let mut number = [0; size_of::<f64>()];
            number.copy_from_slice(bytes);
            f64::from_le_bytes(number)
        };
        let column = |output: usize| {
            let from = output * size_of::<f64>();
            bytes.chunks_exact(row_bytes).map(|row| number(&row[from..from + size_of::<f64>()])).collect()
        };
        Ok((0..self.outputs).map(column).map(|values: Vec<f64>| Float64Array::from(values)).collect())
    }
}

//! The files that predictions are written to.

use sluice_core::artifact::{Draft, PartFiles};
use sluice_core::error::Result;
use sluice_core::plan::{Plan, Split};

use super::columns::{Layout, Scored};
use super::{PredictOptions, PredictionFormat, Tally};
use crate::step::apply::table::TableWriter;

/// Consecutive splits that are written to one file.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) file: String,
    pub(super) splits: &'a [Split],
}

/// The parts of a plan, at least one: each ends with the split that reaches the rows of a part.
pub(super) fn parts<'a>(plan: &'a Plan, options: &PredictOptions) -> Vec<Part<'a>> {
    let extension = match options.format {
        PredictionFormat::Parquet => "parquet",
        PredictionFormat::Arrow => "arrow",
        PredictionFormat::Tfrecord => "tfrecord.gz",
    };
    let (mut parts, mut first, mut rows) = (Vec::new(), 0, 0);
    for (index, split) in plan.splits.iter().enumerate() {
        rows += split.rows();
        if rows >= options.part_rows || index + 1 == plan.splits.len() {
            parts.push(&plan.splits[first..=index]);
            (first, rows) = (index + 1, 0);
        }
    }
    if parts.is_empty() {
        parts.push(&[]);
    }
    let named = |(number, splits)| Part { file: format!("part-{number:05}.{extension}"), splits };
    parts.into_iter().enumerate().map(named).collect()
}

/// A part in the making.
pub(super) struct PartWriter {
    writer: TableWriter,
    held: usize,
    tally: Tally,
}

impl PartWriter {
    pub(super) fn new(
        part: &Part<'_>,
        layout: &Layout,
        draft: &mut Draft,
        kept: Option<&PartFiles>,
    ) -> Result<Self> {
        let file = match kept {
            Some(kept) => kept.create(&part.file)?,
            None => draft.create_file(&part.file)?,
        };
        let writer = match layout.format {
            PredictionFormat::Parquet => TableWriter::parquet_over(file, &part.file, &layout.schema)?,
            PredictionFormat::Arrow => TableWriter::arrow_over(file, &layout.schema)?,
            PredictionFormat::Tfrecord => TableWriter::examples_over(file, &part.file, &layout.schema)?,
        };
        Ok(Self { writer, held: 0, tally: Tally::default() })
    }

    /// Adds the rows of a split.
    pub(super) fn append(&mut self, scored: Scored) -> Result<()> {
        self.held = self.writer.append(scored.rows)?;
        self.tally.merge(scored.tally);
        Ok(())
    }

    /// Bytes held of rows that are not written yet.
    pub(super) fn size_bytes(&self) -> usize {
        self.held
    }

    /// Ends the file.
    pub(super) fn finish(self, draft: &mut Draft, kept: Option<&PartFiles>) -> Result<Tally> {
        let (file, _) = self.writer.close()?;
        match kept {
            Some(kept) => kept.complete(file, &self.tally)?,
            None => file.finish(draft)?,
        }
        Ok(self.tally)
    }
}

#[cfg(test)]
mod tests {
    use sluice_core::plan::{Piece, PlanOptions, PlannedFile};

    use super::*;

    #[test]
    fn parts_end_with_the_split_that_reaches_their_rows() {
        let piece = |number: u64| Piece { file: 0, first_row: number * 10, rows: 10, bytes: None };
        let plan = |splits: u64| {
            let file = PlannedFile {
                path: "rows".into(),
                size_bytes: 0,
                rows: splits * 10,
                fingerprint: String::new(),
            };
            Plan::new(vec![file], Vec::new(), (0..splits).map(piece), PlanOptions { split_rows: 10 })
        };
        let cut = |splits: u64, part_rows: u64| {
            let options = PredictOptions { part_rows, ..PredictOptions::default() };
            let plan = plan(splits);
            parts(&plan, &options).iter().map(|part| part.splits.len()).collect::<Vec<_>>()
        };
        assert_eq!(cut(0, 20), [0]);
        assert_eq!(cut(5, 1), [1, 1, 1, 1, 1]);
        assert_eq!(cut(5, 20), [2, 2, 1]);
        assert_eq!(cut(5, 21), [3, 2]);
        assert_eq!(cut(5, 1000), [5]);
    }
}

//! What is read, cut into splits. A plan follows from the files, never from the number of threads.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::RESERVED_PREFIX;
use crate::column::ColumnKind;
use crate::error::{CommonError, Error};
use crate::execution::Extent;

/// A file of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFile {
    /// Relative to the source's fixed prefix, with `/` between parts.
    pub path: String,
    /// Its length.
    pub size_bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// What identifies its content: a hash of the bytes (text) or of the footer (Parquet), in hex.
    pub fingerprint: String,
}

/// A span of a source: one of the numbered pieces in which data arrive. It is read as if it were a source of its
/// own: no split crosses its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedSpan {
    /// Its number.
    pub span: u64,
    /// Its version, where deliveries are numbered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The index of its first file in [`Plan::files`]; it ends where the next span begins.
    pub first_file: usize,
}

/// A column of a source, in the order of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
}

/// Consecutive rows of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Index into [`Plan::files`].
    pub file: usize,
    /// The first row, counted from 0 within the file.
    pub first_row: u64,
    /// How many rows.
    pub rows: u64,
    /// Where its bytes are, in formats that are read by bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<(u64, u64)>,
}

/// A numbered piece of a source that one thread reads alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Its number, from 0.
    pub number: u64,
    /// Where it lies, in order.
    pub pieces: Vec<Piece>,
}

impl Split {
    /// How many rows it holds.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.rows).sum()
    }
}

/// The splits of a span, or all of a source without spans: what one tree of `fold` stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The span's number, if the source has spans.
    pub span: Option<u64>,
    /// Its splits.
    pub splits: std::ops::Range<u64>,
    /// Of the span's files and splits, the same in every window; of a source without spans that of its plan.
    pub digest: String,
}

/// How a source is cut.
#[derive(Clone, Copy, Debug)]
pub struct PlanOptions {
    /// Rows that a split aims at. A constant of the plan: tests lower it.
    pub split_rows: u64,
}

impl PlanOptions {
    /// The rows of a split unless told otherwise: small enough that two threads share a file of a million
    /// rows, large enough that merging states costs nothing beside reading.
    pub const SPLIT_ROWS: u64 = 1 << 18;
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self { split_rows: Self::SPLIT_ROWS }
    }
}

/// The listing of a source, its columns and its splits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// In byte order of their paths.
    pub files: Vec<PlannedFile>,
    /// In the order of the source.
    pub columns: Vec<PlannedColumn>,
    /// The spans that the files belong to, ascending; empty for a source without spans.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<PlannedSpan>,
    /// In order; their numbers are their indices.
    pub splits: Vec<Split>,
    /// Of all of the above; states of different plans are never merged.
    pub digest: String,
}

impl Plan {
    /// Cuts files into splits: consecutive pieces are joined up to `split_rows`, and cut where one alone passes
    /// four times that.
    ///
    /// `pieces` are the natural units (row groups, checkpoints of a text file) in order. Row groups stay whole
    /// up to that size, since only whole ones can be delivered as counted views. A piece with byte bounds is
    /// never cut, since only its ends are known.
    #[must_use]
    pub fn new(
        files: Vec<PlannedFile>,
        columns: Vec<PlannedColumn>,
        pieces: impl IntoIterator<Item = Piece>,
        options: PlanOptions,
    ) -> Self {
        Self::with_spans(files, columns, Vec::new(), pieces, options)
    }

    /// As [`Plan::new`], for files that belong to spans: a split ends where a span ends.
    #[must_use]
    pub fn with_spans(
        files: Vec<PlannedFile>,
        columns: Vec<PlannedColumn>,
        spans: Vec<PlannedSpan>,
        pieces: impl IntoIterator<Item = Piece>,
        options: PlanOptions,
    ) -> Self {
        let target = std::cmp::max(options.split_rows, 1);
        let mut splits: Vec<Split> = Vec::new();
        let mut open: Vec<Piece> = Vec::new();
        let mut open_rows = 0;
        let mut close = |open: &mut Vec<Piece>, open_rows: &mut u64| {
            if !open.is_empty() {
                splits.push(Split { number: splits.len() as u64, pieces: std::mem::take(open) });
            }
            *open_rows = 0;
        };
        let span_of = |file: usize| spans.partition_point(|span| span.first_file <= file);
        let mut open_span = None;
        for mut piece in pieces {
            if open_span.replace(span_of(piece.file)).is_some_and(|span| span != span_of(piece.file)) {
                close(&mut open, &mut open_rows);
            }
            let cuttable = piece.bytes.is_none() && piece.rows > target.saturating_mul(4);
            while piece.rows > 0 {
                let room = target - open_rows;
                if !cuttable && open_rows > 0 && piece.rows > room {
                    close(&mut open, &mut open_rows);
                    continue;
                }
                let taken = if cuttable { std::cmp::min(room, piece.rows) } else { piece.rows };
                append(&mut open, Piece { rows: taken, ..piece.clone() });
                open_rows += taken;
                piece.first_row += taken;
                piece.rows -= taken;
                if open_rows >= target {
                    close(&mut open, &mut open_rows);
                }
            }
        }
        close(&mut open, &mut open_rows);
        let mut plan = Self { files, columns, spans, splits, digest: String::new() };
        plan.digest = plan.compute_digest();
        plan
    }

    /// Rows of all splits.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.splits.iter().map(Split::rows).sum()
    }

    /// The span that a split belongs to, if the source has spans.
    #[must_use]
    pub fn span_of(&self, split: &Split) -> Option<&PlannedSpan> {
        let file = split.pieces.first()?.file;
        self.spans[..self.spans.partition_point(|span| span.first_file <= file)].last()
    }

    /// The spans with their splits, in order; one section for a source without spans.
    #[must_use]
    pub fn sections(&self) -> Vec<Section> {
        if self.spans.is_empty() {
            let splits = 0..self.splits.len() as u64;
            return vec![Section { span: None, splits, digest: self.digest.clone() }];
        }
        let first_split = |file: usize| {
            self.splits.partition_point(|split| split.pieces.first().is_some_and(|piece| piece.file < file))
        };
        let ends = self.spans.iter().skip(1).map(|span| span.first_file).chain([usize::MAX]);
        let sections = self.spans.iter().zip(ends).map(|(span, end_file)| {
            let splits = first_split(span.first_file)..first_split(end_file);
            let end_file = std::cmp::min(end_file, self.files.len());
            let files = self.files.get(span.first_file..end_file).unwrap_or_default();
            // The numbers of splits and files count from the span's beginning, and columns are left to the
            // accumulators: a window may hold more of them than the span does.
            let pieces: Vec<Vec<Piece>> = self.splits[splits.clone()]
                .iter()
                .map(|split| {
                    let local = |piece: &Piece| Piece { file: piece.file - span.first_file, ..piece.clone() };
                    split.pieces.iter().map(local).collect()
                })
                .collect();
            let digest = digest_of(&(span.span, span.version, files, pieces));
            Section { span: Some(span.span), splits: splits.start as u64..splits.end as u64, digest }
        });
        sections.collect()
    }

    /// Rows and bytes of all files; no bytes where there are no files.
    #[must_use]
    pub fn extent(&self) -> Extent {
        let bytes = self.files.iter().map(|file| file.size_bytes).sum();
        Extent { rows: Some(self.rows()), bytes: Some(bytes).filter(|&bytes| bytes > 0) }
    }

    /// The bytes of a split: those between its bounds, or its rows' share of their file.
    #[must_use]
    pub fn bytes_of(&self, split: &Split) -> u64 {
        let share = |piece: &Piece| match (piece.bytes, self.files.get(piece.file)) {
            (Some((start, end)), _) => end.saturating_sub(start),
            (None, Some(file)) => {
                let share = u128::from(file.size_bytes) * u128::from(piece.rows)
                    / u128::from(std::cmp::max(file.rows, 1));
                u64::try_from(share).unwrap_or(u64::MAX)
            }
            (None, None) => 0,
        };
        split.pieces.iter().map(share).sum()
    }

    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&PlannedColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The names of all columns, in order.
    #[must_use]
    pub fn column_names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// The splits of shard `index` of `count` (from 1): ⌊(index−1)S/count⌋ … ⌊index·S/count⌋−1.
    #[must_use]
    pub fn shard(&self, index: u64, count: u64) -> std::ops::Range<u64> {
        let splits = self.splits.len() as u128;
        let bound =
            |part: u64| u64::try_from(u128::from(part) * splits / u128::from(count)).unwrap_or(u64::MAX);
        bound(index - 1)..bound(index)
    }

    /// Where a row of a split is, in words: file, source and row (from 1, without the header).
    #[must_use]
    pub fn place(&self, source_name: &str, split: u64, row_in_split: u64) -> Option<String> {
        let (file, row) = self.locate(split, row_in_split)?;
        if source_name.contains(&file) {
            return Some(format!("`{file}`, row {row}"));
        }
        Some(format!("`{file}` of {source_name}, row {row}"))
    }

    /// A column that must be there; `source_name` is what messages call the source.
    ///
    /// # Errors
    /// [`CommonError::ColumnMissing`] with the names there are, our own left out.
    pub fn require(&self, name: &str, source_name: &str) -> Result<&PlannedColumn, CommonError> {
        self.column(name).ok_or_else(|| CommonError::ColumnMissing {
            column: name.to_owned(),
            place: source_name.to_owned(),
            available: self
                .column_names()
                .into_iter()
                .filter(|name| !name.starts_with(RESERVED_PREFIX))
                .collect(),
        })
    }

    /// Names file and row in an error that knows its row among those from `first_row` of a split on.
    #[must_use]
    pub fn located(&self, mut error: Error, source_name: &str, split: u64, first_row: u64) -> Error {
        let row = error.take_row();
        match row.and_then(|row| self.place(source_name, split, first_row + row)) {
            Some(place) => error.in_place(place),
            None => error,
        }
    }

    /// File and row (from 1, without the header) of a row of a split.
    #[must_use]
    pub fn locate(&self, split: u64, row_in_split: u64) -> Option<(String, u64)> {
        let split = self.splits.get(usize::try_from(split).ok()?)?;
        let mut row = row_in_split;
        for piece in &split.pieces {
            if row < piece.rows {
                return Some((self.files.get(piece.file)?.path.clone(), piece.first_row + row + 1));
            }
            row -= piece.rows;
        }
        None
    }

    fn compute_digest(&self) -> String {
        if self.spans.is_empty() {
            digest_of(&(&self.files, &self.columns, &self.splits))
        } else {
            digest_of(&(&self.files, &self.columns, &self.spans, &self.splits))
        }
    }
}

fn digest_of(parts: &impl Serialize) -> String {
    // Serialising plain data of our own cannot fail; an empty digest would still be the same everywhere.
    format!("{:032x}", xxh3_128(&serde_json::to_vec(parts).unwrap_or_default()))
}

/// Adds a piece, growing the last one where it simply goes on.
fn append(pieces: &mut Vec<Piece>, next: Piece) {
    if let Some(last) = pieces.last_mut() {
        let goes_on = last.file == next.file && last.first_row + last.rows == next.first_row;
        match (&mut last.bytes, &next.bytes) {
            (None, None) if goes_on => {
                last.rows += next.rows;
                return;
            }
            (Some(bytes), Some(next_bytes)) if goes_on && bytes.1 == next_bytes.0 => {
                bytes.1 = next_bytes.1;
                last.rows += next.rows;
                return;
            }
            _ => {}
        }
    }
    pieces.push(next);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn piece(file: usize, first_row: u64, rows: u64) -> Piece {
        Piece { file, first_row, rows, bytes: None }
    }

    #[test]
    fn row_groups_are_joined_and_cut() {
        let plan = Plan::new(
            vec![],
            vec![],
            [
                piece(0, 0, 3),
                piece(0, 3, 3),
                piece(0, 6, 2),
                piece(1, 0, 20),
                piece(2, 0, 0),
                piece(2, 0, 23),
            ],
            PlanOptions { split_rows: 5 },
        );
        let rows: Vec<u64> = plan.splits.iter().map(Split::rows).collect();
        assert_eq!(rows, [3, 5, 20, 5, 5, 5, 5, 3]);
        assert_eq!(plan.splits[1].pieces, [piece(0, 3, 5)]);
        assert_eq!(plan.splits[3].pieces, [piece(2, 0, 5)]);
        assert_eq!(plan.rows(), 51);
    }

    #[test]
    fn a_split_ends_where_its_span_ends() {
        let spans = [(3, 0), (4, 2)]
            .map(|(span, first_file)| PlannedSpan { span, version: None, first_file })
            .to_vec();
        let pieces = [piece(0, 0, 2), piece(1, 0, 2), piece(2, 0, 2), piece(3, 0, 2)];
        let options = PlanOptions { split_rows: 3 };
        let plan = Plan::with_spans(vec![], vec![], spans, pieces.clone(), options);
        let spans: Vec<(u64, u64)> =
            plan.splits.iter().map(|split| (plan.span_of(split).unwrap().span, split.rows())).collect();
        assert_eq!(spans, [(3, 2), (3, 2), (4, 2), (4, 2)]);
        let sections: Vec<_> = plan.sections().into_iter().map(|part| (part.span, part.splits)).collect();
        assert_eq!(sections, [(Some(3), 0..2), (Some(4), 2..4)]);
        let one = Plan::new(vec![], vec![], pieces, PlanOptions { split_rows: 6 });
        assert_eq!(one.splits.iter().map(Split::rows).collect::<Vec<_>>(), [6, 2]);
        assert!(one.span_of(&one.splits[0]).is_none());
    }

    #[test]
    fn a_span_has_the_same_digest_in_every_window() {
        let file =
            |name: &str| PlannedFile { path: name.into(), size_bytes: 9, rows: 4, fingerprint: name.into() };
        let plan = |numbers: &[u64], split_rows| {
            let spans: Vec<PlannedSpan> = numbers
                .iter()
                .enumerate()
                .map(|(first_file, &span)| PlannedSpan { span, version: None, first_file })
                .collect();
            let files = numbers.iter().map(|span| file(&format!("span {span}/x"))).collect();
            let pieces = (0..numbers.len()).flat_map(|file| [piece(file, 0, 2), piece(file, 2, 2)]);
            Plan::with_spans(files, vec![], spans, pieces, PlanOptions { split_rows })
        };
        let (both, later) = (plan(&[1, 2], 2).sections(), plan(&[2], 2).sections());
        assert_eq!((both[1].splits.clone(), later[0].splits.clone()), (2..4, 0..2));
        assert_eq!(both[1].digest, later[0].digest);
        assert_ne!(both[0].digest, both[1].digest);
        assert_ne!(plan(&[2], 4).sections()[0].digest, later[0].digest, "other splits");
        let one = Plan::new(vec![], vec![], [piece(0, 0, 4)], PlanOptions { split_rows: 2 });
        assert_eq!(one.sections(), [Section { span: None, splits: 0..1, digest: one.digest.clone() }]);
    }

    #[test]
    fn byte_pieces_stay_whole() {
        let bytes =
            |first_row, rows, from, to| Piece { bytes: Some((from, to)), ..piece(0, first_row, rows) };
        let plan = Plan::new(
            vec![],
            vec![],
            [bytes(0, 4, 0, 40), bytes(4, 4, 40, 80), bytes(8, 9, 80, 170)],
            PlanOptions { split_rows: 8 },
        );
        assert_eq!(plan.splits.len(), 2);
        assert_eq!(plan.splits[0].pieces, [bytes(0, 8, 0, 80)]);
        assert_eq!(plan.splits[1].pieces, [bytes(8, 9, 80, 170)]);
    }

    #[test]
    fn bytes_are_those_between_bounds_or_the_rows_share() {
        let file = |size_bytes| PlannedFile {
            path: String::new(),
            size_bytes,
            rows: 10,
            fingerprint: String::new(),
        };
        let bounded = Piece { bytes: Some((40, 90)), ..piece(1, 4, 6) };
        let plan = Plan::new(
            vec![file(1000), file(90)],
            vec![],
            [piece(0, 0, 3), piece(0, 3, 7), bounded],
            PlanOptions { split_rows: 3 },
        );
        let bytes: Vec<u64> = plan.splits.iter().map(|split| plan.bytes_of(split)).collect();
        assert_eq!(bytes, [300, 700, 50]);
        assert_eq!(plan.extent(), Extent { rows: Some(16), bytes: Some(1090) });
        assert_eq!(Plan::new(vec![], vec![], [], PlanOptions::default()).extent().bytes, None);
    }

    #[test]
    fn shards_cover_every_split_once() {
        let plan = Plan::new(
            vec![],
            vec![],
            (0..11).map(|n| piece(0, 10 * n, if n == 10 { 3 } else { 10 })),
            PlanOptions { split_rows: 10 },
        );
        for count in 1..15 {
            let mut next = 0;
            for index in 1..=count {
                let range = plan.shard(index, count);
                assert_eq!(range.start, next);
                next = range.end;
            }
            assert_eq!(next, 11);
        }
    }

    #[test]
    fn a_row_is_located_in_its_file() {
        let file = |path: &str| PlannedFile {
            path: path.into(),
            size_bytes: 1,
            rows: 3,
            fingerprint: String::new(),
        };
        let plan = Plan::new(
            vec![file("a.csv"), file("b.csv")],
            vec![],
            [piece(0, 0, 3), piece(1, 0, 1), piece(1, 1, 2)],
            PlanOptions { split_rows: 4 },
        );
        assert_eq!(plan.locate(0, 3), Some(("b.csv".into(), 1)));
        assert_eq!(plan.locate(1, 1), Some(("b.csv".into(), 3)));
        assert_eq!(plan.locate(1, 2), None);
    }

    proptest! {
        /// However files are cut, every row is in one split, in order, and whole pieces stay whole.
        #[test]
        fn every_row_is_in_one_split(
            sizes in proptest::collection::vec((0_u64..50, any::<bool>()), 0..12),
            split_rows in 1_u64..40,
        ) {
            let pieces = sizes.iter().enumerate().map(|(file, (rows, is_text))| Piece {
                bytes: is_text.then_some((0, *rows)),
                ..piece(file, 0, *rows)
            });
            let plan = Plan::new(vec![], vec![], pieces, PlanOptions { split_rows });
            let mut next = vec![0; sizes.len()];
            let mut last_file = 0;
            for (number, split) in plan.splits.iter().enumerate() {
                prop_assert_eq!(split.number, number as u64);
                prop_assert!(split.rows() > 0 && split.rows() <= std::cmp::max(4 * split_rows, 50) + split_rows);
                for piece in &split.pieces {
                    prop_assert!(piece.file >= last_file);
                    last_file = piece.file;
                    prop_assert_eq!(piece.first_row, next[piece.file]);
                    next[piece.file] += piece.rows;
                    let (rows, is_text) = sizes[piece.file];
                    prop_assert!(piece.rows == rows || !is_text && rows > 4 * split_rows);
                }
            }
            let rows: Vec<u64> = sizes.iter().map(|(rows, _)| *rows).collect();
            prop_assert_eq!(next, rows);
        }
    }
}

//! Counted views: the distinct values of a column over a split, from dictionary pages and their codes, without
//! decoding a row; on request with the code of every row.

use std::sync::Arc;

use ::parquet::basic::Encoding;
use ::parquet::column::page::{Page, PageReader};
use ::parquet::errors::ParquetError;
use ::parquet::file::serialized_reader::SerializedPageReader;

use sluice_core::Result;
use sluice_core::error::CommonError;
use sluice_core::plan::{Piece, Plan, Split};
use sluice_core::seam::{CountedColumn, NO_VALUE};

use super::chunks::{ChunkBytes, Fetched};
use super::codes::{count_codes, count_ones, count_ones_old, list_codes, spread, spread_old};
use super::dictionary::{Conversion, CountedValues, most_values};
use super::footer::{ParquetFile, RowGroup};
use super::{damaged, guarded};
use crate::error::SourceError;

/// Which columns of a split can be counted: those with plain values whose chunks hold nothing but codes, in a
/// split of whole row groups.
pub(crate) fn countable(files: &[ParquetFile], split: &Split, columns: usize) -> Vec<bool> {
    let mut countable = vec![!split.pieces.is_empty(); columns];
    for piece in &split.pieces {
        let file = files.get(piece.file);
        let groups = file.and_then(|file| file.whole_groups(piece));
        for (column, countable) in countable.iter_mut().enumerate() {
            *countable &= match (file, &groups) {
                (Some(file), Some(groups)) => {
                    file.conversion(column).is_some()
                        && groups.iter().all(|&group| file.is_coded(group, column))
                }
                _ => false,
            };
        }
    }
    countable
}

/// Counts a column of a split; only what is countable can be.
pub(crate) fn count(
    files: &[ParquetFile],
    split: &Split,
    plan: &Plan,
    (column, has_codes): (usize, bool),
    fetched: &Fetched,
) -> Result<CountedColumn> {
    let not_countable =
        || CommonError::Internal(format!("column {column} of split {} is not countable", split.number));
    let mut values: Option<(Conversion, CountedValues)> = None;
    let mut nulls = 0;
    let mut codes = has_codes.then(Vec::new);
    for piece in &split.pieces {
        let file = files.get(piece.file).ok_or_else(not_countable)?;
        let groups = file.whole_groups(piece).ok_or_else(not_countable)?;
        let (leaf, conversion) = file.conversion(column).ok_or_else(not_countable)?;
        // Files of one source may store the same kind in different widths.
        let (current, counted) = values.get_or_insert_with(|| (conversion, CountedValues::new(conversion)));
        if *current != conversion {
            counted.convert_by(conversion);
            *current = conversion;
        }
        for group in groups {
            let bytes = file.chunks((piece.file, group), fetched)?;
            nulls += file.count_chunk(bytes, (group, leaf), conversion, (counted, codes.as_mut()))?;
        }
    }
    let (values, counts) = values.ok_or_else(not_countable)?.1.finish(&plan.columns[column].kind);
    Ok(CountedColumn {
        column: plan.columns[column].name.clone(),
        split: split.number,
        values,
        counts,
        nulls,
        codes,
    })
}

impl ParquetFile {
    /// The row groups that a piece covers, if it covers them whole.
    fn whole_groups(&self, piece: &Piece) -> Option<Vec<usize>> {
        let end = piece.first_row + piece.rows;
        let inside =
            |group: &RowGroup| group.rows > 0 && group.first_row >= piece.first_row && group.end() <= end;
        let groups: Vec<usize> = self
            .groups
            .iter()
            .enumerate()
            .filter(|(_, group)| inside(group))
            .map(|(number, _)| number)
            .collect();
        let rows: u64 = groups.iter().map(|&group| self.groups[group].rows).sum();
        (rows == piece.rows).then_some(groups)
    }

    /// The leaf of a column, and how its values become normal.
    fn conversion(&self, column: usize) -> Option<(usize, Conversion)> {
        let column = *self.order.get(column)?;
        let leaf = (*self.leaves.get(column)?)?;
        let physical = self.metadata.file_metadata().schema_descr().column(leaf).physical_type();
        Some((leaf, Conversion::of(self.schema.field(column).data_type(), physical)?))
    }

    /// Counts one chunk and answers its nulls; appends the codes of its rows where they are wanted.
    fn count_chunk(
        &self,
        bytes: ChunkBytes,
        (group, leaf): (usize, usize),
        conversion: Conversion,
        (counted, mut codes): (&mut CountedValues, Option<&mut Vec<u32>>),
    ) -> Result<u64> {
        let shown = &self.listed.shown;
        let part = || format!("row group {group}");
        let contradiction = |problem: &str| -> SourceError {
            let column = self.metadata.row_group(group).column(leaf).column_path().string();
            damaged(shown, format!("{problem} in column `{column}` of row group {group}"))
        };
        let mut pages = self.pages(&bytes, group, leaf)?;
        let dictionary = match bytes.told(guarded(shown, part, || pages.get_next_page()))? {
            Some(Page::DictionaryPage { buf, num_values, encoding, .. }) => {
                if !matches!(encoding, Encoding::PLAIN | Encoding::PLAIN_DICTIONARY) {
                    return Err(contradiction("an encoded dictionary").into());
                }
                (buf, usize::try_from(num_values).unwrap_or(usize::MAX))
            }
            _ => return Err(contradiction("no dictionary").into()),
        };
        let (dictionary, size) = dictionary;
        if size > most_values(conversion, &dictionary) {
            return Err(contradiction("a dictionary ends early").into());
        }
        let optional = self.metadata.file_metadata().schema_descr().column(leaf).max_def_level() > 0;
        let mut counts = vec![0; size];
        let (mut rows, mut present) = (0_u64, 0);
        let (first, mut buffer) = (codes.as_ref().map_or(0, |codes| codes.len()), Vec::new());
        while let Some(page) = bytes.told(guarded(shown, part, || pages.get_next_page()))? {
            rows += u64::from(page.num_values());
            // Before there is room for them: a forged page may claim any number.
            if rows > self.groups[group].rows {
                break;
            }
            let page = Codes::of(&page, optional).map_err(contradiction)?;
            present += match &mut codes {
                None => page.count(&mut counts),
                Some(codes) => page.list(&mut counts, &mut buffer, codes),
            }
            .map_err(contradiction)?;
        }
        if rows != self.groups[group].rows {
            return Err(contradiction("pages that do not add up to its rows").into());
        }
        if let Some(codes) = codes {
            renumber(&mut codes[first..], &counts, counted.len()).map_err(contradiction)?;
        }
        counted.extend(&dictionary, &counts).map_err(contradiction)?;
        Ok(rows - present)
    }

    fn pages(
        &self,
        bytes: &ChunkBytes,
        group: usize,
        leaf: usize,
    ) -> Result<SerializedPageReader<ChunkBytes>> {
        Ok(guarded(
            &self.listed.shown,
            || format!("row group {group}"),
            || {
                let rows = usize::try_from(self.groups[group].rows)
                    .map_err(|_| ParquetError::General("too many rows for this machine".into()))?;
                SerializedPageReader::new(
                    Arc::new(bytes.share()?),
                    self.metadata.row_group(group).column(leaf),
                    rows,
                    None,
                )
            },
        )?)
    }
}

/// Turns places in a dictionary into places among all values that are used, of which there are `before` so far.
fn renumber(codes: &mut [u32], counts: &[u64], before: usize) -> Result<(), &'static str> {
    let mut next = u32::try_from(before).map_err(|_| "too many values")?;
    u32::try_from(before + counts.len()).ok().filter(|end| *end < NO_VALUE).ok_or("too many values")?;
    // Mostly all of a dictionary is used.
    if counts.iter().all(|count| *count > 0) {
        if before > 0 {
            codes.iter_mut().for_each(|code| *code = if *code == NO_VALUE { NO_VALUE } else { *code + next });
        }
        return Ok(());
    }
    let numbers: Vec<u32> = counts
        .iter()
        .map(|count| {
            let number = next;
            next += u32::from(*count > 0);
            number
        })
        .collect();
    for code in codes {
        *code = numbers.get(*code as usize).copied().unwrap_or(NO_VALUE);
    }
    Ok(())
}

/// The codes of a data page.
struct Codes<'a> {
    values: u64,
    levels: Levels<'a>,
    present: u64,
    codes: &'a [u8],
}

/// Which rows have a value.
enum Levels<'a> {
    All,
    Runs(&'a [u8]),
    Old(&'a [u8]),
}

impl<'a> Codes<'a> {
    fn of(page: &'a Page, optional: bool) -> Result<Self, &'static str> {
        if !matches!(page.encoding(), Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY) {
            return Err("a page without codes");
        }
        let values = u64::from(page.num_values());
        let (levels, codes) = match page {
            Page::DataPage { buf, .. } if !optional => (Levels::All, &buf[..]),
            Page::DataPage { buf, def_level_encoding: Encoding::RLE, .. } => {
                let (length, rest) = buf.split_first_chunk::<4>().ok_or("definition levels end early")?;
                let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
                let (levels, rest) = rest.split_at_checked(length).ok_or("definition levels end early")?;
                (Levels::Runs(levels), rest)
            }
            Page::DataPage { buf, .. } => {
                let (_, rest) = count_ones_old(buf, values)?;
                (Levels::Old(&buf[..buf.len() - rest.len()]), rest)
            }
            Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let length = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
                let (_, rest) =
                    buf.split_at_checked(length(*rep_levels_byte_len)).ok_or("levels end early")?;
                let (levels, rest) = rest
                    .split_at_checked(length(*def_levels_byte_len))
                    .ok_or("definition levels end early")?;
                (if optional { Levels::Runs(levels) } else { Levels::All }, rest)
            }
            Page::DictionaryPage { .. } => return Err("a second dictionary"),
        };
        let present = match &levels {
            Levels::All => values,
            Levels::Runs(levels) => count_ones(levels, values)?,
            Levels::Old(levels) => count_ones_old(levels, values)?.0,
        };
        Ok(Self { values, levels, present, codes })
    }

    /// Counts the codes and answers how many there are.
    fn count(&self, counts: &mut [u64]) -> Result<u64, &'static str> {
        count_codes(self.codes, self.present, counts)?;
        Ok(self.present)
    }

    /// The same, and appends the code of each row.
    fn list(
        &self,
        counts: &mut [u64],
        buffer: &mut Vec<u32>,
        codes: &mut Vec<u32>,
    ) -> Result<u64, &'static str> {
        if self.present == self.values {
            list_codes(self.codes, self.present, counts, codes)?;
            return Ok(self.present);
        }
        buffer.clear();
        list_codes(self.codes, self.present, counts, buffer)?;
        match &self.levels {
            Levels::All => codes.extend_from_slice(buffer),
            Levels::Runs(levels) => spread(levels, self.values, buffer, NO_VALUE, codes)?,
            Levels::Old(levels) => spread_old(levels, self.values, buffer, NO_VALUE, codes)?,
        }
        Ok(self.present)
    }
}

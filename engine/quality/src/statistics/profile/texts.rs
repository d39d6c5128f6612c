//! What is kept of text and bytes: lengths, distinct and, of text, top values.

use arrow::array::{Array, ArrayRef};
use serde::{Deserialize, Serialize};

use sluice_core::column::Column;
use sluice_core::seam::CountedColumn;
use sluice_core::statistics::{ColumnStatistics, MAX_TOP_VALUES, Presence, TextStatistics, TopValues};
use sluice_summaries::{Distinct, Frequencies, hash_bytes};

use super::{Prepared, distinct, join, widen};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Texts {
    distinct: Distinct,
    frequencies: Frequencies,
    num_values: u64,
    num_invalid_utf8: u64,
    total_length_bytes: u64,
    lengths: Option<(u64, u64)>,
    is_text: bool,
}

impl Texts {
    pub(super) fn new(is_text: bool) -> Self {
        Self {
            distinct: Distinct::new(),
            frequencies: Frequencies::new(),
            num_values: 0,
            num_invalid_utf8: 0,
            total_length_bytes: 0,
            lengths: None,
            is_text,
        }
    }

    fn add(&mut self, bytes: &[u8], text: Option<&str>, count: u64, presence: &mut Presence) {
        self.measure(bytes.len(), count, presence);
        let hash = hash_bytes(bytes);
        let is_known = match text {
            Some(text) => self.frequencies.update_hashed(text, hash, count),
            None => {
                self.num_invalid_utf8 += if std::str::from_utf8(bytes).is_ok() { 0 } else { count };
                false
            }
        };
        // What is held was taken in when it came first.
        if !is_known {
            self.distinct.insert_hash(hash);
        }
    }

    fn measure(&mut self, bytes: usize, count: u64, presence: &mut Presence) {
        let length = bytes as u64;
        self.num_values += count;
        self.total_length_bytes += length * count;
        widen(&mut self.lengths, length);
        if length == 0 {
            presence.num_empty += count;
        }
    }

    pub(super) fn rows(&mut self, values: &ArrayRef, presence: &mut Presence) {
        match Column::view(values) {
            Column::Text(texts) => {
                for text in texts.iter().flatten() {
                    self.add(text.as_bytes(), Some(text), 1, presence);
                }
            }
            Column::CodedText(codes, texts) => {
                let mut counts = vec![0_u64; texts.len()];
                for code in codes.iter().flatten() {
                    if let Some(count) = usize::try_from(code).ok().and_then(|code| counts.get_mut(code)) {
                        *count += 1;
                    }
                }
                for (text, count) in texts.iter().zip(counts) {
                    if let (Some(text), 1..) = (text, count) {
                        self.add(text.as_bytes(), Some(text), count, presence);
                    }
                }
            }
            Column::Binary(values) => {
                for bytes in values.iter().flatten() {
                    self.add(bytes, None, 1, presence);
                }
            }
            _ => {}
        }
    }

    pub(super) fn counted(&mut self, column: &CountedColumn, presence: &mut Presence) {
        let view = Column::view(&column.values);
        for (row, &count) in column.counts.iter().enumerate() {
            match (view, view.text(row)) {
                (_, Some(text)) => self.add(text.as_bytes(), Some(text), count, presence),
                (Column::Binary(bytes), None) => self.add(bytes.value(row), None, count, presence),
                _ => {}
            }
        }
    }

    /// Takes in texts that were hashed.
    pub(super) fn prepared(&mut self, values: &Prepared, counts: &[(u32, u64)], presence: &mut Presence) {
        let Prepared::Texts(texts, hashes) = values else { return };
        for (rank, count) in counts {
            let (text, hash) = (&texts[*rank as usize], hashes[*rank as usize]);
            self.measure(text.len(), *count, presence);
            if !self.frequencies.update_shared(text, hash, *count) {
                self.distinct.insert_hash(hash);
            }
        }
    }

    pub(super) fn merge(&mut self, later: Self) {
        self.distinct.merge(later.distinct);
        self.frequencies.merge(later.frequencies);
        self.num_values += later.num_values;
        self.num_invalid_utf8 += later.num_invalid_utf8;
        self.total_length_bytes += later.total_length_bytes;
        join(&mut self.lengths, later.lengths);
    }

    pub(super) fn finish(self, statistics: &mut ColumnStatistics) {
        statistics.text = self.lengths.map(|(min_length_bytes, max_length_bytes)| TextStatistics {
            mean_length_bytes: self.total_length_bytes as f64 / self.num_values as f64,
            min_length_bytes,
            max_length_bytes,
            num_invalid_utf8: self.num_invalid_utf8,
        });
        statistics.distinct = Some(distinct(&self.distinct));
        statistics.top_values = self.is_text.then(|| {
            let few = |count| count <= MAX_TOP_VALUES as u64;
            TopValues {
                values: self.frequencies.top(MAX_TOP_VALUES),
                max_error: self.frequencies.undercount_rows(),
                is_complete: self.frequencies.distinct_if_exact().is_some_and(few),
            }
        });
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.distinct.size_bytes() + self.frequencies.size_bytes()
    }
}

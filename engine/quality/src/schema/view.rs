//! What inference and updates read from the statistics of a column: counts of rows, or of their weight where all
//! columns were weighted.

use sluice_core::column::ColumnKind;
use sluice_core::schema::FeatureType;
use sluice_core::statistics::{ColumnStatistics, CustomStatistic, DatasetStatistics};

use super::infer::feature_type;

/// A column, and whether its rows count by their weight.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) column: &'a ColumnStatistics,
    by_weight: bool,
}

/// The lists of one level.
pub(super) struct Lengths {
    pub(super) min: u64,
    pub(super) max: u64,
    pub(super) has_missing: bool,
}

/// Whether the rows of all columns were weighted.
pub(super) fn is_weighted(statistics: &DatasetStatistics) -> bool {
    statistics.weight.is_some() && statistics.columns.iter().all(|column| column.weighted.is_some())
}

impl<'a> View<'a> {
    pub(super) fn new(column: &'a ColumnStatistics, by_weight: bool) -> Self {
        Self { column, by_weight }
    }

    pub(super) fn num_present(&self) -> f64 {
        match &self.column.weighted {
            Some(weighted) if self.by_weight => weighted.num_present,
            _ => self.column.presence.num_present() as f64,
        }
    }

    pub(super) fn num_missing(&self) -> f64 {
        match &self.column.weighted {
            Some(weighted) if self.by_weight => weighted.num_missing,
            _ => (self.column.presence.num_rows - self.column.presence.num_present()) as f64,
        }
    }

    /// None where there are no rows, or none of any weight.
    pub(super) fn fraction_present(&self) -> Option<f64> {
        let rows = self.num_present() + self.num_missing();
        (rows > 0.0).then(|| self.num_present() / rows)
    }

    pub(super) fn num_values(&self) -> f64 {
        match &self.column.weighted {
            Some(weighted) if self.by_weight => weighted.num_values,
            _ => self.column.num_values() as f64,
        }
    }

    /// From the outermost lists inwards; a column without lists has one value per present row.
    pub(super) fn lengths(&self) -> Vec<Lengths> {
        let is_missing = self.num_missing() > 0.0;
        let Some(valency) = &self.column.valency else {
            return vec![Lengths { min: 1, max: 1, has_missing: is_missing }];
        };
        let levels = valency.levels.iter().enumerate();
        levels
            .map(|(depth, level)| Lengths {
                min: level.min_length,
                max: level.max_length,
                has_missing: if depth == 0 { is_missing } else { level.num_missing > 0 },
            })
            .collect()
    }

    pub(super) fn feature_type(&self) -> Option<FeatureType> {
        feature_type(&self.column.kind)
    }

    /// What the innermost lists hold.
    pub(super) fn kind(&self) -> &'a ColumnKind {
        let mut kind = &self.column.kind;
        while let ColumnKind::List(item) = kind {
            kind = item;
        }
        kind
    }

    pub(super) fn is_text(&self) -> bool {
        *self.kind() == ColumnKind::Text
    }

    /// Values that are not UTF-8, or were never meant to be.
    pub(super) fn is_opaque(&self) -> bool {
        *self.kind() == ColumnKind::Binary || self.column.text.is_some_and(|text| text.num_invalid_utf8 > 0)
    }

    /// The values of text that are known, with how much they count, in byte order.
    pub(super) fn labels(&self) -> Vec<(&'a str, f64)> {
        let column = self.column;
        let mut labels: Vec<(&str, f64)> = match (&column.weighted, &column.top_values) {
            (Some(weighted), _) if self.by_weight => {
                weighted.top_values.iter().map(|(value, weight)| (value.as_str(), *weight)).collect()
            }
            (_, Some(top)) => {
                top.values.iter().map(|(value, count)| (value.as_str(), *count as f64)).collect()
            }
            _ => Vec::new(),
        };
        labels.sort_by_key(|(value, _)| *value);
        labels
    }

    /// Whether [`Self::labels`] are all there are.
    pub(super) fn knows_all_labels(&self) -> bool {
        self.column.top_values.as_ref().is_none_or(|top| top.is_complete)
    }

    /// The least and greatest integer; exact also where `f64` is not.
    pub(super) fn integers(&self) -> Option<(i64, i64)> {
        let numeric = self.column.numeric.as_ref()?;
        if let Some((min, max)) = &numeric.exact_range
            && let (Ok(min), Ok(max)) = (min.parse(), max.parse())
        {
            return Some((min, max));
        }
        // Saturates: what does not fit `i64` is beyond every bound that a schema can have.
        #[expect(clippy::cast_possible_truncation, reason = "whole numbers; the cast saturates")]
        Some((numeric.min? as i64, numeric.max? as i64))
    }

    /// The least and greatest finite number.
    pub(super) fn floats(&self) -> Option<(f64, f64)> {
        let numeric = self.column.numeric.as_ref()?;
        Some((numeric.min?, numeric.max?))
    }

    /// The text of a custom statistic.
    pub(super) fn custom_text(&self, name: &str) -> Option<&'a str> {
        match self.column.custom.get(name) {
            Some(CustomStatistic::Text(text)) => Some(text),
            _ => None,
        }
    }
}

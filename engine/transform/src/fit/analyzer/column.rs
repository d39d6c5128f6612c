//! One column: its kinds of nothing, and of its finite values what was asked for.

use serde::{Deserialize, Serialize};

use sluice_core::column::{Column, ColumnKind};
use sluice_core::error::Result;
use sluice_core::seam::CountedColumn;
use sluice_core::statistics::Presence;
use sluice_summaries::{Frequencies, Moments, Quantiles, finite_counted, finite_rows};

use super::{Analyze, Rows};
use crate::operation::impute::Fill;

/// Smallest and largest of the finite values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bounds {
    /// The smallest.
    pub(crate) minimum: f64,
    /// The largest.
    pub(crate) maximum: f64,
}

impl Bounds {
    const NONE: Self = Self { minimum: f64::INFINITY, maximum: f64::NEG_INFINITY };

    fn add(&mut self, value: f64) {
        // Zeros of both signs are one value, so that order does not show.
        let value = value + 0.0;
        if value < self.minimum {
            self.minimum = value;
        }
        if value > self.maximum {
            self.maximum = value;
        }
    }

    /// Both, where there was a value.
    pub(crate) fn of_values(self) -> Option<(f64, f64)> {
        (self.minimum <= self.maximum).then_some((self.minimum, self.maximum))
    }
}

/// What is gathered of one column; only what its operations need.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ColumnAnalyzer {
    is_text: bool,
    pub(crate) presence: Presence,
    pub(crate) moments: Option<Moments>,
    pub(crate) bounds: Option<Bounds>,
    pub(crate) quantiles: Option<Quantiles>,
    pub(crate) frequencies: Option<Frequencies>,
}

impl ColumnAnalyzer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with_moments(mut self) -> Self {
        self.moments = Some(Moments::default());
        self
    }

    pub(crate) fn with_bounds(mut self) -> Self {
        self.bounds = Some(Bounds::NONE);
        self
    }

    pub(crate) fn with_quantiles(mut self) -> Self {
        self.quantiles = Some(Quantiles::default());
        self
    }

    /// Exact up to more distinct values, with a smaller bound beyond.
    pub(crate) fn with_quantiles_up_to(mut self, distinct: usize) -> Self {
        self.quantiles = Some(Quantiles::with_capacity(distinct));
        self
    }

    pub(crate) fn with_frequencies(mut self) -> Self {
        self.frequencies = Some(Frequencies::default());
        self
    }

    /// Whether it counts texts.
    pub(crate) fn is_text(&self) -> bool {
        self.is_text
    }

    /// Adds a text.
    pub(crate) fn add_text(&mut self, text: &str) {
        if let Some(frequencies) = &mut self.frequencies {
            frequencies.update(text);
        }
    }

    /// Adds finite numbers.
    pub(crate) fn add_finite(&mut self, finite: &[f64]) {
        if let Some(moments) = &mut self.moments {
            moments.update(finite);
        }
        if let Some(bounds) = &mut self.bounds {
            finite.iter().for_each(|value| bounds.add(*value));
        }
        if let Some(quantiles) = &mut self.quantiles {
            quantiles.update(finite);
        }
        self.count_numbers(finite.iter().map(|value| (*value, 1)));
    }

    fn add_counted(&mut self, finite: &[(f64, u64)]) {
        if let Some(moments) = &mut self.moments {
            moments.update_counted(finite.iter().copied());
        }
        if let Some(bounds) = &mut self.bounds {
            finite.iter().for_each(|(value, _)| bounds.add(*value));
        }
        if let Some(quantiles) = &mut self.quantiles {
            finite.iter().for_each(|(value, count)| quantiles.update_counted(*value, *count));
        }
        self.count_numbers(finite.iter().copied());
    }

    /// Counts numbers by their shortest text, which reads back as the same number.
    fn count_numbers(&mut self, values: impl Iterator<Item = (f64, u64)>) {
        use std::fmt::Write as _;
        let Some(frequencies) = &mut self.frequencies else { return };
        let mut text = String::new();
        for (value, count) in values {
            text.clear();
            // Writing to a string cannot fail; adding 0.0 makes one zero of two.
            let _ = write!(text, "{}", value + 0.0);
            frequencies.update_counted(&text, count);
        }
    }
}

impl Analyze for ColumnAnalyzer {
    fn empty(&self) -> Self {
        Self {
            is_text: self.is_text,
            presence: Presence::default(),
            moments: self.moments.as_ref().map(|_| Moments::default()),
            bounds: self.bounds.map(|_| Bounds::NONE),
            quantiles: self
                .quantiles
                .as_ref()
                .map(|quantiles| Quantiles::with_capacity(quantiles.capacity())),
            frequencies: self.frequencies.as_ref().map(|_| Frequencies::default()),
        }
    }

    fn prepare(&mut self, kind: Option<&ColumnKind>) {
        self.is_text = kind == Some(&ColumnKind::Text);
    }

    fn takes_counted(&self) -> bool {
        true
    }

    fn rows(&mut self, rows: &Rows<'_>) -> Result<()> {
        let values = rows.values[0].column()?;
        if self.is_text {
            let view = Column::view(values);
            self.presence.num_rows += values.len() as u64;
            for row in 0..values.len() {
                match (view.text(row), &mut self.frequencies) {
                    (Some(text), Some(frequencies)) => frequencies.update(text),
                    (Some(_), None) => {}
                    (None, _) => self.presence.num_missing += 1,
                }
            }
            return Ok(());
        }
        let mut finite = Vec::new();
        finite_rows(rows.names[0], values, "the transform", &mut self.presence, &mut finite)?;
        self.add_finite(&finite);
        Ok(())
    }

    fn counted(&mut self, column: &CountedColumn) -> Result<()> {
        if self.is_text {
            let view = Column::view(&column.values);
            self.presence.num_rows += column.rows();
            self.presence.num_missing += column.nulls;
            if let Some(frequencies) = &mut self.frequencies {
                for (row, &count) in column.counts.iter().enumerate() {
                    if let Some(text) = view.text(row) {
                        frequencies.update_counted(text, count);
                    }
                }
            }
            return Ok(());
        }
        let mut finite = Vec::new();
        finite_counted(column, "the transform", &mut self.presence, &mut finite)?;
        self.add_counted(&finite);
        Ok(())
    }

    fn absent(&mut self, rows: u64) {
        self.presence.num_rows += rows;
        self.presence.num_absent += rows;
    }

    fn fill(&mut self, fill: &Fill) -> Result<()> {
        let count = self.presence.num_missing + self.presence.num_nan;
        if count == 0 {
            return Ok(());
        }
        match fill {
            Fill::Number(value) => self.add_counted(&[(*value, count)]),
            Fill::Boolean(value) => self.add_counted(&[(f64::from(*value), count)]),
            Fill::Text(text) => {
                if let Some(frequencies) = &mut self.frequencies {
                    frequencies.update_counted(text, count);
                }
            }
        }
        (self.presence.num_missing, self.presence.num_nan) = (0, 0);
        Ok(())
    }

    fn merge(&mut self, later: Self) -> Result<()> {
        self.presence.merge(&later.presence);
        if let (Some(mine), Some(later)) = (&mut self.moments, later.moments) {
            mine.merge(later);
        }
        if let (Some(mine), Some(later)) = (&mut self.bounds, later.bounds)
            && later.of_values().is_some()
        {
            mine.add(later.minimum);
            mine.add(later.maximum);
        }
        if let (Some(mine), Some(later)) = (&mut self.quantiles, later.quantiles) {
            mine.merge(later);
        }
        if let (Some(mine), Some(later)) = (&mut self.frequencies, later.frequencies) {
            mine.merge(later);
        }
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + self.moments.as_ref().map_or(0, Moments::size_bytes)
            + self.quantiles.as_ref().map_or(0, Quantiles::size_bytes)
            + self.frequencies.as_ref().map_or(0, Frequencies::size_bytes)
    }
}

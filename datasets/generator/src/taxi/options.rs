//! What the user chooses.

use serde::{Deserialize, Serialize};
use sluice_core::options::OptionsError;

use super::faults::{Drift, Fault, Faults};

/// The spans of a table and what is wrong with them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaxiOptions {
    /// Rows of each span.
    pub rows: u64,
    /// How many spans.
    pub spans: u64,
    /// Another seed gives other trips in the same city.
    pub seed: u64,
    /// Columns that drift in the last span.
    pub drift: Vec<Drift>,
    /// Faults, each with the span that it is in, from 1.
    pub broken: Vec<(Fault, u64)>,
}

impl TaxiOptions {
    /// Rows of a span, at most: 2^36.
    pub const MOST_ROWS: u64 = 1 << 36;
    /// Spans, at most.
    pub const MOST_SPANS: u64 = 1000;

    /// A sound table.
    #[must_use]
    pub fn new(rows: u64, spans: u64, seed: u64) -> Self {
        Self { rows, spans, seed, drift: Vec::new(), broken: Vec::new() }
    }

    /// Checks numbers, columns and spans.
    ///
    /// # Errors
    /// [`OptionsError`].
    pub fn check(&self) -> Result<(), OptionsError> {
        let within = |name: &str, value: u64, most: u64| {
            let range = format!("a whole number from 1 to {most}");
            if (1..=most).contains(&value) {
                return Ok(());
            }
            Err(OptionsError::OutOfRange { name: name.into(), value: value.to_string(), range })
        };
        within("--rows", self.rows, Self::MOST_ROWS)?;
        within("--spans", self.spans, Self::MOST_SPANS)?;
        for (index, drift) in self.drift.iter().enumerate() {
            drift.check()?;
            if self.drift[..index].iter().any(|earlier| earlier.column == drift.column) {
                return Err(twice(&format!("--drift {}", drift.column)));
            }
        }
        for (index, (fault, span)) in self.broken.iter().enumerate() {
            within("the span of --broken", *span, self.spans)?;
            if self.broken[..index].contains(&(*fault, *span)) {
                let name = Fault::ALL.iter().find(|(_, known)| known == fault).map_or("", |(name, _)| name);
                return Err(twice(&format!("--broken {name}@{span}")));
            }
        }
        Ok(())
    }

    /// What is wrong with a span, from 1.
    #[must_use]
    pub fn faults(&self, span: u64) -> Faults {
        let broken =
            self.broken.iter().filter(|(_, place)| *place == span).map(|(fault, _)| *fault).collect();
        let drift = if span == self.spans { self.drift.clone() } else { Vec::new() };
        Faults { broken, drift }
    }
}

fn twice(name: &str) -> OptionsError {
    OptionsError::Conflict {
        name: name.into(),
        problem: "is given twice".into(),
        hint: Some("give it once".into()),
    }
}

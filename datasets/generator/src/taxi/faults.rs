//! What can be wrong with a span: columns that drift, and four faults that a check should find.

use serde::{Deserialize, Serialize};
use sluice_core::options::{OptionsError, Range};

use super::columns::{COLUMNS, Drifting};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// `trip_miles`, missing in 5 % of the rows, is missing in 45 %.
    Presence,
    /// 3 % of `payment_type` are `Crypto` or `Voucher`, which nobody has heard of.
    Domain,
    /// One fare in 200 is negative, one distance in 200 is longer than 5,000 miles.
    Range,
    /// Among the rows for training, tips of `Mobile` trips are 2 dollars too low, though not below 0; among those for
    /// evaluation they are right.
    Payment,
}

impl Fault {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 4] = [
        ("presence", Self::Presence),
        ("domain", Self::Domain),
        ("range", Self::Range),
        ("payment", Self::Payment),
    ];

    /// Reads `WHAT` or `WHAT@SPAN`; without a span, the last of `spans` is meant.
    ///
    /// # Errors
    /// [`OptionsError`] for an unknown fault or a span that is not there.
    pub fn parse(text: &str, spans: u64) -> Result<(Self, u64), OptionsError> {
        let (name, span) = match text.split_once('@') {
            None => (text, spans),
            Some((name, span)) => {
                let number = span.parse().ok().filter(|span| (1..=spans).contains(span));
                let number = number.ok_or_else(|| OptionsError::OutOfRange {
                    name: format!("--broken {text}"),
                    value: format!("span `{span}`"),
                    range: format!("a whole number from 1 to {spans}, the number of spans"),
                })?;
                (name, number)
            }
        };
        let known = Self::ALL.iter().find(|(known, _)| *known == name);
        known.map(|(_, fault)| (*fault, span)).ok_or_else(|| OptionsError::NoSuchChoice {
            name: "--broken".into(),
            value: name.into(),
            choices: Self::ALL.iter().map(|(known, _)| (*known).to_owned()).collect(),
        })
    }
}

/// A column whose distribution moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// The column.
    pub column: String,
    /// Numbers: standard deviations that the mean moves by. Categories: the share of rows that move to a new level.
    pub amount: f64,
}

/// More standard deviations than this are no drift but nonsense.
const MOST_DEVIATIONS: f64 = 100.0;

impl Drift {
    /// Reads `COLUMN=AMOUNT`.
    ///
    /// # Errors
    /// [`OptionsError`] for a column that is not there or cannot drift, and an amount out of range.
    pub fn parse(text: &str) -> Result<Self, OptionsError> {
        let malformed = || OptionsError::Conflict {
            name: format!("--drift {text}"),
            problem: "is not a column and a number".into(),
            hint: Some("for example `--drift fare=0.5` or `--drift payment_type=0.1`".into()),
        };
        let (column, amount) = text.split_once('=').ok_or_else(malformed)?;
        let amount: f64 = amount.parse().map_err(|_| malformed())?;
        let drift = Self { column: column.into(), amount };
        drift.check()?;
        Ok(drift)
    }

    /// Checks column and amount.
    ///
    /// # Errors
    /// [`OptionsError`].
    pub fn check(&self) -> Result<(), OptionsError> {
        let name = format!("--drift {}", self.column);
        let drifting = COLUMNS.iter().find(|column| column.name == self.column).map(|column| column.drifting);
        match drifting {
            None | Some(Drifting::No) => Err(OptionsError::NoSuchChoice {
                name: "--drift".into(),
                value: self.column.clone(),
                choices: COLUMNS
                    .iter()
                    .filter(|column| column.drifting != Drifting::No)
                    .map(|column| column.name.into())
                    .collect(),
            }),
            Some(Drifting::Number { .. }) => {
                Range::closed(-MOST_DEVIATIONS, MOST_DEVIATIONS).check(&name, self.amount).map(drop)
            }
            Some(Drifting::Category) => Range::closed(0.0, 1.0).check(&name, self.amount).map(drop),
        }
    }
}

/// What is wrong with one span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Faults.
    pub broken: Vec<Fault>,
    /// Columns that drift.
    pub drift: Vec<Drift>,
}

impl Faults {
    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.broken.contains(&fault)
    }

    /// What is added to a number.
    pub(crate) fn shift(&self, column: &str) -> f64 {
        let known = COLUMNS.iter().find(|known| known.name == column);
        match known.map(|known| known.drifting) {
            Some(Drifting::Number { deviation }) => self.amount(column) * deviation,
            _ => 0.0,
        }
    }

    /// The share of rows with the new level.
    pub(crate) fn share(&self, column: &str) -> f64 {
        self.amount(column)
    }

    fn amount(&self, column: &str) -> f64 {
        self.drift.iter().filter(|drift| drift.column == column).map(|drift| drift.amount).sum()
    }
}

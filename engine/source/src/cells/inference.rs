//! The type of a column from all of its cells.
//!
//! A type is taken only if every cell fits it and nothing is lost: leading zeros, integers beyond 64 bits,
//! integers past 2^53 beside fractions and instants beside wall-clock times leave the column text, with a
//! note of the cell that decided.

use serde::Serialize;

use sluice_core::column::ColumnKind;

use super::cell::{Class, EXACT_IN_FLOAT, classify};
use super::value::forced_class;
use crate::options::CsvType;

/// What was found out about a column of a text format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnInference {
    /// Its name.
    pub column: String,
    /// The kind it is read as.
    pub kind: ColumnKind,
    /// Why, where it is not plain.
    pub note: Option<String>,
}

/// Cells after a first one of plain text in which a number is still worth a note.
pub(super) const WATCHED_CELLS: u32 = 1000;

#[derive(Debug)]
enum State {
    Nothing,
    Boolean,
    Integer {
        negative: bool,
        beyond_signed: bool,
        inexact: bool,
    },
    Float,
    Date,
    Timestamp {
        zoned: bool,
        fine: bool,
        beyond_nanoseconds: bool,
    },
    /// Text from the first cell on, shown; numbers may still follow.
    Text {
        first: String,
        left: u32,
    },
    /// Text for good.
    Decided,
}

/// The type of a column so far.
#[derive(Debug)]
pub(crate) struct Inference {
    state: State,
    forced: Option<CsvType>,
    note: Option<String>,
}

impl Inference {
    pub(crate) fn new(forced: Option<CsvType>) -> Self {
        let state = if forced == Some(CsvType::Text) { State::Decided } else { State::Nothing };
        Self { state, forced, note: None }
    }

    /// Whether further cells can change it.
    pub(crate) fn is_open(&self) -> bool {
        !matches!(self.state, State::Decided)
    }

    /// Whether its type was given.
    pub(crate) fn is_forced(&self) -> bool {
        self.forced.is_some()
    }

    /// Takes in a cell that is not null, spaces around it removed, perhaps shortened; `place` says where it is.
    ///
    /// # Errors
    /// The type given for the column, when the cell does not fit it together with those before.
    pub(crate) fn take(
        &mut self,
        text: &str,
        class: Class,
        place: impl Fn() -> String,
    ) -> Result<(), CsvType> {
        if let Err(problem) = self.advance(text, class, &place) {
            if let Some(forced) = self.forced {
                return Err(forced);
            }
            self.note = problem.map(|problem| format!("kept as text: {problem} ({})", place()));
            self.state = State::Decided;
        }
        Ok(())
    }

    /// Takes in so many further cells of plain text.
    pub(crate) fn skip_texts(&mut self, count: u32) {
        if let State::Text { left, .. } = &mut self.state {
            match left.checked_sub(count) {
                Some(remaining) => *left = remaining,
                None => self.state = State::Decided,
            }
        }
    }

    /// Takes in a value of a format that tells strings from others.
    pub(crate) fn observe_value(&mut self, text: &str, class: Class, place: impl Fn() -> String) {
        if matches!((&self.state, class), (State::Nothing, Class::Text)) {
            self.state = State::Text {
                first: format!("\"{}\" is text ({})", shorten(text), place()),
                left: WATCHED_CELLS,
            };
        } else if let Err(problem) = self.advance(text, class, &place) {
            self.note = problem.map(|problem| format!("kept as text: {problem} ({})", place()));
            self.state = State::Decided;
        }
    }

    /// The next state, or why there is none but text.
    fn advance(
        &mut self,
        text: &str,
        class: Class,
        place: &impl Fn() -> String,
    ) -> Result<(), Option<String>> {
        let because = |what: &str| Err(Some(format!("\"{}\" {what}", shorten(text))));
        match class {
            Class::LeadingZero => return because("has a leading zero"),
            Class::Wide => return because("does not fit 64 bits"),
            Class::Overflow => return because("is beyond double precision"),
            Class::Boolean
            | Class::Integer { .. }
            | Class::Float
            | Class::Date
            | Class::Timestamp { .. }
            | Class::Text => {}
        }
        self.state = match (&mut self.state, class) {
            (State::Nothing, Class::Text) if text.is_empty() => {
                return Err(Some("a quoted empty cell is text".into()));
            }
            (State::Nothing, Class::Text) => State::Text {
                first: format!("\"{}\" is text ({})", shorten(text), place()),
                left: WATCHED_CELLS,
            },
            (State::Nothing, class) => beginning(class),
            (State::Text { left: 0, .. }, Class::Text) => return Err(None),
            (State::Text { left, .. }, Class::Text) => {
                *left -= 1;
                return Ok(());
            }
            (State::Text { first, .. }, _) => {
                return Err(Some(format!("{first}, \"{}\" is not", shorten(text))));
            }
            (state, class) => joined(state, class, text)?,
        };
        Ok(())
    }

    /// The kind of the column, and the note.
    pub(crate) fn finish(self) -> (ColumnKind, Option<String>) {
        let kind = match self.state {
            State::Nothing => self.forced.map_or(ColumnKind::Null, CsvType::kind),
            State::Boolean => ColumnKind::Boolean,
            State::Integer { .. } if self.forced == Some(CsvType::Unsigned) => ColumnKind::Unsigned,
            State::Integer { beyond_signed: false, .. } => ColumnKind::Integer,
            State::Integer { beyond_signed: true, .. } => ColumnKind::Unsigned,
            State::Float => ColumnKind::Float,
            State::Date => ColumnKind::Date,
            State::Timestamp { zoned, fine, .. } => {
                ColumnKind::Timestamp { zone: zoned.then(|| "+00:00".to_owned()), nanoseconds: fine }
            }
            State::Text { .. } | State::Decided => ColumnKind::Text,
        };
        (kind, self.note)
    }
}

/// The class of a cell that is not null, spaces around it removed.
///
/// # Errors
/// The type given for the column, when the cell does not fit it.
pub(crate) fn class_of(text: &str, forced: Option<CsvType>) -> Result<Class, CsvType> {
    match forced {
        Some(forced) => forced_class(text, forced).ok_or(forced),
        None => Ok(classify(text)),
    }
}

fn beginning(class: Class) -> State {
    match class {
        Class::Boolean => State::Boolean,
        Class::Integer { negative, magnitude } => State::Integer {
            negative,
            beyond_signed: !negative && magnitude > i64::MAX.unsigned_abs(),
            inexact: magnitude > EXACT_IN_FLOAT,
        },
        Class::Float => State::Float,
        Class::Date => State::Date,
        Class::Timestamp { zoned, fine, beyond_nanoseconds } => {
            State::Timestamp { zoned, fine, beyond_nanoseconds }
        }
        Class::Wide | Class::LeadingZero | Class::Overflow | Class::Text => State::Decided,
    }
}

fn joined(state: &State, class: Class, text: &str) -> Result<State, Option<String>> {
    let shown = || shorten(text);
    let reason = match (state, beginning(class)) {
        (State::Boolean, State::Boolean) => return Ok(State::Boolean),
        (State::Float, State::Float) => return Ok(State::Float),
        (State::Date, State::Date) => return Ok(State::Date),
        (
            State::Integer { negative, beyond_signed, inexact },
            State::Integer { negative: also_negative, beyond_signed: also_beyond, inexact: also_inexact },
        ) => {
            let (negative, beyond_signed) = (*negative || also_negative, *beyond_signed || also_beyond);
            if !(negative && beyond_signed) {
                return Ok(State::Integer { negative, beyond_signed, inexact: *inexact || also_inexact });
            }
            format!("with \"{}\" there are negative integers beside integers past 2^63", shown())
        }
        (State::Integer { inexact: false, .. }, State::Float)
        | (State::Float, State::Integer { inexact: false, .. }) => return Ok(State::Float),
        (State::Integer { .. }, State::Float) => {
            format!("\"{}\" is a float, beside it integers past 2^53 would lose digits", shown())
        }
        (State::Float, State::Integer { .. }) => format!("\"{}\" would lose digits as a float", shown()),
        (
            State::Timestamp { zoned, fine, beyond_nanoseconds },
            State::Timestamp { zoned: also_zoned, fine: also_fine, beyond_nanoseconds: also_beyond },
        ) => {
            let (fine, beyond_nanoseconds) = (*fine || also_fine, *beyond_nanoseconds || also_beyond);
            if *zoned == also_zoned && !(fine && beyond_nanoseconds) {
                return Ok(State::Timestamp { zoned: *zoned, fine, beyond_nanoseconds });
            }
            match (*zoned, also_zoned) {
                (false, true) => format!("\"{}\" has a zone, the cells before have none", shown()),
                (true, false) => format!("\"{}\" has no zone, the cells before have one", shown()),
                _ => format!("with \"{}\" there are nanoseconds beside years beyond 1677 to 2262", shown()),
            }
        }
        _ => format!("\"{}\" is not {}", shown(), name(state)),
    };
    Err(Some(reason))
}

fn name(state: &State) -> &'static str {
    match state {
        State::Boolean => "a boolean",
        State::Integer { .. } => "an integer",
        State::Float => "a number",
        State::Date => "a date",
        State::Timestamp { .. } => "a timestamp",
        State::Nothing | State::Text { .. } | State::Decided => "text",
    }
}

/// A cell short enough for a message, on one line.
pub(crate) fn shorten(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn infer(cells: &[&str], forced: Option<CsvType>) -> Result<(ColumnKind, Option<String>), CsvType> {
        let mut inference = Inference::new(forced);
        for (row, cell) in cells.iter().enumerate() {
            if inference.is_open() {
                let class = class_of(cell, forced)?;
                inference.take(cell, class, || format!("row {}", row + 1))?;
            }
        }
        Ok(inference.finish())
    }

    fn kind(cells: &[&str]) -> ColumnKind {
        infer(cells, None).unwrap().0
    }

    fn note(cells: &[&str]) -> String {
        let (kind, note) = infer(cells, None).unwrap();
        assert_eq!(kind, ColumnKind::Text);
        note.unwrap()
    }

    #[test]
    fn every_cell_must_fit() {
        assert_eq!(kind(&[]), ColumnKind::Null);
        assert_eq!(kind(&["1", "-2"]), ColumnKind::Integer);
        assert_eq!(kind(&["1", "18446744073709551615"]), ColumnKind::Unsigned);
        assert_eq!(kind(&["1", "0.5", "NaN"]), ColumnKind::Float);
        assert_eq!(kind(&["NaN", "9007199254740992"]), ColumnKind::Float);
        assert_eq!(kind(&["True", "FALSE"]), ColumnKind::Boolean);
        assert_eq!(kind(&["2020-01-01"]), ColumnKind::Date);
        let stamp = |zone: Option<&str>, nanoseconds| ColumnKind::Timestamp {
            zone: zone.map(Into::into),
            nanoseconds,
        };
        assert_eq!(kind(&["2020-01-01 00:00:00"]), stamp(None, false));
        assert_eq!(
            kind(&["2020-01-01 00:00:00Z", "2020-01-01 00:00:00.123456789+02:00"]),
            stamp(Some("+00:00"), true)
        );
        assert_eq!(infer(&["a", "b"], None).unwrap(), (ColumnKind::Text, None));
    }

    #[test]
    fn text_says_why() {
        assert_eq!(note(&["007", "1"]), "kept as text: \"007\" has a leading zero (row 1)");
        assert_eq!(note(&["1", "n/a"]), "kept as text: \"n/a\" is not an integer (row 2)");
        assert_eq!(note(&["n/a", "1"]), "kept as text: \"n/a\" is text (row 1), \"1\" is not (row 2)");
        assert_eq!(
            note(&["0.5", "9007199254740993"]),
            "kept as text: \"9007199254740993\" would lose digits as a float (row 2)"
        );
        assert!(note(&["9007199254740993", "0.5"]).contains("past 2^53 would lose digits (row 2)"));
        assert!(note(&["-1", "18446744073709551615"]).contains("negative integers beside"));
        assert!(note(&["18446744073709551616"]).contains("does not fit 64 bits"));
        assert!(note(&["2020-01-01 00:00:00", "2020-01-01 00:00:00Z"]).contains("has a zone"));
        assert!(note(&["2020-01-01", "2020-01-01 00:00:00"]).contains("is not a date"));
        assert!(note(&["2300-01-01 00:00:00", "2020-01-01 00:00:00.1234567"]).contains("nanoseconds"));
        assert!(note(&["", "1"]).contains("a quoted empty cell"));
    }

    #[test]
    fn given_types_are_checked() {
        assert_eq!(infer(&["007", "+5"], Some(CsvType::Integer)).unwrap().0, ColumnKind::Integer);
        assert_eq!(infer(&["1", "007.5"], Some(CsvType::Float)).unwrap().0, ColumnKind::Float);
        assert_eq!(infer(&["1", "0", "true"], Some(CsvType::Boolean)).unwrap().0, ColumnKind::Boolean);
        assert_eq!(infer(&["1"], Some(CsvType::Text)).unwrap(), (ColumnKind::Text, None));
        assert_eq!(
            infer(&["2020-01-01", "2020-01-01 10:00:00"], Some(CsvType::Timestamp)).unwrap().0,
            ColumnKind::Timestamp { zone: None, nanoseconds: false }
        );
        assert_eq!(infer(&["1", "x"], Some(CsvType::Integer)), Err(CsvType::Integer));
        assert_eq!(infer(&["9223372036854775808"], Some(CsvType::Integer)), Err(CsvType::Integer));
        assert_eq!(
            infer(&["1", "+18446744073709551615"], Some(CsvType::Unsigned)).unwrap().0,
            ColumnKind::Unsigned
        );
        assert_eq!(infer(&["-1"], Some(CsvType::Unsigned)), Err(CsvType::Unsigned));
        assert_eq!(infer(&[], Some(CsvType::Date)).unwrap().0, ColumnKind::Date);
        let zones = ["2020-01-01", "2020-01-01 10:00:00Z"];
        assert_eq!(infer(&zones, Some(CsvType::Timestamp)), Err(CsvType::Timestamp));
    }
}

//! How often each value of a column occurs, exactly. Null, NaN and infinities are counted apart; zeros of both signs
//! are one value. Past a limit ([`ValueCounts::LIMIT`]) of different values it is only known that there are more.

use arrow::array::{Array, ArrayRef};
use serde::{Deserialize, Serialize};

use sluice_core::column::{Column, ColumnKind};
use sluice_core::encoding::canonical_bits;
use sluice_core::error::{CommonError, Result};
use sluice_core::seam::CountedColumn;
use sluice_core::spill::Scratch;

use super::table::{Keys, Table, text_of};
use super::{Analyze, Rows};
use crate::operation::impute::Fill;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Text,
    Integer,
    Unsigned,
    Float,
    Boolean,
}

impl Kind {
    fn of(kind: Option<&ColumnKind>) -> Self {
        match kind {
            Some(ColumnKind::Integer) => Self::Integer,
            Some(ColumnKind::Unsigned) => Self::Unsigned,
            Some(ColumnKind::Float) => Self::Float,
            Some(ColumnKind::Boolean) => Self::Boolean,
            _ => Self::Text,
        }
    }

    fn keys(self) -> Keys {
        if self == Self::Text { Keys::Text } else { Keys::Number }
    }
}

/// A value that was counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Counted<'a> {
    /// Text.
    Text(&'a str),
    /// A signed integer.
    Integer(i64),
    /// An unsigned integer.
    Unsigned(u64),
    /// A finite float in canonical form.
    Float(f64),
    /// False or true.
    Boolean(bool),
}

const SIGN_BIT: u64 = 1 << 63;

/// Eight bytes in the order of the numbers.
fn integer_key(value: i64) -> [u8; 8] {
    (value.cast_unsigned() ^ SIGN_BIT).to_be_bytes()
}

/// Eight bytes in the order of the finite numbers.
fn float_key(value: f64) -> [u8; 8] {
    let bits = canonical_bits(value);
    (if bits & SIGN_BIT == 0 { bits | SIGN_BIT } else { !bits }).to_be_bytes()
}

impl<'a> Counted<'a> {
    fn of(kind: Kind, key: &'a [u8]) -> Result<Self> {
        if kind == Kind::Text {
            return Ok(Self::Text(text_of(key)?));
        }
        let bytes = key.try_into().map_err(|_| CommonError::Internal("a key is no number".into()))?;
        let bits = u64::from_be_bytes(bytes);
        Ok(match kind {
            Kind::Integer => Self::Integer((bits ^ SIGN_BIT).cast_signed()),
            Kind::Float => {
                Self::Float(f64::from_bits(if bits & SIGN_BIT == 0 { !bits } else { bits ^ SIGN_BIT }))
            }
            Kind::Boolean => Self::Boolean(bits > 0),
            Kind::Unsigned | Kind::Text => Self::Unsigned(bits),
        })
    }
}

impl std::fmt::Display for Counted<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => formatter.write_str(text),
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Unsigned(value) => write!(formatter, "{value}"),
            Self::Float(value) => write!(formatter, "{value}"),
            Self::Boolean(value) => write!(formatter, "{value}"),
        }
    }
}

/// How often each value occurs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ValueCounts {
    kind: Kind,
    table: Table<u64>,
    /// Null and NaN: what `impute` fills.
    num_missing: u64,
    num_infinite: u64,
    num_absent: u64,
}

impl ValueCounts {
    /// More different values than this are not told, unless it is said otherwise.
    pub(crate) const LIMIT: usize = 1 << 20;

    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            kind: Kind::Text,
            table: Table::new(Keys::Text, Self::LIMIT),
            num_missing: 0,
            num_infinite: 0,
            num_absent: 0,
        }
    }

    /// Tells no more different values than this.
    pub(crate) fn with_limit(self, limit: usize) -> Self {
        Self { table: Table::new(self.kind.keys(), limit), ..self }
    }

    /// More different values than this are not told.
    pub(crate) fn limit(&self) -> usize {
        self.table.limit()
    }

    /// Rows without a value that is counted.
    pub(crate) fn num_others(&self) -> u64 {
        self.num_missing + self.num_infinite + self.num_absent
    }

    /// Hands each value to `visit`, sorted (text by bytes), with how often it occurs. False where there are more than the
    /// limit; what was handed over until then is to be forgotten.
    pub(crate) fn each(&self, mut visit: impl FnMut(Counted<'_>, u64) -> Result<()>) -> Result<bool> {
        self.table.each(|key, count| visit(Counted::of(self.kind, key)?, count))
    }

    fn add_float(&mut self, value: f64, count: u64) {
        if value.is_nan() {
            self.num_missing += count;
        } else if value.is_infinite() {
            self.num_infinite += count;
        } else {
            *self.table.tally(&float_key(value)) += count;
        }
    }

    fn add_booleans(&mut self, counts: [u64; 2]) {
        for (value, count) in (0_u64..).zip(counts).filter(|(_, count)| *count > 0) {
            *self.table.tally(&value.to_be_bytes()) += count;
        }
    }

    /// Adds values, the n-th of them `count(n)` times.
    fn add(&mut self, name: &str, values: &ArrayRef, count: impl Fn(usize) -> u64) -> Result<()> {
        let view = Column::view(values);
        let nulls = values.logical_nulls();
        let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        if let Column::CodedText(codes, texts) = view {
            return self.add_coded(codes, texts, count);
        }
        let mut booleans = [0; 2];
        for row in 0..values.len() {
            let count = count(row);
            if is_null(row) {
                self.num_missing += count;
                continue;
            }
            match (&view, self.kind) {
                (Column::Text(texts), Kind::Text) => {
                    *self.table.tally(texts.value(row).as_bytes()) += count;
                }
                (Column::Integer(values), Kind::Integer) => {
                    *self.table.tally(&integer_key(values.value(row))) += count;
                }
                (Column::Unsigned(values), Kind::Unsigned) => {
                    *self.table.tally(&values.value(row).to_be_bytes()) += count;
                }
                (Column::Float(values), Kind::Float) => self.add_float(values.value(row), count),
                (Column::Boolean(values), Kind::Boolean) => booleans[usize::from(values.value(row))] += count,
                _ => {
                    return Err(CommonError::ColumnKind {
                        column: name.to_owned(),
                        found: ColumnKind::of(values.data_type()).to_string(),
                        expected: "the kind that the plan of the data says",
                        purpose: "the transform".into(),
                    }
                    .into());
                }
            }
        }
        self.add_booleans(booleans);
        self.table.bound();
        Ok(())
    }

    fn add_coded(
        &mut self,
        codes: &arrow::array::Int32Array,
        texts: &arrow::array::StringArray,
        count: impl Fn(usize) -> u64,
    ) -> Result<()> {
        let mut by_code = vec![0_u64; texts.len()];
        for row in 0..codes.len() {
            let code =
                (!codes.is_null(row)).then(|| codes.value(row)).and_then(|code| usize::try_from(code).ok());
            match code.filter(|code| !texts.is_null(*code)) {
                Some(code) => by_code[code] += count(row),
                None => self.num_missing += count(row),
            }
        }
        if self.kind == Kind::Text {
            for (code, count) in by_code.into_iter().enumerate().filter(|(_, count)| *count > 0) {
                *self.table.tally(texts.value(code).as_bytes()) += count;
            }
        }
        self.table.bound();
        Ok(())
    }
}

impl Analyze for ValueCounts {
    fn empty(&self) -> Self {
        Self { kind: self.kind, table: self.table.empty(), ..Self::new() }
    }

    fn prepare(&mut self, kind: Option<&ColumnKind>) {
        self.kind = Kind::of(kind);
        self.table = Table::new(self.kind.keys(), self.table.limit());
    }

    fn takes_counted(&self) -> bool {
        true
    }

    fn rows(&mut self, rows: &Rows<'_>) -> Result<()> {
        self.add(rows.names[0], rows.values[0].column()?, |_| 1)
    }

    fn counted(&mut self, column: &CountedColumn) -> Result<()> {
        self.num_missing += column.nulls;
        self.add(&column.column, &column.values, |row| column.counts[row])
    }

    fn absent(&mut self, rows: u64) {
        self.num_absent += rows;
    }

    fn fill(&mut self, fill: &Fill) -> Result<()> {
        let count = std::mem::take(&mut self.num_missing);
        if count == 0 {
            return Ok(());
        }
        match (fill, self.kind) {
            (Fill::Text(text), Kind::Text) => *self.table.tally(text.as_bytes()) += count,
            (Fill::Boolean(value), Kind::Boolean) => {
                *self.table.tally(&u64::from(*value).to_be_bytes()) += count;
            }
            (Fill::Number(value), _) => self.fill_number(*value, count)?,
            (Fill::Text(_) | Fill::Boolean(_), _) => {}
        }
        self.table.bound();
        Ok(())
    }

    fn merge(&mut self, later: Self) -> Result<()> {
        if self.kind != later.kind {
            return Err(CommonError::Internal("two states count values of other kinds".into()).into());
        }
        self.num_missing += later.num_missing;
        self.num_infinite += later.num_infinite;
        self.num_absent += later.num_absent;
        self.table.merge(later.table)
    }

    fn shed(&mut self, least: usize, scratch: &Scratch) -> Result<()> {
        self.table.shed(least, scratch)
    }

    fn sheddable_bytes(&self) -> usize {
        self.table.size_in_memory()
    }

    fn size_bytes(&self) -> usize {
        self.table.size_bytes()
    }
}

impl ValueCounts {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and inside the range")]
    fn fill_number(&mut self, value: f64, count: u64) -> Result<()> {
        let is_whole = value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0;
        match self.kind {
            Kind::Integer if is_whole => *self.table.tally(&integer_key(value as i64)) += count,
            Kind::Unsigned if is_whole && value >= 0.0 => {
                *self.table.tally(&(value as u64).to_be_bytes()) += count;
            }
            Kind::Text => {}
            Kind::Integer | Kind::Unsigned | Kind::Float | Kind::Boolean => {
                self.turn_into_floats()?;
                self.add_float(value, count);
            }
        }
        Ok(())
    }

    /// Counts floats from now on, for a fractional value among integers.
    fn turn_into_floats(&mut self) -> Result<()> {
        let kind = std::mem::replace(&mut self.kind, Kind::Float);
        if kind != Kind::Float {
            self.table = self.table.map_keys(Keys::Number, |key| {
                float_key(match Counted::of(kind, key) {
                    Ok(Counted::Integer(value)) => value as f64,
                    Ok(Counted::Unsigned(value)) => value as f64,
                    Ok(Counted::Boolean(value)) => f64::from(u8::from(value)),
                    // The keys of other kinds are not asked for.
                    Ok(Counted::Float(value)) => value,
                    Ok(Counted::Text(_)) | Err(_) => 0.0,
                })
            })?;
        }
        Ok(())
    }
}

//! Dates and times. A timestamp in a zone is an instant; its calendar is that of the fixed offset that
//! binding found.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::buffer::NullBuffer;
use arrow::datatypes::Int64Type;
use sluice_core::column::ColumnKind;
use sluice_core::error::Result;

use super::{Answer, Operand, fallible, instants, store, whole};
use crate::calendar::{Civil, DAY, add_months, civil, days, format_date, format_timestamp};
use crate::error::Failure;
use crate::node::{Interval, Part, Unit};

const SECOND: i128 = 1_000_000_000;

/// Days and nanoseconds of the day, in the zone of an offset.
fn local(nanoseconds: i128, offset: i64) -> (i64, i128) {
    let shifted = nanoseconds + i128::from(offset) * SECOND;
    (i64::try_from(shifted.div_euclid(DAY)).unwrap_or(0), shifted.rem_euclid(DAY))
}

fn part_of(part: Part, nanoseconds: i128, offset: i64) -> i64 {
    let (day, within) = local(nanoseconds, offset);
    let seconds = i64::try_from(within / SECOND).unwrap_or(0);
    part.of(day, seconds)
}

pub(super) fn part(
    part: Part,
    offset: i64,
    operand: &Operand,
    rows: usize,
    nulls: Option<&NullBuffer>,
) -> Result<Answer> {
    let values = instants(&operand.array)?;
    let (array, failures) =
        fallible::<Int64Type>(rows, nulls, |row| Ok(Some(part_of(part, values(row), offset))));
    Ok((Arc::new(array), failures))
}

/// Which unit it is in, counted from 1970-01-01; weeks begin on Monday.
fn number_of(unit: Unit, nanoseconds: i128, offset: i64) -> i128 {
    let (day, within) = local(nanoseconds, offset);
    let month = || i128::from(civil(day).year) * 12 + i128::from(civil(day).month - 1);
    let seconds = i128::from(day) * 86_400 + within / SECOND;
    match unit {
        Unit::Year => i128::from(civil(day).year),
        Unit::Quarter => month().div_euclid(3),
        Unit::Month => month(),
        Unit::Week => i128::from((day + 3).div_euclid(7)),
        Unit::Day => i128::from(day),
        Unit::Hour => seconds.div_euclid(3600),
        Unit::Minute => seconds.div_euclid(60),
        Unit::Second => seconds,
    }
}

/// The first nanosecond of the unit of that number.
fn start_of(unit: Unit, number: i128, offset: i64) -> i128 {
    let of_month = |month: i128| {
        let month = i64::try_from(month).unwrap_or(0);
        i128::from(days(Civil { year: month.div_euclid(12), month: month.rem_euclid(12) + 1, day: 1 })) * DAY
    };
    let start = match unit {
        Unit::Year => of_month(number * 12),
        Unit::Quarter => of_month(number * 3),
        Unit::Month => of_month(number),
        Unit::Week => (number * 7 - 3) * DAY,
        Unit::Day => number * DAY,
        Unit::Hour => number * 3600 * SECOND,
        Unit::Minute => number * 60 * SECOND,
        Unit::Second => number * SECOND,
    };
    start - i128::from(offset) * SECOND
}

/// Nanoseconds as a date or timestamp of a kind; dates are cut to whole days.
fn keep(
    array: &ArrayRef,
    rows: usize,
    nulls: Option<&NullBuffer>,
    value: impl Fn(usize) -> Option<i128>,
) -> Result<Answer> {
    let kind = ColumnKind::of(array.data_type());
    let is_date = kind == ColumnKind::Date;
    let values = instants(array)?;
    let show = |row| Failure::Overflow {
        operation: format!("the time from {}", format_timestamp(values(row))),
        kind: "the range of dates",
    };
    let wide = |row| {
        let nanoseconds = value(row).ok_or_else(|| show(row))?;
        Ok(Some(if is_date { nanoseconds.div_euclid(DAY) } else { nanoseconds }))
    };
    store(&kind, rows, nulls, wide, show)
}

pub(super) fn truncate(
    unit: Unit,
    offset: i64,
    operand: &Operand,
    rows: usize,
    nulls: Option<&NullBuffer>,
) -> Result<Answer> {
    let values = instants(&operand.array)?;
    keep(&operand.array, rows, nulls, |row| {
        Some(start_of(unit, number_of(unit, values(row), offset), offset))
    })
}

pub(super) fn difference(
    unit: Unit,
    offset: i64,
    operands: &[Operand],
    rows: usize,
    nulls: Option<&NullBuffer>,
) -> Result<Answer> {
    let (from, to) = (instants(&operands[0].array)?, instants(&operands[1].array)?);
    let (array, failures) = fallible::<Int64Type>(rows, nulls, |row| {
        let (from, to) = (from(operands[0].index(row)), to(operands[1].index(row)));
        let difference = number_of(unit, to, offset) - number_of(unit, from, offset);
        Ok(i64::try_from(difference).ok())
    });
    Ok((Arc::new(array), failures))
}

pub(super) fn days_between(operands: &[Operand], rows: usize, nulls: Option<&NullBuffer>) -> Result<Answer> {
    let (left, right) = (whole(&operands[0].array)?, whole(&operands[1].array)?);
    let (array, failures) = fallible::<Int64Type>(rows, nulls, |row| {
        Ok(i64::try_from(left(operands[0].index(row)) - right(operands[1].index(row))).ok())
    });
    Ok((Arc::new(array), failures))
}

pub(super) fn add_days(
    is_negative: bool,
    operands: &[Operand],
    rows: usize,
    nulls: Option<&NullBuffer>,
) -> Result<Answer> {
    let (date, number) = (whole(&operands[0].array)?, whole(&operands[1].array)?);
    let of = |row| (date(operands[0].index(row)), number(operands[1].index(row)));
    let show = |row| {
        let (date, number) = of(row);
        let date = format_date(i64::try_from(date).unwrap_or(0));
        let sign = if is_negative { "-" } else { "+" };
        Failure::Overflow { operation: format!("{date} {sign} {number} days"), kind: "the range of dates" }
    };
    let value = |row| {
        let (date, number) = of(row);
        Ok(Some(if is_negative { date - number } else { date + number }))
    };
    store(&ColumnKind::Date, rows, nulls, value, show)
}

/// Months first, then the rest. Zones do not matter: days are of 24 hours.
pub(super) fn add_interval(
    interval: Interval,
    operand: &Operand,
    rows: usize,
    nulls: Option<&NullBuffer>,
) -> Result<Answer> {
    let values = instants(&operand.array)?;
    keep(&operand.array, rows, nulls, |row| {
        let (day, within) = local(values(row), 0);
        let day = if interval.months == 0 { day } else { add_months(day, interval.months)? };
        (i128::from(day) * DAY + within).checked_add(interval.nanoseconds)
    })
}

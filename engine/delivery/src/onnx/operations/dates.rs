//! The calendar: parts of dates and timestamps by whole-number arithmetic, and what goes round. The algorithm is that
//! of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2021), as in our own calendar.

use sluice_core::error::Result;
use sluice_onnx::{Edge, ElementType, Operator};
use sluice_transform::constants::expression::Part;
use sluice_transform::constants::{Angle, PartsOfDates};
use sluice_transform::spec::DatePart;

use super::Step;
use crate::onnx::bound::Bound;
use crate::onnx::nulls::{Nulls, as_number};
use crate::onnx::value::{Number, TimeUnit, Value};

const SECONDS_OF_DAY: i64 = 86_400;
const DAYS_OF_ERA: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

/// A day since 1970-01-01 and a second of it, as integers.
struct Moment {
    day: Edge,
    second: Edge,
}

impl Step<'_> {
    pub(super) fn date_parts(&mut self, parts: &PartsOfDates) -> Result<Vec<Value>> {
        let value = self.input(0)?.clone();
        let part = |part: &DatePart| {
            Ok(Value::Number(self.date_part(&value, parts.calendar.offset_seconds(), *part)?))
        };
        parts.parts.iter().map(part).collect()
    }

    pub(super) fn cyclic(&mut self, angle: &Angle) -> Result<Vec<Value>> {
        let x = match angle.date {
            None => self.number(0)?,
            Some((calendar, part)) => {
                let value = self.input(0)?.clone();
                self.date_part(&value, calendar.offset_seconds(), part)?
            }
        };
        let within = self.with(&Operator::Mod, &x.edge, angle.period);
        let share = self.with(&Operator::Div, &within, angle.period);
        let circle = self.with(&Operator::Mul, &share, std::f64::consts::TAU);
        let bound = x.bound.after_function(Bound::FUNCTION);
        let outputs = [Operator::Sin, Operator::Cos].map(|operator| {
            let edge = self.node(&operator, &[&circle]);
            Value::Number(Number { edge, bound, nulls: x.nulls.clone() })
        });
        Ok(outputs.into())
    }

    fn date_part(&mut self, value: &Value, offset: i64, part: DatePart) -> Result<Number> {
        let of = |part: Part| (part, None);
        let (part, at_least) = match part {
            DatePart::Year => of(Part::Year),
            DatePart::Quarter => of(Part::Quarter),
            DatePart::Month => of(Part::Month),
            DatePart::Day => of(Part::Day),
            DatePart::Weekday => of(Part::IsoDayOfWeek),
            DatePart::DayOfYear => of(Part::DayOfYear),
            DatePart::Hour => of(Part::Hour),
            DatePart::Minute => of(Part::Minute),
            DatePart::Second => of(Part::Second),
            DatePart::IsWeekend => (Part::IsoDayOfWeek, Some(6.0)),
            DatePart::DaysSinceEpoch => {
                let (Moment { day, .. }, missing) = self.moment(value, offset)?;
                return Ok(self.whole_number(&day, missing));
            }
        };
        let number = self.part_of(value, offset, part)?;
        let Some(at_least) = at_least else { return Ok(number) };
        let is_reached = self.with(&Operator::GreaterOrEqual, &number.edge, at_least);
        let edge = as_number(&is_reached, self.graph);
        let is_nan = self.graph.is_nan(&number.edge);
        let edge = self.put(&is_nan, f64::NAN, &edge);
        Ok(Number { edge, ..number })
    }

    /// A part of a date or timestamp in the calendar of an offset from UTC.
    pub(super) fn part_of(&mut self, value: &Value, offset: i64, part: Part) -> Result<Number> {
        let (Moment { day, second }, missing) = self.moment(value, offset)?;
        let found = match part {
            Part::Year => self.civil(&day).year,
            Part::Month => self.civil(&day).month,
            Part::Day => self.civil(&day).day,
            Part::Quarter => {
                let month = self.civil(&day).month;
                let later = self.plus(&month, 2);
                self.over(&later, 3)
            }
            Part::DayOfWeek => {
                let shifted = self.plus(&day, 4);
                self.split(&shifted, 7).1
            }
            Part::IsoDayOfWeek => {
                let shifted = self.plus(&day, 3);
                let weekday = self.split(&shifted, 7).1;
                self.plus(&weekday, 1)
            }
            Part::DayOfYear => self.day_of_year(&day),
            Part::Hour => self.over(&second, 3600),
            Part::Minute => {
                let minutes = self.over(&second, 60);
                self.split(&minutes, 60).1
            }
            Part::Second => self.split(&second, 60).1,
        };
        Ok(self.whole_number(&found, missing))
    }

    /// Integers as doubles, NaN where something is missing.
    fn whole_number(&mut self, edge: &Edge, missing: Edge) -> Number {
        let edge = self.node(&Operator::Cast(ElementType::Double), &[edge]);
        let edge = self.put(&missing, f64::NAN, &edge);
        Number { edge, bound: Bound::EXACT, nulls: Nulls::mask(missing) }
    }

    fn moment(&mut self, value: &Value, offset: i64) -> Result<(Moment, Edge)> {
        let (edge, missing, unit) = match value {
            Value::Instant { edge, missing, unit } => (edge.clone(), missing.clone(), *unit),
            // A column of nothing has no dates, but no numbers either.
            Value::Number(number) => {
                let missing = self.graph.is_nan(&number.edge);
                let zero = self.put(&missing, 0.0, &number.edge);
                (self.node(&Operator::Cast(ElementType::Integer), &[&zero]), missing, TimeUnit::Days)
            }
            _ => return Err(self.refused("reads a column that is no date in ONNX")),
        };
        let per_second = match unit {
            TimeUnit::Days => {
                let second = self.times(&edge, 0);
                return Ok((Moment { day: edge, second }, missing));
            }
            TimeUnit::Microseconds => 1_000_000,
            TimeUnit::Nanoseconds => 1_000_000_000,
        };
        let seconds = self.split(&edge, per_second).0;
        let local = self.plus(&seconds, offset);
        let (day, second) = self.split(&local, SECONDS_OF_DAY);
        Ok((Moment { day, second }, missing))
    }

    /// Quotient and remainder of a positive divisor, the remainder from 0 up: `Div` of integers cuts off towards 0.
    fn split(&mut self, edge: &Edge, divisor: i64) -> (Edge, Edge) {
        let divisor_edge = self.integer(divisor);
        let cut = self.node(&Operator::Div, &[edge, &divisor_edge]);
        let product = self.node(&Operator::Mul, &[&cut, &divisor_edge]);
        let rest = self.node(&Operator::Sub, &[edge, &product]);
        let is_negative = self.is_no_code(&rest);
        let less = self.plus(&cut, -1);
        let quotient = self.node(&Operator::Where, &[&is_negative, &less, &cut]);
        let more = self.plus(&rest, divisor);
        let remainder = self.node(&Operator::Where, &[&is_negative, &more, &rest]);
        (quotient, remainder)
    }

    fn plus(&mut self, edge: &Edge, value: i64) -> Edge {
        let value = self.integer(value);
        self.node(&Operator::Add, &[edge, &value])
    }

    fn minus(&mut self, edge: &Edge, other: &Edge) -> Edge {
        self.node(&Operator::Sub, &[edge, other])
    }

    fn times(&mut self, edge: &Edge, value: i64) -> Edge {
        let value = self.integer(value);
        self.node(&Operator::Mul, &[edge, &value])
    }

    /// The whole quotient of what is not negative.
    fn over(&mut self, edge: &Edge, value: i64) -> Edge {
        let value = self.integer(value);
        self.node(&Operator::Div, &[edge, &value])
    }

    /// The date of a day.
    fn civil(&mut self, day: &Edge) -> Civil {
        let shifted = self.plus(day, EPOCH);
        let (era, day_of_era) = self.split(&shifted, DAYS_OF_ERA);
        // (d − d / 1460 + d / 36524 − d / 146096) / 365
        let [by_leap, by_century, by_era] = [1_460, 36_524, 146_096].map(|days| self.over(&day_of_era, days));
        let days = self.minus(&day_of_era, &by_leap);
        let days = self.node(&Operator::Add, &[&days, &by_century]);
        let days = self.minus(&days, &by_era);
        let year_of_era = self.over(&days, 365);
        let before = self.days_before(&year_of_era);
        let day_of_year = self.minus(&day_of_era, &before);
        let fifths = self.times(&day_of_year, 5);
        let fifths = self.plus(&fifths, 2);
        let from_march = self.over(&fifths, 153);
        let months = self.times(&from_march, 153);
        let months = self.plus(&months, 2);
        let months = self.over(&months, 5);
        let day = self.minus(&day_of_year, &months);
        let day = self.plus(&day, 1);
        let ten = self.integer(10);
        let is_before_january = self.node(&Operator::Less, &[&from_march, &ten]);
        let (later, earlier) = (self.plus(&from_march, 3), self.plus(&from_march, -9));
        let month = self.node(&Operator::Where, &[&is_before_january, &later, &earlier]);
        let years = self.times(&era, 400);
        let year = self.node(&Operator::Add, &[&year_of_era, &years]);
        let next = self.plus(&year, 1);
        let year = self.node(&Operator::Where, &[&is_before_january, &year, &next]);
        Civil { year, month, day }
    }

    /// The days of an era before one of its years: 365 y + y / 4 − y / 100.
    fn days_before(&mut self, year_of_era: &Edge) -> Edge {
        let days = self.times(year_of_era, 365);
        let (leap, century) = (self.over(year_of_era, 4), self.over(year_of_era, 100));
        let days = self.node(&Operator::Add, &[&days, &leap]);
        self.minus(&days, &century)
    }

    /// 1 on the first of January, which is 306 days into a year that begins in March.
    fn day_of_year(&mut self, day: &Edge) -> Edge {
        let year = self.civil(day).year;
        let from_march = self.plus(&year, -1);
        let (era, year_of_era) = self.split(&from_march, 400);
        let before = self.days_before(&year_of_era);
        let eras = self.times(&era, DAYS_OF_ERA);
        let first = self.node(&Operator::Add, &[&eras, &before]);
        let first = self.plus(&first, 306 - EPOCH);
        let days = self.minus(day, &first);
        self.plus(&days, 1)
    }
}

/// Year, month and day, as integers.
struct Civil {
    year: Edge,
    month: Edge,
    day: Edge,
}

//! Trips in blocks of rows, column by column. Every cell follows from (seed, span, row, column).
//!
//! | quantity | how |
//! |---|---|
//! | start | one of the 28 days of the span, hour by demand, on the quarter |
//! | miles | log-normal, median 1.9, σ = 1, in tenths |
//! | seconds | miles at the speed of the hour, ± 30 %, and a minute, in whole minutes |
//! | fare | 3.25 + 2.25 miles + 0.0055 seconds dollars, in quarters |
//! | tips | base(payment) + mood(payment) · generosity(hour) + rate(payment) · fare + 1.1 · normal, at least 0, in cents |
//! | places | two tracts, Zipf; area and coordinates follow from the tract |
//!
//! Money is whole cents until it is written, so that sums are exact.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowNativeType, Field, Int32Type, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::city::{City, EXTRAS, MOBILE, PAYMENTS, TAXIS, TOLLS};
use super::columns::{
    NO_COMPANY, NO_DISTANCE, NO_DROPOFF, NO_DURATION, NO_PICKUP, NO_TRACT, schema as schema_of_table,
};
use super::faults::{Fault, Faults};
use super::options::TaxiOptions;
use crate::keyed::{Stream, bell, falls, mix, normal, threshold, unit};

/// Days of a span: whole weeks, so that spans are alike.
const SPAN_DAYS: i64 = 28;
/// 2024-01-01, a Monday, in days since 1970-01-01.
const FIRST_DAY: i64 = 19_723;
const DAY: i64 = 86_400;
const QUARTER: i64 = 900;

/// Bits of a row's number within its span; trip numbers of spans never meet.
const SPAN_BITS: u32 = 40;

/// What is drawn for a row; each has its own bits. The numbers are frozen: another one is another table.
#[derive(Clone, Copy)]
enum Quantity {
    Subset = 10,
    Start = 11,
    Miles = 12,
    Speed = 13,
    Payment = 14,
    TipNoise = 15,
    Extras = 16,
    Tolls = 17,
    Taxi = 18,
    Pickup = 19,
    Dropoff = 20,
    CompanyMissing = 21,
    PlaceMissing = 22,
    BrokenDomain = 23,
    BrokenRange = 24,
    Drifted = 25,
}

/// Makes the trips of one span.
#[derive(Debug)]
pub struct Taxi {
    schema: SchemaRef,
    city: Arc<City>,
    names: Arc<Names>,
    seed: u64,
    span: u64,
    faults: Faults,
}

/// The dictionaries of the text columns.
#[derive(Debug)]
struct Names {
    taxis: ArrayRef,
    companies: ArrayRef,
    payments: ArrayRef,
    subsets: ArrayRef,
}

/// Levels beyond those that a column has, for drift.
const NEW_LEVEL: &str = "New";
const NEW_TRACT: i64 = 17_031_990_000;
const NEW_AREA: i64 = 78;

impl Names {
    fn new() -> Self {
        let numbered = |what: &str, width: usize, count: u16| -> ArrayRef {
            let names = (1..=count).map(|number| format!("{what} {number:0width$}"));
            Arc::new(StringArray::from_iter_values(names.chain([format!("{NEW_LEVEL} {what}")])))
        };
        let payments =
            PAYMENTS.iter().map(|payment| payment.name).chain(["Crypto", "Voucher", "New Payment"]);
        Self {
            taxis: numbered("Taxi", 4, TAXIS),
            companies: numbered("Company", 3, super::city::COMPANIES),
            payments: Arc::new(StringArray::from_iter_values(payments)),
            subsets: Arc::new(StringArray::from_iter_values(["train", "eval"])),
        }
    }
}

/// The quantities of a block that several columns follow from.
struct Block {
    first: u64,
    rows: usize,
    /// Hours of the week.
    week_hour: Vec<u16>,
    /// Seconds since 1970.
    start: Vec<i64>,
    train: Vec<bool>,
    /// Tenths.
    miles: Vec<u32>,
    seconds: Vec<i64>,
    payment: Vec<u8>,
    /// Cents.
    fare: Vec<i32>,
    tips: Vec<i32>,
    tolls: Vec<i32>,
    extras: Vec<i32>,
    known: KnownPlaces,
}

/// Whether the places are known: a tract only where its area is.
struct KnownPlaces {
    pickup: NullBuffer,
    pickup_tract: NullBuffer,
    dropoff: NullBuffer,
    dropoff_tract: NullBuffer,
}

impl Taxi {
    /// The trips of span `span`, from 1. The options were checked.
    #[must_use]
    pub fn new(options: &TaxiOptions, span: u64) -> Self {
        Self::in_city(options, span, &Arc::new(City::new()), &Arc::new(Names::new()))
    }

    /// The trips of all spans, in order, in one city.
    pub(crate) fn spans(options: &TaxiOptions) -> Vec<Self> {
        let (city, names) = (Arc::new(City::new()), Arc::new(Names::new()));
        (1..=options.spans).map(|span| Self::in_city(options, span, &city, &names)).collect()
    }

    fn in_city(options: &TaxiOptions, span: u64, city: &Arc<City>, names: &Arc<Names>) -> Self {
        Self {
            schema: schema_of_table(),
            city: Arc::clone(city),
            names: Arc::clone(names),
            seed: options.seed,
            span,
            faults: options.faults(span),
        }
    }

    /// The columns.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn stream(&self, quantity: Quantity) -> Stream {
        Stream::new(self.seed, self.span, quantity as u64)
    }

    /// Rows `first` to `first + rows` of the span: the columns of [`COLUMNS`](super::COLUMNS), text as dictionaries
    /// where levels are few.
    ///
    /// # Errors
    /// What Arrow says of arrays that do not fit, which would be a bug here.
    pub fn batch(&self, first: u64, rows: usize) -> Result<RecordBatch, ArrowError> {
        let block = self.block(first, rows);
        let mut columns = self.names_and_times(&block)?;
        columns.extend(self.trip(&block));
        columns.extend(self.places(&block));
        columns.extend(self.money(&block));
        columns.push(self.coded(&self.names.subsets, None, &block, |row| i32::from(!block.train[row]))?);
        let fields = self.schema.fields().iter().zip(&columns);
        let coded: Vec<Field> =
            fields.map(|(field, array)| Field::new(field.name(), array.data_type().clone(), true)).collect();
        RecordBatch::try_new(Arc::new(Schema::new(coded)), columns)
    }

    fn block(&self, first: u64, rows: usize) -> Block {
        let numbers = first..first + rows as u64;
        let each = |quantity| {
            let stream = self.stream(quantity);
            numbers.clone().map(move |row| stream.bits(row))
        };
        let train: Vec<bool> = {
            let eval = threshold(0.2);
            each(Quantity::Subset).map(|bits| !falls(bits, eval)).collect()
        };
        let week_hour: Vec<u16> = each(Quantity::Start).map(|bits| self.city.week_hours.pick(bits)).collect();
        let start =
            each(Quantity::Start).zip(&week_hour).map(|(bits, hour)| self.start(bits, *hour)).collect();
        let miles: Vec<u32> =
            each(Quantity::Miles).map(|bits| self.city.miles[(bell(bits) >> 6) as usize]).collect();
        let seconds: Vec<i64> = each(Quantity::Speed)
            .zip(miles.iter().zip(&week_hour))
            .map(|(bits, (miles, hour))| {
                let pace = self.city.pace[usize::from(hour % 24)];
                let exact = f64::from(*miles) * pace * (0.7 + 0.6 * unit(bits)) + 60.0;
                60 * whole(exact / 60.0)
            })
            .collect();
        let payment: Vec<u8> = each(Quantity::Payment)
            .map(|bits| u8::try_from(self.city.payments.pick(bits)).unwrap_or(0))
            .collect();
        let fare: Vec<i32> = miles
            .iter()
            .zip(&seconds)
            .map(|(miles, seconds)| {
                let cents = 325.0 + 22.5 * f64::from(*miles) + 0.55 * (*seconds as f64);
                25 * cents_of(cents / 25.0)
            })
            .collect();
        let tips = self.tips(each(Quantity::TipNoise), &week_hour, &payment, &fare, &train);
        let choice = |quantity, of: &crate::sampling::Choice, cents: &[(i32, f64)]| {
            each(quantity).map(|bits| cents[usize::from(of.pick(bits))].0).collect()
        };
        let tolls = choice(Quantity::Tolls, &self.city.tolls, &TOLLS);
        let extras = choice(Quantity::Extras, &self.city.extras, &EXTRAS);
        let known = self.known_places(first, rows);
        Block {
            first,
            rows,
            week_hour,
            start,
            train,
            miles,
            seconds,
            payment,
            fare,
            tips,
            tolls,
            extras,
            known,
        }
    }

    /// The first day of the span, since 1970-01-01.
    fn first_day(&self) -> i64 {
        FIRST_DAY + SPAN_DAYS * (self.span.cast_signed() - 1)
    }

    /// When a trip begins; the lower bits choose week and quarter, since the hour took the upper 16.
    fn start(&self, bits: u64, week_hour: u16) -> i64 {
        let (week, quarter) = ((bits & 3).cast_signed(), (bits >> 2 & 3).cast_signed());
        self.first_day() * DAY + (week * 168 + i64::from(week_hour)) * 3600 + quarter * QUARTER
    }

    /// Sixteen bits for each end: below one bound the place is unknown, below another its tract.
    fn known_places(&self, first: u64, rows: usize) -> KnownPlaces {
        let stream = self.stream(Quantity::PlaceMissing);
        let drawn: Vec<u64> = (first..first + rows as u64).map(|row| stream.bits(row)).collect();
        let from = |shift: u32, share: f64| {
            let bound = threshold(share) >> 16;
            NullBuffer::new(BooleanBuffer::collect_bool(rows, |row| drawn[row] >> shift & 0xffff >= bound))
        };
        KnownPlaces {
            pickup: from(0, NO_PICKUP),
            pickup_tract: from(0, NO_TRACT),
            dropoff: from(16, NO_DROPOFF),
            dropoff_tract: from(16, NO_TRACT),
        }
    }

    fn tips(
        &self,
        noise: impl Iterator<Item = u64>,
        week_hour: &[u16],
        payment: &[u8],
        fare: &[i32],
        train: &[bool],
    ) -> Vec<i32> {
        let too_low = self.faults.has(Fault::Payment);
        noise
            .enumerate()
            .map(|(row, bits)| {
                let paid = usize::from(payment[row]);
                let wrong = too_low && train[row] && payment[row] == MOBILE;
                let cents = self.city.tip_base[paid][usize::from(week_hour[row] % 24)]
                    + self.city.tip_rate[paid] * f64::from(fare[row])
                    + 110.0 * normal(bits);
                std::cmp::max(0, std::cmp::max(0, cents_of(cents)) - if wrong { 200 } else { 0 })
            })
            .collect()
    }

    fn tracts(&self, quantity: Quantity, block: &Block) -> Vec<u16> {
        let stream = self.stream(quantity);
        block.numbers().map(|row| self.city.tracts.pick(stream.bits(row))).collect()
    }

    /// `trip_id` to `trip_start_month`.
    fn names_and_times(&self, block: &Block) -> Result<Vec<ArrayRef>, ArrowError> {
        let taxi_stream = self.stream(Quantity::Taxi);
        let taxis: Vec<u16> =
            block.numbers().map(|row| self.city.taxis.pick(taxi_stream.bits(row))).collect();
        let has_company = self.known(Quantity::CompanyMissing, NO_COMPANY, block);
        let (new_taxi, new_company) = (self.drifted("taxi_id"), self.drifted("company"));
        let (companies, taxi_count) = (i32::from(super::city::COMPANIES), i32::from(TAXIS));
        let number = |row: usize| block.first + row as u64;
        let micros = |seconds: i64| seconds * 1_000_000;
        let end = |row: usize| {
            let exact = block.start[row] + block.seconds[row];
            micros((exact + QUARTER / 2) / QUARTER * QUARTER)
        };
        let first_day = self.first_day();
        let months: Vec<i64> = (0..SPAN_DAYS).map(|day| month(first_day + day)).collect();
        Ok(vec![
            self.trip_ids(block),
            self.coded(&self.names.taxis, None, block, |row| {
                if new_taxi(number(row)) { taxi_count } else { i32::from(taxis[row]) }
            })?,
            self.coded(&self.names.companies, has_company, block, |row| {
                let company = self.city.companies[usize::from(taxis[row])];
                if new_company(number(row)) { companies } else { i32::from(company) }
            })?,
            self.payments(block)?,
            Arc::new(TimestampMicrosecondArray::new(block.collect(|row| micros(block.start[row])), None)),
            Arc::new(TimestampMicrosecondArray::new(block.collect(end), self.duration_known(block))),
            integers(block.collect(|row| i64::from(block.week_hour[row] % 24)), None),
            // 1 is Sunday, 7 Saturday; the week of `week_hour` begins on Monday.
            integers(block.collect(|row| (i64::from(block.week_hour[row] / 24) + 1) % 7 + 1), None),
            integers(
                block.collect(|row| {
                    // The start lies within the days of the span.
                    let day = usize::try_from(block.start[row] / DAY - first_day).unwrap_or(0);
                    months[day]
                }),
                None,
            ),
        ])
    }

    /// Sixteen hexadecimal digits of a bijection of span and row.
    fn trip_ids(&self, block: &Block) -> ArrayRef {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let key = mix(self.seed ^ 0x7472_6970);
        let mut text = Vec::with_capacity(16 * block.rows);
        for row in block.numbers() {
            let id = mix((self.span << SPAN_BITS | row).wrapping_add(key));
            let digits: [u8; 16] =
                std::array::from_fn(|place| DIGITS[(id >> (60 - 4 * place) & 15) as usize]);
            text.extend_from_slice(&digits);
        }
        let offsets = OffsetBuffer::from_repeated_length(16, block.rows);
        Arc::new(StringArray::new(offsets, text.into(), None))
    }

    fn payments(&self, block: &Block) -> Result<ArrayRef, ArrowError> {
        let levels = i32::try_from(PAYMENTS.len()).unwrap_or(0);
        let new_level = self.drifted("payment_type");
        let stream = self.stream(Quantity::BrokenDomain);
        let unknown = threshold(if self.faults.has(Fault::Domain) { 0.03 } else { 0.0 });
        self.coded(&self.names.payments, None, block, |row| {
            let number = block.first + row as u64;
            let bits = stream.bits(number);
            if falls(bits, unknown) {
                levels + i32::from(bits >> 63 == 1)
            } else if new_level(number) {
                levels + 2
            } else {
                i32::from(block.payment[row])
            }
        })
    }

    /// `trip_seconds` and `trip_miles`.
    fn trip(&self, block: &Block) -> [ArrayRef; 2] {
        let longer = whole(self.faults.shift("trip_seconds"));
        let seconds = integers(block.collect(|row| block.seconds[row] + longer), self.duration_known(block));
        let shift = self.faults.shift("trip_miles");
        let absent = if self.faults.has(Fault::Presence) { 0.45 } else { NO_DISTANCE };
        let known = self.known(Quantity::Miles, absent, block);
        let broken = self.broken_range();
        let miles = block.collect(|row| {
            let miles = f64::from(block.miles[row]) / 10.0 + shift;
            if broken(block.first + row as u64) == Some(1) { miles + 5000.0 } else { miles }
        });
        [seconds, Arc::new(Float64Array::new(miles, known))]
    }

    /// Tracts, areas and coordinates.
    fn places(&self, block: &Block) -> Vec<ArrayRef> {
        let pickup = &self.tracts(Quantity::Pickup, block);
        let dropoff = &self.tracts(Quantity::Dropoff, block);
        let codes = |column: &str, tracts: &[u16], of: &[i64], new: i64, known: &NullBuffer| {
            let drifted = self.drifted(column);
            let values = block.collect(|row| {
                if drifted(block.first + row as u64) { new } else { of[usize::from(tracts[row])] }
            });
            integers(values, Some(known.clone()))
        };
        let degrees = |column: &str, tracts: &[u16], of: &[f64], known: &NullBuffer| -> ArrayRef {
            let shift = self.faults.shift(column);
            let values = block.collect(|row| of[usize::from(tracts[row])] + shift);
            Arc::new(Float64Array::new(values, Some(known.clone())))
        };
        let (city, known) = (&self.city, &block.known);
        vec![
            codes("pickup_census_tract", pickup, &city.tract_codes, NEW_TRACT, &known.pickup_tract),
            codes("dropoff_census_tract", dropoff, &city.tract_codes, NEW_TRACT, &known.dropoff_tract),
            codes("pickup_community_area", pickup, &city.areas, NEW_AREA, &known.pickup),
            codes("dropoff_community_area", dropoff, &city.areas, NEW_AREA, &known.dropoff),
            degrees("pickup_latitude", pickup, &city.latitudes, &known.pickup),
            degrees("pickup_longitude", pickup, &city.longitudes, &known.pickup),
            degrees("dropoff_latitude", dropoff, &city.latitudes, &known.dropoff),
            degrees("dropoff_longitude", dropoff, &city.longitudes, &known.dropoff),
        ]
    }

    /// `fare` to `trip_total`, in dollars.
    fn money(&self, block: &Block) -> [ArrayRef; 5] {
        let dollars = |column: &str, cents: &dyn Fn(usize) -> i32| -> ArrayRef {
            let shift = self.faults.shift(column);
            Arc::new(Float64Array::new(block.collect(|row| f64::from(cents(row)) / 100.0 + shift), None))
        };
        let broken = self.broken_range();
        let fare = |row: usize| {
            let negative = broken(block.first + row as u64) == Some(0);
            if negative { -block.fare[row] } else { block.fare[row] }
        };
        let total = |row: usize| fare(row) + block.tips[row] + block.tolls[row] + block.extras[row];
        [
            dollars("fare", &fare),
            dollars("tips", &|row| block.tips[row]),
            dollars("tolls", &|row| block.tolls[row]),
            dollars("extras", &|row| block.extras[row]),
            dollars("trip_total", &total),
        ]
    }

    /// Which rows the fault of ranges hits: 0 for the fare, 1 for the distance.
    fn broken_range(&self) -> impl Fn(u64) -> Option<u8> + use<> {
        let stream = self.stream(Quantity::BrokenRange);
        let bound = threshold(if self.faults.has(Fault::Range) { 0.01 } else { 0.0 });
        move |row| {
            if bound == 0 {
                return None;
            }
            let bits = stream.bits(row);
            falls(bits, bound).then_some(u8::from(bits >> 63 == 1))
        }
    }

    /// Which rows of a column have a new level.
    fn drifted(&self, column: &str) -> impl Fn(u64) -> bool + use<> {
        let place = super::COLUMNS.iter().position(|known| known.name == column).unwrap_or(0);
        let stream = Stream::new(self.seed, self.span, Quantity::Drifted as u64 + place as u64);
        let bound = threshold(self.faults.share(column));
        move |row| bound > 0 && falls(stream.bits(row), bound)
    }

    fn duration_known(&self, block: &Block) -> Option<NullBuffer> {
        self.known(Quantity::Speed, NO_DURATION, block)
    }

    /// The rows in which a column is not missing.
    fn known(&self, quantity: Quantity, share: f64, block: &Block) -> Option<NullBuffer> {
        // A key of its own, since the quantity's bits decide the value.
        let stream = Stream::new(self.seed, self.span, 1000 + quantity as u64);
        let bound = threshold(share);
        let known = BooleanBuffer::collect_bool(block.rows, |row| {
            !falls(stream.bits(block.first + row as u64), bound)
        });
        Some(NullBuffer::new(known))
    }

    fn coded(
        &self,
        names: &ArrayRef,
        known: Option<NullBuffer>,
        block: &Block,
        code: impl Fn(usize) -> i32,
    ) -> Result<ArrayRef, ArrowError> {
        let codes = Int32Array::new(block.collect(code), known);
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(codes, Arc::clone(names))?))
    }
}

impl Block {
    fn numbers(&self) -> std::ops::Range<u64> {
        self.first..self.first + self.rows as u64
    }

    fn collect<T: ArrowNativeType>(&self, value: impl Fn(usize) -> T) -> ScalarBuffer<T> {
        (0..self.rows).map(value).collect::<Vec<T>>().into()
    }
}

fn integers(values: ScalarBuffer<i64>, known: Option<NullBuffer>) -> ArrayRef {
    Arc::new(Int64Array::new(values, known))
}

/// To whole cents.
#[allow(clippy::cast_possible_truncation, reason = "fares stay below 10^5 dollars")]
fn cents_of(exact: f64) -> i32 {
    exact.round() as i32
}

#[allow(clippy::cast_possible_truncation, reason = "durations stay below 10^7 seconds")]
fn whole(exact: f64) -> i64 {
    exact.round() as i64
}

/// The month of a day since 1970-01-01 (Hinnant's `civil_from_days`).
fn month(days: i64) -> i64 {
    let day_of_era = (days + 719_468).rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    if shifted < 10 { shifted + 3 } else { shifted - 9 }
}

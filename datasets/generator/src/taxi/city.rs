//! What does not change from trip to trip: the city's tracts, its taxis and their companies, habits by hour.

use crate::keyed::{Stream, unit};
use crate::sampling::Choice;

/// Census tracts.
pub(crate) const TRACTS: u16 = 800;
/// Community areas; Chicago has as many.
pub(crate) const AREAS: u16 = 77;
/// Taxis.
pub(crate) const TAXIS: u16 = 8000;
/// Companies.
pub(crate) const COMPANIES: u16 = 120;

/// How a trip is paid, with its share of the trips and how people tip who pay so.
pub(crate) struct Payment {
    pub(crate) name: &'static str,
    pub(crate) share: f64,
    /// The part of the fare that is tipped.
    rate: f64,
    /// How strongly the hour counts.
    mood: f64,
    /// Dollars added.
    base: f64,
}

const fn payment(name: &'static str, share: f64, rate: f64, mood: f64, base: f64) -> Payment {
    Payment { name, share, rate, mood, base }
}

/// The number of `Mobile`, whose tips can be wrong.
pub(crate) const MOBILE: u8 = 2;

/// The ways to pay.
pub(crate) const PAYMENTS: [Payment; 7] = [
    payment("Cash", 0.36, 0.03, 0.1, 0.0),
    payment("Credit Card", 0.36, 0.17, 1.0, 0.6),
    payment("Mobile", 0.10, 0.15, 1.0, 0.8),
    payment("Prcard", 0.06, 0.10, 0.6, 0.4),
    payment("Unknown", 0.06, 0.08, 0.5, 0.2),
    payment("No Charge", 0.03, 0.02, 0.0, 0.0),
    payment("Dispute", 0.03, 0.02, 0.0, 0.0),
];

/// Dollars by which tips are higher in an hour of the day.
const GENEROSITY: [f64; 24] = [
    1.5, 1.6, 1.6, 1.4, 0.9, 0.4, 0.1, 0.0, 0.0, 0.1, 0.2, 0.3, 0.3, 0.2, 0.2, 0.2, 0.3, 0.5, 0.8, 1.0, 1.1,
    1.2, 1.3, 1.4,
];

/// Miles per hour by the hour of the day.
const SPEED: [f64; 24] = [
    24.0, 25.0, 26.0, 26.0, 25.0, 23.0, 19.0, 15.0, 13.0, 14.0, 15.0, 15.0, 15.0, 15.0, 14.0, 13.0, 12.0,
    12.0, 14.0, 16.0, 18.0, 19.0, 21.0, 23.0,
];

/// Trips by the hour of the day, on a working day.
const DEMAND: [f64; 24] = [
    1.6, 1.0, 0.7, 0.5, 0.5, 0.8, 1.6, 3.2, 4.4, 4.2, 3.8, 4.0, 4.3, 4.3, 4.2, 4.4, 4.9, 5.5, 5.6, 5.0, 4.3,
    3.8, 3.2, 2.4,
];

/// Lookup tables of the city, the same for every seed.
#[derive(Debug)]
pub(crate) struct City {
    /// Hours of the week, from Monday 0 o'clock.
    pub(crate) week_hours: Choice,
    pub(crate) tracts: Choice,
    pub(crate) taxis: Choice,
    pub(crate) payments: Choice,
    pub(crate) extras: Choice,
    pub(crate) tolls: Choice,
    /// Tenths of a mile by [`bell`](crate::keyed::bell) / 64.
    pub(crate) miles: Vec<u32>,
    /// Seconds per tenth of a mile, by hour.
    pub(crate) pace: [f64; 24],
    /// Cents by payment and hour, beside what follows from the fare.
    pub(crate) tip_base: [[f64; 24]; 7],
    /// The part of the fare by payment.
    pub(crate) tip_rate: [f64; 7],
    /// Area of each tract, from 1.
    pub(crate) areas: Vec<i64>,
    pub(crate) tract_codes: Vec<i64>,
    pub(crate) latitudes: Vec<f64>,
    pub(crate) longitudes: Vec<f64>,
    /// The company of each taxi.
    pub(crate) companies: Vec<u16>,
}

/// Cents of the choices of `extras`, most often none.
pub(crate) const EXTRAS: [(i32, f64); 7] =
    [(0, 0.62), (50, 0.1), (100, 0.15), (150, 0.05), (200, 0.04), (300, 0.02), (400, 0.02)];
/// Cents of the choices of `tolls`.
pub(crate) const TOLLS: [(i32, f64); 4] = [(0, 0.97), (150, 0.015), (300, 0.01), (450, 0.005)];

impl City {
    pub(crate) fn new() -> Self {
        // The city has a key of its own: the same streets for every seed.
        let place = |quantity, index| unit(Stream::new(0, 0, quantity).bits(index));
        let areas: Vec<i64> = (0..TRACTS).map(|tract| i64::from(area_of(tract))).collect();
        let tract_codes = (0..TRACTS)
            .map(|tract| 17_031_000_000 + area_of_code(tract) + i64::from(tract / AREAS))
            .collect();
        let coordinate = |quantity: u64, low: f64, width: f64| {
            (0..u64::from(TRACTS))
                .map(|tract| {
                    let area = tract % u64::from(AREAS);
                    let value = low + width * (place(quantity, area) + 0.05 * place(quantity + 1, tract));
                    (value * 1e6).round() / 1e6
                })
                .collect()
        };
        let week_hours: Vec<f64> = (0..168).map(demand).collect();
        let by_share = |shares: &[(i32, f64)]| {
            Choice::new(&shares.iter().map(|(_, share)| *share).collect::<Vec<f64>>())
        };
        let company = Choice::zipf(usize::from(COMPANIES), 1.1);
        Self {
            week_hours: Choice::new(&week_hours),
            tracts: Choice::zipf(usize::from(TRACTS), 1.0),
            taxis: Choice::zipf(usize::from(TAXIS), 0.5),
            payments: Choice::new(&PAYMENTS.map(|payment| payment.share)),
            extras: by_share(&EXTRAS),
            tolls: by_share(&TOLLS),
            miles: (0..4096).map(miles).collect(),
            pace: SPEED.map(|speed| 360.0 / speed),
            tip_base: PAYMENTS
                .map(|payment| GENEROSITY.map(|hour| 100.0 * (payment.base + payment.mood * hour))),
            tip_rate: PAYMENTS.map(|payment| payment.rate),
            areas,
            tract_codes,
            latitudes: coordinate(1, 41.65, 0.35),
            longitudes: coordinate(3, -87.85, 0.3),
            companies: (0..u64::from(TAXIS)).map(|taxi| company_of(taxi, &company)).collect(),
        }
    }
}

/// Tracts go round the areas, so that each has ten or eleven, and busy ones.
fn area_of(tract: u16) -> u16 {
    1 + tract % AREAS
}

fn area_of_code(tract: u16) -> i64 {
    i64::from(area_of(tract)) * 10_000 + 100
}

/// Companies by weight; the first taxis, which drive most, are spread over them like the others, and each company
/// has one at least.
fn company_of(taxi: u64, by_weight: &Choice) -> u16 {
    match u16::try_from(taxi) {
        Ok(first) if first < COMPANIES => first,
        _ => by_weight.pick(Stream::new(0, 0, 5).bits(taxi)),
    }
}

/// On Saturday and Sunday mornings are quiet and nights are long.
fn demand(week_hour: usize) -> f64 {
    let (day, hour) = (week_hour / 24, week_hour % 24);
    match (day >= 5, hour) {
        (true, 0..=3) => DEMAND[hour] * 2.2,
        (true, 6..=10) => DEMAND[hour] * 0.5,
        (false, 19..=23) if day == 4 => DEMAND[hour] * 1.4,
        _ => DEMAND[hour],
    }
}

/// Log-normal with median 1.9 miles, in tenths, at least one.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 610 tenths")]
fn miles(bin: u32) -> u32 {
    let normal = ((f64::from(bin) + 0.5) / 1024.0 - 2.0) * 3.0_f64.sqrt();
    std::cmp::max(1, (19.0 * normal.exp()).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_codes_are_unique() {
        assert!((PAYMENTS.iter().map(|payment| payment.share).sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(PAYMENTS[usize::from(MOBILE)].name, "Mobile");
        let city = City::new();
        let mut codes = city.tract_codes.clone();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), usize::from(TRACTS));
        assert_eq!((city.areas.iter().min(), city.areas.iter().max()), (Some(&1), Some(&77)));
        let mut companies = city.companies.clone();
        companies.sort_unstable();
        companies.dedup();
        assert_eq!(companies.len(), usize::from(COMPANIES));
        assert!(city.latitudes.iter().all(|degrees| (41.6..42.1).contains(degrees)));
        assert!(city.longitudes.iter().all(|degrees| (-87.9..-87.5).contains(degrees)));
    }
}

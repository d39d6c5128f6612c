//! Dates and timestamps as text: `YYYY-MM-DD`, `YYYY-MM-DD[ T]HH:MM:SS[.fraction][Z|±HH:MM]`.
//!
//! The proleptic Gregorian calendar, years 1 to 9999, no leap seconds. Days from a date by H. Hinnant,
//! "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.

/// A moment: seconds since 1970-01-01 (UTC where zoned) and the fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) seconds: i64,
    pub(super) nanoseconds: u32,
    pub(super) zoned: bool,
}

impl Moment {
    /// Whether microseconds would lose something.
    pub(super) fn is_finer_than_microseconds(self) -> bool {
        !self.nanoseconds.is_multiple_of(1000)
    }

    pub(super) fn in_microseconds(self) -> i64 {
        self.seconds * 1_000_000 + i64::from(self.nanoseconds / 1000)
    }

    /// `None` beyond the years 1677 to 2262.
    pub(super) fn in_nanoseconds(self) -> Option<i64> {
        let total = i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanoseconds);
        i64::try_from(total).ok()
    }
}

/// Days since 1970-01-01.
pub(super) fn date(text: &[u8]) -> Option<i32> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return None };
    let (century, year) = (pair(y1, y2)?, pair(y3, y4)?);
    let (year, month, day) = (century * 100 + year, pair(m1, m2)?, pair(d1, d2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + i32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (year > 0 && (1..=last).contains(&day)).then(|| days(year, month, day))
}

/// A date with a time of day.
pub(super) fn timestamp(text: &[u8]) -> Option<Moment> {
    let (date_part, rest) = text.split_at_checked(10)?;
    let (&[b' ' | b'T', h1, h2, b':', m1, m2, b':', s1, s2], rest) = rest.split_first_chunk::<9>()? else {
        return None;
    };
    let (hour, minute, second) = (pair(h1, h2)?, pair(m1, m2)?, pair(s1, s2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanoseconds, rest) = fraction(rest)?;
    let offset_minutes = zone(rest)?;
    let day_seconds = i64::from(date(date_part)?) * 86_400;
    let seconds = day_seconds + i64::from(hour * 3600 + minute * 60 + second);
    let seconds = seconds - 60 * i64::from(offset_minutes.unwrap_or(0));
    Some(Moment { seconds, nanoseconds, zoned: offset_minutes.is_some() })
}

fn pair(tens: u8, ones: u8) -> Option<i32> {
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| i32::from(tens - b'0') * 10 + i32::from(ones - b'0'))
}

/// Up to nine digits after a point, and what follows.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some((b'.', rest)) = text.split_first() else { return Some((0, text)) };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&digits) {
        return None;
    }
    let (digits, rest) = rest.split_at(digits);
    let mut nanoseconds = 0;
    for place in 0..9 {
        nanoseconds = nanoseconds * 10 + digits.get(place).map_or(0, |digit| u32::from(digit - b'0'));
    }
    Some((nanoseconds, rest))
}

/// Minutes east of UTC; `Some(None)` without a zone.
fn zone(text: &[u8]) -> Option<Option<i32>> {
    match *text {
        [] => Some(None),
        [b'Z'] => Some(Some(0)),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (pair(h1, h2)?, pair(m1, m2)?);
            let offset = hours * 60 + minutes;
            (hours < 24 && minutes < 60).then_some(Some(if sign == b'-' { -offset } else { offset }))
        }
        _ => None,
    }
}

/// Hinnant's `days_from_civil` for years from 1 on: March begins the year, 400 years are 146,097 days.
fn days(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year / 400;
    let year_of_era = year % 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days() {
        assert_eq!(date(b"1970-01-01"), Some(0));
        assert_eq!(date(b"2000-02-29"), Some(11_016));
        assert_eq!(date(b"1969-12-31"), Some(-1));
        assert_eq!(date(b"0001-01-01"), Some(-719_162));
        assert_eq!(date(b"9999-12-31"), Some(2_932_896));
        for wrong in
            ["1900-02-29", "2001-13-01", "2001-00-01", "2001-04-31", "0000-01-01", "2001-1-01", "2001/01/01"]
        {
            assert_eq!(date(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn timestamps_know_zone_and_fraction() {
        let moment = |seconds, nanoseconds, zoned| Some(Moment { seconds, nanoseconds, zoned });
        assert_eq!(timestamp(b"1970-01-01 00:00:01"), moment(1, 0, false));
        assert_eq!(timestamp(b"1970-01-01T01:00:00.5Z"), moment(3600, 500_000_000, true));
        assert_eq!(timestamp(b"1970-01-01T01:00:00+01:00"), moment(0, 0, true));
        assert_eq!(timestamp(b"1969-12-31T23:59:59.000000001-00:30"), moment(1799, 1, true));
        for wrong in [
            "1970-01-01",
            "1970-01-01 24:00:00",
            "1970-01-01 00:00",
            "1970-01-01 00:00:00.",
            "1970-01-01 00:00:00z",
        ] {
            assert_eq!(timestamp(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(timestamp("1970-01-0é 00:00:00".as_bytes()), None);
        assert_eq!(timestamp(b"9999-12-31 00:00:00").unwrap().in_nanoseconds(), None);
        assert_eq!(timestamp(b"1969-12-31 23:59:59.25").unwrap().in_microseconds(), -750_000);
    }
}

//! The proleptic Gregorian calendar on days and microseconds since 1970-01-01.
//!
//! Days from dates and back: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2021), exact for
//! all 32-bit days. Parsing takes ISO 8601 without weeks; nothing is rounded but digits beyond the ninth,
//! which are refused.

/// Nanoseconds of a day.
pub(crate) const DAY: i128 = 86_400_000_000_000;
/// Nanoseconds of a microsecond.
pub(crate) const MICROSECOND: i128 = 1_000;

/// A part of a date or of its time of day, as expressions and features count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The year.
    Year,
    /// 1 to 4.
    Quarter,
    /// 1 to 12.
    Month,
    /// 1 to 31.
    Day,
    /// 0 is Sunday, 6 Saturday.
    DayOfWeek,
    /// 1 is Monday, 7 Sunday.
    IsoDayOfWeek,
    /// 1 to 366.
    DayOfYear,
    /// 0 to 23.
    Hour,
    /// 0 to 59.
    Minute,
    /// 0 to 59.
    Second,
}

impl Part {
    /// The part of so many days since 1970-01-01 and so many seconds of that day. Days must be a date of the 64-bit
    /// calendar, some 10^15 on either side; all dates and timestamps that Arrow can hold are.
    #[must_use]
    pub fn of(self, day: i64, second: i64) -> i64 {
        match self {
            Self::Year => civil(day).year,
            Self::Quarter => (civil(day).month + 2) / 3,
            Self::Month => civil(day).month,
            Self::Day => civil(day).day,
            // 1970-01-01 was a Thursday.
            Self::DayOfWeek => (day + 4).rem_euclid(7),
            Self::IsoDayOfWeek => (day + 3).rem_euclid(7) + 1,
            Self::DayOfYear => day - days(Civil { year: civil(day).year, month: 1, day: 1 }) + 1,
            Self::Hour => second / 3600,
            Self::Minute => second / 60 % 60,
            Self::Second => second % 60,
        }
    }
}

/// Year, month (1 to 12) and day (1 to 31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
}

/// The date of a number of days.
pub(crate) fn civil(days: i64) -> Civil {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    Civil { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
}

/// The number of days of a date; the month is from 1 to 12.
pub(crate) fn days(date: Civil) -> i64 {
    let year = date.year - i64::from(date.month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (date.month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// How many days a month has.
pub(crate) fn days_of_month(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days(Civil { year: next_year, month: next_month, day: 1 }) - days(Civil { year, month, day: 1 })
}

/// So many months later; the day is cut to the length of the month.
pub(crate) fn add_months(day_number: i64, months: i64) -> Option<i64> {
    let date = civil(day_number);
    let total = date.year.checked_mul(12)?.checked_add(date.month - 1)?.checked_add(months)?;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    if !(-10_000_000..=10_000_000).contains(&year) {
        return None;
    }
    Some(days(Civil { year, month, day: date.day.min(days_of_month(year, month)) }))
}

fn digits(text: &str, lengths: std::ops::RangeInclusive<usize>) -> Option<i64> {
    (lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// The days of `2024-02-29`.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let mut parts = rest.split('-');
    let year = sign * digits(parts.next()?, 4..=7)?;
    let month = digits(parts.next()?, 1..=2)?;
    let day = digits(parts.next()?, 1..=2)?;
    if parts.next().is_some()
        || !(1..=12).contains(&month)
        || !(1..=days_of_month(year, month)).contains(&day)
    {
        return None;
    }
    i32::try_from(days(Civil { year, month, day })).ok()
}

/// Nanoseconds since 1970-01-01 of `2024-02-29 12:30:00.5+01:00`; without an offset as if in UTC. A date
/// alone is its midnight.
pub(crate) fn parse_timestamp(text: &str) -> Option<i128> {
    let Some(split) = text.find(['T', ' ']) else {
        return parse_date(text).map(|days| i128::from(days) * DAY);
    };
    let date = i128::from(parse_date(&text[..split])?) * DAY;
    let (clock, offset) = split_offset(&text[split + 1..])?;
    let mut parts = clock.split(':');
    let hour = digits(parts.next()?, 1..=2).filter(|hour| *hour < 24)?;
    let minute = digits(parts.next()?, 1..=2).filter(|minute| *minute < 60)?;
    let (second, fraction) = match parts.next() {
        None => (0, 0),
        Some(seconds) => parse_seconds(seconds)?,
    };
    if parts.next().is_some() {
        return None;
    }
    let seconds = i128::from(hour * 3600 + minute * 60 + second - offset);
    Some(date + seconds * 1_000_000_000 + i128::from(fraction))
}

fn parse_seconds(text: &str) -> Option<(i64, i64)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let second = digits(whole, 1..=2).filter(|second| *second < 60)?;
    let nanoseconds = digits(fraction, 1..=9)? * 10_i64.pow(9 - u32::try_from(fraction.len()).ok()?);
    Some((second, nanoseconds))
}

/// The time of day and the seconds east of UTC.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(clock) = text.strip_suffix('Z') {
        return Some((clock, 0));
    }
    match text.rfind(['+', '-']) {
        None => Some((text, 0)),
        Some(at) => Some((text[..at].trim_end(), offset_seconds(&text[at..])?)),
    }
}

/// The seconds east of UTC of `UTC`, `Z` and `+05:30`; none for names of regions, whose offset changes.
#[must_use]
pub fn offset_seconds(zone: &str) -> Option<i64> {
    if matches!(zone, "UTC" | "utc" | "Z" | "Etc/UTC" | "GMT") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let rest = zone.strip_prefix(['+', '-'])?;
    let (hours, minutes) = match rest.split_once(':') {
        Some(parts) => parts,
        None if rest.len() == 4 && rest.is_ascii() => rest.split_at(2),
        None => (rest, "00"),
    };
    let (hours, minutes) = (digits(hours, 1..=2)?, digits(minutes, 2..=2)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// `2024-02-29`.
pub(crate) fn format_date(day_number: i64) -> String {
    let Civil { year, month, day } = civil(day_number);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2024-02-29 12:30:00.5`, without trailing zeros of the fraction.
pub(crate) fn format_timestamp(nanoseconds: i128) -> String {
    let day = i64::try_from(nanoseconds.div_euclid(DAY)).unwrap_or(0);
    let within = nanoseconds.rem_euclid(DAY);
    let seconds = within / 1_000_000_000;
    let mut text =
        format!("{} {:02}:{:02}:{:02}", format_date(day), seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = within % 1_000_000_000;
    if fraction > 0 {
        text.push('.');
        text.push_str(format!("{fraction:09}").trim_end_matches('0'));
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_days() {
        assert_eq!(civil(0), Civil { year: 1970, month: 1, day: 1 });
        assert_eq!(parse_date("2000-03-01"), Some(11_017));
        assert_eq!(parse_date("2023-02-29"), None);
        assert_eq!(parse_date("2024-13-01"), None);
        assert_eq!(
            add_months(parse_date("2024-01-31").unwrap().into(), 1),
            parse_date("2024-02-29").map(Into::into)
        );
        assert_eq!(parse_timestamp("1970-01-01T00:00:01.5+00:00"), Some(1_500_000_000));
        assert_eq!(parse_timestamp("1970-01-01 01:00+01:00"), Some(0));
        assert_eq!(parse_timestamp("1970-01-01 25:00"), None);
        assert_eq!(format_timestamp(1_500_000_000), "1970-01-01 00:00:01.5");
        assert_eq!((offset_seconds("+05:30"), offset_seconds("Europe/Berlin")), (Some(19_800), None));
    }

    proptest! {
        #[test]
        fn every_day_comes_back(day in any::<i32>()) {
            let date = civil(day.into());
            prop_assert_eq!(days(date), i64::from(day));
            prop_assert!((1..=12).contains(&date.month) && (1..=31).contains(&date.day));
            if (0..=9999).contains(&date.year) {
                prop_assert_eq!(parse_date(&format_date(day.into())), Some(day));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,30}") {
            let _ = (parse_date(&text), parse_timestamp(&text), offset_seconds(&text));
        }
    }
}

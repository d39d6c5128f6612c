//! How far a long phase is, how fast it goes and how long it will take.

use std::time::Duration;

use crate::number::{bytes, rate, short};

/// What is done of a phase, and what there is to do as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// Rows done.
    pub rows: u64,
    /// Rows in all.
    pub rows_total: Option<u64>,
    /// Bytes done.
    pub bytes: u64,
    /// Bytes in all.
    pub bytes_total: Option<u64>,
    /// The time since it began.
    pub elapsed: Duration,
}

impl Pace {
    /// Done and to do in the finer unit that is known: rows, else bytes.
    #[must_use]
    pub fn position(&self) -> Option<(u64, u64)> {
        let (done, total) = match (self.rows_total, self.bytes_total) {
            (Some(total), _) => (self.rows, total),
            (None, Some(total)) => (self.bytes, total),
            (None, None) => return None,
        };
        Some((std::cmp::min(done, total), total))
    }

    /// The time that the rest takes if it goes on as it went so far; none before the beginning.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let (done, total) = self.position().filter(|(done, _)| *done > 0)?;
        let nanoseconds = self.elapsed.as_nanos() * u128::from(total - done) / u128::from(done);
        Some(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX)))
    }

    /// Rows and bytes with their rates: `1.2 M of 40 M rows  2.1 M rows/s  210 MB/s`; what is not known is left
    /// out.
    #[must_use]
    pub fn figures(&self) -> String {
        let mut parts = Vec::new();
        match self.rows_total {
            Some(total) => parts.push(format!("{} of {} rows", short(self.rows), short(total))),
            None if self.rows > 0 => parts.push(format!("{} rows", short(self.rows))),
            None => {}
        }
        if self.rows > 0 {
            parts.push(rate(self.rows, self.elapsed));
        }
        match self.bytes_total {
            Some(total) if self.rows_total.is_none() => {
                parts.push(format!("{} of {}", bytes(self.bytes), bytes(total)));
            }
            _ => {}
        }
        if self.bytes > 0 {
            let per_second =
                u128::from(self.bytes) * 1_000_000_000 / std::cmp::max(self.elapsed.as_nanos(), 1);
            parts.push(format!("{}/s", bytes(u64::try_from(per_second).unwrap_or(u64::MAX))));
        }
        parts.join("  ")
    }

    /// The time left in words: `12 s left`, `2 min 5 s left`, `3 h 20 min left`; nothing where it is not known.
    #[must_use]
    pub fn left_in_words(&self) -> String {
        let Some(left) = self.left() else { return String::new() };
        let seconds = left.as_millis().div_ceil(1000);
        match seconds {
            0..60 => format!("{seconds} s left"),
            60..3600 => format!("{} min {} s left", seconds / 60, seconds % 60),
            _ => format!("{} h {} min left", seconds / 3600, seconds / 60 % 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_the_rest_follow_from_what_is_known() {
        let begun =
            Pace { rows_total: Some(40_000_000), bytes_total: Some(3_100_000_000), ..Pace::default() };
        assert_eq!(begun.figures(), "0 of 40 M rows");
        assert_eq!(begun.left_in_words(), "");
        let quarter = Pace { rows: 10_000_000, bytes: 775_000_000, elapsed: Duration::from_secs(5), ..begun };
        assert_eq!(quarter.figures(), "10 M of 40 M rows  2.0 M rows/s  155 MB/s");
        assert_eq!(quarter.left(), Some(Duration::from_secs(15)));
        assert_eq!(quarter.left_in_words(), "15 s left");
        let long = Pace { elapsed: Duration::from_secs(4000), ..quarter };
        assert_eq!(long.left_in_words(), "3 h 20 min left");
        let survey = Pace { rows: 0, rows_total: None, ..quarter };
        assert_eq!(survey.figures(), "775 MB of 3.1 GB  155 MB/s");
        assert_eq!(survey.position(), Some((775_000_000, 3_100_000_000)));
        let unknown = Pace { elapsed: Duration::from_secs(1), ..Pace::default() };
        assert_eq!((unknown.figures(), unknown.left(), unknown.position()), (String::new(), None, None));
    }

    /// A scan that is repeated passes its total; it has nothing left, and nothing is negative.
    #[test]
    fn more_than_all_is_all() {
        let pace =
            Pace { rows: 12, rows_total: Some(10), elapsed: Duration::from_secs(1), ..Pace::default() };
        assert_eq!(pace.position(), Some((10, 10)));
        assert_eq!(pace.left_in_words(), "0 s left");
    }
}

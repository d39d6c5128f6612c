//! What one part of a text has to tell about the type of a column, so that parts can be looked at in any order.
//!
//! The type of a column is decided cell by cell ([`Inference`]), but a cell changes nothing if one of the same
//! [sort] came before it: sorts join like sets, and a conflict comes up at the first cell of a sort. So a
//! part tells the first cell of each sort, in order, and taking these in, part after part, leads to the same
//! type, the same note and the same error as taking in every cell. Cells of plain text are also counted, up to the
//! first other one, because a number is worth a note only soon after the first of them.

use super::cell::{Class, EXACT_IN_FLOAT};
use super::inference::{Inference, WATCHED_CELLS, class_of};
use crate::options::CsvType;

/// After so many cells of plain text at its beginning, a column is text whatever came before.
const SURE_TEXTS: u32 = WATCHED_CELLS + 2;

/// One column in one part.
#[derive(Debug)]
pub(crate) struct Sightings {
    forced: Option<CsvType>,
    /// A bit for each sort that was seen.
    seen: u32,
    /// Cells of plain text before any other.
    leading_texts: u32,
    /// What is not plain text, alone: once it is in conflict, nothing that came before can have kept the column open.
    others: Inference,
    is_open: bool,
}

/// Sorts of plain text.
const TEXT: u32 = 1 << 22;

/// The bit of all cells that change the state of an inference alike.
fn sort(class: Class) -> u32 {
    let flags = |first: u32, flags: [bool; 3]| {
        let [one, two, four] = flags.map(u32::from);
        1 << (first + one + 2 * two + 4 * four)
    };
    match class {
        Class::Boolean => 1,
        Class::Integer { negative, magnitude } => {
            let beyond_signed = !negative && magnitude > i64::MAX.unsigned_abs();
            flags(1, [negative, beyond_signed, magnitude > EXACT_IN_FLOAT])
        }
        Class::Wide => 1 << 9,
        Class::LeadingZero => 1 << 10,
        Class::Overflow => 1 << 11,
        Class::Float => 1 << 12,
        Class::Date => 1 << 13,
        Class::Timestamp { zoned, fine, beyond_nanoseconds } => flags(14, [zoned, fine, beyond_nanoseconds]),
        Class::Text => TEXT,
    }
}

impl Sightings {
    pub(crate) fn new(forced: Option<CsvType>) -> Self {
        let others = Inference::new(forced);
        Self { forced, seen: 0, leading_texts: 0, is_open: others.is_open(), others }
    }

    /// Whether further cells of the part can matter.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether its type was given.
    pub(crate) fn is_forced(&self) -> bool {
        self.forced.is_some()
    }

    /// Looks at a cell that is not null, spaces around it removed; answers its class if it is the first of its
    /// sort, and must be told.
    ///
    /// # Errors
    /// The type given for the column, when the cell does not fit it.
    pub(crate) fn observe(&mut self, text: &str) -> Result<Option<Class>, CsvType> {
        let class = class_of(text, self.forced)?;
        let sort = sort(class);
        if sort == TEXT && self.seen & !TEXT == 0 {
            self.leading_texts += 1;
            self.is_open &= self.leading_texts < SURE_TEXTS;
        }
        if self.seen & sort != 0 {
            return Ok(None);
        }
        self.seen |= sort;
        if self.seen & TEXT != 0 {
            self.is_open &= self.seen == TEXT;
        } else {
            self.is_open &= self.others.take(text, class, String::new).is_ok() && self.others.is_open();
        }
        Ok(Some(class))
    }

    /// How many cells of plain text came before any other.
    pub(crate) fn leading_texts(&self) -> u32 {
        self.leading_texts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::shorten;
    use super::*;

    fn whole(cells: &[String], forced: Option<CsvType>) -> Result<Inference, (usize, CsvType)> {
        let mut inference = Inference::new(forced);
        for (row, cell) in cells.iter().enumerate().filter(|(_, cell)| *cell != "-") {
            if inference.is_open() {
                let taken = class_of(cell, forced)
                    .and_then(|class| inference.take(cell, class, || format!("row {row}")));
                taken.map_err(|error| (row, error))?;
            }
        }
        Ok(inference)
    }

    fn in_parts(
        cells: &[String],
        forced: Option<CsvType>,
        size: usize,
    ) -> Result<Inference, (usize, CsvType)> {
        let mut inference = Inference::new(forced);
        for (number, part) in cells.chunks(size).enumerate() {
            let mut sightings = Sightings::new(forced);
            let mut news = Vec::new();
            let mut stop = None;
            for (row, cell) in part.iter().enumerate().filter(|(_, cell)| *cell != "-") {
                if sightings.is_open() {
                    match sightings.observe(cell) {
                        Ok(Some(class)) => news.push((number * size + row, class, shorten(cell))),
                        Ok(None) => {}
                        Err(error) => {
                            stop = Some((number * size + row, error));
                            break;
                        }
                    }
                }
            }
            let mut texts = sightings.leading_texts();
            for (row, class, text) in news {
                if inference.is_open() {
                    inference.take(&text, class, || format!("row {row}")).map_err(|error| (row, error))?;
                    if class == Class::Text && texts > 0 {
                        inference.skip_texts(std::mem::take(&mut texts) - 1);
                    }
                }
            }
            if let Some(stop) = stop.filter(|_| inference.is_open()) {
                return Err(stop);
            }
        }
        Ok(inference)
    }

    fn cells() -> impl Strategy<Value = Vec<String>> {
        let cell = prop::sample::select(vec![
            "-",
            "",
            "a",
            "7",
            "-7",
            "18446744073709551615",
            "9007199254740993",
            "0.5",
            "-0",
            "1e999",
            "007",
            "99999999999999999999",
            "true",
            "2020-01-01",
            "2020-01-01 00:00:00",
            "2020-01-01 00:00:00Z",
            "2020-01-01 00:00:00.0000001",
            "2300-01-01 00:00:00",
        ]);
        // A few sorts, so that columns keep a type for a while; then anything.
        let some = prop::collection::vec(cell.clone(), 1..3)
            .prop_flat_map(|few| prop::collection::vec(prop::sample::select(few), 0..30));
        let texts = prop_oneof![Just(0_usize), 990..1010_usize];
        (some, texts, prop::collection::vec(cell, 0..6)).prop_map(|(some, texts, any)| {
            let texts = std::iter::repeat_n("x", texts);
            some.into_iter().chain(texts).chain(any).map(str::to_owned).collect()
        })
    }

    proptest! {
        #[test]
        fn parts_of_any_size_tell_what_the_whole_tells(
            cells in cells(),
            size in prop_oneof![1..10_usize, 400..1200_usize],
            forced in prop::sample::select(vec![
                None, None, None, Some(CsvType::Integer), Some(CsvType::Unsigned), Some(CsvType::Float),
                Some(CsvType::Boolean), Some(CsvType::Date), Some(CsvType::Timestamp), Some(CsvType::Text),
            ]),
        ) {
            let finish = |inference: Result<Inference, _>| inference.map(Inference::finish);
            prop_assert_eq!(finish(in_parts(&cells, forced, size)), finish(whole(&cells, forced)));
        }
    }
}

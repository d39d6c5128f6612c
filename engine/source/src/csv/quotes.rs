//! Where rows begin, for whoever starts in the middle of a CSV text: the state of its quotes from byte to byte.
//!
//! A quote opens a cell only at the beginning of it, after a delimiter or a line end; elsewhere in an unquoted cell
//! it is text. Counting quotes is therefore not enough. But what a part of the text does to a state is found
//! without knowing the state at its beginning, from each possible one; parts are looked at in any order and their
//! effects then strung together. All it takes is a look at each quote and the byte before it.
//!
//! Text after a closing quote, which the row reader refuses, is passed over: the row that has it is refused by
//! whoever reads it, and nothing after it counts.

use super::find::{each_of, first_of};

/// What a byte of the text belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quoting {
    /// No quoted cell.
    Outside,
    /// A quoted cell.
    Inside,
    /// What follows a quote in a quoted cell: its second half, or the end of the cell.
    Closing,
}

impl Quoting {
    /// The state after `text`; `before` is the byte in front of it, none at the beginning of a file. Hands the end of
    /// each line, outside of quoted cells, to `visit`.
    pub(super) fn after(
        self,
        text: &[u8],
        before: Option<u8>,
        delimiter: u8,
        mut visit: impl FnMut(usize),
    ) -> Self {
        let mut state = self;
        // What stands after the quote that may have closed a cell.
        let mut next = 0;
        each_of(text, [QUOTE, b'\n', b'\r'], |at, byte| {
            if state == Self::Closing {
                if byte == QUOTE && at == next {
                    state = Self::Inside;
                    return;
                }
                state = Self::Outside;
            }
            if byte == QUOTE {
                state = state.at_quote(text, at, before, delimiter);
                next = at + 1;
            } else if state == Self::Outside {
                visit(at);
            }
        });
        if state == Self::Closing && next < text.len() { Self::Outside } else { state }
    }

    /// The state after the quote at this place.
    fn at_quote(self, text: &[u8], at: usize, before: Option<u8>, delimiter: u8) -> Self {
        let previous = if at == 0 { before } else { text.get(at - 1).copied() };
        match (self, previous) {
            (Self::Inside, _) => Self::Closing,
            (Self::Closing, _) | (Self::Outside, None | Some(b'\n' | b'\r')) => Self::Inside,
            (Self::Outside, Some(previous)) if previous == delimiter => Self::Inside,
            (Self::Outside, Some(_)) => Self::Outside,
        }
    }

    /// Where in `text` the first row begins, blank lines being taken for part of the row after them; `None` if
    /// none does.
    pub(super) fn first_row(self, text: &[u8], before: Option<u8>, delimiter: u8) -> Option<usize> {
        let at_row_start = matches!((self, before), (Self::Outside, None | Some(b'\n' | b'\r')));
        if at_row_start && !text.is_empty() {
            return Some(0);
        }
        line_end(self, text, before, delimiter).map(|end| end + 1).filter(|&start| start < text.len())
    }
}

const QUOTE: u8 = b'"';

/// What a text does to the state of quotes at its beginning, found before that is known.
#[derive(Debug)]
pub(super) struct Effects {
    /// The states after it from `Outside` and from `Inside`.
    after: [Quoting; 2],
    /// From here on the state is the same from both. They mostly meet after few cells: from `Inside` text after a closing
    /// quote is passed over until the next quote that opens a cell in either.
    met_at: usize,
    /// Where lines end from `Outside`.
    line_ends: Vec<u32>,
}

impl Effects {
    /// Of `text`, which is shorter than 4 GiB; `lines` says whether their ends will be asked for.
    pub(super) fn of(text: &[u8], before: Option<u8>, delimiter: u8, lines: bool) -> Self {
        Self::by_blocks(1 << 12, (text, before), delimiter, lines)
    }

    /// Looks after every `block` bytes whether the two have met.
    fn by_blocks(block: usize, (text, before): (&[u8], Option<u8>), delimiter: u8, lines: bool) -> Self {
        let mut after = [Quoting::Outside, Quoting::Inside];
        let (mut met_at, mut previous) = (0, before);
        let mut line_ends = Vec::new();
        let mut line_end = |at| {
            if lines {
                line_ends.push(u32::try_from(at).unwrap_or(u32::MAX));
            }
        };
        while met_at < text.len() && after[0] != after[1] {
            let head = &text[met_at..std::cmp::min(met_at + block, text.len())];
            after = [
                after[0].after(head, previous, delimiter, |at| line_end(met_at + at)),
                after[1].after(head, previous, delimiter, |_| {}),
            ];
            met_at += head.len();
            previous = head.last().copied();
        }
        if met_at < text.len() {
            after = [after[0].after(&text[met_at..], previous, delimiter, |at| line_end(met_at + at)); 2];
        }
        Self { after, met_at, line_ends }
    }

    /// Of `text` where the state at its beginning is known.
    pub(super) fn from(
        state: Quoting,
        (text, before): (&[u8], Option<u8>),
        delimiter: u8,
        lines: bool,
    ) -> (Quoting, Vec<u32>) {
        let mut line_ends = Vec::new();
        let after = state.after(text, before, delimiter, |at| {
            if lines {
                line_ends.push(u32::try_from(at).unwrap_or(u32::MAX));
            }
        });
        (after, line_ends)
    }

    /// The state after the same text from a state that is known by now.
    pub(super) fn after(&self, state: Quoting, text: &[u8], before: Option<u8>, delimiter: u8) -> Quoting {
        match state {
            Quoting::Outside => self.after[0],
            Quoting::Inside => self.after[1],
            Quoting::Closing => state.after(text, before, delimiter, |_| {}),
        }
    }

    /// Where lines of the same text end, outside of quoted cells, from a state that is known by now.
    pub(super) fn line_ends(
        self,
        state: Quoting,
        (text, before): (&[u8], Option<u8>),
        delimiter: u8,
    ) -> Vec<u32> {
        match state {
            Quoting::Outside => self.line_ends,
            Quoting::Inside => {
                let head = text.get(..self.met_at).unwrap_or(text);
                let (_, mut ends) = Self::from(state, (head, before), delimiter, true);
                ends.extend(self.line_ends.into_iter().filter(|end| *end as usize >= self.met_at));
                ends
            }
            Quoting::Closing => Self::from(state, (text, before), delimiter, true).1,
        }
    }
}

/// Where rows begin in a text whose first begins at `first` or after the blank lines there, and whose lines end at
/// `line_ends`.
pub(super) fn row_starts(text: &[u8], first: usize, line_ends: &[u32]) -> impl Iterator<Item = u32> {
    let later = line_ends.iter().filter(move |end| **end as usize >= first).map(|end| end.saturating_add(1));
    let starts = std::iter::once(u32::try_from(first).unwrap_or(u32::MAX)).chain(later);
    starts.filter(|start| !matches!(text.get(*start as usize), None | Some(b'\n' | b'\r')))
}

/// The state and the next byte after the first half of a doubled quote, or a closing one.
fn closed(text: &[u8], at: usize) -> (Quoting, usize) {
    if text.get(at) == Some(&QUOTE) { (Quoting::Inside, at + 1) } else { (Quoting::Outside, at) }
}

/// The first line end outside of quotes.
fn line_end(start: Quoting, text: &[u8], before: Option<u8>, delimiter: u8) -> Option<usize> {
    let mut state = start;
    let mut at = 0;
    loop {
        match state {
            Quoting::Outside => {
                at += first_of(&text[at..], [QUOTE, b'\n', b'\r'])?;
                if text[at] != QUOTE {
                    return Some(at);
                }
                state = state.at_quote(text, at, before, delimiter);
                at += 1;
            }
            Quoting::Inside => {
                at += first_of(&text[at..], [QUOTE; 3])? + 1;
                state = Quoting::Closing;
            }
            Quoting::Closing if at == text.len() => return None,
            Quoting::Closing => (state, at) = closed(text, at),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The grammar byte by byte; `true` in `fresh` where a cell may begin.
    fn by_the_book(text: &[u8], delimiter: u8) -> (Vec<Quoting>, Vec<usize>) {
        let (mut state, mut fresh, mut row_start) = (Quoting::Outside, true, true);
        let (mut states, mut rows) = (vec![state], Vec::new());
        for (at, &byte) in text.iter().enumerate() {
            if row_start && !matches!(byte, b'\n' | b'\r') {
                rows.push(at);
                row_start = false;
            }
            state = match (state, byte) {
                (Quoting::Inside, b'"') => Quoting::Closing,
                (Quoting::Closing, b'"') => Quoting::Inside,
                (Quoting::Outside, b'"') if fresh => Quoting::Inside,
                (Quoting::Inside, _) => Quoting::Inside,
                _ => Quoting::Outside,
            };
            let ends_line = state == Quoting::Outside && matches!(byte, b'\n' | b'\r');
            row_start |= ends_line;
            fresh = ends_line || state == Quoting::Outside && byte == delimiter;
            states.push(state);
        }
        (states, rows)
    }

    proptest! {
        #[test]
        fn every_cut_gives_the_states_and_rows_of_the_whole(
            text in "[ab\",;\n\r]{0,40}",
            delimiter in prop::sample::select(vec![b',', b';']),
        ) {
            let text = text.as_bytes();
            let (states, rows) = by_the_book(text, delimiter);
            for cut in 0..=text.len() {
                let before = cut.checked_sub(1).map(|at| text[at]);
                let (head, tail) = text.split_at(cut);
                prop_assert_eq!(Quoting::Outside.after(head, None, delimiter, |_| {}), states[cut]);
                let rows_from = |first: Option<usize>, ends: &[u32]| -> Vec<usize> {
                    let Some(first) = first else { return Vec::new() };
                    row_starts(tail, first, ends).map(|at| cut + at as usize).collect()
                };
                let expected: Vec<usize> = rows.iter().copied().filter(|&row| row >= cut).collect();
                let (after, ends) = Effects::from(states[cut], (tail, before), delimiter, true);
                prop_assert_eq!(after, states[text.len()]);
                let first = states[cut].first_row(tail, before, delimiter);
                prop_assert_eq!(&rows_from(first, &ends), &expected);
                for block in [1, 3, 100] {
                    let effects = Effects::by_blocks(block, (tail, before), delimiter, true);
                    prop_assert_eq!(effects.after(states[cut], tail, before, delimiter), states[text.len()]);
                    prop_assert_eq!(effects.line_ends(states[cut], (tail, before), delimiter), ends.clone());
                }
            }
        }
    }
}

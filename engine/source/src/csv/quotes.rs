//! Where rows begin, for whoever starts in the middle of a CSV text: the state of its quotes from byte to byte.
//!
//! A quote opens a cell only at the beginning of it, after a delimiter or a line end; elsewhere in an unquoted cell
//! it is text. Counting quotes is therefore not enough. But what a part of the text does to a state is found
//! without knowing the state at its beginning, from each possible one; parts are looked at in any order and their
//! effects then strung together. All it takes is a look at each quote and the byte before it.
//!
//! Text after a closing quote, which the row reader refuses, is passed over: the row that has it is refused by
//! whoever reads it, and nothing after it counts.

use memchr::{memchr, memchr3};

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
    /// The state after `text`; `before` is the byte in front of it, none at the beginning of a file.
    pub(super) fn after(self, text: &[u8], before: Option<u8>, delimiter: u8) -> Self {
        let mut state = self;
        let mut at = 0;
        loop {
            match state {
                Self::Outside | Self::Inside => match quote_in(&text[at..]) {
                    None => return state,
                    Some(quote) => {
                        at += quote;
                        state = state.at_quote(text, at, before, delimiter);
                        at += 1;
                    }
                },
                Self::Closing if at == text.len() => return state,
                Self::Closing => (state, at) = closed(text, at),
            }
        }
    }

    /// What [`Quoting::after`] answers from `Outside` and from `Inside`. The two mostly meet after few cells: from
    /// `Inside` text after a closing quote is passed over until the next quote that opens a cell in either.
    pub(super) fn after_either(text: &[u8], before: Option<u8>, delimiter: u8) -> [Self; 2] {
        Self::after_either_by(1 << 12, text, before, delimiter)
    }

    /// Looks after every `block` bytes whether the two have met.
    fn after_either_by(block: usize, text: &[u8], before: Option<u8>, delimiter: u8) -> [Self; 2] {
        let mut states = [Self::Outside, Self::Inside];
        let (mut rest, mut previous) = (text, before);
        while !rest.is_empty() && states[0] != states[1] {
            let (head, tail) = rest.split_at(std::cmp::min(block, rest.len()));
            states = states.map(|state| state.after(head, previous, delimiter));
            (rest, previous) = (tail, head.last().copied());
        }
        if rest.is_empty() {
            return states;
        }
        [states[0].after(rest, previous, delimiter); 2]
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

/// Bytes that a plain loop looks at faster than a vectorised search is set up.
const SHORT: usize = 24;

/// The first quote.
fn quote_in(text: &[u8]) -> Option<usize> {
    let head = &text[..std::cmp::min(text.len(), SHORT)];
    match head.iter().position(|&byte| byte == b'"') {
        None => memchr(b'"', &text[head.len()..]).map(|at| head.len() + at),
        found => found,
    }
}

/// The first quote or line end.
fn stop_in(text: &[u8]) -> Option<usize> {
    let head = &text[..std::cmp::min(text.len(), SHORT)];
    match head.iter().position(|&byte| matches!(byte, b'"' | b'\n' | b'\r')) {
        None => memchr3(b'"', b'\n', b'\r', &text[head.len()..]).map(|at| head.len() + at),
        found => found,
    }
}

/// The state and the next byte after the first half of a doubled quote, or a closing one.
fn closed(text: &[u8], at: usize) -> (Quoting, usize) {
    if text.get(at) == Some(&b'"') { (Quoting::Inside, at + 1) } else { (Quoting::Outside, at) }
}

/// The first line end outside of quotes.
fn line_end(start: Quoting, text: &[u8], before: Option<u8>, delimiter: u8) -> Option<usize> {
    let mut state = start;
    let mut at = 0;
    loop {
        match state {
            Quoting::Outside => {
                at += stop_in(&text[at..])?;
                if text[at] != b'"' {
                    return Some(at);
                }
                state = state.at_quote(text, at, before, delimiter);
                at += 1;
            }
            Quoting::Inside => {
                at += quote_in(&text[at..])? + 1;
                state = Quoting::Closing;
            }
            Quoting::Closing if at == text.len() => return None,
            Quoting::Closing => (state, at) = closed(text, at),
        }
    }
}

/// Hands out where each row begins in `text`, which begins where a row may begin. Blank lines are no rows.
pub(super) fn each_row(text: &[u8], delimiter: u8, mut visit: impl FnMut(usize)) {
    let mut start = 0;
    loop {
        start += text[start..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        if start == text.len() {
            return;
        }
        visit(start);
        match line_end(Quoting::Outside, &text[start..], None, delimiter) {
            Some(end) => start += end + 1,
            None => return,
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
                prop_assert_eq!(Quoting::Outside.after(head, None, delimiter), states[cut]);
                prop_assert_eq!(states[cut].after(tail, before, delimiter), states[text.len()]);
                let either = [Quoting::Outside, Quoting::Inside].map(|state| state.after(tail, before, delimiter));
                for block in [1, 3, 100] {
                    prop_assert_eq!(Quoting::after_either_by(block, tail, before, delimiter), either);
                }
                let first = states[cut].first_row(tail, before, delimiter);
                let mut found = Vec::new();
                if let Some(first) = first {
                    each_row(&tail[first..], delimiter, |at| found.push(cut + first + at));
                }
                let expected: Vec<usize> = rows.iter().copied().filter(|&row| row >= cut).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}

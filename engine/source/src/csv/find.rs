//! The first of a few bytes, where it is mostly near: eight bytes at a time without a branch for each, then `memchr`.
//!
//! Cells are short as a rule, and of lengths that nobody foresees: setting up a vectorised search for each costs more
//! than it saves, and so does a loop that ends at another byte every time.

/// Words that are looked at before `memchr` takes over.
const WORDS: usize = 3;
const BYTES: usize = size_of::<u64>();

const ONES: u64 = u64::from_ne_bytes([1; BYTES]);
const LOW: u64 = u64::from_ne_bytes([0x7F; BYTES]);

/// The highest bit of each byte of a word that equals `byte`, and no other bit.
#[inline]
const fn equal(word: u64, byte: u8) -> u64 {
    let other = word ^ (ONES * byte as u64);
    !((other & LOW).wrapping_add(LOW) | other | LOW)
}

/// The highest bit of each byte of a word that is one of three, by place: the first byte has the lowest.
#[inline]
fn marks(word: &[u8; BYTES], [a, b, c]: [u8; 3]) -> u64 {
    let word = u64::from_le_bytes(*word);
    equal(word, a) | equal(word, b) | equal(word, c)
}

/// Which byte of a word the lowest mark stands for.
#[inline]
const fn place(marks: u64) -> usize {
    marks.trailing_zeros() as usize / BYTES
}

/// The first byte of `text` that is one of three.
#[inline]
pub(super) fn first_of(text: &[u8], bytes: [u8; 3]) -> Option<usize> {
    let (words, rest) = text.as_chunks::<BYTES>();
    for (number, word) in words.iter().take(WORDS).enumerate() {
        let marks = marks(word, bytes);
        if marks != 0 {
            return Some(number * BYTES + place(marks));
        }
    }
    if words.len() <= WORDS {
        let at = rest.iter().position(|byte| bytes.contains(byte))?;
        return Some(words.len() * BYTES + at);
    }
    let [a, b, c] = bytes;
    memchr::memchr3(a, b, c, &text[WORDS * BYTES..]).map(|at| WORDS * BYTES + at)
}

/// Hands each byte of `text` that is one of three to `visit`, with its place.
#[inline]
pub(super) fn each_of(text: &[u8], bytes: [u8; 3], mut visit: impl FnMut(usize, u8)) {
    let (words, rest) = text.as_chunks::<BYTES>();
    for (number, word) in words.iter().enumerate() {
        let mut marks = marks(word, bytes);
        while marks != 0 {
            let at = place(marks);
            visit(number * BYTES + at, word[at % BYTES]);
            marks &= marks - 1;
        }
    }
    let first = words.len() * BYTES;
    for (at, byte) in rest.iter().enumerate().filter(|(_, byte)| bytes.contains(byte)) {
        visit(first + at, *byte);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn all_are_found(text in prop::collection::vec(prop::sample::select(vec![0, b',', b'-', b'\n', b'"', 0x80, 0xAC, 0xFF]), 0..80)) {
            let bytes = [b',', b'\n', b'"'];
            let expected: Vec<usize> = (0..text.len()).filter(|at| bytes.contains(&text[*at])).collect();
            let mut found = Vec::new();
            each_of(&text, bytes, |at, byte| {
                assert_eq!(text[at], byte);
                found.push(at);
            });
            prop_assert_eq!(&found, &expected);
            for from in 0..=text.len() {
                let next = expected.iter().find(|at| **at >= from).map(|at| at - from);
                prop_assert_eq!(first_of(&text[from..], bytes), next);
            }
        }
    }

    #[test]
    fn far_ones_too() {
        let mut text = vec![b'a'; 100];
        for at in [0, 7, 8, 23, 24, 25, 31, 99] {
            text[at] = b'"';
            assert_eq!(first_of(&text, [b'"'; 3]), Some(at));
            text[at] = b'a';
        }
        assert_eq!(first_of(&text, [b'"'; 3]), None);
    }
}

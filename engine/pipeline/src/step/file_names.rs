//! The part of a file's name that stands for a subset, whose name may be any text.
//!
//! Letters and digits of any script and `-`, `_`, `.`, `=`, `,` and blanks stay as they are; every other byte, a separator of
//! folders first of all, is `%` and two hexadecimal digits (RFC 3986). A name that is too long for a file system is cut and
//! ends in `~` and a digest of all of it. So different subsets have different files.

use std::borrow::Cow;

use sluice_core::artifact::hex_digest;

/// The longest part, in bytes: a name has 255 at most, and something stands before and behind it.
const MAX_BYTES: usize = 200;
/// What is kept of a longer one.
const KEPT_BYTES: usize = 180;
/// Digits of the digest behind it.
const DIGEST_DIGITS: usize = 16;

/// The part of a file's name for a subset.
pub(super) fn of_subset(name: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.=, ".contains(c);
    if name.len() <= MAX_BYTES && name.chars().all(is_plain) {
        return Cow::Borrowed(name);
    }
    let mut encoded = String::new();
    for c in name.chars() {
        if is_plain(c) {
            encoded.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    if encoded.len() > MAX_BYTES {
        encoded.truncate(encoded.floor_char_boundary(KEPT_BYTES));
        encoded.push('~');
        encoded.push_str(&hex_digest(name.as_bytes())[..DIGEST_DIGITS]);
    }
    Cow::Owned(encoded)
}

/// The subset whose file has this part in its name, as far as that tells.
pub(super) fn subset(part: &str) -> Cow<'_, str> {
    if !part.contains('%') {
        return Cow::Borrowed(part);
    }
    let mut bytes = Vec::new();
    let mut rest = part.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind
            .first_chunk::<2>()
            .filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let byte = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    // What nobody encoded may stand for no text.
    String::from_utf8(bytes).map_or(Cow::Borrowed(part), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn plain_names_stay_and_others_lead_nowhere_else() {
        for name in ["train", "eval 2026-01", "Zürich", "a=b,c", "", ".", ".."] {
            assert_eq!(of_subset(name), name);
        }
        for (name, part) in
            [("a/b", "a%2Fb"), ("../x", "..%2Fx"), ("a\\b:c", "a%5Cb%3Ac"), ("50%", "50%25"), ("\0", "%00")]
        {
            assert_eq!((of_subset(name).as_ref(), subset(part).as_ref()), (part, name));
        }
        assert_eq!(subset("100%_%zz"), "100%_%zz");
        assert_eq!(subset("%ff"), "%ff");
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let names = ["ä".repeat(120), "ä".repeat(121), "/".repeat(90), "/".repeat(91), "x".repeat(4000)];
        let parts: BTreeSet<String> = names.iter().map(|name| of_subset(name).into_owned()).collect();
        assert_eq!(parts.len(), names.len());
        assert!(parts.iter().all(|part| part.len() <= MAX_BYTES && part.contains('~')), "{parts:?}");
    }

    #[test]
    fn names_of_files_are_safe_and_lead_back() {
        let alphabet: Vec<char> = "ab/\\:%.~-_ =\0\n\u{7f}ä中\u{1f600}25Ff".chars().collect();
        let (mut state, mut names) = (7, BTreeSet::new());
        for length in 0..2000 {
            let pick = |_| {
                let number = sluice_core::splitmix::next(&mut state) % alphabet.len() as u64;
                alphabet[usize::try_from(number).unwrap()]
            };
            let _ = names.insert((0..length % 12).map(pick).collect::<String>());
        }
        let parts: BTreeSet<String> = names.iter().map(|name| of_subset(name).into_owned()).collect();
        assert_eq!(parts.len(), names.len());
        for name in &names {
            let part = of_subset(name);
            assert!(!part.contains(['/', '\\', ':', '\0', '~', '\n']), "{name:?} {part:?}");
            assert_eq!(subset(&part), *name);
        }
    }
}

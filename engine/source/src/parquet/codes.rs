//! Counts the codes of a data page: the hybrid of run lengths and bit packing that the Parquet format calls
//! RLE (Encodings.md, "Run Length Encoding / Bit-Packing Hybrid").
//!
//! The bytes may be hostile: every run is cut to the values that are left, every code is checked, and what
//! does not add up is an error in words.

/// Counts how often each code occurs among `values` codes; the first byte is their width in bits.
pub(super) fn count_codes(bytes: &[u8], values: u64, counts: &mut [u64]) -> Result<(), &'static str> {
    if values == 0 {
        return Ok(());
    }
    let Some((&width, bytes)) = bytes.split_first() else { return Err("a page without codes") };
    if width > 32 {
        return Err("codes of more than 32 bits");
    }
    if width == 0 && bytes.is_empty() {
        return add(counts, 0, values);
    }
    for_each_run(bytes, width, values, |run| match run {
        Run::Repeated { code, times } => add(counts, code, times),
        Run::Packed { bytes, values } => count_packed(bytes, width, values, counts),
    })
}

/// How many of `values` one-bit levels are 1.
pub(super) fn count_ones(bytes: &[u8], values: u64) -> Result<u64, &'static str> {
    let mut ones = 0;
    for_each_run(bytes, 1, values, |run| {
        ones += match run {
            Run::Repeated { code: 0, .. } => 0,
            Run::Repeated { code: 1, times } => times,
            Run::Repeated { .. } => return Err("a definition level above 1"),
            Run::Packed { bytes, values } => ones_packed(bytes, values),
        };
        Ok(())
    })?;
    Ok(ones)
}

/// How many of `values` levels in the old bit packing, most significant bit first, are 1.
pub(super) fn count_ones_old(bytes: &[u8], values: u64) -> Result<(u64, &[u8]), &'static str> {
    let length = usize::try_from(values.div_ceil(8)).map_err(|_| "too many levels")?;
    let (levels, rest) = bytes.split_at_checked(length).ok_or("definition levels end early")?;
    let reversed: Vec<u8> = levels.iter().map(|byte| byte.reverse_bits()).collect();
    Ok((ones_packed(&reversed, values), rest))
}

enum Run<'a> {
    Repeated { code: u32, times: u64 },
    Packed { bytes: &'a [u8], values: u64 },
}

fn for_each_run<'a>(
    mut bytes: &'a [u8],
    width: u8,
    mut left: u64,
    mut visit: impl FnMut(Run<'a>) -> Result<(), &'static str>,
) -> Result<(), &'static str> {
    while left > 0 {
        let (header, rest) = variable_length(bytes)?;
        let count = header >> 1;
        if count == 0 {
            return Err("a run of no values");
        }
        if header & 1 == 0 {
            let (code, rest) =
                rest.split_at_checked(usize::from(width).div_ceil(8)).ok_or("a run ends early")?;
            let mut little = [0; 4];
            little[..code.len()].copy_from_slice(code);
            let times = std::cmp::min(count, left);
            visit(Run::Repeated { code: u32::from_le_bytes(little), times })?;
            left -= times;
            bytes = rest;
        } else {
            let values = std::cmp::min(count.saturating_mul(8), left);
            // Writers may leave out the padding of the last group.
            let needed = (u128::from(values) * u128::from(width)).div_ceil(8);
            let length = std::cmp::min(u128::from(count) * u128::from(width), rest.len() as u128);
            if length < needed {
                return Err("packed codes end early");
            }
            let (packed, rest) = rest.split_at(usize::try_from(length).unwrap_or(rest.len()));
            visit(Run::Packed { bytes: packed, values })?;
            left -= values;
            bytes = rest;
        }
    }
    Ok(())
}

fn variable_length(bytes: &[u8]) -> Result<(u64, &[u8]), &'static str> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok((value, &bytes[index + 1..]));
        }
    }
    Err("codes end early")
}

fn add(counts: &mut [u64], code: u32, times: u64) -> Result<(), &'static str> {
    let slot = usize::try_from(code).ok().and_then(|code| counts.get_mut(code));
    *slot.ok_or("a code beyond the dictionary")? += times;
    Ok(())
}

/// Values of one bit each, least significant first.
fn ones_packed(bytes: &[u8], values: u64) -> u64 {
    let whole = usize::try_from(values / 8).unwrap_or(usize::MAX);
    let ones: u64 = bytes.iter().take(whole).map(|byte| u64::from(byte.count_ones())).sum();
    let rest = bytes.get(whole).map_or(0, |byte| byte & ((1 << (values % 8)) - 1));
    ones + u64::from(rest.count_ones())
}

fn count_packed(bytes: &[u8], width: u8, values: u64, counts: &mut [u64]) -> Result<(), &'static str> {
    let values = usize::try_from(values).map_err(|_| "too many codes")?;
    let width = usize::from(width);
    // Groups that are followed by 8 more bytes.
    let whole = std::cmp::min(values / 8, bytes.len().saturating_sub(8).checked_div(width).unwrap_or(0));
    let beyond = match width {
        1 => count_groups::<1>(bytes, whole, counts),
        2 => count_groups::<2>(bytes, whole, counts),
        3 => count_groups::<3>(bytes, whole, counts),
        4 => count_groups::<4>(bytes, whole, counts),
        5 => count_groups::<5>(bytes, whole, counts),
        6 => count_groups::<6>(bytes, whole, counts),
        7 => count_groups::<7>(bytes, whole, counts),
        8 => count_groups::<8>(bytes, whole, counts),
        9 => count_groups::<9>(bytes, whole, counts),
        10 => count_groups::<10>(bytes, whole, counts),
        11 => count_groups::<11>(bytes, whole, counts),
        12 => count_groups::<12>(bytes, whole, counts),
        13 => count_groups::<13>(bytes, whole, counts),
        14 => count_groups::<14>(bytes, whole, counts),
        15 => count_groups::<15>(bytes, whole, counts),
        16 => count_groups::<16>(bytes, whole, counts),
        _ => count_group(bytes, width, whole * 8, counts),
    };
    let rest = count_group(&bytes[whole * width..], width, values - whole * 8, counts);
    if beyond || rest { Err("a code beyond the dictionary") } else { Ok(()) }
}

/// Counts groups of eight codes of `WIDTH` bits, which is `WIDTH` bytes each; with the width known, the
/// compiler unpacks them without a branch. Loads reach 8 bytes beyond a group, so `bytes` must go on after the
/// last one. Answers whether a code was beyond the dictionary.
fn count_groups<const WIDTH: usize>(bytes: &[u8], groups: usize, counts: &mut [u64]) -> bool {
    let mut beyond = false;
    for group in 0..groups {
        let Some(window) = bytes.get(group * WIDTH..group * WIDTH + WIDTH + 8) else { return true };
        for index in 0..8 {
            beyond |= count_one(code_at(window, index * WIDTH, WIDTH), counts);
        }
    }
    beyond
}

/// The same for codes of any width, bytes beyond the end being zero.
fn count_group(bytes: &[u8], width: usize, values: usize, counts: &mut [u64]) -> bool {
    let mut beyond = false;
    for index in 0..values {
        let rest = bytes.get(index * width / 8..).unwrap_or_default();
        let mut padded = [0; 8];
        let word = rest.get(..8).unwrap_or_else(|| {
            padded[..rest.len()].copy_from_slice(rest);
            &padded
        });
        beyond |= count_one(code_at(word, index * width % 8, width), counts);
    }
    beyond
}

/// The code of `width` bits that begins at `bit`; 8 bytes hold any of up to 32.
fn code_at(bytes: &[u8], bit: usize, width: usize) -> u64 {
    let word = bytes.get(bit / 8..).and_then(|rest| rest.first_chunk::<8>());
    (word.map_or(0, |word| u64::from_le_bytes(*word)) >> (bit % 8)) & ((1 << width) - 1)
}

fn count_one(code: u64, counts: &mut [u64]) -> bool {
    match usize::try_from(code).ok().and_then(|code| counts.get_mut(code)) {
        Some(count) => {
            *count += 1;
            false
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The encoding by the book: runs of equal codes and packed groups, in turn.
    fn encode(codes: &[u32], width: u8, packed_first: bool) -> Vec<u8> {
        let mut bytes = vec![width];
        let mut rest = codes;
        let mut packed = packed_first;
        while !rest.is_empty() {
            if packed {
                let groups = rest.len().div_ceil(8).min(3);
                bytes.push(u8::try_from(groups << 1 | 1).unwrap());
                let (now, later) = rest.split_at(rest.len().min(groups * 8));
                let mut bits = vec![false; groups * 8 * usize::from(width)];
                for (index, code) in now.iter().enumerate() {
                    for bit in 0..usize::from(width) {
                        bits[index * usize::from(width) + bit] = code >> bit & 1 == 1;
                    }
                }
                bytes.extend(
                    bits.chunks(8)
                        .map(|bits| bits.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit))),
                );
                rest = later;
            } else {
                let run = rest.iter().take_while(|code| **code == rest[0]).count().min(63);
                bytes.push(u8::try_from(run << 1).unwrap());
                bytes.extend(&rest[0].to_le_bytes()[..usize::from(width).div_ceil(8)]);
                rest = &rest[run..];
            }
            packed = !packed;
        }
        bytes
    }

    #[test]
    fn runs_by_hand() {
        let mut counts = [0; 4];
        // 5 times code 2, then 8 packed codes of 2 bits: 0 1 2 3 0 1 2 3.
        count_codes(&[2, 10, 2, 3, 0b1110_0100, 0b1110_0100], 13, &mut counts).unwrap();
        assert_eq!(counts, [2, 2, 7, 2]);
        let mut counts = [0; 1];
        count_codes(&[0], 7, &mut counts).unwrap();
        count_codes(&[0, 14], 7, &mut counts).unwrap();
        assert_eq!(counts, [14]);
        assert_eq!(count_ones(&[6, 1, 3, 0b1010_1010], 8), Ok(5));
        assert_eq!(count_ones_old(&[0b1100_0000, 9], 3), Ok((2, &[9][..])));
    }

    #[test]
    fn what_does_not_add_up_is_an_error() {
        let mut counts = [0; 2];
        for bytes in [
            &[][..],
            &[33, 1],
            &[2, 10],
            &[2, 10, 3],
            &[2, 3, 0xFF],
            &[2, 3, 0xFF, 0xFF],
            &[2, 0, 0],
            &[2, 0x80],
        ] {
            assert!(count_codes(bytes, 8, &mut counts).is_err(), "{bytes:?}");
        }
        assert!(count_ones(&[6, 2], 3).is_err());
        assert!(count_ones_old(&[0], 9).is_err());
    }

    proptest! {
        #[test]
        fn counts_are_those_of_the_codes(
            width in 1..=20_u8,
            seed in prop::collection::vec(any::<u32>(), 0..200),
            packed_first: bool,
        ) {
            let size = 1_usize << width;
            let codes: Vec<u32> = seed.iter().map(|code| (code >> 3) & (u32::try_from(size).unwrap() - 1)).collect();
            let mut expected = vec![0; size];
            for &code in &codes {
                expected[code as usize] += 1;
            }
            let mut counts = vec![0; size];
            count_codes(&encode(&codes, width, packed_first), codes.len() as u64, &mut counts).unwrap();
            prop_assert_eq!(counts, expected);
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), values in 0..10_000_u64) {
            let mut counts = [0; 9];
            let _ = count_codes(&bytes, values, &mut counts);
            let _ = count_ones(&bytes, values);
            let _ = count_ones_old(&bytes, values);
        }
    }
}

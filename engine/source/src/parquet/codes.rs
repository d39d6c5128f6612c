//! Counts or lists the codes of a data page: the hybrid of run lengths and bit packing that the Parquet format calls
//! RLE (Encodings.md, "Run Length Encoding / Bit-Packing Hybrid").
//!
//! The bytes may be hostile: every run is cut to the values that are left, every code is checked, and what
//! does not add up is an error in words.

/// Codes of up to this many bits are counted in [`Tables`].
const NARROW: u8 = 10;

/// Counts how often each code occurs among `values` codes; the first byte is their width in bits.
pub(super) fn count_codes(bytes: &[u8], values: u64, counts: &mut [u64]) -> Result<(), &'static str> {
    if values == 0 {
        return Ok(());
    }
    let (width, bytes) = width_of(bytes)?;
    if width == 0 && bytes.is_empty() {
        return add(counts, 0, values);
    }
    if width > NARROW {
        return for_each_run(bytes, width, values, |run| match run {
            Run::Repeated { code, times } => add(counts, code, times),
            Run::Packed { bytes, values } => {
                let mut is_known = true;
                unpack(bytes, width, values, |codes| is_known &= count_checked(codes, counts))?;
                if is_known { Ok(()) } else { Err(BEYOND) }
            }
        });
    }
    let mut tables = Tables::new();
    for_each_run(bytes, width, values, |run| match run {
        Run::Repeated { code, times } => add(counts, code, times),
        Run::Packed { bytes, values } => unpack(bytes, width, values, |codes| tables.count(codes)),
    })?;
    tables.settle(width, counts)
}

/// Appends each of `values` codes and counts it; the first byte is their width in bits.
pub(super) fn list_codes(
    bytes: &[u8],
    values: u64,
    counts: &mut [u64],
    codes: &mut Vec<u32>,
) -> Result<(), &'static str> {
    if values == 0 {
        return Ok(());
    }
    let (width, bytes) = width_of(bytes)?;
    if width == 0 && bytes.is_empty() {
        add(counts, 0, values)?;
        return repeat(codes, 0, values);
    }
    let mut tables = (width <= NARROW).then(Tables::new);
    let mut is_known = true;
    for_each_run(bytes, width, values, |run| match run {
        Run::Repeated { code, times } => {
            add(counts, code, times)?;
            repeat(codes, code, times)
        }
        Run::Packed { bytes, values } => {
            let first = codes.len();
            repeat(codes, 0, values)?;
            let listed = &mut codes[first..];
            let mut places = listed.iter_mut();
            unpack(bytes, width, values, |group| {
                group.iter().zip(&mut places).for_each(|(code, place)| *place = *code);
            })?;
            match &mut tables {
                Some(tables) => tables.count(listed),
                None => is_known &= count_checked(listed, counts),
            }
            Ok(())
        }
    })?;
    if !is_known {
        return Err(BEYOND);
    }
    tables.map_or(Ok(()), |tables| tables.settle(width, counts))
}

const BEYOND: &str = "a code beyond the dictionary";

/// The width in bits of the codes that follow.
fn width_of(bytes: &[u8]) -> Result<(u8, &[u8]), &'static str> {
    match bytes.split_first() {
        None => Err("a page without codes"),
        Some((&width, _)) if width > 32 => Err("codes of more than 32 bits"),
        Some((&width, rest)) => Ok((width, rest)),
    }
}

/// How often each narrow code occurs in one page, of fewer than 2^32 values: neighbours are counted in different tables,
/// since adding to a place that was just written waits for that.
struct Tables([[u32; 1 << NARROW]; 4]);

impl Tables {
    fn new() -> Self {
        Self([[0; 1 << NARROW]; 4])
    }

    /// Codes of up to [`NARROW`] bits.
    #[inline]
    fn count(&mut self, codes: &[u32]) {
        let place = |code: u32| code as usize & ((1 << NARROW) - 1);
        let (groups, rest) = codes.as_chunks::<4>();
        for group in groups {
            for (table, code) in self.0.iter_mut().zip(group) {
                table[place(*code)] += 1;
            }
        }
        for code in rest {
            self.0[0][place(*code)] += 1;
        }
    }

    fn settle(&self, width: u8, counts: &mut [u64]) -> Result<(), &'static str> {
        for code in 0..1_u32 << width {
            let times: u64 = self.0.iter().map(|table| u64::from(table[code as usize])).sum();
            if times > 0 {
                add(counts, code, times)?;
            }
        }
        Ok(())
    }
}

/// Counts codes of any width; whether all are in the dictionary.
#[inline]
fn count_checked(codes: &[u32], counts: &mut [u64]) -> bool {
    for code in codes {
        let Some(count) = counts.get_mut(*code as usize) else { return false };
        *count += 1;
    }
    true
}

/// Appends for each of `values` one-bit levels the next code where it is 1, else `null`.
pub(super) fn spread(
    levels: &[u8],
    values: u64,
    present: &[u32],
    null: u32,
    codes: &mut Vec<u32>,
) -> Result<(), &'static str> {
    let mut left = present;
    for_each_run(levels, 1, values, |run| match run {
        Run::Repeated { code: 0, times } => repeat(codes, null, times),
        Run::Repeated { code: 1, times } => {
            let times = usize::try_from(times).unwrap_or(usize::MAX);
            let (now, later) = left.split_at_checked(times).ok_or("definition levels end early")?;
            codes.extend_from_slice(now);
            left = later;
            Ok(())
        }
        Run::Repeated { .. } => Err("a definition level above 1"),
        Run::Packed { bytes, values } => spread_packed(bytes, values, &mut left, null, codes),
    })
}

/// The same of levels in the old bit packing, which [`count_ones_old`] was given.
pub(super) fn spread_old(
    levels: &[u8],
    values: u64,
    present: &[u32],
    null: u32,
    codes: &mut Vec<u32>,
) -> Result<(), &'static str> {
    let reversed: Vec<u8> = levels.iter().map(|byte| byte.reverse_bits()).collect();
    spread_packed(&reversed, values, &mut &present[..], null, codes)
}

fn spread_packed(
    bytes: &[u8],
    values: u64,
    left: &mut &[u32],
    null: u32,
    codes: &mut Vec<u32>,
) -> Result<(), &'static str> {
    let values = usize::try_from(values).map_err(|_| "too many levels")?;
    codes.reserve(values);
    for index in 0..values {
        let byte = bytes.get(index / 8).ok_or("definition levels end early")?;
        codes.push(if byte >> (index % 8) & 1 == 0 {
            null
        } else {
            let (code, rest) = left.split_first().ok_or("definition levels end early")?;
            *left = rest;
            *code
        });
    }
    Ok(())
}

fn repeat(codes: &mut Vec<u32>, code: u32, times: u64) -> Result<(), &'static str> {
    let times = usize::try_from(times).map_err(|_| "too many codes")?;
    codes.resize(codes.len() + times, code);
    Ok(())
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
    *slot.ok_or(BEYOND)? += times;
    Ok(())
}

/// Values of one bit each, least significant first.
fn ones_packed(bytes: &[u8], values: u64) -> u64 {
    let whole = usize::try_from(values / 8).unwrap_or(usize::MAX);
    let ones: u64 = bytes.iter().take(whole).map(|byte| u64::from(byte.count_ones())).sum();
    let rest = bytes.get(whole).map_or(0, |byte| byte & ((1 << (values % 8)) - 1));
    ones + u64::from(rest.count_ones())
}

/// Hands the codes to `visit`, some at a time.
fn unpack(bytes: &[u8], width: u8, values: u64, mut visit: impl FnMut(&[u32])) -> Result<(), &'static str> {
    let values = usize::try_from(values).map_err(|_| "too many codes")?;
    let width = usize::from(width);
    // Groups that are followed by 8 more bytes.
    let whole = std::cmp::min(values / 8, bytes.len().saturating_sub(8).checked_div(width).unwrap_or(0));
    let visit = &mut visit;
    match width {
        1 => unpack_groups::<1>(bytes, whole, visit),
        2 => unpack_groups::<2>(bytes, whole, visit),
        3 => unpack_groups::<3>(bytes, whole, visit),
        4 => unpack_groups::<4>(bytes, whole, visit),
        5 => unpack_groups::<5>(bytes, whole, visit),
        6 => unpack_groups::<6>(bytes, whole, visit),
        7 => unpack_groups::<7>(bytes, whole, visit),
        8 => unpack_groups::<8>(bytes, whole, visit),
        9 => unpack_groups::<9>(bytes, whole, visit),
        10 => unpack_groups::<10>(bytes, whole, visit),
        11 => unpack_groups::<11>(bytes, whole, visit),
        12 => unpack_groups::<12>(bytes, whole, visit),
        13 => unpack_groups::<13>(bytes, whole, visit),
        14 => unpack_groups::<14>(bytes, whole, visit),
        15 => unpack_groups::<15>(bytes, whole, visit),
        16 => unpack_groups::<16>(bytes, whole, visit),
        17 => unpack_groups::<17>(bytes, whole, visit),
        _ => unpack_any(bytes, width, whole * 8, visit),
    }
    unpack_any(&bytes[whole * width..], width, values - whole * 8, visit);
    Ok(())
}

/// Unpacks groups of eight codes of `WIDTH` bits, which is `WIDTH` bytes each; with the width known, the compiler does
/// it without a branch. Loads reach 8 bytes beyond a group, so `bytes` must go on after the last one.
#[inline]
fn unpack_groups<const WIDTH: usize>(bytes: &[u8], groups: usize, visit: &mut impl FnMut(&[u32])) {
    for group in 0..groups {
        let Some(window) = bytes.get(group * WIDTH..group * WIDTH + WIDTH + 8) else { return };
        visit(&std::array::from_fn::<u32, 8, _>(|index| code_at(window, index * WIDTH, WIDTH)));
    }
}

/// The same for codes of any width, bytes beyond the end being zero.
fn unpack_any(bytes: &[u8], width: usize, values: usize, visit: &mut impl FnMut(&[u32])) {
    for index in 0..values {
        let rest = bytes.get(index * width / 8..).unwrap_or_default();
        let mut padded = [0; 8];
        let word = rest.get(..8).unwrap_or_else(|| {
            padded[..rest.len()].copy_from_slice(rest);
            &padded
        });
        visit(&[code_at(word, index * width % 8, width)]);
    }
}

/// The code of `width` bits that begins at `bit`; 8 bytes hold any of up to 32.
#[expect(clippy::cast_possible_truncation, reason = "masked to at most 32 bits")]
fn code_at(bytes: &[u8], bit: usize, width: usize) -> u32 {
    let word = bytes.get(bit / 8..).and_then(|rest| rest.first_chunk::<8>());
    ((word.map_or(0, |word| u64::from_le_bytes(*word)) >> (bit % 8)) & ((1 << width) - 1)) as u32
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
            let bytes = encode(&codes, width, packed_first);
            count_codes(&bytes, codes.len() as u64, &mut counts).unwrap();
            prop_assert_eq!(&counts, &expected);
            let (mut listed, mut again) = (vec![7], vec![0; size]);
            list_codes(&bytes, codes.len() as u64, &mut again, &mut listed).unwrap();
            prop_assert_eq!((&listed[1..], &again), (&codes[..], &counts));
            if let Some(most) = codes.iter().max() {
                let few = &mut again[..usize::try_from(*most).unwrap()];
                prop_assert!(list_codes(&bytes, codes.len() as u64, few, &mut Vec::new()).is_err());
            }
        }

        #[test]
        fn rows_without_a_value_stand_between_codes(
            rows in prop::collection::vec(prop::option::of(0..9_u32), 0..200), packed_first: bool,
        ) {
            let present: Vec<u32> = rows.iter().flatten().copied().collect();
            let levels: Vec<u32> = rows.iter().map(|row| u32::from(row.is_some())).collect();
            let expected: Vec<u32> = rows.iter().map(|row| row.unwrap_or(99)).collect();
            let (bytes, count) = (encode(&levels, 1, packed_first), rows.len() as u64);
            let mut found = Vec::new();
            spread(&bytes[1..], count, &present, 99, &mut found).unwrap();
            prop_assert_eq!(&found, &expected);
            let old: Vec<u8> = levels
                .chunks(8)
                .map(|bits| (0_u8..).zip(bits).fold(0, |byte, (at, bit)| byte | u8::from(*bit == 1) << (7 - at)))
                .collect();
            found.clear();
            spread_old(&old, count, &present, 99, &mut found).unwrap();
            prop_assert_eq!(&found, &expected);
            if !present.is_empty() {
                prop_assert!(spread(&bytes[1..], count, &present[1..], 99, &mut Vec::new()).is_err());
            }
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), values in 0..10_000_u64) {
            let mut counts = [0; 9];
            let _ = count_codes(&bytes, values, &mut counts);
            let _ = count_ones(&bytes, values);
            let _ = count_ones_old(&bytes, values);
            let (mut codes, mut spread_codes) = (Vec::new(), Vec::new());
            let _ = list_codes(&bytes, values, &mut counts, &mut codes);
            let _ = spread(&bytes, values, &codes, 9, &mut spread_codes);
            let _ = spread_old(&bytes, values, &codes, 9, &mut spread_codes);
        }
    }
}

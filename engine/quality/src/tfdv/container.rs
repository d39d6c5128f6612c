//! The forms in which a list of statistics lies in a file: the bare message (`stats.binpb`, TFX's
//! `FeatureStats.pb`), records with checksums (TFRecord, what TFDV's own pipelines write), and protobuf text.
//! The form is told from the first bytes, never from the name.
//!
//! A record is its length (8 bytes), the checksum of these, the content, the checksum of that; all
//! little-endian. Checksums are CRC-32C (Castagnoli), rotated by 15 bits plus a constant, so that a checksum
//! of checksums stays good.

use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message as _;

use super::error::StatisticsFileError;
use super::message::StatisticsList;
use super::wire::Message;
use crate::QualityError;
use crate::protobuf::{descriptor, read as read_text};

/// Length, its checksum, and the checksum of the content.
const RECORD_OVERHEAD: usize = 16;
const MASK_DELTA: u32 = 0xa282_ead8;
/// The checksum that stands in a TFRecord file.
pub(crate) fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(MASK_DELTA)
}

/// The lists that a file holds: one of a bare message or text, one per record of a TFRecord file.
///
/// # Errors
/// [`StatisticsFileError`].
pub(crate) fn lists(bytes: &[u8], file: &str) -> Result<Vec<StatisticsList>, StatisticsFileError> {
    if i32::try_from(bytes.len()).is_err() {
        return Err(StatisticsFileError::TooLarge { file: file.into(), bytes: bytes.len() as u64 });
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(StatisticsFileError::Packed { file: file.into() });
    }
    if record_head(bytes).is_some_and(|(length, checksum)| checksum == masked_checksum(&length.to_le_bytes()))
    {
        return records(bytes, file);
    }
    if let Some(text) = as_text(bytes) {
        return Ok(vec![of_text(text, file)?]);
    }
    match of_bytes(bytes, file, String::new()) {
        Ok(list) => Ok(vec![list]),
        // What is no message, but begins with a length below 2^32, is a record whose length is damaged.
        Err(_) if bytes.get(4..8) == Some(&[0; 4]) => records(bytes, file),
        Err(error) => Err(error),
    }
}

fn of_bytes(bytes: &[u8], file: &str, record: String) -> Result<StatisticsList, StatisticsFileError> {
    StatisticsList::from_bytes(bytes).map_err(|fault| StatisticsFileError::Malformed {
        file: file.into(),
        record,
        fault: fault.to_string(),
    })
}

/// Whether a file that begins so is TFRecord of statistics, rather than of `tf.Example`.
///
/// Both messages begin with field 1. In a list of statistics it is a data set, in which a name (field 1) stands once at
/// most, before the number of rows and the features; in an example it is all features, each a field 1 of its own.
pub(super) fn begins_records(head: &[u8]) -> bool {
    let is_sound = |(length, checksum): (u64, u32)| checksum == masked_checksum(&length.to_le_bytes());
    let content = head.get(12..).filter(|_| record_head(head).is_some_and(is_sound));
    content.is_some_and(begins_list)
}

/// Whether a file that begins so is one message of statistics, or its text.
pub(super) fn begins_message(head: &[u8]) -> bool {
    // The head may end within a character.
    let whole = head.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    match as_text(whole.as_bytes()) {
        Some(text) => {
            let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
            let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
            let rest = first.and_then(|line| line.strip_prefix("datasets"));
            rest.is_some_and(|rest| rest.trim_start_matches([':', ' ']).starts_with(['{', '<']))
        }
        None => begins_list(head),
    }
}

/// Whether a message that begins so is a list of statistics: a data set in field 1, in it first a name, the number of rows
/// or features.
fn begins_list(bytes: &[u8]) -> bool {
    let Some((length, message)) = in_field_one(bytes) else { return false };
    match in_field_one(message) {
        None => length > 0 && message.first().is_some_and(|tag| TAGS_BEHIND.contains(tag)),
        Some((name, rest)) => {
            let end = (message.len() - rest.len()).saturating_add(name);
            end < length && message.get(end).is_some_and(|tag| TAGS_BEHIND.contains(tag))
        }
    }
}

/// The tag of field 1, of text or a message.
const TAG_ONE: u8 = 0x0a;

/// The tags of what may stand behind the name of a data set: the number of rows, a feature, the sum of the weights, a pair.
const TAGS_BEHIND: [u8; 4] = [0x10, 0x1a, 0x21, 0x2a];

/// The length of a first field 1, and what stands from its content on.
fn in_field_one(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (_, rest) = bytes.split_first().filter(|(tag, _)| **tag == TAG_ONE)?;
    let digits = rest.iter().take(5).position(|byte| byte & 0x80 == 0)? + 1;
    let (digits, rest) = rest.split_at(digits);
    let length = digits.iter().rev().fold(0_u64, |length, byte| length << 7 | u64::from(byte & 0x7f));
    Some((usize::try_from(length).ok()?, rest))
}

/// The length of a record, and its checksum.
fn record_head(bytes: &[u8]) -> Option<(u64, u32)> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let checksum = rest.first_chunk::<4>()?;
    Some((u64::from_le_bytes(*length), u32::from_le_bytes(*checksum)))
}

fn records(bytes: &[u8], file: &str) -> Result<Vec<StatisticsList>, StatisticsFileError> {
    let mut lists = Vec::new();
    let mut offset = 0;
    while offset < bytes.len() {
        let record = lists.len() + 1;
        let damaged = |what| StatisticsFileError::RecordDamaged { file: file.into(), record, offset, what };
        let rest = &bytes[offset..];
        let (length, checksum) = record_head(rest).ok_or_else(|| damaged("the record is cut short"))?;
        if checksum != masked_checksum(&rest[..8]) {
            return Err(damaged("its length does not have the checksum that stands there"));
        }
        let length = usize::try_from(length).ok().filter(|length| *length <= rest.len());
        let content = length.and_then(|length| rest.get(12..12 + length));
        let content = content.ok_or_else(|| damaged("the record is cut short"))?;
        let stored = rest[12 + content.len()..].first_chunk::<4>();
        let stored = stored.ok_or_else(|| damaged("the record is cut short"))?;
        if u32::from_le_bytes(*stored) != masked_checksum(content) {
            return Err(damaged("its content does not have the checksum that stands there"));
        }
        lists.push(of_bytes(content, file, format!(", record {record}"))?);
        offset += content.len() + RECORD_OVERHEAD;
    }
    Ok(lists)
}

/// Text, where there are words and no control characters; tags of a message in binary are such characters.
fn as_text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim_start);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let is_control = |byte: u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    let is_text = first.starts_with(|character: char| character.is_ascii_alphabetic());
    (is_text && !text.bytes().any(is_control)).then_some(text)
}

fn of_text(text: &str, file: &str) -> Result<StatisticsList, StatisticsFileError> {
    let message: DynamicMessage = read_text(descriptor(StatisticsList::NAME), &without_signs(text), file)
        .map_err(|error| match error {
            QualityError::TextMalformed { file, line, source, .. } => {
                StatisticsFileError::TextMalformed { file, line, source }
            }
            other => StatisticsFileError::TextUnknown(Box::new(other)),
        })?;
    of_bytes(&message.encode_to_vec(), file, String::new())
}

/// TFDV prints the mean of infinities as `-nan`, which the parser does not take.
fn without_signs(text: &str) -> String {
    text.replace(": -nan\n", ": nan\n")
}

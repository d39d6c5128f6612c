//! Fields of protobuf text that this version has no definition of, because a newer one wrote them: kept word for
//! word inside the message they stand in, and printed back.
//!
//! They travel as an unknown field of a reserved number, so that they follow their message through every change
//! of it, and through binary form too.

use std::collections::BTreeMap;
use std::ops::Range;

use prost_reflect::prost::Message;
use prost_reflect::prost::encoding::{WireType, encode_key, encode_varint};
use prost_reflect::{DynamicMessage, Value};

/// The greatest number that a field can have; no definition uses it.
const VERBATIM: u32 = 536_870_911;

/// The place of a field: names of the messages around it from the outermost inwards, each with its position among
/// those of its name.
pub(crate) type Place = Vec<(String, usize)>;

/// A field of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextField {
    /// The message it stands in.
    pub(crate) place: Place,
    /// Its bytes, with the separator behind it.
    pub(crate) range: Range<usize>,
}

/// The field whose name begins at byte `start`; none where the text is broken.
pub(crate) fn field_at(text: &str, start: usize) -> Option<TextField> {
    let place = place_of(text, start)?;
    let mut tokens = Tokens { text, at: start };
    if tokens.next()? == "[" {
        skip_group(&mut tokens)?;
    }
    let mut value = tokens.next()?;
    if value == ":" {
        value = tokens.next()?;
    }
    match value {
        "{" | "<" | "[" => skip_group(&mut tokens)?,
        "-" => drop(tokens.next()?),
        _ if is_string(value) => while tokens.skip_if(is_string) {},
        _ => {}
    }
    tokens.skip_if(|token| token == ";" || token == ",");
    Some(TextField { place, range: start..tokens.at })
}

/// Reads to the end of a group whose first sign was read.
fn skip_group(tokens: &mut Tokens<'_>) -> Option<()> {
    let mut depth = 1_usize;
    while depth > 0 {
        match tokens.next()? {
            "{" | "<" | "[" => depth += 1,
            "}" | ">" | "]" => depth -= 1,
            _ => {}
        }
    }
    Some(())
}

fn is_string(token: &str) -> bool {
    token.starts_with(['"', '\''])
}

fn place_of(text: &str, start: usize) -> Option<Place> {
    let mut tokens = Tokens { text, at: 0 };
    let mut open: Place = Vec::new();
    let mut counts: Vec<BTreeMap<&str, usize>> = vec![BTreeMap::new()];
    let mut name = "";
    while let Some(token) = tokens.next() {
        if tokens.at > start {
            break;
        }
        match token {
            "{" | "<" => {
                let position = counts.last_mut()?.entry(name).or_default();
                open.push((name.to_owned(), *position));
                *position += 1;
                counts.push(BTreeMap::new());
            }
            "}" | ">" => {
                // Behind the end of one, in a list, another of the same name may follow.
                name = "";
                let (closed, _) = open.pop()?;
                counts.pop();
                if let Some((known, _)) = counts.last()?.get_key_value(closed.as_str()) {
                    name = known;
                }
            }
            word if word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') => {
                name = word;
            }
            _ => {}
        }
    }
    Some(open)
}

/// The words, strings and signs of protobuf text; comments and blanks are skipped.
struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl Tokens<'_> {
    /// Skips the next token if it is as wanted.
    fn skip_if(&mut self, is_wanted: impl Fn(&str) -> bool) -> bool {
        let before = self.at;
        let is_next = self.next().is_some_and(is_wanted);
        if !is_next {
            self.at = before;
        }
        is_next
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at)? {
                b'#' => {
                    let rest = &bytes[self.at..];
                    self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                }
                byte if byte.is_ascii_whitespace() => self.at += 1,
                _ => break,
            }
        }
        let start = self.at;
        let first = bytes[start];
        self.at += 1;
        if first == b'"' || first == b'\'' {
            while let Some(byte) = bytes.get(self.at) {
                self.at += if *byte == b'\\' { 2 } else { 1 };
                if *byte == first {
                    break;
                }
            }
            self.at = self.at.min(bytes.len());
        } else if is_word(first) {
            while bytes.get(self.at).is_some_and(|byte| is_word(*byte)) {
                self.at += 1;
            }
        }
        self.text.get(start..self.at)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'+') || !byte.is_ascii()
}

/// Puts the words of a field into the message at its place; false where there is no such message.
pub(crate) fn keep(message: &mut DynamicMessage, place: &[(String, usize)], words: &str) -> bool {
    let Some(((name, position), rest)) = place.split_first() else {
        let mut bytes = Vec::new();
        encode_key(VERBATIM, WireType::LengthDelimited, &mut bytes);
        encode_varint(words.len() as u64, &mut bytes);
        bytes.extend_from_slice(words.as_bytes());
        return message.merge(bytes.as_slice()).is_ok();
    };
    if !message.has_field_by_name(name) {
        return false;
    }
    match message.get_field_by_name_mut(name) {
        Some(Value::Message(inner)) => keep(inner, rest, words),
        Some(Value::List(items)) => match items.get_mut(*position) {
            Some(Value::Message(inner)) => keep(inner, rest, words),
            _ => false,
        },
        _ => false,
    }
}

/// The fields that a message keeps word for word, in the order of the text.
pub(crate) fn kept(message: &DynamicMessage) -> Vec<String> {
    let is_ours = |field: &&prost_reflect::UnknownField| field.number() == VERBATIM;
    message.unknown_fields().filter(is_ours).filter_map(words_of).collect()
}

/// The numbers of fields of binary form that this version has no definition of.
pub(crate) fn numbers(message: &DynamicMessage) -> Vec<u32> {
    message
        .unknown_fields()
        .map(prost_reflect::UnknownField::number)
        .filter(|number| *number != VERBATIM)
        .collect()
}

/// The content behind key and length.
fn words_of(field: &prost_reflect::UnknownField) -> Option<String> {
    let mut bytes = Vec::new();
    field.encode(&mut bytes);
    let mut rest = bytes.as_slice();
    prost_reflect::prost::encoding::decode_key(&mut rest).ok()?;
    prost_reflect::prost::encoding::decode_varint(&mut rest).ok()?;
    String::from_utf8(rest.to_vec()).ok()
}

/// The lines of a field that is kept, indented as the printer does it; comments are not kept.
pub(crate) fn lines(words: &str, level: usize) -> String {
    let (mut text, mut depth, mut line) = (String::new(), level, String::new());
    let end = |line: &mut String, text: &mut String, depth: usize| {
        if !line.is_empty() {
            text.push_str(&format!("{:indent$}{line}\n", "", indent = depth * 2));
            line.clear();
        }
    };
    let (mut list_depth, mut expects_value) = (0_usize, false);
    for token in (Tokens { text: words, at: 0 }) {
        match token {
            "{" | "<" => {
                line.push_str(" {");
                end(&mut line, &mut text, depth);
                depth += 1;
                expects_value = false;
            }
            "}" | ">" => {
                end(&mut line, &mut text, depth);
                depth = depth.saturating_sub(1);
                line.push('}');
                end(&mut line, &mut text, depth);
                expects_value = false;
            }
            "[" => {
                list_depth += 1;
                line.push_str(" [");
            }
            "]" => {
                list_depth = list_depth.saturating_sub(1);
                line.push(']');
                expects_value = false;
            }
            ":" => {
                line.push(':');
                expects_value = true;
            }
            "-" => line.push_str(if line.ends_with([':', ',']) { " -" } else { "-" }),
            "," if list_depth > 0 => line.push(','),
            ";" | "," => end(&mut line, &mut text, depth),
            word if expects_value || list_depth > 0 || (is_string(word) && !line.is_empty()) => {
                if !line.ends_with(['-', '[']) {
                    line.push(' ');
                }
                line.push_str(word);
                expects_value = list_depth > 0;
            }
            word => {
                end(&mut line, &mut text, depth);
                line.push_str(word);
            }
        }
    }
    end(&mut line, &mut text, depth);
    text
}

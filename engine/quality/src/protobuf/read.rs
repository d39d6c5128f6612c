//! Protobuf text into a message; errors name the file, line and column, and for an unknown field those there are.

use miette::Diagnostic as _;
use prost_reflect::text_format::ParseError;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use sluice_core::Diagnostic as _;

use super::unknown;
use crate::error::QualityError;

/// Text with more unknown fields than this is no schema of a newer version, but something else.
const MAX_KEPT: usize = 1000;

/// The message that `text` describes.
///
/// # Errors
/// [`QualityError::FieldUnknown`], [`QualityError::ValueUnknown`], [`QualityError::TextMalformed`].
pub(crate) fn read(
    descriptor: MessageDescriptor,
    text: &str,
    file: &str,
) -> Result<DynamicMessage, QualityError> {
    let pool = descriptor.parent_pool().clone();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    DynamicMessage::parse_text_format(descriptor, text).map_err(|error| explain(error, &pool, text, file))
}

/// The message that `text` describes, with the fields of newer versions kept word for word. A name that is nearly
/// one of ours is taken for a slip of the hand and refused.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_keeping_unknown(
    descriptor: MessageDescriptor,
    text: &str,
    file: &str,
) -> Result<DynamicMessage, QualityError> {
    let mut known = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
    let mut fields: Vec<(unknown::Place, String)> = Vec::new();
    loop {
        let error = match DynamicMessage::parse_text_format(descriptor.clone(), &known) {
            Ok(mut message) => {
                return match fields.iter().all(|(place, words)| unknown::keep(&mut message, place, words)) {
                    true => Ok(message),
                    // The place is inside a map: say what the parser says.
                    false => read(descriptor, text, file),
                };
            }
            Err(error) => error,
        };
        let start = place(&error, &known).0;
        let explained = explain(error, descriptor.parent_pool(), &known, file);
        let field = match &explained {
            QualityError::FieldUnknown { .. } if !is_slip(&explained) && fields.len() < MAX_KEPT => {
                unknown::field_at(&known, start)
            }
            _ => None,
        };
        let Some(field) = field else { return Err(explained) };
        fields.push((field.place, known[field.range.clone()].to_owned()));
        // Blanks, so that lines and columns of later errors stay right.
        let blanks: String =
            known[field.range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
        known.replace_range(field.range, &blanks);
    }
}

/// Whether an unknown name is nearly a known one.
fn is_slip(error: &QualityError) -> bool {
    error.hint().is_some_and(|hint| hint.starts_with("did you mean"))
}

/// Where the parser points: offset and length in bytes; the end of the text where it says nothing.
fn place(error: &ParseError, text: &str) -> (usize, usize) {
    error
        .labels()
        .and_then(|mut labels| labels.next())
        .map_or((text.len(), 0), |label| (label.offset(), label.len()))
}

/// The parser keeps its reasons private; what it says and the place it points at are enough to find them.
fn explain(error: ParseError, pool: &DescriptorPool, text: &str, file: &str) -> QualityError {
    let (start, length) = place(&error, text);
    let before = &text[..text.floor_char_boundary(start)];
    let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
    let column = 1 + before.rsplit('\n').next().map_or(0, |rest| rest.chars().count());
    let found = text.get(start..start.saturating_add(length)).unwrap_or_default().to_owned();
    let sentence = error.to_string();
    let owner = sentence.strip_suffix('\'').and_then(|rest| rest.rsplit('\'').next()).unwrap_or_default();
    let file = file.to_owned();
    if let Some(message) =
        pool.get_message_by_name(owner).filter(|_| sentence.contains("not found for message"))
    {
        let available = message.fields().map(|field| field.name().to_owned()).collect();
        return QualityError::FieldUnknown {
            file,
            line,
            column,
            message: message.name().into(),
            field: found,
            available,
        };
    }
    if let Some(kind) = pool.get_enum_by_name(owner).filter(|_| sentence.contains("not found for enum")) {
        let available = kind.values().map(|value| value.name().to_owned()).collect();
        return QualityError::ValueUnknown {
            file,
            line,
            column,
            enumeration: kind.name().into(),
            value: found,
            available,
        };
    }
    QualityError::TextMalformed { file, line, column, source: Box::new(error) }
}

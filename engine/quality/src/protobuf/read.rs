//! Protobuf text into a message; errors name the file, the line, and for an unknown field those there are.

use miette::Diagnostic;
use prost_reflect::text_format::ParseError;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

use crate::error::QualityError;

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

/// The parser keeps its reasons private; what it says and the place it points at are enough to find them.
fn explain(error: ParseError, pool: &DescriptorPool, text: &str, file: &str) -> QualityError {
    let (start, length) = error
        .labels()
        .and_then(|mut labels| labels.next())
        .map_or((text.len(), 0), |label| (label.offset(), label.len()));
    let line = 1 + text.bytes().take(start).filter(|byte| *byte == b'\n').count();
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
            enumeration: kind.name().into(),
            value: found,
            available,
        };
    }
    QualityError::TextMalformed { file, line, source: Box::new(error) }
}

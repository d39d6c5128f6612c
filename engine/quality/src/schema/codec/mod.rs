//! Between the message and the plain [`Schema`](sluice_core::schema::Schema). What the plain type has no word for
//! (annotations, tensor representations, fields of newer versions) stays in the message: a changed schema is
//! written into the message it came from, and what did not change is not touched.

mod decode;
mod domain;
mod encode;
mod patch;

pub(crate) use decode::decode;
pub(crate) use domain::decode_own_domain;
pub(crate) use encode::encode;
pub(crate) use patch::{inline_lists, patch};

use sluice_core::schema::{FeatureType, Lifecycle};

/// The stages of the format, by number.
const STAGES: [(i32, Lifecycle); 8] = [
    (1, Lifecycle::Planned),
    (2, Lifecycle::Alpha),
    (3, Lifecycle::Beta),
    (4, Lifecycle::Production),
    (5, Lifecycle::Deprecated),
    (6, Lifecycle::DebugOnly),
    (7, Lifecycle::Disabled),
    (9, Lifecycle::ValidationDerived),
];

/// The types of the format, by number.
const TYPES: [(i32, FeatureType); 4] =
    [(1, FeatureType::Bytes), (2, FeatureType::Int), (3, FeatureType::Float), (4, FeatureType::Struct)];

/// `HistogramSelection.Type.QUANTILES`.
const QUANTILES: i32 = 1;

/// The units of times that are integers, by number.
const TIME_UNITS: [(i32, &str); 6] = [
    (0, "FORMAT_UNKNOWN"),
    (1, "UNIX_SECONDS"),
    (2, "UNIX_MILLISECONDS"),
    (3, "UNIX_MICROSECONDS"),
    (4, "UNIX_NANOSECONDS"),
    (5, "UNIX_DAYS"),
];

/// The domains of which nothing is checked beyond the type.
const SEMANTIC: [&str; 8] = [
    "natural_language_domain",
    "image_domain",
    "mid_domain",
    "url_domain",
    "time_of_day_domain",
    "audio_domain",
    "video_domain",
    "content_chunk_domain",
];

/// Whether a schema of text may name its domain like this.
pub(crate) fn is_semantic(field: &str) -> bool {
    SEMANTIC.contains(&field)
}

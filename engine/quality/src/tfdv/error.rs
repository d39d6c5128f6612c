//! What can be wrong with a file of statistics.

use sluice_core::{Diagnostic, ErrorKind};

use crate::QualityError;

/// A file that holds no statistics in TFDV's format.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatisticsFileError {
    /// Bytes that are not the message, with the first of them that is wrong.
    #[error("`{file}`{record}, {fault}")]
    Malformed {
        /// The file, as the user knows it.
        file: String,
        /// ", record 2" in a TFRecord file; empty elsewhere. Bytes count from the beginning of the record.
        record: String,
        /// Byte, message, field, and what was expected.
        fault: String,
    },
    /// A TFRecord file with a length or content other than what its checksum says.
    #[error("`{file}`, record {record} (byte {offset}): {what}")]
    RecordDamaged {
        /// The file, as the user knows it.
        file: String,
        /// From 1.
        record: usize,
        /// Where the record begins.
        offset: usize,
        /// What does not fit.
        what: &'static str,
    },
    /// Text that is not the message.
    #[error("`{file}`, line {line}: cannot read the statistics as protobuf text")]
    TextMalformed {
        /// The file, as the user knows it.
        file: String,
        /// From 1.
        line: usize,
        /// What the parser says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An unknown field or word in text, with its line.
    #[error(transparent)]
    TextUnknown(Box<QualityError>),
    /// A file of nothing, or of an empty list.
    #[error("`{file}` holds no statistics: not one data set is in it")]
    NoDataset {
        /// The file, as the user knows it.
        file: String,
    },
    /// A file that is packed.
    #[error("`{file}` is packed by gzip")]
    Packed {
        /// The file, as the user knows it.
        file: String,
    },
    /// More than protobuf itself reads.
    #[error("`{file}` has {bytes} bytes; protobuf messages have at most 2147483647")]
    TooLarge {
        /// The file, as the user knows it.
        file: String,
        /// Its size.
        bytes: u64,
    },
}

impl Diagnostic for StatisticsFileError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Malformed
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::TextUnknown(error) => return error.hint(),
            Self::Malformed { .. } | Self::NoDataset { .. } => {
                "statistics of `sluice statistics` or of TFDV are a `DatasetFeatureStatisticsList` in \
                 binary (`statistics.binpb`, `FeatureStats.pb`), as TFRecord or as protobuf text"
            }
            Self::RecordDamaged { .. } => {
                "the file was cut or changed; copy it again, or compute the statistics anew"
            }
            Self::TextMalformed { .. } => {
                "statistics as text begin like `datasets { num_examples: 10 features { … } }`"
            }
            Self::Packed { .. } => "unpack it with `gzip -d`",
            Self::TooLarge { .. } => "compute statistics of fewer columns or slices per file",
        };
        Some(hint.into())
    }
}

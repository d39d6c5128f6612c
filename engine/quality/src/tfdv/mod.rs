//! Statistics in TFDV's format: `DatasetFeatureStatisticsList` of `tensorflow_metadata`, written in binary
//! and read in binary, as TFRecord and as text, whoever wrote it.
//!
//! What the format has a field for stands there as TFDV has it; what it has none for (exact integers beyond
//! 2^53, dates, error bounds) stands in custom statistics whose names begin with `sluice_`. The format holds
//! mean lengths, covariances and correlations in single precision. Not carried: the conditions of slices
//! (their names are), and of TFDV's own lift and natural-language statistics.

mod container;
mod custom;
mod decode;
mod encode;
mod error;
mod kind;
mod message;
mod wire;

use sluice_core::statistics::DatasetStatistics;

pub use error::StatisticsFileError;

use wire::Message;

/// The name that TFDV gives the whole where there are slices.
const ALL_EXAMPLES: &str = "All Examples";
/// Under this name a derived column says what derived it; the format has a field for it, our statistics have
/// none.
const DERIVED_SOURCE: &str = "validation_derived_source";

/// The statistics as a binary `DatasetFeatureStatisticsList`: one data set per subset and per slice. A subset
/// alone has no name; where it has slices it is called `All Examples`, as TFDV expects. The same statistics
/// give the same bytes.
///
/// # Examples
/// ```
/// use sluice_core::statistics::DatasetStatistics;
/// use sluice_quality::tfdv::{read_statistics, write_statistics};
///
/// let statistics = DatasetStatistics { num_rows: 3, ..DatasetStatistics::default() };
/// let bytes = write_statistics(std::slice::from_ref(&statistics));
/// assert_eq!(bytes, [0x0a, 2, 0x10, 3]);
/// assert_eq!(read_statistics(&bytes, "statistics.binpb")?, [statistics]);
/// # Ok::<(), sluice_quality::tfdv::StatisticsFileError>(())
/// ```
#[must_use]
pub fn write_statistics(subsets: &[DatasetStatistics]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // One by one, so that the messages of many slices are never all in memory; a list is its elements in turn.
    for list in encode::lists(subsets) {
        list.write_fields(&mut bytes);
    }
    bytes
}

/// The statistics in a file: a binary `DatasetFeatureStatisticsList`, a TFRecord file of such, or its text
/// form. Data sets beside one called `All Examples` are its slices. A field that this version does not know
/// is skipped in binary and refused in text.
///
/// # Errors
/// [`StatisticsFileError`], with `file` and the byte, record or line.
pub fn read_statistics(bytes: &[u8], file: &str) -> Result<Vec<DatasetStatistics>, StatisticsFileError> {
    read_shards(&[(file, bytes)])
}

/// Whether a file that begins with these bytes, some hundred if there are as many, is TFRecord of statistics and not of
/// rows (`tf.Example`), which have the same endings.
#[must_use]
pub fn begins_statistics_records(head: &[u8]) -> bool {
    container::begins_records(head)
}

/// Whether a file that begins with these bytes, some hundred if there are as many, is one message of statistics, in binary
/// or as text. Ask it of a file whose name tells no format of rows.
#[must_use]
pub fn begins_statistics(head: &[u8]) -> bool {
    container::begins_message(head)
}

/// The statistics in several files of which each holds a part: name and content. Data sets of one name are
/// one, and features of one path are one.
///
/// # Errors
/// [`StatisticsFileError`], with the file and the byte, record or line.
pub fn read_shards(shards: &[(&str, &[u8])]) -> Result<Vec<DatasetStatistics>, StatisticsFileError> {
    let file = shards.first().map_or("statistics", |(file, _)| *file);
    let mut lists = Vec::new();
    for (file, bytes) in shards {
        lists.extend(container::lists(bytes, file)?);
    }
    let datasets = decode::merge(lists).map_err(|fault| StatisticsFileError::Malformed {
        file: file.into(),
        record: String::new(),
        fault: fault.to_string(),
    })?;
    if datasets.is_empty() {
        return Err(StatisticsFileError::NoDataset { file: file.into() });
    }
    Ok(decode::subsets(datasets))
}

#[cfg(test)]
mod tests;

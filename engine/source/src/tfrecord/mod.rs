//! TFRecord files of `tf.Example`, as TFX and TensorFlow write them, plain or packed with gzip.
//!
//! A record is its length (8 bytes), the checksum of these, the content, the checksum of that; all little-endian. The
//! content is a message that maps names to lists of bytes, of 32-bit floats or of integers. A pre-pass reads all
//! records and finds columns, types, rows and split bounds; files are looked at side by side, each by one thread.
//!
//! A feature that has one value wherever it has any becomes a column of single values, any other one a column of lists;
//! columns stand in byte order of their names, since a map has no order. A feature that is left out of a record, or stands
//! there without a kind, is null; one with a kind and no values is an empty list. Floats are widened exactly; bytes
//! are text where all of them are UTF-8, else binary.

mod build;
mod error;
mod example;
mod read;
mod records;
mod survey;
mod values;
mod write;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;

pub use error::{ExampleError, RecordPlace};
pub use write::{EncodedExamples, ExampleEncoder, ExampleWriter, WrittenExamples};

pub(crate) use read::read;
pub(crate) use records::holds_records;
pub(crate) use survey::survey;

//! How a source is read: format, CSV dialect, size of its splits.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use sluice_core::column::ColumnKind;
use sluice_core::options::OptionsError;
use sluice_core::plan::{PlanOptions, PlannedColumn};

use crate::text_input::Packing;

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated values, RFC 4180.
    Csv,
    /// JSON lines: an object per line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow IPC: files (Feather V2) and streams.
    Arrow,
    /// TFRecord files of `tf.Example`.
    Tfrecord,
}

impl Format {
    /// The format that a file extension stands for.
    #[must_use]
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "csv" | "tsv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "parquet" | "pq" => Some(Self::Parquet),
            "arrow" | "arrows" | "feather" | "ipc" => Some(Self::Arrow),
            "tfrecord" | "tfrecords" => Some(Self::Tfrecord),
            _ => None,
        }
    }

    /// Whether its files may be packed as a whole.
    pub(crate) fn may_be_packed(self) -> bool {
        match self {
            Self::Csv | Self::Jsonl | Self::Tfrecord => true,
            Self::Parquet | Self::Arrow => false,
        }
    }
}

/// The format that a file's name stands for, apart from how it is packed and which of several it is: the names of
/// TensorFlow's shards are `train.tfrecord-00000-of-00010`, of TFX's `data_tfrecord-00000-of-00001.gz`.
pub(crate) fn format_of_name(name: &str) -> Option<Format> {
    let (inner, is_packed) = unpacked_name(name);
    let format = match without_shard(inner) {
        Some(base) => match base.strip_suffix("_tfrecord") {
            Some(_) => Some(Format::Tfrecord),
            None => format_of_extension(base),
        },
        None => format_of_extension(inner),
    };
    format.filter(|format| !is_packed || format.may_be_packed())
}

/// Whether a name is that of one of several files, whatever they hold: `examples-00000-of-00001.gz`.
pub(crate) fn is_shard(name: &str) -> bool {
    without_shard(unpacked_name(name).0).is_some()
}

fn format_of_extension(name: &str) -> Option<Format> {
    Format::of_extension(&Path::new(name).extension()?.to_string_lossy())
}

/// A name without the extension that says how it is packed, and whether it had one.
fn unpacked_name(name: &str) -> (&str, bool) {
    match name.rsplit_once('.') {
        Some((inner, extension)) if !inner.is_empty() && Packing::of_extension(extension).is_some() => {
            (inner, true)
        }
        _ => (name, false),
    }
}

/// What stands before `-00000-of-00010` at the end of a name.
fn without_shard(name: &str) -> Option<&str> {
    let (before, count) = name.rsplit_once("-of-")?;
    let (base, number) = before.rsplit_once('-')?;
    let is_number = |text: &str| text.len() >= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(number) && is_number(count)).then_some(base)
}

impl std::fmt::Display for Format {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Csv => "CSV",
            Self::Jsonl => "JSON lines",
            Self::Parquet => "Parquet",
            Self::Arrow => "Arrow IPC",
            Self::Tfrecord => "TFRecord",
        })
    }
}

/// How a source is read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceOptions {
    /// The format of all files; `None` finds it by extension, then by the first bytes.
    pub format: Option<Format>,
    /// For CSV.
    pub csv: CsvOptions,
    /// Types of CSV columns follow from so many rows at the beginning of the first files; a later cell that does
    /// not fit is an error when it is read. `None` looks at all rows. Columns whose type is given beside others
    /// that are inferred are always checked throughout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infer_rows: Option<u64>,
    /// Types of CSV columns that a schema gives; those in `csv.types` go before, and columns that the files lack
    /// are passed over. It comes from code, not from configuration.
    ///
    /// Where the types of all columns are given, by whichever of the two, and none is a timestamp, nothing is
    /// inferred: the pre-pass only counts rows, and a cell that does not fit is an error when it is read.
    #[serde(skip)]
    pub schema_types: BTreeMap<String, CsvType>,
    /// Size of splits; a constant of the plan that tests lower.
    #[serde(skip)]
    pub plan: PlanOptions,
}

impl SourceOptions {
    /// The checked dialect of CSV files.
    pub(crate) fn dialect(&self) -> Result<Dialect, OptionsError> {
        if self.infer_rows == Some(0) {
            let (name, range) = ("infer_rows".into(), "at least 1".into());
            return Err(OptionsError::OutOfRange { name, value: "0".into(), range });
        }
        let mut dialect = Dialect { infer_rows: self.infer_rows, ..self.csv.check()? };
        for (column, given) in &self.schema_types {
            dialect.given.entry(column.clone()).or_insert(*given);
        }
        Ok(dialect)
    }
}

/// The dialect of CSV files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CsvOptions {
    /// What stands between cells: one ASCII character other than a quote or a line end.
    pub delimiter: char,
    /// Whether the first row holds the names of the columns; without, they are `column_1` to `column_n`.
    pub header: bool,
    /// Unquoted cells that mean null, after removing spaces around them; an empty one always does. A quoted cell
    /// is never null.
    pub null_values: Vec<String>,
    /// Types of columns that are not to be inferred.
    pub types: BTreeMap<String, CsvType>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { delimiter: ',', header: true, null_values: vec![String::new()], types: BTreeMap::new() }
    }
}

/// A type given for a column instead of inferring it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CsvType {
    /// As it stands.
    Text,
    /// Signed 64-bit integers; leading zeros and a plus sign are accepted.
    Integer,
    /// Unsigned 64-bit integers, likewise.
    Unsigned,
    /// Double precision.
    Float,
    /// `true`, `false`, `1`, `0`.
    Boolean,
    /// `YYYY-MM-DD`.
    Date,
    /// `YYYY-MM-DD HH:MM:SS`, or a date, which is its midnight.
    Timestamp,
}

impl CsvType {
    /// The kind of a column of this type; of timestamps the cells say more: the zone, and how fine they are.
    #[must_use]
    pub fn kind(self) -> ColumnKind {
        match self {
            Self::Text => ColumnKind::Text,
            Self::Integer => ColumnKind::Integer,
            Self::Unsigned => ColumnKind::Unsigned,
            Self::Float => ColumnKind::Float,
            Self::Boolean => ColumnKind::Boolean,
            Self::Date => ColumnKind::Date,
            Self::Timestamp => ColumnKind::Timestamp { zone: None, nanoseconds: false },
        }
    }

    /// With its article, for messages.
    #[must_use]
    pub fn with_article(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Integer => "an integer",
            Self::Unsigned => "an unsigned integer",
            Self::Float => "a float",
            Self::Boolean => "a boolean",
            Self::Date => "a date",
            Self::Timestamp => "a timestamp",
        }
    }
}

/// A checked dialect.
#[derive(Clone, Debug)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) header: bool,
    pub(crate) nulls: Vec<String>,
    /// Rows that types follow from, unless it is all.
    pub(crate) infer_rows: Option<u64>,
    /// Types that are given, not inferred.
    pub(crate) given: BTreeMap<String, CsvType>,
    /// Whether the types of all columns are given, so that cells are first looked at when they are read.
    pub(crate) is_trusting: bool,
}

impl CsvOptions {
    pub(crate) fn check(&self) -> Result<Dialect, OptionsError> {
        let delimiter = u8::try_from(self.delimiter)
            .ok()
            .filter(|byte| byte.is_ascii() && !matches!(byte, 0 | b'"' | b'\n' | b'\r'));
        let Some(delimiter) = delimiter else {
            return Err(OptionsError::Conflict {
                name: "delimiter".into(),
                problem: format!("cannot be `{}`", self.delimiter.escape_default()),
                hint: Some("use one ASCII character such as `,`, `;`, `|` or a tab".into()),
            });
        };
        let mut nulls: Vec<String> = self.null_values.iter().map(|value| trim(value).to_owned()).collect();
        if !nulls.iter().any(String::is_empty) {
            nulls.push(String::new());
        }
        let given = self.types.clone();
        Ok(Dialect { delimiter, header: self.header, nulls, infer_rows: None, given, is_trusting: false })
    }
}

impl Dialect {
    /// Whether nothing about the types of these columns is left to be found out.
    pub(crate) fn gives_all(&self, names: &[String]) -> bool {
        let is_known = |name| self.given.get(name).is_some_and(|given| *given != CsvType::Timestamp);
        names.iter().all(is_known)
    }

    /// The columns of these names, where their types leave nothing to be found out.
    pub(crate) fn given_columns(&self, names: &[String]) -> Option<Vec<PlannedColumn>> {
        let column = |name: &String| {
            let given = self.given.get(name)?;
            Some(PlannedColumn { name: name.clone(), kind: given.kind() })
        };
        self.gives_all(names).then(|| names.iter().map(column).collect())?
    }

    /// What sets it apart from the default; states of files read in other dialects must not be merged.
    pub(crate) fn mark(&self) -> String {
        let default = self.delimiter == b',' && self.header && self.nulls == [""];
        if default { String::new() } else { format!("{}{}{:?}", self.delimiter, self.header, self.nulls) }
    }

    /// Whether an unquoted cell, spaces around it removed, means null.
    pub(crate) fn is_null(&self, trimmed: &str) -> bool {
        self.nulls.iter().any(|null| null == trimmed)
    }
}

/// Removes spaces and tabs at both ends.
pub(crate) fn trim(text: &str) -> &str {
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let bytes = text.as_bytes();
    if blank(bytes.first()) || blank(bytes.last()) { text.trim_matches([' ', '\t']) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_checked() {
        for delimiter in [',', ';', '\t', '|', ' '] {
            assert!(CsvOptions { delimiter, ..CsvOptions::default() }.check().is_ok());
        }
        for delimiter in ['"', '\n', '\0', 'é', '→'] {
            assert!(CsvOptions { delimiter, ..CsvOptions::default() }.check().is_err());
        }
    }

    #[test]
    fn formats_are_told_by_name() {
        for (name, format) in [
            ("a.csv", Some(Format::Csv)),
            ("a.b.TSV.GZ", Some(Format::Csv)),
            ("a.csv.zst", Some(Format::Csv)),
            ("a.ndjson.gz", Some(Format::Jsonl)),
            ("a.jsonl", Some(Format::Jsonl)),
            ("a.pq", Some(Format::Parquet)),
            ("a.parquet.gz", None),
            ("a.gz", None),
            ("csv.gz", None),
            ("a.feather", Some(Format::Arrow)),
            ("a", None),
            ("a.tfrecord", Some(Format::Tfrecord)),
            ("a.TFRecords.gz", Some(Format::Tfrecord)),
            ("data_tfrecord-00000-of-00001.gz", Some(Format::Tfrecord)),
            ("Split-train/data_tfrecord-00000-of-00001", Some(Format::Tfrecord)),
            ("train.tfrecord-00003-of-00010", Some(Format::Tfrecord)),
            ("part.csv-00003-of-00010", Some(Format::Csv)),
            ("part-00003-of-00010.csv.gz", Some(Format::Csv)),
            ("data_parquet-00000-of-00001.parquet", Some(Format::Parquet)),
            ("transformed_examples-00000-of-00001.gz", None),
            ("best-of-show.csv", Some(Format::Csv)),
        ] {
            assert_eq!(format_of_name(name), format, "{name}");
        }
    }

    #[test]
    fn shards_are_told_by_their_numbers() {
        for name in ["transformed_examples-00000-of-00001.gz", "a-00000-of-00001"] {
            assert!(is_shard(name), "{name}");
        }
        for name in ["a-1-of-2", "a-00000-of-", "-of-00001", "a-00000-of-00001.csv", "a.gz"] {
            assert!(!is_shard(name), "{name}");
        }
    }

    #[test]
    fn options_come_from_configuration() {
        let text = r#"{"format": "csv", "csv": {"delimiter": ";", "types": {"zip": "text"}}}"#;
        let options: SourceOptions = serde_json::from_str(text).unwrap();
        assert_eq!(options.format, Some(Format::Csv));
        assert_eq!(options.csv.delimiter, ';');
        assert_eq!(options.csv.types["zip"], CsvType::Text);
        assert_eq!(options.csv.null_values, [""]);
        assert!(serde_json::from_str::<SourceOptions>(r#"{"delimiter": ";"}"#).is_err());
    }
}

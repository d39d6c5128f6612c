//! The schema: inferred from statistics, read and written as TFDV's `schema.pbtxt`.

mod codec;
mod infer;
mod path;
mod text;
mod unchecked;

pub use infer::{InferOptions, infer_schema};
pub use text::{SchemaFile, read_schema, write_schema};

pub(crate) use infer::{feature_type, infer_feature};
pub(crate) use path::{serialized_path, serialized_steps};

//! The schema: inferred from statistics, read and written as TFDV's `schema.pbtxt`, compared and brought up to date.

mod codec;
mod diff;
mod infer;
mod path;
mod text;
mod unchecked;
mod update;
mod view;

pub use diff::{ChangeKind, SchemaChange, diff_schemas};
pub use infer::{InferOptions, infer_schema, infer_schema_file, set_environments};
pub use text::{SchemaFile, is_binary, read_schema, read_schema_file, write_schema, write_schema_file};
pub use update::{Known, apply_fix, update_schema};

pub(crate) use infer::{feature_type, infer_feature};
pub(crate) use path::{serialized_path, serialized_steps};

#[cfg(test)]
mod tfdv;

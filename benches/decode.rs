//! The floor of everything that reads Parquet: decodes all columns of the files named, row groups on all cores, strings as
//! dictionaries where the file has them, and does nothing with them. `benches/peers` times it beside `sluice`.

#![allow(clippy::print_stdout, reason = "a program of its own, whose result is for people")]

use std::error::Error;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use rayon::prelude::*;

const BATCH_ROWS: usize = 65_536;

/// Text as codes, as the file has it.
fn coded(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 => {
            let codes = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            Arc::new(Field::new(field.name(), codes, field.is_nullable()))
        }
        _ => Arc::clone(field),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn decode(path: &str) -> Result<u64, Box<dyn Error + Send + Sync>> {
    let plain =
        ArrowReaderMetadata::load(&fs_err::File::open(path)?.into_parts().0, ArrowReaderOptions::new())?;
    let options = ArrowReaderOptions::new().with_schema(coded(plain.schema()));
    let metadata = ArrowReaderMetadata::try_new(Arc::clone(plain.metadata()), options)?;
    let rows = (0..metadata.metadata().num_row_groups()).into_par_iter().map(|group| {
        let file = fs_err::File::open(path)?.into_parts().0;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata.clone())
            .with_row_groups(vec![group])
            .with_batch_size(BATCH_ROWS)
            .build()?;
        reader.map(|batch| Ok(batch?.num_rows() as u64)).sum::<Result<u64, Box<dyn Error + Send + Sync>>>()
    });
    rows.sum()
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    for path in std::env::args().skip(1) {
        println!("{path}: {} rows", decode(&path)?);
    }
    Ok(())
}

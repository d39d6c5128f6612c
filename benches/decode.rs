//! The floor of everything that reads files: decodes all columns of those named and does nothing with them. Of Parquet row
//! groups on all cores, strings as dictionaries where the file has them; of CSV by arrow-csv on one core, with the types
//! that its first rows show. `benches/peers` times it beside `sluice`.

#![allow(clippy::print_stdout, reason = "a program of its own, whose result is for people")]

use std::error::Error;
use std::io::{BufReader, Seek};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_csv::ReaderBuilder;
use arrow_csv::reader::Format;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use rayon::prelude::*;

const BATCH_ROWS: usize = 65_536;

/// Rows of a CSV file by which its types are told; all others must fit.
const TYPED_ROWS: usize = 10_000;

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

fn parse(path: &str) -> Result<u64, Box<dyn Error + Send + Sync>> {
    let mut file = fs_err::File::open(path)?;
    let (schema, _) = Format::default().with_header(true).infer_schema(&mut file, Some(TYPED_ROWS))?;
    file.rewind()?;
    let input = BufReader::with_capacity(1 << 18, file);
    let reader = ReaderBuilder::new(Arc::new(schema)).with_header(true).with_batch_size(BATCH_ROWS);
    reader.build_buffered(input)?.map(|batch| Ok(batch?.num_rows() as u64)).sum()
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    for path in std::env::args().skip(1) {
        let rows = if path.ends_with(".csv") { parse(&path)? } else { decode(&path)? };
        println!("{path}: {rows} rows");
    }
    Ok(())
}

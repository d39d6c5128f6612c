//! Predict: scores rows in bulk. A row whose features are null, NaN or infinite has a null prediction and is
//! counted; it does not stop the others.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use sluice_core::artifact::{Artifact, Draft};
use sluice_core::batch::Batch;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::{Execution, Extent};
use sluice_core::fold::{Task, in_order_weighed};
use sluice_core::options::{OptionsError, quoted};
use sluice_core::plan::Split;
use sluice_core::seam::{BatchSource, BatchTransform, Delivery, Request};
use sluice_delivery::ModelPackage;
use sluice_ingest::{EncodedRows, ParquetWriter, RowGroupEncoder};

use crate::step::made_from;

/// The artifact's kind.
pub const PREDICTIONS_KIND: &str = "predictions";
/// The version of its format.
pub const PREDICTIONS_VERSION: u32 = 1;
const FILE: &str = "part-00000.parquet";
const RECORD_FILE: &str = "predictions.json";

/// What became of the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PredictionsRecord {
    /// Rows read and written.
    pub rows: u64,
    /// Rows among them whose prediction is null, because a feature is null, NaN or infinite.
    pub rows_without_prediction: u64,
    /// The columns written: those passed through, then the predictions.
    pub columns: Vec<String>,
}

/// Scores every row of `source` and writes the columns `keep` and the prediction to `target`, in the order of the
/// rows.
///
/// # Errors
/// A column that is missing or of another type than in training; what reading and writing meet.
pub fn predict(
    model: &ModelPackage,
    source: &dyn BatchSource,
    keep: &[String],
    target: &Path,
    execution: &Execution,
) -> Result<(PredictionsRecord, Artifact)> {
    let layout = Layout::new(model, source, keep)?;
    let mut draft = Draft::new(target)?;
    let mut writer = ParquetWriter::new(&mut draft, FILE, &layout.schema)?;
    let mut rows_without_prediction = 0;
    execution.progress.begin("predict", source.plan().extent());
    in_order_weighed(
        &source.plan().splits,
        execution,
        |(scored, _): &(EncodedRows, u64)| scored.size_bytes(),
        |split, task| layout.score(model, source, split, (execution, task)),
        |_, (scored, without)| {
            rows_without_prediction += without;
            writer.append(scored)?;
            Ok(writer.size_bytes())
        },
    )?;
    execution.progress.begin("writing", Extent::default());
    let rows = writer.finish(&mut draft)?;
    execution.progress.end();
    let columns = layout.schema.fields().iter().map(|field| field.name().clone()).collect();
    let record = PredictionsRecord { rows, rows_without_prediction, columns };
    draft.write_json(RECORD_FILE, &record)?;
    let made_of = [("data", source.plan().digest.as_str()), ("model", model.artifact().digest())];
    let artifact = draft.publish(PREDICTIONS_KIND, PREDICTIONS_VERSION, made_from(made_of))?;
    Ok((record, artifact))
}

struct Layout {
    request: Request,
    keep: Vec<String>,
    schema: SchemaRef,
}

impl Layout {
    fn new(model: &ModelPackage, source: &dyn BatchSource, keep: &[String]) -> Result<Self> {
        let plan = source.plan();
        let inputs = model.inputs();
        for column in inputs.iter().chain(keep) {
            plan.require(column, &source.name())?;
        }
        let outputs = model.signature().outputs;
        let mut fields = Vec::new();
        for (index, name) in keep.iter().enumerate() {
            if outputs.contains(name) || keep[..index].contains(name) {
                return Err(OptionsError::Conflict {
                    name: "keep".into(),
                    problem: format!("names `{name}`, which would be written twice"),
                    hint: Some(format!(
                        "name each column once; predictions are in {}",
                        quoted(outputs.iter().map(String::as_str))
                    )),
                }
                .into());
            }
            // Checked above: the plan has the column.
            let kind = plan.column(name).map(|column| column.kind.clone());
            let data_type =
                kind.and_then(|kind| kind.normal_type()).ok_or_else(|| CommonError::ColumnKind {
                    column: name.clone(),
                    found: "nested".into(),
                    expected: "a scalar",
                    purpose: "passing it through".into(),
                })?;
            fields.push(Field::new(name, data_type, true));
        }
        fields.extend(outputs.iter().map(|output| Field::new(output, DataType::Float64, true)));
        let wanted = |name: &String| inputs.contains(name) || keep.contains(name);
        let rows = (0..plan.columns.len()).filter(|index| wanted(&plan.columns[*index].name)).collect();
        Ok(Self {
            request: Request::of_rows(rows),
            keep: keep.to_vec(),
            schema: Arc::new(Schema::new(fields)),
        })
    }

    fn score(
        &self,
        model: &ModelPackage,
        source: &dyn BatchSource,
        split: &Split,
        (execution, task): (&Execution, &Task<'_>),
    ) -> Result<(EncodedRows, u64)> {
        let (mut encoder, mut without, mut first_row) = (RowGroupEncoder::new(FILE, &self.schema), 0, 0);
        source.read(split, &self.request, &mut |delivery| {
            execution.cancel.check()?;
            let Delivery::Rows(record_batch) = delivery else { return Ok(()) };
            let batch = Batch::new(&record_batch);
            let predictions = model
                .predict_sound(&batch)
                .map_err(|error| source.plan().located(error, &source.name(), split.number, first_row))?;
            // A row without one prediction has none.
            without += predictions.first().map_or(0, Array::null_count) as u64;
            let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
            for (name, field) in self.keep.iter().zip(self.schema.fields()) {
                let arrow = |error: arrow::error::ArrowError| CommonError::Internal(error.to_string());
                columns.push(cast(batch.require(name)?, field.data_type()).map_err(arrow)?);
            }
            columns.extend(predictions.into_iter().map(|values| Arc::new(values) as ArrayRef));
            let scored = RecordBatch::try_new(Arc::clone(&self.schema), columns)
                .map_err(|error| CommonError::Internal(error.to_string()))?;
            let rows = batch.rows() as u64;
            task.advance(execution, source.plan(), split, first_row, rows);
            first_row += rows;
            encoder.push(&scored)?;
            Ok(task.holds(encoder.size_bytes())?)
        })?;
        Ok((encoder.finish()?, without))
    }
}

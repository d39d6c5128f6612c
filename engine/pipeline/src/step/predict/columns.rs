//! Which columns are read, computed and written.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use sluice_core::RESERVED_PREFIX;
use sluice_core::batch::Batch;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureSpec};
use sluice_core::fold::Task;
use sluice_core::options::{OptionsError, quoted};
use sluice_core::plan::{Plan, Split};
use sluice_core::seam::{BatchSource, BatchTransform, Delivery, Request};
use sluice_delivery::ModelPackage;
use sluice_training::explain::Attribution;

use super::{PredictOptions, PredictionFormat, PredictionsRecord, Tally};
use crate::step::apply::scalar_type;
use crate::step::apply::table::TableEncoder;

/// For messages of the encoder, which does not know its part.
const FILE: &str = "part.parquet";

/// What is read, computed and written.
pub(super) struct Layout {
    pub(super) format: PredictionFormat,
    pub(super) schema: SchemaRef,
    request: Request,
    keep: Vec<String>,
    /// Places of the predictions that are written among the outputs of the model.
    predictions: Vec<usize>,
    explainer: Option<Box<dyn Attribution>>,
}

/// The scored rows of a split.
pub(super) struct Scored {
    pub(super) rows: TableEncoder,
    pub(super) tally: Tally,
}

impl Scored {
    pub(super) fn size_bytes(&self) -> usize {
        self.rows.size_bytes()
    }
}

impl Layout {
    pub(super) fn new(
        model: &ModelPackage,
        source: &dyn BatchSource,
        options: &PredictOptions,
    ) -> Result<Self> {
        let plan = source.plan();
        let inputs = model.inputs();
        let keep = match options.keep_all {
            true => {
                plan.column_names().into_iter().filter(|name| !name.starts_with(RESERVED_PREFIX)).collect()
            }
            false => options.keep.clone(),
        };
        for column in inputs.iter().chain(&keep) {
            plan.require(column, &source.name())?;
        }
        let outputs = model.signature().outputs;
        let predictions = places(&options.predictions, &outputs)?;
        let kept = |name: &String| Ok(Field::new(name, scalar_type(source, name)?, true));
        let mut fields = keep.iter().map(kept).collect::<Result<Vec<Field>>>()?;
        let number = |name: String| Field::new(name, DataType::Float64, true);
        fields.extend(predictions.iter().map(|place| number(outputs[*place].clone())));
        let explainer = match options.explain {
            true => Some(model.attribution()?),
            false => None,
        };
        if let Some(explainer) = &explainer {
            for place in &predictions {
                fields.extend(explanation_names(explainer.as_ref(), *place).into_iter().map(number));
            }
        }
        refuse_repeated(&fields)?;
        let request = Request::of_rows(wanted(plan, &inputs, &keep));
        let schema = Arc::new(Schema::new(fields));
        Ok(Self { format: options.format, schema, request, keep, predictions, explainer })
    }

    pub(super) fn explainer(&self) -> Option<&dyn Attribution> {
        self.explainer.as_deref()
    }

    /// What is told of the rows.
    pub(super) fn record(
        &self,
        model: &ModelPackage,
        total: &Tally,
        files: BTreeMap<String, u64>,
    ) -> PredictionsRecord {
        let features = model.transform().space().features.iter().map(|feature| feature.name.clone());
        let without_level = features.zip(total.without_level.iter().copied());
        PredictionsRecord {
            rows: total.rows,
            rows_without_prediction: total.without_prediction,
            rows_without_level: without_level.filter(|(_, rows)| *rows > 0).collect(),
            columns: self.schema.fields().iter().map(|field| field.name().clone()).collect(),
            files,
        }
    }

    /// Scores the rows of a split and encodes them.
    pub(super) fn score(
        &self,
        model: &ModelPackage,
        source: &dyn BatchSource,
        split: &Split,
        (execution, task): (&Execution, &Task<'_>),
    ) -> Result<Scored> {
        let mut rows = match self.format {
            PredictionFormat::Parquet => TableEncoder::parquet(FILE, &self.schema),
            PredictionFormat::Arrow => TableEncoder::arrow(),
            PredictionFormat::Tfrecord => TableEncoder::examples(&self.schema),
        };
        let (mut tally, mut first_row) = (Tally::default(), 0);
        source.read(split, &self.request, &mut |delivery| {
            execution.cancel.check()?;
            let Delivery::Rows(record_batch) = delivery else { return Ok(()) };
            let batch = Batch::new(&record_batch);
            let (scored, of_batch) = self
                .score_batch(model, &batch)
                .map_err(|error| source.plan().located(error, &source.name(), split.number, first_row))?;
            tally.merge(of_batch);
            task.advance(execution, source.plan(), split, first_row, batch.rows() as u64);
            first_row += batch.rows() as u64;
            rows.push(scored)?;
            Ok(task.holds(rows.size_bytes())?)
        })?;
        Ok(Scored { rows: rows.finish()?, tally })
    }

    fn score_batch(&self, model: &ModelPackage, batch: &Batch) -> Result<(RecordBatch, Tally)> {
        let scores = model.score(batch)?;
        let mut tally = Tally {
            rows: batch.rows() as u64,
            // A row without one prediction has none.
            without_prediction: scores.predictions.first().map_or(0, Array::null_count) as u64,
            without_level: without_levels(batch, &scores.features, &model.transform().space().features),
            ..Tally::default()
        };
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for (name, field) in self.keep.iter().zip(self.schema.fields()) {
            let array = batch.require(name)?;
            columns.push(match array.data_type() == field.data_type() {
                true => Arc::clone(array),
                false => cast(array, field.data_type()).map_err(internal)?,
            });
        }
        for place in &self.predictions {
            columns.push(Arc::new(scores.predictions[*place].clone()));
        }
        if let Some(explainer) = &self.explainer {
            let sound = scores.predictions.first().and_then(|predictions| predictions.nulls().cloned());
            let contributions = explainer.contributions(&scores.features, sound.as_ref())?;
            tally.contributions.update(&contributions);
            for place in &self.predictions {
                let (_, base) = explainer.outputs()[*place];
                columns.push(Arc::new(base_values(base, batch.rows(), sound.clone())));
                columns
                    .extend(contributions[*place].iter().map(|values| Arc::new(values.clone()) as ArrayRef));
            }
        }
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(internal)?;
        Ok((rows, tally))
    }
}

fn internal(error: arrow::error::ArrowError) -> CommonError {
    CommonError::Internal(error.to_string())
}

fn base_values(base: f64, rows: usize, sound: Option<NullBuffer>) -> Float64Array {
    Float64Array::new(vec![base; rows].into(), sound)
}

/// The columns of the source that are read.
fn wanted(plan: &Plan, inputs: &[String], keep: &[String]) -> Vec<usize> {
    let is_wanted = |name: &String| inputs.contains(name) || keep.contains(name);
    (0..plan.columns.len()).filter(|index| is_wanted(&plan.columns[*index].name)).collect()
}

/// Where the predictions that are asked for stand among the outputs; all of them where none is.
fn places(predictions: &[String], outputs: &[String]) -> Result<Vec<usize>, OptionsError> {
    if predictions.is_empty() {
        return Ok((0..outputs.len()).collect());
    }
    let place = |name: &String| outputs.iter().position(|output| output == name);
    predictions
        .iter()
        .map(|name| {
            place(name).ok_or_else(|| OptionsError::NoSuchChoice {
                name: "columns".into(),
                value: name.clone(),
                choices: outputs.to_vec(),
            })
        })
        .collect()
}

/// The columns that explain an output: of the label `base_value` and `contribution_FEATURE`, of a further target
/// `base_value_TARGET` and `contribution_TARGET_FEATURE`.
fn explanation_names(explainer: &dyn Attribution, place: usize) -> Vec<String> {
    let of = |what: &str| match place {
        0 => what.to_owned(),
        _ => format!("{what}_{}", explainer.outputs()[place].0),
    };
    let contribution = of("contribution");
    let features = explainer.features().iter().map(|feature| format!("{contribution}_{feature}"));
    std::iter::once(of("base_value")).chain(features).collect()
}

/// Refuses columns that would be written twice.
fn refuse_repeated(fields: &[Field]) -> Result<(), OptionsError> {
    let mut seen = std::collections::BTreeSet::new();
    for field in fields {
        if !seen.insert(field.name()) {
            let computed = fields.iter().filter(|other| *other.data_type() == DataType::Float64);
            let hint = format!(
                "name each column once, and none that is called like one that is computed: among {}",
                quoted(computed.map(|field| field.name().as_str()).take(12))
            );
            return Err(OptionsError::Conflict {
                name: "keep".into(),
                problem: format!("names `{}`, which would be written twice", field.name()),
                hint: Some(hint),
            });
        }
    }
    Ok(())
}

/// By feature the rows of none of its levels, though none of its sources is null.
fn without_levels(batch: &Batch, features: &FeatureBatch, specs: &[FeatureSpec]) -> Vec<u64> {
    let of_feature = |(column, spec): (&FeatureColumn, &FeatureSpec)| {
        let FeatureColumn::Codes(codes) = column else { return 0 };
        let Some(coded) = codes.nulls().filter(|nulls| nulls.null_count() > 0) else { return 0 };
        let sources = spec.sources.iter().filter_map(|source| batch.column(source));
        let nulls: Vec<NullBuffer> = sources
            .filter_map(|array| array.logical_nulls())
            .filter(|nulls| nulls.null_count() > 0)
            .collect();
        let is_there = |row: usize| nulls.iter().all(|nulls| nulls.is_valid(row));
        match nulls.is_empty() {
            true => coded.null_count() as u64,
            false => (0..batch.rows()).filter(|row| coded.is_null(*row) && is_there(*row)).count() as u64,
        }
    };
    features.columns.iter().zip(specs).map(of_feature).collect()
}

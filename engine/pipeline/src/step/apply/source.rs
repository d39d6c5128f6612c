//! The table of features as a source, for what reads rows of any source, such as statistics. Features are computed
//! batch by batch and never written.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};

use sluice_core::batch::Batch;
use sluice_core::column::{ColumnKind, normalize};
use sluice_core::error::{CommonError, Result};
use sluice_core::plan::{Plan, PlannedColumn, Split};
use sluice_core::seam::{BatchSource, BatchTransform, Delivery, Request};

use super::table;

/// What a transform makes of the rows of a source: the columns that `transform apply` writes, levels as codes.
pub(crate) struct FeatureSource<'a> {
    transform: &'a dyn BatchTransform,
    source: &'a dyn BatchSource,
    plan: Plan,
    reads: Request,
}

impl<'a> FeatureSource<'a> {
    /// The features of all rows of `source`.
    pub(crate) fn new(transform: &'a dyn BatchTransform, source: &'a dyn BatchSource) -> Result<Self> {
        let plan = source.plan();
        let inputs = transform.inputs();
        for column in &inputs {
            plan.require(column, &source.name())?;
        }
        let is_read = |index: &usize| inputs.contains(&plan.columns[*index].name);
        let reads = Request::of_rows((0..plan.columns.len()).filter(is_read).collect());
        let fields = table::fields(transform.space(), false).into_iter();
        let columns = fields.map(|field| PlannedColumn {
            kind: ColumnKind::of(field.data_type()),
            name: field.name().clone(),
        });
        let plan = Plan { columns: columns.collect(), ..plan.clone() };
        Ok(Self { transform, source, plan, reads })
    }

    /// Some columns of the features of a batch.
    fn batch(&self, batch: &Batch, wanted: &[usize]) -> Result<RecordBatch> {
        let features = self.transform.apply(batch)?;
        let columns = table::columns(self.transform.space(), &features, false)?;
        let arrays = wanted.iter().map(|index| normalize(&columns[*index])).collect::<Result<Vec<_>>>()?;
        let fields = wanted.iter().zip(&arrays).map(|(index, array)| {
            Field::new(&self.plan.columns[*index].name, array.data_type().clone(), true)
        });
        let schema = Schema::new(fields.collect::<Vec<_>>()).into();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.rows()));
        let batch = RecordBatch::try_new_with_options(schema, arrays, &options);
        batch.map_err(|error| CommonError::Internal(error.to_string()).into())
    }
}

impl BatchSource for FeatureSource<'_> {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn name(&self) -> String {
        format!("the features of {}", self.source.name())
    }

    fn read(
        &self,
        split: &Split,
        request: &Request,
        sink: &mut dyn FnMut(Delivery) -> Result<()>,
    ) -> Result<()> {
        let mut first_row = 0;
        self.source.read(split, &self.reads, &mut |delivery| {
            let Delivery::Rows(rows) = delivery else { return Ok(()) };
            let batch = self.batch(&Batch::new(&rows), &request.rows).map_err(|error| {
                let plan = self.source.plan();
                plan.located(error, &self.source.name(), split.number, first_row)
            })?;
            first_row += rows.num_rows() as u64;
            sink(Delivery::Rows(batch))
        })
    }
}

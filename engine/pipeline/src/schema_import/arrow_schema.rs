//! The schema of Arrow: types, and which columns have no nulls.

use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use sluice_core::schema::{FeatureType, Schema, ValueCount};

use super::draft::{ColumnDraft, Remarks};
use super::{Imported, SchemaOrigin};

pub(super) fn import(schema: &ArrowSchema) -> Imported {
    let mut remarks = Remarks::default();
    let features = schema.fields().iter().map(|field| {
        let draft = column(field, field.name(), &mut remarks);
        draft.finish(&mut remarks)
    });
    let features = features.collect();
    let schema = Schema { features, ..Schema::default() };
    Imported { origin: SchemaOrigin::Arrow, schema, remarks: remarks.0 }
}

fn column(field: &Field, shown: &str, remarks: &mut Remarks) -> ColumnDraft {
    let mut draft = ColumnDraft::new(shown);
    if !field.is_nullable() {
        draft.min_fraction = Some(1.0);
    }
    values(&mut draft, field.data_type(), remarks);
    draft
}

fn values(draft: &mut ColumnDraft, data_type: &DataType, remarks: &mut Remarks) {
    let name = draft.name.clone();
    match data_type {
        DataType::Dictionary(_, values_type) => values(draft, values_type, remarks),
        DataType::RunEndEncoded(_, field) => values(draft, field.data_type(), remarks),
        DataType::Boolean => {
            draft.feature_type = Some(FeatureType::Int);
            draft.is_boolean = true;
        }
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_)
        | DataType::Date32
        | DataType::Date64
        | DataType::Timestamp(..)
        | DataType::Time32(_)
        | DataType::Time64(_) => draft.feature_type = Some(FeatureType::Bytes),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => {
            draft.list.get_or_insert_default().push(ValueCount::default());
            values(draft, item.data_type(), remarks);
        }
        DataType::FixedSizeList(item, length) => {
            let length = Some(i64::from(*length));
            draft.list.get_or_insert_default().push(ValueCount { min: length, max: length });
            values(draft, item.data_type(), remarks);
        }
        DataType::Struct(fields) => {
            draft.feature_type = Some(FeatureType::Struct);
            for field in fields {
                let inner = column(field, &format!("{name}.{}", field.name()), remarks);
                let mut feature = inner.finish(remarks);
                feature.name.clone_from(field.name());
                draft.fields.push(feature);
            }
        }
        kind if kind.is_integer() => {
            draft.feature_type = Some(FeatureType::Int);
            if kind.is_unsigned_integer() {
                draft.at_least(0.0, true, "unsigned");
            }
        }
        kind if kind.is_numeric() => draft.feature_type = Some(FeatureType::Float),
        other => {
            // What stands in brackets differs between formats that hold the same.
            let shown = other.to_string();
            let kind = shown.split('(').next().unwrap_or_default();
            remarks.left_out(Some(&name), &format!("type {kind}"), "TFDV has no such type");
        }
    }
}

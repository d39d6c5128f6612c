//! Domains that the statistics name: TFDV's custom statistic `domain_info`, the text of one domain of a feature.

use prost_reflect::{DynamicMessage, Value};
use sluice_core::schema::Domain;
use sluice_core::statistics::DatasetStatistics;

use super::is_own;
use crate::protobuf::{self, Fields};
use crate::schema::codec;

/// The custom statistic.
pub(crate) const DOMAIN_INFO: &str = "domain_info";

/// The domain that the text names; none unless it is exactly one that says itself what it is.
pub(crate) fn semantic_domain(text: &str) -> Option<Domain> {
    let (_, feature) = one_domain(text)?;
    codec::decode_own_domain(&feature)
}

/// The field of the domain, and a feature that has nothing else.
fn one_domain(text: &str) -> Option<(String, DynamicMessage)> {
    let feature = protobuf::read(protobuf::descriptor("Feature"), text, DOMAIN_INFO).ok()?;
    let mut fields = feature.fields();
    let (field, _) = fields.next()?;
    let is_domain = field.containing_oneof().is_some_and(|oneof| oneof.name() == DOMAIN_INFO);
    let name = field.name().to_owned();
    if !is_domain || name == "domain" || fields.next().is_some() {
        return None;
    }
    drop(fields);
    Some((name, feature))
}

/// Puts what the statistics say of a domain into the features that have that domain without more.
pub(crate) fn fill(schema: &mut DynamicMessage, statistics: &DatasetStatistics) {
    for column in statistics.columns.iter().filter(|column| !is_own(column)) {
        let Some(sluice_core::statistics::CustomStatistic::Text(text)) = column.custom.get(DOMAIN_INFO)
        else {
            continue;
        };
        let Some((name, said)) = one_domain(text) else { continue };
        let Some(feature) = feature_at(schema, column.steps()) else { continue };
        let is_bare = feature.message(&name).is_some_and(|domain| domain.fields().next().is_none());
        if let Some(said) = said.message(&name).filter(|_| is_bare) {
            feature.put(&name, Value::Message(said));
        }
    }
}

fn feature_at<'a>(owner: &'a mut DynamicMessage, steps: &[String]) -> Option<&'a mut DynamicMessage> {
    let (step, below) = steps.split_first()?;
    let Value::List(features) = owner.get_field_by_name_mut("feature")? else { return None };
    let mut messages = features.iter_mut().filter_map(Value::as_message_mut);
    let feature = messages.find(|feature| feature.text("name").as_ref() == Some(step))?;
    if below.is_empty() {
        return Some(feature);
    }
    if !feature.has_field_by_name("struct_domain") {
        return None;
    }
    feature_at(feature.get_field_by_name_mut("struct_domain")?.as_message_mut()?, below)
}

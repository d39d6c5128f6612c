//! What comes out of a transform: the map from the columns of a design matrix back to the columns of the data, and the
//! schema of the table of features.

use serde::{Deserialize, Serialize};

use sluice_core::features::{FeatureKind, FeatureSpace};
use sluice_core::schema::{Domain, Feature, FeatureType, Schema};

/// A feature with the columns that it fills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureOutput {
    /// Its name.
    pub name: String,
    /// `number`, `levels` or `terms`.
    pub kind: String,
    /// The columns of the data that it is made from.
    pub sources: Vec<String>,
    /// The columns of the matrix that it fills, in order; a code is a place in this list.
    pub columns: Vec<OutputColumn>,
}

/// A column of the design matrix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputColumn {
    /// Its place in the matrix, from 0.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// The level or term that it stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// What each feature is and what it is made from, in the order of the columns.
#[must_use]
pub fn column_map(space: &FeatureSpace) -> Vec<FeatureOutput> {
    let mut first = 0;
    let mut features = Vec::new();
    for feature in &space.features {
        let (kind, values) = match &feature.kind {
            FeatureKind::Number => ("number", None),
            FeatureKind::OneHot { levels } => ("levels", Some(levels)),
            FeatureKind::Sparse { terms } => ("terms", Some(terms)),
        };
        let names = feature.column_names().into_iter().enumerate();
        let columns = names.map(|(place, name)| OutputColumn {
            index: first + place,
            name,
            value: values.map(|values| values[place].clone()),
        });
        features.push(FeatureOutput {
            name: feature.name.clone(),
            kind: kind.into(),
            sources: feature.sources.clone(),
            columns: columns.collect(),
        });
        first += feature.width();
    }
    features
}

/// What a table of features looks like, columns as `transform apply` writes them: numbers, codes of levels, lists of
/// terms.
#[must_use]
pub fn output_schema(space: &FeatureSpace) -> Schema {
    let number = |name: &str| Feature { feature_type: Some(FeatureType::Float), ..Feature::new(name) };
    let codes = |name: &str, values: &[String]| Feature {
        feature_type: Some(FeatureType::Int),
        domain: Some(Domain::Int {
            min: Some(0),
            max: i64::try_from(values.len()).ok().map(|count| count - 1),
            is_categorical: true,
        }),
        ..Feature::new(name)
    };
    let mut features = Vec::new();
    for feature in &space.features {
        match &feature.kind {
            FeatureKind::Number => features.push(number(&feature.name)),
            FeatureKind::OneHot { levels } => features.push(codes(&feature.name, levels)),
            FeatureKind::Sparse { terms } => {
                features.push(codes(&format!("{}.terms", feature.name), terms));
                features.push(number(&format!("{}.numbers", feature.name)));
            }
        }
    }
    Schema { features, ..Schema::default() }
}

//! Environments of an inferred schema: in training the label is there, in serving it is not.

use sluice_core::schema::Schema;

use crate::error::QualityError;

/// Declares the environments that every column belongs to, and takes columns out of single ones.
///
/// # Errors
/// [`QualityError::ColumnUnknown`], [`QualityError::EnvironmentUnknown`].
pub fn set_environments(
    schema: &mut Schema,
    environments: &[String],
    absent: &[(String, String)],
) -> Result<(), QualityError> {
    for environment in environments {
        if !schema.default_environments.contains(environment) {
            schema.default_environments.push(environment.clone());
        }
    }
    for (column, environment) in absent {
        if !schema.default_environments.contains(environment) {
            return Err(QualityError::EnvironmentUnknown {
                column: column.clone(),
                environment: environment.clone(),
                available: schema.default_environments.clone(),
            });
        }
        let available = || schema.features.iter().map(|feature| feature.name.clone()).collect();
        let Some(index) = schema.features.iter().position(|feature| feature.name == *column) else {
            return Err(QualityError::ColumnUnknown { column: column.clone(), available: available() });
        };
        let environments = &mut schema.features[index].not_in_environment;
        if !environments.contains(environment) {
            environments.push(environment.clone());
        }
    }
    Ok(())
}

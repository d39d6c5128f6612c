//! What a transform must not know: columns with a role, and what the label is made from.

use sluice_core::options::quoted;
use sluice_core::role::{Lineage, Roles};
use sluice_core::seam::BatchTransform;

use crate::error::TransformError;
use crate::fit::role_name;
use crate::graph::Transform;

/// A feature that no operation writes is there because it was named to pass through.
const PASS_THROUGH: &str = "pass_through";

impl Transform {
    /// Refuses what [`Fitter`](crate::Fitter) refuses, for roles that are known only now: operations that read a column
    /// with a role, and features that are made from source columns that the label is made from too.
    ///
    /// # Errors
    /// [`TransformError::Role`], [`TransformError::Leakage`].
    pub fn check_roles(&self, roles: &Roles, lineage: Option<&Lineage>) -> Result<(), TransformError> {
        let read = self.nodes().iter().flat_map(|node| {
            let inputs = node.inputs.iter().map(String::as_str);
            inputs.map(|input| (node.operation.as_str(), input))
        });
        let passed = self.features().map(|(_, value)| (PASS_THROUGH, value));
        for (operation, column) in read.chain(passed) {
            let is_source = || self.input_columns().iter().any(|source| source.name == column);
            if let Some(role) = roles.of(column).filter(|_| is_source()) {
                let (operation, column) = (operation.to_owned(), column.to_owned());
                return Err(TransformError::Role { operation, column, role: role_name(role) });
            }
        }
        let features = self.space().features.iter().map(|feature| (&feature.name, &feature.sources));
        lineage.map_or(Ok(()), |lineage| check_lineage(features, roles, lineage))
    }
}

/// Refuses features that are made from source columns that the label is made from too, unless the roles allow it.
/// `features` are their names with the columns that they read.
pub(crate) fn check_lineage<'a, S: IntoIterator<Item = &'a String>>(
    features: impl Iterator<Item = (&'a String, S)>,
    roles: &Roles,
    lineage: &Lineage,
) -> Result<(), TransformError> {
    for (name, sources) in features.filter(|(name, _)| !roles.allow.contains(name)) {
        if let Some(shared) = sources.into_iter().find_map(|source| roles.leak(source, lineage)) {
            return Err(TransformError::Leakage {
                column: name.clone(),
                label: roles.label.clone().unwrap_or_default(),
                shared: quoted(shared.iter().map(String::as_str)),
            });
        }
    }
    Ok(())
}

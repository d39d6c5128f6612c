//! Weights as a safetensors file: every tensor of the plan, in `f32`, and nothing else.

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

use super::{NetworkDescription, NetworkModel};
use crate::error::NetworkError;
use crate::plan::TensorLayout;

fn broken(problem: impl Into<String>) -> NetworkError {
    NetworkError::Weights { problem: problem.into() }
}

/// The bytes of numbers, little-endian.
pub(crate) fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Tensors by name as the bytes of a safetensors file; the same bytes for the same tensors.
///
/// # Errors
/// [`NetworkError::Weights`] where a name stands twice or a shape is not that of its values.
pub(crate) fn write<'a>(
    tensors: impl Iterator<Item = (&'a str, Vec<usize>, &'a [f32])>,
) -> Result<Vec<u8>, NetworkError> {
    let stored: Vec<(&str, Vec<usize>, Vec<u8>)> =
        tensors.map(|(name, shape, values)| (name, shape, bytes_of(values))).collect();
    let views = stored.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        view.map(|view| (*name, view)).map_err(|error| broken(error.to_string()))
    });
    let views = views.collect::<Result<Vec<_>, NetworkError>>()?;
    serialize(views, None).map_err(|error| broken(error.to_string()))
}

/// The values of a tensor of this shape.
///
/// # Errors
/// [`NetworkError::Weights`] where it is missing, of another type or of another shape.
pub(crate) fn read(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f32>, NetworkError> {
    let view = file.tensor(name).map_err(|_| broken(format!("tensor `{name}` is missing")))?;
    if view.dtype() != Dtype::F32 {
        return Err(broken(format!("tensor `{name}` holds {:?}, not F32", view.dtype())));
    }
    if view.shape() != shape {
        return Err(broken(format!("tensor `{name}` has shape {:?}, not {shape:?}", view.shape())));
    }
    let (numbers, _) = view.data().as_chunks::<4>();
    Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

impl NetworkModel {
    /// The weights as the bytes of a safetensors file; equal weights give equal bytes.
    ///
    /// # Errors
    /// [`NetworkError::Weights`], which does not happen to a network that was fitted or read.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, NetworkError> {
        write(self.tensors().map(|(tensor, values)| (tensor.name.as_str(), tensor.shape.clone(), values)))
    }

    /// The network of this description with the weights of a safetensors file.
    ///
    /// # Errors
    /// [`NetworkError::Weights`]: a broken file, a tensor that is missing, of another shape or not of the network, NaN.
    pub fn from_safetensors(description: NetworkDescription, bytes: &[u8]) -> Result<Self, NetworkError> {
        let plan = description.plan().map_err(|error| broken(error.to_string()))?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| broken(error.to_string()))?;
        let known = |name: &str| plan.tensors.iter().any(|tensor: &TensorLayout| tensor.name == name);
        let mut names = file.names();
        names.sort_unstable();
        if let Some(name) = names.into_iter().find(|name| !known(name)) {
            return Err(broken(format!("tensor `{name}` is none of its tensors")));
        }
        let mut weights = vec![0.0; plan.total];
        for tensor in &plan.tensors {
            weights[tensor.range()].copy_from_slice(&read(&file, &tensor.name, &tensor.shape)?);
        }
        Self::new(description, weights)
    }
}

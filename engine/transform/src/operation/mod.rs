//! The applied side of the operations: one file each, fitted constants in, columns out.

pub(crate) mod impute;
pub(crate) mod one_hot;
pub(crate) mod standardize;

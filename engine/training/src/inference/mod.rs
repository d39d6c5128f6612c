//! What a fit says of the population that its rows come from.

mod coefficient;

pub use coefficient::{CoefficientTest, CoefficientTests, Reference};

//! From columns to features: operations named in a [`TransformSpec`], fitted on the training rows into a
//! [`Transform`], which is data and applied row by row wherever the model runs.
//!
//! Operations read the newest value of a name and replace it, or write their result under a name of its own (`as`).
//! After `impute: {columns: [age], with: mean}` and `standardize: [age]` there is one feature `age`, imputed, then
//! standardized. Features are the names that operations write, in the order in which they were first written; `drop`
//! takes one out. What is never written is not a feature.
//!
//! [`mod@suggest`] proposes operations, [`mod@fit`] plans and fits, [`graph`] is what was fitted, `operation` holds the
//! operations, one file each; `leakage` refuses what a model must not know.

mod error;
pub mod fit;
pub mod graph;
mod leakage;
mod operation;
pub mod spec;
pub mod suggest;
#[cfg(test)]
mod testing;
pub mod value;

/// What fitted operations know: for whoever writes them in another form, as the ONNX export does.
pub mod constants {
    pub use crate::operation::bucketize::{Buckets, LevelOutput};
    pub use crate::operation::cross::{Combinations, CombinedBy};
    pub use crate::operation::cyclic::Angle;
    pub use crate::operation::date_parts::{Calendar, PartsOfDates};
    pub use crate::operation::derive::Derived;
    pub use crate::operation::frequency::Shares;
    pub use crate::operation::gaussian::{LAMBERT_STEPS, NEGLIGIBLE, Tails};
    pub use crate::operation::haversine::Distance;
    pub use crate::operation::impute::Fill;
    pub use crate::operation::interpolate::Interpolation;
    pub use crate::operation::keys::{Key, KeyTable};
    pub use crate::operation::levels::{LevelTable, Levels};
    pub use crate::operation::math::{ClipBounds, Function};
    pub use crate::operation::ordinal::Ordinals;
    pub use crate::operation::pca::Components;
    pub use crate::operation::per_key::PerKey;
    pub use crate::operation::polynomial::Products;
    pub use crate::operation::power::Powered;
    pub use crate::operation::quantile::normal::{CENTRAL, FAR, MIDDLE, Ratio};
    pub use crate::operation::quantile::{NORMAL_ENDS, QuantileTable};
    pub use crate::operation::scale::{Affine, RangeScale};
    pub use crate::operation::standardize::Standardize;
    pub use crate::operation::target_mean::{Means, TargetMeans};
    pub use crate::operation::vocabulary::{StoredTokens, Tokens};

    /// What a bound expression is made of.
    pub mod expression {
        pub use sluice_expressions::{
            Arithmetic, Comparison, Expression, FloatFunction, FloatTest, Kernel, List, Node, Part, Rounding,
            Test, mentions,
        };
    }
}

pub use error::TransformError;
pub use fit::{Analysis, Fitter, PlannedFeature, PlannedLearning, PlannedScan, ScannedColumn, fit};
pub use graph::{Ids, Node, OfTrainingRows, Transform};
pub use operation::Mapper;
pub use spec::{Operation, TransformSpec};

//! What leaves the pipeline: the model package, its form as ONNX, the registry that keeps versions of it,
//! and the formats of orchestrators; and models of others, which are judged beside ours ([`foreign`]).

mod error;
mod examples;
pub mod foreign;
pub mod kubeflow;
mod model;
pub mod network;
pub mod onnx;
mod package;
pub mod registry;
pub mod who;

pub use error::DeliveryError;
pub use examples::Examples;
pub use model::Model;
pub use network::{Network, NetworkRecord};
pub use package::{
    MODEL_KIND, MODEL_VERSION, ModelPackage, NETWORK_VERSION, ONNX_MODEL_FILE, ONNX_TRANSFORM_FILE,
    PackageParts, Scores, Signature, WEIGHTS_FILE,
};
pub use registry::{LATEST_BLESSED, Pushed, Registry, RegistryError};

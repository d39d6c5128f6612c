//! ONNX files: graphs written with a small typed builder, and run to see that they do what they should.
//!
//! [`GraphBuilder`] writes operator set 17 of `ai.onnx` and 3 of `ai.onnx.ml`, IR version 8, with a batch
//! dimension called `N`; the same calls give the same bytes. [`Session`] runs such a file by tract, in
//! this process; [`RuntimeSession`] runs anyone's by onnxruntime, which it loads.

mod builder;
mod error;
mod operator;
mod proto;
mod runtime;
mod session;
mod tensor;

pub use builder::{Edge, GraphBuilder, IR_VERSION, ML_OPSET, OPSET};
pub use error::OnnxError;
pub use operator::Operator;
pub use runtime::{Cells, Content, Port, RuntimeSession};
pub use session::Session;
pub use tensor::{ElementType, Tensor};

//! The messages of `tensorflow_metadata`, by reflection over the definitions in `schemas/`.

mod fields;
mod number;
mod print;
mod read;
pub(crate) mod unknown;

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

pub(crate) use fields::Fields;
pub(crate) use number::{shortest, text_of_double};
pub(crate) use print::{escape, print};
pub(crate) use read::{read, read_keeping_unknown};

const PACKAGE: &str = "tensorflow.metadata.v0";

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let bytes: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tensorflow_metadata.binpb"));
    #[expect(clippy::expect_used, reason = "the build script compiled these bytes, no input reaches them")]
    DescriptorPool::decode(bytes).expect("the embedded definitions are a descriptor set")
});

/// The definition of a message, by its name within the package.
pub(crate) fn descriptor(name: &str) -> MessageDescriptor {
    #[expect(clippy::expect_used, reason = "the names are constants of this crate, a test asks for each")]
    POOL.get_message_by_name(&format!("{PACKAGE}.{name}")).expect("the message is defined in `schemas/`")
}

/// An empty message.
pub(crate) fn message(name: &str) -> DynamicMessage {
    DynamicMessage::new(descriptor(name))
}

#[cfg(test)]
mod tests;

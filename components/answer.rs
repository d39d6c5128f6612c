//! What a command answers beside its exit code: what an orchestrator is told of it, when one asks.

use std::path::PathBuf;

use serde_json::Value;

use crate::session::Exit;

/// How a command ended, and what is told of it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) exit: Exit,
    /// Output parameters.
    pub(crate) parameters: Vec<(&'static str, Value)>,
    /// Metadata of output artifacts: artifact, key, value.
    pub(crate) metadata: Vec<(&'static str, String, Value)>,
    /// Output artifacts that the command did not write to their place itself.
    pub(crate) contents: Vec<(&'static str, Content)>,
}

/// What an output artifact holds.
#[derive(Debug)]
pub(crate) enum Content {
    /// A file.
    Bytes(Vec<u8>),
    /// A copy of an artifact's folder.
    Folder(PathBuf),
}

impl Answer {
    /// Nothing but how it ended.
    pub(crate) fn new(exit: Exit) -> Self {
        Self { exit, parameters: Vec::new(), metadata: Vec::new(), contents: Vec::new() }
    }

    /// With an output parameter.
    pub(crate) fn parameter(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.parameters.push((name, value.into()));
        self
    }

    /// With metadata of an output artifact.
    pub(crate) fn metadata(
        mut self,
        artifact: &'static str,
        key: impl Into<String>,
        value: impl Into<Value>,
    ) -> Self {
        self.metadata.push((artifact, key.into(), value.into()));
        self
    }

    /// With what an output artifact holds.
    pub(crate) fn content(mut self, artifact: &'static str, content: Content) -> Self {
        self.contents.push((artifact, content));
        self
    }
}

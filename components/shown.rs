//! Copies have paths that say nothing to the user: wherever one would be shown, the place that it stands for is.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

/// Paths, and what they stand for.
static PLACES: RwLock<Vec<(String, String)>> = RwLock::new(Vec::new());

/// From now on `path` is shown as `place`.
pub(crate) fn stands_for(path: &Path, place: &str) {
    let mut places = PLACES.write().unwrap_or_else(PoisonError::into_inner);
    places.push((path.display().to_string(), place.to_owned()));
}

/// `text` as the user knows the places in it.
pub(crate) fn as_given(text: &str) -> Cow<'_, str> {
    replaced(text, str::to_owned)
}

/// The same of JSON.
pub(crate) fn json_as_given(json: &str) -> Cow<'_, str> {
    replaced(json, |text| {
        let quoted = serde_json::Value::from(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    })
}

fn replaced(text: &str, written: impl Fn(&str) -> String) -> Cow<'_, str> {
    let places = PLACES.read().unwrap_or_else(PoisonError::into_inner);
    places.iter().fold(Cow::Borrowed(text), |text, (path, place)| {
        let path = written(path);
        if text.contains(&path) { Cow::Owned(text.replace(&path, &written(place))) } else { text }
    })
}

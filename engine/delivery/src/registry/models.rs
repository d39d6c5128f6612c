//! Which models a registry has.

use std::collections::BTreeSet;

use fs_err as fs;

use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Cancel;
use sluice_storage::{Location, Store};

use super::{CLAIMS, INDEX_FILE, VERSIONS, check_model_name};

/// The names of the models in the registry at a path or URL, in byte order.
///
/// # Errors
/// [`CommonError::File`] when the folder cannot be read; what is wrong with the URL or its store.
pub fn models(place: &str, cancel: &Cancel) -> Result<Vec<String>> {
    let location = Location::parse(place)?;
    let mut found = BTreeSet::new();
    if let Some(root) = location.as_local() {
        for entry in fs::read_dir(root).map_err(CommonError::on("read", root))? {
            let entry = entry.map_err(CommonError::on("read", root))?;
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.join(INDEX_FILE).is_file() || path.join(VERSIONS).is_dir() {
                found.insert(name);
            }
        }
    } else {
        let store = Store::open(&location)?.cancelled_by(cancel);
        for object in store.list(location.key())? {
            let below = object.key.strip_prefix(location.key()).unwrap_or(&object.key);
            let Some((name, rest)) = below.trim_start_matches('/').split_once('/') else { continue };
            if rest == INDEX_FILE || rest.starts_with(VERSIONS) || rest.starts_with(CLAIMS) {
                found.insert(name.to_owned());
            }
        }
    }
    found.retain(|name| check_model_name(name).is_ok());
    Ok(found.into_iter().collect())
}

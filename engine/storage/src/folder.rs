//! Folders in a bucket: artifacts, which are complete or absent there too, and folders of them.
//!
//! A bucket cannot rename, so the manifest is what makes an artifact: it is written last, and deleted before anything it
//! names is written over. Whoever reads meanwhile finds it gone or changed, never half.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use fs_err as fs;
use sluice_core::artifact::{MANIFEST_FILE, Manifest};
use sluice_core::error::{CommonError, Error, Result};

use crate::error::{Failure, Operation, StorageError};
use crate::store::Store;
use crate::write::Creation;

/// Files under way at a time; each may have several parts in memory.
const AT_A_TIME: usize = 3;

/// What lay at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A file.
    File,
    /// An artifact, as a folder.
    Artifact,
    /// A folder of other files; their names relative to it.
    Folder(BTreeSet<String>),
}

/// Copies what lies at `key` to `to`: a file; an artifact by its manifest; or all that lies below.
///
/// # Errors
/// Fails where nothing is there, where it changes meanwhile, and where it cannot be read or written here.
pub fn fetch(store: &Store, key: &str, to: &Path) -> Result<Found> {
    // A name with an ending is a file's; of other names web servers answer with a page, and some stores with an error.
    let is_like_file = key.rsplit('/').next().is_some_and(|name| name.contains('.'));
    let mut denied = Ok(());
    if is_like_file {
        match fetch_file(store, key, to) {
            Ok(true) => return Ok(Found::File),
            // Who may not list is denied what is not there; the artifact has the last word.
            Err(error) if is_nothing(&error) => denied = Err(error),
            Err(error) => return Err(error),
            Ok(false) => {}
        }
    }
    if fetch_artifact(store, key, to)? {
        return Ok(Found::Artifact);
    }
    denied?;
    let names: BTreeSet<String> = match store.is_bucket() {
        true => store.list(key)?.into_iter().map(|meta| below(key, &meta.key).to_owned()).collect(),
        false => BTreeSet::new(),
    };
    if names.is_empty() {
        if !is_like_file && fetch_file(store, key, to)? {
            return Ok(Found::File);
        }
        return Err(store.bucket.failed(Operation::Read, key, Failure::NotFound).into());
    }
    let files: Vec<&String> = names.iter().collect();
    each(&files, |name| download(store, key, name, to))?;
    Ok(Found::Folder(names))
}

/// Copies the object at `key`; false if there is none.
fn fetch_file(store: &Store, key: &str, to: &Path) -> Result<bool> {
    let is_there = !key.is_empty() && store.find(key)?.is_some();
    if is_there {
        store.download(key, to)?;
    }
    Ok(is_there)
}

/// Copies the artifact at `key`; false if there is none.
///
/// # Errors
/// As [`fetch`].
pub fn fetch_artifact(store: &Store, key: &str, to: &Path) -> Result<bool> {
    let manifest_key = joined(key, MANIFEST_FILE);
    let (bytes, etag) = match store.read_all(&manifest_key) {
        Ok(read) => read,
        Err(error) if is_nothing(&error) => return Ok(false),
        Err(error) => return Err(error),
    };
    // One that cannot be read is told by whoever opens the copy.
    let manifest = parsed(&bytes);
    let files: Vec<&String> = manifest.iter().flat_map(|manifest| manifest.files.keys()).collect();
    let copied = each(&files, |name| download(store, key, name, to));
    // A file that is gone, or another one, if the artifact was replaced meanwhile.
    let now = store.find(&manifest_key)?;
    let is_same = now.is_some_and(|meta| meta.size_bytes == bytes.len() as u64 && meta.etag == etag);
    if !is_same {
        return Err(store.bucket.failed(Operation::Read, &manifest_key, Failure::Changed).into());
    }
    copied?;
    write(&to.join(MANIFEST_FILE), &bytes)?;
    Ok(true)
}

/// Copies a folder of this machine to `key`: an artifact in place of the one that is there, a folder of artifacts one by
/// one, other files as they are. What `fetched` names and is not there any more is deleted.
///
/// # Errors
/// Fails where it cannot be read here or written there; an artifact is then absent, or the one that was there.
pub fn publish(store: &Store, key: &str, from: &Path, fetched: &BTreeSet<String>) -> Result<()> {
    if from.join(MANIFEST_FILE).is_file() {
        return publish_artifact(store, key, from);
    }
    let (mut artifacts, mut files) = (Vec::new(), Vec::new());
    walk(from, Path::new(""), &mut artifacts, &mut files)?;
    each(&files, |name| store.upload(&joined(key, name), &from.join(name)))?;
    for name in &artifacts {
        publish_artifact(store, &joined(key, name), &from.join(name))?;
    }
    let mut gone: Vec<&String> = fetched.iter().filter(|name| !from.join(name).exists()).collect();
    // Manifests first, so that what is left of an artifact is never taken for one.
    gone.sort_by_key(|name| (!name.ends_with(MANIFEST_FILE), name.as_str().to_owned()));
    for name in gone {
        store.delete(&joined(key, name))?;
    }
    Ok(())
}

/// Copies an artifact of this machine to `key`, in place of the one that is there. Files that are there already are not
/// sent again.
///
/// # Errors
/// As [`publish`]; and where another process publishes something else at the same place meanwhile.
pub fn publish_artifact(store: &Store, key: &str, from: &Path) -> Result<()> {
    let (manifest_key, path) = (joined(key, MANIFEST_FILE), from.join(MANIFEST_FILE));
    let bytes = fs::read(&path).map_err(CommonError::on("read", &path))?;
    let new = parsed(&bytes)
        .ok_or_else(|| CommonError::Internal(format!("`{}` is no manifest", path.display())))?;
    let old_bytes = match store.read_all(&manifest_key) {
        Ok((bytes, _)) => Some(bytes),
        Err(error) if is_nothing(&error) => None,
        Err(error) => return Err(error),
    };
    let old = old_bytes.as_deref().and_then(parsed);
    let old_files = old.map(|manifest| manifest.files).unwrap_or_default();
    let listed = if old_files.is_empty() { Vec::new() } else { store.list(key)? };
    let there: BTreeMap<String, u64> =
        listed.into_iter().map(|meta| (below(key, &meta.key).to_owned(), meta.size_bytes)).collect();
    let is_there = |name: &String| {
        old_files.get(name) == new.files.get(name)
            && new.files.get(name).map(|file| file.size_bytes) == there.get(name).copied()
    };
    let missing: Vec<&String> = new.files.keys().filter(|name| !is_there(name)).collect();
    if missing.is_empty() && old_bytes.as_deref() == Some(bytes.as_slice()) {
        return Ok(());
    }
    let send = |name: &String| store.upload(&joined(key, name), &from.join(name));
    let (over, beside): (Vec<&String>, Vec<&String>) =
        missing.into_iter().partition(|name| old_files.contains_key(*name));
    each(&beside, |name| send(name))?;
    if old_bytes.is_some() {
        store.delete(&manifest_key)?;
    }
    each(&over, |name| send(name))?;
    complete(store, &manifest_key, bytes)?;
    for stale in old_files.keys().filter(|name| !new.files.contains_key(*name) && is_safe(name)) {
        store.delete(&joined(key, stale))?;
    }
    Ok(())
}

/// Writes the manifest, unless another process has been quicker.
fn complete(store: &Store, manifest_key: &str, bytes: Vec<u8>) -> Result<()> {
    let bytes = bytes::Bytes::from(bytes);
    if let Creation::Created { .. } = store.create(manifest_key, bytes.clone())? {
        return Ok(());
    }
    let (there, _) = store.read_all(manifest_key)?;
    if there == bytes {
        return Ok(());
    }
    Err(store.bucket.failed(Operation::Write, manifest_key, Failure::Conflict).into())
}

/// Whether nothing is there, as far as one may know: who may not list a bucket is denied what is not there.
#[must_use]
pub fn is_nothing(error: &Error) -> bool {
    StorageError::is(error, &Failure::NotFound) || StorageError::is(error, &Failure::Permission)
}

fn parsed(bytes: &[u8]) -> Option<Manifest> {
    serde_json::from_slice(bytes).ok()
}

fn joined(key: &str, name: &str) -> String {
    if key.is_empty() { name.to_owned() } else { format!("{key}/{name}") }
}

fn below<'a>(key: &str, whole: &'a str) -> &'a str {
    whole.strip_prefix(key).map_or(whole, |rest| rest.trim_start_matches('/'))
}

/// Whether a name stays below its folder.
fn is_safe(name: &str) -> bool {
    !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

fn download(store: &Store, key: &str, name: &str, to: &Path) -> Result<()> {
    if !is_safe(name) {
        return Err(StorageError::BadName { object: store.show(key), name: name.to_owned() }.into());
    }
    let path = to.join(name);
    make_parent(&path)?;
    store.download(&joined(key, name), &path).map(drop)
}

fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    Ok(fs::create_dir_all(parent).map_err(CommonError::on("create", parent))?)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    make_parent(path)?;
    Ok(fs::write(path, bytes).map_err(CommonError::on("write", path))?)
}

/// The artifacts below a folder and the files that belong to none, in byte order.
fn walk(root: &Path, name: &Path, artifacts: &mut Vec<String>, files: &mut Vec<String>) -> Result<()> {
    let folder = root.join(name);
    let mut entries: Vec<PathBuf> = fs::read_dir(&folder)
        .and_then(|entries| entries.map(|entry| Ok(name.join(entry?.file_name()))).collect())
        .map_err(CommonError::on("read", &folder))?;
    entries.sort();
    for entry in entries {
        let text = || entry.to_string_lossy().into_owned();
        match root.join(&entry) {
            path if path.join(MANIFEST_FILE).is_file() => artifacts.push(text()),
            path if path.is_dir() => walk(root, &entry, artifacts, files)?,
            _ => files.push(text()),
        }
    }
    Ok(())
}

/// Does something with each, several at a time; answers the first error in their order.
fn each<T: Sync>(items: &[T], work: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(BTreeMap::<usize, Error>::new()));
    let errors = || failed.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..std::cmp::min(AT_A_TIME, items.len()) {
            scope.spawn(|| {
                while errors().is_empty() {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { return };
                    if let Err(error) = work(item) {
                        errors().insert(at, error);
                    }
                }
            });
        }
    });
    let first = errors().pop_first();
    first.map_or(Ok(()), |(_, error)| Err(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluice_core::artifact::{Artifact, Draft};

    fn make(folder: &Path, files: &[(&str, &str)]) -> PathBuf {
        let mut draft = Draft::new(folder).unwrap();
        for (name, text) in files {
            draft.write_bytes(name, text.as_bytes()).unwrap();
        }
        draft.publish("note", 1, BTreeMap::new()).unwrap();
        folder.to_owned()
    }

    fn keys(store: &Store) -> Vec<String> {
        store.list("").unwrap().into_iter().map(|meta| meta.key).collect()
    }

    #[test]
    fn an_artifact_goes_there_and_back_and_replaces_another() {
        let (place, store) = (tempfile::tempdir().unwrap(), Store::in_memory());
        let first = make(&place.path().join("first"), &[("a", "1"), ("old/b", "2"), ("same", "3")]);
        let second = make(&place.path().join("second"), &[("a", "4"), ("new/c", "5"), ("same", "3")]);
        publish_artifact(&store, "x/note", &first).unwrap();
        assert_eq!(keys(&store), ["x/note/a", "x/note/manifest.json", "x/note/old/b", "x/note/same"]);
        let same = store.head("x/note/same").unwrap();
        publish_artifact(&store, "x/note", &second).unwrap();
        assert_eq!(keys(&store), ["x/note/a", "x/note/manifest.json", "x/note/new/c", "x/note/same"]);
        assert_eq!(store.head("x/note/same").unwrap(), same, "it was not sent again");
        let back = place.path().join("back");
        assert_eq!(fetch(&store, "x/note", &back).unwrap(), Found::Artifact);
        assert_eq!(Artifact::open(&back, "note", 1).unwrap().read("a").unwrap(), b"4");
        let manifest = store.head("x/note/manifest.json").unwrap();
        publish_artifact(&store, "x/note", &second).unwrap();
        assert_eq!(store.head("x/note/manifest.json").unwrap(), manifest, "the same is left as it is");
        store.delete("x/note/new/c").unwrap();
        publish_artifact(&store, "x/note", &second).unwrap();
        assert!(store.find("x/note/new/c").unwrap().is_some(), "what is damaged is made good");
    }

    #[test]
    fn files_and_folders_are_fetched_too() {
        let (place, store) = (tempfile::tempdir().unwrap(), Store::in_memory());
        store.write("d/file.yaml", bytes::Bytes::from_static(b"a: 1")).unwrap();
        store.write("d/deep/other", bytes::Bytes::from_static(b"b")).unwrap();
        let file = place.path().join("file.yaml");
        assert_eq!(fetch(&store, "d/file.yaml", &file).unwrap(), Found::File);
        assert_eq!(fs::read(&file).unwrap(), b"a: 1");
        let folder = place.path().join("d");
        let names = BTreeSet::from(["deep/other".to_owned(), "file.yaml".to_owned()]);
        assert_eq!(fetch(&store, "d", &folder).unwrap(), Found::Folder(names));
        assert_eq!(fs::read(folder.join("deep/other")).unwrap(), b"b");
        let error = fetch(&store, "nothing", &place.path().join("n")).unwrap_err();
        assert!(StorageError::is(&error, &Failure::NotFound), "{error:?}");
    }

    #[test]
    fn a_folder_of_artifacts_is_kept_in_step() {
        let (place, store) = (tempfile::tempdir().unwrap(), Store::in_memory());
        let folder = place.path().join("states");
        make(&folder.join("kind/one"), &[("a", "1")]);
        make(&folder.join("kind/two"), &[("a", "2")]);
        fs::write(folder.join("note.txt"), "n").unwrap();
        publish(&store, "states", &folder, &BTreeSet::new()).unwrap();
        let back = place.path().join("back");
        let Found::Folder(fetched) = fetch(&store, "states", &back).unwrap() else { panic!("no folder") };
        fs::remove_dir_all(back.join("kind/one")).unwrap();
        make(&back.join("kind/three"), &[("a", "3")]);
        // Another process adds one meanwhile.
        store.write("states/kind/four/a", bytes::Bytes::from_static(b"4")).unwrap();
        publish(&store, "states", &back, &fetched).unwrap();
        let mut names: Vec<String> =
            keys(&store).iter().filter_map(|key| key.split('/').nth(2).map(str::to_owned)).collect();
        names.dedup();
        assert_eq!(names, ["four", "three", "two"]);
    }

    #[test]
    fn a_manifest_leads_nowhere_else() {
        let (place, store) = (tempfile::tempdir().unwrap(), Store::in_memory());
        let folder = make(&place.path().join("note"), &[("a", "1")]);
        let text = fs::read_to_string(folder.join(MANIFEST_FILE)).unwrap().replace("\"a\"", "\"../../evil\"");
        store.write("note/manifest.json", text.into()).unwrap();
        let error = fetch(&store, "note", &place.path().join("to")).unwrap_err();
        assert_eq!(error.kind(), sluice_core::error::ErrorKind::Malformed);
        assert!(!place.path().join("evil").exists());
    }

    #[test]
    fn the_first_error_is_told() {
        let items: Vec<usize> = (0..100).collect();
        let error = each(&items, |item| match item {
            7.. => Err(CommonError::Internal(item.to_string()).into()),
            _ => Ok(()),
        });
        assert!(error.unwrap_err().to_string().ends_with('7'));
    }
}

use std::collections::BTreeMap;
use std::path::Path;

use sluice_core::artifact::Draft;

use super::*;

fn package(folder: &Path, name: &str, text: &str) -> Artifact {
    let mut draft = Draft::new(folder.join(name)).unwrap();
    draft.write_bytes("model.json", text.as_bytes()).unwrap();
    draft.publish("model", 1, BTreeMap::new()).unwrap()
}

#[test]
fn versions_count_up_and_the_same_package_is_registered_once() {
    let folder = tempfile::tempdir().unwrap();
    let registry = FileRegistry::new(folder.path().join("registry"), "tips").unwrap();
    assert_eq!(registry.versions().unwrap(), [0_u64; 0]);
    assert!(registry.latest_blessed().unwrap().is_none());
    let (a, b) = (package(folder.path(), "a", "a"), package(folder.path(), "b", "b"));
    let first = registry.push(&a, Value::Null).unwrap();
    assert_eq!((first.version, first.is_new), (1, true));
    assert_eq!(registry.push(&b, Value::Null).unwrap().version, 2);
    let again = registry.push(&a, Value::Null).unwrap();
    assert_eq!((again.version, again.is_new), (1, false));
    assert_eq!(registry.alias(LATEST_BLESSED).unwrap(), Some(1));
    assert_eq!(registry.versions().unwrap(), [1, 2]);
    let stored = Artifact::open(folder.path().join("registry/tips/versions/0002"), "model", 1).unwrap();
    assert_eq!(stored.digest(), b.digest());
}

#[test]
fn pushers_side_by_side_get_different_versions() {
    let folder = tempfile::tempdir().unwrap();
    let packages: Vec<Artifact> =
        (0..8).map(|n| package(folder.path(), &format!("p{n}"), &format!("model {n}"))).collect();
    let root = folder.path().join("registry");
    let mut versions: Vec<u64> = std::thread::scope(|scope| {
        let pushers: Vec<_> = packages
            .iter()
            .map(|package| {
                let registry = FileRegistry::new(&root, "tips").unwrap();
                scope.spawn(move || registry.push(package, Value::Null).unwrap().version)
            })
            .collect();
        pushers.into_iter().map(|pusher| pusher.join().unwrap()).collect()
    });
    versions.sort_unstable();
    assert_eq!(versions, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn names_that_lead_elsewhere_and_damaged_aliases_are_refused() {
    for name in ["", "..", "a/b", ".hidden", "name with spaces"] {
        assert!(FileRegistry::new("registry", name).is_err(), "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    let registry = FileRegistry::new(folder.path(), "tips").unwrap();
    registry.push(&package(folder.path(), "a", "a"), Value::Null).unwrap();
    fs::write(folder.path().join("tips/aliases.json"), "{").unwrap();
    let error = registry.latest_blessed().unwrap_err();
    assert_eq!(error.kind(), sluice_core::ErrorKind::Malformed);
}

#[test]
fn a_push_that_is_cut_short_leaves_the_old_alias_in_force_and_is_finished_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (package(folder.path(), "a", "a"), package(folder.path(), "b", "b"));
    let versions = folder.path().join("registry/tips/versions");
    let registry = FileRegistry::new(folder.path().join("registry"), "tips").unwrap();
    // The very first push, cut short after each of its writes.
    registry.push(&a, Value::Null).unwrap();
    fs::remove_file(versions.join("0001.json")).unwrap();
    assert_eq!(registry.alias(LATEST_BLESSED).unwrap(), Some(1));
    assert_eq!(registry.versions().unwrap(), [1]);
    fs::remove_file(folder.path().join("registry/tips/aliases.json")).unwrap();
    assert!(registry.latest_blessed().unwrap().is_none());
    assert_eq!(registry.versions().unwrap(), [0_u64; 0]);
    let first = registry.push(&a, Value::Null).unwrap();
    assert_eq!((first.version, first.is_new), (1, true));
    assert!(versions.join("0001.json").is_file());
    // A later one: version 1 stays in force.
    registry.push(&b, Value::Null).unwrap();
    fs::remove_file(versions.join("0002.json")).unwrap();
    fs::write(folder.path().join("registry/tips/aliases.json"), r#"{"latest-blessed": 1}"#).unwrap();
    assert_eq!(registry.alias(LATEST_BLESSED).unwrap(), Some(1));
    assert_eq!(registry.versions().unwrap(), [1]);
    assert_eq!(registry.push(&b, Value::Null).unwrap().version, 2);
    // Without its alias file a registry that has versions is damaged, not empty.
    fs::remove_file(folder.path().join("registry/tips/aliases.json")).unwrap();
    assert!(registry.latest_blessed().is_err());
}

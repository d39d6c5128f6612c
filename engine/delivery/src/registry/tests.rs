use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fs_err as fs;
use serde_json::{Value, json};
use sluice_core::ErrorKind;
use sluice_core::artifact::{Artifact, Draft};

use super::*;

/// An artifact that counts as a package as far as a registry looks.
fn package(folder: &Path, text: &str) -> Artifact {
    let mut draft = Draft::new(folder.join(text)).unwrap();
    draft.write_bytes("model.json", text.as_bytes()).unwrap();
    draft.write_bytes("deep/weights.bin", text.repeat(1000).as_bytes()).unwrap();
    draft.publish("model", 1, BTreeMap::new()).unwrap()
}

fn passed(package: &Artifact) -> Registration {
    let verdict = json!({"outcome": "pass", "candidate_digest": package.digest()});
    Registration { verdict, ..Registration::default() }
}

fn push(registry: &Registry, package: &Artifact) -> Pushed {
    registry.push(package, &passed(package)).unwrap()
}

/// Calls a test with a folder for packages, and with a maker of registries: in a folder, then in a bucket.
fn on_each(test: impl Fn(&Path, &dyn Fn(&str) -> Registry)) {
    let folder = tempfile::tempdir().unwrap();
    test(folder.path(), &|root| Registry::in_folder(folder.path().join(root), "tips").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let store = Store::in_memory();
    test(folder.path(), &|root| {
        Registry::in_store(store.clone(), &format!("models/{root}"), "tips").unwrap()
    });
}

/// Every version opens and is what was registered, every alias points at one, and each package is there once.
fn assert_sound(registry: &Registry) {
    let entries = registry.entries().unwrap();
    for entry in &entries {
        let opened = registry.artifact(entry.version).unwrap();
        assert_eq!(opened.artifact().digest(), entry.digest);
        assert_eq!(entry.record.as_ref().unwrap().digest, entry.digest);
    }
    let digests: BTreeSet<&String> = entries.iter().map(|entry| &entry.digest).collect();
    assert_eq!(digests.len(), entries.len(), "a package was registered twice");
    let versions = registry.versions().unwrap();
    let history = registry.history().unwrap();
    assert!(history.aliases.values().all(|version| versions.contains(version)), "{history:?}");
}

#[test]
fn versions_count_up_and_the_same_package_is_registered_once() {
    on_each(|folder, registry| {
        let registry = registry("registry");
        assert_eq!(registry.versions().unwrap(), [0_u64; 0]);
        assert!(registry.latest_blessed().unwrap().is_none());
        let (a, b) = (package(folder, "a"), package(folder, "b"));
        assert_eq!(push(&registry, &a), Pushed { version: 1, is_new: true, path: registry.path_of(1) });
        assert_eq!(push(&registry, &b).version, 2);
        let again = push(&registry, &a);
        assert_eq!((again.version, again.is_new), (1, false));
        assert_eq!(registry.alias(LATEST_BLESSED).unwrap(), Some(1));
        assert_eq!(registry.versions().unwrap(), [1, 2]);
        let moves = registry.history().unwrap().moves;
        let ways: Vec<_> = moves.iter().map(|made| (made.action, made.from, made.to)).collect();
        let push = MoveKind::Push;
        assert_eq!(ways, [(push, None, Some(1)), (push, Some(1), Some(2)), (push, Some(2), Some(1))]);
        assert!(moves.iter().all(|made| made.by.contains('@') && made.at_seconds > 1_700_000_000));
        assert_sound(&registry);
    });
}

#[test]
fn writers_side_by_side_lose_nothing_of_one_another() {
    on_each(|folder, registry| {
        let packages: Vec<Artifact> = (0..6).map(|n| package(folder, &format!("p{n}"))).collect();
        let registry = registry("registry");
        let news: usize = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..12)
                .map(|worker| {
                    let (registry, packages) = (registry.clone(), &packages);
                    scope.spawn(move || {
                        let mut news = 0;
                        for round in 0..packages.len() {
                            // Each package is pushed by many at the same time.
                            let package = &packages[(round + worker / 4) % packages.len()];
                            let pushed = push(&registry, package);
                            news += usize::from(pushed.is_new);
                            // By the time of the next call others may have collected it.
                            let _ = registry.set_alias("mine", pushed.version, None, None, None);
                            if worker == 0 {
                                let unfinished_after = Duration::from_secs(3600);
                                let options =
                                    GarbageOptions { unfinished_after, ..GarbageOptions::default() };
                                registry.collect_garbage(&options).unwrap();
                            }
                        }
                        news
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        assert_eq!(news, packages.len());
        // Who wants a package that another is just registering joins it under its number, so there is no gap.
        assert_eq!(registry.versions().unwrap(), [1, 2, 3, 4, 5, 6]);
        assert_sound(&registry);
    });
}

#[test]
fn a_collection_beside_pushes_never_takes_what_they_need() {
    on_each(|folder, registry| {
        let packages: Vec<Artifact> = (0..24).map(|n| package(folder, &format!("p{n}"))).collect();
        let registry = registry("registry");
        let careful = GarbageOptions { keep: 2, rollbacks: 1, ..GarbageOptions::default() };
        let options = GarbageOptions { unfinished_after: Duration::ZERO, ..careful };
        let is_over = std::sync::atomic::AtomicBool::new(false);
        let mut numbers: Vec<u64> = std::thread::scope(|scope| {
            let collector = scope.spawn(|| {
                for round in 0.. {
                    if is_over.load(std::sync::atomic::Ordering::Relaxed) {
                        break;
                    }
                    // Now and then it takes their numbers from pushers that are at work.
                    std::thread::sleep(Duration::from_millis(20));
                    match registry.collect_garbage(if round % 8 == 0 { &options } else { &careful }) {
                        Ok(_) => {}
                        Err(error) => {
                            assert!(error.to_string().starts_with("there is no model"), "{error:?}");
                        }
                    }
                }
            });
            let pushers: Vec<_> = packages
                .chunks(6)
                .map(|packages| {
                    let registry = registry.clone();
                    scope.spawn(move || {
                        packages.iter().map(|package| push(&registry, package).version).collect::<Vec<_>>()
                    })
                })
                .collect();
            let numbers = pushers.into_iter().flat_map(|pusher| pusher.join().unwrap()).collect();
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
            collector.join().unwrap();
            numbers
        });
        numbers.sort_unstable();
        let given = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), given, "a number was given twice");
        registry.collect_garbage(&options).unwrap();
        let kept = registry.versions().unwrap();
        assert!((2..=4).contains(&kept.len()), "{kept:?}");
        assert_sound(&registry);
        registry.roll_back(LATEST_BLESSED, None, None).unwrap();
        assert_sound(&registry);
    });
}

#[test]
fn a_push_that_was_cut_short_counts_for_nothing_and_is_finished_by_the_next() {
    on_each(|folder, registry| {
        let registry = registry("registry");
        let (a, b) = (package(folder, "a"), package(folder, "b"));
        push(&registry, &a);
        // After each of its writes: the claim, some files, all of them, the record.
        let claim =
            record::pretty(&record::Claim { digest: b.digest().into(), by: "x".into(), at_seconds: 1 });
        assert!(registry.backend.create(&claim_name(2), &claim.unwrap()).unwrap());
        let writes: [&dyn Fn(); 3] = [
            &|| assert!(registry.backend.create("versions/0002/model.json", b"b").unwrap()),
            &|| {
                let _ = registry.backend.remove(&["versions/0002/model.json".into()]);
                let _ = registry.backend.put("versions/0002", &b).unwrap();
            },
            &|| registry.write_record(2, b.digest(), &passed(&b)).unwrap(),
        ];
        for write in writes {
            write();
            assert_eq!(registry.versions().unwrap(), [1]);
            assert_eq!(registry.alias(LATEST_BLESSED).unwrap(), Some(1));
            assert!(registry.artifact(2).is_err());
        }
        // Another package takes the next number; the same one goes on.
        assert_eq!(push(&registry, &package(folder, "c")).version, 3);
        let pushed = push(&registry, &b);
        assert_eq!((pushed.version, pushed.is_new), (2, true));
        assert_sound(&registry);
    });
}

#[test]
fn garbage_is_what_nothing_leads_to() {
    on_each(|folder, registry| {
        let registry = registry("registry");
        for n in 1..=8 {
            push(&registry, &package(folder, &format!("p{n}")));
        }
        registry.set_alias("shadow", 2, None, Some("to compare"), None).unwrap();
        let claim =
            record::pretty(&record::Claim { digest: "dead".into(), by: "x".into(), at_seconds: 1 }).unwrap();
        assert!(registry.backend.create(&claim_name(9), &claim).unwrap());
        assert!(registry.backend.create("versions/0009/model.json", b"half").unwrap());
        let options = GarbageOptions { keep: 2, rollbacks: 2, dry_run: true, ..GarbageOptions::default() };
        let planned = registry.collect_garbage(&options).unwrap();
        assert_eq!((planned.versions, planned.unfinished), (vec![1, 3, 4, 5], vec![]));
        let options = GarbageOptions { unfinished_after: Duration::ZERO, ..options };
        let planned = registry.collect_garbage(&options).unwrap();
        assert_eq!((&planned.unfinished, &planned.kept), (&vec![9], &vec![2, 6, 7, 8]));
        assert_eq!(registry.versions().unwrap().len(), 8, "a dry run removed something");
        let old = GarbageOptions { older_than: Duration::from_secs(3600), ..options };
        assert_eq!(registry.collect_garbage(&old).unwrap().versions, [0_u64; 0]);

        let done = registry.collect_garbage(&GarbageOptions { dry_run: false, ..options }).unwrap();
        assert_eq!(done, planned);
        assert_eq!(registry.versions().unwrap(), [2, 6, 7, 8]);
        let left = registry.backend.list("").unwrap();
        assert!(!left.iter().any(|listed| number_of(&listed.name, VERSIONS) == Some(5)), "{left:?}");
        assert!(!left.iter().any(|listed| listed.name.contains("0009")), "{left:?}");
        assert_sound(&registry);
        // Numbers are not given again, and what was collected may come back under a new one.
        assert_eq!(push(&registry, &package(folder, "p5")).version, 10);
        for to in [8, 7, 6] {
            assert_eq!(registry.roll_back(LATEST_BLESSED, None, None).unwrap().to, Some(to));
        }
        let error = registry.roll_back(LATEST_BLESSED, None, None).unwrap_err();
        assert!(error.to_string().contains("version 5, where it pointed before, was removed"), "{error}");
        let again = registry.collect_garbage(&GarbageOptions { dry_run: false, ..options }).unwrap();
        assert_eq!((again.versions, again.files, again.kept), (vec![7], 5, vec![2, 6, 8, 10]));
    });
}

#[test]
fn aliases_are_compared_and_set_and_noted() {
    on_each(|folder, registry| {
        let registry = registry("registry");
        for name in ["a", "b"] {
            push(&registry, &package(folder, name));
        }
        let set =
            |alias: &str, version, expected| registry.set_alias(alias, version, expected, Some("why"), None);
        assert_eq!(set("live", 1, Some(None)).unwrap().from, None);
        let error = set("live", 2, Some(None)).unwrap_err();
        assert_eq!(error.to_string(), "alias `live` points at version 1, not at no version");
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert_eq!(set("live", 2, Some(Some(1))).unwrap().from, Some(1));
        assert_eq!(set("live", 3, None).unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(set("2", 1, None).unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(registry.resolve("live").unwrap(), 2);
        assert_eq!(registry.resolve("1").unwrap(), 1);
        assert_eq!(registry.resolve("7").unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(registry.resolve("lve").unwrap_err().hint().unwrap(), "did you mean `live`?");
        assert_eq!(registry.entry(2).unwrap().aliases, ["latest-blessed", "live"]);
        assert!(registry.roll_back("live", Some(Some(1)), None).is_err());
        assert_eq!(registry.roll_back("live", Some(Some(2)), None).unwrap().to, Some(1));
        assert!(registry.remove_alias(LATEST_BLESSED, None, None).is_err());
        assert_eq!(registry.remove_alias("live", None, None).unwrap().from, Some(1));
        assert!(registry.remove_alias("live", None, None).is_err());
        let moves = registry.history().unwrap().moves;
        let of_live: Vec<_> = moves.iter().filter(|made| made.alias == "live").collect();
        assert_eq!(of_live.len(), 4);
        assert_eq!((of_live[0].reason.as_deref(), of_live[3].to), (Some("why"), None));
    });
}

#[test]
fn what_was_rolled_back_is_put_in_force_by_hand_only() {
    on_each(|folder, registry| {
        let registry = registry("registry");
        let (a, b) = (package(folder, "a"), package(folder, "b"));
        push(&registry, &a);
        push(&registry, &b);
        registry.roll_back(LATEST_BLESSED, None, Some("wrong at night")).unwrap();
        let error = registry.push(&b, &passed(&b)).unwrap_err();
        assert!(error.to_string().contains("version 2 of `tips` was rolled back"), "{error}");
        assert!(error.to_string().contains("wrong at night"), "{error}");
        assert_eq!(registry.alias(LATEST_BLESSED).unwrap(), Some(1));
        registry.set_alias(LATEST_BLESSED, 2, None, None, None).unwrap();
        assert!(!push(&registry, &b).is_new);
    });
}

#[test]
fn a_promotion_takes_package_and_verdict_along_and_looks_at_both() {
    on_each(|folder, registry| {
        let (staging, production) = (registry("staging"), registry("production"));
        let (a, b) = (package(folder, "a"), package(folder, "b"));
        push(&production, &b);
        push(&staging, &a);
        let options = PromotionOptions { alias: Some("live".into()), ..PromotionOptions::default() };
        let promoted = promote(&staging, &production, &options).unwrap();
        assert_eq!((promoted.from.version, promoted.pushed.version, promoted.pushed.is_new), (1, 2, true));
        let entry = production.entry(2).unwrap();
        let record = entry.record.unwrap();
        assert_eq!(record.outcome(), Some("pass"));
        assert_eq!(record.promoted_from, Some(promoted.from));
        assert_eq!(entry.aliases, ["latest-blessed", "live"]);
        assert!(!promote(&staging, &production, &options).unwrap().pushed.is_new);
        assert_sound(&production);
        assert!(promote(&staging, &staging, &options).is_err());

        // Without a verdict, with that of another, with one that says no: not without a reason.
        for (name, verdict) in [
            ("c", Value::Null),
            ("d", json!({"outcome": "pass", "candidate_digest": a.digest()})),
            ("e", json!({"outcome": "fail", "candidate_digest": "e"})),
        ] {
            let package = package(folder, name);
            staging.push(&package, &Registration { verdict, ..Registration::default() }).unwrap();
            let error = promote(&staging, &production, &options).unwrap_err();
            assert!(error.to_string().contains("did not pass"), "{error}");
            let version = staging.alias(LATEST_BLESSED).unwrap().unwrap();
            assert!(staging.set_alias(LATEST_BLESSED, version, None, None, None).is_err());
        }
        let forced = PromotionOptions { forced: Some("the old one is worse".into()), ..options };
        let pushed = promote(&staging, &production, &forced).unwrap().pushed;
        let record = production.entry(pushed.version).unwrap().record.unwrap();
        assert_eq!(record.forced.as_deref(), Some("the old one is worse"));

        // A package that was changed is not promoted.
        staging.backend.remove(&["versions/0002/model.json".into()]).unwrap();
        staging.backend.create("versions/0002/model.json", b"changed").unwrap();
        let of_2 = PromotionOptions { version: Some("2".into()), ..forced };
        let error = promote(&staging, &production, &of_2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(error.to_string().contains("model.json` is damaged"), "{error}");
        assert!(!error.to_string().contains("sluice-"), "a temporary folder is named: {error}");
    });
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in ["", "..", "a/b", ".hidden", "name with spaces"] {
        assert!(Registry::in_folder("registry", name).is_err(), "{name}");
    }
    assert!(Registry::open("ftp://host/registry", "tips", &Cancel::default()).is_err());
}

#[test]
fn damage_is_told_and_nothing_is_written_over_it() {
    on_each(|folder, registry| {
        let registry = registry("registry");
        let (a, b) = (package(folder, "a"), package(folder, "b"));
        push(&registry, &a);
        let index = registry.backend.read(INDEX_FILE).unwrap().unwrap();
        let write = |text: &str| {
            let there = registry.backend.read(INDEX_FILE).unwrap().unwrap();
            assert!(registry.backend.replace(INDEX_FILE, text.as_bytes(), &there.tag).unwrap());
        };
        for (text, kind) in [("{", ErrorKind::Malformed), ("{\"$format\": 3, \"live\": 1}", ErrorKind::Usage)]
        {
            write(text);
            for error in [
                registry.latest_blessed().unwrap_err(),
                registry.push(&b, &passed(&b)).unwrap_err(),
                registry.roll_back(LATEST_BLESSED, None, None).unwrap_err(),
                registry.collect_garbage(&GarbageOptions::default()).unwrap_err(),
            ] {
                assert_eq!(error.kind(), kind, "{error}");
                assert!(error.to_string().contains("aliases.json"), "{error}");
            }
            assert_eq!(registry.backend.read(INDEX_FILE).unwrap().unwrap().bytes, text.as_bytes());
        }
        write(std::str::from_utf8(&index.bytes).unwrap());
        // Another package at the place of a version.
        let manifest = fs::read(b.path("manifest.json")).unwrap();
        registry
            .backend
            .remove(&[
                "versions/0001/manifest.json".into(),
                "versions/0001/model.json".into(),
                "versions/0001/deep/weights.bin".into(),
            ])
            .unwrap();
        assert!(registry.artifact(1).unwrap_err().to_string().contains("is missing"));
        for (name, bytes) in [
            ("manifest.json", &manifest),
            ("model.json", &b"b".to_vec()),
            ("deep/weights.bin", &"b".repeat(1000).into_bytes()),
        ] {
            registry.backend.create(&format!("versions/0001/{name}"), bytes).unwrap();
        }
        let error = registry.artifact(1).unwrap_err();
        assert!(error.to_string().contains("is not the one that was registered as version 1"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Malformed);
        // A record of another version.
        registry.backend.remove(&[record_name(1)]).unwrap();
        registry.write_record(1, a.digest(), &passed(&a)).unwrap();
        let record = registry.backend.read(&record_name(1)).unwrap().unwrap();
        let text = String::from_utf8(record.bytes).unwrap().replace("\"version\": 1", "\"version\": 2");
        assert!(registry.backend.replace(&record_name(1), text.as_bytes(), &record.tag).unwrap());
        assert!(registry.entries().unwrap_err().to_string().contains("0001.json` is damaged"));
    });
}

/// What versions of the program wrote that noted neither moves nor digests in `aliases.json`.
mod earlier {
    use super::*;

    /// A registry as they left it, with records of `complete` and packages of all.
    fn earlier(folder: &Path, aliased: Option<u64>, complete: &[u64]) -> Registry {
        let registry = Registry::in_folder(folder.join("registry"), "tips").unwrap();
        for version in 1..=3_u64 {
            let package = package(folder, &format!("p{version}"));
            let target = folder.join("registry/tips").join(version_folder(version));
            package.copy_to(&target).unwrap();
            if complete.contains(&version) {
                let record = json!({"version": version, "digest": package.digest(), "pushed_at_seconds": version,
                    "verdict": {"outcome": "pass", "candidate_digest": package.digest()}});
                fs::write(target.with_extension("json"), record.to_string()).unwrap();
            }
        }
        if let Some(version) = aliased {
            let text = json!({LATEST_BLESSED: version}).to_string();
            fs::write(folder.join("registry/tips/aliases.json"), text).unwrap();
        }
        registry
    }

    #[test]
    fn is_read_as_it_is_and_can_be_rolled_back() {
        let folder = tempfile::tempdir().unwrap();
        let registry = earlier(folder.path(), Some(3), &[1, 2, 3]);
        assert_eq!(registry.versions().unwrap(), [1, 2, 3]);
        assert_eq!(registry.alias(LATEST_BLESSED).unwrap(), Some(3));
        let text = fs::read_to_string(folder.path().join("registry/tips/aliases.json")).unwrap();
        assert_eq!(text, r#"{"latest-blessed":3}"#, "reading wrote");
        assert_eq!(registry.roll_back(LATEST_BLESSED, None, None).unwrap().to, Some(2));
        assert_eq!(registry.roll_back(LATEST_BLESSED, None, None).unwrap().to, Some(1));
        assert!(!push(&registry, &package(folder.path(), "p1")).is_new);
        assert_eq!(push(&registry, &package(folder.path(), "p4")).version, 4);
        assert_sound(&registry);
    }

    #[test]
    fn a_push_that_was_cut_short_leaves_the_alias_in_force() {
        let folder = tempfile::tempdir().unwrap();
        // Before its alias was moved, and after: the alias made it a version.
        let registry = earlier(folder.path(), Some(1), &[1, 2]);
        assert_eq!(registry.versions().unwrap(), [1, 2]);
        let folder = tempfile::tempdir().unwrap();
        let registry = earlier(folder.path(), Some(3), &[1, 2]);
        assert_eq!(registry.versions().unwrap(), [1, 2, 3]);
        let again = push(&registry, &package(folder.path(), "p3"));
        assert_eq!((again.version, again.is_new), (3, false));
        assert_sound(&registry);
        // The very first.
        let folder = tempfile::tempdir().unwrap();
        let registry = earlier(folder.path(), None, &[]);
        assert!(registry.latest_blessed().unwrap().is_none());
        assert_eq!(registry.versions().unwrap(), [0_u64; 0]);
        assert_eq!(push(&registry, &package(folder.path(), "p1")).version, 4);
        assert_sound(&registry);
    }

    #[test]
    fn without_its_alias_file_a_registry_that_has_versions_is_damaged_not_empty() {
        let folder = tempfile::tempdir().unwrap();
        let registry = earlier(folder.path(), None, &[1, 2]);
        let error = registry.latest_blessed().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(error.hint().unwrap().contains("sluice registry alias"), "{error:?}");
        registry.set_alias(LATEST_BLESSED, 2, None, None, None).unwrap();
        assert_eq!(registry.alias(LATEST_BLESSED).unwrap(), Some(2));
        // So is one of today.
        fs::remove_file(folder.path().join("registry/tips/aliases.json")).unwrap();
        assert!(registry.latest_blessed().is_err());
    }

    #[test]
    fn an_alias_of_a_version_that_is_gone_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let registry = earlier(folder.path(), Some(7), &[1, 2, 3]);
        let error = registry.latest_blessed().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(error.to_string().contains("version 7 of `tips` is missing"), "{error}");
    }
}

/// A place that writes whatever it is told, as stores do that do not know the headers.
#[derive(Debug, Default)]
struct Careless {
    objects: std::sync::Mutex<BTreeMap<String, Vec<u8>>>,
    knows_absent: bool,
    knows_tags: bool,
}

impl Backend for Careless {
    fn place(&self, name: &str) -> String {
        name.into()
    }

    fn prepare(&self) -> Result<()> {
        backend::try_conditions(self, "probe")
    }

    fn read(&self, name: &str) -> Result<Option<backend::Stored>> {
        let bytes = self.objects.lock().unwrap().get(name).cloned();
        let tag = |bytes: &[u8]| backend::Tag(sluice_core::artifact::hex_digest(bytes));
        Ok(bytes.map(|bytes| backend::Stored { tag: tag(&bytes), bytes }))
    }

    fn read_all(&self, names: &[String]) -> Result<Vec<Option<backend::Stored>>> {
        names.iter().map(|name| self.read(name)).collect()
    }

    fn list(&self, _folder: &str) -> Result<Vec<backend::Listed>> {
        Ok(Vec::new())
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        let mut objects = self.objects.lock().unwrap();
        let is_done = !self.knows_absent || !objects.contains_key(name);
        if is_done {
            objects.insert(name.into(), bytes.to_vec());
        }
        Ok(is_done)
    }

    fn replace(&self, name: &str, bytes: &[u8], expected: &backend::Tag) -> Result<bool> {
        let is_done = !self.knows_tags || self.read(name)?.is_some_and(|stored| stored.tag == *expected);
        if is_done {
            self.objects.lock().unwrap().insert(name.into(), bytes.to_vec());
        }
        Ok(is_done)
    }

    fn put(&self, _folder: &str, _package: &Artifact) -> Result<backend::Put> {
        panic!("a package was written without conditions")
    }

    fn fetch(&self, _folder: &str) -> Result<Option<backend::Fetched>> {
        Ok(None)
    }

    fn remove(&self, _names: &[String]) -> Result<()> {
        Ok(())
    }

    fn sweep(&self) -> Result<usize> {
        Ok(0)
    }
}

#[test]
fn a_store_that_does_not_keep_to_conditions_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let package = package(folder.path(), "a");
    for (knows_absent, knows_tags, condition) in
        [(false, false, "`If-None-Match`"), (false, true, "`If-None-Match`"), (true, false, "`If-Match`")]
    {
        let backend = Arc::new(Careless { knows_absent, knows_tags, ..Careless::default() });
        let registry =
            Registry { backend: Arc::<Careless>::clone(&backend), place: "p".into(), name: "m".into() };
        let error = registry.push(&package, &passed(&package)).unwrap_err();
        assert!(error.to_string().contains(condition), "{error}");
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert_eq!(backend.objects.lock().unwrap().keys().collect::<Vec<_>>(), ["probe"]);
    }
    let careful = Careless { knows_absent: true, knows_tags: true, ..Careless::default() };
    careful.prepare().unwrap();
    careful.prepare().unwrap();
}

//! The registry from outside: two environments, a rollback, garbage; and many processes at one registry, some
//! of them killed, after which everything that is listed opens and no number was given twice.

use std::collections::BTreeMap;
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Place, diabetes_changed, files, outcome};

/// Models that passed, in `made0`, `made1`, …; as arguments that register them as `m`.
fn pushes(place: &Place, count: usize, registry: &str) -> Vec<Vec<String>> {
    (0..count)
        .map(|number| {
            let out = format!("made{number}");
            if !place.path(&out).exists() {
                let alpha = format!("alpha: 0.4{number}");
                let file = diabetes_changed(place, &format!("{number}.yaml"), "alpha: 0.4", &alpha);
                let _ = place.sluice(&["run", &file, "--out", &out]).exits(0);
            }
            let (model, evaluation) =
                (format!("{out}/runs/0001/model"), format!("{out}/runs/0001/evaluation"));
            ["push", &model, "--evaluation", &evaluation, "--registry", registry, "--name", "m"]
                .map(str::to_owned)
                .to_vec()
        })
        .collect()
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// What is listed, after each version was opened.
#[track_caller]
fn listed(place: &Place, registry: &str) -> Vec<Value> {
    let list = place.sluice(&["registry", "list", registry, "m", "--verify", "--json"]).exits(0).json();
    list.as_array().unwrap().clone()
}

fn latest(place: &Place, registry: &str) -> Value {
    place.json(&format!("{registry}/m/aliases.json"))["latest-blessed"].clone()
}

#[test]
fn from_staging_to_production_and_back() {
    let place = Place::new();
    for push in pushes(&place, 3, "staging") {
        let _ = place.sluice(&words(&push)).exits(0);
    }
    let registry = |arguments: &[&str]| place.sluice(&[&["registry"], arguments].concat());
    let _ = registry(&["list", "staging"]).exits(0).says(&["m", "3"]);
    let _ = registry(&["list", "staging", "m"]).exits(0).says(&["latest-blessed", "pass"]);
    let shown = registry(&["show", "staging", "m", "2", "--verify"]).exits(0);
    let _ = shown.says(&["staging/m/versions/0002", "pass, no-baseline, 89 rows", "push"]);
    // Compare and set.
    let _ = registry(&["alias", "staging", "m", "shadow", "2", "--expect", "none"]).exits(0);
    let lost = registry(&["alias", "staging", "m", "shadow", "3", "--expect", "1"]);
    place.assert_failure(&lost, 2, &["alias `shadow` points at version 2, not at version 1", "hint: "]);
    // Promotion: what was verified goes, with its verdict.
    let promote = ["promote", "staging", "production", "m"];
    let _ =
        registry(&[&promote[..], &["shadow", "--alias", "live"]].concat()).exits(0).says(&["is version 1"]);
    let _ = registry(&promote).exits(0).says(&["version 3 of staging is version 2 in production/m/"]);
    let _ = registry(&promote).exits(0).says(&["is already version 2"]);
    let production = listed(&place, "production");
    assert_eq!(production[1]["record"]["promoted_from"]["version"], 3);
    assert_eq!(production[1]["record"]["verdict"]["outcome"], "pass");
    assert_eq!(production[0]["aliases"], serde_json::json!(["live"]));
    // A rollback holds, also against a push of what was rolled back.
    let _ = registry(&["rollback", "staging", "m", "--reason", "wrong at night"]).exits(0);
    let again = place.sluice(&words(&pushes(&place, 3, "staging")[2]));
    assert_eq!(again.code, Some(2), "{again:#?}");
    assert!(again.stderr.contains("version 3 of `m` was rolled back"), "{again:#?}");
    assert!(again.stderr.contains("wrong at night"), "{again:#?}");
    assert_eq!(latest(&place, "staging"), 2);
    let _ = registry(&["rollback", "staging", "m"]).exits(0);
    place.assert_failure(&registry(&["rollback", "staging", "m"]), 2, &["it has only pointed at version 1"]);
    let _ = registry(&["show", "staging", "m"]).exits(0).says(&["rollback", "wrong at night", "@"]);
    // Nothing leads to version 3 now, but it is the newest.
    let gc = ["gc", "staging", "m", "--keep", "1", "--rollbacks", "0"];
    let _ = registry(&[&gc[..], &["--dry-run"]].concat()).exits(0).says(&["would remove versions none"]);
    let _ = registry(&["alias", "staging", "m", "shadow", "--remove"]).exits(0);
    let _ = registry(&gc).exits(0).says(&["removed versions 2,", "kept versions 1, 3"]);
    assert!(!place.path("staging/m/versions/0002").exists());
    place.is_tidy();
}

#[test]
fn what_is_wrong_is_told_and_stays_as_it_is() {
    let place = Place::new();
    let push = pushes(&place, 2, "registry");
    let _ = place.sluice(&words(&push[0])).exits(0);
    let registry = |arguments: &[&str]| place.sluice(&[&["registry"], arguments].concat());
    let before = files(&place.path("registry"));
    let unchanged = || assert!(files(&place.path("registry")) == before, "the registry was changed");
    for (arguments, code, part) in [
        (&["list", "nowhere"][..], 3, "`nowhere`"),
        (&["show", "registry", "other"], 2, "there is no model `other`"),
        (&["show", "registry", "m", "7"], 2, "has no version 7"),
        (&["show", "registry", "m", "last-blessed"], 2, "did you mean `latest-blessed`?"),
        (&["alias", "registry", "m", "live", "7"], 2, "has no version 7"),
        (&["alias", "registry", "m", "7", "1"], 2, "cannot be the name of an alias"),
        (&["alias", "registry", "m", "latest-blessed", "--remove"], 2, "cannot be removed"),
        (&["promote", "registry", "./registry", "m"], 2, "cannot be promoted to itself"),
        (&["gc", "registry", "--keep", "0"], 2, "--keep"),
        (&["gc", "registry", "--older-than", "30"], 2, "30d"),
        (&["list", "ftp://host/registry", "m"], 2, "`ftp"),
        (&["alias", "registry", "../m", "live", "1"], 2, "cannot be the name of a model"),
    ] {
        place.assert_failure(&registry(arguments), code, &[part]);
        unchanged();
    }
    place.write("file", "no folder");
    let mut to_file = push[0].clone();
    to_file[5] = "file".into();
    place.assert_failure(&place.sluice(&words(&to_file)), 3, &["`file/m", "hint: "]);
    let aliases = fs_err::read_to_string(place.path("registry/m/aliases.json")).unwrap();
    for (text, code, part) in [("{", 4, "is damaged"), ("{\"$format\": 9}", 2, "has format 9")] {
        place.write("registry/m/aliases.json", text);
        for arguments in [&words(&push[1])[..], &["registry", "rollback", "registry", "m"]] {
            place.assert_failure(
                &place.sluice(arguments),
                code,
                &["registry/m/aliases.json", part, "hint: "],
            );
        }
        assert_eq!(fs_err::read_to_string(place.path("registry/m/aliases.json")).unwrap(), text);
    }
    place.write("registry/m/aliases.json", &aliases);
    // A package that is whole, but is another than was registered.
    fs_err::remove_dir_all(place.path("registry/m/versions/0001")).unwrap();
    let lost = registry(&["show", "registry", "m", "1", "--verify"]);
    place.assert_failure(&lost, 4, &["the package of version 1 of `m` is missing", "hint: "]);
    copy(&place, "made1/runs/0001/model/", "registry/m/versions/0001");
    let other = registry(&["list", "registry", "m", "--verify"]);
    place.assert_failure(&other, 4, &["is not the one that was registered as version 1", "hint: "]);
    let baseline = ["run", "0.yaml", "--out", "made0", "--from", "evaluate"];
    let of_run = "made0/registry/diabetes/versions/0001";
    fs_err::remove_dir_all(place.path(of_run)).unwrap();
    copy(&place, "made1/runs/0001/model/", of_run);
    let outcome = place.sluice(&baseline);
    assert_eq!(outcome.code, Some(4), "{outcome:#?}");
    assert!(outcome.stderr.contains("is not the one that was registered as version 1"), "{outcome:#?}");
}

fn copy(place: &Place, from: &str, to: &str) {
    let copied = Command::new("cp").arg("-rL").arg(place.path(from)).arg(place.path(to)).status().unwrap();
    assert!(copied.success());
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

const ROUNDS: usize = 12;

/// Commands of one round: pushes into both registries, promotions, moves of aliases, collections.
fn round(dice: &mut Dice, staging: &[Vec<String>], production: &[Vec<String>]) -> Vec<Vec<String>> {
    let pick = |dice: &mut Dice, of: &[Vec<String>]| {
        of[usize::try_from(dice.below(of.len() as u64)).unwrap()].clone()
    };
    let text = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<String>>();
    vec![
        pick(dice, staging),
        pick(dice, staging),
        pick(dice, production),
        pick(dice, production),
        text("registry promote staging production m --force again --alias live"),
        text(&format!("registry alias production m live {}", 1 + dice.below(6))),
        text("registry rollback production m --alias live"),
        text("registry gc production m --keep 1 --rollbacks 1 --unfinished-after 0s"),
        text("registry gc production m --keep 2 --rollbacks 0 --unfinished-after 0s"),
    ]
}

#[test]
fn many_processes_at_one_registry_of_which_some_are_killed() {
    let place = Place::new();
    let (staging, production) = (pushes(&place, 4, "staging"), pushes(&place, 4, "production"));
    let _ = place.sluice(&words(&staging[0])).exits(0);
    let _ = place.sluice(&words(&production[0])).exits(0);
    let mut dice = Dice(7);
    // Number to digest, by registry, of all that was ever seen.
    let mut seen: BTreeMap<(&str, u64), String> = BTreeMap::new();
    let (mut killed, mut done) = (0, 0);
    for number in 0..ROUNDS {
        let mut running: Vec<Child> = round(&mut dice, &staging, &production)
            .iter()
            .map(|command| place.command(&words(command)).spawn().unwrap())
            .collect();
        for child in &mut running {
            // Every second round goes to its end undisturbed.
            if number % 2 == 0 && dice.below(2) == 0 {
                std::thread::sleep(Duration::from_millis(dice.below(15)));
                child.kill().unwrap();
            }
        }
        for (index, child) in running.into_iter().enumerate() {
            let outcome = outcome(&child.wait_with_output().unwrap());
            match outcome.code {
                None => killed += 1,
                Some(0) => done += 1,
                // What an alias points at may have been collected, rolled back or never have been.
                Some(2) => assert!(index >= 2, "{outcome:#?}"),
                code => panic!("{code:?}: {outcome:#?}"),
            }
            assert!(!outcome.stderr.contains("panicked"), "{outcome:#?}");
        }
        for registry in ["staging", "production"] {
            let versions = listed(&place, registry);
            let mut digests: BTreeMap<String, u64> = BTreeMap::new();
            for entry in &versions {
                let (version, digest) =
                    (entry["version"].as_u64().unwrap(), entry["digest"].as_str().unwrap());
                let before = seen.insert((registry, version), digest.into());
                assert!(before.is_none_or(|before| before == digest), "{registry} gave {version} twice");
                assert_eq!(entry["record"]["digest"], digest);
                assert_eq!(digests.insert(digest.into(), version), None, "registered twice: {versions:#?}");
            }
            let aliases = place.json(&format!("{registry}/m/aliases.json"));
            for (alias, version) in
                aliases.as_object().unwrap().iter().filter(|(key, _)| !key.starts_with('$'))
            {
                let is_there = versions.iter().any(|entry| entry["version"] == *version);
                assert!(is_there, "`{alias}` points at nothing: {aliases:#}");
            }
        }
    }
    assert!(killed >= 5 && done > 3 * ROUNDS, "{killed} were killed, {done} came to their end");
    for registry in ["staging", "production"] {
        let gc = ["registry", "gc", registry, "m", "--unfinished-after", "0s"];
        let _ = place.sluice(&gc).exits(0);
        for entry in fs_err::read_dir(place.path(&format!("{registry}/m/versions"))).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let number: u64 = name.split('.').next().unwrap().parse().unwrap();
            let is_listed = listed(&place, registry).iter().any(|version| version["version"] == number);
            assert!(is_listed, "`{name}` is left behind");
        }
    }
    place.is_tidy();
}

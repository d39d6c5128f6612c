//! The two commands of the README are the ones that the continuous check runs.

use sluice_testkit::datasets::repository;

fn text(name: &str) -> String {
    fs_err::read_to_string(repository().join(name)).unwrap()
}

const COMMANDS: [&str; 2] = ["cargo run -- run datasets/diabetes/pipeline.yaml", "cargo test"];

#[test]
fn the_readme_has_both_commands_on_lines_of_their_own() {
    let readme = text("README.md");
    for command in COMMANDS {
        let stands = readme.lines().any(|line| line.trim().trim_start_matches("$ ").starts_with(command));
        assert!(stands, "README.md lacks {command:?}");
    }
}

#[test]
fn the_check_runs_both_commands() {
    // `--locked` and where the output goes are the check's own.
    let check = text(".ci/run").replace(" --locked", "");
    for command in COMMANDS {
        assert!(check.lines().any(|line| line.trim().starts_with(command)), ".ci/run lacks {command:?}");
    }
}

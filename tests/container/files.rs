//! The files that ship the components: component.yaml is what the commands say, and the image finds what it copies.

use sluice_testkit::datasets::repository;

use super::COMPONENTS;
use crate::support::{Place, files};

#[test]
fn the_component_files_are_what_the_commands_say() {
    let place = Place::new();
    let _ = place.sluice(&["components", "--out", "components", "--quiet"]).exits(0);
    let written = files(&place.path("components"));
    assert_eq!(written.len(), COMPONENTS.len());
    for (name, bytes) in written {
        let checked_in = fs_err::read(repository().join("components").join(&name)).unwrap_or_default();
        assert!(
            checked_in == bytes,
            "components/{name} is not what the commands say; run: cargo run -- components --out components"
        );
    }
}

#[test]
fn the_image_of_whoever_deploys_stands_in_the_files() {
    let place = Place::new();
    let arguments = ["components", "--out", "files", "--image", "registry.example.org/sluice:7", "--json"];
    let outcome = place.sluice(&arguments).exits(0);
    assert_eq!(outcome.json().as_array().unwrap().len(), COMPONENTS.len());
    let text = fs_err::read_to_string(place.path("files/train/component.yaml")).unwrap();
    assert!(text.contains("image: \"registry.example.org/sluice:7\""), "{text}");
    // Required options are required, others are not; types and defaults are the parser's.
    assert!(text.contains(
        "- name: dataset\n  type: Dataset\n  description: \"A data set made by `ingest`\"\n- name"
    ));
    assert!(text.contains("- name: alpha\n  type: Float\n"), "{text}");
    let text = fs_err::read_to_string(place.path("files/push/component.yaml")).unwrap();
    let registry = "description: \"The registry: a folder, or a URL (`s3://`, `gs://`, `az://`)\"\n- name";
    assert!(text.contains(&format!("- name: registry\n  type: String\n  {registry}")), "{text}");
    let text = fs_err::read_to_string(place.path("files/validate/component.yaml")).unwrap();
    assert!(text.contains("  default: \"warning\"\n  optional: true\n"), "{text}");
}

/// The words of the instructions of one kind.
fn instructions(dockerfile: &str, kind: &str) -> Vec<Vec<String>> {
    let joined = dockerfile.replace("\\\n", " ");
    let lines = joined.lines().filter(|line| line.starts_with(&format!("{kind} ")));
    lines.map(|line| line.split_whitespace().skip(1).map(str::to_owned).collect()).collect()
}

#[test]
fn the_image_copies_what_is_there_and_runs_as_nobody() {
    let dockerfile = fs_err::read_to_string(repository().join("components/Dockerfile")).unwrap();
    let ignored = fs_err::read_to_string(repository().join(".dockerignore")).unwrap();
    let let_in: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let mut sources = 0;
    for words in instructions(&dockerfile, "COPY") {
        if words.iter().any(|word| word.starts_with("--from=")) {
            continue;
        }
        for source in words[..words.len() - 1].iter().filter(|word| !word.starts_with("--")) {
            assert!(repository().join(source).exists(), "`{source}` is not in the repository");
            assert!(let_in.contains(&source.as_str()), ".dockerignore does not let `{source}` in");
            sources += 1;
        }
    }
    assert!(sources >= 5, "only {sources} sources");
    assert_eq!(instructions(&dockerfile, "ENTRYPOINT"), [[r#"["/sluice"]"#]]);
    // A number, since Kubernetes cannot tell whether a name is root.
    assert_eq!(instructions(&dockerfile, "USER"), [["65532:65532"]]);
    let toolchain = fs_err::read_to_string(repository().join("rust-toolchain.toml")).unwrap();
    let version = toolchain.split('"').nth(1).unwrap().to_owned();
    let bases = instructions(&dockerfile, "FROM");
    assert!(
        bases[0][0].starts_with(&format!("rust:{version}")),
        "{bases:?} builds with another compiler than {version}"
    );
    let package = env!("CARGO_PKG_VERSION");
    assert!(
        dockerfile.contains(&format!("org.opencontainers.image.version=\"{package}\"")),
        "the label has another version"
    );
}

/// The libraries that the binary asks for are those that the base image has: distroless/cc is glibc and libgcc.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn the_base_image_has_every_library_of_the_binary() {
    // `ldd` is a part of glibc, so it is where such a binary runs.
    let output = std::process::Command::new("ldd").arg(env!("CARGO_BIN_EXE_sluice")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let known = [
        "linux-vdso",
        "ld-linux",
        "libc.so",
        "libm.so",
        "libgcc_s.so",
        "libpthread.so",
        "libdl.so",
        "librt.so",
    ];
    let libraries: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(|path| path.rsplit('/').next().unwrap_or(path))
        .collect();
    assert!(libraries.iter().any(|name| name.starts_with("libc.so")), "{text}");
    for library in libraries {
        assert!(
            known.iter().any(|name| library.starts_with(name)),
            "`{library}` is not in the base image: {text}"
        );
    }
}

/// As the image runs it: a user without rights, in a folder that it may not write, with nowhere for temporary files.
#[test]
#[cfg(unix)]
fn a_user_without_rights_needs_nothing_but_the_outputs() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    const NOBODY: u32 = 65_532;
    let place = Place::new();
    let allow = |name: &str, mode: u32| {
        let permissions = std::fs::Permissions::from_mode(mode);
        fs_err::set_permissions(place.path(name), permissions).unwrap();
    };
    fs_err::create_dir(place.path("mounted")).unwrap();
    // The build folder may be closed to others; a link costs nothing, where the file system has it.
    let program = place.path("sluice");
    if fs_err::hard_link(env!("CARGO_BIN_EXE_sluice"), &program).is_err() {
        fs_err::copy(env!("CARGO_BIN_EXE_sluice"), &program).unwrap();
    }
    place.write("rows.csv", &fs_err::read_to_string(crate::support::diabetes("diabetes.csv")).unwrap());
    let text = fs_err::read_to_string(crate::support::diabetes("pipeline.yaml")).unwrap();
    let text = text.replace("diabetes.csv", "rows.csv");
    let mounted = place.path("mounted").display().to_string();
    let task = super::Task::new(&place, "run")
        .parameter("pipeline", text)
        .parameter("out", format!("{mounted}/out"));
    let input =
        task.input.to_string().replace(&place.path("task").display().to_string(), &format!("{mounted}/task"));
    allow("mounted", 0o777);
    allow("", 0o555);
    let mut command = std::process::Command::new(&program);
    command.args(["run", "--executor-input", &input]).current_dir(place.path(".")).env_clear();
    command.env("TMPDIR", "/nonexistent");
    // Only root may become somebody else; whoever else runs the tests has no rights here already.
    let is_root = fs_err::write(place.path("probe"), "").is_ok();
    if is_root {
        fs_err::remove_file(place.path("probe")).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().unwrap();
    allow("", 0o755);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer = place.json("mounted/task/run/out/executor_output.json");
    assert_eq!(answer["parameterValues"]["blessing"], "BLESSED");
    let mut left: Vec<String> = fs_err::read_dir(place.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    left.sort_unstable();
    assert_eq!(left, ["mounted", "rows.csv", "sluice"]);
}

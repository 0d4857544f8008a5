//! What users read when something is wrong: one line that names the thing and the reason,
//! on stderr and in the log, with runc's exit status.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::sandbox::{Caller, runsk};

/// A directory that goes away.
pub(crate) struct Dir(pub(crate) PathBuf);

impl Dir {
    fn new(test: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("runsk-{test}-{}", std::process::id()));
        fs::create_dir_all(dir.join("rootfs")).expect("directory");
        Dir(dir.canonicalize().expect("path"))
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("text").to_owned()
    }

    /// A bundle whose configuration is runsk's template, changed.
    pub(crate) fn bundle(test: &str, change: impl FnOnce(&mut serde_json::Value)) -> Self {
        let dir = Dir::new(test);
        let made = runsk(Caller::Root)
            .arg("spec")
            .arg("-b")
            .arg(&dir.0)
            .status();
        assert!(made.expect("runsk").success());
        let file = dir.path("config.json");
        let text = fs::read_to_string(&file).expect("config.json");
        let mut config = serde_json::from_str(&text).expect("JSON");
        change(&mut config);
        fs::write(&file, config.to_string()).expect("config.json");
        dir
    }

    fn run(&self) -> Output {
        output(runsk(Caller::Root).args(["run", "-b"]).arg(&self.0))
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn output(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().expect("runsk")
}

/// The one line that was said.
fn complaint(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).expect("text");
    assert!(output.stdout.is_empty());
    let line = text
        .strip_prefix("runsk: ")
        .and_then(|line| line.strip_suffix('\n'));
    let line = line.unwrap_or_else(|| panic!("{text:?}"));
    assert!(!line.contains('\n'), "{text}");
    line.to_owned()
}

fn arguments(args: &[&str]) -> (Option<i32>, String) {
    let output = output(runsk(Caller::Root).args(args));
    (output.status.code(), complaint(&output))
}

#[test]
fn arguments_that_are_wrong() {
    let dir = Dir::new("arguments");
    let root = dir.0.to_str().expect("text");
    let config = dir.path("config.json");
    for (args, code, expected) in [
        (&["--frob"][..], 1, "unexpected argument '--frob' found"),
        (&["frob"], 3, "unrecognized subcommand 'frob'"),
        (&["run", "a", "b"], 1, "unexpected argument 'b' found"),
        (&["run", "a/b"], 1, "invalid container ID \"a/b\""),
        (
            &["run", "-b", "/nonexistent"],
            1,
            "bundle /nonexistent: No such file or directory",
        ),
        (
            &["run", "-b", "/etc/passwd"],
            1,
            "bundle /etc/passwd: Not a directory",
        ),
        (
            &["run", "-b", root],
            1,
            &format!("{config} does not exist: make one with \"runsk spec\""),
        ),
        (
            &["--platform", "frob", "run"],
            1,
            "'frob' for '--platform <NAME>' [possible values: auto, systrap, ptrace, kvm]",
        ),
        (
            &["--log-format", "xml", "run"],
            1,
            "[possible values: text, json]",
        ),
        (
            &["--log", "/nonexistent/log", "run"],
            1,
            "log file /nonexistent/log: No such file",
        ),
        (&["do"], 1, "<COMMAND>"),
        (
            &["do", "--cwd", "/nonexistent", "true"],
            1,
            "--cwd /nonexistent: No such file",
        ),
        (&["do", "--user", "me", "true"], 1, "\"me\" is not a number"),
        (
            &["spec", "-b", "/nonexistent"],
            1,
            "/nonexistent/config.json: No such file",
        ),
    ] {
        let (status, line) = arguments(args);
        assert_eq!(status, Some(code), "{args:?}: {line}");
        assert!(line.contains(expected), "{args:?}: {line}");
    }
}

#[test]
fn bundles_that_are_wrong() {
    type Change = fn(&mut serde_json::Value);
    let cases: [(&str, Change, &str); 4] = [
        (
            "rootfs",
            |c| c["root"]["path"] = "none".into(),
            "root.path: ",
        ),
        (
            "args",
            |c| c["process"]["args"] = serde_json::json!([]),
            "process.args is empty",
        ),
        (
            "mount",
            |c| c["mounts"][0]["type"] = "ext4".into(),
            "mount /proc: file system type \"ext4\"",
        ),
        (
            "shape",
            |c| c["process"] = 5.into(),
            "is not a configuration: invalid type",
        ),
    ];
    for (test, change, expected) in cases {
        let dir = Dir::bundle(test, change);
        let output = dir.run();
        let line = complaint(&output);
        assert_eq!(output.status.code(), Some(1));
        assert!(line.starts_with(&dir.path("config.json")), "{line}");
        assert!(line.contains(expected), "{line}");
        let left: Vec<_> = fs::read_dir(&dir.0).expect("bundle").collect();
        assert_eq!(left.len(), 2, "only config.json and rootfs");
    }
}

#[test]
fn programs_that_cannot_run() {
    use std::os::unix::fs::PermissionsExt;
    let cases: [(&str, &[u8], u32, &str); 5] = [
        ("garbage", b"\x7fELFgarbage", 0o755, "exec format error"),
        ("text", b"no program\n", 0o755, "exec format error"),
        (
            "script",
            b"#!/nonexistent\n",
            0o755,
            "no such file or directory",
        ),
        ("data", b"\x7fELF", 0o644, "permission denied"),
        ("missing", b"", 0, "no such file or directory"),
    ];
    for (name, contents, mode, reason) in cases {
        let dir = Dir::bundle(name, |c| {
            c["process"]["terminal"] = false.into();
            c["process"]["args"] = serde_json::json!([format!("/{name}")]);
        });
        let program = dir.0.join("rootfs").join(name);
        if mode != 0 {
            fs::write(&program, contents).expect("program");
            fs::set_permissions(&program, fs::Permissions::from_mode(mode)).expect("mode");
        }
        let log = dir.path("log");
        let output = output(
            runsk(Caller::Root)
                .args(["--log", &log, "run", "-b"])
                .arg(&dir.0),
        );
        let line = complaint(&output);
        assert_eq!(line, format!("exec: \"/{name}\": {reason}"));
        assert_eq!(output.status.code(), Some(1));
        let logged = fs::read_to_string(&log).expect("log");
        assert!(
            logged.lines().last().is_some_and(|l| l.contains(reason)),
            "{logged}"
        );
    }
}

#[test]
fn a_json_log_has_the_error_as_its_last_line() {
    let dir = Dir::new("log");
    let log = dir.path("log.json");
    let flags = ["--log", &log, "--log-format", "json"];
    let missing = output(
        runsk(Caller::Root)
            .args(flags)
            .args(["run", "-b"])
            .arg(&dir.0),
    );
    let unknown = output(runsk(Caller::Root).args(flags).arg("--frob"));
    let text = fs::read_to_string(&log).expect("log");
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 2, "{text}");
    for (line, output) in lines.iter().zip([missing, unknown]) {
        assert_eq!(line["level"], "error");
        assert_eq!(line["msg"], complaint(&output));
        let time = line["time"].as_str().expect("time");
        assert!(time.len() == 20 && time.ends_with('Z') && time.as_bytes()[10] == b'T');
    }
}

#[test]
fn the_log_exists_even_if_there_is_nothing_to_say() {
    let dir = Dir::new("quiet");
    let log = dir.path("log");
    let said = output(runsk(Caller::Root).args(["--log", &log, "--version"]));
    assert!(said.status.success());
    assert_eq!(fs::read(Path::new(&log)).expect("log"), b"");
}

#[test]
fn spec_does_not_overwrite() {
    let dir = Dir::bundle("spec", |_| {});
    let again = output(runsk(Caller::Root).args(["spec", "-b"]).arg(&dir.0));
    assert_eq!(again.status.code(), Some(1));
    assert!(complaint(&again).contains("config.json exists"));
}

#[test]
fn the_parts_are_not_started_by_hand() {
    use std::os::unix::process::CommandExt;
    for name in ["runsk-sentry", "runsk-gofer"] {
        let mut command = runsk(Caller::Root);
        let output = output(command.arg0(name));
        assert_eq!(output.status.code(), Some(1));
        assert!(complaint(&output).contains("not started by hand"));
    }
}

#[test]
fn a_pod_without_its_sandbox() {
    let annotated = |kind: &str, sandbox: Option<&str>| {
        let dir = Dir::bundle("pod", |config| {
            config["process"]["terminal"] = false.into();
            config["annotations"] = serde_json::json!({ "io.kubernetes.cri.container-type": kind });
            if let Some(id) = sandbox {
                config["annotations"]["io.kubernetes.cri.sandbox-id"] = id.into();
            }
        });
        let state = dir.path("state");
        let mut create = runsk(Caller::Root);
        create.args(["--root", &state, "create", "-b"]).arg(&dir.0);
        let output = output(create.arg("member"));
        assert_eq!(output.status.code(), Some(1));
        // Nothing is left of it.
        assert_eq!(fs::read_dir(&state).map_or(0, Iterator::count), 0);
        complaint(&output)
    };
    let said = annotated("container", Some("nobody"));
    assert!(
        said.contains("the sandbox nobody of container member: container nobody does not exist")
    );
    let said = annotated("container", Some("../x"));
    assert!(said.contains("invalid container ID \"../x\""), "{said}");
    let said = annotated("container", None);
    assert!(said.contains("sandbox-id names no sandbox"), "{said}");
    let said = annotated("pony", None);
    assert!(
        said.contains("is neither \"sandbox\" nor \"container\""),
        "{said}"
    );
}

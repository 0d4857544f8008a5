//! Commands for the machine that the runtime is installed on.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const RUNSK: &str = env!("CARGO_BIN_EXE_runsk");

struct Machine {
    _dir: tempfile::TempDir,
    docker: PathBuf,
    containerd: PathBuf,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Machine {
            docker: dir.path().join("docker/daemon.json"),
            containerd: dir.path().join("containerd/config.toml"),
            _dir: dir,
        }
    }

    fn install(&self, flags: &[&str]) -> Output {
        let mut command = Command::new(RUNSK);
        command.arg("install").arg("--docker").arg(&self.docker);
        command
            .arg("--containerd")
            .arg(&self.containerd)
            .args(flags);
        command.output().expect("runsk")
    }
}

fn run(args: &[&str]) -> Output {
    Command::new(RUNSK).args(args).output().expect("runsk")
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn installed_twice_and_taken_out_twice() {
    let machine = Machine::new();
    let text = |path: &Path| fs::read_to_string(path).expect("a file");
    assert_eq!(
        said(&machine.install(&[])).matches("was added to").count(),
        2
    );
    let docker: serde_json::Value = serde_json::from_str(&text(&machine.docker)).expect("JSON");
    let path = docker["runtimes"]["runsk"]["path"]
        .as_str()
        .expect("a path");
    assert!(Path::new(path).is_absolute(), "{path}");
    assert!(text(&machine.containerd).contains("io.containerd.runsk.v1"));
    let inode = |path: &Path| fs::metadata(path).expect("a file").ino();
    let before = (inode(&machine.docker), inode(&machine.containerd));
    let again = said(&machine.install(&[]));
    assert_eq!(again.matches("already").count(), 2, "{again}");
    assert_eq!(
        before,
        (inode(&machine.docker), inode(&machine.containerd)),
        "untouched"
    );
    let removed = said(&machine.install(&["--remove"]));
    assert_eq!(removed.matches("was taken out of").count(), 2, "{removed}");
    assert_eq!(text(&machine.docker), "{}\n");
    assert_eq!(text(&machine.containerd), "version = 2\n");
    let again = said(&machine.install(&["--remove"]));
    assert_eq!(again.matches("is not in").count(), 2, "{again}");
}

#[test]
fn mode_and_links_stay() {
    let machine = Machine::new();
    let dir = machine.docker.parent().expect("a parent");
    fs::create_dir(dir).expect("mkdir");
    let real = dir.join("real.json");
    fs::write(&real, "{\"debug\": true}").expect("write");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).expect("chmod");
    symlink("real.json", &machine.docker).expect("symlink");
    said(&machine.install(&[]));
    assert!(machine.docker.is_symlink());
    assert_eq!(fs::metadata(&real).expect("a file").mode() & 0o777, 0o600);
    let text = fs::read_to_string(&real).expect("a file");
    assert!(text.starts_with("{\n    \"debug\": true,"), "{text}");
}

#[test]
fn what_makes_no_sense_is_left_alone() {
    let machine = Machine::new();
    fs::create_dir(machine.docker.parent().expect("a parent")).expect("mkdir");
    fs::write(&machine.docker, "{ broken").expect("write");
    let output = machine.install(&[]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("daemon.json: it is not a JSON object"),
        "{stderr}"
    );
    assert_eq!(
        fs::read_to_string(&machine.docker).expect("a file"),
        "{ broken"
    );
}

#[test]
fn completions_and_manuals() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = said(&run(&["completions", shell]));
        assert!(text.contains("runsk") && text.contains("pause"), "{shell}");
    }
    assert!(!run(&["completions", "cobol"]).status.success());
    let dir = tempfile::tempdir().expect("a directory");
    let pages = dir.path().join("man1");
    said(&run(&["man", pages.to_str().expect("text")]));
    let page = fs::read_to_string(pages.join("runsk-exec.1")).expect("a page");
    assert!(
        page.contains(".TH runsk-exec 1") && page.contains("console"),
        "{page}"
    );
    assert!(pages.join("runsk.1").exists());
    assert!(!pages.join("runsk-restore.1").exists(), "it is hidden");
}

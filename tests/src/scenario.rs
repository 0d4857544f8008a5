//! Scenarios: shell scripts that use a runtime as its callers do. What a script prints with
//! runc is what it must print with runsk. Where runc itself leaves it to chance, a file
//! `NAME.expected` beside the script says what must be printed, and runc is not asked.
//!
//! A script finds its tools in `tests/oci/lib.sh`: `$RT` is the runtime with a state directory
//! of its own, `bundle` makes bundles, `docker` and others talk to a daemon that was started
//! for the script alone. `$SERVERS` is a Debian root with servers, made where it is named. A
//! script runs as the first process of a pid namespace, with mounts of its own: nothing of it
//! survives.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use similar::TextDiff;

use crate::roots::{self, Root};
use crate::{again, debian, workspace};

/// Longer than any script takes, seconds.
const GUARD: &str = "120";

/// One script.
#[derive(Debug)]
struct Scenario {
    name: String,
    script: PathBuf,
}

impl Scenario {
    /// What the script prints with this runtime, and what it leaves behind.
    fn run(&self, kind: &str, runtime: &Path, testkit: &str) -> Result<String, String> {
        let dir = workspace::work_dir().join("scenarios").join(format!(
            "{}-{kind}-{}",
            self.name,
            std::process::id()
        ));
        let shown = dir.display().to_string();
        fs::create_dir_all(&dir).map_err(|e| format!("{shown}: {e}"))?;
        let root = roots::base(Root::Busybox)?;
        let script = fs::read_to_string(&self.script).map_err(|e| format!("{}: {e}", self.name))?;
        // Built before the script's time begins.
        let servers = if script.contains("$SERVERS") {
            debian::servers()?
        } else {
            PathBuf::new()
        };
        let output = Command::new("timeout")
            .args([
                "-k",
                "5",
                GUARD,
                "unshare",
                "-m",
                "-p",
                "-f",
                "--mount-proc",
            ])
            .args(["--mount-proc", "--propagation", "private", "bash", "-u"])
            .arg(&self.script)
            .current_dir(&dir)
            .env("LIB", workspace::top().join("tests/oci/lib.sh"))
            .env("RUNTIME", runtime)
            .env("KIND", kind)
            .env("BASE", root)
            .env("SERVERS", servers)
            .env("TESTKIT", testkit)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("unshare: {e}"))?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            text.push_str(&format!("the script: {}\n", output.status));
        }
        let left = fs::read_dir(dir.join("state"))
            .into_iter()
            .flatten()
            .flatten();
        for entry in left {
            text.push_str(&format!("left behind: {}\n", entry.path().display()));
        }
        // For people: it is not compared.
        let said = String::from_utf8_lossy(&output.stderr);
        if std::env::var_os("RUNSK_KEEP").is_none() {
            let _ = fs::remove_dir_all(&dir);
        } else {
            eprintln!("{} with {kind}:\n{text}\n{said}", self.name);
        }
        Ok(text)
    }

    fn check(&self, testkit: &str) -> Result<(), String> {
        let ours = self.run("runsk", &workspace::runsk()?, testkit)?;
        let stated = self.script.with_extension("expected");
        let (name, theirs) = if stated.exists() {
            let shown = stated.display().to_string();
            let text = fs::read_to_string(&stated).map_err(|e| format!("{shown}: {e}"))?;
            ("expected", text)
        } else {
            ("runc", self.run("runc", Path::new("runc"), testkit)?)
        };
        if ours == theirs {
            return Ok(());
        }
        let diff = TextDiff::from_lines(&theirs, &ours);
        let diff = diff.unified_diff().header(name, "runsk").to_string();
        Err(diff)
    }
}

/// Runs all scripts as the program that `cargo test` started.
#[must_use]
pub fn main(testkit: &'static str) -> ExitCode {
    let arguments = Arguments::from_args();
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root && !arguments.list {
        eprintln!("SKIPPED: runtimes are run as root");
    }
    let dir = workspace::top().join("tests/oci");
    let scripts = match fs::read_dir(&dir) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()),
        Err(error) => {
            eprintln!("{}: {error}", dir.display());
            return ExitCode::FAILURE;
        }
    };
    let name = |path: &Path| path.file_stem().map(|n| n.to_string_lossy().into_owned());
    let mut scenarios: Vec<_> = scripts
        .filter(|path| path.extension().is_some_and(|ext| ext == "sh"))
        .filter_map(|script| {
            Some(Scenario {
                name: name(&script)?,
                script,
            })
        })
        .filter(|scenario| scenario.name != "lib")
        .collect();
    scenarios.sort_by(|a, b| a.name.cmp(&b.name));
    let trials = scenarios.into_iter().map(Arc::new).map(|scenario| {
        let this = Arc::clone(&scenario);
        let check = move || again::check(&this.name, || this.check(testkit)).map_err(Failed::from);
        Trial::test(scenario.name.clone(), check).with_ignored_flag(!is_root)
    });
    let conclusion = again::run(&arguments, trials.collect());
    conclusion.exit_code()
}

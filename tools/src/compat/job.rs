//! One run of one test.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::case::Case;

/// Where a test runs.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Native,
    Sandbox,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Place::Native => "native",
            Place::Sandbox => "sandbox",
        }
    }
}

/// How a test ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Passed,
    Skipped,
    /// With this exit status; 128+n for signal n.
    Failed(i32),
    /// Not at all, within its time.
    Hung,
}

impl End {
    /// As the reports have it.
    pub(super) fn word(self) -> String {
        match self {
            End::Passed => "passed".to_owned(),
            End::Skipped => "skipped".to_owned(),
            End::Failed(status) => format!("failed {status}"),
            End::Hung => "hung".to_owned(),
        }
    }

    /// What [`Self::word`] says.
    pub(super) fn parse(word: &str) -> Option<Self> {
        match word.split_once(' ') {
            Some(("failed", status)) => status.parse().ok().map(End::Failed),
            None if word == "passed" => Some(End::Passed),
            None if word == "skipped" => Some(End::Skipped),
            None if word == "hung" => Some(End::Hung),
            _ => None,
        }
    }

    /// Exit statuses 32 (Linux Test Project) and 77 (automake), and googletest's word.
    fn of(status: ExitStatus, output: &str) -> Self {
        let code = status
            .code()
            .or(status.signal().map(|n| 128 + n))
            .unwrap_or(-1);
        match code {
            0 if output.contains("[  SKIPPED ]") && !output.contains("[       OK ]") => {
                End::Skipped
            }
            0 => End::Passed,
            32 | 77 => End::Skipped,
            code => End::Failed(code),
        }
    }
}

/// How all tests are run.
pub(super) struct Jobs {
    pub(super) runsk: PathBuf,
    pub(super) platform: String,
    pub(super) path: Vec<PathBuf>,
    pub(super) env: Vec<String>,
    pub(super) limit: Duration,
    pub(super) logs: Option<PathBuf>,
}

impl Jobs {
    /// Runs a test in a directory of its own, which is gone afterwards.
    pub(super) fn run(&self, case: &Case, place: Place) -> Result<End, String> {
        let dir = std::env::temp_dir().join(format!(
            "compat-{}-{}-{}",
            std::process::id(),
            case.name,
            place.name()
        ));
        let told = |e: std::io::Error| format!("{}: {e}", dir.display());
        fs::create_dir_all(&dir).map_err(told)?;
        let log = self.log(case, place);
        let _ = log.parent().map(fs::create_dir_all);
        let output = File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let errors = output.try_clone().map_err(told)?;
        let mut command = self.command(place, &case.command);
        let child = command
            .current_dir(&dir)
            .env("TMPDIR", &dir)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(|e| format!("{}: {e}", command.get_program().display()))?;
        let end = match wait(child, self.limit)? {
            Some(status) => End::of(status, &text(&log)),
            None => End::Hung,
        };
        let _ = fs::remove_dir_all(&dir);
        Ok(end)
    }

    fn command(&self, place: Place, line: &str) -> Command {
        let mut command = match place {
            Place::Native => {
                let mut command = Command::new("unshare");
                command.args(["--mount", "--ipc", "--pid", "--fork", "--kill-child"]);
                command.args(["--mount-proc", "--propagation", "private"]);
                command
            }
            Place::Sandbox => {
                let mut command = Command::new(&self.runsk);
                command.args(["--platform", &self.platform, "do"]);
                command
            }
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = self
            .path
            .iter()
            .cloned()
            .chain(std::env::split_paths(&path));
        if let Ok(path) = std::env::join_paths(path) {
            command.env("PATH", path);
        }
        let variables = self.env.iter().filter_map(|pair| pair.split_once('='));
        command.envs(variables);
        command.args(["--", "sh", "-c", line]);
        command
    }

    fn log(&self, case: &Case, place: Place) -> PathBuf {
        let dir = self.logs.clone().unwrap_or_else(scratch);
        dir.join(format!("{}.{}", case.name, place.name()))
    }

    /// Removes what the test printed, unless it is to be kept.
    pub(super) fn tidy(&self, case: &Case, keep: bool) {
        if keep && self.logs.is_some() {
            return;
        }
        for place in [Place::Native, Place::Sandbox] {
            let _ = fs::remove_file(self.log(case, place));
        }
    }
}

/// Where the output of tests goes that is not kept.
fn scratch() -> PathBuf {
    std::env::temp_dir().join(format!("compat-{}", std::process::id()))
}

impl Drop for Jobs {
    fn drop(&mut self) {
        let _ = fs::remove_dir(scratch());
    }
}

fn text(log: &PathBuf) -> String {
    let mut bytes = Vec::new();
    let end = File::open(log).map(|file| file.take(1 << 20).read_to_end(&mut bytes));
    drop(end);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits for the end; `None` if the time is over: then the process group is killed.
fn wait(mut child: Child, limit: Duration) -> Result<Option<ExitStatus>, String> {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        match child.try_wait().map_err(|e| format!("wait: {e}"))? {
            Some(status) => return Ok(Some(status)),
            None if Instant::now() > deadline => break,
            None => std::thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(50));
    }
    if let Ok(pid) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
    child.wait().map_err(|e| format!("wait: {e}"))?;
    Ok(None)
}

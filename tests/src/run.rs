//! One run of one program on one side.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::bundle::{self, Process};
use crate::roots::{self, Root, View};
use crate::supervise::{End, Report};
use crate::workspace;

/// Where a program runs.
#[derive(Clone, Debug)]
pub enum Side {
    /// On the host's kernel, in namespaces and another root.
    Native,
    /// Under runsk, on this platform.
    Sandbox(String),
}

/// What is run.
#[derive(Clone, Debug)]
pub struct Job {
    /// The directory it runs over.
    pub root: Root,
    /// A static program to put at `/guest`, for [`Root::Program`].
    pub guest: Option<PathBuf>,
    /// What runsk is told besides.
    pub flags: &'static [&'static str],
    /// The process.
    pub process: Process,
    /// Its standard input.
    pub stdin: Vec<u8>,
    /// The exit status it has natively.
    pub exits: i32,
    /// When it counts as hung.
    pub guard: Duration,
}

/// What a run did.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub end: End,
    /// What it left behind, which must be nothing: processes, mounts, files.
    pub leftovers: Vec<String>,
    /// The end of runsk's own log.
    pub log: String,
    /// How many lines the whole has.
    pub log_lines: usize,
}

/// Path of the helper binary, set once by the suite.
static TESTKIT: OnceLock<PathBuf> = OnceLock::new();

/// Says where the helper binary is.
pub fn use_testkit(path: &str) {
    let _ = TESTKIT.set(PathBuf::from(path));
}

/// Runs `job` on `side` over a fresh view of its root.
///
/// # Errors
/// Trouble of the harness itself; what the program did, however bad, is an [`Outcome`].
pub fn run(job: &Job, side: &Side) -> Result<Outcome, String> {
    let dir = RunDir::new()?;
    let bundle = dir.path.join("bundle");
    let rootfs = bundle.join(bundle::ROOTFS);
    fs::create_dir_all(&bundle).map_err(|e| format!("{}: {e}", bundle.display()))?;
    let base = roots::base(job.root)?;
    let view = match job.root {
        Root::Program => View::copy(&base, &rootfs)?,
        Root::Debian | Root::Busybox => View::overlay(&base, &rootfs, &dir.path.join("scratch"))?,
    };
    if let Some(guest) = &job.guest {
        fs::copy(guest, rootfs.join("guest")).map_err(|e| format!("{}: {e}", guest.display()))?;
    }
    bundle::write(&bundle, &bundle::config(&job.process))?;

    let outcome = supervised(job, &command(job, side, &dir.path, &bundle)?, &dir.path);
    drop(view);
    outcome
}

/// The command that runs the bundle, and with it the words to ask runsk for more in a failing
/// case: `RUNSK_FLAGS="--debug --strace"`.
fn command(job: &Job, side: &Side, dir: &Path, bundle: &Path) -> Result<Vec<String>, String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    match side {
        Side::Native => Ok(vec![text(testkit()?), "native".into(), text(bundle)]),
        Side::Sandbox(platform) => {
            let mut command = vec![text(&workspace::runsk()?)];
            command.extend(["--root".into(), text(&dir.join("state"))]);
            command.extend(["--log".into(), text(&dir.join("log"))]);
            command.extend(["--platform".into(), platform.clone()]);
            command.extend(job.flags.iter().map(|&flag| flag.to_owned()));
            let more = std::env::var("RUNSK_FLAGS").unwrap_or_default();
            command.extend(more.split_whitespace().map(str::to_owned));
            command.extend(["run".into(), "--bundle".into(), text(bundle)]);
            command.push(format!(
                "test-{}",
                dir.file_name().unwrap_or_default().to_string_lossy()
            ));
            Ok(command)
        }
    }
}

fn testkit() -> Result<&'static Path, String> {
    TESTKIT
        .get()
        .map(PathBuf::as_path)
        .ok_or_else(|| "the suite named no testkit".to_owned())
}

fn supervised(job: &Job, command: &[String], dir: &Path) -> Result<Outcome, String> {
    let report = dir.join("report.json");
    let mounts = mount_points();
    let mut child = Command::new(testkit()?)
        .arg("supervise")
        .arg("--guard-seconds")
        .arg(job.guard.as_secs().to_string())
        .arg("--report")
        .arg(&report)
        .arg("--")
        .args(command)
        .env("TMPDIR", dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("testkit: {e}"))?;

    let stdout = reader(child.stdout.take());
    let stderr = reader(child.stderr.take());
    let stdin = child.stdin.take();
    let input = job.stdin.clone();
    // A program that does not read its input is no error.
    let writer = thread::spawn(move || stdin.map(|mut to| to.write_all(&input)));
    child.wait().map_err(|e| format!("testkit: {e}"))?;
    let _ = writer.join();
    let (stdout, stderr) = (joined(stdout), joined(stderr));

    let report: Report = File::open(&report)
        .map_err(|e| e.to_string())
        .and_then(|file| serde_json::from_reader(file).map_err(|e| e.to_string()))
        .map_err(|e| format!("no report ({e}): {}", String::from_utf8_lossy(&stderr)))?;
    let mut leftovers: Vec<String> = report
        .processes
        .iter()
        .map(|process| format!("process {process}"))
        .collect();
    leftovers.extend(
        mount_points()
            .difference(&mounts)
            .map(|at| format!("mount {at}")),
    );
    leftovers.extend(left_files(dir));
    let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
    Ok(Outcome {
        stdout,
        stderr,
        end: report.end,
        leftovers,
        log: last_lines(&log, 20),
        log_lines: log.lines().count(),
    })
}

fn reader<R: Read + Send + 'static>(from: Option<R>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            // What came before an error is the output.
            let _ = from.read_to_end(&mut bytes);
        }
        bytes
    })
}

fn joined(thread: thread::JoinHandle<Vec<u8>>) -> Vec<u8> {
    thread.join().unwrap_or_default()
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// Mount points outside the directories of other runs, which come and go meanwhile.
fn mount_points() -> BTreeSet<String> {
    let runs = runs_dir().to_string_lossy().into_owned();
    fs::read_to_string("/proc/self/mountinfo")
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .filter(|at| !at.starts_with(&runs))
        .map(str::to_owned)
        .collect()
}

/// What runsk should have removed: its state of this container, temporary files, mounts.
fn left_files(dir: &Path) -> Vec<String> {
    let ours = ["bundle", "scratch", "log", "report.json", "state"];
    let entries = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten();
    let mut left: Vec<String> = entries(dir)
        .filter(|entry| !ours.iter().any(|&name| entry.file_name() == name))
        .chain(entries(&dir.join("state")))
        .map(|entry| format!("file {}", entry.path().display()))
        .collect();
    let inside = format!("{}/", dir.join("bundle").join(bundle::ROOTFS).display());
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    left.extend(
        table
            .lines()
            .filter_map(|line| line.split(' ').nth(4))
            .filter(|at| at.starts_with(&inside))
            .map(|at| format!("mount {at}")),
    );
    left
}

fn runs_dir() -> PathBuf {
    workspace::work_dir().join("runs")
}

/// The directory of one run, removed afterwards unless `RUNSK_KEEP` is set.
struct RunDir {
    path: PathBuf,
}

impl RunDir {
    fn new() -> Result<RunDir, String> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = runs_dir().join(name);
        fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(RunDir { path })
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        if std::env::var_os("RUNSK_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

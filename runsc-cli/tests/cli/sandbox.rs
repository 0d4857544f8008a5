//! A sandbox that runs, to be looked at from outside.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// Who starts the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    Root,
    Ordinary,
}

/// An ordinary user, if the tests run as root.
const ORDINARY: u32 = 12345;
pub(crate) const ORDINARY_TEXT: &str = "12345";

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Sandbox {
    pub(crate) cli: Child,
    pub(crate) sentry: i32,
    pub(crate) gofer: i32,
}

impl Sandbox {
    /// Starts `runsk do sleep` and waits until both filters are in place.
    pub(crate) fn start(caller: Caller) -> Self {
        let cli = runsk(caller)
            .args(["do", "sleep", "60"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("runsk");
        let pid = cli.id();
        let find = |name: &str| wait_for(|| locked_child(pid, name));
        let (sentry, gofer) = (find("runsk-sentry"), find("runsk-gofer"));
        Sandbox { cli, sentry, gofer }
    }

    /// Waits for the command line's end: its exit status and what it said.
    pub(crate) fn finish(mut self) -> (Option<i32>, String) {
        let mut said = String::new();
        let mut stderr = self.cli.stderr.take().expect("stderr");
        stderr.read_to_string(&mut said).expect("text");
        let status = self.cli.wait().expect("wait");
        (status.code(), said)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.cli.kill();
        let _ = self.cli.wait();
    }
}

pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The program, run by `caller`, from a place that every user can reach.
pub(crate) fn runsk(caller: Caller) -> Command {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    let program = COPY.get_or_init(copy_program);
    let mut command = Command::new(program);
    command.current_dir("/");
    if caller == Caller::Ordinary && is_root() {
        use std::os::unix::process::CommandExt;
        command.uid(ORDINARY).gid(ORDINARY);
    }
    command
}

/// One copy for all test runs of a user.
fn copy_program() -> PathBuf {
    let user = nix::unistd::geteuid();
    let dir = std::env::temp_dir().join(format!("runsk-test-{user}"));
    fs::create_dir_all(&dir).expect("directory");
    fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).expect("mode");
    let (new, copy) = (
        dir.join(format!("runsk-{}", std::process::id())),
        dir.join("runsk"),
    );
    fs::copy(env!("CARGO_BIN_EXE_runsk"), &new).expect("copy");
    // Over one that runs.
    fs::rename(&new, &copy).expect("rename");
    copy
}

pub(crate) fn kill(pid: i32) {
    nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL).expect("kill");
}

/// Waits until a process has ended (its parent may be slow to collect it).
pub(crate) fn gone(pid: i32) {
    wait_for(|| match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.contains(") Z ").then_some(()),
        Err(_) => Some(()),
    });
}

pub(crate) fn locked_child(parent: u32, name: &str) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    let is_ours = |pid: &&str| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline"));
        line.is_ok_and(|line| line.starts_with(name))
    };
    let pid = children.split_whitespace().find(is_ours)?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.contains("Seccomp:\t2").then_some(())?;
    pid.parse().ok()
}

pub(crate) fn wait_for<T>(mut what: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = what() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "it does not happen");
        sleep(Duration::from_millis(5));
    }
}

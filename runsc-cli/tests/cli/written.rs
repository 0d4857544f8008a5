//! What a program has written is on the host when its container has ended, however it ends.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::errors::Dir;
use crate::sandbox::{self, Caller, runsk};

const BUSYBOX: &str = "/bin/busybox";
/// Writes three mebibytes that the host has not seen yet, and says so.
const WRITE: &str = "yes runsk | head -c 3145728 > /data/file; echo written > /data/said";

/// A container on a root of its own that runs `WRITE` and then `command`.
struct Written {
    bundle: Dir,
    id: String,
}

impl Written {
    fn new(test: &str, command: &str) -> Self {
        let bundle = Dir::bundle(test, |config| {
            config["process"]["terminal"] = json!(false);
            let script = format!("{WRITE}; {command}");
            config["process"]["args"] = json!([BUSYBOX, "sh", "-c", script]);
            config["process"]["env"] = json!(["PATH=/bin"]);
            config["root"] = json!({ "path": "rootfs", "readonly": false });
            config["mounts"] = json!([]);
            config["linux"]["resources"] = json!({});
        });
        let root = bundle.0.join("rootfs");
        for dir in ["bin", "data"] {
            fs::create_dir_all(root.join(dir)).expect("directory");
        }
        for applet in ["busybox", "yes", "head", "sleep", "sh"] {
            fs::copy(BUSYBOX, root.join("bin").join(applet)).expect("busybox");
        }
        let id = format!("runsk-{test}-{}", std::process::id());
        Written { bundle, id }
    }

    fn start(&self) -> Child {
        let mut command = runsk(Caller::Root);
        command
            .args(["run", "-b"])
            .arg(&self.bundle.0)
            .arg(&self.id);
        command.stdin(Stdio::null()).spawn().expect("runsk")
    }

    fn data(&self, name: &str) -> std::path::PathBuf {
        self.bundle.0.join("rootfs/data").join(name)
    }

    /// Waits until the program has written all; it goes on.
    fn wait_until_written(&self, cli: &mut Child) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.data("said").exists() {
            let ended = cli.try_wait().expect("wait");
            assert!(ended.is_none() && Instant::now() < deadline, "{ended:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
        // Its name is there before its line is.
        std::thread::sleep(Duration::from_millis(200));
    }

    #[track_caller]
    fn is_whole(&self) {
        let expected: String = "runsk\n".repeat(3_145_728 / 6);
        let found = fs::read_to_string(self.data("file")).expect("the file");
        assert_eq!(found.len(), expected.len());
        assert!(found == expected, "other bytes");
        assert_eq!(
            fs::read_to_string(self.data("said")).expect("said"),
            "written\n"
        );
    }
}

fn can_run() -> bool {
    let can = sandbox::is_root() && Path::new(BUSYBOX).exists();
    if !can {
        eprintln!("SKIPPED: needs root and {BUSYBOX}");
    }
    can
}

#[test]
fn when_the_program_ends() {
    if !can_run() {
        return;
    }
    let container = Written::new("written-exit", "exit 3");
    let status = container.start().wait().expect("wait");
    assert_eq!(status.code(), Some(3));
    container.is_whole();
}

#[test]
fn when_the_command_is_told_to_end() {
    if !can_run() {
        return;
    }
    let loops = "trap 'exit 4' TERM; while :; do sleep 0.1; done";
    let container = Written::new("written-term", loops);
    let mut cli = container.start();
    container.wait_until_written(&mut cli);
    let pid = Pid::from_raw(i32::try_from(cli.id()).expect("pid"));
    kill(pid, Signal::SIGTERM).expect("kill");
    assert_eq!(cli.wait().expect("wait").code(), Some(4));
    container.is_whole();
}

#[test]
fn when_the_container_is_killed() {
    if !can_run() {
        return;
    }
    let container = Written::new("written-kill", "sleep 60");
    let mut cli = container.start();
    container.wait_until_written(&mut cli);
    let mut order: Command = runsk(Caller::Root);
    let killed = order.arg("kill").arg(&container.id).arg("KILL").status();
    assert!(killed.expect("runsk kill").success());
    assert_eq!(cli.wait().expect("wait").code(), Some(137));
    container.is_whole();
}

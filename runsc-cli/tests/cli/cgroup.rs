//! The container's cgroup on the host: who is in it, what it limits, that it goes away.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::errors::Dir;
use crate::sandbox::{self, Caller, locked_child, runsk, wait_for};

/// A container that runs.
struct Container {
    cli: Child,
    sentry: i32,
    gofer: i32,
    _bundle: Dir,
}

impl Container {
    /// Runs a shell command on the host's files, with these resources.
    fn start(test: &str, command: &str, resources: &Value) -> Self {
        let bundle = bundle(test, command, resources);
        let cli = runsk(Caller::Root)
            .args(["run", "--overlay", "-b"])
            .arg(&bundle.0)
            .arg(id(test))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("runsk");
        let find = |name: &str| wait_for(|| locked_child(cli.id(), name));
        let (sentry, gofer) = (find("runsk-sentry"), find("runsk-gofer"));
        Container {
            cli,
            sentry,
            gofer,
            _bundle: bundle,
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // The command line cleans up. It is not reaped yet, so the id is still its child's.
        if let Ok(None) = self.cli.try_wait() {
            let _ = kill(Pid::from_raw(self.sentry), Signal::SIGKILL);
        }
        let _ = self.cli.wait();
    }
}

fn id(test: &str) -> String {
    format!("runsk-{test}-{}", std::process::id())
}

fn bundle(test: &str, command: &str, resources: &Value) -> Dir {
    Dir::bundle(test, |config| {
        config["root"] = json!({ "path": "/" });
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["/bin/sh", "-c", command]);
        config["linux"]["resources"] = resources.clone();
    })
}

/// The directories of the groups that are called `id`, in all hierarchies.
fn groups(id: &str) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts");
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (at, kind) = (fields.next()?, fields.next()?);
        kind.starts_with("cgroup").then(|| Path::new(at).join(id))
    });
    mounts.filter(|dir| dir.is_dir()).collect()
}

/// A file of the group, wherever its controller is.
fn value(id: &str, names: [&str; 2]) -> String {
    let files = groups(id).into_iter();
    let files = files.flat_map(|dir| names.map(|name| dir.join(name)));
    let text = files
        .filter_map(|file| fs::read_to_string(file).ok())
        .next();
    text.expect("a file of the group").trim().to_owned()
}

fn members(dir: &Path) -> BTreeSet<i32> {
    let text = fs::read_to_string(dir.join("cgroup.procs")).expect("cgroup.procs");
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// All that come from a process.
fn descendants(pid: i32, all: &mut BTreeSet<i32>) {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten();
    for task in tasks.flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|c| c.parse().ok()) {
            if all.insert(child) {
                descendants(child, all);
            }
        }
    }
}

#[test]
fn every_process_is_in_it() {
    if !sandbox::is_root() {
        return;
    }
    let resources = json!({
        "memory": { "limit": 100 << 20 },
        "pids": { "limit": 64 },
        "cpu": { "quota": 150_000, "period": 100_000 },
    });
    let container = Container::start("members", "sleep 60 & sleep 60", &resources);
    let id = id("members");
    let groups = groups(&id);
    assert!(!groups.is_empty());
    let all = wait_for(|| {
        let mut all = BTreeSet::new();
        descendants(container.cli.id().cast_signed(), &mut all);
        // Sentry, Gofer, and one for each of the three programs at least.
        (all.len() >= 5).then_some(all)
    });
    assert!(all.contains(&container.sentry) && all.contains(&container.gofer));
    for dir in &groups {
        let members = members(dir);
        let missing: Vec<_> = all.difference(&members).collect();
        assert!(missing.is_empty(), "{missing:?} not in {}", dir.display());
        assert!(!members.contains(&container.cli.id().cast_signed()));
    }
    let limit = value(&id, ["memory.limit_in_bytes", "memory.max"]);
    assert_eq!(limit, (100 << 20).to_string());
    let quota = value(&id, ["cpu.cfs_quota_us", "cpu.max"]);
    assert_eq!(quota.split(' ').next(), Some("150000"));
    // Three of the host's for each of the container's, and the sandbox's own.
    assert_eq!(value(&id, ["pids.max", "pids.max"]), "256");
}

fn ask(args: &[&str]) -> String {
    let output = runsk(Caller::Root).args(args).output().expect("runsk");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn limits_change_while_it_runs() {
    if !sandbox::is_root() {
        return;
    }
    let resources = json!({ "memory": { "limit": 100 << 20 }, "pids": { "limit": 20 } });
    let _container = Container::start("changed", "exec sleep 60", &resources);
    let id = id("changed");
    wait_for(|| ask(&["state", &id]).contains("running").then_some(()));
    ask(&[
        "update",
        "--memory",
        "150m",
        "--pids-limit",
        "30",
        "--cpu-quota",
        "70000",
        &id,
    ]);
    let limit = value(&id, ["memory.limit_in_bytes", "memory.max"]);
    assert_eq!(limit, (150 << 20).to_string());
    let inside = ask(&[
        "exec",
        &id,
        "/bin/sh",
        "-c",
        "cd /sys/fs/cgroup; cat memory.max pids.max cpu.max",
    ]);
    assert_eq!(inside, "157286400\n30\n70000 100000\n");

    let event: Value = serde_json::from_str(&ask(&["events", "--stats", &id])).expect("JSON");
    assert_eq!(event["type"], "stats");
    assert_eq!(event["data"]["memory"]["usage"]["limit"], 150 << 20);
    assert_eq!(event["data"]["pids"]["limit"], 30);
    assert_eq!(event["data"]["pids"]["current"], 1);
    assert!(event["data"]["cpu"]["usage"]["total"].as_u64() > Some(0));
    let metrics = ask(&["metrics", &id]);
    for line in [
        format!("runsk_memory_limit_bytes{{id=\"{id}\"}} 157286400\n"),
        format!("runsk_tasks{{id=\"{id}\"}} 1\n"),
    ] {
        assert!(metrics.contains(&line), "{metrics}");
    }
    assert!(metrics.ends_with("# EOF\n"));
    let text = ask(&["debug", &id]);
    for part in ["Sentry: process ", "1 \"sleep\"", " fd 0: ", "cgroup2"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

/// The host's kernel has nothing to do: the container's ends what takes too much before.
#[test]
fn the_host_s_limit_is_not_reached() {
    if !sandbox::is_root() {
        return;
    }
    let program = "x = []\nwhile True: x.append(b'x' * (1 << 20))";
    let command = format!("for i in 1 2 3; do python3 -c \"{program}\"; done; sleep 60");
    let resources = json!({ "memory": { "limit": 96 << 20 } });
    let container = Container::start("unreached", &command, &resources);
    let id = id("unreached");
    let oom_kills = wait_for(|| {
        let metrics = ask(&["metrics", &id]);
        let own = format!("runsk_oom_kills_total{{id=\"{id}\"}} 3\n");
        metrics.contains(&own).then_some(metrics)
    });
    let host = format!("runsk_host_oom_kills_total{{id=\"{id}\"}} 0\n");
    assert!(oom_kills.contains(&host), "{oom_kills}");
    let files = groups(&id)
        .into_iter()
        .map(|dir| dir.join("memory.failcnt"));
    let failures = files
        .filter_map(|file| fs::read_to_string(file).ok())
        .next();
    assert_eq!(failures.as_deref().map(str::trim).unwrap_or("0"), "0");
    drop(container);
}

#[test]
fn it_is_gone_at_the_end() {
    if !sandbox::is_root() {
        return;
    }
    let bundle = bundle("gone", "exit 7", &json!({}));
    let id = id("gone");
    let run = runsk(Caller::Root)
        .args(["run", "--overlay", "-b"])
        .arg(&bundle.0)
        .arg(&id)
        .stdin(Stdio::null())
        .status();
    assert_eq!(run.expect("runsk").code(), Some(7));
    assert_eq!(groups(&id), Vec::<PathBuf>::new());
}

#[test]
fn it_is_gone_when_the_sandbox_was_killed() {
    if !sandbox::is_root() {
        return;
    }
    for who in ["Sentry", "Gofer"] {
        let test = format!("killed-{who}");
        let mut container = Container::start(&test, "sleep 60 & sleep 60", &json!({}));
        assert!(!groups(&id(&test)).is_empty());
        let pid = match who {
            "Sentry" => container.sentry,
            _ => container.gofer,
        };
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("kill");
        assert_eq!(container.cli.wait().expect("wait").code(), Some(1));
        assert_eq!(groups(&id(&test)), Vec::<PathBuf>::new(), "{who}");
    }
}

#[test]
fn delete_removes_what_a_killed_command_left() {
    if !sandbox::is_root() {
        return;
    }
    let mut container = Container::start("left", "sleep 60 & sleep 60", &json!({}));
    let id = id("left");
    wait_for(|| ask(&["state", &id]).contains("running").then_some(()));
    container.cli.kill().expect("kill");
    container.cli.wait().expect("wait");
    sandbox::gone(container.sentry);
    ask(&["delete", "--force", &id]);
    assert_eq!(groups(&id), Vec::<PathBuf>::new());
}

#[test]
fn systemd_is_asked_only_where_it_runs() {
    if !sandbox::is_root() || Path::new("/run/systemd/system").exists() {
        return;
    }
    let bundle = bundle("systemd", "true", &json!({ "pids": { "limit": 50 } }));
    let id = id("systemd");
    let run = |path: &str| {
        let file = bundle.0.join("config.json");
        let text = fs::read_to_string(&file).expect("config.json");
        let mut config: Value = serde_json::from_str(&text).expect("JSON");
        config["linux"]["cgroupsPath"] = json!(path);
        fs::write(&file, config.to_string()).expect("config.json");
        let output = runsk(Caller::Root)
            .args(["--systemd-cgroup", "run", "--overlay", "-b"])
            .arg(&bundle.0)
            .arg(&id)
            .output()
            .expect("runsk");
        assert_eq!(output.status.code(), Some(1));
        assert!(!ask(&["list"]).contains(&id));
        String::from_utf8(output.stderr).expect("text")
    };
    assert_eq!(
        run("a.slice:docker:c1"),
        "runsk: --systemd-cgroup: systemd does not run here: leave the flag out to have the \
         cgroup made without it\n"
    );
    assert_eq!(
        run("/a/c1"),
        "runsk: linux.cgroupsPath \"/a/c1\" is not \"slice:prefix:name\", as --systemd-cgroup \
         needs it\n"
    );
    assert_eq!(groups("a.slice"), Vec::<PathBuf>::new());
}

#[test]
fn a_limit_that_cannot_be_set_is_named() {
    if !sandbox::is_root() {
        return;
    }
    let bundle = bundle("unset", "true", &json!({ "cpu": { "cpus": "4000" } }));
    let id = id("unset");
    let output = runsk(Caller::Root)
        .args(["run", "--overlay", "-b"])
        .arg(&bundle.0)
        .arg(&id)
        .output()
        .expect("runsk");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(
        text.contains("runsk: cgroup: cannot write \"4000\" to "),
        "{text}"
    );
    assert_eq!(groups(&id), Vec::<PathBuf>::new());
}

/// Only the kernel inside limits what an ordinary user runs.
#[test]
fn an_ordinary_user_is_warned() {
    let bundle = bundle("ordinary", "true", &json!({ "pids": { "limit": 50 } }));
    let output = runsk(Caller::Ordinary)
        .args(["run", "--overlay", "-b"])
        .arg(&bundle.0)
        .arg(id("ordinary"))
        .stdin(Stdio::null())
        .output()
        .expect("runsk");
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("an ordinary user cannot make a cgroup"),
        "{text}"
    );
}

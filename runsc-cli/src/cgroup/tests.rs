//! On the host's own cgroups, where the tests may make some.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use oci_spec::runtime::LinuxResources;

use super::{Cgroup, Driver};

/// A group of this test alone, removed at its end.
struct Group(Cgroup);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = self.0.delete();
    }
}

/// `None` where this user may not make cgroups.
fn group(name: &str, resources: &str) -> Option<Group> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: cgroups need root");
        return None;
    }
    let id = format!("runsk-test-{}-{name}", std::process::id());
    let resources: LinuxResources = serde_json::from_str(resources).expect("resources");
    let made =
        Cgroup::create(Driver::Files, &id, None, Some(&resources), |_| Ok(())).expect("cgroup");
    Some(Group(made))
}

/// A process that waits for its end.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        let child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn();
        Sleeper(child.expect("sleep"))
    }

    fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_process_is_in_it_and_counts() {
    let Some(group) = group(
        "counts",
        r#"{"pids":{"limit":5},"memory":{"limit":50000000}}"#,
    ) else {
        return;
    };
    let sleeper = Sleeper::new();
    group.0.add_process(sleeper.pid()).expect("moved");
    assert_eq!(group.0.processes().expect("list"), [sleeper.pid()]);
    let stats = group.0.stats().expect("stats");
    assert_eq!((stats.pids.current, stats.pids.limit), (1, 79));
    // Rounded down to whole pages.
    assert_eq!(stats.memory.usage.limit, 50_000_000 / 4096 * 4096);
    let changed = serde_json::from_str(r#"{"memory":{"limit":90112000}}"#).expect("JSON");
    group.0.update(&changed).expect("update");
    let stats = group.0.stats().expect("stats");
    assert_eq!(stats.memory.usage.limit, 90_112_000);
    assert_eq!(stats.pids.limit, 79);
}

#[test]
fn it_is_removed_while_its_processes_die() {
    let Some(group) = group("removed", "{}") else {
        return;
    };
    let sleeper = Sleeper::new();
    group.0.add_process(sleeper.pid()).expect("moved");
    let kill = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(30));
        drop(sleeper);
    });
    group.0.delete().expect("removed");
    kill.join().expect("thread");
    assert!(group.0.dirs().into_iter().all(|dir| !dir.exists()));
    group.0.delete().expect("again");
}

#[test]
fn one_in_use_is_not_taken() {
    let Some(group) = group("taken", "{}") else {
        return;
    };
    let sleeper = Sleeper::new();
    group.0.add_process(sleeper.pid()).expect("moved");
    let id = group.0.main_dir().file_name().expect("name").to_str();
    let taken = Cgroup::create(Driver::Files, id.expect("text"), None, None, |_| Ok(()));
    let message = taken.expect_err("in use").to_string();
    assert!(message.contains("is in use by process"), "{message}");
    assert_eq!(group.0.processes().expect("list"), [sleeper.pid()]);
}

#[test]
fn a_refused_limit_leaves_nothing() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let id = format!("runsk-test-{}-refused", std::process::id());
    let resources = serde_json::from_str(r#"{"cpu":{"cpus":"100000"}}"#).expect("JSON");
    let failure = Cgroup::create(Driver::Files, &id, None, Some(&resources), |_| Ok(()))
        .expect_err("refused");
    let message = failure.to_string();
    assert!(
        message.starts_with("cgroup: cannot write \"100000\" to "),
        "{message}"
    );
    let left = std::fs::read_dir("/sys/fs/cgroup").expect("cgroups");
    let left: Vec<PathBuf> = left
        .filter_map(|entry| Some(entry.ok()?.path().join(&id)))
        .filter(|dir| dir.exists())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn it_is_found_again() {
    let Some(group) = group("found", "{}") else {
        return;
    };
    let text = serde_json::to_string(&group.0).expect("JSON");
    let again: Cgroup = serde_json::from_str(&text).expect(&text);
    assert_eq!(again, group.0);
}

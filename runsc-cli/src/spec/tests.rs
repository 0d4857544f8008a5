//! Configurations as their usual authors write them.

use std::path::{Path, PathBuf};

use sentry::config::{MountConfig, MountSource};

use oci_spec::runtime::LinuxNamespaceType as Kind;
use sentry::config::{Neighbour, Shared};

use super::{Bundle, Container, Find, HostMounts, IdRange, Resident, container, load};
use crate::failure::Outcome;

const DOCKER: &str = include_str!("samples/docker.json");
const CONTAINERD: &str = include_str!("samples/containerd.json");
const PODMAN: &str = include_str!("samples/podman_rootless.json");

/// A bundle directory that goes away.
struct Dir(PathBuf);

impl Dir {
    fn new(test: &str, config: &str) -> Self {
        let name = format!("runsk-spec-{test}-{}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        for sub in ["rootfs", "data", "shm"] {
            std::fs::create_dir_all(dir.join(sub)).expect("directory");
        }
        for file in ["resolv.conf", "hostname", "hosts"] {
            std::fs::write(dir.join(file), "").expect("file");
        }
        let dir = Dir(dir.canonicalize().expect("path"));
        let config = config.replace("@DIR@", dir.0.to_str().expect("text"));
        std::fs::write(dir.0.join("config.json"), config).expect("file");
        dir
    }

    fn convert(&self) -> Outcome<Container> {
        self.convert_beside(&|_, _| None)
    }

    fn convert_beside(&self, find: Find<'_>) -> Outcome<Container> {
        container(&load(&self.0)?, &HostMounts::default(), find)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn mount<'a>(container: &'a Container, at: &str) -> &'a MountConfig {
    let mut mounts = container.config.mounts.iter();
    mounts
        .find(|mount| mount.destination == at.as_bytes())
        .unwrap_or_else(|| panic!("no mount at {at}"))
}

fn kind(mount: &MountConfig) -> &str {
    match &mount.source {
        MountSource::Kernel { kind } => kind,
        MountSource::Gofer { .. } => "gofer",
    }
}

/// What the error says about DOCKER with `from` replaced.
fn refusal(test: &str, from: &str, to: &str) -> String {
    assert!(DOCKER.contains(from), "{from}");
    let dir = Dir::new(test, &DOCKER.replacen(from, to, 1));
    let refused = dir.convert().expect_err(to).to_string();
    let file = dir.0.join("config.json");
    assert!(
        refused.starts_with(file.to_str().expect("text")),
        "{refused}"
    );
    refused
}

#[test]
fn docker() {
    let dir = Dir::new("docker", DOCKER);
    let container = dir.convert().expect("valid");
    let process = &container.config.process;
    assert_eq!(process.args, [b"bash"]);
    assert_eq!(process.groups.len(), 11);
    assert!(process.terminal);
    assert_eq!(container.console_size, Some((40, 120)));
    assert_eq!(process.capabilities.effective, 0xa804_25fb);
    assert_eq!(process.capabilities.ambient, 0);
    assert_eq!(container.memory_limit, Some(256 << 20));
    assert_eq!(container.config.hostname, b"6d2f5c1d9a3b");
    assert!(!container.config.root.readonly);
    assert_eq!(container.ids, None);

    let kinds: Vec<_> = container.config.mounts.iter().map(kind).collect();
    assert_eq!(
        kinds,
        [
            "proc", "tmpfs", "devpts", "sysfs", "cgroup", "mqueue", "tmpfs", "gofer", "gofer",
            "gofer", "gofer"
        ]
    );
    let shm = mount(&container, "/dev/shm");
    assert_eq!(shm.data, ["mode=1777", "size=67108864"]);
    assert_eq!(shm.flags, 2 | 4 | 8);
    let data = mount(&container, "/data");
    let MountSource::Gofer { tree, .. } = data.source else {
        panic!("not a tree")
    };
    let tree = &container.trees[tree as usize];
    assert_eq!(tree.host, dir.0.join("data"));
    assert!(tree.readonly && !tree.exclusive);
    assert!(container.trees[0].exclusive);
    assert_eq!(container.config.masked_paths.len(), 10);
}

#[test]
fn containerd_in_kubernetes() {
    let dir = Dir::new("containerd", CONTAINERD);
    let container = dir.convert().expect("valid");
    let process = &container.config.process;
    assert_eq!(
        (process.uid, process.gid, process.umask),
        (1000, 1000, Some(0o22))
    );
    assert_eq!(process.cwd, b"/app");
    assert!(process.no_new_privs && !process.terminal);
    assert_eq!(process.capabilities.ambient, 1 << 10);
    assert_eq!(process.rlimits, [(libc::RLIMIT_NOFILE, 1024, 1_048_576)]);
    assert!(container.config.root.readonly && container.trees[0].readonly);
    assert_eq!(container.trees[0].host, dir.0.join("rootfs"));
    assert_eq!(kind(mount(&container, "/dev/shm")), "gofer");
}

#[test]
fn rootless_podman() {
    let dir = Dir::new("podman", PODMAN);
    let container = dir.convert().expect("valid");
    let maps = container.ids.as_ref().expect("maps");
    let range = |inside, outside, count| IdRange {
        inside,
        outside,
        count,
    };
    assert_eq!(maps.uids, [range(0, 1000, 1), range(1, 100_000, 65536)]);
    assert!(maps.has_root());
    // The host's /sys gives way to the kernel's own, and so do devices that it has itself.
    assert_eq!(kind(mount(&container, "/sys")), "sysfs");
    let mut destinations = container.config.mounts.iter().map(|m| &*m.destination);
    assert!(destinations.all(|at| at != b"/dev/null"));
}

#[test]
fn a_container_without_dev_gets_one() {
    let config = r#"{"ociVersion":"1.0.2","root":{"path":"rootfs"},
        "process":{"user":{"uid":0,"gid":0},"args":["x"],"cwd":"/"}}"#;
    let container = Dir::new("bare", config).convert().expect("valid");
    assert_eq!(kind(mount(&container, "/dev")), "tmpfs");
    assert_eq!(container.config.process.capabilities.bounding, 0);
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        (
            "args",
            r#""args": [
   "bash"
  ]"#,
            r#""args": []"#,
            "process.args is empty",
        ),
        (
            "cwd",
            r#""cwd": "/""#,
            r#""cwd": "here""#,
            "process.cwd \"here\" is not an absolute",
        ),
        (
            "uid",
            r#""uid": 0"#,
            r#""uid": 4294967295"#,
            "id 4294967295 is not in the range",
        ),
        ("nul", r#""bash""#, "\"ba\\u0000sh\"", "contains a NUL byte"),
        (
            "kind",
            r#""type": "mqueue""#,
            r#""type": "ext4""#,
            "mount /dev/mqueue: file system type \"ext4\"",
        ),
        (
            "source",
            "@DIR@/hosts",
            "@DIR@/nothing",
            "/nothing: No such file or directory",
        ),
        (
            "idmap",
            r#""rprivate""#,
            r#""idmap""#,
            "id-mapped mounts are not supported",
        ),
        ("root", "@DIR@/rootfs", "@DIR@/none", "root.path: "),
        (
            "file",
            "@DIR@/rootfs",
            "@DIR@/hosts",
            "/hosts: Not a directory",
        ),
        (
            "join",
            r#""type": "ipc""#,
            r#""type": "ipc", "path": "/proc/1/ns/ipc""#,
            "cannot join the ipc namespace /proc/1/ns/ipc",
        ),
        (
            "pids",
            r#""type": "pid""#,
            r#""type": "time""#,
            "there is no pid namespace",
        ),
        (
            "proc",
            "@DIR@/data",
            "/proc/sys/kernel",
            "belongs to the host's kernel (proc)",
        ),
        (
            "device",
            "@DIR@/data",
            "/dev/full",
            "/dev/full is a device of the host",
        ),
    ];
    for (test, from, to, expected) in cases {
        let refused = refusal(test, from, to);
        assert!(refused.contains(expected), "{test}: {refused}");
        assert!(!refused.contains('\n'));
    }
}

#[test]
fn namespaces_of_other_containers_lead_into_their_sandbox() {
    // Process 7 is that of "a", 8 that of "b" in its sandbox, 9 that of "c".
    let find = |_: Kind, path: &Path| {
        let (id, sandbox) = match path.to_str()?.strip_prefix("/proc/")?.get(..1)? {
            "7" => ("a", None),
            "8" => ("b", Some("a".to_owned())),
            "9" => ("c", None),
            _ => return None,
        };
        Some(Resident {
            id: id.to_owned(),
            sandbox,
        })
    };
    let convert = |test: &str, pid: &str, ipc: &str| {
        let pid = format!(r#""type": "pid", "path": "/proc/{pid}/ns/pid""#);
        let ipc = format!(r#""type": "ipc", "path": "/proc/{ipc}/ns/ipc""#);
        let config = DOCKER.replace(r#""type": "pid""#, &pid);
        let config = config.replace(r#""type": "ipc""#, &ipc);
        let container = Dir::new(test, &config).convert_beside(&find);
        container.map(|container| container.membership.expect("a sandbox"))
    };
    let joined = convert("join", "8", "7").expect("one sandbox");
    assert_eq!(joined.sandbox, "a");
    let shared = Shared {
        pids: Some(Neighbour::Further("b".to_owned())),
        ipc: Some(Neighbour::First),
        ..Shared::default()
    };
    assert_eq!(joined.shared, shared);
    for (pid, ipc, expected) in [
        ("7", "9", "does not live in the sandbox a"),
        ("7", "1", "cannot join the ipc namespace /proc/1/ns/ipc"),
    ] {
        let refused = convert("torn", pid, ipc).expect_err("refused").to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn what_is_not_a_configuration_is_named() {
    for (test, config, expected) in [
        (
            "cut",
            "{ \"ociVersion\": ",
            "is not a configuration: EOF while parsing",
        ),
        (
            "type",
            r#"{"process":{"args":3}}"#,
            "is not a configuration: invalid type",
        ),
        ("empty", "", "is not a configuration: EOF"),
        (
            "no-process",
            r#"{"ociVersion":"1.0.2","root":{"path":"rootfs"}}"#,
            "process is missing",
        ),
        ("no-root", r#"{"ociVersion":"1.0.2"}"#, "root is missing"),
    ] {
        let dir = Dir::new(test, config);
        let refused = dir.convert().expect_err(test).to_string();
        assert!(refused.contains(expected), "{refused}");
    }
    let missing = load(Path::new("/proc"))
        .map(|_: Bundle| ())
        .expect_err("no config");
    assert!(
        missing
            .to_string()
            .contains("/proc/config.json does not exist")
    );
}

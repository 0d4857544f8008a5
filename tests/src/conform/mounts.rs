//! config.md: mounts.

use serde_json::{Value, json};

use super::bench::{Bench, Outcome, add_mount, ensure, same};
use super::{Row, row};

const AT: &str = "config.md#mounts";
const OPTIONS: &str = "config.md#linux-mount-options";

/// A row for an option of mounts: what /proc/self/mounts says of a tmpfs with the options
/// named, and what it must (`+`) or must not (`-`) show.
macro_rules! option {
    ($name:literal, $options:expr, $shown:expr) => {
        row(
            OPTIONS,
            concat!("Runtimes MUST implement the option ", $name),
            |b| shows(b, &$options, $shown),
        )
    };
}

/// As [`option!`], for the propagation of bind mounts: the mount is there, and what mountinfo
/// says of it.
macro_rules! propagation {
    ($name:literal, $shown:literal) => {
        row(
            OPTIONS,
            concat!("Runtimes MUST implement the option ", $name),
            |b| {
                binds(b, &["bind", $name])?;
                propagates(b, $name, $shown)
            },
        )
    };
}

pub(super) const ROWS: &[Row] = &[
    row(
        AT,
        "The runtime MUST mount entries in the listed order",
        |b| {
            let out = b.run("ls /tmp/a", |c| {
                add_mount(c, tmpfs("/tmp/a", &[]));
                add_mount(c, tmpfs("/tmp/a/b", &[]));
                add_mount(c, tmpfs("/tmp/a", &["mode=700"]));
                add_mount(c, tmpfs("/tmp/a/c", &[]));
            })?;
            same("the last one", out, "c")
        },
    ),
    row(
        AT,
        "destination MAY be a relative path, in which case it MUST be interpreted as relative to \"/\"",
        |b| {
            let script = "grep -c ' /tmp/relative ' /proc/mounts";
            let change = |c: &mut Value| add_mount(c, tmpfs("tmp/relative", &[]));
            same("mounts", b.run(script, change)?, "1")
        },
    ),
    option!("async", ["sync", "async"], "-sync"),
    option!("atime", ["noatime", "atime"], "-noatime"),
    row(OPTIONS, "Runtimes MUST implement the option bind", |b| {
        binds(b, &["bind"])
    }),
    option!("defaults", ["defaults"], "+rw"),
    option!("dev", ["nodev", "dev"], "-nodev"),
    option!("diratime", ["nodiratime", "diratime"], "-nodiratime"),
    option!("dirsync", ["dirsync"], "+rw"),
    option!("exec", ["noexec", "exec"], "-noexec"),
    option!("iversion", ["iversion"], "+rw"),
    option!("lazytime", ["lazytime"], "+rw"),
    option!("loud", ["silent", "loud"], "+rw"),
    option!("noatime", ["noatime"], "+noatime"),
    option!("nodev", ["nodev"], "+nodev"),
    option!("nodiratime", ["nodiratime"], "+nodiratime"),
    option!("noexec", ["noexec"], "+noexec"),
    option!("noiversion", ["iversion", "noiversion"], "+rw"),
    option!("nolazytime", ["lazytime", "nolazytime"], "+rw"),
    option!("norelatime", ["norelatime", "noatime"], "-relatime"),
    option!(
        "nostrictatime",
        ["strictatime", "nostrictatime"],
        "+relatime"
    ),
    option!("nosuid", ["nosuid"], "+nosuid"),
    propagation!("private", "-"),
    row(OPTIONS, "Runtimes MUST implement the option rbind", |b| {
        binds(b, &["rbind"])
    }),
    option!("relatime", ["relatime"], "+relatime"),
    row(
        OPTIONS,
        "Runtimes MUST implement the option remount",
        remount,
    ),
    option!("ro", ["ro"], "+ro"),
    propagation!("rprivate", "-"),
    propagation!("rshared", "shared"),
    propagation!("rslave", "-"),
    propagation!("runbindable", "unbindable"),
    option!("rw", ["ro", "rw"], "+rw"),
    propagation!("shared", "shared"),
    option!("silent", ["silent"], "+rw"),
    propagation!("slave", "-"),
    option!("strictatime", ["strictatime"], "-relatime"),
    option!("suid", ["nosuid", "suid"], "-nosuid"),
    option!("sync", ["sync"], "+rw"),
    propagation!("unbindable", "unbindable"),
    row(
        OPTIONS,
        "If there are no uidMappings and gidMappings specified and the container isn't using user namespaces, an error MUST be returned (idmap)",
        |b| refuses_bind(b, "idmap", &[]),
    ),
    row(
        OPTIONS,
        "If there are no uidMappings and gidMappings specified and the container isn't using user namespaces, an error MUST be returned (ridmap)",
        |b| refuses_bind(b, "ridmap", &[]),
    ),
    row(
        AT,
        "If uidMappings is specified, it MUST be specified along with gidMappings",
        |b| refuses_bind(b, "bind", &["uidMappings"]),
    ),
    row(
        AT,
        "If gidMappings is specified, it MUST be specified along with uidMappings",
        |b| refuses_bind(b, "bind", &["gidMappings"]),
    ),
];

fn tmpfs(at: &str, options: &[&str]) -> Value {
    json!({ "destination": at, "type": "tmpfs", "source": "tmpfs", "options": options })
}

fn shows(b: &Bench, options: &[&str], wanted: &str) -> Outcome {
    let script = "grep ' /tmp/m ' /proc/self/mounts | cut -d' ' -f4";
    let out = b.run(script, |c| add_mount(c, tmpfs("/tmp/m", options)))?;
    let is_there = |name: &str| out.split(',').any(|option| option == name);
    let holds = match wanted.split_at(1) {
        ("+", name) => is_there(name),
        (_, name) => !out.is_empty() && !is_there(name),
    };
    ensure(holds, format!("{wanted} does not hold: {out}"))
}

fn binds(b: &Bench, options: &[&str]) -> Outcome {
    std::fs::create_dir_all(b.path("volume")).map_err(|e| e.to_string())?;
    b.write("volume/file", "outside")?;
    let source = b.text("volume");
    let out = b.run("cat /tmp/m/file; echo inside > /tmp/m/new", |c| {
        let mount = json!({ "destination": "/tmp/m", "source": source, "options": options });
        add_mount(c, mount);
    })?;
    same("read", out, "outside")?;
    same("written", b.read("volume/new"), "inside\n")
}

fn propagates(b: &Bench, option: &str, shown: &str) -> Outcome {
    let script = "grep ' /tmp/m ' /proc/self/mountinfo | cut -d' ' -f7 | cut -d: -f1";
    let out = b.run(script, |c| add_mount(c, tmpfs("/tmp/m", &[option])))?;
    same("mountinfo", out, shown)
}

fn remount(b: &Bench) -> Outcome {
    let script = "grep ' /tmp/m ' /proc/self/mounts | cut -d, -f1 | cut -d' ' -f4; \
                  touch /tmp/m/x 2>/dev/null || echo refused";
    let out = b.run(script, |c| {
        add_mount(c, tmpfs("/tmp/m", &[]));
        add_mount(c, tmpfs("/tmp/m", &["remount", "ro"]));
    })?;
    same("after it", out, "ro\nrefused")
}

fn refuses_bind(b: &Bench, option: &str, mappings: &[&str]) -> Outcome {
    let source = b.text("");
    b.refuses(|c| {
        let mut mount = json!({ "destination": "/tmp/m", "source": source,
            "options": ["bind", option] });
        for name in mappings {
            mount[name] = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
        }
        add_mount(c, mount);
    })
    .map(drop)
}

//! config-linux.md and runtime-linux.md, but for seccomp.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::bench::{Bench, Outcome, add_mount, ensure, same};
use super::{Row, differs, row};

const NAMESPACES: &str = "config-linux.md#namespaces";
const DEVICES: &str = "config-linux.md#devices";
const CGROUPS: &str = "config-linux.md#cgroups-path";
const RDT: &str = "config-linux.md#intelrdt";

pub(super) const ROWS: &[Row] = &[
    row(
        "runtime-linux.md#dev-symbolic-links",
        "runtimes MUST create the symlinks /dev/fd, /dev/stdin, /dev/stdout, /dev/stderr",
        |b| {
            let out = b.run(
                "for n in fd stdin stdout stderr; do readlink /dev/$n; done",
                |_| (),
            )?;
            let wanted = "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2";
            same("links", out, wanted)
        },
    ),
    row(
        NAMESPACES,
        "path MUST be an absolute path in the runtime mount namespace",
        |b| with_path(b, "uts", "ns/uts"),
    ),
    row(
        NAMESPACES,
        "The runtime MUST generate an error if path is not associated with a namespace of type type",
        |b| {
            with_path(b, "uts", "/proc/self/ns/mnt")?;
            with_path(b, "network", "/proc/self/ns/mnt")?;
            with_path(b, "network", "/dev/null")?;
            with_path(b, "network", "/nonexistent")
        },
    ),
    differs(
        NAMESPACES,
        "The runtime MUST place the container process in the namespace associated with that path",
        "a network namespace of the host can be given, and those of containers of runsk; others of the host belong to another kernel, and are refused",
        |b| {
            for kind in ["ipc", "uts", "pid"] {
                with_path(b, kind, &format!("/proc/self/ns/{kind}"))?;
            }
            let other = NetworkNamespace::new()?;
            let out = b.run("echo on", |c| {
                let network = json!({ "type": "network", "path": other.path });
                c["linux"]["namespaces"] = json!([{ "type": "pid" }, { "type": "ipc" }, network]);
            })?;
            same("output", out, "on")
        },
    ),
    row(
        NAMESPACES,
        "If path is not specified, the runtime MUST create a new container namespace of type type",
        |b| {
            let out = b.run(
                "echo $$; hostname; ls /proc | grep -c '^[0-9]'; ipcs -q | wc -l",
                |_| (),
            )?;
            ensure(out.starts_with("1\nrunsk-test\n"), out)
        },
    ),
    differs(
        NAMESPACES,
        "If a namespace type is not specified in the namespaces array, the container MUST inherit the runtime namespace of that type",
        "processes, ipc and mounts of the host are another kernel's: a container that lists namespaces and leaves out pid is refused, and has its own ipc and mounts in any case",
        |b| {
            let only = |there: &str| json!([{ "type": "mount" }, { "type": there }]);
            let said = b.refuses(|c| c["linux"]["namespaces"] = only("ipc"))?;
            ensure(said.err.contains("no pid"), said.err)?;
            let out = b.run("echo on", |c| c["linux"]["namespaces"] = only("pid"))?;
            same("without ipc", out, "on")?;
            let out = b.run("echo $$", |c| c["linux"]["namespaces"] = json!([]))?;
            same("pid", out, "1")
        },
    ),
    row(
        NAMESPACES,
        "If a namespaces field contains duplicated namespaces with same type, the runtime MUST generate an error",
        |b| {
            b.refuses(|c| {
                c["linux"]["namespaces"] = json!([{ "type": "pid" }, { "type": "pid" }]);
            })
            .map(drop)
        },
    ),
    row(
        DEVICES,
        "devices lists devices that MUST be available in the container",
        |b| {
            let script =
                "stat -c '%t %T %a %u %g' /dev/own; echo x > /dev/own; stat -c %F /tmp/fifo";
            let out = b.run(script, |c| {
                c["linux"]["devices"] = json!([
                    { "path": "/dev/own", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640,
                      "uid": 5, "gid": 6 },
                    { "path": "/tmp/fifo", "type": "p" },
                { "path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2 },
                ]);
            })?;
            same("devices", out, "1 3 640 5 6\nfifo")
        },
    ),
    differs(
        DEVICES,
        "devices lists devices that MUST be available in the container (here: devices of the host alone)",
        "they are another kernel's; leaving them out is logged, so that --privileged containers run",
        |b| {
            b.bundle("c", "test -e /dev/kvm || echo none", |c| {
                let device = json!({ "path": "/dev/kvm", "type": "c", "major": 10, "minor": 232 });
                c["linux"]["devices"] = json!([device]);
            })?;
            let said = b.runsk(&["run", "-b", &b.text("c"), "c"])?.ok()?;
            ensure(said.err.contains("/dev/kvm"), &said.err)?;
            same("inside", said.out.trim(), "none")
        },
    ),
    row(
        DEVICES,
        "If a file already exists at path that does not match the requested device, the runtime MUST generate an error",
        |b| {
            b.refuses(|c| {
                let device = json!({ "path": "/dev/zero", "type": "c", "major": 1, "minor": 3 });
                c["linux"]["devices"] = json!([device]);
            })
            .map(drop)
        },
    ),
    row(
        "config-linux.md#default-devices",
        "the runtime MUST also supply /dev/null, zero, full, random, urandom, tty, ptmx",
        |b| {
            let script = "for d in null zero full random urandom tty; do \
                          stat -c '%F' /dev/$d; done | sort | uniq -c | tr -s ' '; \
                          readlink /dev/ptmx";
            same(
                "devices",
                b.run(script, |_| ())?.trim(),
                "6 character special file\npts/ptmx",
            )
        },
    ),
    row(
        "config-linux.md#network-devices",
        "netDevices: a set of network devices that MUST be made available in the container (none can be: an error)",
        |b| {
            b.refuses(|c| c["linux"]["netDevices"] = json!({ "lo": {} }))
                .map(drop)
        },
    ),
    row(
        CGROUPS,
        "The value of cgroupsPath MUST be either an absolute path or a relative path",
        |b| {
            in_cgroup(b, true)?;
            in_cgroup(b, false)
        },
    ),
    row(
        CGROUPS,
        "In the case of an absolute path, the runtime MUST take the path to be relative to the cgroups mount point",
        |b| in_cgroup(b, true),
    ),
    row(
        CGROUPS,
        "the runtime MUST consistently attach to the same place in the cgroups hierarchy given the same value of cgroupsPath",
        |b| {
            in_cgroup(b, false)?;
            in_cgroup(b, false)
        },
    ),
    row(
        CGROUPS,
        "Runtimes MAY consider certain cgroupsPath values to be invalid, and MUST generate an error if this is the case",
        |b| {
            b.refuses(|c| c["linux"]["cgroupsPath"] = json!("/../.."))
                .map(drop)
        },
    ),
    row(
        "config-linux.md#unified",
        "The runtime MUST generate an error when the configuration refers to a cgroup controller that is not present or that cannot be enabled",
        |b| {
            b.refuses(|c| {
                c["linux"]["resources"] = json!({ "unified": { "nothing.max": "1" } });
            })
            .map(drop)
        },
    ),
    row(
        RDT,
        "If no mounted resctrl pseudo-filesystem is available in the runtime mount namespace, the runtime MUST generate an error",
        |b| {
            b.refuses(|c| c["linux"]["intelRdt"] = json!({ "closID": "x" }))
                .map(drop)
        },
    ),
    row(
        "config-linux.md#sysctl",
        "sysctl allows kernel parameters to be modified at runtime for the container",
        |b| {
            let out = b.run(
                "sysctl -n kernel.msgmax kernel.shmmax net.ipv4.ip_default_ttl",
                |c| {
                    c["linux"]["sysctl"] = json!({ "kernel.msgmax": "4000",
                    "kernel.shmmax": "65536", "net.ipv4.ip_default_ttl": "33" });
                },
            )?;
            same("sysctl", out, "4000\n65536\n33")?;
            b.refuses(|c| c["linux"]["sysctl"] = json!({ "kernel.msgmax": "many" }))?;
            b.refuses(|c| c["linux"]["sysctl"] = json!({ "kernel.nothing": "1" }))
                .map(drop)
        },
    ),
    row(
        "config-linux.md#rootfs-mount-propagation",
        "rootfsPropagation: its value is either shared, slave, private or unbindable",
        |b| {
            let words = [
                ("shared", "shared", "-"),
                ("rshared", "shared", "shared"),
                ("slave", "-", "-"),
                ("private", "-", "-"),
                ("unbindable", "unbindable", "-"),
            ];
            let script = "for at in / /proc; do awk -v at=$at '$5 == at { print $7 }' \
                          /proc/self/mountinfo | cut -d: -f1; done";
            for (word, root, below) in words {
                let out = b.run(script, |c| c["linux"]["rootfsPropagation"] = json!(word))?;
                same(word, out, &format!("{root}\n{below}"))?;
            }
            b.refuses(|c| c["linux"]["rootfsPropagation"] = json!("other"))
                .map(drop)
        },
    ),
    row(
        "config-linux.md#masked-paths",
        "maskedPaths: the values MUST be absolute paths in the container namespace",
        |b| {
            let out = b.run("cat /proc/version; ls /proc/sys", |c| {
                c["linux"]["maskedPaths"] = json!(["/proc/version", "/proc/sys", "/nonexistent"]);
            })?;
            same("masked", out, "")?;
            b.refuses(|c| c["linux"]["maskedPaths"] = json!(["proc/version"]))
                .map(drop)
        },
    ),
    row(
        "config-linux.md#readonly-paths",
        "readonlyPaths: the values MUST be absolute paths in the container namespace",
        |b| {
            let script = "echo 1 2>/dev/null > /proc/sys/vm/swappiness || echo refused";
            let out = b.run(script, |c| {
                c["linux"]["readonlyPaths"] = json!(["/proc/sys"])
            })?;
            same("read-only", out, "refused")?;
            b.refuses(|c| c["linux"]["readonlyPaths"] = json!(["proc/sys"]))
                .map(drop)
        },
    ),
    row(
        "config-linux.md#personality",
        "personality sets the Linux execution personality",
        |b| {
            let domain = |name: &'static str| {
                move |c: &mut Value| c["linux"]["personality"] = json!({ "domain": name })
            };
            same("uname", b.run("uname -m", domain("LINUX32"))?, "i686")?;
            same("uname", b.run("uname -m", domain("LINUX"))?, "x86_64")?;
            b.refuses(domain("OTHER")).map(drop)
        },
    ),
    row(
        "config-linux.md#memory",
        "memory.limit sets limit of memory usage",
        |b| {
            let out = b.run("cat /sys/fs/cgroup/memory.max", |c| {
                let mount = json!({ "destination": "/sys/fs/cgroup", "type": "cgroup",
                    "source": "cgroup" });
                add_mount(c, mount);
                c["linux"]["resources"] = json!({ "memory": { "limit": 67_108_864 } });
            })?;
            same("inside", out, "67108864")
        },
    ),
    row(
        "config-linux.md#memory-policy",
        "memoryPolicy sets the NUMA memory policy for the container (there is none: an error)",
        |b| {
            b.refuses(|c| c["linux"]["memoryPolicy"] = json!({ "mode": "MPOL_BIND", "nodes": "0" }))
                .map(drop)
        },
    ),
    row(
        "config-linux.md#offset-for-time-namespace",
        "timeOffsets sets the offset for time namespace (none can be: an error)",
        |b| {
            b.refuses(|c| c["linux"]["timeOffsets"] = json!({ "boottime": { "secs": 1 } }))
                .map(drop)
        },
    ),
];

/// A network namespace that lasts as long as a process in it.
struct NetworkNamespace {
    holder: std::process::Child,
    path: String,
}

impl NetworkNamespace {
    fn new() -> Result<Self, String> {
        let mut command = std::process::Command::new("unshare");
        command.args(["-n", "sleep", "60"]);
        let holder = command.spawn().map_err(|e| format!("unshare: {e}"))?;
        let path = format!("/proc/{}/ns/net", holder.id());
        let link = |path: &str| std::fs::read_link(path).ok();
        // It is the process's own once unshare(1) has got to it.
        for _ in 0..1000 {
            if link(&path).is_some_and(|theirs| Some(theirs) != link("/proc/self/ns/net")) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Ok(NetworkNamespace { holder, path })
    }
}

impl Drop for NetworkNamespace {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn with_path(b: &Bench, kind: &str, path: &str) -> Outcome {
    b.refuses(|c| c["linux"]["namespaces"] = json!([{ "type": kind, "path": path }]))
        .map(drop)
}

/// Where the host has a cgroup of this name, below the top or the caller's own.
pub(super) fn cgroups(name: &str) -> Vec<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let fields = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>());
    let points =
        fields.filter(|fields| fields.get(2).is_some_and(|kind| kind.starts_with("cgroup")));
    let points = points.filter_map(|fields| Some(PathBuf::from(*fields.get(1)?)));
    points
        .map(|point| point.join(name))
        .filter(|dir| dir.exists())
        .collect()
}

fn in_cgroup(b: &Bench, absolute: bool) -> Outcome {
    let name = format!("conform-{}", b.name());
    let path = if absolute {
        format!("/{name}")
    } else {
        name.clone()
    };
    b.bundle("c", "true", |c| c["linux"]["cgroupsPath"] = json!(path))?;
    b.create("c", "c")?.ok()?;
    let pid = b.state("c")?["pid"].to_string();
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).map_err(|e| e.to_string())?;
    b.delete("c")?.ok()?;
    ensure(text.contains(&format!("/{name}\n")), text)
}

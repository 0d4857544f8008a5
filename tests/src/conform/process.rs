//! config.md: process.

use serde_json::json;

use super::bench::{Bench, Outcome, ensure, same};
use super::{Row, row};

const AT: &str = "config.md#process";
const POSIX: &str = "config.md#posix-process";
const LINUX: &str = "config.md#linux-process";

pub(super) const ROWS: &[Row] = &[
    row(
        AT,
        "Runtimes MUST ignore consoleSize if terminal is false or unset",
        |b| {
            let out = b.run("echo on", |c| {
                c["process"]["consoleSize"] = json!({ "height": 7, "width": 8 });
            })?;
            same("output", out, "on")
        },
    ),
    row(AT, "cwd MUST be an absolute path", |b| {
        b.refuses(|c| c["process"]["cwd"] = json!("tmp")).map(drop)
    }),
    row(AT, "args: at least one entry is REQUIRED", |b| {
        b.refuses(|c| c["process"]["args"] = json!([]))?;
        b.refuses(|c| {
            c["process"].as_object_mut().map(|p| p.remove("args"));
        })
        .map(drop)
    }),
    row(
        POSIX,
        "The runtime MUST generate an error for any values which cannot be mapped to a relevant kernel interface",
        |b| {
            b.refuses(|c| {
                let limit = json!({ "type": "RLIMIT_NOTHING", "soft": 1, "hard": 1 });
                c["process"]["rlimits"] = json!([limit]);
            })
            .map(drop)
        },
    ),
    row(
        POSIX,
        "For each entry in rlimits, a getrlimit(3) on type MUST succeed",
        every_limit,
    ),
    row(
        POSIX,
        "rlim.rlim_cur MUST match the configured value",
        |b| same("soft", b.run("ulimit -n", limited)?, "77"),
    ),
    row(
        POSIX,
        "rlim.rlim_max MUST match the configured value",
        |b| same("hard", b.run("ulimit -Hn", limited)?, "88"),
    ),
    row(
        POSIX,
        "If rlimits contains duplicated entries with same type, the runtime MUST generate an error",
        |b| {
            b.refuses(|c| {
                let limit = json!({ "type": "RLIMIT_NOFILE", "soft": 7, "hard": 7 });
                c["process"]["rlimits"] = json!([limit, limit]);
            })
            .map(drop)
        },
    ),
    row(
        LINUX,
        "Any capability which cannot be mapped to a relevant kernel interface, or cannot be granted otherwise MUST be logged as a warning by the runtime",
        capabilities,
    ),
    row(
        LINUX,
        "If oomScoreAdj is set, the runtime MUST set oom_score_adj to the given value",
        |b| {
            let out = b.run("cat /proc/self/oom_score_adj", |c| {
                c["process"]["oomScoreAdj"] = json!(300);
            })?;
            same("inside", out, "300")
        },
    ),
    row(
        LINUX,
        "If oomScoreAdj is not set, the runtime MUST NOT change the value of oom_score_adj",
        |b| {
            b.created("c", "true")?;
            let pid = b.state("c")?["pid"].to_string();
            let read = |pid: &str| {
                std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj"))
                    .map_err(|e| e.to_string())
            };
            same("outside", read(&pid)?, &read("self")?)
        },
    ),
    row(
        LINUX,
        "noNewPrivileges set to true prevents the process from gaining additional privileges",
        |b| {
            let out = b.run("grep NoNewPrivs /proc/self/status", |c| {
                c["process"]["noNewPrivileges"] = json!(true);
            })?;
            same("status", out, "NoNewPrivs:\t1")
        },
    ),
    row(
        LINUX,
        "scheduler: nice; if not set, the runtime must use the value 0",
        |b| {
            let script = "cut -d' ' -f19 /proc/self/stat";
            let out = b.run(script, |c| {
                c["process"]["scheduler"] = json!({ "policy": "SCHED_BATCH", "nice": 7 });
            })?;
            same("nice", out, "7")?;
            let out = b.run(script, |c| {
                c["process"]["scheduler"] = json!({ "policy": "SCHED_OTHER" });
            })?;
            same("nice", out, "0")
        },
    ),
    row(
        LINUX,
        "scheduler: policy represents the scheduling policy",
        |b| {
            let script = "cut -d' ' -f18,41 /proc/self/stat";
            let out = b.run(script, |c| {
                c["process"]["scheduler"] = json!({ "policy": "SCHED_RR", "priority": 5 });
            })?;
            same("priority and policy", out, "-6 2")?;
            b.refuses(|c| {
                c["process"]["scheduler"] = json!({ "policy": "SCHED_FIFO", "priority": 100 });
            })
            .map(drop)
        },
    ),
    row(LINUX, "ioPriority: class and priority", |b| {
        let out = b.run("ionice", |c| {
            c["process"]["ioPriority"] = json!({ "class": "IOPRIO_CLASS_BE", "priority": 6 });
        })?;
        same("ionice", out, "best-effort: prio 6")?;
        b.refuses(|c| {
            c["process"]["ioPriority"] = json!({ "class": "IOPRIO_CLASS_BE", "priority": 8 });
        })
        .map(drop)
    }),
    row(
        "config.md#user",
        "uid, gid, umask and additionalGids are those of the process",
        |b| {
            let out = b.run("id -u; id -g; id -G; umask", |c| {
                c["process"]["user"] = json!({ "uid": 5, "gid": 6, "umask": 63,
                "additionalGids": [7, 8] });
            })?;
            same("user", out, "5\n6\n6 7 8\n0077")
        },
    ),
];

fn limited(config: &mut serde_json::Value) {
    let limit = json!({ "type": "RLIMIT_NOFILE", "soft": 77, "hard": 88 });
    config["process"]["rlimits"] = json!([limit]);
}

fn every_limit(b: &Bench) -> Outcome {
    const ALL: [&str; 16] = [
        "AS",
        "CORE",
        "CPU",
        "DATA",
        "FSIZE",
        "LOCKS",
        "MEMLOCK",
        "MSGQUEUE",
        "NICE",
        "NOFILE",
        "NPROC",
        "RSS",
        "RTPRIO",
        "RTTIME",
        "SIGPENDING",
        "STACK",
    ];
    let limits = ALL.map(
        |name| json!({ "type": format!("RLIMIT_{name}"), "soft": 1u64 << 33, "hard": 1u64 << 33 }),
    );
    let out = b.run("grep -c 8589934592 /proc/self/limits", |c| {
        c["process"]["rlimits"] = json!(limits);
    })?;
    same("lines", out, "16")
}

fn capabilities(b: &Bench) -> Outcome {
    b.bundle("c", "grep CapEff /proc/self/status", |c| {
        for set in ["bounding", "permitted", "effective"] {
            c["process"]["capabilities"][set] = json!(["CAP_KILL", "CAP_NEWER"]);
        }
    })?;
    let said = b.runsk(&["run", "-b", &b.text("c"), "c"])?.ok()?;
    ensure(
        said.err.contains("CAP_NEWER"),
        format!("no warning: {}", said.err),
    )?;
    same("the others", said.out.trim(), "CapEff:\t0000000000000020")
}

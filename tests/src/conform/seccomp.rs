//! config-linux.md: seccomp.

use serde_json::{Value, json};

use super::bench::{Bench, same};
use super::{Row, row};

const AT: &str = "config-linux.md#seccomp";

pub(super) const ROWS: &[Row] = &[
    row(
        AT,
        "syscalls match a syscall in seccomp: the action of its row is taken",
        |b| {
            let out = b.run("mkdir /tmp/d 2>&1 | grep -o 'Invalid argument'", |c| {
                let call =
                    json!({ "names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 22 });
                profile(
                    c,
                    json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [call] }),
                );
            })?;
            same("mkdir", out, "Invalid argument")
        },
    ),
    row(
        AT,
        "When the action doesn't support an errno, the runtime MUST print an error and fail (defaultErrnoRet)",
        |b| {
            refuses(
                b,
                json!({ "defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1 }),
            )
        },
    ),
    row(
        AT,
        "When the action doesn't support an errno, the runtime MUST print an error and fail (errnoRet)",
        |b| {
            let call = json!({ "names": ["mkdir"], "action": "SCMP_ACT_KILL", "errnoRet": 1 });
            refuses(
                b,
                json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [call] }),
            )
        },
    ),
    row(AT, "names MUST contain at least one entry", |b| {
        let call = json!({ "names": [], "action": "SCMP_ACT_KILL" });
        refuses(
            b,
            json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [call] }),
        )
    }),
    row(
        AT,
        "listenerMetadata MUST NOT be set if listenerPath is not set",
        |b| {
            refuses(
                b,
                json!({ "defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x" }),
            )
        },
    ),
    row(
        AT,
        "listenerPath: if sending to this socket fails, the runtime MUST generate an error (SCMP_ACT_NOTIFY is not supported: an error)",
        |b| {
            let call = json!({ "names": ["mkdir"], "action": "SCMP_ACT_NOTIFY" });
            refuses(
                b,
                json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [call],
                "listenerPath": "/nonexistent" }),
            )
        },
    ),
    row(
        AT,
        "Unknown actions are invalid values: the runtime MUST generate an error",
        |b| refuses(b, json!({ "defaultAction": "SCMP_ACT_NOTHING" })),
    ),
];

fn profile(config: &mut Value, profile: Value) {
    config["linux"]["seccomp"] = profile;
}

fn refuses(b: &Bench, seccomp: Value) -> Result<(), String> {
    b.refuses(|c| profile(c, seccomp)).map(drop)
}

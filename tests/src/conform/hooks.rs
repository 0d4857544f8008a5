//! config.md: hooks.

use serde_json::{Value, json};

use super::bench::{Bench, Outcome, add_mount, ensure, same};
use super::{Row, row};

const AT: &str = "config.md#posix-platform-hooks";

/// Those that run outside.
const OUTSIDE: [&str; 5] = [
    "prestart",
    "createRuntime",
    "createContainer",
    "poststart",
    "poststop",
];
/// Those that run in the host's namespaces.
const ON_HOST: [&str; 4] = ["prestart", "createRuntime", "poststart", "poststop"];
const LOOP: &str = "while :; do sleep 0.05; done";

pub(super) const ROWS: &[Row] = &[
    row(AT, "path MUST be absolute", |b| {
        for kind in OUTSIDE.into_iter().chain(["startContainer"]) {
            b.refuses(|c| c["hooks"] = json!({ kind: [{ "path": "bin/true" }] }))?;
        }
        Ok(())
    }),
    row(AT, "If set, timeout MUST be greater than zero", |b| {
        for timeout in [0, -1] {
            b.refuses(|c| {
                let hook = json!({ "path": "/bin/true", "timeout": timeout });
                c["hooks"] = json!({ "prestart": [hook] });
            })?;
        }
        Ok(())
    }),
    row(
        AT,
        "The value of path MUST resolve in the runtime namespace (prestart, createRuntime, createContainer, poststart, poststop)",
        outside_paths,
    ),
    row(
        AT,
        "The value of path MUST resolve in the container namespace (startContainer)",
        inside_path,
    ),
    row(
        AT,
        "The hooks MUST be executed in the runtime namespace (prestart, createRuntime, poststart, poststop)",
        on_host,
    ),
    row(
        AT,
        "The createContainer hooks MUST be executed in the container namespace",
        create_container_apart,
    ),
    row(
        AT,
        "The startContainer hooks MUST be executed in the container namespace",
        |b| {
            let out = b.run("cat /tmp/hook", |c| {
                let script = "hostname > /tmp/hook; readlink /proc/self/ns/mnt >> /tmp/hook; \
                              readlink /proc/1/ns/mnt >> /tmp/hook";
                let hook = json!({ "path": "/bin/sh", "args": ["sh", "-c", script] });
                c["hooks"] = json!({ "startContainer": [hook] });
            })?;
            let lines: Vec<_> = out.lines().collect();
            ensure(lines.first() == Some(&"runsk-test"), &out)?;
            ensure(lines.get(1) == lines.get(2), &out)
        },
    ),
    row(AT, "Hooks MUST be called in the listed order", |b| {
        whole_life(b, |c| {
            let hooks = ["one", "two", "three"].map(|word| say(b, word));
            c["hooks"] = json!({ "prestart": hooks, "poststop": [say(b, "four")] });
        })?;
        same(
            "order",
            b.read("log").replace('\n', " ").trim(),
            "one two three four",
        )
    }),
    row(
        AT,
        "The state of the container MUST be passed to hooks over stdin",
        states,
    ),
    row(
        AT,
        "args has the same semantics as IEEE Std 1003.1-2008 execv's argv",
        argv,
    ),
    row(
        AT,
        "env has the same semantics as IEEE Std 1003.1-2008's environ",
        |b| {
            whole_life(b, |c| {
                let script = format!("echo $A ${{HOME:-none}} > {}", b.text("log"));
                let hook =
                    json!({ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["A=b"] });
                c["hooks"] = json!({ "prestart": [hook] });
            })?;
            same("environment", b.read("log").trim(), "b none")
        },
    ),
    row(
        AT,
        "timeout is the number of seconds before aborting the hook",
        |b| {
            b.refuses(|c| {
                let hook = json!({ "path": "/bin/sleep", "args": ["sleep", "100"], "timeout": 1 });
                c["hooks"] = json!({ "createRuntime": [hook] });
            })
            .map(drop)
        },
    ),
    row(
        AT,
        "The prestart hooks MUST be called as part of the create operation",
        |b| part_of_create(b, "prestart"),
    ),
    row(
        AT,
        "The prestart hooks MUST be called before the createRuntime hooks",
        order,
    ),
    row(
        AT,
        "The createRuntime hooks MUST be called as part of the create operation",
        |b| part_of_create(b, "createRuntime"),
    ),
    row(
        AT,
        "The createContainer hooks MUST be called as part of the create operation",
        |b| part_of_create(b, "createContainer"),
    ),
    row(
        AT,
        "The createContainer hooks MUST be called after the createRuntime hooks",
        order,
    ),
    row(
        AT,
        "The startContainer hooks MUST be called before the user-specified process is executed as part of the start operation",
        |b| {
            b.bundle("c", LOOP, |c| {
                let hook = json!({ "path": "/bin/sh", "args": ["sh", "-c", "touch /tmp/hook"] });
                c["hooks"] = json!({ "startContainer": [hook] });
            })?;
            b.create("c", "c")?.ok()?;
            let there =
                || Ok::<_, String>(b.runsk(&["exec", "c", "test", "-e", "/tmp/hook"])?.status);
            ensure(there()? == 1, "it ran too early")?;
            b.start("c")?.ok()?;
            ensure(there()? == 0, "it did not run")
        },
    ),
    row(
        AT,
        "The poststart hooks MUST be called after the user-specified process is executed but before the start operation returns",
        |b| {
            b.bundle("c", LOOP, |c| {
                c["hooks"] = json!({ "poststart": [say(b, "poststart")] })
            })?;
            b.create("c", "c")?.ok()?;
            same("before", b.read("log"), "")?;
            b.start("c")?.ok()?;
            same("after", b.read("log"), "poststart\n")
        },
    ),
    row(
        AT,
        "The poststop hooks MUST be called after the container is deleted but before the delete operation returns",
        |b| {
            let script = format!(
                "test -e {} || echo gone > {}",
                b.text("state/c"),
                b.text("log")
            );
            b.bundle("c", "true", |c| {
                let hook = json!({ "path": "/bin/sh", "args": ["sh", "-c", script] });
                c["hooks"] = json!({ "poststop": [hook] });
            })?;
            b.create("c", "c")?.ok()?;
            b.delete("c")?.ok()?;
            same("log", b.read("log"), "gone\n")
        },
    ),
];

/// A hook that adds a word to the file `log`.
fn say(b: &Bench, word: &str) -> Value {
    let script = format!("echo {word} >> {}", b.text("log"));
    json!({ "path": "/bin/sh", "args": ["sh", "-c", script] })
}

fn whole_life(b: &Bench, change: impl FnOnce(&mut Value)) -> Outcome {
    b.bundle("c", LOOP, change)?;
    b.create("c", "c")?.ok()?;
    b.start("c")?.ok()?;
    b.runsk(&["kill", "c", "KILL"])?.ok()?;
    b.becomes("c", "stopped")?;
    b.delete("c")?.ok().map(drop)
}

fn outside_paths(b: &Bench) -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    // A program that is nowhere but here.
    let program = b.path("program");
    b.write(
        "program",
        &format!("#!/bin/sh\necho $1 >> {}\n", b.text("log")),
    )?;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&program, mode).map_err(|e| e.to_string())?;
    whole_life(b, |c| {
        for kind in OUTSIDE {
            c["hooks"][kind] = json!([{ "path": program, "args": ["program", kind] }]);
        }
    })?;
    same(
        "log",
        b.read("log").replace('\n', " ").trim(),
        &OUTSIDE.join(" "),
    )
}

fn inside_path(b: &Bench) -> Outcome {
    // busybox is there and not here, by this name.
    let out = b.run("cat /tmp/hook", |c| {
        let mount = json!({ "destination": "/tmp/tools", "type": "bind", "options": ["bind"],
            "source": c["root"]["path"].as_str().map(|root| format!("{root}/bin")) });
        add_mount(c, mount);
        let hook = json!({ "path": "/tmp/tools/sh", "args": ["sh", "-c", "echo in > /tmp/hook"] });
        c["hooks"] = json!({ "startContainer": [hook] });
    })?;
    same("hook", out, "in")
}

/// Namespaces of a process, by their links.
fn namespaces(pid: &str, kinds: &[&str]) -> String {
    let link = |kind: &&str| {
        let path = std::fs::read_link(format!("/proc/{pid}/ns/{kind}"));
        path.unwrap_or_default().display().to_string()
    };
    kinds.iter().map(link).collect::<Vec<_>>().join(" ")
}

/// A hook that writes the names of its namespaces, and the host's name.
fn look(b: &Bench, kinds: &[&str]) -> Value {
    let links: Vec<_> = kinds
        .iter()
        .map(|kind| format!("/proc/self/ns/{kind}"))
        .collect();
    let script = format!(
        "echo $(readlink {}) >> {log}; cat /proc/sys/kernel/hostname >> {log}.names",
        links.join(" "),
        log = b.text("log")
    );
    json!({ "path": "/bin/sh", "args": ["sh", "-c", script] })
}

fn on_host(b: &Bench) -> Outcome {
    const KINDS: [&str; 6] = ["mnt", "uts", "ipc", "net", "pid", "user"];
    whole_life(b, |c| {
        for kind in ON_HOST {
            c["hooks"][kind] = json!([look(b, &KINDS)]);
        }
    })?;
    let ours = namespaces("self", &KINDS);
    let log = b.read("log");
    ensure(log.lines().count() == ON_HOST.len(), &log)?;
    ensure(
        log.lines().all(|line| line == ours),
        format!("{log} instead of {ours}"),
    )
}

fn create_container_apart(b: &Bench) -> Outcome {
    const KINDS: [&str; 3] = ["mnt", "uts", "ipc"];
    whole_life(b, |c| {
        c["hooks"] = json!({ "createContainer": [look(b, &KINDS)] })
    })?;
    let (theirs, ours) = (b.read("log"), namespaces("self", &KINDS));
    let all_differ = theirs
        .split_whitespace()
        .zip(ours.split_whitespace())
        .all(|(theirs, ours)| theirs != ours);
    ensure(
        !theirs.is_empty() && all_differ,
        format!("{theirs} and {ours}"),
    )?;
    same("host name", b.read("log.names").trim(), "runsk-test")
}

fn states(b: &Bench) -> Outcome {
    let into = |file: &str| {
        let script = format!("cat > {}", b.text(file));
        json!({ "path": "/bin/sh", "args": ["sh", "-c", script] })
    };
    b.bundle("c", LOOP, |c| {
        for kind in OUTSIDE {
            c["hooks"][kind] = json!([into(kind)]);
        }
        let inside = json!({ "path": "/bin/sh", "args": ["sh", "-c", "cat > /tmp/state"] });
        c["hooks"]["startContainer"] = json!([inside]);
    })?;
    b.create("c", "c")?.ok()?;
    let pid = b.state("c")?["pid"].clone();
    b.start("c")?.ok()?;
    let inside = b.runsk(&["exec", "c", "cat", "/tmp/state"])?.ok()?.out;
    b.runsk(&["kill", "c", "KILL"])?.ok()?;
    b.becomes("c", "stopped")?;
    b.delete("c")?.ok()?;
    let check = |text: String, status: &str, pid: &Value| -> Outcome {
        let state: Value = serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))?;
        let holds = state["id"] == "c"
            && state["status"] == status
            && state["pid"] == *pid
            && state["bundle"] == json!(b.path("c"));
        ensure(holds, text)
    };
    for kind in ["prestart", "createRuntime", "createContainer"] {
        check(b.read(kind), "creating", &pid)?;
    }
    check(inside, "created", &json!(1))?;
    check(b.read("poststart"), "running", &pid)?;
    check(b.read("poststop"), "stopped", &json!(0))
}

fn argv(b: &Bench) -> Outcome {
    let script = format!("tr '\\0' ' ' < /proc/$$/cmdline > {}", b.text("log"));
    whole_life(b, |c| {
        let hook = json!({ "path": "/bin/sh", "args": ["other name", "-c", script] });
        c["hooks"] = json!({ "prestart": [hook] });
    })?;
    ensure(b.read("log").starts_with("other name -c"), b.read("log"))?;
    // busybox is what its name says.
    let out = b.run("cat /tmp/log", |c| {
        let hook = json!({ "path": "/bin/busybox", "args": ["sh", "-c", "echo as sh > /tmp/log"] });
        c["hooks"] = json!({ "startContainer": [hook] });
    })?;
    same("inside", out, "as sh")
}

fn part_of_create(b: &Bench, kind: &str) -> Outcome {
    b.bundle("c", LOOP, |c| c["hooks"] = json!({ kind: [say(b, kind)] }))?;
    b.create("c", "c")?.ok()?;
    same("after create", b.read("log").trim(), kind)
}

fn order(b: &Bench) -> Outcome {
    b.bundle("c", LOOP, |c| {
        for kind in ["createContainer", "createRuntime", "prestart"] {
            c["hooks"][kind] = json!([say(b, kind)]);
        }
    })?;
    b.create("c", "c")?.ok()?;
    let wanted = "prestart createRuntime createContainer";
    same("order", b.read("log").replace('\n', " ").trim(), wanted)
}

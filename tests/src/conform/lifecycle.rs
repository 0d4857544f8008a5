//! runtime.md: state, lifecycle, errors, warnings.

use std::path::Path;

use serde_json::json;

use super::bench::{Bench, Outcome, ensure, same};
use super::{Row, differs, row};

const STATE: &str = "runtime.md#state";
const LIFE: &str = "runtime.md#lifecycle";

/// Runs until it is told not to.
const LOOP: &str = "while :; do sleep 0.05; done";

pub(super) const ROWS: &[Row] = &[
    row(
        "runtime.md#scope-of-a-container",
        "The entity using a runtime to create a container MUST be able to use the operations defined in this specification against that same container",
        every_operation,
    ),
    row(
        STATE,
        "id MUST be unique across all containers on this host",
        ids_are_unique,
    ),
    row(
        STATE,
        "Additional status values MUST be used to represent new runtime states not defined above",
        paused_is_new,
    ),
    row(STATE, "the format MUST adhere to the JSON Schema", schema),
    row(
        LIFE,
        "The container's runtime environment MUST be created according to the configuration in config.json",
        environment,
    ),
    row(
        LIFE,
        "If the runtime is unable to create the environment specified in the config.json, it MUST generate an error",
        no_environment,
    ),
    row(
        LIFE,
        "the resources requested in the config.json MUST be created",
        resources,
    ),
    row(
        LIFE,
        "the user-specified program MUST NOT be run at this time",
        not_run,
    ),
    row(
        LIFE,
        "Any updates to config.json after this step MUST NOT affect the container",
        updates,
    ),
    row(
        LIFE,
        "The prestart hooks MUST be invoked by the runtime",
        |b| invoked(b, "prestart"),
    ),
    row(
        LIFE,
        "If any prestart hook fails, the runtime MUST generate an error, stop the container, and continue the lifecycle at step 12",
        |b| create_hook_fails(b, "prestart"),
    ),
    row(
        LIFE,
        "The createRuntime hooks MUST be invoked by the runtime",
        |b| invoked(b, "createRuntime"),
    ),
    row(
        LIFE,
        "If any createRuntime hook fails, the runtime MUST generate an error, stop the container, and continue the lifecycle at step 12",
        |b| create_hook_fails(b, "createRuntime"),
    ),
    row(
        LIFE,
        "The createContainer hooks MUST be invoked by the runtime",
        |b| invoked(b, "createContainer"),
    ),
    row(
        LIFE,
        "If any createContainer hook fails, the runtime MUST generate an error, stop the container, and continue the lifecycle at step 12",
        |b| create_hook_fails(b, "createContainer"),
    ),
    row(
        LIFE,
        "The startContainer hooks MUST be invoked by the runtime",
        start_container,
    ),
    differs(
        LIFE,
        "If any startContainer hook fails, the runtime MUST generate an error, stop the container, and continue the lifecycle at step 12",
        "the container is stopped, and stays until it is deleted, as with runc: callers ask for its state",
        start_container_fails,
    ),
    row(
        LIFE,
        "The runtime MUST run the user-specified program",
        program,
    ),
    row(
        LIFE,
        "The poststart hooks MUST be invoked by the runtime",
        |b| invoked(b, "poststart"),
    ),
    differs(
        LIFE,
        "If any poststart hook fails, the runtime MUST generate an error, stop the container, and continue the lifecycle at step 12",
        "the container is stopped, and stays until it is deleted, as with runc: callers ask for its state",
        poststart_fails,
    ),
    row(
        LIFE,
        "The container MUST be destroyed by undoing the steps performed during create phase (step 2)",
        destroyed,
    ),
    row(
        LIFE,
        "The poststop hooks MUST be invoked by the runtime",
        |b| invoked(b, "poststop"),
    ),
    row(
        LIFE,
        "If any poststop hook fails, the runtime MUST log a warning, but the remaining hooks and lifecycle continue as if the hook had succeeded",
        poststop_fails,
    ),
    row(
        "runtime.md#errors",
        "generating an error MUST leave the state of the environment as if the operation were never attempted",
        errors_leave_nothing,
    ),
    row(
        "runtime.md#warnings",
        "logging a warning does not change the flow of the operation; it MUST continue as if the warning had not been logged",
        warnings,
    ),
];

fn every_operation(b: &Bench) -> Outcome {
    b.created("c", LOOP)?;
    b.is("c", "created")?;
    b.start("c")?.ok()?;
    b.is("c", "running")?;
    b.runsk(&["kill", "c", "KILL"])?.ok()?;
    b.becomes("c", "stopped")?;
    b.delete("c")?.ok()?;
    b.is_missing("c")
}

fn ids_are_unique(b: &Bench) -> Outcome {
    b.created("c", LOOP)?;
    let said = b.create("c", "c")?.refused()?;
    ensure(said.err.contains("already exists"), said.err)
}

fn paused_is_new(b: &Bench) -> Outcome {
    b.created("c", LOOP)?;
    b.start("c")?.ok()?;
    b.runsk(&["pause", "c"])?.ok()?;
    b.is("c", "paused")?;
    b.runsk(&["resume", "c"])?.ok()?;
    b.is("c", "running")
}

fn schema(b: &Bench) -> Outcome {
    let check = |status: &str| -> Outcome {
        let state = b.state("c")?;
        let shown = state.to_string();
        let texts = ["ociVersion", "id", "status", "bundle"];
        ensure(texts.iter().all(|key| state[key].is_string()), &shown)?;
        ensure(state["id"] == "c" && state["status"] == status, &shown)?;
        ensure(state["bundle"] == json!(b.path("c")), &shown)?;
        ensure(state["pid"].is_u64(), &shown)?;
        ensure(status == "stopped" || state["pid"] != 0, &shown)?;
        ensure(state["annotations"] == json!({ "a.b": "c" }), &shown)
    };
    b.bundle("c", LOOP, |c| c["annotations"] = json!({ "a.b": "c" }))?;
    b.create("c", "c")?.ok()?;
    check("created")?;
    b.start("c")?.ok()?;
    check("running")?;
    b.runsk(&["kill", "c", "KILL"])?.ok()?;
    b.becomes("c", "stopped")?;
    check("stopped")
}

fn environment(b: &Bench) -> Outcome {
    let out = b.run(
        "hostname; pwd; echo $A; id -u; grep -c ' /tmp ' /proc/mounts",
        |c| {
            c["hostname"] = json!("boxy");
            c["process"]["cwd"] = json!("/bin");
            c["process"]["env"] = json!(["PATH=/bin", "A=b"]);
            c["process"]["user"]["uid"] = json!(7);
        },
    )?;
    same("environment", out, "boxy\n/bin\nb\n7\n1")
}

fn no_environment(b: &Bench) -> Outcome {
    b.refuses(|c| {
        let mount = json!({ "destination": "/m", "type": "nonexistent", "source": "x" });
        c["mounts"] = json!([mount]);
    })
    .map(drop)
}

fn resources(b: &Bench) -> Outcome {
    b.created("c", LOOP)?;
    let pid = b.state("c")?["pid"].to_string();
    ensure(Path::new("/proc").join(&pid).exists(), "no process")?;
    // Whatever is asked of its environment is there already.
    let said = b.runsk(&["exec", "c", "hostname"])?.ok()?;
    same("hostname", said.out.trim(), "runsk-test")
}

fn not_run(b: &Bench) -> Outcome {
    b.created("c", &format!("touch /tmp/run; {LOOP}"))?;
    std::thread::sleep(std::time::Duration::from_millis(200));
    b.is("c", "created")?;
    let said = b.runsk(&["exec", "c", "test", "-e", "/tmp/run"])?;
    ensure(said.status == 1, "it has run")
}

fn updates(b: &Bench) -> Outcome {
    b.bundle("c", "exit 3", |_| ())?;
    b.create("c", "c")?.ok()?;
    b.bundle("c", LOOP, |_| ())?;
    b.start("c")?.ok()?;
    b.becomes("c", "stopped")
}

/// A hook that adds its kind to the file `log`.
fn logging(b: &Bench, kind: &str) -> serde_json::Value {
    let script = format!("echo {kind} >> {}", b.text("log"));
    json!({ "path": "/bin/sh", "args": ["sh", "-c", script] })
}

fn failing() -> serde_json::Value {
    json!({ "path": "/bin/sh", "args": ["sh", "-c", "exit 1"] })
}

fn invoked(b: &Bench, kind: &str) -> Outcome {
    b.bundle("c", LOOP, |c| {
        c["hooks"] = json!({ kind: [logging(b, kind)] })
    })?;
    b.create("c", "c")?.ok()?;
    b.start("c")?.ok()?;
    b.runsk(&["kill", "c", "KILL"])?.ok()?;
    b.becomes("c", "stopped")?;
    b.delete("c")?.ok()?;
    same("log", b.read("log").trim(), kind)
}

fn create_hook_fails(b: &Bench, kind: &str) -> Outcome {
    b.refuses(|c| {
        c["hooks"] = json!({ kind: [failing()], "poststop": [logging(b, "poststop")] });
    })?;
    same("log", b.read("log").trim(), "poststop")
}

fn start_container(b: &Bench) -> Outcome {
    let out = b.run("cat /tmp/hook", |c| {
        let hook = json!({ "path": "/bin/sh", "args": ["sh", "-c", "echo hook > /tmp/hook"] });
        c["hooks"] = json!({ "startContainer": [hook] });
    })?;
    same("inside", out, "hook")
}

fn start_container_fails(b: &Bench) -> Outcome {
    b.bundle("c", &format!("touch /tmp/run; {LOOP}"), |c| {
        c["hooks"] = json!({ "startContainer": [failing()], "poststop": [logging(b, "poststop")] });
    })?;
    b.create("c", "c")?.ok()?;
    b.start("c")?.refused()?;
    b.becomes("c", "stopped")?;
    b.delete("c")?.ok()?;
    same("log", b.read("log").trim(), "poststop")
}

fn program(b: &Bench) -> Outcome {
    let out = b.run("echo $0 $1", |c| {
        c["process"]["args"] = json!(["sh", "-c", "echo $0 $1", "a", "b"]);
    })?;
    same("output", out, "a b")
}

fn poststart_fails(b: &Bench) -> Outcome {
    b.bundle("c", LOOP, |c| {
        c["hooks"] = json!({ "poststart": [failing()], "poststop": [logging(b, "poststop")] });
    })?;
    b.create("c", "c")?.ok()?;
    b.start("c")?.refused()?;
    b.becomes("c", "stopped")?;
    b.delete("c")?.ok()?;
    same("log", b.read("log").trim(), "poststop")
}

fn destroyed(b: &Bench) -> Outcome {
    let name = format!("conform-{}", std::process::id());
    b.bundle("c", LOOP, |c| {
        c["linux"]["cgroupsPath"] = json!(format!("/{name}/c"))
    })?;
    b.create("c", "c")?.ok()?;
    let pid = b.state("c")?["pid"].to_string();
    let cgroups = || super::linux::cgroups(&format!("{name}/c"));
    ensure(!cgroups().is_empty(), "no cgroup")?;
    b.start("c")?.ok()?;
    b.runsk(&["kill", "c", "KILL"])?.ok()?;
    b.becomes("c", "stopped")?;
    b.delete("c")?.ok()?;
    ensure(cgroups().is_empty(), format!("left: {:?}", cgroups()))?;
    let cmdline = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    ensure(!cmdline.contains("runsk-sentry"), "the process is there")?;
    ensure(!b.path("state/c").exists(), "the state is there")?;
    for dir in super::linux::cgroups(&name) {
        let _ = std::fs::remove_dir(dir);
    }
    Ok(())
}

fn poststop_fails(b: &Bench) -> Outcome {
    b.bundle("c", "true", |c| {
        c["hooks"] = json!({ "poststop": [failing(), logging(b, "second")] });
    })?;
    b.create("c", "c")?.ok()?;
    let said = b.delete("c")?.ok()?;
    ensure(
        said.err.contains("poststop"),
        format!("no warning: {}", said.err),
    )?;
    same("log", b.read("log").trim(), "second")
}

fn errors_leave_nothing(b: &Bench) -> Outcome {
    b.refuses(|c| c["process"]["args"] = json!(["/nonexistent"]))?;
    let left = std::fs::read_dir(b.path("state")).map_or(0, Iterator::count);
    ensure(left == 0, "something is left in the state directory")
}

fn warnings(b: &Bench) -> Outcome {
    b.bundle("c", "echo on", |c| {
        c["process"]["capabilities"]["effective"] = json!(["CAP_KILL", "CAP_NEWER"]);
    })?;
    let said = b.runsk(&["run", "-b", &b.text("c"), "c"])?.ok()?;
    same("output", said.out.trim(), "on")
}

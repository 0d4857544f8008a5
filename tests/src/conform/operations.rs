//! runtime.md: state, create, start, kill, delete.

use serde_json::json;

use super::bench::{Bench, Outcome, add_mount, ensure, same};
use super::{Row, differs, row};

const QUERY: &str = "runtime.md#query-state";
const CREATE: &str = "runtime.md#create";
const START: &str = "runtime.md#start";
const KILL: &str = "runtime.md#kill";
const DELETE: &str = "runtime.md#delete";

/// Runs until it is told not to.
const LOOP: &str = "while :; do sleep 0.05; done";

pub(super) const ROWS: &[Row] = &[
    row(
        QUERY,
        "This operation MUST generate an error if it is not provided the ID of a container",
        |b| without_id(b, "state"),
    ),
    row(
        QUERY,
        "Attempting to query a container that does not exist MUST generate an error",
        |b| b.is_missing("nothing"),
    ),
    row(
        QUERY,
        "This operation MUST return the state of a container as specified in the State section",
        state,
    ),
    row(
        CREATE,
        "This operation MUST generate an error if it is not provided a path to the bundle and the container ID to associate with the container",
        create_needs,
    ),
    row(
        CREATE,
        "If the ID provided is not unique across all containers within the scope of the runtime, the implementation MUST generate an error",
        not_unique,
    ),
    row(
        CREATE,
        "If the ID provided is not valid in any other way, the implementation MUST generate an error",
        invalid_ids,
    ),
    row(
        CREATE,
        "and a new container MUST NOT be created",
        not_unique_leaves,
    ),
    row(CREATE, "This operation MUST create a new container", |b| {
        b.created("c", "true")?;
        b.is("c", "created")
    }),
    row(
        CREATE,
        "All of the properties configured in config.json except for process MUST be applied",
        applied,
    ),
    row(
        CREATE,
        "process.args MUST NOT be applied until triggered by the start operation",
        args_wait,
    ),
    row(
        CREATE,
        "If the runtime cannot apply a property as specified in the configuration, it MUST generate an error",
        |b| {
            b.refuses(|c| c["root"]["path"] = json!("/nonexistent"))
                .map(drop)
        },
    ),
    row(
        CREATE,
        "If the runtime cannot apply a property, a new container MUST NOT be created",
        |b| {
            b.refuses(|c| c["linux"]["sysctl"] = json!({ "no.such": "1" }))?;
            b.is_missing("c")
        },
    ),
    row(
        START,
        "This operation MUST generate an error if it is not provided the container ID",
        |b| without_id(b, "start"),
    ),
    row(
        START,
        "Attempting to start a container that is not created MUST have no effect on the container",
        start_twice,
    ),
    row(
        START,
        "Attempting to start a container that is not created MUST generate an error",
        start_stopped,
    ),
    row(
        START,
        "This operation MUST run the user-specified program as specified by process",
        started,
    ),
    row(
        START,
        "This operation MUST generate an error if process was not set",
        |b| {
            b.refuses(|c| {
                c.as_object_mut().map(|c| c.remove("process"));
            })
            .map(drop)
        },
    ),
    row(
        KILL,
        "This operation MUST generate an error if it is not provided the container ID",
        |b| without_id(b, "kill"),
    ),
    row(
        KILL,
        "Attempting to send a signal to a container that is neither created nor running MUST have no effect on the container",
        |b| {
            stopped(b)?;
            b.runsk(&["kill", "c", "TERM"])?.refused()?;
            b.is("c", "stopped")
        },
    ),
    row(
        KILL,
        "Attempting to send a signal to a container that is neither created nor running MUST generate an error",
        |b| {
            stopped(b)?;
            let said = b.runsk(&["kill", "c", "KILL"])?.refused()?;
            ensure(said.err.contains("not running"), said.err)
        },
    ),
    row(
        KILL,
        "This operation MUST send the specified signal to the container process",
        signal,
    ),
    row(
        DELETE,
        "This operation MUST generate an error if it is not provided the container ID",
        |b| without_id(b, "delete"),
    ),
    row(
        DELETE,
        "Attempting to delete a container that is not stopped MUST have no effect on the container",
        |b| {
            running(b)?;
            b.delete("c")?.refused()?;
            b.is("c", "running")
        },
    ),
    row(
        DELETE,
        "Attempting to delete a container that is not stopped MUST generate an error",
        |b| {
            running(b)?;
            let said = b.delete("c")?.refused()?;
            ensure(said.err.contains("not stopped"), said.err)
        },
    ),
    differs(
        DELETE,
        "Attempting to delete a container that is not stopped (here: created) MUST generate an error",
        "one that was created and never started is killed and deleted, as with runc, whose callers do so",
        |b| {
            b.created("c", "true")?;
            b.delete("c")?.ok()?;
            b.is_missing("c")
        },
    ),
    row(
        DELETE,
        "Deleting a container MUST delete the resources that were created during the create step",
        |b| {
            stopped(b)?;
            b.delete("c")?.ok()?;
            let left = std::fs::read_dir(b.path("state")).map_or(0, Iterator::count);
            ensure(left == 0, "something is left")
        },
    ),
    row(
        DELETE,
        "resources associated with the container, but not created by this container, MUST NOT be deleted",
        others_stay,
    ),
    row(
        DELETE,
        "Once a container is deleted its ID MAY be used by a subsequent container",
        |b| {
            stopped(b)?;
            b.delete("c")?.ok()?;
            stopped(b)
        },
    ),
];

fn without_id(b: &Bench, command: &str) -> Outcome {
    b.runsk(&[command])?.refused().map(drop)
}

fn state(b: &Bench) -> Outcome {
    running(b)?;
    let state = b.state("c")?;
    let keys = ["ociVersion", "id", "status", "pid", "bundle"];
    ensure(keys.iter().all(|key| !state[key].is_null()), state)
}

fn create_needs(b: &Bench) -> Outcome {
    b.bundle("c", "true", |_| ())?;
    b.runsk(&["create", "-b", &b.text("c")])?.refused()?;
    b.runsk_in(&b.path(""), &["create", "c"])?.refused()?;
    b.is_missing("c")
}

fn not_unique(b: &Bench) -> Outcome {
    running(b)?;
    b.create("c", "c")?.refused().map(drop)
}

fn invalid_ids(b: &Bench) -> Outcome {
    b.bundle("c", "true", |_| ())?;
    for id in ["", "..", "a/b", "a b", "\u{e4}"] {
        b.create(id, "c")?.refused()?;
    }
    Ok(())
}

fn not_unique_leaves(b: &Bench) -> Outcome {
    running(b)?;
    let before = b.state("c")?;
    b.bundle("other", "true", |_| ())?;
    b.create("c", "other")?.refused()?;
    ensure(b.state("c")? == before, "another container")
}

fn applied(b: &Bench) -> Outcome {
    b.bundle("c", LOOP, |c| {
        c["hostname"] = json!("boxy");
        c["linux"]["sysctl"] = json!({ "kernel.msgmax": "4000" });
        let mount = json!({ "destination": "/tmp/m", "type": "tmpfs", "source": "tmpfs",
            "options": ["mode=700"] });
        add_mount(c, mount);
    })?;
    b.create("c", "c")?.ok()?;
    let script = "hostname; cat /proc/sys/kernel/msgmax; stat -c %a /tmp/m";
    let said = b.runsk(&["exec", "c", "sh", "-c", script])?.ok()?;
    same("environment", said.out.trim(), "boxy\n4000\n700")
}

fn args_wait(b: &Bench) -> Outcome {
    b.created("c", &format!("touch /tmp/run; {LOOP}"))?;
    let there = || b.runsk(&["exec", "c", "test", "-e", "/tmp/run"]);
    ensure(there()?.status == 1, "it has run")?;
    b.start("c")?.ok()?;
    b.until(|| Ok(there()?.status == 0), "it runs")
}

fn running(b: &Bench) -> Outcome {
    b.created("c", LOOP)?;
    b.start("c")?.ok().map(drop)
}

fn stopped(b: &Bench) -> Outcome {
    b.created("c", "true")?;
    b.start("c")?.ok()?;
    b.becomes("c", "stopped")
}

fn start_twice(b: &Bench) -> Outcome {
    running(b)?;
    let before = b.state("c")?;
    b.start("c")?.refused()?;
    ensure(b.state("c")? == before, "it has changed")
}

fn start_stopped(b: &Bench) -> Outcome {
    stopped(b)?;
    b.start("c")?.refused()?;
    b.is("c", "stopped")
}

fn started(b: &Bench) -> Outcome {
    let file = b.text("volume");
    b.write("volume", "")?;
    b.bundle("c", "echo $A > /volume; pwd >> /volume", |c| {
        c["process"]["env"] = json!(["PATH=/bin", "A=b"]);
        c["process"]["cwd"] = json!("/bin");
        let mount = json!({ "destination": "/volume", "type": "bind", "source": file,
            "options": ["bind"] });
        add_mount(c, mount);
    })?;
    b.create("c", "c")?.ok()?;
    b.start("c")?.ok()?;
    b.becomes("c", "stopped")?;
    same("written", b.read("volume"), "b\n/bin\n")
}

fn signal(b: &Bench) -> Outcome {
    b.created("c", &format!("trap 'exit' USR1; touch /tmp/up; {LOOP}"))?;
    b.start("c")?.ok()?;
    let up = || Ok(b.runsk(&["exec", "c", "test", "-e", "/tmp/up"])?.status == 0);
    b.until(up, "it is up")?;
    b.runsk(&["kill", "c", "USR1"])?.ok()?;
    b.becomes("c", "stopped")
}

fn others_stay(b: &Bench) -> Outcome {
    b.write("volume", "outside\n")?;
    let file = b.text("volume");
    b.bundle("c", "true", |c| {
        let mount = json!({ "destination": "/volume", "type": "bind", "source": file,
            "options": ["bind"] });
        add_mount(c, mount);
    })?;
    b.create("c", "c")?.ok()?;
    b.delete("c")?.ok()?;
    same("volume", b.read("volume"), "outside\n")?;
    ensure(b.path("c/config.json").exists(), "the bundle is gone")
}

//! Against a real daemon of D-Bus, which looks closely at what it is sent. systemd is not
//! there: it is the daemon that answers for it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::connection::Connection;
use super::{Manager, Unit};
use crate::cgroup::Version;

/// A daemon of the test's own.
struct Daemon {
    process: Child,
    socket: PathBuf,
}

impl Daemon {
    /// `None` where there is none to start.
    fn start() -> Option<Self> {
        let mut process = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .inspect_err(|error| eprintln!("SKIPPED: dbus-daemon: {error}"))
            .ok()?;
        let mut address = String::new();
        let mut lines = BufReader::new(process.stdout.take().expect("stdout"));
        lines.read_line(&mut address).expect("an address");
        let path = address.split(['=', ',']).nth(1).expect("a path").trim();
        Some(Daemon {
            process,
            socket: PathBuf::from(path),
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_daemon_understands_every_call() {
    let Some(daemon) = Daemon::start() else {
        return;
    };
    let mut manager = Manager(Connection::open(&daemon.socket).expect("a connection"));
    let unit = Unit::of("c1", Some(Path::new("a-b.slice:docker:c1"))).expect("a unit");
    let json = r#"{"memory":{"limit":1000},"cpu":{"shares":5,"cpus":"0-1"},"pids":{"limit":7}}"#;
    let resources = serde_json::from_str(json).expect("resources");
    let limits = super::of_resources(&resources, Version::V2).expect("limits");
    let started = manager.start(&unit, "c1", 1, limits.clone());
    let changed = manager.limit(&unit, &limits);
    let stopped = manager.stop(&unit);
    // Words that are not understood end the connection, and give another message.
    for (result, what) in [
        (started, "cannot make"),
        (changed, "cannot change"),
        (stopped, "cannot stop"),
    ] {
        let message = result.expect_err(what).to_string();
        let expected = format!("systemd {what} the unit docker-c1.scope: ");
        assert!(message.starts_with(&expected), "{message}");
        assert!(message.contains("org.freedesktop.systemd1"), "{message}");
    }
}

#[test]
fn nobody_answers() {
    let dir = tempfile::tempdir().expect("directory");
    let socket = dir.path().join("bus");
    let message = Connection::open(&socket)
        .err()
        .expect("refused")
        .to_string();
    let expected = format!(
        "systemd cannot be asked over D-Bus at {}: No such file or directory",
        socket.display()
    );
    assert_eq!(message, expected);
}

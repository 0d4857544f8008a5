//! Asking systemd; org.freedesktop.systemd1(5).

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Unit;
use super::connection::{Connection, Refused};
use super::message::{Body, Call, Property, Value};
use crate::failure::{Context, Failure, Outcome};

/// The system's manager of units.
pub(crate) struct Manager(pub(super) Connection);

/// How long systemd may take to move a process.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(2);

impl Manager {
    /// Connects to it; a clear refusal where systemd does not run.
    pub(crate) fn connect() -> Outcome<Self> {
        // sd_booted(3)
        if !Path::new("/run/systemd/system").is_dir() {
            return Err(Failure::new(
                "--systemd-cgroup: systemd does not run here: leave the flag out to have the \
                 cgroup made without it",
            ));
        }
        Connection::open(&socket()).map(Manager)
    }

    /// Starts `unit` with process `pid` in it, and waits until that is there.
    pub(crate) fn start(
        &mut self,
        unit: &Unit,
        id: &str,
        pid: i32,
        limits: Vec<Property>,
    ) -> Outcome<()> {
        let mut properties = properties(unit, id, pid);
        properties.extend(limits);
        let mut body = Body::default();
        body.text(&unit.name);
        body.text("replace");
        body.properties(&properties);
        body.no_units();
        let started = self.call("StartTransientUnit", "ssa(sv)a(sa(sv))", body)?;
        started.map_err(|refused| failed("cannot make", unit, &refused))?;
        wait_for(unit, pid)
    }

    /// Changes limits of a unit that is there.
    pub(crate) fn limit(&mut self, unit: &Unit, limits: &[Property]) -> Outcome<()> {
        let mut body = Body::default();
        body.text(&unit.name);
        // Until the next start of the host.
        body.bool(true);
        body.properties(limits);
        let changed = self.call("SetUnitProperties", "sba(sv)", body)?;
        changed.map_err(|refused| failed("cannot change", unit, &refused))
    }

    /// Stops a unit. One that is gone is no error: a scope goes with its last process.
    pub(crate) fn stop(&mut self, unit: &Unit) -> Outcome<()> {
        let mut body = Body::default();
        body.text(&unit.name);
        body.text("replace");
        match self.call("StopUnit", "ss", body)? {
            Err(refused) if refused.name != "org.freedesktop.systemd1.NoSuchUnit" => {
                Err(failed("cannot stop", unit, &refused))
            }
            _ => Ok(()),
        }
    }

    fn call(&mut self, method: &str, signature: &str, body: Body) -> Outcome<Result<(), Refused>> {
        let call = Call {
            destination: "org.freedesktop.systemd1",
            path: "/org/freedesktop/systemd1",
            interface: "org.freedesktop.systemd1.Manager",
            method,
            signature,
            body,
        };
        self.0
            .call(&call)
            .context(format_args!("systemd: {method}"))
    }
}

fn socket() -> PathBuf {
    const DEFAULT: &str = "/run/dbus/system_bus_socket";
    let address = std::env::var("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_default();
    let path = address.strip_prefix("unix:path=");
    let path = path.and_then(|path| path.split([',', ';']).next());
    PathBuf::from(path.unwrap_or(DEFAULT))
}

fn properties(unit: &Unit, id: &str, pid: i32) -> Vec<Property> {
    let text = |text: &str| Value::Text(text.to_owned());
    let mut list = vec![("Description", text(&format!("runsk container {id}")))];
    if unit.name.ends_with(".slice") {
        // A slice is where its name says.
        list.push(("Wants", Value::Texts(vec![unit.slice.clone()])));
    } else {
        list.push(("Slice", text(&unit.slice)));
        list.push(("Delegate", Value::Bool(true)));
        list.push(("PIDs", Value::U32s(vec![pid.unsigned_abs()])));
    }
    let on = [
        "MemoryAccounting",
        "CPUAccounting",
        "IOAccounting",
        "TasksAccounting",
    ];
    list.extend(on.map(|name| (name, Value::Bool(true))));
    list.push(("DefaultDependencies", Value::Bool(false)));
    list
}

fn failed(what: &str, unit: &Unit, refused: &Refused) -> Failure {
    Failure::new(format!(
        "systemd {what} the unit {}: {}",
        unit.name, refused.text
    ))
}

/// The answer comes before the work is done.
fn wait_for(unit: &Unit, pid: i32) -> Outcome<()> {
    if unit.name.ends_with(".slice") {
        return Ok(());
    }
    let file = format!("/proc/{pid}/cgroup");
    let patience = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(&file).context(&file)?;
        if text.contains(&unit.name) {
            return Ok(());
        }
        if Instant::now() > patience {
            return Err(Failure::new(format!(
                "systemd did not put process {pid} into the unit {}",
                unit.name
            )));
        }
        sleep(PAUSE);
    }
}

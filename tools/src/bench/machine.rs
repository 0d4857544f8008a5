//! What else the machine does while we measure.

use std::process::{Child, Command, Stdio};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The state that all measurements are made in; ends when dropped.
pub(super) struct Machine {
    pub(super) state: &'static str,
    /// Processors that we could use before.
    pub(super) cpus: usize,
    neighbours: Vec<Child>,
}

/// The processors that this process may run on.
fn usable() -> Result<Vec<usize>, String> {
    let set = sched_getaffinity(Pid::from_raw(0)).map_err(|error| error.to_string())?;
    let is_set = |cpu: &usize| set.is_set(*cpu).unwrap_or(false);
    Ok((0..CpuSet::count()).filter(is_set).collect())
}

/// Keeps this process, and all that it starts from now on, on one processor.
fn pin(cpu: usize) -> Result<(), String> {
    let mut set = CpuSet::new();
    set.set(cpu)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set))
        .map_err(|error| format!("processor {cpu}: {error}"))
}

impl Machine {
    /// Starts the neighbours, or leaves the other processors.
    pub(super) fn prepare(busy: bool, one_cpu: bool) -> Result<Self, String> {
        let cpus = usable()?;
        let mut machine = Machine {
            state: "idle",
            cpus: cpus.len(),
            neighbours: Vec::new(),
        };
        if one_cpu {
            machine.state = "one CPU";
            pin(*cpus.first().ok_or("no processor")?)?;
        }
        if busy {
            machine.state = "busy neighbours";
            let own = std::env::current_exe().map_err(|error| error.to_string())?;
            for cpu in cpus.iter().skip(1) {
                let mut command = Command::new(&own);
                command
                    .args(["spin", &cpu.to_string()])
                    .stdin(Stdio::null());
                let child = command.spawn().map_err(|error| error.to_string())?;
                machine.neighbours.push(child);
            }
        }
        Ok(machine)
    }

    /// Anything else than idle.
    pub(super) fn is_crowded(&self) -> bool {
        self.state != "idle"
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for child in &mut self.neighbours {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A neighbour: keeps a processor busy for as long as its parent lives.
pub(crate) fn spin(cpu: usize) -> Result<std::process::ExitCode, String> {
    const BETWEEN_LOOKS: u32 = 50_000_000;
    pin(cpu)?;
    let parent = nix::unistd::getppid();
    while nix::unistd::getppid() == parent {
        for round in 0..BETWEEN_LOOKS {
            std::hint::black_box(round);
        }
    }
    Ok(std::process::ExitCode::SUCCESS)
}

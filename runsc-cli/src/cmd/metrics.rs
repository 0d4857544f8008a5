//! `runsk metrics`: what a container uses, as OpenMetrics text.

use std::fmt::Write;

use sentry::control::Stats as Own;

use crate::cgroup::Stats as Host;
use crate::failure::Outcome;
use crate::life::{Client, Status};
use crate::state::Directory;

pub(super) fn text(container: &Directory) -> Outcome<String> {
    let (record, status) = container.status()?;
    let mut metrics = Metrics::new(&record.id);
    let running = u64::from(status != Status::Stopped);
    metrics.gauge(
        "runsk_container_up",
        "Whether the container is there.",
        running,
    );
    if status != Status::Stopped {
        own(&mut metrics, &Client::connect(container)?.stats()?);
        if let Some(cgroup) = &record.cgroup {
            host(&mut metrics, &cgroup.stats()?, cgroup.oom_kills());
        }
    }
    Ok(metrics.finish())
}

/// What the container's kernel counts.
fn own(metrics: &mut Metrics, own: &Own) {
    metrics.gauge_of_bytes("runsk_memory", "Memory of programs and files.", own.memory);
    metrics.gauge_of_bytes(
        "runsk_memory_limit",
        "What it may grow to.",
        own.memory_limit,
    );
    metrics.gauge(
        "runsk_processes",
        "Processes that have not ended.",
        own.processes,
    );
    metrics.gauge("runsk_tasks", "Threads of all processes.", own.tasks);
    if own.tasks_limit != u64::MAX {
        metrics.gauge(
            "runsk_tasks_limit",
            "How many there may be.",
            own.tasks_limit,
        );
    }
    let help = "Processor time of programs.";
    metrics.seconds("runsk_cpu_user", help, own.cpu_user_ns);
    let help = "Processor time of the container's kernel.";
    metrics.seconds("runsk_cpu_system", help, own.cpu_system_ns);
    metrics.counter("runsk_page_faults", "Page faults of programs.", own.faults);
    let help = "Processes ended because memory had run out.";
    metrics.counter("runsk_oom_kills", help, own.oom_kills);
}

/// What the host counts for all processes of the sandbox.
fn host(metrics: &mut Metrics, host: &Host, oom_kills: u64) {
    let (cpu, memory) = (&host.cpu, &host.memory.usage);
    let help = "Processor time of the sandbox on the host.";
    metrics.seconds("runsk_host_cpu", help, cpu.usage.total);
    let help = "Time for which the sandbox was held back by its quota.";
    metrics.seconds(
        "runsk_host_cpu_throttled",
        help,
        cpu.throttling.throttled_time,
    );
    let help = "Memory of the sandbox on the host.";
    metrics.gauge_of_bytes("runsk_host_memory", help, memory.usage);
    let help = "The most that it was.";
    metrics.gauge_of_bytes("runsk_host_memory_peak", help, memory.max);
    let help = "Tasks of the sandbox on the host.";
    metrics.gauge("runsk_host_tasks", help, host.pids.current);
    let help = "Host processes ended for lack of memory.";
    metrics.counter("runsk_host_oom_kills", help, oom_kills);
}

/// A text that grows; the format of openmetrics.io, version 1.0.
struct Metrics {
    text: String,
    label: String,
}

impl Metrics {
    fn new(id: &str) -> Self {
        Metrics {
            text: String::new(),
            // Ids have no character that would have to be escaped.
            label: format!("{{id=\"{id}\"}}"),
        }
    }

    fn family(&mut self, name: &str, kind: &str, unit: Option<&str>, help: &str) {
        let _ = writeln!(self.text, "# TYPE {name} {kind}");
        if let Some(unit) = unit {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.text, "# HELP {name} {help}");
    }

    fn value(&mut self, name: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.text, "{name}{} {value}", self.label);
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "gauge", None, help);
        self.value(name, value);
    }

    fn gauge_of_bytes(&mut self, name: &str, help: &str, value: u64) {
        let name = format!("{name}_bytes");
        self.family(&name, "gauge", Some("bytes"), help);
        self.value(&name, value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", None, help);
        self.value(&format!("{name}_total"), value);
    }

    /// A counter of nanoseconds, told in seconds.
    fn seconds(&mut self, name: &str, help: &str, ns: u64) {
        const NS: u64 = 1_000_000_000;
        let name = format!("{name}_seconds");
        self.family(&name, "counter", Some("seconds"), help);
        let value = format!("{}.{:09}", ns / NS, ns % NS);
        self.value(&format!("{name}_total"), value);
    }

    fn finish(mut self) -> String {
        self.text.push_str("# EOF\n");
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn the_form() {
        let mut metrics = Metrics::new("c1");
        metrics.gauge_of_bytes("a", "A.", 5);
        metrics.seconds("b", "B.", 1_500_000_000);
        assert_eq!(
            metrics.finish(),
            "# TYPE a_bytes gauge\n# UNIT a_bytes bytes\n# HELP a_bytes A.\na_bytes{id=\"c1\"} 5\n\
             # TYPE b_seconds counter\n# UNIT b_seconds seconds\n# HELP b_seconds B.\n\
             b_seconds_total{id=\"c1\"} 1.500000000\n# EOF\n"
        );
    }
}

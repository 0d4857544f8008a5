//! proc_pid_limits(5).

use syscalls::Errno;

use super::Process;
use crate::fs::synth::{Opener, put};
use crate::task::{INFINITY, Resource};

fn name(resource: Resource) -> (&'static str, &'static str) {
    match resource {
        Resource::Cpu => ("Max cpu time", "seconds"),
        Resource::Fsize => ("Max file size", "bytes"),
        Resource::Data => ("Max data size", "bytes"),
        Resource::Stack => ("Max stack size", "bytes"),
        Resource::Core => ("Max core file size", "bytes"),
        Resource::Rss => ("Max resident set", "bytes"),
        Resource::Nproc => ("Max processes", "processes"),
        Resource::Nofile => ("Max open files", "files"),
        Resource::Memlock => ("Max locked memory", "bytes"),
        Resource::As => ("Max address space", "bytes"),
        Resource::Locks => ("Max file locks", "locks"),
        Resource::Sigpending => ("Max pending signals", "signals"),
        Resource::Msgqueue => ("Max msgqueue size", "bytes"),
        Resource::Nice => ("Max nice priority", ""),
        Resource::Rtprio => ("Max realtime priority", ""),
        Resource::Rttime => ("Max realtime timeout", "us"),
    }
}

pub(super) fn table(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let task = process.task()?;
    let shown = |limit: u64| match limit {
        INFINITY => "unlimited".to_owned(),
        limit => limit.to_string(),
    };
    let mut text = String::new();
    let mut line = |name: &str, soft: &str, hard: &str, unit: &str| {
        put!(text, "{name:<25} {soft:<20} {hard:<20} {unit:<10}\n");
    };
    line("Limit", "Soft Limit", "Hard Limit", "Units");
    for resource in Resource::all() {
        let limit = task.group.limits.get(resource);
        let (name, unit) = name(resource);
        line(name, &shown(limit.cur), &shown(limit.max), unit);
    }
    Ok(text.into_bytes())
}

//! proc_pid_stat(5), and what else counts time.

use syscalls::{Errno, PAGE_SIZE};

use super::{Process, memory};
use crate::fs::synth::{Opener, put};
use crate::mm::Layout;
use crate::signal::SigSet;
use crate::task::{NS_PER_TICK, Resource, Settings, Task, Usage};
use crate::vfs::DeviceNumber;

/// What a thread does, as ps(1) shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Sleeping,
    Stopped,
    Traced,
    Zombie,
}

impl State {
    pub(super) fn of(task: &Task) -> Self {
        if task.mm.with(Option::is_none) {
            State::Zombie
        } else if task.trace.is_stopped() {
            State::Traced
        } else if task.group.is_stopped() {
            State::Stopped
        } else if task.is_sleeping() {
            State::Sleeping
        } else {
            State::Running
        }
    }

    pub(super) fn letter(self) -> char {
        match self {
            State::Running => 'R',
            State::Sleeping => 'S',
            State::Stopped => 'T',
            State::Traced => 't',
            State::Zombie => 'Z',
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Sleeping => "sleeping",
            State::Stopped => "stopped",
            State::Traced => "tracing stop",
            State::Zombie => "zombie",
        }
    }
}

/// PF_RANDOMIZE and PF_FORKNOEXEC: flags that Linux shows for every ordinary process, and
/// for one that still runs its parent's program.
const RANDOMIZE: u64 = 0x0040_0000;
const FORKED: u64 = 0x40;

fn ticks(ns: u64) -> u64 {
    ns / NS_PER_TICK
}

/// The terminal's number as Linux encodes it here.
fn terminal_number(number: DeviceNumber) -> u64 {
    let (major, minor) = (u64::from(number.major), u64::from(number.minor));
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// Signals below 32, as these fields have them.
fn low(set: SigSet) -> u64 {
    set.bits() & 0x7fff_ffff
}

/// Time used: of a process by all threads, of a thread by itself.
fn usage(process: &Process, task: &Task) -> (Usage, Usage) {
    let children = task.group.children_usage();
    if process.is_whole() {
        (task.group.usage(), children)
    } else {
        (task.usage(), children)
    }
}

/// As it was before real-time scheduling: 20 is ordinary, below 0 is real-time.
fn priority(settings: &Settings) -> i32 {
    match settings.priority {
        0 => 20 + settings.nice,
        real_time => -1 - real_time,
    }
}

#[rustfmt::skip]
pub(super) fn stat(process: &Process, opener: &Opener) -> Result<Vec<u8>, Errno> {
    let task = process.task()?;
    let group = &task.group;
    let shown = process.shown(opener)?;
    let (used, children) = usage(process, &task);
    let memory = memory::usage(process)?;
    let layout = process.mm()?.map(|mm| mm.layout());
    let address = |which: fn(&Layout) -> u64, hidden: u64| match &layout {
        Some(layout) if shown => which(layout),
        Some(_) => hidden,
        None => 0,
    };
    let session = group.session.get();
    let terminal = session.terminal();
    let foreground = match terminal {
        Some(_) => process.number_of(session.foreground())?,
        None => -1,
    };
    let (tid, ppid) = (task.numbers().seen_from(process.pids()), process.number_of(group.parent_pid())?);
    let (pgid, sid) = (process.number_of(group.pgid())?, process.number_of(session.sid)?);
    let terminal = terminal.map_or(0, |terminal| terminal_number(terminal.device()));
    let flags = RANDOMIZE | if group.has_executed() { 0 } else { FORKED };
    let start = if process.is_whole() { group.start_time } else { task.start_time };
    let handlers = group.handlers.get();
    let settings = task.settings();
    let exit = group.exit_status().filter(|_| shown);
    let exit_signal = if process.is_whole() {
        group.exit_signal().map_or(0, crate::signal::Signal::raw)
    } else {
        -1
    };

    let name = task.name.get();
    let mut out = format!("{tid} (").into_bytes();
    out.extend_from_slice(&name);
    let mut text = String::new();
    put!(text, ") {}", State::of(&task).letter());
    put!(text, " {ppid} {pgid} {sid}");
    put!(text, " {terminal} {foreground} {flags}");
    // Faults: minor, of children, major, of children.
    put!(text, " {} {} 0 0", used.faults, children.faults);
    put!(text, " {} {}", ticks(used.user_ns), ticks(used.system_ns));
    put!(text, " {} {}", ticks(children.user_ns), ticks(children.system_ns));
    // Priority and nice value, threads, itrealvalue.
    put!(text, " {} {} {} 0", priority(&settings), settings.nice, group.thread_count().max(1));
    put!(text, " {} {} {}", ticks(start), memory.total, memory.rss / PAGE_SIZE);
    put!(text, " {}", group.limits.soft(Resource::Rss));
    put!(text, " {} {}", address(|l| l.start_code, 1), address(|l| l.end_code, 1));
    // Stack; its pointer and that of instructions are shown for dumps only.
    put!(text, " {} 0 0", address(|l| l.start_stack, 0));
    put!(text, " {} {}", low(task.signals.pending()), low(task.signals.blocked()));
    put!(text, " {} {}", low(handlers.ignored()), low(handlers.caught()));
    // Where it waits, and pages swapped, by it and its children.
    put!(text, " 0 0 0");
    put!(text, " {exit_signal} 0 {} {}", settings.priority, settings.policy);
    // Delays, guest time twice.
    put!(text, " 0 0 0");
    put!(text, " {} {}", address(|l| l.start_data, 0), address(|l| l.end_data, 0));
    put!(text, " {}", address(|l| l.start_brk, 0));
    put!(text, " {} {}", address(|l| l.arg_start, 0), address(|l| l.arg_end, 0));
    put!(text, " {} {}", address(|l| l.env_start, 0), address(|l| l.env_end, 0));
    put!(text, " {}\n", exit.map_or(0, |status| status.to_wait()));
    out.extend_from_slice(text.as_bytes());
    Ok(out)
}

/// proc_pid_io(5): not counted.
pub(super) fn io(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    process.task()?;
    let mut text = String::new();
    for name in [
        "rchar",
        "wchar",
        "syscr",
        "syscw",
        "read_bytes",
        "write_bytes",
        "cancelled_write_bytes",
    ] {
        put!(text, "{name}: 0\n");
    }
    Ok(text.into_bytes())
}

/// Processor time in nanoseconds; waits for a processor are the host's business.
fn run_time(process: &Process) -> Result<u64, Errno> {
    let task = process.task()?;
    let (used, _) = usage(process, &task);
    Ok(used.total_ns())
}

/// Time run, time waited, times run.
pub(super) fn schedstat(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    Ok(format!("{} 0 0\n", run_time(process)?).into_bytes())
}

pub(super) fn sched(process: &Process, _: &Opener) -> Result<Vec<u8>, Errno> {
    let task = process.task()?;
    let name = task.name.get();
    let name = String::from_utf8_lossy(&name);
    let time = run_time(process)?;
    let mut text = String::new();
    let threads = task.group.thread_count().max(1);
    let tid = task.numbers().seen_from(process.pids());
    put!(text, "{name} ({tid}, #threads: {threads})\n");
    put!(text, "{:-<67}\n", "");
    let (ms, rest) = (time / 1_000_000, time % 1_000_000);
    let time = format!("{ms}.{rest:06}");
    put!(text, "{:<45}:{time:>21}\n", "se.sum_exec_runtime");
    let settings = task.settings();
    let policy = [
        ("policy", settings.policy),
        ("prio", 100 + priority(&settings)),
    ];
    for (name, value) in policy {
        put!(text, "{name:<45}:{value:>21}\n");
    }
    Ok(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::terminal_number;
    use crate::vfs::DeviceNumber;

    #[test]
    fn terminals_by_number() {
        let number = |major, minor| terminal_number(DeviceNumber { major, minor });
        assert_eq!(number(136, 1), 34_817);
        assert_eq!(number(136, 300), 0x10_882c);
        assert_eq!(number(4, 1), 1025);
    }
}

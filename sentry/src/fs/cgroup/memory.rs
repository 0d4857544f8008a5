//! `memory.*`.

use syscalls::Errno;

use super::{Control, limit, refuse};
use crate::fs::proc::{Census, Memory};
use crate::fs::synth::{Entry, Opener, put};

pub(super) const ENTRIES: &[Entry<Control>] = &[
    Entry::text("memory.current", |control, _| {
        let memory = control.kernel()?.memory_of(&control.group);
        Ok(format!("{}\n", memory.charged()).into_bytes())
    }),
    Entry::text("memory.events", events),
    Entry::text("memory.events.local", events),
    Entry::setting("memory.high", |_, _| Ok(b"max\n".to_vec()), refuse),
    Entry::setting("memory.low", |_, _| Ok(b"0\n".to_vec()), refuse),
    Entry::setting(
        "memory.max",
        |control, _| Ok(limit(control.group.limits.memory()).into_bytes()),
        refuse,
    ),
    Entry::setting("memory.min", |_, _| Ok(b"0\n".to_vec()), refuse),
    Entry::setting("memory.oom.group", |_, _| Ok(b"0\n".to_vec()), refuse),
    Entry::text("memory.stat", stat),
    Entry::fixed("memory.swap.current", "0\n"),
    Entry::fixed("memory.swap.events", "high 0\nmax 0\nfail 0\n"),
    Entry::setting("memory.swap.max", |_, _| Ok(b"0\n".to_vec()), refuse),
];

fn events(control: &Control, _: &Opener) -> Result<Vec<u8>, Errno> {
    let (oom, kills) = control.group.limits.oom_events();
    let text = format!("low 0\nhigh 0\nmax {oom}\noom {oom}\noom_kill {kills}\noom_group_kill 0\n");
    Ok(text.into_bytes())
}

fn stat(control: &Control, _: &Opener) -> Result<Vec<u8>, Errno> {
    let kernel = control.kernel()?;
    let memory = Memory::of(&kernel);
    let files = memory.cached - memory.shared;
    let lines = [
        ("anon", memory.anonymous),
        ("file", memory.cached),
        ("kernel", 0),
        ("shmem", memory.shared),
        ("file_mapped", memory.mapped),
        ("file_dirty", 0),
        ("file_writeback", 0),
        ("swapcached", 0),
        ("inactive_anon", 0),
        ("active_anon", memory.anonymous + memory.shared),
        ("inactive_file", files),
        ("active_file", 0),
        ("unevictable", 0),
        ("slab", 0),
        ("pgfault", Census::take(&kernel).usage.faults),
        ("pgmajfault", 0),
    ];
    let mut text = String::new();
    for (name, value) in lines {
        put!(text, "{name} {value}\n");
    }
    Ok(text.into_bytes())
}

//! proc_pid_status(5).

use std::sync::atomic::Ordering;

use syscalls::Errno;

use super::Process;
use super::stat::State;
use crate::fs::processor::{list, mask};
use crate::fs::synth::{Opener, put};
use crate::mm::MemoryUse;
use crate::namespace::UserNamespace;
use crate::signal::SigSet;
use crate::task::{Resource, Task, UserIds};

/// What Linux does to a name that it shows in a line.
fn escape(out: &mut Vec<u8>, name: &[u8]) {
    for &byte in name {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            _ => out.push(byte),
        }
    }
}

pub(super) fn status(process: &Process, opener: &Opener) -> Result<Vec<u8>, Errno> {
    let task = process.task()?;
    let mut out = b"Name:\t".to_vec();
    escape(&mut out, &task.name.get());
    let mut text = String::from("\n");
    identity(&mut text, process, &task, &opener.creds.user)?;
    if let Some(mm) = task.mm.get() {
        memory(&mut text, &mm.usage());
        text.push_str("CoreDumping:\t0\nTHP_enabled:\t0\n");
        text.push_str("untag_mask:\t0xffffffffffffffff\n");
    }
    signals(&mut text, &task);
    rights(&mut text, &task);
    processors(&mut text, &task);
    let sleeps = task.usage().sleeps;
    put!(text, "voluntary_ctxt_switches:\t{sleeps}\n");
    text.push_str("nonvoluntary_ctxt_switches:\t0\n");
    out.extend_from_slice(text.as_bytes());
    Ok(out)
}

fn identity(
    text: &mut String,
    process: &Process,
    task: &Task,
    to: &UserNamespace,
) -> Result<(), Errno> {
    let (group, pids) = (&task.group, process.pids());
    let creds = task.creds.get();
    let state = State::of(task);
    if state != State::Zombie {
        put!(text, "Umask:\t{:04o}\n", task.fs.get().umask.get());
    }
    put!(text, "State:\t{} ({})\n", state.letter(), state.word());
    put!(
        text,
        "Tgid:\t{}\nNgid:\t0\nPid:\t{}\n",
        group.numbers.seen_from(pids),
        task.numbers().seen_from(pids)
    );
    let tracer = task.trace.tracer();
    let tracer = tracer.map_or(0, |tracer| tracer.numbers().seen_from(pids));
    put!(
        text,
        "PPid:\t{}\nTracerPid:\t{tracer}\n",
        process.number_of(group.parent_pid())?
    );
    let all = |ids: UserIds| [ids.real, ids.effective, ids.saved, ids.fs];
    let uids = all(creds.uid).map(|id| to.shown_uid(id));
    let gids = all(creds.gid).map(|id| to.shown_gid(id));
    for (name, [real, effective, saved, fs]) in [("Uid", uids), ("Gid", gids)] {
        put!(text, "{name}:\t{real}\t{effective}\t{saved}\t{fs}\n");
    }
    // Linux grows tables by whole words of its bit maps.
    let places = match state {
        State::Zombie => 0,
        _ => task.fds.get().size().next_multiple_of(64).max(64),
    };
    put!(text, "FDSize:\t{places}\nGroups:\t");
    for &gid in &creds.groups {
        put!(text, "{} ", to.shown_gid(gid));
    }
    // Also without groups there is a space.
    if creds.groups.is_empty() {
        text.push(' ');
    }
    put!(text, "\nNStgid:{}\n", group.numbers.text_from(pids));
    put!(text, "NSpid:{}\n", task.numbers().text_from(pids));
    put!(
        text,
        "NSpgid:{}\n",
        process.numbers_text(group.pgid(), &group.numbers)?
    );
    put!(
        text,
        "NSsid:{}\nKthread:\t0\n",
        process.numbers_text(group.sid(), &group.numbers)?
    );
    Ok(())
}

fn memory(text: &mut String, usage: &MemoryUse) {
    let lines = [
        ("VmPeak", usage.total_peak),
        ("VmSize", usage.total),
        ("VmLck", usage.locked),
        ("VmPin", 0),
        ("VmHWM", usage.rss_peak),
        ("VmRSS", usage.rss),
        ("RssAnon", usage.rss_anonymous),
        ("RssFile", usage.rss_file),
        ("RssShmem", 0),
        ("VmData", usage.data),
        ("VmStk", usage.stack),
        ("VmExe", usage.exe),
        ("VmLib", usage.lib),
        ("VmPTE", 0),
        ("VmSwap", 0),
        ("HugetlbPages", 0),
    ];
    for (name, bytes) in lines {
        put!(text, "{name}:\t{:>8} kB\n", bytes >> 10);
    }
}

fn signals(text: &mut String, task: &Task) {
    let group = &task.group;
    let user = task.kernel.users.get(task.creds.get().uid.real);
    let queued = user.queued_signals.load(Ordering::Relaxed);
    let limit = group.limits.soft(Resource::Sigpending);
    put!(text, "Threads:\t{}\n", group.thread_count().max(1));
    put!(text, "SigQ:\t{queued}/{limit}\n");
    let handlers = group.handlers.get();
    let sets: [(&str, SigSet); 5] = [
        ("SigPnd", task.signals.pending()),
        ("ShdPnd", group.signals.pending()),
        ("SigBlk", task.signals.blocked()),
        ("SigIgn", handlers.ignored()),
        ("SigCgt", handlers.caught()),
    ];
    for (name, set) in sets {
        put!(text, "{name}:\t{:016x}\n", set.bits());
    }
}

fn rights(text: &mut String, task: &Task) {
    let creds = task.creds.get();
    let sets = [
        ("CapInh", creds.inheritable),
        ("CapPrm", creds.permitted),
        ("CapEff", creds.effective),
        ("CapBnd", creds.bounding),
        ("CapAmb", creds.ambient),
    ];
    for (name, set) in sets {
        put!(text, "{name}:\t{:016x}\n", set.bits());
    }
    put!(text, "NoNewPrivs:\t{}\n", u8::from(creds.no_new_privs));
    put!(text, "Seccomp:\t{}\n", task.seccomp.mode() as u8);
    put!(text, "Seccomp_filters:\t{}\n", task.seccomp.count());
    text.push_str("Speculation_Store_Bypass:\tthread vulnerable\n");
    text.push_str("SpeculationIndirectBranch:\tconditional enabled\n");
}

fn processors(text: &mut String, task: &Task) {
    let set = task.settings().affinity;
    let (mask, list) = (mask(set, task.kernel.cpus()), list(set));
    put!(text, "Cpus_allowed:\t{mask}\nCpus_allowed_list:\t{list}\n");
    text.push_str("Mems_allowed:\t1\nMems_allowed_list:\t0\n");
}

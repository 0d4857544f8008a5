//! What a sandbox is made of, as text for `runsk debug`: memory by owner, processes with
//! their threads and open files, mounts.

use std::sync::Arc;

use crate::fs::proc::Memory;
use crate::fs::synth::put;
use crate::kernel::Kernel;
use crate::task::{Task, ThreadGroup};

/// More text is not made, bytes: an answer has to fit.
const MOST: usize = 4 << 20;

pub(super) fn text(kernel: &Arc<Kernel>) -> String {
    let mut text = String::new();
    memory(kernel, &mut text);
    let groups = kernel.pids.groups();
    put!(text, "\nprocesses: {}\n", groups.len());
    for group in &groups {
        if text.len() > MOST {
            text.push_str("and more\n");
            break;
        }
        process(kernel, group, &mut text);
    }
    text.push_str("\nmounts of the first process:\n");
    if let Some(first) = groups.first().and_then(|group| group.leader()) {
        let fs = first.fs.get();
        let mounts = fs.mounts.get().mountinfo_text(&fs.root.get());
        text.push_str(&String::from_utf8_lossy(&mounts));
    }
    text
}

fn memory(kernel: &Kernel, text: &mut String) {
    let memory = Memory::of(kernel);
    let (oom, kills) = kernel.cgroup.limits.oom_events();
    text.push_str("memory, KiB:\n");
    let lines = [
        ("limit", memory.total),
        ("free", memory.free),
        ("anonymous memory of programs", memory.anonymous),
        ("pages of files", memory.cached - memory.shared),
        ("tmpfs and shared memory", memory.shared),
    ];
    for (name, bytes) in lines {
        put!(text, "  {name:<28} {:>10}\n", bytes >> 10);
    }
    put!(
        text,
        "  ran out {oom} times, {kills} processes were ended for it\n"
    );
}

fn process(kernel: &Kernel, group: &Arc<ThreadGroup>, text: &mut String) {
    let leader = group.leader();
    let name = leader.as_ref().map(|task| task.name.get());
    let name = name.as_deref().map_or("?".into(), String::from_utf8_lossy);
    let (pid, parent) = (group.pid, group.parent_pid());
    put!(text, "\n{pid} {name:?}, parent {parent}");
    if group.has_ended() {
        text.push_str(", has ended and was not waited for\n");
        return;
    }
    let cgroup = kernel.cgroup_of(group).path();
    put!(text, ", cgroup {}", String::from_utf8_lossy(&cgroup));
    let threads = group.threads();
    if let Some(mm) = threads.first().and_then(|task| task.mm.get()) {
        let (memory, maps) = (mm.usage(), mm.map_count());
        put!(
            text,
            ", {} KiB resident ({} KiB anonymous) in {maps} mappings",
            memory.rss >> 10,
            memory.rss_anonymous >> 10,
        );
    }
    text.push('\n');
    for thread in &threads {
        let name = thread.name.get();
        let name = String::from_utf8_lossy(&name);
        let (tid, state) = (thread.tid(), state(group, thread));
        let used = thread.usage().total_ns() / 1_000_000;
        put!(
            text,
            "  thread {tid} {name:?}: {state}, {used} ms of processor time\n"
        );
    }
    if let Some(task) = threads.first() {
        files(task, text);
    }
}

fn state(group: &ThreadGroup, thread: &Task) -> &'static str {
    if thread.is_frozen() {
        "frozen"
    } else if group.is_stopped() {
        "stopped"
    } else if thread.is_sleeping() {
        "sleeps in a system call"
    } else if thread.is_in_kernel() {
        "in the kernel"
    } else {
        "runs"
    }
}

fn files(task: &Task, text: &mut String) {
    let root = task.fs.get().root.get();
    for (fd, entry) in task.fds.get().list() {
        if text.len() > MOST {
            return;
        }
        let path = entry.file.location.path(&root);
        put!(text, "  fd {}: {}\n", fd.0, String::from_utf8_lossy(&path));
    }
}

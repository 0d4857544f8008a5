//! What a core file tells of the process and its threads: the notes of its PT_NOTE segment.

use syscalls::PAGE_SIZE;
use syscalls::abi::ptrace::{NT_PRFPREG, NT_PRSTATUS, NT_X86_XSTATE};
use syscalls::abi::signal::Siginfo;
use zerocopy::IntoBytes;

use super::Registers;
use crate::fs::proc::arguments;
use crate::mm::MapInfo;
use crate::ptrace::register_set;
use crate::task::Current;

const NT_PRPSINFO: u64 = 3;
const NT_AUXV: u64 = 6;
const NT_FILE: u64 = 0x4649_4c45;
const NT_SIGINFO: u64 = 0x5349_4749;

/// All of them: those of the thread that got the signal, which stands first in `threads`, of
/// the process, and of the other threads.
pub(super) fn all(
    task: &Current,
    info: &Siginfo,
    threads: &[Registers],
    maps: &[MapInfo],
) -> Vec<u8> {
    let mut notes = Vec::new();
    for (index, thread) in threads.iter().enumerate() {
        note(
            &mut notes,
            b"CORE",
            NT_PRSTATUS,
            &status(task, info, thread),
        );
        if index == 0 {
            note(&mut notes, b"CORE", NT_PRPSINFO, &process(task));
            note(&mut notes, b"CORE", NT_SIGINFO, info.as_bytes());
            note(&mut notes, b"CORE", NT_AUXV, &auxiliary(task));
            note(&mut notes, b"CORE", NT_FILE, &files(task, maps));
        }
        for (name, kind) in [(&b"CORE"[..], NT_PRFPREG), (b"LINUX", NT_X86_XSTATE)] {
            if let Ok(set) = register_set(&thread.regs, thread.fp.as_ref(), kind) {
                note(&mut notes, name, kind, &set);
            }
        }
    }
    notes
}

fn note(out: &mut Vec<u8>, name: &[u8], kind: u64, body: &[u8]) {
    let word = |value: usize| u32::try_from(value).unwrap_or(0).to_le_bytes();
    out.extend(word(name.len() + 1));
    out.extend(word(body.len()));
    out.extend(u32::try_from(kind).unwrap_or(0).to_le_bytes());
    out.extend(name);
    out.push(0);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(body);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// The numbers of the process's parent, group and session.
fn relatives(task: &Current) -> [i32; 3] {
    let group = &task.group;
    [group.parent_pid(), group.pgid(), group.sid()].map(|pid| task.number_of(pid))
}

/// `struct elf_prstatus`.
fn status(task: &Current, info: &Siginfo, thread: &Registers) -> Vec<u8> {
    let mut out = [info.signo, info.code, info.errno]
        .map(i32::to_le_bytes)
        .concat();
    out.extend(info.signo.to_le_bytes());
    out.extend(task.signals.pending().bits().to_le_bytes());
    out.extend(task.signals.blocked().bits().to_le_bytes());
    out.extend(thread.numbers.own().to_le_bytes());
    out.extend(relatives(task).map(i32::to_le_bytes).concat());
    let usage = task.usage();
    for ns in [usage.user_ns, usage.system_ns, 0, 0] {
        out.extend((ns / 1_000_000_000).to_le_bytes());
        out.extend((ns % 1_000_000_000 / 1000).to_le_bytes());
    }
    out.extend(register_set(&thread.regs, None, NT_PRSTATUS).unwrap_or_default());
    out.extend(
        [u32::from(thread.fp.is_some()), 0]
            .map(u32::to_le_bytes)
            .concat(),
    );
    out
}

/// `struct elf_prpsinfo`.
fn process(task: &Current) -> Vec<u8> {
    /// Bytes of the name and of the arguments.
    const NAME: usize = 16;
    const ARGUMENTS: usize = 80;
    let creds = task.creds.get();
    let nice = i8::try_from(task.settings().nice).unwrap_or(0);
    let mut out = vec![0, b'R', 0];
    out.extend(nice.to_le_bytes());
    out.extend([0; 4]);
    out.extend(0u64.to_le_bytes());
    out.extend(creds.user.shown_uid(creds.uid.real).to_le_bytes());
    out.extend(creds.user.shown_gid(creds.gid.real).to_le_bytes());
    out.extend(task.own_pid().to_le_bytes());
    out.extend(relatives(task).map(i32::to_le_bytes).concat());
    let field = |text: &[u8], len: usize| {
        let mut field = text.get(..len - 1).unwrap_or(text).to_vec();
        field.resize(len, 0);
        field
    };
    out.extend(field(&task.name.get(), NAME));
    let mut arguments = arguments(task.mem());
    arguments.truncate(ARGUMENTS - 1);
    let words = arguments
        .iter()
        .map(|&byte| if byte == 0 { b' ' } else { byte });
    out.extend(field(&words.collect::<Vec<u8>>(), ARGUMENTS));
    out
}

fn auxiliary(task: &Current) -> Vec<u8> {
    let words = task.mem().layout().auxv.into_iter().flatten();
    words.flat_map(u64::to_le_bytes).collect()
}

/// Which files are mapped where: ranges, then names.
fn files(task: &Current, maps: &[MapInfo]) -> Vec<u8> {
    let root = task.root();
    let mapped: Vec<_> = maps
        .iter()
        .filter_map(|map| Some((map, map.file.as_ref()?.location.path(&root))))
        .collect();
    let mut out = [mapped.len() as u64, PAGE_SIZE]
        .map(u64::to_le_bytes)
        .concat();
    for (map, _) in &mapped {
        let words = [map.start.get(), map.end.get(), map.offset / PAGE_SIZE];
        out.extend(words.map(u64::to_le_bytes).concat());
    }
    for (_, path) in &mapped {
        out.extend(path);
        out.push(0);
    }
    out
}

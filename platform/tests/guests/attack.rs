//! What an application tries on systrap, where it shares memory with the stub.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use platform::{Event, Interrupt, Regs};

use crate::guests::guest::{CODE, Guest, NOTHING, RW, code, map, start};

code! { attacks:
    // Where the thread's pages are.
    "rdgsbase rdi" "mov eax, 39" "syscall" "2:" "jmp 2b"
    ".balign 16"
    // The bases and the frame of tasks that are just being made, for all pages from rdi to
    // rsi.
    "3:" "mov rcx, rdi" "mov rax, 0x8000000000000000"
    "4:" "mov [rcx + 184], rax" "mov [rcx + 192], rax"
    "mov qword ptr [rcx + 24], 8"
    "add rcx, 0x4000" "cmp rcx, rsi" "jb 4b" "jmp 3b"
    ".balign 16"
    // Frames of a signal that somebody sent, at rdi.
    "5:" "lea rax, [rdi + 0x1000]"
    // The victim itself runs on from such a frame, and is deaf to kicks from then on.
    "mov qword ptr [rax + 38 * 8], 0x400000"
    "lea rcx, [rip + 2b]" "mov [rax + 22 * 8], rcx" "mov qword ptr [rax + 23 * 8], 0x202"
    "mov rcx, 0x2b000000000033" "mov [rax + 24 * 8], rcx" "lea rcx, [rdi + 0x1400]"
    "mov [rax + 29 * 8], rcx" "mov qword ptr [rax + 39 * 8], 11"
    "mov qword ptr [rax + 40 * 8], 0" "mov [rdi + 24], rax"
    "mov dword ptr [rdi + 16], 1" "mov dword ptr [rdi], 2" "jmp 5b"
}

code! { sleeps_like_a_mapper:
    // The first call in the stub, at rdi, is the one with which mappers sleep. It goes on with
    // a read of what rbx points to.
    "mov r11, rdi" "2:" "inc r11" "cmp word ptr [r11], 0x050f" "jne 2b"
    // As soon as there is a new command at rsi, sleep till the next: before the mapper does.
    "mov edx, [rsi]" "3:" "cmp [rsi], edx" "je 3b" "mov edx, [rsi]"
    "mov rdi, rsi" "xor esi, esi" "xor r10d, r10d" "mov ebx, 8" "mov eax, 202" "jmp r11"
}

const SPOIL: u64 = CODE + 0x10;
const FORGE: u64 = SPOIL + 0x40;
/// Bytes of a thread's pages.
const SIZE: u64 = 0x4000;

/// Runs `attack` with these two registers on a thread of its own, while `victim` runs.
fn beside(guest: &mut Guest, attack: u64, (rdi, rsi): (u64, u64), victim: impl FnOnce(&mut Guest)) {
    let (space, platform) = (guest.space.clone(), guest.platform.clone());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (handles, handle) = std::sync::mpsc::channel();
        let stop = &stop;
        scope.spawn(move || {
            let mut context = platform.new_context().unwrap();
            handles.send(context.interrupter()).unwrap();
            let mut regs = Regs {
                rip: attack,
                rdi,
                rsi,
                ..start()
            };
            while !stop.load(Ordering::Relaxed) {
                let event = context.switch(&space, &mut regs).unwrap();
                assert_eq!(event, Event::Interrupted);
            }
        });
        let attacker = handle.recv().unwrap();
        let _end = End(stop, attacker);
        victim(guest);
    });
}

/// Ends an attack, whatever became of its victim.
struct End<'a>(&'a AtomicBool, Arc<dyn Interrupt>);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.interrupt();
    }
}

/// The first address of pages for `count` threads, which are mapped.
fn pages(guest: &Guest, count: usize) -> u64 {
    let all = Barrier::new(count);
    let first = std::sync::atomic::AtomicU64::new(u64::MAX);
    let (platform, space) = (&guest.platform, &guest.space);
    std::thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| {
                let mut context = platform.new_context().unwrap();
                let mut regs = start();
                assert_eq!(context.switch(space, &mut regs).unwrap(), Event::Syscall);
                first.fetch_min(regs.rdi, Ordering::Relaxed);
                all.wait();
            });
        }
    });
    guest.platform.settle();
    first.into_inner()
}

/// The token with which privileged calls are made, as `process::stub` describes it: the upper
/// bits are 01.
fn is_token(value: u64) -> bool {
    value >> 62 == 1
}

#[test]
fn a_task_that_is_made_to_fault_at_once_has_no_token() {
    const THREADS: u64 = 8;
    let mut guest = Guest::new(attacks());
    let first = pages(&guest, 8);
    let range = (first, first + THREADS * SIZE);
    beside(&mut guest, SPOIL, range, |guest| {
        let mut faults = 0;
        for _ in 0..200 {
            guest.regs = start();
            let event = guest.context.switch(&guest.space, &mut guest.regs);
            faults += u32::from(matches!(event, Ok(Event::Exception { .. })));
            let regs = guest.regs;
            let all = [
                regs.rax, regs.rbx, regs.rcx, regs.rdx, regs.rsi, regs.rdi, regs.rbp, regs.rsp,
                regs.r8, regs.r9, regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15,
            ];
            assert!(!all.into_iter().any(is_token), "{event:?}: {regs:x?}");
            guest.context.release();
        }
        println!("{faults} tasks faulted");
    });
}

/// Where a mapper's own thread had a stack for signals the application has memory: nothing is
/// written there, whatever signal the mapper gets.
#[test]
fn a_mapper_has_no_stack_for_signals() {
    const STACK: u64 = 0x12_3456_0000;
    const LEN: usize = 0x10000;
    let before = set_stack(STACK, LEN);
    let mut guest = Guest::new(attacks());
    set_stack(before.ss_sp.addr() as u64, before.ss_size);
    let stack = guest
        .memory
        .allocate(16, platform::memfile::Fill::Zero)
        .unwrap();
    guest.space.apply(&[map(STACK, &stack, RW)]).unwrap();
    assert_eq!(guest.syscall(), 39);
    // The mapper is all that is left then: a context that is dropped leaves no task.
    guest.context = guest.platform.new_context().unwrap();
    guest.platform.settle();
    for pid in processes_that_map(STACK) {
        kill(pid, Signal::SIGSEGV).unwrap();
    }
    let end = Instant::now() + Duration::from_secs(20);
    while !processes_that_map(STACK).is_empty() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut bytes = vec![1; LEN];
    guest.memory.read(stack.offset(), &mut bytes).unwrap();
    assert!(bytes.iter().all(|byte| *byte == 0));
}

/// Gives this thread another stack for signals, or none for 0.
fn set_stack(at: u64, len: usize) -> libc::stack_t {
    let ss_flags = if at == 0 { libc::SS_DISABLE } else { 0 };
    let ss_sp = std::ptr::without_provenance_mut(usize::try_from(at).unwrap());
    let new = libc::stack_t {
        ss_sp,
        ss_flags,
        ss_size: len,
    };
    let mut old = libc::stack_t {
        ss_sp: std::ptr::null_mut(),
        ss_flags: 0,
        ss_size: 0,
    };
    // SAFETY: both are valid; nothing on this thread takes a signal meanwhile, and if it did,
    // the test would end.
    let result = unsafe { libc::sigaltstack(&raw const new, &raw mut old) };
    assert_eq!(result, 0);
    old
}

fn processes_that_map(address: u64) -> Vec<Pid> {
    let start = format!("{address:x}-");
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .filter(|pid: &i32| {
            let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
            maps.lines().any(|line| line.starts_with(&start))
        })
        .map(Pid::from_raw)
        .collect()
}

#[test]
fn whoever_forges_events_can_be_interrupted() {
    const LONG: Duration = Duration::from_secs(30);
    let mut guest = Guest::new(attacks());
    assert_eq!(guest.syscall(), 39);
    let pages = guest.regs.rdi;
    let victim = guest.context.interrupter();
    let (done, end) = std::sync::mpsc::channel::<()>();
    let (go, begin) = std::sync::mpsc::channel();
    let helper = std::thread::spawn(move || {
        begin.recv().unwrap();
        let start = Instant::now();
        // More than one try: so that the test comes to its end in any case.
        while end.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
            victim.interrupt();
        }
        start.elapsed()
    });
    let mut done = Some(done);
    beside(&mut guest, FORGE, (pages, 0), |guest| {
        go.send(()).unwrap();
        let event = guest.context.switch(&guest.space, &mut guest.regs);
        assert!(
            matches!(event, Ok(Event::Interrupted) | Err(_)),
            "{event:?}"
        );
        drop(done.take());
    });
    drop(done);
    assert!(helper.join().unwrap() < LONG);
}

/// Wakeups for the mapper are not for others.
#[test]
fn nobody_sleeps_in_the_place_of_a_mapper() {
    const COMMAND: u64 = 0x2_0000;
    let guest = Guest::new(sleeps_like_a_mapper());
    let stub = guest.platform.user_range().1.get();
    let (space, platform, page) = (guest.space.clone(), guest.platform.clone(), guest.page());
    let (handles, handle) = std::sync::mpsc::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let sleeper = std::thread::spawn(move || {
        let mut context = platform.new_context().unwrap();
        handles.send(context.interrupter()).unwrap();
        let mut sleeps = 0;
        while !stopped.load(Ordering::Relaxed) {
            let mut regs = Regs {
                rdi: stub,
                rsi: stub + COMMAND,
                ..start()
            };
            let event = context.switch(&space, &mut regs).unwrap();
            sleeps += u32::from(matches!(event, Event::Fault { .. }));
        }
        sleeps
    });
    let interrupter = handle.recv().unwrap();
    let (changed, change) = std::sync::mpsc::channel();
    let space = guest.space.clone();
    std::thread::spawn(move || {
        for _ in 0..200 {
            space.apply(&[map(NOTHING, &page, RW)]).unwrap();
            changed.send(()).unwrap();
            std::thread::sleep(Duration::from_micros(300));
        }
    });
    for _ in 0..200 {
        let done = change.recv_timeout(Duration::from_secs(30));
        assert!(done.is_ok(), "a change of mappings is never done");
    }
    stop.store(true, Ordering::Relaxed);
    interrupter.interrupt();
    assert!(sleeper.join().unwrap() > 0);
}

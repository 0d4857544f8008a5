use crate::guests::guest::{CODE, DATA, Guest, code, start};
use platform::systrap::rewrite::{self, AFTER, BEFORE, Rewrite};
use platform::{Event, Regs};

code! { wrappers:
    // As a C library's syscall(2), and a wrapper of its own for one call.
    ".balign 16" "nop" "nop"
    "2:" "mov rax, [rbx]"
    "syscall" "cmp rax, -4095" "sete cl"
    "mov eax, 39" "syscall" "mov r12, rax"
    "jmp 2b"
}

/// Where the instructions are in the code above.
const FIRST: u64 = CODE + 7;
const SECOND: u64 = CODE + 23;
const TRAMPOLINES: u64 = CODE + 0x1_0000;

/// Rewrites the call that `guest` has just made.
fn rewrite(guest: &mut Guest, place: &mut u64) -> Rewrite {
    let mut bytes = [0; BEFORE + AFTER];
    let offset = guest.code.offset() + guest.regs.rip - CODE;
    let known = (guest.regs.rip - CODE).min(BEFORE as u64);
    let skip = BEFORE - usize::try_from(known).unwrap();
    guest
        .memory
        .read(offset - known, &mut bytes[skip..])
        .unwrap();
    let before = bytes.first_chunk().unwrap();
    let after = bytes.last_chunk().unwrap();
    let plan = rewrite::plan(before, after, guest.regs.rip, guest.regs.orig_rax).unwrap();
    while plan.jump(*place).is_none() {
        *place += 1;
    }
    let at = *place;
    *place += plan.size();
    let trampoline = plan.trampoline(at, TRAMPOLINES).unwrap();
    let page = guest.page();
    // One page for all: look for what is there.
    let page = guest.trampolines.get_or_insert(page);
    guest
        .memory
        .write(page.offset(), &rewrite::page_header())
        .unwrap();
    guest
        .memory
        .write(page.offset() + at - TRAMPOLINES, &trampoline)
        .unwrap();
    let ops = [crate::guests::guest::map(
        TRAMPOLINES,
        page,
        crate::guests::guest::RX,
    )];
    guest.space.apply(&ops).unwrap();
    let at_code = guest.code.offset() + plan.start() - CODE;
    guest
        .memory
        .write(at_code, &plan.jump(at).unwrap())
        .unwrap();
    plan
}

/// Both calls rewritten, the thread behind the second.
fn rewritten() -> (Guest, [Rewrite; 2], u64) {
    let mut guest = Guest::new(wrappers());
    guest.set_word(0, 186);
    let mut place = TRAMPOLINES + rewrite::HEADER;
    assert_eq!(guest.syscall(), 186);
    assert!(guest.context.was_slow_call());
    let first = rewrite(&mut guest, &mut place);
    // The thread stands where the trap is now: the kernel sends it on.
    let tail = first.tail(place - first.size());
    guest.regs.rip = tail;
    assert_eq!(guest.syscall(), 39);
    let second = rewrite(&mut guest, &mut place);
    (guest, [first, second], tail)
}

#[test]
fn registers_are_those_of_the_call() {
    let (mut guest, _, _) = rewritten();
    for round in 0..1000 {
        guest.set_word(0, 1000 + round);
        guest.regs.rax = round;
        assert_eq!(guest.syscall(), 1000 + round);
        assert!(!guest.context.was_slow_call(), "{round}");
        assert_eq!(guest.regs.rip, FIRST);
        assert_eq!((guest.regs.rbx, guest.regs.rsp), (DATA, start().rsp));
        assert_eq!(guest.regs.rcx, guest.regs.rip);
        if round > 0 {
            assert_eq!(guest.regs.r12, round);
        }
        guest.regs.rax = u64::MAX - 4094;
        assert_eq!(guest.syscall(), 39);
        assert_eq!(guest.regs.rip, SECOND);
        // The comparison was made in the trampoline.
        assert_eq!(guest.regs.rcx, guest.regs.rip);
    }
}

#[test]
fn vector_registers_stay_and_can_be_had() {
    let (mut guest, _, _) = rewritten();
    guest.syscall();
    assert!(!guest.context.was_slow_call());
    let mut bytes = guest.context.fp_state().unwrap().as_bytes().to_vec();
    bytes[160..176].copy_from_slice(&[7; 16]);
    let state = platform::FpState::from_user(&bytes);
    guest.context.set_fp_state(&state).unwrap();
    for _ in 0..10 {
        guest.syscall();
    }
    assert!(!guest.context.was_slow_call());
    let now = guest.context.fp_state().unwrap();
    assert_eq!(now.as_bytes()[160..176], [7; 16]);
    // All other registers can be set as well.
    let before = guest.regs;
    guest.regs.r13 = 77;
    guest.syscall();
    assert_eq!(guest.regs.r13, 77);
    assert_eq!(guest.regs.rbp, before.rbp);
}

#[test]
fn whoever_comes_another_way_hits_the_trap() {
    let (mut guest, [first, second], tail) = rewritten();
    guest.regs.rip = FIRST;
    let event = guest.run();
    let trap = libc::SIGTRAP;
    assert!(matches!(event, Event::Exception { signal, .. } if signal == trap));
    assert_eq!(Some(guest.regs.rip), first.trap());
    guest.regs.rip = tail;
    assert_eq!(guest.syscall(), 39);
    // The instruction of the other shape is still there.
    guest.regs = Regs {
        rax: 500,
        rip: SECOND - 2,
        ..guest.regs
    };
    assert_eq!(guest.syscall(), 500);
    assert!(guest.context.was_slow_call());
    assert_eq!((guest.regs.rip, second.trap()), (SECOND, None));
}

#[test]
fn a_base_of_gs_takes_the_slow_way() {
    let (mut guest, [first, _], tail) = rewritten();
    guest.regs.gs_base = DATA;
    guest.set_word(0, 186);
    assert_eq!(guest.syscall(), 186);
    assert!(guest.context.was_slow_call());
    assert_eq!(guest.regs.gs_base, DATA);
    let at = tail - first.tail(0);
    assert_eq!(first.original(at, guest.regs.rip), FIRST);
    guest.regs.rip = tail;
    assert_eq!(guest.syscall(), 39);
    guest.regs.gs_base = 0;
    guest.syscall();
    guest.syscall();
    assert!(!guest.context.was_slow_call());
}

#[test]
fn interrupts_among_rewritten_calls() {
    let (mut guest, _, _) = rewritten();
    let interrupter = guest.context.interrupter();
    let (ask, asked) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while asked.recv().is_ok() {
                interrupter.interrupt();
            }
        });
        for round in 0..1000 {
            // An interrupt of the last round may come late.
            while guest.run() != Event::Syscall {}
            ask.send(()).unwrap();
            loop {
                match guest.run() {
                    Event::Syscall => {}
                    Event::Interrupted => break,
                    event => panic!("{event:?} in round {round}, at {:#x}", guest.regs.rip),
                }
            }
        }
        drop(ask);
    });
}

use super::guest::{CODE, DATA, Guest, NOTHING, code, fault, start};
use platform::{Event, Prot, Regs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

code! { call:
    "mov eax, 39" "syscall" "jmp rdi"
}

#[test]
fn registers_that_the_host_would_refuse() {
    let mut guest = Guest::new(call());
    let values = [
        0,
        1,
        0x23,
        0x33,
        0x2b,
        0xffff,
        u64::MAX,
        1 << 63,
        0x7fff_ffff_ffff,
        0xffff_8000_0000_0000,
    ];
    for value in values {
        guest.regs = Regs {
            cs: value,
            ss: value,
            ds: value,
            es: value,
            fs: value,
            gs: value,
            fs_base: value,
            gs_base: value,
            orig_rax: value,
            eflags: value & !0x100,
            rsp: value,
            ..start()
        };
        assert_eq!(guest.syscall(), 39, "{value:#x}");
        assert_eq!(
            (guest.regs.cs, guest.regs.ss),
            (Regs::USER_CS, Regs::USER_SS)
        );
    }
    // A jump to where no code can be is the guest's own fault.
    for rip in [1 << 47, 1 << 63, u64::MAX] {
        guest.regs = Regs { rip, ..start() };
        let event = guest.run();
        assert!(
            matches!(
                event,
                Event::Exception {
                    signal: libc::SIGSEGV,
                    ..
                } | Event::Fault { .. }
            ),
            "{event:?}"
        );
    }
    guest.regs = start();
    assert_eq!(guest.syscall(), 39);
}

code! { segment_bases:
    "mov rax, 0xffff800000000000" "wrfsbase rax" "wrgsbase rax"
    "mov eax, 39" "syscall" "mov eax, 40" "syscall"
}

#[test]
fn segment_bases_in_the_kernels_half() {
    let mut guest = Guest::new(segment_bases());
    match guest.run() {
        // A processor or host without these instructions.
        Event::Exception {
            signal: libc::SIGILL,
            ..
        } => return,
        event => assert_eq!(event, Event::Syscall),
    }
    guest.regs.rax = 1;
    assert_eq!(guest.syscall(), 40);
    assert_eq!(guest.regs.fs_base, 0);
}

code! { int80:
    "mov eax, 20" "int 0x80" "mov eax, 39" "syscall"
}

#[test]
fn the_32_bit_call_gate_is_closed() {
    let mut guest = Guest::new(int80());
    let event = guest.run();
    assert!(matches!(
        event,
        Event::Exception {
            signal: libc::SIGSEGV,
            code: 0x80,
            ..
        }
    ));
    assert_eq!((guest.regs.rip, guest.regs.rax), (CODE + 5, 20));
}

code! { far_jump:
    "push 0x23" "lea rax, [rip + 3f]" "push rax" ".byte 0x48, 0xcb"
    "3:" ".code32" "mov eax, 20" "int 0x80" "nop" ".code64"
}

#[test]
fn so_is_32_bit_code() {
    let mut guest = Guest::new(far_jump());
    let event = guest.run();
    assert!(
        matches!(
            event,
            Event::Exception {
                signal: libc::SIGSEGV,
                ..
            }
        ),
        "{event:?}"
    );
    // Whatever the registers say, the next switch is 64-bit again.
    guest.regs.rip = CODE;
    guest.regs.rsp = DATA + 4096;
    let event = guest.run();
    assert!(
        matches!(
            event,
            Event::Exception {
                signal: libc::SIGSEGV,
                ..
            }
        ),
        "{event:?}"
    );
}

/// The stub's code is there to be jumped into; its calls are just the guest's own. Where it
/// waits, the guest waits, until it is interrupted.
#[test]
fn running_the_stubs_code() {
    const PAGES: u64 = 0x1_4000;
    let mut guest = Guest::new(call());
    let (_, end) = guest.platform.user_range();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let interrupter = guest.context.interrupter();
        scope.spawn(|| {
            let interrupter = interrupter;
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
                interrupter.interrupt();
            }
        });
        for offset in (0..0x400).chain(0x1000..0x1300).chain([PAGES]) {
            guest.regs = Regs {
                rip: end.get() + offset,
                rdi: NOTHING,
                ..start()
            };
            for _ in 0..4 {
                let event = guest.context.switch(&guest.space, &mut guest.regs);
                match event {
                    Ok(Event::Syscall) => guest.regs.rax = 0,
                    // The task may have put an end to itself.
                    _ => break,
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    guest.regs = start();
    guest.regs.rdi = NOTHING;
    // The last interrupt may still be on its way.
    guest.context.interrupter().interrupt();
    assert_eq!(guest.run(), Event::Interrupted);
    assert_eq!(guest.syscall(), 39);
    assert_eq!(guest.run(), fault(NOTHING, Prot::EXEC));
}

//! What an application tries on kvm, where a supervisor shares its address space.

use platform::{Event, Prot, Regs};

use crate::guests::guest::{DATA, Guest, code, fault, start};

/// First address of the supervisor's half; its entry for calls.
const KERNEL: u64 = 0xffff_8000_0000_0000;
const ENTRY: u64 = KERNEL + 0x100;

code! { touches:
    "mov rax, [rdi]" "syscall"
    ".balign 16"
    "mov [rdi], rax" "syscall"
    ".balign 16"
    "jmp rdi"
}

fn places() -> impl Iterator<Item = u64> {
    let code = (0..0x300).map(|offset| KERNEL + offset);
    let pages = (0..0x210).map(|page| KERNEL + page * 0x1000);
    let far = [30, 31, 39, 40, 46].map(|bit| KERNEL + (1 << bit));
    code.chain(pages).chain(far).chain([u64::MAX - 7])
}

#[test]
fn the_supervisors_half_is_out_of_reach() {
    let mut guest = Guest::new(touches());
    for place in places() {
        for (offset, access) in [(0, Prot::READ), (16, Prot::WRITE), (32, Prot::EXEC)] {
            guest.regs = start();
            guest.regs.rip += offset;
            guest.regs.rdi = place;
            let event = guest.run();
            // A jump to where SYSCALL leads may be a call.
            if place == ENTRY && event == Event::Syscall {
                continue;
            }
            assert_eq!(event, fault(place, access));
        }
    }
}

/// Instructions of ring 0, or for getting there.
const PRIVILEGED: &[&[u8]] = &[
    &[0xf4],                         // hlt
    &[0xfa],                         // cli
    &[0x0f, 0x22, 0xd8],             // mov cr3, rax
    &[0x0f, 0x20, 0xd8],             // mov rax, cr3
    &[0x0f, 0x23, 0xf8],             // mov dr7, rax
    &[0x0f, 0x30],                   // wrmsr
    &[0x0f, 0x32],                   // rdmsr
    &[0x0f, 0x01, 0x10],             // lgdt [rax]
    &[0x0f, 0x01, 0x18],             // lidt [rax]
    &[0x0f, 0x00, 0xd8],             // ltr ax
    &[0x48, 0x0f, 0x07],             // sysretq
    &[0x0f, 0x01, 0xf8],             // swapgs
    &[0x0f, 0x01, 0x38],             // invlpg [rax]
    &[0x0f, 0x09],                   // wbinvd
    &[0xe6, 0x80],                   // out 0x80, al
    &[0xe4, 0x80],                   // in al, 0x80
    &[0x0f, 0x01, 0xd1],             // xsetbv
    &[0x6a, 0x10, 0x50, 0x48, 0xcb], // push 0x10; push rax; retfq
];

#[test]
fn nothing_privileged_is_executed() {
    let mut guest = Guest::new(touches());
    for instruction in PRIVILEGED {
        guest
            .memory
            .write(guest.code.offset(), instruction)
            .unwrap();
        for value in [0, DATA, ENTRY, u64::MAX] {
            guest.regs = Regs {
                rax: value,
                ..start()
            };
            let event = guest.run();
            let refused = matches!(
                event,
                Event::Exception {
                    signal: libc::SIGSEGV | libc::SIGILL,
                    ..
                }
            );
            assert!(refused, "{instruction:x?} {event:?}");
        }
    }
    still_works(&mut guest);
}

#[test]
fn software_interrupts_do_not_reach_gates() {
    let mut guest = Guest::new(touches());
    for vector in 0..=255 {
        guest
            .memory
            .write(guest.code.offset(), &[0xcd, vector])
            .unwrap();
        guest.regs = start();
        let event = guest.run();
        let signal = match event {
            Event::Exception { signal, .. } => signal,
            other => panic!("{vector}: {other:?}"),
        };
        if vector == 3 {
            assert_eq!(signal, libc::SIGTRAP);
        }
    }
    still_works(&mut guest);
}

code! { steps_into_a_call:
    "mov eax, ss" "pushfq" "or qword ptr [rsp], 0x100" "popfq"
    "mov ss, eax" "syscall" "jmp rdi"
}

/// A trap that is put off by a load of SS comes with the supervisor's first instruction, if
/// anywhere; the stack pointer is the application's then.
#[test]
fn a_trap_meets_the_supervisor() {
    let mut guest = Guest::new(steps_into_a_call());
    for rsp in [DATA + 4096, DATA + 64] {
        guest.regs = Regs { rsp, ..start() };
        for _ in 0..6 {
            let event = guest.run();
            let known = matches!(
                event,
                Event::Syscall
                    | Event::Exception {
                        signal: libc::SIGTRAP,
                        ..
                    }
                    | Event::Fault { .. }
            );
            assert!(known, "{event:?}");
        }
    }
    still_works(&mut guest);
}

/// Calls of a guest's kernel to its host, and what tells about the machine: refused, or
/// answered without effect.
#[test]
fn the_hosts_kernel_serves_no_application() {
    const CALLS: [[u8; 3]; 4] = [
        [0x0f, 0x01, 0xc1], // vmcall
        [0x0f, 0x01, 0xd9], // vmmcall
        [0x0f, 0x01, 0xc8], // monitor
        [0x0f, 0x01, 0xf9], // rdtscp
    ];
    let mut guest = Guest::new(touches());
    for call in CALLS {
        let code = [&call[..], &[0x0f, 0x05]].concat();
        for number in (0..32).chain([0x4b56_4d00, 0x4000_0000, u64::MAX]) {
            // What is patched there is the application's own code.
            guest.memory.write(guest.code.offset(), &code).unwrap();
            guest.regs = Regs {
                rax: number,
                rdi: DATA,
                rsi: u64::MAX,
                ..start()
            };
            let event = guest.run();
            let refused = matches!(
                event,
                Event::Syscall
                    | Event::Exception {
                        signal: libc::SIGSEGV | libc::SIGILL,
                        ..
                    }
                    | Event::Fault { .. }
            );
            assert!(refused, "{call:x?} {number:#x} {event:?}");
        }
    }
    still_works(&mut guest);
}

/// The stack pointer of a call is of no concern.
#[test]
fn calls_with_the_supervisors_stack() {
    let mut guest = Guest::new(&[0x0f, 0x05]);
    for rsp in [KERNEL, KERNEL + 0x20_1000, ENTRY, 1 << 63, 0, u64::MAX] {
        guest.regs = Regs { rsp, ..start() };
        assert_eq!(guest.run(), Event::Syscall);
        assert_eq!(guest.regs.rsp, rsp);
    }
}

fn still_works(guest: &mut Guest) {
    guest
        .memory
        .write(guest.code.offset(), &[0x0f, 0x05])
        .unwrap();
    guest.regs = start();
    guest.regs.rax = 39;
    assert_eq!(guest.syscall(), 39);
}

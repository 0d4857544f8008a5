use super::guest::{Guest, code};
use platform::Event;

code! { three_calls:
    "mov edi, 1" "mov esi, 2" "mov edx, 3" "mov r10d, 4" "mov r8d, 5" "mov r9d, 6"
    "mov eax, 39" "syscall"
    "mov [rbx], rax"
    "mov eax, 60" "xor edi, edi" "syscall"
    "mov eax, 9" "syscall"
}

#[test]
fn calls_are_caught_and_answered() {
    let mut guest = Guest::new(three_calls());
    assert_eq!(guest.syscall(), 39);
    assert_eq!(guest.regs.syscall_args(), [1, 2, 3, 4, 5, 6]);
    guest.regs.rax = 4711;
    // exit(2) is not executed either.
    assert_eq!(guest.syscall(), 60);
    assert_eq!(guest.word(0), 4711);
    // Results that mean "restart" to the host's own kernel are plain numbers here.
    guest.regs.rax = (-512_i64).cast_unsigned();
    assert_eq!(guest.syscall(), 9);
}

code! { call_loop:
    "2:" "mov eax, 110" "syscall" "add [rbx], rax" "jmp 2b"
}

#[test]
fn many_calls() {
    let mut guest = Guest::new(call_loop());
    for value in 1..=2000 {
        assert_eq!(guest.syscall(), 110);
        guest.regs.rax = value;
    }
    assert_eq!(guest.word(0), 2000 * 1999 / 2);
}

#[test]
fn release_keeps_the_registers() {
    let mut guest = Guest::new(call_loop());
    for _ in 0..5 {
        assert_eq!(guest.syscall(), 110);
        guest.regs.rax = 10;
        guest.context.release();
    }
    assert_eq!(guest.word(0), 40);
}

code! { vsyscall:
    "mov rax, 0xffffffffff600400" "call rax" "mov [rbx], rax"
    "mov eax, 39" "syscall"
}

/// time() of the vsyscall page: a call like any other, or a fault where the host has no
/// such page.
#[test]
fn the_vsyscall_page() {
    let mut guest = Guest::new(vsyscall());
    match guest.run() {
        Event::Syscall => {
            assert_eq!(guest.regs.orig_rax, 201);
            guest.regs.rax = 12345;
            assert_eq!(guest.syscall(), 39);
            assert_eq!(guest.word(0), 12345);
        }
        Event::Fault { addr, .. } => assert_eq!(addr.get(), 0xffff_ffff_ff60_0400),
        other => panic!("{other:?}"),
    }
}

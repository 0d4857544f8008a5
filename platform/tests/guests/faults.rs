use std::sync::atomic::{AtomicBool, Ordering};

use super::guest::{CODE, DATA, Guest, NOTHING, RW, RX, code, fault, map, protect, start, unmap};
use ::syscalls::UserAddr;
use platform::{Event, MapOp, Prot, Regs};

code! { touch:
    "mov rax, [rdi]" "mov [rbx], rax" "mov qword ptr [rdi + 8], 77"
    "mov eax, 39" "syscall"
}

#[test]
fn fault_map_resume() {
    let mut guest = Guest::new(touch());
    guest.regs.rdi = NOTHING + 16;
    assert_eq!(guest.run(), fault(NOTHING + 16, Prot::READ));
    let before = guest.regs;
    let page = guest.page();
    guest.memory.write(page.offset() + 16, &[5]).unwrap();
    guest
        .space
        .apply(&[map(NOTHING, &page, Prot::READ)])
        .unwrap();
    // The store to a page that is mapped for reading only.
    assert_eq!(guest.run(), fault(NOTHING + 24, Prot::WRITE));
    assert_ne!(before.rip, guest.regs.rip);
    assert_eq!(guest.word(0), 5);
    guest.space.apply(&[protect(NOTHING, 4096, RW)]).unwrap();
    assert_eq!(guest.syscall(), 39);
    let mut byte = [0];
    guest.memory.read(page.offset() + 24, &mut byte).unwrap();
    assert_eq!(byte, [77]);
}

#[test]
fn populate_and_replace() {
    let mut guest = Guest::new(touch());
    let pages = guest
        .memory
        .allocate(8, platform::memfile::Fill::Zero)
        .unwrap();
    let ops = [
        MapOp::Map {
            at: UserAddr::new(NOTHING),
            len: 8 * 4096,
            offset: pages.offset(),
            prot: RW,
            populate: true,
        },
        map(NOTHING + 4096, &guest.data, RW),
        protect(NOTHING + 2 * 4096, 4096, Prot::empty()),
    ];
    guest.space.apply(&ops).unwrap();
    guest.set_word(1, 99);
    guest.regs.rdi = NOTHING + 4096 + 8;
    assert_eq!(guest.syscall(), 39);
    assert_eq!((guest.word(0), guest.word(2)), (99, 77));
    guest.regs = start();
    guest.regs.rdi = NOTHING + 2 * 4096;
    assert_eq!(guest.run(), fault(NOTHING + 2 * 4096, Prot::READ));
}

code! { jump:
    "jmp rdi"
}

#[test]
fn fetches() {
    let mut guest = Guest::new(jump());
    for target in [NOTHING, DATA] {
        guest.regs.rdi = target;
        assert_eq!(guest.run(), fault(target, Prot::EXEC));
        guest.regs = start();
    }
    guest.regs.rdi = 0;
    assert_eq!(guest.run(), fault(0, Prot::EXEC));
}

/// An instruction that crosses into a page that may not be executed ends as EXEC, so that
/// a kernel that sees nothing wrong with reading or writing there does not loop.
#[test]
fn fetch_across_pages() {
    let mut guest = Guest::new(jump());
    let page = guest.page();
    // movabs rax, imm64, cut after four bytes.
    guest
        .memory
        .write(page.offset() + 4092, &[0x48, 0xb8, 1, 2])
        .unwrap();
    guest.space.apply(&[map(NOTHING, &page, RX)]).unwrap();
    guest.regs.rdi = NOTHING + 4092;
    let next = NOTHING + 4096;
    let mut granted = Prot::empty();
    loop {
        let event = guest.run();
        if event == fault(next, Prot::EXEC) {
            break;
        }
        // Some hosts tell it at once, others only after all else has been granted.
        let access = if granted.is_empty() {
            Prot::READ
        } else {
            Prot::WRITE
        };
        assert_eq!(event, fault(next, access));
        assert_ne!(granted, RW);
        granted |= Prot::READ | access;
        guest.space.apply(&[map(next, &page, granted)]).unwrap();
    }
}

code! { exceptions:
    "int3"
    "ud2"
    "xor eax, eax" "div eax"
    "mov rax, 0x8000000000000000" "mov rax, [rax]"
    "pushfq" "or qword ptr [rsp], 0x100" "popfq" "nop"
    "hlt"
}

#[test]
fn exceptions_are_signals() {
    const SI_KERNEL: i32 = 0x80;
    let mut guest = Guest::new(exceptions());
    let mut next = |skip: u64| {
        let event = guest.run();
        guest.regs.rip += skip;
        guest.regs.eflags &= !0x100;
        match event {
            Event::Exception { signal, code, addr } => (signal, code, addr.get()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(next(0), (libc::SIGTRAP, SI_KERNEL, 0));
    let (signal, code, addr) = next(2);
    assert_eq!((signal, code, addr), (libc::SIGILL, 2, CODE + 1));
    let (signal, code, addr) = next(2);
    assert_eq!((signal, code, addr), (libc::SIGFPE, 1, CODE + 5));
    assert_eq!(next(3), (libc::SIGSEGV, SI_KERNEL, 0));
    let (signal, code, _) = next(0);
    assert_eq!((signal, code), (libc::SIGTRAP, 2));
    assert_eq!(next(0), (libc::SIGSEGV, SI_KERNEL, 0));
}

#[test]
fn single_steps() {
    let mut guest = Guest::new(touch());
    guest.regs.rdi = DATA;
    let mut rips = Vec::new();
    for _ in 0..3 {
        guest.regs.eflags |= 0x100;
        let event = guest.run();
        assert!(matches!(
            event,
            Event::Exception {
                signal: libc::SIGTRAP,
                code: 2,
                ..
            }
        ));
        rips.push(guest.regs.rip - CODE);
    }
    assert_eq!(rips, [3, 6, 14]);
}

code! { spin_reading:
    "2:" "mov eax, [rdi]" "inc qword ptr [rbx]" "jmp 2b"
}

#[test]
fn unmapping_under_a_running_thread() {
    let mut guest = Guest::new(spin_reading());
    let running = AtomicBool::new(true);
    for _ in 0..50 {
        let page = guest.page();
        guest
            .space
            .apply(&[map(NOTHING, &page, Prot::READ)])
            .unwrap();
        guest.regs = Regs {
            rdi: NOTHING,
            ..start()
        };
        guest.set_word(0, 0);
        running.store(true, Ordering::SeqCst);
        let space = guest.space.clone();
        let (memory, data) = (guest.memory.clone(), guest.data.clone());
        std::thread::scope(|scope| {
            let running = &running;
            scope.spawn(move || {
                let mut word = [0; 8];
                while u64::from_le_bytes(word) < 1000 {
                    memory.read(data.offset(), &mut word).unwrap();
                }
                assert!(running.load(Ordering::SeqCst));
                space.apply(&[unmap(NOTHING, 4096)]).unwrap();
            });
            assert_eq!(guest.run(), fault(NOTHING, Prot::READ));
            running.store(false, Ordering::SeqCst);
        });
    }
}

code! { write_stub:
    "mov [rdi], rax" "ud2"
}

/// The stub's pages can be seen, but not changed; and never mapped over.
#[test]
fn the_stub_is_out_of_reach() {
    let mut guest = Guest::new(write_stub());
    let (_, end) = platform::Platform::user_range(&*guest.platform);
    for page in 0..0x30 {
        let address = end.get() + page * 4096;
        guest.regs = Regs {
            rdi: address,
            ..start()
        };
        match guest.run() {
            // The scratch page can be written.
            Event::Exception { .. } => assert_eq!(page, 0x21),
            Event::Fault { addr, .. } => assert_eq!(addr.get(), address),
            other => panic!("{page}: {other:?}"),
        }
    }
    let page = guest.page();
    assert!(guest.space.apply(&[map(end.get(), &page, RW)]).is_err());
    assert!(
        guest.space.apply(&[map(NOTHING, &page, RW)]).is_err(),
        "broken for good"
    );
}

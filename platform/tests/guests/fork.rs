use super::guest::{CODE, DATA, Guest, NOTHING, RW, code, fault, map, protect};
use platform::{Prot, Regs};

code! { count:
    "2:" "inc qword ptr [rbx]" "mov eax, 39" "syscall" "jmp 2b"
}

#[test]
fn copy_on_write() {
    let mut parent = Guest::new(count());
    assert_eq!(parent.syscall(), 39);
    parent
        .space
        .apply(&[protect(DATA, 4096, Prot::READ)])
        .unwrap();
    let space = parent.space.fork().unwrap();
    let mut context = parent.platform.new_context().unwrap();
    let mut regs = parent.regs;

    // The child: sees the page, faults on writing, gets a copy.
    let event = context.switch(&space, &mut regs).unwrap();
    assert_eq!(event, fault(DATA, Prot::WRITE));
    let copy = parent.page();
    parent
        .memory
        .copy(parent.data.offset(), copy.offset(), 4096)
        .unwrap();
    space.apply(&[map(DATA, &copy, RW)]).unwrap();
    for _ in 0..3 {
        assert_eq!(
            context.switch(&space, &mut regs).unwrap(),
            platform::Event::Syscall
        );
    }
    let mut bytes = [0; 8];
    parent.memory.read(copy.offset(), &mut bytes).unwrap();
    assert_eq!(u64::from_le_bytes(bytes), 4);

    // The parent: as it was, still protected.
    assert_eq!(parent.word(0), 1);
    assert_eq!(parent.run(), fault(DATA, Prot::WRITE));
    parent.space.apply(&[protect(DATA, 4096, RW)]).unwrap();
    assert_eq!(parent.syscall(), 39);
    assert_eq!(parent.word(0), 2);
}

#[test]
fn generations_and_orphans() {
    let mut first = Guest::new(count());
    assert_eq!(first.syscall(), 39);
    let mut space = first.space.clone();
    first.context.release();
    let mut context = first.platform.new_context().unwrap();
    for generation in 2..=40 {
        // Each is the fork of a parent that ends at once.
        space = space.fork().unwrap();
        let mut regs = Regs {
            rip: CODE,
            ..first.regs
        };
        let event = context.switch(&space, &mut regs).unwrap();
        assert_eq!(event, platform::Event::Syscall);
        assert_eq!(first.word(0), generation);
    }
}

#[test]
fn forks_at_the_same_time() {
    let guest = Guest::new(count());
    let spaces: Vec<_> = (0..4)
        .map(|_| guest.platform.new_address_space().unwrap())
        .collect();
    std::thread::scope(|scope| {
        for space in &spaces {
            let (guest_data, code) = (guest.data.clone(), guest.code.clone());
            scope.spawn(move || {
                space
                    .apply(&[map(CODE, &code, Prot::READ | Prot::EXEC)])
                    .unwrap();
                for _ in 0..30 {
                    let child = space.fork().unwrap();
                    child.apply(&[map(NOTHING, &guest_data, RW)]).unwrap();
                }
            });
        }
    });
}

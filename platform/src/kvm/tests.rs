use std::io::Write;

use super::*;
use crate::memfile::Fill;
use crate::{Event, MapOp, Prot, Regs};
use machine::Machine;

const CODE: u64 = 0x40_0000;
const DATA: u64 = 0x50_0000;
const PAGE: u64 = 4096;
const RW: Prot = Prot::READ.union(Prot::WRITE);
const RX: Prot = Prot::READ.union(Prot::EXEC);

/// `None`, and a word about it, where there is no /dev/kvm.
fn device() -> Option<OwnedFd> {
    let mut options = std::fs::File::options();
    match options.read(true).write(true).open("/dev/kvm") {
        Ok(file) => Some(file.into()),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "SKIPPED: kvm: /dev/kvm: {error}");
            None
        }
    }
}

fn memory() -> MemoryFile {
    MemoryFile::new(1 << 30).unwrap()
}

fn map(at: u64, len: u64, offset: u64, prot: Prot) -> MapOp {
    MapOp::Map {
        at: UserAddr::new(at),
        len,
        offset,
        prot,
        populate: false,
    }
}

fn unmap(at: u64, len: u64) -> MapOp {
    MapOp::Unmap {
        at: UserAddr::new(at),
        len,
    }
}

/// Pages of the platform's own in use, those for vCPUs left out.
fn used(machine: &Machine) -> u64 {
    machine.own.used() - machine.doors.read().len() as u64
}

#[test]
fn tables_go_when_they_map_nothing() {
    let Some(device) = device() else { return };
    let platform = KvmPlatform::new(device, &memory()).unwrap();
    let machine = platform.pool.machine();
    let before = used(machine);
    let space = platform.new_address_space().unwrap();
    assert_eq!(used(machine), before + 1);
    let far = 0x7000_0000_0000;
    // Across the border of two tables.
    let border = far + (2 << 20) - PAGE;
    let ops = [map(CODE, PAGE, 0, RX), map(border, 2 * PAGE, 0, RW)];
    space.apply(&ops).unwrap();
    assert_eq!(used(machine), before + 1 + 3 + 4);
    let copy = space.fork().unwrap();
    assert_eq!(used(machine), before + 2 * (1 + 3 + 4));
    space.apply(&[unmap(border, PAGE)]).unwrap();
    space.apply(&[unmap(border, PAGE)]).unwrap();
    assert_eq!(used(machine), before + 2 * (1 + 3 + 4) - 1);
    space.apply(&[unmap(0x1_0000, far)]).unwrap();
    space.apply(&[unmap(far, 1 << 30)]).unwrap();
    assert_eq!(used(machine), before + 1 + (1 + 3 + 4));
    let process = copy.as_any().downcast_ref::<KvmSpace>().unwrap();
    assert_eq!(process.byte(border - 1), None);
    assert!(process.byte(border).is_some());
    drop((space, copy));
    assert_eq!(used(machine), before);
}

/// `movq rax, xmm15; movq xmm15, rdi; syscall`, and again.
const SWAP: [u8; 14] = [
    0x66, 0x4c, 0x0f, 0x7e, 0xf8, 0x66, 0x4c, 0x0f, 0x6e, 0xff, 0x0f, 0x05, 0xeb, 0xf2,
];

/// More threads than vCPUs: each finds its registers, those of vectors too.
#[test]
fn vcpus_are_shared() {
    const THREADS: u64 = 9;
    const ROUNDS: u64 = 40;
    let Some(device) = device() else { return };
    let memory = memory();
    let platform = KvmPlatform::with_limit(device, &memory, 2).unwrap();
    let code = memory.allocate(1, Fill::Zero).unwrap();
    memory.write(code.offset(), &SWAP).unwrap();
    let space = platform.new_address_space().unwrap();
    space.apply(&[map(CODE, PAGE, code.offset(), RX)]).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (platform, space) = (&platform, &space);
            scope.spawn(move || {
                let mut context = platform.new_context().unwrap();
                let mut regs = Regs::start(CODE, 0);
                for round in 0..ROUNDS {
                    let mine = thread * ROUNDS + round;
                    regs.rdi = mine + 1;
                    assert_eq!(context.switch(space, &mut regs).unwrap(), Event::Syscall);
                    let expected = if round == 0 { 0 } else { mine };
                    assert_eq!(regs.orig_rax, expected);
                    std::thread::yield_now();
                }
            });
        }
    });
    assert!(platform.pool.machine().doors.read().len() <= 3);
}

/// `mov rax, [rdi]; syscall`, and again.
const READ: [u8; 7] = [0x48, 0x8b, 0x07, 0x0f, 0x05, 0xeb, 0xf9];

/// Tables that are used again show what they say now: many spaces, each with a page of its
/// own at the same place, and so many that tables come around.
#[test]
fn tables_are_used_again() {
    let Some(device) = device() else { return };
    let memory = memory();
    let platform = KvmPlatform::new(device, &memory).unwrap();
    let code = memory.allocate(1, Fill::Zero).unwrap();
    memory.write(code.offset(), &READ).unwrap();
    let mut context = platform.new_context().unwrap();
    let mut pages = Vec::new();
    for round in 0..700_u64 {
        let page = memory.allocate(1, Fill::Zero).unwrap();
        memory.write(page.offset(), &round.to_le_bytes()).unwrap();
        let space = platform.new_address_space().unwrap();
        let ops = [
            map(CODE, PAGE, code.offset(), RX),
            map(DATA, PAGE, page.offset(), RW),
        ];
        space.apply(&ops).unwrap();
        let mut regs = Regs {
            rdi: DATA,
            ..Regs::start(CODE, 0)
        };
        assert_eq!(context.switch(&space, &mut regs).unwrap(), Event::Syscall);
        assert_eq!(regs.orig_rax, round);
        // Who has the next table does not have this page.
        pages.push(page);
    }
    let taken = platform.pool.machine().own.used();
    assert!(taken < 2000, "{taken}");
}

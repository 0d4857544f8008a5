//! What the platforms cost, in nanoseconds, beside native calls:
//! `cargo run --release -p platform --example switches [ptrace | systrap]`.

use std::sync::Arc;
use std::time::Instant;

use platform::memfile::Fill;
use platform::ptrace::PtracePlatform;
use platform::systrap::SystrapPlatform;
use platform::systrap::rewrite;
use platform::{AddressSpace, Event, MapOp, MemoryFile, Pages, Platform, Prot, Regs};
use syscalls::UserAddr;

const CODE: u64 = 0x40_0000;
const AREA: u64 = 0x1000_0000;
const PAGE: u64 = 4096;
const RW: Prot = Prot::READ.union(Prot::WRITE);
const RX: Prot = Prot::READ.union(Prot::EXEC);

/// `mov eax, 110; syscall; jmp` back.
const CALLS: [u8; 9] = [0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7];
/// `mov [rdi], eax; add rdi, 4096; jmp` back.
const TOUCHES: [u8; 11] = [0x89, 0x07, 0x48, 0x81, 0xc7, 0, 0x10, 0, 0, 0xeb, 0xf5];

/// The median of twenty parts: what a busy neighbour does to some of them does not count.
fn measure(what: &str, count: u32, mut run: impl FnMut()) {
    const PARTS: u32 = 20;
    let part = |_| {
        let start = Instant::now();
        for _ in 0..count / PARTS {
            run();
        }
        start.elapsed().as_nanos() / u128::from(count / PARTS)
    };
    let mut parts: Vec<u128> = (0..PARTS).map(part).collect();
    parts.sort_unstable();
    let median = parts.get(parts.len() / 2).copied().unwrap_or_default();
    println!("{what:<52}{median:>10}");
}

fn map(at: u64, pages: &Pages, prot: Prot, populate: bool) -> MapOp {
    MapOp::Map {
        at: UserAddr::new(at),
        len: pages.count() * PAGE,
        offset: pages.offset(),
        prot,
        populate,
    }
}

fn unmap(at: u64, pages: u64) -> MapOp {
    MapOp::Unmap {
        at: UserAddr::new(at),
        len: pages * PAGE,
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let memory = MemoryFile::new(1 << 30)?;
    let start = Instant::now();
    let platform: Box<dyn Platform> = match std::env::args().nth(1).as_deref() {
        Some("ptrace") => Box::new(PtracePlatform::new(&memory)?),
        _ => Box::new(SystrapPlatform::new(&memory)?),
    };
    println!("{}", platform.name());
    println!(
        "{:<52}{:>10}",
        "start the platform",
        start.elapsed().as_nanos()
    );
    let code = memory.allocate(3, Fill::Zero)?;
    memory.write(code.offset(), &CALLS)?;
    memory.write(code.offset() + PAGE, &TOUCHES)?;
    let space = platform.new_address_space()?;
    space.apply(&[map(CODE, &code, RX, true)])?;

    measure("native getppid", 200_000, || {
        nix::unistd::getppid();
    });
    let mut context = platform.new_context()?;
    let mut regs = Regs::start(CODE, 0);
    measure("system call, round trip", 30_000, || {
        let event = context.switch(&space, &mut regs).expect("the guest runs");
        assert_eq!(event, Event::Syscall);
        regs.rax = 1;
    });

    if context.was_slow_call() {
        rewrite_calls(&memory, &code, regs.rip, regs.orig_rax)?;
        measure("rewritten system call, round trip", 300_000, || {
            let event = context.switch(&space, &mut regs).expect("the guest runs");
            assert_eq!(event, Event::Syscall);
            regs.rax = 1;
        });
    }
    let mut run = |space: &Arc<dyn AddressSpace>, regs: &mut Regs| {
        context.switch(space, regs).expect("the guest runs")
    };

    memory_costs(&memory)?;
    mapping_costs(&memory, &space)?;

    let pages = memory.allocate(1000, Fill::Zero)?;
    memory.zero(pages.offset(), 1000 * 4096)?;
    let mut regs = Regs {
        rdi: AREA,
        ..Regs::start(CODE + PAGE, 0)
    };
    let mut next = 0;
    measure("fault, map a page, resume", 1000, || {
        let event = run(&space, &mut regs);
        assert!(matches!(event, Event::Fault { .. }), "{event:?}");
        let page = pages.slice(next, 1);
        let at = AREA + next * PAGE;
        space.apply(&[map(at, &page, RW, true)]).expect("maps");
        next += 1;
    });

    measure("new empty address space, and its end", 300, || {
        platform.new_address_space().expect("makes one");
    });
    measure("fork of a space with 1000 pages, and its end", 300, || {
        space.fork().expect("forks");
    });
    measure("new context: first system call, and its end", 300, || {
        let mut context = platform.new_context().expect("makes one");
        let mut regs = Regs::start(CODE, 0);
        let event = context.switch(&space, &mut regs).expect("runs");
        assert_eq!(event, Event::Syscall);
    });
    measure("fork, a context, a system call, end of both", 300, || {
        let space = space.fork().expect("forks");
        let mut context = platform.new_context().expect("makes one");
        let mut regs = Regs::start(CODE, 0);
        let event = context.switch(&space, &mut regs).expect("runs");
        assert_eq!(event, Event::Syscall);
    });
    Ok(())
}

/// As the kernel does it, with the trampoline on the last page of the code.
fn rewrite_calls(
    memory: &MemoryFile,
    code: &Pages,
    rip: u64,
    number: u64,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut around = [0; rewrite::BEFORE + rewrite::AFTER];
    let first = rip - CODE;
    let known = rewrite::BEFORE - usize::try_from(first)?.min(rewrite::BEFORE);
    let from = first.saturating_sub(rewrite::BEFORE as u64);
    memory.read(code.offset() + from, &mut around[known..])?;
    let (before, after) = around.split_at(rewrite::BEFORE);
    let plan = rewrite::plan(before.try_into()?, after.try_into()?, rip, number);
    let plan = plan.ok_or("a call that can be rewritten")?;
    let page = CODE + 2 * PAGE;
    let at = page + rewrite::HEADER;
    let trampoline = plan.trampoline(at, page).ok_or("a trampoline")?;
    memory.write(code.offset() + 2 * PAGE, &rewrite::page_header())?;
    memory.write(code.offset() + 2 * PAGE + rewrite::HEADER, &trampoline)?;
    let jump = plan.jump(at).ok_or("a jump")?;
    memory.write(code.offset() + plan.start() - CODE, &jump)?;
    Ok(())
}

fn memory_costs(memory: &MemoryFile) -> Result<(), Box<dyn std::error::Error>> {
    let warm = memory.allocate(300, Fill::Zero)?;
    memory.zero(warm.offset(), 300 * 4096)?;
    drop(warm);
    for count in [1, 16, 256] {
        measure(
            &format!("allocate and free {count} recycled pages"),
            5_000,
            || {
                memory.allocate(count, Fill::Zero).expect("there is room");
            },
        );
    }
    let pages = memory.allocate(256, Fill::Zero)?;
    for len in [8, 4096, 1 << 20] {
        let mut buffer = vec![0; len];
        measure(
            &format!("copy {len} bytes out of the memory file"),
            2_000,
            || {
                memory.read(pages.offset(), &mut buffer).expect("is there");
            },
        );
    }
    Ok(())
}

fn mapping_costs(
    memory: &MemoryFile,
    space: &Arc<dyn AddressSpace>,
) -> Result<(), Box<dyn std::error::Error>> {
    let pages = memory.allocate(256, Fill::Zero)?;
    memory.zero(pages.offset(), 256 * 4096)?;
    let protect = |prot| MapOp::Protect {
        at: UserAddr::new(AREA),
        len: PAGE,
        prot,
    };
    for count in [1, 16, 256] {
        let part = pages.slice(0, count);
        measure(
            &format!("map {count} pages, populated, and unmap"),
            2_000,
            || {
                space.apply(&[map(AREA, &part, RW, true)]).expect("maps");
                space.apply(&[unmap(AREA, count)]).expect("unmaps");
            },
        );
    }
    let scattered: Vec<MapOp> = (0..16)
        .map(|index| map(AREA + index * 2 * PAGE, &pages.slice(index, 1), RW, false))
        .collect();
    measure("16 separate maps at once, and unmap", 2_000, || {
        space.apply(&scattered).expect("maps");
        space.apply(&[unmap(AREA, 32)]).expect("unmaps");
    });
    space.apply(&[map(AREA, &pages, RW, true)])?;
    measure("protect a page", 5_000, || {
        space.apply(&[protect(Prot::READ)]).expect("protects");
        space.apply(&[protect(RW)]).expect("protects");
    });
    space.apply(&[unmap(AREA, 256)])?;
    Ok(())
}

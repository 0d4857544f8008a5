//! A small guest: one page of code, one of data, a thread to run it.

use std::sync::Arc;

use ::syscalls::UserAddr;
use platform::memfile::Fill;
use platform::{AddressSpace, Context, Event, MapOp, MemoryFile, Pages, Platform, Prot, Regs};

/// Where the code is mapped.
pub(crate) const CODE: u64 = 0x40_0000;
/// Where the data page is mapped, read-write. Code finds it in rbx.
pub(crate) const DATA: u64 = 0x50_0000;
/// Nothing is mapped here.
pub(crate) const NOTHING: u64 = 0x60_0000;

pub(crate) const RW: Prot = Prot::READ.union(Prot::WRITE);
pub(crate) const RX: Prot = Prot::READ.union(Prot::EXEC);

/// Declares position-independent guest code.
macro_rules! code {
    ($name:ident: $($line:literal)*) => {
        std::arch::global_asm!(
            ".pushsection .rodata.guest_code, \"a\", @progbits",
            concat!("guest_", stringify!($name), ":"),
            $($line,)*
            concat!("guest_", stringify!($name), "_end:"),
            ".popsection",
        );
        fn $name() -> &'static [u8] {
            let (start, end): (*const u8, *const u8);
            // SAFETY: takes the addresses of the two labels above.
            unsafe {
                std::arch::asm!(
                    concat!("lea {}, [rip + guest_", stringify!($name), "]"),
                    concat!("lea {}, [rip + guest_", stringify!($name), "_end]"),
                    out(reg) start, out(reg) end, options(nomem, nostack, preserves_flags),
                );
            }
            // SAFETY: they bound bytes in read-only data.
            unsafe { std::slice::from_raw_parts(start, end.addr() - start.addr()) }
        }
    };
}
pub(crate) use code;

pub(crate) struct Guest {
    pub(crate) memory: MemoryFile,
    pub(crate) platform: Arc<dyn Platform>,
    pub(crate) space: Arc<dyn AddressSpace>,
    pub(crate) context: Box<dyn Context>,
    pub(crate) regs: Regs,
    pub(crate) code: Pages,
    pub(crate) data: Pages,
    /// Of rewritten calls, which only one platform has.
    #[allow(dead_code, reason = "see above")]
    pub(crate) trampolines: Option<Pages>,
}

impl Guest {
    pub(crate) fn new(code: &[u8]) -> Guest {
        let memory = MemoryFile::new(1 << 30).unwrap();
        let platform = crate::platform(&memory);
        Guest::on(platform, memory, code)
    }

    pub(crate) fn on(platform: Arc<dyn Platform>, memory: MemoryFile, text: &[u8]) -> Guest {
        let space = platform.new_address_space().unwrap();
        let context = platform.new_context().unwrap();
        let code = memory.allocate(1, Fill::Zero).unwrap();
        memory.write(code.offset(), text).unwrap();
        let data = memory.allocate(1, Fill::Zero).unwrap();
        let ops = [map(CODE, &code, RX), map(DATA, &data, RW)];
        space.apply(&ops).unwrap();
        Guest {
            memory,
            platform,
            space,
            context,
            regs: start(),
            code,
            data,
            trampolines: None,
        }
    }

    pub(crate) fn run(&mut self) -> Event {
        self.context.switch(&self.space, &mut self.regs).unwrap()
    }

    /// Runs to the next system call; returns its number.
    pub(crate) fn syscall(&mut self) -> u64 {
        assert_eq!(self.run(), Event::Syscall, "{:x?}", self.regs);
        self.regs.orig_rax
    }

    pub(crate) fn word(&self, index: u64) -> u64 {
        let mut bytes = [0; 8];
        let at = self.data.offset() + index * 8;
        self.memory.read(at, &mut bytes).unwrap();
        u64::from_le_bytes(bytes)
    }

    pub(crate) fn set_word(&self, index: u64, value: u64) {
        let at = self.data.offset() + index * 8;
        self.memory.write(at, &value.to_le_bytes()).unwrap();
    }

    pub(crate) fn page(&self) -> Pages {
        self.memory.allocate(1, Fill::Zero).unwrap()
    }
}

/// Registers at the start of the code.
pub(crate) fn start() -> Regs {
    Regs {
        rbx: DATA,
        ..Regs::start(CODE, DATA + 4096)
    }
}

pub(crate) fn map(at: u64, pages: &Pages, prot: Prot) -> MapOp {
    MapOp::Map {
        at: UserAddr::new(at),
        len: pages.count() * 4096,
        offset: pages.offset(),
        prot,
        populate: false,
    }
}

pub(crate) fn unmap(at: u64, len: u64) -> MapOp {
    let at = UserAddr::new(at);
    MapOp::Unmap { at, len }
}

pub(crate) fn protect(at: u64, len: u64, prot: Prot) -> MapOp {
    let at = UserAddr::new(at);
    MapOp::Protect { at, len, prot }
}

pub(crate) fn fault(addr: u64, access: Prot) -> Event {
    let addr = UserAddr::new(addr);
    Event::Fault { addr, access }
}

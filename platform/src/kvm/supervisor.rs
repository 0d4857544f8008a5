//! What runs in ring 0 of the machine, and the half of every address space that it is in.
//!
//! The supervisor has no memory of its own and takes no decision: whatever happens ends at
//! a HLT, of which there is one for each reason, and with it in the Sentry. It is left by
//! `iretq`. Some hosts emulate it instruction by instruction.
//!
//! Everything here can be read by the supervisor only. Processors write their stacks; all
//! else is read-only to them.

use syscalls::{Errno, PAGE_SIZE};

use super::layout::{
    CODE, DESCRIPTORS, KERNEL_CS, KERNEL_SLOT, LARGE, VCPU_COUNT, VCPUS, code, entry,
};
use super::own::Own;

const RETURN: &[u8] = &[0x48, 0xcf];
/// `mov cr3, rax; pop rax; iretq`
const RETURN_FLUSHED: &[u8] = &[0x0f, 0x22, 0xd8, 0x58, 0x48, 0xcf];
const HLT: u8 = 0xf4;

/// Guest-physical addresses of what all address spaces share.
pub(super) struct Supervisor {
    /// Second-highest table of the supervisor's half.
    tables: u64,
    /// Tables that map the pages of vCPUs.
    vcpus: Vec<u64>,
    /// A highest table with nothing but the supervisor's half.
    pub(super) root: u64,
}

impl Supervisor {
    pub(super) fn new(
        own: &Own,
        cover: impl Fn(u64) -> Result<(), Errno> + Copy,
    ) -> Result<Self, Errno> {
        let page = || own.take(cover);
        let (code_page, idt, gdt) = (page()?, page()?, page()?);
        own.write(code_page, &code_bytes());
        for vector in 0..256 {
            let [low, high] = gate(vector);
            own.write(idt + vector * 16, &low.to_le_bytes());
            own.write(idt + vector * 16 + 8, &high.to_le_bytes());
        }
        for (index, descriptor) in DESCRIPTORS {
            own.write(gdt + u64::from(index) * 8, &descriptor.to_le_bytes());
        }

        let set = |table: u64, index: u64, value: u64| {
            own.write(table + index * 8, &value.to_le_bytes());
        };
        let table = entry::PRESENT | entry::WRITE | entry::ACCESSED;
        let read = entry::PRESENT | entry::ACCESSED;
        let (tables, middle, lowest) = (page()?, page()?, page()?);
        set(tables, 0, middle | table);
        set(middle, 0, lowest | table);
        set(lowest, 0, code_page | read);
        set(lowest, 1, idt | read | entry::NO_EXEC);
        set(lowest, 2, gdt | read | entry::NO_EXEC);
        let vcpus: Vec<u64> = (0..(VCPU_COUNT * PAGE_SIZE).div_ceil(LARGE))
            .map(|_| page())
            .collect::<Result<_, _>>()?;
        for (index, lowest) in (1..).zip(&vcpus) {
            set(middle, index, lowest | table);
        }
        let root = page()?;
        set(root, KERNEL_SLOT, tables | table);
        Ok(Supervisor {
            root,
            tables,
            vcpus,
        })
    }

    /// The entry of a highest table for the supervisor's half.
    pub(super) fn top_entry(&self) -> u64 {
        self.tables | entry::PRESENT | entry::WRITE | entry::ACCESSED
    }

    /// Maps the page of a vCPU; gives its address.
    pub(super) fn map_vcpu(&self, own: &Own, number: u64, page: u64) -> u64 {
        const PER_TABLE: u64 = LARGE / PAGE_SIZE;
        let write = entry::PRESENT | entry::WRITE | entry::ACCESSED | entry::DIRTY;
        let table = usize::try_from(number / PER_TABLE).unwrap_or(usize::MAX);
        let place = self.vcpus[table] + number % PER_TABLE * 8;
        own.word(place).store(
            page | write | entry::NO_EXEC,
            std::sync::atomic::Ordering::SeqCst,
        );
        VCPUS + number * PAGE_SIZE
    }
}

fn code_bytes() -> Vec<u8> {
    let mut bytes = vec![HLT; usize::try_from(code::END).unwrap_or_default()];
    for (at, part) in [
        (code::RETURN, RETURN),
        (code::RETURN_FLUSHED, RETURN_FLUSHED),
    ] {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        bytes[at..at + part.len()].copy_from_slice(part);
    }
    bytes
}

/// The descriptor of an interrupt gate.
fn gate(vector: u64) -> [u64; 2] {
    /// Debug, NMI, double fault, machine check: they may come between the first two
    /// instructions of the supervisor, with the application's stack pointer.
    const ANYTIME: [u64; 4] = [1, 2, 8, 18];
    /// Breakpoint, overflow: instructions that an application may use.
    const APPLICATION: [u64; 2] = [3, 4];
    const INTERRUPT_GATE: u64 = 0x8e;
    let target = CODE + code::VECTORS + vector;
    let stack = u64::from(ANYTIME.contains(&vector));
    let level = if APPLICATION.contains(&vector) { 3 } else { 0 };
    let low = target & 0xffff
        | u64::from(KERNEL_CS) << 16
        | stack << 32
        | (INTERRUPT_GATE | level << 5) << 40
        | (target >> 16 & 0xffff) << 48;
    [low, target >> 32]
}

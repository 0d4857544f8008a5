//! Fixed places: guest-physical memory, the supervisor's half of every address space, and
//! the tables that a processor wants.

use syscalls::PAGE_SIZE;

/// Bytes of the platform's own guest-physical memory, from 0 on: page tables and what the
/// supervisor needs. Tables for some 500 GiB of pages.
pub(super) const OWN_SIZE: u64 = 1 << 30;
/// A page that nobody uses.
pub(super) const UNUSED: u64 = 3 << 30;
/// Where a processor of Intel's may keep three pages for itself, `KVM_SET_TSS_ADDR`.
pub(super) const RESERVED: usize = 0xfffb_d000;
/// The memory file in guest-physical memory.
pub(super) const MEMORY: u64 = 1 << 32;

/// First address of the supervisor's half.
pub(super) const KERNEL: u64 = 0xffff_8000_0000_0000;
/// Its instructions, execute and read.
pub(super) const CODE: u64 = KERNEL;
/// The interrupt descriptor table, read-only.
pub(super) const IDT: u64 = CODE + PAGE_SIZE;
/// The segment descriptors, read-only.
pub(super) const GDT: u64 = IDT + PAGE_SIZE;
/// A page for each vCPU, read and write; see [`vcpu`].
pub(super) const VCPUS: u64 = KERNEL + LARGE;
/// How many vCPUs there can be.
pub(super) const VCPU_COUNT: u64 = 256;
/// Bytes that a table of the lowest level maps.
pub(super) const LARGE: u64 = 2 << 20;

/// Entry of the highest table for the supervisor's half.
pub(super) const KERNEL_SLOT: u64 = KERNEL >> 39 & 511;

/// Offsets in the code page.
pub(super) mod code {
    /// HLT for each of the 256 vectors.
    pub(crate) const VECTORS: u64 = 0;
    /// Behind the last of them: here SYSCALL arrives. HLT, too.
    pub(crate) const SYSCALL: u64 = 256;
    /// `iretq`
    pub(crate) const RETURN: u64 = 0x200;
    /// `mov cr3, rax; pop rax; iretq`: also forgets all translations.
    pub(crate) const RETURN_FLUSHED: u64 = 0x210;
    /// All that means something.
    pub(crate) const END: u64 = 0x240;
}

/// Offsets in the page of a vCPU.
pub(super) mod vcpu {
    /// The task state segment.
    pub(crate) const TSS: u64 = 0;
    /// Bytes of that, less one.
    pub(crate) const TSS_LIMIT: u32 = 103;
    /// End of the stack for exceptions that may come while the stack pointer is the
    /// application's.
    pub(crate) const SPARE_STACK: u64 = 0x800;
    /// End of the stack for all else. A frame of an exception lies at its end, with the
    /// error code before it.
    pub(crate) const STACK: u64 = 0x1000;
    /// What `iretq` takes: rip, cs, eflags, rsp, ss.
    pub(crate) const FRAME: u64 = STACK - 40;
}

/// Selectors. Those of applications are as on Linux.
pub(super) const KERNEL_CS: u16 = 0x10;
/// See [`KERNEL_CS`].
pub(super) const KERNEL_SS: u16 = 0x18;
/// Of data of applications.
pub(super) const USER_SS: u16 = 0x2b;
/// Of the task state segment, whose descriptor is never looked at.
pub(super) const TASK: u16 = 0x40;

/// Descriptors by index. "Accessed" is set, as the table cannot be written.
pub(super) const DESCRIPTORS: [(u16, u64); 4] = [
    (KERNEL_CS >> 3, 0x00af_9b00_0000_ffff),
    (KERNEL_SS >> 3, 0x00cf_9300_0000_ffff),
    // Data and 64-bit code of applications. There is no 32-bit code.
    (5, 0x00cf_f300_0000_ffff),
    (6, 0x00af_fb00_0000_ffff),
];
/// Bytes of the descriptors, less one.
pub(super) const GDT_LIMIT: u16 = 0x3f;

/// Bits of a page-table entry.
pub(super) mod entry {
    pub(crate) const PRESENT: u64 = 1;
    pub(crate) const WRITE: u64 = 1 << 1;
    pub(crate) const USER: u64 = 1 << 2;
    pub(crate) const ACCESSED: u64 = 1 << 5;
    pub(crate) const DIRTY: u64 = 1 << 6;
    pub(crate) const NO_EXEC: u64 = 1 << 63;
    /// The page's address.
    pub(crate) const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
    /// Of a table that is all application's.
    pub(crate) const TABLE: u64 = PRESENT | WRITE | USER | ACCESSED;
}

//! The virtual machine of a sandbox: guest-physical memory and what its processors have in
//! common.

use std::os::fd::{IntoRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kvm_bindings::kvm_userspace_memory_region;
use kvm_ioctls::{Cap, Kvm, VmFd};
use parking_lot::{Mutex, RwLock};
use syscalls::errno::{EFAULT, ENOMEM, EOPNOTSUPP};
use syscalls::{Errno, PAGE_SIZE};

use super::cpuid::Cpuid;
use super::door::Door;
use super::layout::{MEMORY, OWN_SIZE, RESERVED, UNUSED};
use super::own::Own;
use super::supervisor::Supervisor;
use super::{broken, host};
use crate::host::mapping::Mapping;
use crate::{Error, MemoryFile};

/// The memory file is given to the machine in pieces of this size, when first needed: the
/// host keeps some bytes for each page of a piece.
const PIECE: u64 = 256 << 20;
/// So is the platform's own memory.
const OWN_PIECE: u64 = 16 << 20;

/// Who executes the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ring0 {
    /// The processor, as everything else in the machine.
    Native,
    /// The host's kernel. Applications use whatever the processor has, and are to be told so.
    Emulated,
}

/// See the module.
pub(super) struct Machine {
    vm: VmFd,
    pub(super) own: Own,
    /// The memory file once more: what the host does to this mapping, it does to the
    /// machine.
    mapping: Mapping,
    /// Pieces that the machine has.
    pieces: Box<[AtomicBool]>,
    slots: Mutex<Slots>,
    pub(super) cpuid: Cpuid,
    pub(super) supervisor: Supervisor,
    pub(super) ring0: Ring0,
    /// The host keeps shadows of page tables, and does not see what we write there.
    shadowed: AtomicBool,
    /// Those who may be inside.
    pub(super) doors: RwLock<Vec<Arc<Door>>>,
    next_space: AtomicU64,
    memory: MemoryFile,
}

struct Slots {
    next: u32,
    /// Bytes of the platform's own memory that the machine has.
    own_end: u64,
}

impl Machine {
    /// A machine for a sandbox whose pages are in `memory`.
    pub(super) fn new(kvm: &Kvm, memory: &MemoryFile, ring0: Ring0) -> Result<Self, Error> {
        for needed in [Cap::SyncRegs, Cap::ImmediateExit, Cap::Xcrs, Cap::Xsave] {
            if !kvm.check_extension(needed) {
                return Err(broken("find what is needed in KVM")(EOPNOTSUPP));
            }
        }
        let cpuid = match ring0 {
            Ring0::Native => Cpuid::supported(kvm)?,
            Ring0::Emulated => Cpuid::native()?,
        };
        let vm = kvm.create_vm().map_err(host("create a virtual machine"))?;
        // Some processors of Intel's cannot do without.
        let reserved = vm.set_tss_address(RESERVED);
        reserved.map_err(host("reserve pages for the processor"))?;
        let size = memory.size();
        if size > (1_u64 << cpuid.physical_bits().min(46)) - MEMORY {
            return Err(broken("address the sandbox's memory")(ENOMEM));
        }
        let len = usize::try_from(size).map_err(|_| broken("map the memory file")(ENOMEM))?;
        let mapping = Mapping::shared(memory, 0, len).map_err(broken("map the memory file"))?;
        let pieces = (0..size.div_ceil(PIECE)).map(|_| AtomicBool::new(false));
        let own = Own::new().map_err(broken("make page tables"))?;
        let slots = Mutex::new(Slots {
            next: 0,
            own_end: 0,
        });
        let cover = |end| cover_own(&vm, &own, &slots, end);
        let supervisor = Supervisor::new(&own, cover).map_err(broken("make page tables"))?;
        Ok(Machine {
            pieces: pieces.collect(),
            vm,
            own,
            mapping,
            slots,
            cpuid,
            supervisor,
            ring0,
            shadowed: AtomicBool::new(false),
            doors: RwLock::default(),
            next_space: AtomicU64::new(1),
            memory: memory.clone(),
        })
    }

    pub(super) fn vm(&self) -> &VmFd {
        &self.vm
    }

    /// A number that no other address space of the machine has or had; not 0.
    pub(super) fn new_space_number(&self) -> u64 {
        self.next_space.fetch_add(1, Ordering::Relaxed)
    }

    /// A page for a table, all zero.
    pub(super) fn new_page(&self) -> Result<u64, Errno> {
        self.own
            .take(|end| cover_own(&self.vm, &self.own, &self.slots, end))
    }

    pub(super) fn is_shadowed(&self) -> bool {
        self.shadowed.load(Ordering::Relaxed)
    }

    pub(super) fn set_shadowed(&self) {
        self.shadowed.store(true, Ordering::Relaxed);
    }

    /// Makes sure that the machine has these bytes of the memory file; gives their
    /// guest-physical address.
    pub(super) fn cover(&self, offset: u64, len: u64) -> Result<u64, Errno> {
        let end = offset.checked_add(len).ok_or(EFAULT)?;
        let size = self.mapping.len() as u64;
        if end > size {
            return Err(EFAULT);
        }
        for index in offset / PIECE..end.div_ceil(PIECE) {
            let piece = usize::try_from(index).ok();
            let piece = piece.and_then(|index| self.pieces.get(index));
            let piece = piece.ok_or(EFAULT)?;
            if !piece.load(Ordering::Acquire) {
                self.add_piece(piece, index * PIECE, size)?;
            }
        }
        Ok(MEMORY + offset)
    }

    #[cold]
    fn add_piece(&self, piece: &AtomicBool, start: u64, size: u64) -> Result<(), Errno> {
        let mut slots = self.slots.lock();
        if piece.load(Ordering::Acquire) {
            return Ok(());
        }
        let len = PIECE.min(size - start);
        let at = usize::try_from(start).map_err(|_| EFAULT)?;
        let count = usize::try_from(len).map_err(|_| EFAULT)?;
        let address = self.mapping.at(at, count)?.addr() as u64;
        add_slot(&self.vm, &mut slots, MEMORY + start, len, address)?;
        piece.store(true, Ordering::Release);
        Ok(())
    }

    /// The byte at a guest-physical address of the memory file.
    pub(super) fn byte(&self, address: u64) -> Option<u8> {
        let mut byte = [0];
        self.memory
            .read(address.checked_sub(MEMORY)?, &mut byte)
            .ok()?;
        Some(byte[0])
    }

    /// Gives back tables that are no longer linked and that no processor knows any more.
    pub(super) fn give_back(&self, tables: &[u64]) {
        /// So many wait before the host forgets all of its shadows: it has to make the
        /// living ones again.
        const BATCH: usize = 1024;
        if !self.is_shadowed() {
            self.own.give_back(tables);
        } else if self.own.give_back_shadowed(tables) >= BATCH {
            let pages = self.own.take_shadowed();
            match self.forget_shadows() {
                Ok(()) => self.own.give_back(&pages),
                // They are lost, which is better than the other way round.
                Err(errno) => log::error!("{} page tables are lost: {errno:?}", pages.len()),
            }
        }
    }

    /// Has the host forget the shadows of all tables, dead or alive: it does so when a part
    /// of the machine's memory goes. One that nobody uses is taken for it.
    fn forget_shadows(&self) -> Result<(), Errno> {
        let mut slots = self.slots.lock();
        let address = self.own.host_address(0, PAGE_SIZE)?;
        let number = slots.next;
        add_slot(&self.vm, &mut slots, UNUSED, PAGE_SIZE, address)?;
        slots.next = number;
        set_slot(&self.vm, number, UNUSED, 0, address)
    }

    /// Has the host forget how pages of the memory file are mapped in the machine: they are
    /// found anew, through the tables as they are now. Takes guest-physical ranges, start and
    /// length.
    pub(super) fn forget_pages(&self, mut pages: Vec<(u64, u64)>) -> Result<(), Errno> {
        /// Bytes of others' that are forgotten along rather than making one more call.
        const GAP: u64 = 32 * PAGE_SIZE;
        pages.sort_unstable();
        let mut pages = pages.into_iter();
        let Some(mut last) = pages.next() else {
            return Ok(());
        };
        for (start, len) in pages {
            if start <= last.0 + last.1 + GAP {
                last.1 = last.1.max(start + len - last.0);
            } else {
                self.forget_range(last)?;
                last = (start, len);
            }
        }
        self.forget_range(last)
    }

    fn forget_range(&self, (address, len): (u64, u64)) -> Result<(), Errno> {
        let at = usize::try_from(address - MEMORY).map_err(|_| EFAULT)?;
        let len = usize::try_from(len).map_err(|_| EFAULT)?;
        let start = self.mapping.at(at, len)?;
        // SAFETY: a shared mapping of a file: what is dropped is found again in the file. The
        // mapping is for the machine alone.
        let result = unsafe { libc::madvise(start.cast(), len, libc::MADV_DONTNEED) };
        crate::host::check(result).map(drop)
    }
}

fn cover_own(vm: &VmFd, own: &Own, slots: &Mutex<Slots>, end: u64) -> Result<(), Errno> {
    let mut slots = slots.lock();
    while slots.own_end < end {
        let start = slots.own_end;
        let len = OWN_PIECE.min(OWN_SIZE - start);
        let address = own.host_address(start, len)?;
        add_slot(vm, &mut slots, start, len, address)?;
        slots.own_end += len;
    }
    Ok(())
}

fn add_slot(vm: &VmFd, slots: &mut Slots, at: u64, len: u64, host: u64) -> Result<(), Errno> {
    set_slot(vm, slots.next, at, len, host)?;
    slots.next += 1;
    Ok(())
}

/// Changes a part of the machine's memory; without bytes it goes.
fn set_slot(vm: &VmFd, slot: u32, at: u64, len: u64, host: u64) -> Result<(), Errno> {
    debug_assert!(at.is_multiple_of(PAGE_SIZE) && len.is_multiple_of(PAGE_SIZE));
    let region = kvm_userspace_memory_region {
        slot,
        flags: 0,
        guest_phys_addr: at,
        memory_size: len,
        userspace_addr: host,
    };
    // SAFETY: the memory is a part of a mapping that lives as long as the machine, of which
    // no Rust reference exists: neither to guest memory nor to the platform's own but as
    // atomics.
    let added = unsafe { vm.set_user_memory_region(region) };
    added.map_err(|error| Errno::from_raw(error.errno()))
}

/// Takes /dev/kvm over.
pub(super) fn adopt(device: OwnedFd) -> Kvm {
    use std::os::fd::FromRawFd;
    // SAFETY: the descriptor is ours, and given away. If it is another file's, every call on
    // it fails.
    unsafe { Kvm::from_raw_fd(device.into_raw_fd()) }
}

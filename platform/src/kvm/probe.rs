//! What kind of host this is.

use std::sync::Arc;

use kvm_ioctls::Kvm;
use syscalls::errno::EOPNOTSUPP;
use syscalls::{PAGE_SIZE, UserAddr};

use super::broken;
use super::machine::{Machine, Ring0};
use super::space::KvmSpace;
use super::vcpu::Vcpu;
use crate::memfile::Fill;
use crate::{AddressSpace, Error, Event, MapOp, MemoryFile, Pages, Prot, Regs};

/// Where the probe's code and data are.
const CODE: u64 = 0x40_0000;
const DATA: u64 = 0x50_0000;
/// `mov rbx, [rdi]; mov eax, 39; syscall`, and again.
const READ: [u8; 12] = [0x48, 0x8b, 0x1f, 0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf4];

/// A machine for this host, perhaps with a vCPU.
pub(super) fn machine(
    kvm: &Kvm,
    memory: &MemoryFile,
) -> Result<(Arc<Machine>, Option<Vcpu>), Error> {
    let machine = Arc::new(Machine::new(kvm, memory, Ring0::Native)?);
    let mut vcpu = Vcpu::new(&machine, 0)?;
    let probe = Probe::new(&machine, memory)?;
    if probe.run(&mut vcpu)? {
        // Before the probe's tables are given back.
        machine.set_shadowed();
    }
    drop(probe);
    if !vcpu.is_emulated() {
        return Ok((machine, Some(vcpu)));
    }
    // With other features, which a vCPU has for life.
    let machine = Arc::new(Machine::new(kvm, memory, Ring0::Emulated)?);
    machine.set_shadowed();
    Ok((machine, None))
}

struct Probe {
    machine: Arc<Machine>,
    space: KvmSpace,
    pages: Pages,
}

impl Probe {
    fn new(machine: &Arc<Machine>, memory: &MemoryFile) -> Result<Self, Error> {
        let what = "prepare a probe";
        let pages = memory.allocate(3, Fill::Zero).map_err(broken(what))?;
        let write = |page: u64, bytes: &[u8]| {
            let place = pages.offset() + page * PAGE_SIZE;
            memory.write(place, bytes).map_err(broken(what))
        };
        write(0, &READ)?;
        write(1, &[1])?;
        write(2, &[2])?;
        let space = KvmSpace::new(machine).map_err(broken(what))?;
        let map = |at, page, prot| MapOp::Map {
            at: UserAddr::new(at),
            len: PAGE_SIZE,
            offset: pages.offset() + page * PAGE_SIZE,
            prot,
            populate: false,
        };
        space.apply(&[
            map(CODE, 0, Prot::READ | Prot::EXEC),
            map(DATA, 1, Prot::READ),
        ])?;
        Ok(Probe {
            machine: Arc::clone(machine),
            space,
            pages,
        })
    }

    /// True if the host keeps shadows of page tables.
    fn run(&self, vcpu: &mut Vcpu) -> Result<bool, Error> {
        let mut is_stale = false;
        let mut regs = Regs {
            rdi: DATA,
            ..Regs::start(CODE, 0)
        };
        for round in [1, 2, 1, 2] {
            let place = self.pages.offset() + round * PAGE_SIZE;
            let page = (DATA, DATA + PAGE_SIZE);
            let moved = self.space.remap_unseen(page, place);
            moved.map_err(broken("prepare a probe"))?;
            let event = vcpu.run(&self.machine, &self.space, &mut regs, || false)?;
            if event != Event::Syscall || regs.orig_rax != 39 {
                log::error!("a probe of KVM ended with {event:?}, {regs:x?}");
                return Err(broken("run code in KVM as it should be")(EOPNOTSUPP));
            }
            is_stale |= regs.rbx != round;
        }
        Ok(is_stale)
    }
}

//! A processor of the machine.
//!
//! It runs an application from registers until something happens. In between it stands
//! still in ring 0, behind a HLT; the application's registers are in what the kernel shares
//! with us, or in a frame on the vCPU's stack.

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use kvm_bindings::{
    KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, Msrs, kvm_device_attr, kvm_msr_entry, kvm_regs,
    kvm_segment, kvm_sregs, kvm_xcr, kvm_xcrs, kvm_xsave,
};
use kvm_ioctls::{SyncReg, VcpuExit, VcpuFd};
use syscalls::errno::EPROTO;

use super::door::Door;
use super::exit::{self, Application, Stop};
use super::layout::{
    self, CODE, GDT, GDT_LIMIT, IDT, KERNEL_CS, KERNEL_SS, TASK, code, vcpu as page,
};
use super::machine::{Machine, Ring0};
use super::space::KvmSpace;
use super::{broken, host};
use crate::{Error, Event, FpState, Regs};

/// Flags that a program may set, and the two that it always has.
const USER_FLAGS: u64 = 0x0024_0dd5;
const FIXED_FLAGS: u64 = 0x202;

/// See the module.
pub(super) struct Vcpu {
    fd: VcpuFd,
    door: Arc<Door>,
    /// Guest-physical address of its page, and where the supervisor sees that.
    page: u64,
    address: u64,
    /// What it runs with apart from general registers.
    system: kvm_sregs,
    /// Space and generation that it was in last.
    seen: (u64, u64),
    /// Components of vector state that it has.
    features: u64,
    /// A call came as a page fault.
    is_emulated: bool,
}

/// How a stretch inside ended.
enum Way {
    Halted,
    /// By a signal, or because it was to end at once.
    Called,
}

impl Vcpu {
    /// Number `number` of the machine.
    pub(super) fn new(machine: &Machine, number: u64) -> Result<Self, Error> {
        let fd = machine.vm().create_vcpu(number);
        let mut fd = fd.map_err(host("create a vCPU"))?;
        let door = Door::new(&fd).map_err(broken("share a page with a vCPU"))?;
        let page = machine.new_page().map_err(broken("make a vCPU's page"))?;
        let supervisor = &machine.supervisor;
        let address = supervisor.map_vcpu(&machine.own, number, page);
        fill(machine, page, address);

        let cpuid = &machine.cpuid;
        fd.set_cpuid2(&cpuid.entries).map_err(host("set CPUID"))?;
        let system = fd.get_sregs().map_err(host("read system registers"))?;
        let system = system_registers(&system, machine, address);
        fd.set_sregs(&system)
            .map_err(host("set system registers"))?;
        if let Some(xcr0) = cpuid.xcr0() {
            set_xcr0(&fd, xcr0)?;
        }
        set_msrs(&fd)?;
        set_tsc(&fd);
        fd.set_sync_valid_reg(SyncReg::Register);
        fd.set_sync_valid_reg(SyncReg::SystemRegister);
        fd.set_sync_valid_reg(SyncReg::VcpuEvents);
        fd.sync_regs_mut().sregs = system;
        let door = Arc::new(door);
        machine.doors.write().push(Arc::clone(&door));
        Ok(Vcpu {
            fd,
            door,
            page,
            address,
            system,
            seen: (0, 0),
            features: cpuid.xcr0().unwrap_or(3),
            is_emulated: false,
        })
    }

    /// Whether the host has been seen to emulate ring 0.
    pub(super) fn is_emulated(&self) -> bool {
        self.is_emulated
    }

    /// Where others can knock while it is inside.
    pub(super) fn door(&self) -> &Arc<Door> {
        &self.door
    }

    /// Runs an application from `regs`, which become what they are at the end, until
    /// something happens or `wanted` says so.
    pub(super) fn run(
        &mut self,
        machine: &Machine,
        space: &KvmSpace,
        regs: &mut Regs,
        wanted: impl Fn() -> bool,
    ) -> Result<Event, Error> {
        loop {
            if let Some(event) = exit::cannot_run(regs) {
                return Ok(event);
            }
            self.door.enter(space.number());
            if wanted() {
                self.door.leave();
                return Ok(Event::Interrupted);
            }
            let seen = (space.number(), space.generation());
            self.load(machine, space, regs, seen != self.seen);
            let way = self.go_out();
            self.door.leave();
            let way = way?;
            let sync = self.fd.sync_regs();
            self.system = sync.sregs;
            let Some(stop) = stop(&way, &sync.regs, sync.sregs.cs.selector) else {
                // It did not get to the application.
                continue;
            };
            self.seen = seen;
            match self.store((machine, space), &stop, &sync.regs, regs)? {
                Some(event) => return Ok(event),
                None => continue,
            }
        }
    }

    /// Prepares to go inside.
    fn load(&mut self, machine: &Machine, space: &KvmSpace, regs: &Regs, flush: bool) {
        let own = &machine.own;
        let put = |at: u64, value: u64| own.word(self.page + at).store(value, Ordering::Relaxed);
        put(page::FRAME, regs.rip);
        put(page::FRAME + 8, Regs::USER_CS);
        put(page::FRAME + 16, regs.eflags & USER_FLAGS | FIXED_FLAGS);
        put(page::FRAME + 24, regs.rsp);
        put(page::FRAME + 32, Regs::USER_SS);
        let mut system = self.system;
        kernel_segments(&mut system);
        set_segments(&mut system, &regs.sanitized());
        let (rip, rsp, rax) = if flush {
            if self.seen.0 != space.number() {
                system.cr3 = space.root();
            }
            put(page::FRAME - 8, regs.rax);
            (code::RETURN_FLUSHED, page::FRAME - 8, space.root())
        } else {
            (code::RETURN, page::FRAME, regs.rax)
        };
        let sync = self.fd.sync_regs_mut();
        sync.regs = kvm_regs {
            rax,
            rbx: regs.rbx,
            rcx: regs.rcx,
            rdx: regs.rdx,
            rsi: regs.rsi,
            rdi: regs.rdi,
            rsp: self.address + rsp,
            rbp: regs.rbp,
            r8: regs.r8,
            r9: regs.r9,
            r10: regs.r10,
            r11: regs.r11,
            r12: regs.r12,
            r13: regs.r13,
            r14: regs.r14,
            r15: regs.r15,
            rip: CODE + rip,
            rflags: 2,
        };
        sync.sregs = system;
        self.fd.set_sync_dirty_reg(SyncReg::Register);
        if system != self.system {
            self.fd.set_sync_dirty_reg(SyncReg::SystemRegister);
        }
    }

    /// Goes inside and comes out with nothing left to be done there: an exception that the
    /// host has found but not delivered yet would meet other registers later.
    fn go_out(&mut self) -> Result<Way, Error> {
        loop {
            let way = self.go()?;
            let exception = self.fd.sync_regs().events.exception;
            let delivered = exception.injected == 0 && exception.pending == 0;
            if delivered || matches!(way, Way::Halted) {
                return Ok(way);
            }
            self.door.stay();
        }
    }

    fn go(&mut self) -> Result<Way, Error> {
        match self.fd.run() {
            Ok(VcpuExit::Hlt) => Ok(Way::Halted),
            Ok(VcpuExit::Intr) => Ok(Way::Called),
            Ok(other) => {
                let what = format!("{other:?}");
                log::error!(
                    "a vCPU came out for no good reason: {what}; {}",
                    self.describe()
                );
                Err(Error::Died)
            }
            Err(error) if matches!(error.errno(), libc::EINTR | libc::EAGAIN) => Ok(Way::Called),
            Err(error) => Err(host("run a vCPU")(error)),
        }
    }

    fn describe(&self) -> String {
        let sync = self.fd.sync_regs();
        format!(
            "rip {:#x} rsp {:#x} cs {:#x} cr2 {:#x} cr3 {:#x}",
            sync.regs.rip, sync.regs.rsp, sync.sregs.cs.selector, sync.sregs.cr2, sync.sregs.cr3
        )
    }

    /// The application's registers at a stop, and what happened; `None` if that was nothing.
    fn store(
        &mut self,
        (machine, space): (&Machine, &KvmSpace),
        stop: &Stop,
        general: &kvm_regs,
        regs: &mut Regs,
    ) -> Result<Option<Event>, Error> {
        *regs = Regs {
            r15: general.r15,
            r14: general.r14,
            r13: general.r13,
            r12: general.r12,
            rbp: general.rbp,
            rbx: general.rbx,
            r11: general.r11,
            r10: general.r10,
            r9: general.r9,
            r8: general.r8,
            rax: general.rax,
            rcx: general.rcx,
            rdx: general.rdx,
            rsi: general.rsi,
            rdi: general.rdi,
            orig_rax: u64::MAX,
            rip: general.rip,
            cs: Regs::USER_CS,
            eflags: general.rflags,
            rsp: general.rsp,
            ss: Regs::USER_SS,
            fs_base: self.system.fs.base,
            gs_base: self.system.gs.base,
            ds: self.system.ds.selector.into(),
            es: self.system.es.selector.into(),
            fs: self.system.fs.selector.into(),
            gs: self.system.gs.selector.into(),
        };
        let end = match *stop {
            Stop::Application if !exit::is_at_entry(regs.rip) => return Ok(None),
            Stop::Application | Stop::Syscall => return Ok(Some(exit::syscall(regs))),
            Stop::Vector(vector) if exit::is_anytime(vector) => page::SPARE_STACK,
            Stop::Vector(_) => page::STACK,
        };
        let word = |before: u64| {
            let place = machine.own.word(self.page + end - before);
            place.load(Ordering::Relaxed)
        };
        let (error, cs) = (word(48), word(32));
        regs.rip = word(40);
        regs.eflags = word(24);
        regs.rsp = word(16);
        let Stop::Vector(vector) = *stop else {
            return Ok(None);
        };
        if cs & 3 != 3 {
            let rip = regs.rip;
            log::error!("exception {vector} ({error:#x}) in the supervisor, at {rip:#x}");
            return Err(Error::Died);
        }
        self.is_emulated |= exit::is_at_entry(regs.rip);
        let exception = exit::Exception {
            vector,
            error,
            address: self.system.cr2,
        };
        let application = Application {
            state: &|| self.fp_state(),
            byte: &|address| space.byte(address),
            is_emulated: machine.ring0 == Ring0::Emulated,
        };
        exit::event(&exception, regs, &application).map(Some)
    }

    /// The vector state.
    pub(super) fn fp_state(&self) -> Result<FpState, Error> {
        let area = self.fd.get_xsave().map_err(host("read vector state"))?;
        let bytes: Vec<u8> = area
            .region
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        Ok(FpState::from_user(&bytes))
    }

    /// Replaces it.
    pub(super) fn set_fp_state(&mut self, state: &FpState) -> Result<(), Error> {
        let mut area = kvm_xsave::default();
        for (word, bytes) in area.region.iter_mut().zip(state.as_bytes().chunks_exact(4)) {
            *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        const COMPONENTS: usize = 512 / 4;
        let features = [self.features, self.features >> 32];
        for (word, mask) in area.region[COMPONENTS..].iter_mut().zip(features) {
            *word &= u32::try_from(mask & 0xffff_ffff).unwrap_or_default();
        }
        // SAFETY: the kernel reads 4096 bytes, as no component is enabled that would need
        // more: the machine has not asked for any.
        let set = unsafe { self.fd.set_xsave(&area) };
        set.map_err(host("set vector state"))
    }
}

/// Where it stands.
fn stop(way: &Way, regs: &kvm_regs, cs: u16) -> Option<Stop> {
    if u64::from(cs) == Regs::USER_CS {
        return Some(Stop::Application);
    }
    let offset = regs.rip.wrapping_sub(CODE);
    let place = match way {
        Way::Halted => offset.checked_sub(1)?,
        Way::Called => offset,
    };
    match place {
        code::SYSCALL => Some(Stop::Syscall),
        0..code::SYSCALL => Some(Stop::Vector(place)),
        _ => None,
    }
}

/// The task state segment says where the stacks are.
fn fill(machine: &Machine, page: u64, address: u64) {
    let mut segment = [0; 104];
    let mut put = |at: usize, value: u64| {
        segment[at..at + 8].copy_from_slice(&value.to_le_bytes());
    };
    put(4, address + page::STACK);
    put(36, address + page::SPARE_STACK);
    // No I/O permissions.
    segment[102] = 104;
    machine.own.write(page + page::TSS, &segment);
}

fn system_registers(initial: &kvm_sregs, machine: &Machine, address: u64) -> kvm_sregs {
    /// Protection, FPU present, write protection, alignment checks, paging.
    const CR0: u64 = 0x8005_0033;
    /// SYSCALL, long mode, no-execute.
    const EFER: u64 = 0xd01;
    let mut system = *initial;
    system.cr0 = CR0;
    system.cr3 = machine.supervisor.root;
    system.cr4 = machine.cpuid.cr4();
    system.efer = EFER;
    kernel_segments(&mut system);
    set_segments(&mut system, &Regs::default());
    system.gdt.base = GDT;
    system.gdt.limit = GDT_LIMIT;
    system.idt.base = IDT;
    system.idt.limit = 0xfff;
    system.tr = kvm_segment {
        base: address + page::TSS,
        limit: page::TSS_LIMIT,
        selector: TASK,
        type_: 11,
        present: 1,
        ..kvm_segment::default()
    };
    system.ldt = kvm_segment {
        unusable: 1,
        ..kvm_segment::default()
    };
    system
}

/// Code and stack segments of ring 0.
fn kernel_segments(system: &mut kvm_sregs) {
    if system.cs.selector == KERNEL_CS {
        return;
    }
    let flat = kvm_segment {
        limit: u32::MAX,
        present: 1,
        s: 1,
        g: 1,
        ..kvm_segment::default()
    };
    system.cs = kvm_segment {
        selector: KERNEL_CS,
        type_: 11,
        l: 1,
        ..flat
    };
    system.ss = kvm_segment {
        selector: KERNEL_SS,
        type_: 3,
        db: 1,
        ..flat
    };
}

/// The application's data segments.
fn set_segments(system: &mut kvm_sregs, regs: &Regs) {
    let wanted = [
        (&mut system.ds, regs.ds, None),
        (&mut system.es, regs.es, None),
        (&mut system.fs, regs.fs, Some(regs.fs_base)),
        (&mut system.gs, regs.gs, Some(regs.gs_base)),
    ];
    for (segment, selector, base) in wanted {
        let selector = match selector {
            Regs::USER_SS => layout::USER_SS,
            _ => 0,
        };
        if segment.selector != selector {
            *segment = data_segment(selector);
        }
        if let Some(base) = base {
            segment.base = base;
        }
    }
}

fn data_segment(selector: u16) -> kvm_segment {
    if selector == 0 {
        return kvm_segment {
            unusable: 1,
            ..kvm_segment::default()
        };
    }
    kvm_segment {
        limit: u32::MAX,
        selector,
        type_: 3,
        present: 1,
        dpl: 3,
        db: 1,
        s: 1,
        g: 1,
        ..kvm_segment::default()
    }
}

fn set_xcr0(fd: &VcpuFd, value: u64) -> Result<(), Error> {
    let mut all = kvm_xcrs {
        nr_xcrs: 1,
        ..kvm_xcrs::default()
    };
    all.xcrs[0] = kvm_xcr {
        xcr: 0,
        value,
        ..kvm_xcr::default()
    };
    fd.set_xcrs(&all).map_err(host("set XCR0"))
}

fn set_msrs(fd: &VcpuFd) -> Result<(), Error> {
    const STAR: u32 = 0xc000_0081;
    const LSTAR: u32 = 0xc000_0082;
    const FMASK: u32 = 0xc000_0084;
    /// Trap, interrupt, direction, privilege level, nested task, alignment.
    const MASKED: u64 = 0x0004_7700;
    let kernel = u64::from(KERNEL_CS) << 32;
    let all = [
        (STAR, kernel | (Regs::USER_CS - 16) << 48),
        (LSTAR, CODE + code::SYSCALL),
        (FMASK, MASKED),
    ]
    .map(|(index, data)| kvm_msr_entry {
        index,
        data,
        ..kvm_msr_entry::default()
    });
    let what = "set model-specific registers";
    let list = Msrs::from_entries(&all).map_err(|_| broken(what)(EPROTO))?;
    match fd.set_msrs(&list).map_err(host(what))? {
        done if done == all.len() => Ok(()),
        _ => Err(broken(what)(EPROTO)),
    }
}

/// The application reads the host's own time stamps, as it does elsewhere: clocks of the
/// vDSO rely on it.
fn set_tsc(fd: &VcpuFd) {
    let offset = 0_u64;
    let attribute = kvm_device_attr {
        group: KVM_VCPU_TSC_CTRL,
        attr: u64::from(KVM_VCPU_TSC_OFFSET),
        addr: std::ptr::from_ref(&offset).addr() as u64,
        flags: 0,
    };
    /// `KVM_SET_DEVICE_ATTR`
    const SET: libc::c_ulong = 0x4018_aee1;
    // SAFETY: the kernel reads the attribute and what that points to; both outlive the call.
    let set = unsafe { libc::ioctl(fd.as_raw_fd(), SET, &raw const attribute) };
    if let Err(errno) = crate::host::check(set) {
        log::debug!("time stamps of a vCPU: {errno:?}");
    }
}

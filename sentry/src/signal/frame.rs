//! The frame that a handler finds on its stack, and the way back, sigreturn(2).

use platform::{FpState, Regs};
use syscalls::abi::signal::{
    AltStack as AltStackAbi, SigContext, SigFrame, SigactionFlags, Siginfo, UContext, UContextFlags,
};
use syscalls::errno::{EFAULT, EPERM};
use syscalls::{Errno, UserAddr, UserPtr};

use super::{Action, AltStack, Handler, SigSet, Signal};
use crate::task::Current;

/// Bytes below the stack pointer that a function may use without moving it.
const RED_ZONE: u64 = 128;
/// What XSAVE needs.
const FP_ALIGN: u64 = 64;
/// Flags that a program may change: AC, RF, OF, DF, TF, SF, ZF, AF, PF, CF.
const USER_FLAGS: u64 = 0x5_0dd5;
/// DF, RF and TF: clear when a handler starts.
const HANDLER_CLEARS: u64 = 0x400 | 0x1_0000 | 0x100;

impl Current {
    /// Makes the thread run a handler: saves its state on its stack (or the alternate
    /// one) and sets its registers. `EFAULT` if the stack cannot be written.
    pub(super) fn push_frame(
        &mut self,
        signal: Signal,
        action: &Action,
        info: &Siginfo,
    ) -> Result<(), Errno> {
        let Handler::At(handler) = action.handler else {
            return Err(EFAULT);
        };
        // The 64-bit ABI knows no other way back.
        if !action.flags.contains(SigactionFlags::RESTORER) {
            return Err(EFAULT.why("a handler without SA_RESTORER"));
        }
        let state = self.context.fp_state().map_err(|_| EFAULT)?;
        let (at, fpstate) = self.place_frame(action.flags)?;
        let mask = self.own.saved_mask.unwrap_or(self.signals.blocked());
        let frame = SigFrame {
            restorer: action.restorer,
            uc: UContext {
                flags: UContextFlags::all().bits(),
                link: UserAddr::NULL,
                stack: self.own.alt_stack.to_abi(),
                mcontext: self.save_registers(mask, fpstate),
                sigmask: mask.bits(),
            },
            info: *info,
        };
        self.mem().write_bytes(fpstate, &state.frame_bytes())?;
        self.mem().write(at, &frame)?;
        self.own.alt_stack.entered();
        self.context
            .set_fp_state(&FpState::initial())
            .map_err(|_| EFAULT)?;
        let start = at.addr().get();
        let field = |offset: usize| start.wrapping_add(offset as u64);
        self.regs.rax = 0;
        self.regs.rdi = u64::from(signal.raw().cast_unsigned());
        self.regs.rsi = field(std::mem::offset_of!(SigFrame, info));
        self.regs.rdx = field(std::mem::offset_of!(SigFrame, uc));
        self.regs.rip = handler.get();
        self.regs.rsp = start;
        self.regs.eflags &= !HANDLER_CLEARS;
        self.regs.cs = Regs::USER_CS;
        self.regs.ss = Regs::USER_SS;
        Ok(())
    }

    /// Where frame and vector state go.
    fn place_frame(&self, flags: SigactionFlags) -> Result<(UserPtr<SigFrame>, UserAddr), Errno> {
        let stack = &self.own.alt_stack;
        let mut top = self.regs.rsp.wrapping_sub(RED_ZONE);
        let mut on_alternate = stack.is_active(top);
        if flags.contains(SigactionFlags::ONSTACK) && stack.is_usable() && !on_alternate {
            top = stack.top();
            on_alternate = true;
        }
        let fpstate = top.wrapping_sub(FpState::frame_size() as u64) & !(FP_ALIGN - 1);
        // As after a call: 8 below a multiple of 16.
        let start = fpstate.wrapping_sub(size_of::<SigFrame>() as u64) & !15;
        let start = start.wrapping_sub(8);
        if on_alternate && !stack.holds(start) {
            return Err(EFAULT.why("the alternate stack is too small"));
        }
        Ok((UserPtr::new(UserAddr::new(start)), UserAddr::new(fpstate)))
    }

    fn save_registers(&self, mask: SigSet, fpstate: UserAddr) -> SigContext {
        let regs = &self.regs;
        let selector = |raw: u64| u16::try_from(raw & 0xffff).unwrap_or(0);
        SigContext {
            r8: regs.r8,
            r9: regs.r9,
            r10: regs.r10,
            r11: regs.r11,
            r12: regs.r12,
            r13: regs.r13,
            r14: regs.r14,
            r15: regs.r15,
            di: regs.rdi,
            si: regs.rsi,
            bp: regs.rbp,
            bx: regs.rbx,
            dx: regs.rdx,
            ax: regs.rax,
            cx: regs.rcx,
            sp: regs.rsp,
            ip: regs.rip,
            flags: regs.eflags,
            cs: selector(regs.cs),
            gs: 0,
            fs: 0,
            ss: selector(regs.ss),
            err: self.own.fault.err,
            trapno: self.own.fault.trapno,
            oldmask: mask.bits(),
            cr2: self.own.fault.cr2,
            fpstate,
            reserved: [0; 8],
        }
    }

    /// rt_sigreturn(2): everything as the frame says, which the handler may have changed.
    pub(super) fn pop_frame(&mut self) -> Result<(), Errno> {
        // The handler's `ret` took `restorer` off the stack.
        let at = UserPtr::<SigFrame>::new(UserAddr::new(self.regs.rsp.wrapping_sub(8)));
        let frame = self.mem().read(at)?;
        let saved = frame.uc.mcontext;
        let fp_state = self.read_fp_state(saved.fpstate)?;
        self.context.set_fp_state(&fp_state).map_err(|_| EFAULT)?;
        self.set_blocked(SigSet::from_bits(frame.uc.sigmask));
        self.restore_registers(&saved);
        // Linux ignores what is wrong with the stack here, except that it cannot be read.
        let _ = self.set_alt_stack(&frame.uc.stack);
        Ok(())
    }

    fn read_fp_state(&self, at: UserAddr) -> Result<FpState, Errno> {
        if at.is_null() {
            return Ok(FpState::initial());
        }
        let mut bytes = vec![0; FpState::frame_size()];
        // A program may give the legacy 512 bytes alone, at the end of what is mapped.
        if self.mem().read_bytes(at, &mut bytes).is_err() {
            const LEGACY: usize = 512;
            bytes.truncate(LEGACY);
            self.mem().read_bytes(at, &mut bytes)?;
        }
        Ok(FpState::from_frame(&bytes))
    }

    fn restore_registers(&mut self, saved: &SigContext) {
        let regs = &mut self.regs;
        *regs = Regs {
            r8: saved.r8,
            r9: saved.r9,
            r10: saved.r10,
            r11: saved.r11,
            r12: saved.r12,
            r13: saved.r13,
            r14: saved.r14,
            r15: saved.r15,
            rdi: saved.di,
            rsi: saved.si,
            rbp: saved.bp,
            rbx: saved.bx,
            rdx: saved.dx,
            rax: saved.ax,
            rcx: saved.cx,
            rsp: saved.sp,
            rip: saved.ip,
            eflags: (regs.eflags & !USER_FLAGS) | (saved.flags & USER_FLAGS),
            // No call to restart.
            orig_rax: u64::MAX,
            cs: Regs::USER_CS,
            ss: Regs::USER_SS,
            ..*regs
        };
    }

    /// sigaltstack(2): `EINVAL`, `ENOMEM`, and `EPERM` while it is in use.
    pub(super) fn set_alt_stack(&mut self, new: &AltStackAbi) -> Result<(), Errno> {
        if self.own.alt_stack.is_active(self.regs.rsp) {
            return Err(EPERM);
        }
        self.own.alt_stack = AltStack::from_abi(new)?;
        Ok(())
    }
}

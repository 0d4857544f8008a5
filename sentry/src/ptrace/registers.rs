//! Registers of a stopped thread: `struct user`, and register sets.

use platform::{FpState, Regs};
use syscalls::Errno;
use syscalls::abi::ptrace::{NT_PRFPREG, NT_PRSTATUS, NT_X86_XSTATE, UserRegs};
use syscalls::errno::{EFAULT, EINVAL, EIO};
use zerocopy::IntoBytes;

use super::Stopped;
use crate::task::Task;

/// Bytes of `struct user`, and where in it the debug registers are.
const USER_SIZE: u64 = 928;
const DEBUG_REGISTERS: std::ops::Range<u64> = 848..912;
/// The one that says why the processor stopped, and what is in it by itself.
const DEBUG_STATUS: u64 = 848 + 6 * WORD;
const NO_REASON: u64 = 0xffff_0ff0;
const WORD: u64 = 8;
/// Bytes of the x87 and SSE part of the vector state.
const LEGACY: usize = 512;
/// Where in it Linux says which components there are.
const SOFTWARE: usize = 464;
/// Flags that a tracer may change: AC, RF, NT, OF, DF, TF, SF, ZF, AF, PF, CF.
const FLAGS: u64 = 0x5_4dd5;
/// Places of registers in `struct user`, in words.
const EFLAGS: usize = 18;
const CS: usize = 17;
const SS: usize = 20;
const FS_BASE: usize = 21;
const GS_BASE: usize = 22;
/// The first of the data selectors.
const DS: usize = 23;
const LAST: usize = 26;

type Words = [u64; size_of::<UserRegs>() / 8];

fn words(regs: &Regs) -> Words {
    [
        regs.r15,
        regs.r14,
        regs.r13,
        regs.r12,
        regs.rbp,
        regs.rbx,
        regs.r11,
        regs.r10,
        regs.r9,
        regs.r8,
        regs.rax,
        regs.rcx,
        regs.rdx,
        regs.rsi,
        regs.rdi,
        regs.orig_rax,
        regs.rip,
        regs.cs,
        regs.eflags,
        regs.rsp,
        regs.ss,
        regs.fs_base,
        regs.gs_base,
        regs.ds,
        regs.es,
        regs.fs,
        regs.gs,
    ]
}

#[rustfmt::skip]
fn registers(words: &Words) -> Regs {
    let &[r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip,
        cs, eflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs] = words;
    Regs { r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip,
        cs, eflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs }
}

/// What becomes of a register that a tracer sets; `EIO` for what no program may have.
fn checked(place: usize, value: u64, old: u64) -> Result<u64, Errno> {
    const USER: u64 = 3;
    let user = value & USER == USER;
    match place {
        EFLAGS => Ok((old & !FLAGS) | (value & FLAGS)),
        CS | SS if !user => Err(EIO),
        DS..=LAST if value != 0 && !user => Err(EIO),
        FS_BASE | GS_BASE if value >= 1 << 47 => Err(EIO),
        CS | SS | DS..=LAST => Ok(value & 0xffff),
        _ => Ok(value),
    }
}

impl Stopped {
    /// `PTRACE_PEEKUSER`: a word of `struct user`.
    pub(super) fn user_word(&self, at: u64) -> Result<u64, Errno> {
        if !at.is_multiple_of(WORD) || at >= USER_SIZE {
            return Err(EIO);
        }
        let place = usize::try_from(at / WORD).map_err(|_| EIO)?;
        let other = if at == DEBUG_STATUS { NO_REASON } else { 0 };
        Ok(words(&self.regs).get(place).copied().unwrap_or(other))
    }

    /// `PTRACE_POKEUSER`.
    ///
    /// Differs from Linux: there are no hardware breakpoints, as where others have taken
    /// them all.
    pub(super) fn set_user_word(&mut self, at: u64, value: u64) -> Result<(), Errno> {
        if !at.is_multiple_of(WORD) || at >= USER_SIZE {
            return Err(EIO);
        }
        let place = usize::try_from(at / WORD).map_err(|_| EIO)?;
        let mut all = words(&self.regs);
        match all.get_mut(place) {
            Some(word) => *word = checked(place, value, *word)?,
            None if DEBUG_REGISTERS.contains(&at) && value == 0 => {}
            None if DEBUG_REGISTERS.contains(&at) => {
                return Err(syscalls::errno::ENOSPC.why("hardware breakpoints"));
            }
            None => return Err(EIO),
        }
        self.regs = registers(&all);
        Ok(())
    }

    /// A register set, whole; `EINVAL` for one that there is not.
    pub(super) fn register_set(&self, kind: u64) -> Result<Vec<u8>, Errno> {
        register_set(&self.regs, self.fp.as_ref(), kind)
    }

    /// Replaces a register set, or, of the general registers, the first ones.
    pub(super) fn set_register_set(&mut self, kind: u64, bytes: &[u8]) -> Result<(), Errno> {
        match kind {
            NT_PRSTATUS => {
                let mut all = words(&self.regs);
                let (given, _) = bytes.as_chunks::<8>();
                for (place, (word, value)) in all.iter_mut().zip(given).enumerate() {
                    *word = checked(place, u64::from_le_bytes(*value), *word)?;
                }
                self.regs = registers(&all);
            }
            NT_PRFPREG => {
                let mut all = self.fp()?.as_bytes().to_vec();
                let given = bytes.get(..LEGACY).ok_or(EINVAL)?;
                all.get_mut(..LEGACY).ok_or(EFAULT)?.copy_from_slice(given);
                // Loaded whatever the header said of them.
                if let Some(present) = all.get_mut(LEGACY) {
                    *present |= 3;
                }
                self.set_fp(FpState::from_user(&all));
            }
            NT_X86_XSTATE => {
                if bytes.len() < FpState::size() {
                    return Err(EFAULT);
                }
                self.set_fp(FpState::from_user(bytes));
            }
            _ => return Err(EINVAL),
        }
        Ok(())
    }

    fn fp(&self) -> Result<&FpState, Errno> {
        self.fp.as_ref().ok_or(EIO)
    }

    fn set_fp(&mut self, state: FpState) {
        self.fp = Some(state);
        self.fp_changed = true;
    }
}

/// A register set, whole, of a thread with these registers; `EINVAL` for one that there is not.
pub(crate) fn register_set(regs: &Regs, fp: Option<&FpState>, kind: u64) -> Result<Vec<u8>, Errno> {
    match kind {
        NT_PRSTATUS => Ok(words(regs).as_bytes().to_vec()),
        NT_PRFPREG => {
            let bytes = fp.ok_or(EIO)?.as_bytes();
            Ok(bytes.get(..LEGACY).ok_or(EFAULT)?.to_vec())
        }
        NT_X86_XSTATE => {
            let fp = fp.ok_or(EIO)?;
            let mut bytes = fp.as_bytes().to_vec();
            if let Some(place) = bytes.get_mut(SOFTWARE..SOFTWARE + 8) {
                place.copy_from_slice(&FpState::features().to_le_bytes());
            }
            Ok(bytes)
        }
        _ => Err(EINVAL),
    }
}

/// Bytes of all of a register set; `EINVAL` for one that there is not.
pub(super) fn set_size(kind: u64) -> Result<usize, Errno> {
    match kind {
        NT_PRSTATUS => Ok(size_of::<UserRegs>()),
        NT_PRFPREG => Ok(LEGACY),
        NT_X86_XSTATE => Ok(FpState::size()),
        _ => Err(EINVAL),
    }
}

impl Task {
    /// `PTRACE_PEEKTEXT`, `PTRACE_PEEKDATA`: `EIO` where nothing can be read.
    pub(super) fn peek(&self, at: u64) -> Result<u64, Errno> {
        let mm = self.mm.get().ok_or(EIO)?;
        let mut bytes = [0; 8];
        mm.read_bytes(syscalls::UserAddr::new(at), &mut bytes)
            .map_err(|_| EIO)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// `PTRACE_POKETEXT`, `PTRACE_POKEDATA`: also where the program itself may not write.
    pub(super) fn poke(&self, at: u64, value: u64) -> Result<(), Errno> {
        let mm = self.mm.get().ok_or(EIO)?;
        let bytes = value.to_le_bytes();
        let written = mm.force_write(syscalls::UserAddr::new(at), &bytes);
        if written == bytes.len() {
            Ok(())
        } else {
            Err(EIO)
        }
    }
}

//! A traced task, and the calls of ptrace(2) on it.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

use libc::{c_int, c_uint, c_void};
use nix::unistd::Pid;
use syscalls::Errno;
use syscalls::errno::{EINVAL, ESRCH};

use crate::host::{check, check_long};
use crate::process::{Entries, GuestTask, ProcessSpace, entries};
use crate::{Error, FpState, Regs};

/// A task that this thread traces, and that is stopped between two calls here. Every
/// error says that it is gone or as good as that.
pub(super) struct Tracee {
    task: GuestTask,
    /// Tracing is bound to a thread.
    _not_send: PhantomData<*const ()>,
}

/// How waiting for a task ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wait {
    /// A system call was caught.
    Syscall,
    /// A signal is about to be delivered.
    Signal(c_int),
    /// A stop that means nothing: of PTRACE_INTERRUPT, or of SIGSTOP.
    Other,
}

impl Tracee {
    /// A new task in `space`, stopped, with the registers of the stub.
    pub(super) fn start(space: &ProcessSpace) -> Result<Self, Error> {
        let mut tracee = Tracee {
            task: space.new_traced_task()?,
            _not_send: PhantomData,
        };
        let failed = |errno| Error::Host {
            what: "trace a guest task",
            errno,
        };
        tracee.seize().map_err(failed)?;
        tracee.prepare(entries(), space.token())?;
        Ok(tracee)
    }

    pub(super) fn pid(&self) -> Pid {
        self.task.pid()
    }

    fn seize(&self) -> Result<(), Errno> {
        let options = libc::PTRACE_O_EXITKILL | libc::PTRACE_O_TRACESYSGOOD;
        let options = usize::try_from(options).map_err(|_| EINVAL)?;
        self.request(libc::PTRACE_SEIZE, ptr::without_provenance_mut(options))?;
        self.request(libc::PTRACE_INTERRUPT, ptr::null_mut())
    }

    /// Waits until the task has given up what it must not keep.
    fn prepare(&mut self, entries: Entries, token: u64) -> Result<(), Error> {
        self.wait()?;
        let regs = self.regs().map_err(|_| Error::Died)?;
        if regs.rip == entries.parked {
            return Ok(());
        }
        // It was stopped half-way: let it begin again, and trap at the end.
        let again = Regs {
            rbp: 1,
            ..Regs::start(entries.prepare, token)
        };
        self.set_regs(&again).map_err(|_| Error::Died)?;
        loop {
            let resumed = self.request(libc::PTRACE_CONT, ptr::null_mut());
            resumed.map_err(|_| Error::Died)?;
            if self.wait()? == Wait::Signal(libc::SIGTRAP) {
                return Ok(());
            }
        }
    }

    /// Lets the task run until its next system call or signal. A task that was killed
    /// meanwhile is no error here: [`Self::wait`] tells.
    pub(super) fn resume(&self) -> Result<(), Errno> {
        match self.request(libc::PTRACE_SYSEMU, ptr::null_mut()) {
            Err(ESRCH) => Ok(()),
            result => result,
        }
    }

    /// Waits for the next stop.
    pub(super) fn wait(&mut self) -> Result<Wait, Error> {
        const EVENT_SHIFT: u32 = 16;
        let mut status = 0;
        loop {
            // SAFETY: `status` is valid for the call.
            let result =
                unsafe { libc::waitpid(self.pid().as_raw(), &raw mut status, libc::__WALL) };
            match check(result) {
                Ok(_) => break,
                Err(syscalls::errno::EINTR) => {}
                Err(_) => {
                    self.task.set_ended();
                    return Err(Error::Died);
                }
            }
        }
        if !libc::WIFSTOPPED(status) {
            self.task.set_ended();
            return Err(Error::Died);
        }
        if status >> EVENT_SHIFT != 0 {
            return Ok(Wait::Other);
        }
        Ok(match libc::WSTOPSIG(status) {
            CAUGHT => Wait::Syscall,
            signal => Wait::Signal(signal),
        })
    }

    pub(super) fn regs(&self) -> Result<Regs, Errno> {
        const { assert!(size_of::<Regs>() == size_of::<libc::user_regs_struct>()) };
        let mut regs = MaybeUninit::<Regs>::uninit();
        self.request(libc::PTRACE_GETREGS, regs.as_mut_ptr().cast())?;
        // SAFETY: the call has filled it in; it has the layout of user_regs_struct.
        Ok(unsafe { regs.assume_init() })
    }

    /// Sets the registers, [sanitized](Regs::sanitized).
    pub(super) fn set_regs(&self, regs: &Regs) -> Result<(), Errno> {
        let regs = regs.sanitized();
        self.request(libc::PTRACE_SETREGS, ptr::from_ref(&regs).cast_mut().cast())
    }

    pub(super) fn siginfo(&self) -> Result<libc::siginfo_t, Errno> {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        self.request(libc::PTRACE_GETSIGINFO, info.as_mut_ptr().cast())?;
        // SAFETY: all-zero is valid, and the call has filled it in.
        Ok(unsafe { info.assume_init() })
    }

    pub(super) fn fp_state(&self) -> Result<FpState, Errno> {
        let mut bytes = vec![0; Self::xstate_size(self)?];
        self.xstate(libc::PTRACE_GETREGSET, &mut bytes)?;
        Ok(FpState::from_user(&bytes))
    }

    pub(super) fn set_fp_state(&self, state: &FpState) -> Result<(), Errno> {
        // The host wants its own size, which may have room for more components.
        let mut bytes = state.as_bytes().to_vec();
        bytes.resize(self.xstate_size()?, 0);
        self.xstate(libc::PTRACE_SETREGSET, &mut bytes).map(drop)
    }

    /// Bytes of the host's register set.
    fn xstate_size(&self) -> Result<usize, Errno> {
        /// Far more than any processor's.
        const ENOUGH: usize = 64 << 10;
        static SIZE: OnceLock<usize> = OnceLock::new();
        if let Some(size) = SIZE.get() {
            return Ok(*size);
        }
        let size = self.xstate(libc::PTRACE_GETREGSET, &mut vec![0; ENOUGH])?;
        Ok(*SIZE.get_or_init(|| size))
    }

    /// Returns the length that the host used.
    fn xstate(&self, request: c_uint, bytes: &mut [u8]) -> Result<usize, Errno> {
        const NT_X86_XSTATE: usize = 0x202;
        let mut vector = libc::iovec {
            iov_base: bytes.as_mut_ptr().cast(),
            iov_len: bytes.len(),
        };
        let vector_at = &raw mut vector;
        // SAFETY: the host writes to `bytes` at most its length, and to `vector`.
        let result =
            unsafe { libc::ptrace(request, self.pid().as_raw(), NT_X86_XSTATE, vector_at) };
        check_long(result)?;
        Ok(vector.iov_len)
    }

    /// A request whose address argument is 0; `data` is a number, or points to what the
    /// request reads or fills in.
    fn request(&self, request: c_uint, data: *mut c_void) -> Result<(), Errno> {
        // SAFETY: the callers above pass what the request demands.
        let result = unsafe {
            libc::ptrace(
                request,
                self.pid().as_raw(),
                ptr::null_mut::<c_void>(),
                data,
            )
        };
        check_long(result).map(drop)
    }
}

/// The stop signal of a system call, with PTRACE_O_TRACESYSGOOD.
const CAUGHT: c_int = libc::SIGTRAP | 0x80;

//! ptrace(2): the requests.

use std::sync::Arc;

use syscalls::abi::fs::IoVec;
use syscalls::abi::ptrace as abi;
use syscalls::abi::ptrace::PtraceOptions;
use syscalls::abi::signal::Siginfo;
use syscalls::errno::{EINVAL, EIO, EPERM};
use syscalls::{Arg, Errno, Run, SysResult, UserAddr, UserPtr, call};

use super::attach::Hold;
use super::registers::set_size;
use super::stop::Watch;
use crate::signal::SigSet;
use crate::task::{Capabilities, Current, Task};

const CALLS: Watch = Watch {
    calls: true,
    emulate: false,
    step: false,
};
const STEP: Watch = Watch {
    calls: false,
    emulate: false,
    step: true,
};
const EMULATE: Watch = Watch {
    calls: false,
    emulate: true,
    step: false,
};
const EMULATE_STEP: Watch = Watch {
    calls: false,
    emulate: true,
    step: true,
};

impl Run<Current> for call::Ptrace {
    fn run(self, task: &mut Current) -> SysResult {
        match self.request {
            abi::PTRACE_TRACEME => task.trace_me()?,
            abi::PTRACE_ATTACH => task.attach(self.pid, Hold::Attach)?,
            abi::PTRACE_SEIZE => {
                if self.addr != 0 {
                    return Err(EIO.into());
                }
                let options = task.options(self.data).map_err(|errno| match errno {
                    EINVAL => EIO,
                    errno => errno,
                })?;
                task.attach(self.pid, Hold::Seize(options))?;
            }
            _ => {
                let tracee = task.tracee(self.pid)?;
                return Ok(task.request(&tracee, self.request, self.addr, self.data)?);
            }
        }
        Ok(0)
    }
}

impl Current {
    fn options(&self, raw: u64) -> Result<PtraceOptions, Errno> {
        if raw >> 32 != 0 {
            return Err(EINVAL);
        }
        let options = PtraceOptions::decode(raw)?;
        if options.contains(PtraceOptions::SUSPEND_SECCOMP) {
            // Differs from Linux: only for restoring checkpoints, which are made otherwise.
            let allowed = self.creds.get().has(Capabilities::SYS_ADMIN);
            return Err(if allowed { EINVAL } else { EPERM });
        }
        Ok(options)
    }

    /// A request about a thread that the caller traces.
    fn request(
        &self,
        tracee: &Arc<Task>,
        request: i64,
        addr: u64,
        data: u64,
    ) -> Result<u64, Errno> {
        match request {
            abi::PTRACE_KILL => Self::kill_tracee(tracee),
            abi::PTRACE_INTERRUPT => Self::interrupt_tracee(tracee)?,
            abi::PTRACE_LISTEN => self.listen(tracee)?,
            abi::PTRACE_CONT => self.resume(tracee, data, Watch::default())?,
            abi::PTRACE_SYSCALL => self.resume(tracee, data, CALLS)?,
            abi::PTRACE_SINGLESTEP => self.resume(tracee, data, STEP)?,
            abi::PTRACE_SYSEMU => self.resume(tracee, data, EMULATE)?,
            abi::PTRACE_SYSEMU_SINGLESTEP => self.resume(tracee, data, EMULATE_STEP)?,
            abi::PTRACE_DETACH => self.detach(tracee, data)?,
            _ => {
                // All others are for threads in a stop.
                self.with_stop(tracee, |_, _| Ok(()))?;
                return self.examine(tracee, request, addr, data);
            }
        }
        Ok(0)
    }

    fn examine(
        &self,
        tracee: &Arc<Task>,
        request: i64,
        addr: u64,
        data: u64,
    ) -> Result<u64, Errno> {
        let to = UserAddr::new(data);
        let words = UserPtr::<u64>::new(to);
        match request {
            abi::PTRACE_PEEKTEXT | abi::PTRACE_PEEKDATA => {
                self.mem().write(words, &tracee.peek(addr)?)?;
            }
            abi::PTRACE_POKETEXT | abi::PTRACE_POKEDATA => tracee.poke(addr, data)?,
            abi::PTRACE_PEEKUSER => {
                let word = self.with_stop(tracee, |_, stop| stop.user_word(addr))?;
                self.mem().write(words, &word)?;
            }
            abi::PTRACE_POKEUSER => {
                self.with_stop(tracee, |_, stop| stop.set_user_word(addr, data))?;
            }
            abi::PTRACE_GETREGS => self.get_set(tracee, abi::NT_PRSTATUS, to)?,
            abi::PTRACE_SETREGS => self.put_set(tracee, abi::NT_PRSTATUS, to)?,
            abi::PTRACE_GETFPREGS => self.get_set(tracee, abi::NT_PRFPREG, to)?,
            abi::PTRACE_SETFPREGS => self.put_set(tracee, abi::NT_PRFPREG, to)?,
            abi::PTRACE_GETREGSET | abi::PTRACE_SETREGSET => {
                self.transfer_set(tracee, request, addr, UserPtr::new(to))?;
            }
            abi::PTRACE_SETOPTIONS => {
                let options = self.options(data)?;
                self.with_stop(tracee, |link, _| {
                    link.options = options;
                    Ok(())
                })?;
            }
            abi::PTRACE_GETEVENTMSG => {
                let message = self.with_stop(tracee, |link, _| Ok(link.message))?;
                self.mem().write(words, &message)?;
            }
            abi::PTRACE_GETSIGINFO => {
                let info = self.with_stop(tracee, |_, stop| stop.info.ok_or(EINVAL))?;
                self.mem().write(UserPtr::new(to), &info)?;
            }
            abi::PTRACE_SETSIGINFO => {
                let info: Siginfo = self.mem().read(UserPtr::new(to))?;
                self.with_stop(tracee, |_, stop| {
                    stop.info = Some(stop.info.map(|_| info).ok_or(EINVAL)?);
                    Ok(())
                })?;
            }
            abi::PTRACE_PEEKSIGINFO => {
                let args = UserPtr::new(UserAddr::new(addr));
                return self.peek_siginfo(tracee, args, UserPtr::new(to));
            }
            abi::PTRACE_GETSIGMASK | abi::PTRACE_SETSIGMASK => {
                self.transfer_mask(tracee, request, addr, words)?;
            }
            abi::PTRACE_GET_SYSCALL_INFO => return self.put_syscall_info(tracee, addr, to),
            _ => return Err(EIO.why("a request of ptrace(2)")),
        }
        Ok(0)
    }

    fn get_set(&self, tracee: &Task, kind: u64, to: UserAddr) -> Result<(), Errno> {
        let bytes = self.with_stop(tracee, |_, stop| stop.register_set(kind))?;
        self.mem().write_bytes(to, &bytes)
    }

    fn put_set(&self, tracee: &Task, kind: u64, from: UserAddr) -> Result<(), Errno> {
        let mut bytes = vec![0; set_size(kind)?];
        self.mem().read_bytes(from, &mut bytes)?;
        self.with_stop(tracee, |_, stop| stop.set_register_set(kind, &bytes))
    }

    /// `PTRACE_GETREGSET`, `PTRACE_SETREGSET`: as much as the vector has room for, which
    /// then says how much that was.
    fn transfer_set(
        &self,
        tracee: &Task,
        request: i64,
        kind: u64,
        at: UserPtr<IoVec>,
    ) -> Result<(), Errno> {
        const WORD: u64 = 8;
        let mut vector = self.mem().read(at)?;
        let size = set_size(kind)?;
        if vector.len % WORD != 0 {
            return Err(EINVAL);
        }
        let len = usize::try_from(vector.len).unwrap_or(size).min(size);
        vector.len = len as u64;
        if request == abi::PTRACE_GETREGSET {
            let bytes = self.with_stop(tracee, |_, stop| stop.register_set(kind))?;
            let shown = bytes.get(..len).unwrap_or(&bytes);
            self.mem().write_bytes(vector.base, shown)?;
        } else {
            let mut bytes = vec![0; len];
            self.mem().read_bytes(vector.base, &mut bytes)?;
            self.with_stop(tracee, |_, stop| stop.set_register_set(kind, &bytes))?;
        }
        self.mem().write(at, &vector)
    }

    fn transfer_mask(
        &self,
        tracee: &Arc<Task>,
        request: i64,
        size: u64,
        at: UserPtr<u64>,
    ) -> Result<(), Errno> {
        if size != 8 {
            return Err(EINVAL);
        }
        if request == abi::PTRACE_GETSIGMASK {
            return self.mem().write(at, &tracee.signals.blocked().bits());
        }
        let mask = SigSet::from_bits(self.mem().read(at)?);
        tracee.signals.set_blocked_of_stopped(mask);
        tracee.kick();
        Ok(())
    }
}

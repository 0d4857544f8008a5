//! prctl(2): a process's odds and ends.

use syscalls::abi::task as abi;
use syscalls::errno::{EBADF, EINVAL, ENODEV, ENXIO, EPERM};
use syscalls::{Errno, PAGE_SIZE, Run, SysResult, UserAddr, UserCStr, call};

use super::number;
use crate::signal::Signal;
use crate::task::{Capabilities, Credentials, Current, SecureBits};

/// Bytes of a thread's name with its NUL.
const NAME_SIZE: usize = 16;
/// Bytes of a mapping's name with its NUL.
const MAPPING_NAME_SIZE: usize = 80;
const PR_SET_VMA_ANON_NAME: u64 = 0;
const PR_MCE_KILL_DEFAULT: u64 = 2;
const PR_TSC_ENABLE: i32 = 1;
const PR_SPEC_STORE_BYPASS: u64 = 0;
const PR_SPEC_L1D_FLUSH: u64 = 2;

/// `EINVAL` unless the unused arguments are zero.
fn unused(rest: &[u64]) -> Result<(), Errno> {
    if rest.iter().all(|&arg| arg == 0) {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

impl Run<Current> for call::Prctl {
    fn run(self, task: &mut Current) -> SysResult {
        let call::Prctl {
            option,
            arg2,
            arg3,
            arg4,
            arg5,
        } = self;
        match option {
            abi::PR_SET_PDEATHSIG => {
                let raw = i32::try_from(arg2).map_err(|_| EINVAL)?;
                task.set_parent_death_signal(Signal::or_none(raw)?);
                Ok(0)
            }
            abi::PR_GET_PDEATHSIG => {
                let signal = task.parent_death_signal();
                task.put_int(arg2, signal.map_or(0, Signal::raw))
            }
            abi::PR_GET_DUMPABLE => Ok(u64::from(task.group.is_dumpable())),
            abi::PR_SET_DUMPABLE => {
                if arg2 > 1 {
                    return Err(EINVAL.into());
                }
                task.group.set_dumpable(arg2 == 1);
                Ok(0)
            }
            abi::PR_GET_KEEPCAPS => {
                let bits = task.creds.get().securebits;
                Ok(u64::from(bits.contains(SecureBits::KEEP_CAPS)))
            }
            abi::PR_SET_KEEPCAPS => task.set_keep_caps(arg2),
            abi::PR_SET_NAME => task.set_name(arg2),
            abi::PR_GET_NAME => task.get_name(arg2),
            abi::PR_CAPBSET_READ => task.read_bounding(arg2),
            abi::PR_CAPBSET_DROP => task.drop_bounding(arg2),
            abi::PR_GET_SECUREBITS => Ok(u64::from(task.creds.get().securebits.bits())),
            abi::PR_SET_SECUREBITS => task.set_secure_bits(arg2),
            abi::PR_CAP_AMBIENT => task.change_ambient(arg2, arg3, [arg4, arg5]),
            abi::PR_SET_NO_NEW_PRIVS => {
                unused(&[arg3, arg4, arg5])?;
                if arg2 != 1 {
                    return Err(EINVAL.into());
                }
                let mut new = Credentials::clone(&task.creds.get());
                new.no_new_privs = true;
                task.set_credentials(new);
                Ok(0)
            }
            abi::PR_GET_NO_NEW_PRIVS => {
                unused(&[arg2, arg3, arg4, arg5])?;
                Ok(u64::from(task.creds.get().no_new_privs))
            }
            abi::PR_SET_CHILD_SUBREAPER => {
                task.group.set_subreaper(arg2 != 0);
                Ok(0)
            }
            abi::PR_GET_CHILD_SUBREAPER => task.put_int(arg2, i32::from(task.group.is_subreaper())),
            abi::PR_SET_VMA if arg2 == PR_SET_VMA_ANON_NAME => task.name_mapping(arg3, arg4, arg5),
            abi::PR_GET_TID_ADDRESS => {
                let addr = task
                    .clear_child_tid
                    .load(std::sync::atomic::Ordering::Relaxed);
                task.mem().write(UserAddr::new(arg2).cast(), &addr)?;
                Ok(0)
            }
            abi::PR_SET_TIMERSLACK => {
                // A negative one is none.
                let slack = i64::try_from(arg2).map_or(0, i64::unsigned_abs);
                task.change_settings(|settings| settings.set_timer_slack(slack));
                Ok(0)
            }
            abi::PR_GET_TIMERSLACK => Ok(task.settings().timer_slack),
            abi::PR_SET_THP_DISABLE => {
                unused(&[arg3, arg4, arg5])?;
                task.group.set_no_huge_pages(arg2 != 0);
                Ok(0)
            }
            abi::PR_GET_THP_DISABLE => {
                unused(&[arg2, arg3, arg4, arg5])?;
                Ok(u64::from(task.group.has_no_huge_pages()))
            }
            abi::PR_SET_SECCOMP => task.prctl_set_seccomp(arg2, UserAddr::new(arg3)),
            _ => task.machine_prctl(option, [arg2, arg3, arg4, arg5]),
        }
    }
}

impl Current {
    fn set_name(&self, at: u64) -> SysResult {
        let mut bytes = [0; NAME_SIZE - 1];
        let at = UserCStr(UserAddr::new(at));
        // Longer names are cut.
        let name = match self.mem().read_cstr(at, NAME_SIZE, EINVAL) {
            Err(EINVAL) => {
                self.mem().read_bytes(at.0, &mut bytes)?;
                bytes.to_vec()
            }
            name => name?,
        };
        self.name.set(name.into());
        Ok(0)
    }

    fn get_name(&self, at: u64) -> SysResult {
        let mut bytes = [0; NAME_SIZE];
        let name = self.name.get();
        for (to, from) in bytes.iter_mut().zip(name.iter().take(NAME_SIZE - 1)) {
            *to = *from;
        }
        self.mem().write_bytes(UserAddr::new(at), &bytes)?;
        Ok(0)
    }

    /// PR_SET_VMA_ANON_NAME.
    fn name_mapping(&self, start: u64, len: u64, name: u64) -> SysResult {
        let name = match UserAddr::new(name) {
            UserAddr::NULL => None,
            at => {
                let name = self
                    .mem()
                    .read_cstr(UserCStr(at), MAPPING_NAME_SIZE, EINVAL)?;
                let allowed = |b: &u8| (b' '..=b'~').contains(b) && !b"\\`$[]".contains(b);
                if !name.iter().all(allowed) {
                    return Err(EINVAL.into());
                }
                Some(name)
            }
        };
        let start = UserAddr::new(start);
        if !start.is_page_aligned() {
            return Err(EINVAL.into());
        }
        let len = len.checked_next_multiple_of(PAGE_SIZE).ok_or(EINVAL)?;
        let end = start.get().checked_add(len).ok_or(EINVAL)?;
        if len == 0 {
            return Ok(0);
        }
        self.mem().set_name((start.get(), end), name.as_deref())?;
        Ok(0)
    }

    /// What concerns the machine rather than the process; there is little to set.
    fn machine_prctl(&self, option: i32, [arg2, arg3, arg4, arg5]: [u64; 4]) -> SysResult {
        match option {
            abi::PR_GET_TIMING => Ok(0),
            abi::PR_SET_TIMING if arg2 == 0 => Ok(0),
            abi::PR_GET_TSC => self.put_int(arg2, PR_TSC_ENABLE),
            abi::PR_SET_TSC if arg2 == 1 => Ok(0),
            abi::PR_TASK_PERF_EVENTS_DISABLE | abi::PR_TASK_PERF_EVENTS_ENABLE => Ok(0),
            abi::PR_MCE_KILL_GET => {
                unused(&[arg2, arg3, arg4, arg5])?;
                Ok(PR_MCE_KILL_DEFAULT)
            }
            // The host mitigates, or does not; nothing here can change it.
            abi::PR_GET_SPECULATION_CTRL => {
                unused(&[arg3, arg4, arg5])?;
                speculation(arg2)?;
                Ok(0)
            }
            abi::PR_SET_SPECULATION_CTRL => {
                unused(&[arg4, arg5])?;
                speculation(arg2)?;
                Err(ENXIO.into())
            }
            abi::PR_SET_MM if !self.creds.get().has(Capabilities::SYS_RESOURCE) => {
                Err(EPERM.into())
            }
            abi::PR_GET_MDWE => {
                unused(&[arg2, arg3, arg4, arg5])?;
                Ok(0)
            }
            abi::PR_GET_AUXV => self.read_auxv(arg2, arg3, [arg4, arg5]),
            abi::PR_GET_SECCOMP => Ok(self.seccomp.mode() as u64),
            _ => Err(EINVAL.why("prctl option").into()),
        }
    }

    fn read_auxv(&self, at: u64, len: u64, rest: [u64; 2]) -> SysResult {
        unused(&rest)?;
        let auxv = self.mem().layout().auxv;
        let bytes: Vec<u8> = auxv
            .iter()
            .flatten()
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(bytes.len());
        let shown = bytes.get(..len).unwrap_or(&bytes);
        self.mem().write_bytes(UserAddr::new(at), shown)?;
        number(i32::try_from(bytes.len()).map_err(|_| EBADF)?)
    }
}

/// `ENODEV` for a kind of speculation that is not known.
fn speculation(kind: u64) -> Result<(), Errno> {
    if (PR_SPEC_STORE_BYPASS..=PR_SPEC_L1D_FLUSH).contains(&kind) {
        Ok(())
    } else {
        Err(ENODEV)
    }
}

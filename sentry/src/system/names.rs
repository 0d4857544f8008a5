//! uname(2), sethostname(2), setdomainname(2).

use syscalls::abi::task::Utsname;
use syscalls::errno::{EINVAL, EPERM};
use syscalls::{Errno, Run, SysResult, UserPtr, call};

use crate::kernel::UtsName;
use crate::task::{Capabilities, Current};

/// The kernel's name.
pub const SYSNAME: &str = "Linux";
/// The Linux version whose behaviour the calls follow.
pub const RELEASE: &str = "6.12.0";
/// What Linux shows of its build.
pub const VERSION: &str = "#1 SMP PREEMPT_DYNAMIC runsk";
/// The processor.
pub const MACHINE: &str = "x86_64";

/// The longest name, bytes.
const MAX_NAME: usize = 64;
/// The personality of 32-bit programs, and the mask of its number.
const PER_LINUX32: u32 = 0x0008;
const PER_MASK: u32 = 0x00ff;

fn field(text: &[u8]) -> [u8; MAX_NAME + 1] {
    let mut field = [0; MAX_NAME + 1];
    for (to, from) in field.iter_mut().zip(text.iter().take(MAX_NAME)) {
        *to = *from;
    }
    field
}

impl Run<Current> for call::Uname {
    fn run(self, task: &mut Current) -> SysResult {
        let names = task.uts.get().get();
        let personality = task.settings().personality & PER_MASK;
        let machine = if personality == PER_LINUX32 {
            "i686"
        } else {
            MACHINE
        };
        let name = Utsname {
            sysname: field(SYSNAME.as_bytes()),
            nodename: field(&names.host),
            release: field(RELEASE.as_bytes()),
            version: field(VERSION.as_bytes()),
            machine: field(machine.as_bytes()),
            domainname: field(&names.domain),
        };
        task.mem().write(self.buf, &name)?;
        Ok(0)
    }
}

/// A new name; `EPERM`, `EINVAL`, `EFAULT`.
fn read_name(task: &Current, at: UserPtr<u8>, len: i32) -> Result<Vec<u8>, Errno> {
    if !task
        .creds
        .get()
        .has_in(&task.uts.get().user, Capabilities::SYS_ADMIN)
    {
        return Err(EPERM);
    }
    let len = usize::try_from(len).map_err(|_| EINVAL)?;
    if len > MAX_NAME {
        return Err(EINVAL);
    }
    task.mem().read_slice(at, len)
}

impl Run<Current> for call::Sethostname {
    fn run(self, task: &mut Current) -> SysResult {
        let host = read_name(task, self.name, self.len)?;
        let uts = task.uts.get();
        let domain = uts.get().domain.clone();
        uts.set(UtsName { host, domain });
        Ok(0)
    }
}

impl Run<Current> for call::Setdomainname {
    fn run(self, task: &mut Current) -> SysResult {
        let domain = read_name(task, self.name, self.len)?;
        let uts = task.uts.get();
        let host = uts.get().host.clone();
        uts.set(UtsName { host, domain });
        Ok(0)
    }
}

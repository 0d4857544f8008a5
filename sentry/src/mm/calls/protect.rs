//! mprotect(2), pkey_mprotect(2), mseal(2).

use platform::Prot;
use syscalls::abi::mm::ProtFlags;
use syscalls::errno::EINVAL;
use syscalls::{Errno, Run, SysResult, UserAddr, call};

use super::super::ProtectFrom;
use crate::task::Current;

/// The rights in a PROT_* argument.
pub(super) fn prot(flags: ProtFlags) -> Prot {
    let mut prot = Prot::empty();
    prot.set(Prot::READ, flags.contains(ProtFlags::READ));
    prot.set(Prot::WRITE, flags.contains(ProtFlags::WRITE));
    prot.set(Prot::EXEC, flags.contains(ProtFlags::EXEC));
    prot
}

fn protect(task: &Current, addr: UserAddr, len: u64, flags: ProtFlags) -> Result<u64, Errno> {
    const GROWS: ProtFlags = ProtFlags::GROWSDOWN.union(ProtFlags::GROWSUP);
    const RIGHTS: ProtFlags = ProtFlags::READ
        .union(ProtFlags::WRITE)
        .union(ProtFlags::EXEC)
        .union(ProtFlags::SEM);
    if flags.contains(GROWS) || !addr.is_page_aligned() {
        return Err(EINVAL);
    }
    if len == 0 {
        return Ok(0);
    }
    // No stack grows upwards on x86.
    if !(RIGHTS | ProtFlags::GROWSDOWN).contains(flags) {
        return Err(EINVAL);
    }
    let from = if flags.contains(ProtFlags::GROWSDOWN) {
        ProtectFrom::StackStart
    } else {
        ProtectFrom::Here
    };
    task.mem().protect(addr, len, prot(flags), from)?;
    Ok(0)
}

impl Run<Current> for call::Mprotect {
    fn run(self, task: &mut Current) -> SysResult {
        Ok(protect(task, self.addr, self.len, self.prot)?)
    }
}

impl Run<Current> for call::PkeyMprotect {
    /// A processor without keys has the key -1 alone.
    fn run(self, task: &mut Current) -> SysResult {
        if self.pkey != -1 {
            return Err(EINVAL.into());
        }
        Ok(protect(task, self.addr, self.len, self.prot)?)
    }
}

impl Run<Current> for call::Mseal {
    fn run(self, task: &mut Current) -> SysResult {
        task.mem().seal(self.addr, self.len)?;
        Ok(0)
    }
}

//! arch_prctl(2) and personality(2).

use syscalls::abi::task::{
    ARCH_GET_CPUID, ARCH_GET_FS, ARCH_GET_GS, ARCH_SET_CPUID, ARCH_SET_FS, ARCH_SET_GS,
    PERSONALITY_QUERY,
};
use syscalls::errno::{EINVAL, ENODEV, EPERM};
use syscalls::{Errno, Run, SysResult, UserAddr, call};

use crate::task::Current;

impl Run<Current> for call::ArchPrctl {
    fn run(self, task: &mut Current) -> SysResult {
        let store = |task: &Current, value: u64| -> SysResult {
            task.mem().write(UserAddr::new(self.addr).cast(), &value)?;
            Ok(0)
        };
        match self.code {
            ARCH_SET_FS => {
                check_base(task, self.addr)?;
                task.regs.fs_base = self.addr;
                Ok(0)
            }
            ARCH_SET_GS => {
                check_base(task, self.addr)?;
                task.regs.gs_base = self.addr;
                Ok(0)
            }
            ARCH_GET_FS => store(task, task.regs.fs_base),
            ARCH_GET_GS => store(task, task.regs.gs_base),
            // CPUID does not fault.
            ARCH_GET_CPUID => Ok(1),
            // As on a processor that cannot trap CPUID.
            ARCH_SET_CPUID => Err(ENODEV.into()),
            _ => Err(EINVAL.into()),
        }
    }
}

fn check_base(task: &Current, addr: u64) -> Result<(), Errno> {
    let (_, end) = task.kernel.platform.user_range();
    if addr < end.get() { Ok(()) } else { Err(EPERM) }
}

impl Run<Current> for call::Personality {
    fn run(self, task: &mut Current) -> SysResult {
        let old = task.settings().personality;
        if self.persona != PERSONALITY_QUERY {
            task.change_settings(|settings| settings.personality = self.persona);
        }
        Ok(u64::from(old))
    }
}

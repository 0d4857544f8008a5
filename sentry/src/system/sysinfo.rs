//! sysinfo(2).

use syscalls::abi::task::Sysinfo;
use syscalls::{PAGE_SIZE, Run, SysResult, call};

use crate::cgroup::MAX;
use crate::kernel::Kernel;
use crate::task::Current;
use crate::time::now_monotonic;

/// The sandbox's memory, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// What there is.
    pub total: u64,
    /// What is free.
    pub free: u64,
}

impl Kernel {
    /// What `free` shows.
    pub fn memory_size(&self) -> Memory {
        let limit = self.memory.limit();
        let total = match self.cgroup.limits.memory() {
            MAX => limit,
            // A page more: a limit that is not below the machine's memory is none to
            // programs that compare the two, as the Java virtual machine does.
            limit => limit.saturating_add(PAGE_SIZE),
        };
        // The kernel's own share is not free.
        Memory {
            total,
            free: limit.min(total).saturating_sub(self.memory.used()),
        }
    }
}

impl Run<Current> for call::Sysinfo {
    fn run(self, task: &mut Current) -> SysResult {
        const NS_PER_SECOND: u64 = 1_000_000_000;
        let memory = task.kernel.memory_size();
        // Binary fractions of 16 bits.
        let loads = task.kernel.load_averages().map(|load| {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "small and positive, and such casts saturate"
            )]
            let fixed = (load * 65536.0) as u64;
            fixed
        });
        let info = Sysinfo {
            uptime: i64::try_from(now_monotonic() / NS_PER_SECOND).unwrap_or(i64::MAX),
            loads,
            totalram: memory.total,
            freeram: memory.free,
            procs: u16::try_from(task.kernel.pids.task_count()).unwrap_or(u16::MAX),
            mem_unit: 1,
            ..Sysinfo::default()
        };
        task.mem().write(self.info, &info)?;
        Ok(0)
    }
}

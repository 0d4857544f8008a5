//! Resource limits on memory, getrlimit(2).

use crate::task::Resource;

/// Soft limits of a process that memory obeys, bytes; `u64::MAX` is no limit. Whoever
/// changes a limit of a process tells its memory: [`super::Mm::set_limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// RLIMIT_AS.
    pub address_space: u64,
    /// RLIMIT_DATA.
    pub data: u64,
    /// RLIMIT_STACK.
    pub stack: u64,
    /// RLIMIT_MEMLOCK; `u64::MAX` also for processes with `CAP_IPC_LOCK`.
    pub locked: u64,
}

impl Default for Limits {
    /// Linux's.
    fn default() -> Self {
        Limits {
            address_space: u64::MAX,
            data: u64::MAX,
            stack: 8 << 20,
            locked: 8 << 20,
        }
    }
}

impl Limits {
    /// The limits of a process that matter here.
    #[must_use]
    pub fn of(limits: &crate::task::Limits) -> Self {
        Limits {
            address_space: limits.soft(Resource::As),
            data: limits.soft(Resource::Data),
            stack: limits.soft(Resource::Stack),
            locked: limits.soft(Resource::Memlock),
        }
    }
}

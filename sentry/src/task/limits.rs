//! Resource limits of a process, getrlimit(2).

use syscalls::Errno;
use syscalls::abi::sched::Rlimit;
use syscalls::errno::EINVAL;

use super::{Capabilities, Credentials};
use crate::sync::{Level, Mutex};

/// RLIM_INFINITY.
pub const INFINITY: u64 = u64::MAX;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "named as in getrlimit(2)")]
pub enum Resource {
    /// Seconds.
    Cpu = 0,
    /// Bytes.
    Fsize = 1,
    /// Bytes.
    Data = 2,
    /// Bytes.
    Stack = 3,
    /// Bytes.
    Core = 4,
    /// Bytes; Linux does not enforce it.
    Rss = 5,
    /// Threads of the user.
    Nproc = 6,
    /// One more than the highest descriptor.
    Nofile = 7,
    /// Bytes.
    Memlock = 8,
    /// Bytes.
    As = 9,
    Locks = 10,
    /// Queued signals of the user.
    Sigpending = 11,
    /// Bytes in message queues of the user.
    Msgqueue = 12,
    /// 20 - nice.
    Nice = 13,
    Rtprio = 14,
    /// Microseconds.
    Rttime = 15,
}

const ALL: [Resource; Resource::COUNT] = [
    Resource::Cpu,
    Resource::Fsize,
    Resource::Data,
    Resource::Stack,
    Resource::Core,
    Resource::Rss,
    Resource::Nproc,
    Resource::Nofile,
    Resource::Memlock,
    Resource::As,
    Resource::Locks,
    Resource::Sigpending,
    Resource::Msgqueue,
    Resource::Nice,
    Resource::Rtprio,
    Resource::Rttime,
];

impl Resource {
    /// How many there are.
    pub const COUNT: usize = 16;

    /// From the guest's number; `EINVAL`.
    pub fn new(raw: u32) -> Result<Self, Errno> {
        let index = usize::try_from(raw).map_err(|_| EINVAL)?;
        ALL.get(index).copied().ok_or(EINVAL)
    }

    /// All, by number.
    pub fn all() -> impl Iterator<Item = Self> {
        ALL.into_iter()
    }
}

/// The limits of a process.
#[derive(Debug)]
pub struct Limits(Mutex<[Rlimit; Resource::COUNT]>);

/// The highest RLIMIT_NOFILE as long as /proc/sys/fs/nr_open says nothing else.
pub const MAX_OPEN: i64 = 1 << 20;

impl Default for Limits {
    /// What a container gets that says nothing: Docker's defaults.
    fn default() -> Self {
        let free = Rlimit {
            cur: INFINITY,
            max: INFINITY,
        };
        let mut limits = [free; Resource::COUNT];
        let mut set = |resource: Resource, cur, max| {
            limits[resource as usize] = Rlimit { cur, max };
        };
        set(Resource::Stack, 8 << 20, INFINITY);
        set(Resource::Core, 0, INFINITY);
        set(Resource::Nofile, 1024, MAX_OPEN.unsigned_abs());
        set(Resource::Memlock, 8 << 20, 8 << 20);
        set(Resource::Sigpending, 31_000, 31_000);
        set(Resource::Msgqueue, 819_200, 819_200);
        set(Resource::Nice, 0, 0);
        set(Resource::Rtprio, 0, 0);
        Limits(Mutex::new(Level::Leaf, limits))
    }
}

impl Limits {
    /// A copy, for a new process.
    #[must_use]
    pub fn fork(&self) -> Self {
        Limits(Mutex::new(Level::Leaf, *self.0.lock()))
    }

    /// Soft and hard limit.
    pub fn get(&self, resource: Resource) -> Rlimit {
        self.0.lock()[resource as usize]
    }

    /// The soft limit, the one that holds.
    pub fn soft(&self, resource: Resource) -> u64 {
        self.get(resource).cur
    }

    /// What memory obeys. `CAP_IPC_LOCK` lifts the limit on locked memory.
    #[must_use]
    pub fn to_mm(&self, creds: &Credentials) -> crate::mm::Limits {
        crate::mm::Limits {
            address_space: self.soft(Resource::As),
            data: self.soft(Resource::Data),
            stack: self.soft(Resource::Stack),
            locked: if creds.has(Capabilities::IPC_LOCK) {
                INFINITY
            } else {
                self.soft(Resource::Memlock)
            },
        }
    }

    /// Replaces a limit by what `change` makes of it.
    pub fn update(
        &self,
        resource: Resource,
        change: impl FnOnce(Rlimit) -> Result<Rlimit, Errno>,
    ) -> Result<Rlimit, Errno> {
        let mut limits = self.0.lock();
        let slot = &mut limits[resource as usize];
        let new = change(*slot)?;
        Ok(std::mem::replace(slot, new))
    }
}

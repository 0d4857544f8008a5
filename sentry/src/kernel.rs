//! The kernel: owns everything that tasks share.

use std::sync::{Arc, OnceLock};

use platform::{MemoryFile, Platform};
use syscalls::Errno;

use crate::cgroup::{self, CgroupNamespace, Group};
use crate::config::Config;
use crate::fs::proc::{BootId, Load};
use crate::fs::{host, tmpfs};
use crate::futex::FutexTable;
use crate::ipc::IpcNamespace;
use crate::loader::Vdso;
use crate::namespace::{Kind, NamespaceId, UserNamespace};
use crate::net::{NetNamespace, inet};
use crate::sync::{Level, Slot};
use crate::sysctl::Sysctls;
use crate::task::{PidTable, Users};
use crate::time::AlarmQueue;
use crate::tty::PtyTable;
use crate::vfs::{Dentry, Mount, MountFlags};
use crate::wait::WaitQueue;

/// More than these are not shown to programs.
const MAX_CPUS: u32 = 64;

/// One sandbox's kernel.
pub struct Kernel {
    /// Every call of every task is traced.
    pub strace: bool,
    /// Runs application code.
    pub platform: Arc<dyn Platform>,
    /// Holds every guest page.
    pub memory: MemoryFile,
    /// All tasks.
    pub pids: PidTable,
    /// What happens at which time.
    pub alarms: AlarmQueue,
    /// What sockets of the internet share in the first network name space.
    pub internet: Arc<inet::Stack>,
    /// The network of the first process, network_namespaces(7).
    pub net: Arc<NetNamespace>,
    /// Pseudoterminals.
    pub ptys: PtyTable,
    /// Who waits for which futex.
    pub futexes: FutexTable,
    /// Accounts of users.
    pub users: Users,
    /// Load averages.
    pub load: Load,
    /// Which start of the kernel this is.
    pub boot_id: BootId,
    /// What sysctl(8) changed.
    pub sysctls: Arc<Sysctls>,
    /// What the kernel puts into every program; see [`Self::vdso`].
    vdso: OnceLock<Arc<Vdso>>,
    /// Holds memfds and System V shared memory; see [`Self::shared_memory`].
    shared_memory: OnceLock<Arc<Mount>>,
    cpus: u32,
    /// The container's cgroup.
    pub cgroup: Arc<Group>,
    /// From where on the first process sees groups, cgroup_namespaces(7).
    pub cgroups: Arc<CgroupNamespace>,
    /// Told whenever a process has ended.
    pub process_ends: WaitQueue,
    /// Host and NIS domain name of the first process, uts_namespaces(7).
    pub uts: Arc<UtsNamespace>,
    /// System V objects of the first process, ipc_namespaces(7).
    pub ipc: Arc<IpcNamespace>,
    /// Tells of readiness of host descriptors; see [`Self::host_watcher`].
    host_watcher: OnceLock<host::Watcher>,
}

/// uname(2)'s changeable parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UtsName {
    /// sethostname(2).
    pub host: Vec<u8>,
    /// setdomainname(2).
    pub domain: Vec<u8>,
}

/// The names that a group of processes sees, uts_namespaces(7).
#[derive(Debug)]
pub struct UtsNamespace {
    /// What names it.
    pub id: NamespaceId,
    /// Whose it is.
    pub user: UserNamespace,
    names: Slot<Arc<UtsName>>,
}

impl UtsNamespace {
    /// A container's, with the names that it was configured with.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let names = UtsName {
            host: config.hostname.clone(),
            // Linux's way to say that there is none.
            domain: match &*config.domainname {
                b"" => b"(none)".to_vec(),
                domain => domain.to_vec(),
            },
        };
        UtsNamespace {
            id: NamespaceId::default(),
            user: UserNamespace::default(),
            names: Slot::new(Level::Leaf, Arc::new(names)),
        }
    }

    /// A copy that changes on its own.
    #[must_use]
    pub fn fork(&self, user: &UserNamespace) -> Self {
        UtsNamespace {
            id: NamespaceId::default(),
            user: user.clone(),
            names: Slot::new(Level::Leaf, self.get()),
        }
    }

    /// The names now.
    pub fn get(&self) -> Arc<UtsName> {
        self.names.get()
    }

    /// Replaces the names.
    pub fn set(&self, names: UtsName) {
        self.names.set(Arc::new(names));
    }
}

impl Kernel {
    /// A kernel without tasks.
    #[must_use]
    pub fn new(config: &Config, platform: Arc<dyn Platform>, memory: MemoryFile) -> Arc<Self> {
        let uts = UtsNamespace {
            id: NamespaceId::first(Kind::Uts),
            ..UtsNamespace::new(config)
        };
        let host_cpus = || {
            let count = usable_cpus();
            u32::try_from(count).unwrap_or(MAX_CPUS)
        };
        let cpus = match config.cpus {
            0 => host_cpus(),
            cpus => cpus,
        };
        let cpus = cpus.clamp(1, MAX_CPUS);
        let (limits, pids_max) = cgroup::limits_of(config);
        memory.set_limit(cgroup::for_pages(limits.memory()));
        crate::vfs::fit_names(limits.memory());
        let cgroup = Group::root(limits, pids_max);
        let sysctls = Arc::new(Sysctls::default());
        let internet = inet::Stack::new(inet::Network::isolated(), sysctls.clone());
        Arc::new(Kernel {
            strace: config.strace,
            platform,
            memory,
            pids: PidTable::default(),
            alarms: AlarmQueue::default(),
            net: NetNamespace::first(&internet, &sysctls),
            internet,
            ptys: PtyTable::default(),
            futexes: FutexTable::default(),
            users: Users::default(),
            load: Load::default(),
            boot_id: BootId::default(),
            sysctls,
            vdso: OnceLock::new(),
            shared_memory: OnceLock::new(),
            cpus,
            cgroups: CgroupNamespace::first(&cgroup),
            cgroup,
            process_ends: WaitQueue::new(),
            uts: Arc::new(uts),
            ipc: Arc::new(IpcNamespace::first()),
            host_watcher: OnceLock::new(),
        })
    }

    /// How many processors the sandbox has, 1..=64.
    pub fn cpus(&self) -> u32 {
        self.cpus
    }

    /// Changes what the container's memory may grow to, bytes. What it has beyond stays
    /// until memory is next asked for.
    pub fn set_memory_limit(&self, bytes: u64) {
        self.cgroup.limits.set_memory(bytes);
        self.memory.set_limit(cgroup::for_pages(bytes));
        crate::vfs::fit_names(bytes);
    }

    /// The processor that the calling host thread runs on, below [`Self::cpus`].
    pub fn current_cpu(&self) -> u32 {
        let cpu = nix::sched::sched_getcpu().ok();
        let cpu = cpu.and_then(|cpu| u32::try_from(cpu).ok());
        cpu.unwrap_or(0) % self.cpus
    }

    /// The shared object that every program finds in its memory. `ENOMEM` where memory
    /// has run out before the first program.
    pub(crate) fn vdso(&self) -> Result<Arc<Vdso>, Errno> {
        if let Some(vdso) = self.vdso.get() {
            return Ok(vdso.clone());
        }
        let made = Vdso::new(&self.memory, self.cpus(), self.platform.vdso_flags())?;
        Ok(self.vdso.get_or_init(|| made).clone())
    }

    /// The one thread that watches descriptors of the host, from the first use on.
    pub fn host_watcher(&self) -> Result<host::Watcher, Errno> {
        if let Some(watcher) = self.host_watcher.get() {
            return Ok(watcher.clone());
        }
        let made = host::Watcher::new()?;
        Ok(self.host_watcher.get_or_init(|| made).clone())
    }

    /// What a container's pages are allocated from.
    pub fn memory_of(&self, group: &Arc<Group>) -> MemoryFile {
        group.memory().unwrap_or_else(|| self.memory.clone())
    }

    /// The internal tmpfs that holds files without a name: the first container's.
    pub fn shared_memory(&self) -> Arc<Mount> {
        let make = || self.unnamed_files(&self.memory);
        self.shared_memory.get_or_init(make).clone()
    }

    /// Such a tmpfs.
    pub(crate) fn unnamed_files(&self, memory: &MemoryFile) -> Arc<Mount> {
        let options = tmpfs::Options {
            size: Some(self.memory.limit()),
            ..tmpfs::Options::default()
        };
        let root = tmpfs::new(memory, options, "tmpfs");
        Mount::new(Dentry::root(root), MountFlags::default())
    }
}

/// CPUs that the host lets this process run on, at least 1. Asked without files, which a
/// jailed process has none of.
fn usable_cpus() -> usize {
    use nix::sched::{CpuSet, sched_getaffinity};
    use nix::unistd::Pid;
    let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else {
        return 1;
    };
    let usable = (0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false));
    usable.count().max(1)
}

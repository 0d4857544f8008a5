//! Starts the processes of a sandbox.
//!
//! The Gofer is started first, then the Sentry, and both run their set-up side by side. The
//! order matters for one thing only: a child holds copies of all our descriptors until it
//! has closed them, and the Sentry must be able to tell by its supervisor socket that we
//! died. That socket does not exist yet when the Gofer is made.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sched::{CloneFlags, CpuSet, sched_getaffinity};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;
use platform::MemoryFile;
use platform::host::caps::Caps;
use platform::host::fdpass;
use platform::host::mounts::{Attr, Depth, clone_tree, restrict};
use platform::host::spawn::{self, Child, Identity, Program, Session};
use platform::systrap::SystrapPlatform;

use super::boot::{
    self, Descriptors, GoferBoot, Lifetime, LogBoot, NetworkBoot, PlatformKind, SentryBoot,
    SocketsBoot, Start, TreeBoot, TreeRoot,
};
use super::ids::{self, Caller};
use super::supervisor::Report;
use super::{GOFER, Options, SENTRY, SOCKETS, gofer, jail, sockets, supervisor};
use crate::cgroup::{Cgroup, Doors};
use crate::failure::{Context, Failure, Outcome};
use crate::flags::PlatformName;
use crate::network::Mode;
use crate::spec::{Container, IdMaps, Tree};

/// A running sandbox.
pub(super) struct Sandbox {
    pub(super) sentry: Started,
    pub(super) gofer: Started,
    /// Makes sockets of the host, where the sandbox has any.
    pub(super) sockets: Option<Sockets>,
}

/// The process that makes sockets.
pub(super) struct Sockets {
    pub(super) process: Started,
    /// It waits for the Sentry's network namespace.
    waits: bool,
}

impl Sandbox {
    /// The Sentry has made its namespaces: what waited for them goes on.
    pub(super) fn connect_sockets(&self) -> Outcome<()> {
        const WHAT: &str = "the container's network namespace";
        let Some(sockets) = self.sockets.as_ref().filter(|sockets| sockets.waits) else {
            return Ok(());
        };
        let path = format!("/proc/{}/ns/net", self.sentry.child.pid());
        let namespace = File::open(&path).context(WHAT)?;
        fdpass::send(&sockets.process.supervisor, &[0], &[namespace.as_fd()]).context(WHAT)?;
        sockets.process.await_ready()
    }
}

impl Started {
    fn await_ready(&self) -> Outcome<()> {
        match supervisor::await_report(&self.supervisor) {
            Some(Report::Ready) => Ok(()),
            Some(Report::Failed(message)) => Err(Failure::new(message)),
            None => Err(Failure::new(format!("the process for {} ended", self.name))),
        }
    }
}

/// A started process.
pub(super) struct Started {
    pub(super) name: &'static str,
    pub(super) child: Child,
    pub(super) supervisor: OwnedFd,
}

/// All but the network namespace, which each makes itself, [`jail::leave_network`].
const NAMESPACES: CloneFlags = CloneFlags::CLONE_NEWUSER
    .union(CloneFlags::CLONE_NEWNS)
    .union(CloneFlags::CLONE_NEWPID)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWUTS)
    .union(CloneFlags::CLONE_NEWCGROUP);

/// How a sandbox is started.
pub(super) struct Setup {
    /// The container's terminal; without one its stdio is ours.
    pub(super) terminal: Option<OwnedFd>,
    /// The listening control socket.
    pub(super) control: Option<OwnedFd>,
    /// A byte is written to it for each process that is ended because memory has run out.
    pub(super) oom_listener: Option<OwnedFd>,
    /// What the first process has as descriptors 3, 4 …
    pub(super) extra: Vec<OwnedFd>,
    pub(super) start: Start,
    pub(super) lifetime: Lifetime,
    /// The cgroup of the processes; without one it is ours.
    pub(super) cgroup: Option<Cgroup>,
}

/// Starts Sentry and Gofer for a container.
pub(super) fn start(
    container: Container,
    id: &str,
    options: &Options,
    setup: &Setup,
) -> Outcome<Sandbox> {
    let platform = choose(options.platform)?;
    // The container's limit may be raised later, and is kept by its kernel.
    let memory_size = host_memory()?.max(container.memory_limit.unwrap_or(0));
    let memory = MemoryFile::create_file(memory_size).context("the sandbox's memory")?;
    let (client, server) = gofer_channel()?;
    let launch = Launch::new(&container, id, options, memory.as_fd(), setup)?;
    let gofer = launch.gofer(&container, server)?;
    let (sockets, channel) = match options.network {
        Mode::Host => {
            let (ours, theirs) = supervisor::pair()?;
            (Some(launch.sockets(&container, theirs)?), Some(ours))
        }
        Mode::Sandbox | Mode::None => (None, None),
    };
    let sentry = launch.sentry(container, &platform, client, channel)?;
    if let Some(sockets) = sockets.as_ref().filter(|sockets| !sockets.waits) {
        sockets.process.await_ready()?;
    }
    Ok(Sandbox {
        sentry,
        gofer,
        sockets,
    })
}

/// Starts a Gofer for a container in a sandbox that runs, whose memory is `memory`.
pub(super) fn gofer_alone(
    container: &Container,
    id: &str,
    options: &Options,
    memory: BorrowedFd<'_>,
    setup: &Setup,
) -> Outcome<(Started, gofer::ClientEnd)> {
    let (client, server) = gofer_channel()?;
    let launch = Launch::new(container, id, options, memory, setup)?;
    Ok((launch.gofer(container, server)?, client))
}

/// A platform that was chosen, with what it needs from outside.
enum Choice {
    Systrap,
    Ptrace,
    /// With /dev/kvm.
    Kvm(File),
}

fn choose(name: PlatformName) -> Outcome<Choice> {
    Ok(match name {
        PlatformName::Auto if !SystrapPlatform::is_supported() => Choice::Ptrace,
        PlatformName::Auto | PlatformName::Systrap => Choice::Systrap,
        PlatformName::Ptrace => Choice::Ptrace,
        PlatformName::Kvm => Choice::Kvm(
            File::options()
                .read(true)
                .write(true)
                .open("/dev/kvm")
                .context("platform kvm: /dev/kvm")?,
        ),
    })
}

/// What the host has, bytes; sysinfo(2).
fn host_memory() -> Outcome<u64> {
    let info = nix::sys::sysinfo::sysinfo().context("the host's memory")?;
    Ok(info.ram_total())
}

/// Where a started process has its stdin.
const STDIN: RawFd = 0;
/// Open files that a Gofer should be able to have: one for each inode that the Sentry knows.
const INODES: u64 = 1 << 18;
/// A limit of memory, bytes, from which on what the host reads ahead does not matter.
const ROOMY: u64 = 1 << 30;

/// How many processors a container is to see: as many as it can keep busy.
fn cpus(config: &sentry::Config) -> Outcome<u32> {
    /// Microseconds.
    const PERIOD: u64 = 100_000;
    let mut cpus = host_cpus()?;
    if config.cpus > 0 {
        cpus = cpus.min(config.cpus);
    }
    if config.cpu_quota > 0 {
        let period = match config.cpu_period {
            0 => PERIOD,
            period => period,
        };
        let busy = config.cpu_quota.div_ceil(period);
        cpus = cpus.min(u32::try_from(busy).unwrap_or(u32::MAX));
    }
    Ok(cpus.max(1))
}

/// The processors that we may run on, as nproc(1) counts them.
fn host_cpus() -> Outcome<u32> {
    let set = sched_getaffinity(Pid::from_raw(0)).context("the host's processors")?;
    let is_set = |cpu: &usize| set.is_set(*cpu).unwrap_or(false);
    let count = (0..CpuSet::count()).filter(is_set).count();
    Ok(u32::try_from(count).unwrap_or(1))
}

struct Launch<'a> {
    id: &'a str,
    caller: Caller,
    executable: OwnedFd,
    options: &'a Options,
    memory: BorrowedFd<'a>,
    setup: &'a Setup,
    doors: Option<Doors>,
    oom_score_adj: Option<i32>,
}

impl<'a> Launch<'a> {
    fn new(
        container: &Container,
        id: &'a str,
        options: &'a Options,
        memory: BorrowedFd<'a>,
        setup: &'a Setup,
    ) -> Outcome<Self> {
        let doors = setup.cgroup.as_ref().map(Cgroup::doors).transpose()?;
        Ok(Launch {
            id,
            caller: Caller::current()?,
            executable: spawn::own_executable().context("/proc/self/exe")?,
            options,
            memory,
            setup,
            doors: doors.flatten(),
            oom_score_adj: container.oom_score_adj,
        })
    }

    /// Standard files of a process that has nothing to say but how it failed.
    fn last_words_only<'f>(
        &self,
        null: BorrowedFd<'f>,
        stderr: BorrowedFd<'f>,
    ) -> [BorrowedFd<'f>; 3] {
        // Who waits for the end of our stderr does not wait for the end of the container.
        let last_words = match self.setup.lifetime {
            Lifetime::WithCommand => stderr,
            Lifetime::OnItsOwn => null,
        };
        [null, null, last_words]
    }

    fn gofer(&self, container: &Container, channel: gofer::ServerEnd) -> Outcome<Started> {
        let user = self.caller.gofer(container.ids.clone())?;
        let (ours, theirs) = supervisor::pair()?;
        let file = boot::file()?;
        let (null, stderr) = (null()?, std::io::stderr());
        let stdio = self.last_words_only(null.as_fd(), stderr.as_fd());
        let mut fds = Descriptors::new(stdio, file.as_fd(), theirs.as_fd());
        let roots = self.open_trees(&container.trees)?;
        let trees = container
            .trees
            .iter()
            .zip(&roots)
            .map(|(tree, root)| TreeBoot {
                root: match root {
                    Some(fd) => TreeRoot::Inherited(fds.add(fd.as_fd())),
                    None => TreeRoot::Path(tree.host.as_os_str().as_bytes().to_vec()),
                },
                readonly: tree.readonly,
            });
        let trees = trees.collect();
        let boot = GoferBoot {
            trees,
            sentry: (
                fds.add(channel.region.as_fd()),
                fds.add(channel.socket.as_fd()),
            ),
            memory: fds.add(self.memory),
            log: self.log(&mut fds),
            exact_owners: self.caller == Caller::Privileged,
            host_reads_ahead: container.memory_limit.is_none_or(|limit| limit >= ROOMY),
            lifetime: self.setup.lifetime,
        };
        boot::write(&file, &boot)?;
        let keep = gofer::CAPS.union(jail::SETUP);
        let maps = (Some(&user.maps), user.identity);
        let child = self.spawn(GOFER, fds, maps, keep, Some(INODES), None)?;
        Ok(Started {
            name: "Gofer",
            child,
            supervisor: ours,
        })
    }

    fn sentry(
        &self,
        container: Container,
        platform: &Choice,
        channel: gofer::ClientEnd,
        sockets: Option<OwnedFd>,
    ) -> Outcome<Started> {
        let user = self.caller.sentry()?;
        let (ours, theirs) = supervisor::pair()?;
        let file = boot::file()?;
        let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        let stdio = match &self.setup.terminal {
            Some(terminal) => [terminal.as_fd(); 3],
            None => [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()],
        };
        let mut fds = Descriptors::new(stdio, file.as_fd(), theirs.as_fd());
        let mut config = container.config;
        config.strace = self.options.strace;
        // The Sentry could not look: that takes a call that it does not need otherwise.
        config.cpus = cpus(&config)?;
        let platform = match platform {
            Choice::Systrap => PlatformKind::Systrap,
            Choice::Ptrace => PlatformKind::Ptrace,
            Choice::Kvm(device) => PlatformKind::Kvm(fds.add(device.as_fd())),
        };
        let boot = SentryBoot {
            config,
            platform,
            gofer: (
                fds.add(channel.region.as_fd()),
                fds.add(channel.socket.as_fd()),
            ),
            memory: fds.add(self.memory),
            log: self.log(&mut fds),
            sockets: sockets.as_ref().map(|fd| fds.add(fd.as_fd())),
            control: self.setup.control.as_ref().map(|fd| fds.add(fd.as_fd())),
            oom_listener: self
                .setup
                .oom_listener
                .as_ref()
                .map(|fd| fds.add(fd.as_fd())),
            extra: self
                .setup
                .extra
                .iter()
                .map(|fd| fds.add(fd.as_fd()))
                .collect(),
            start: self.setup.start,
            lifetime: self.setup.lifetime,
        };
        boot::write(&file, &boot)?;
        let terminal = self.setup.terminal.as_ref().map(|_| STDIN);
        let user = (Some(&user.maps), user.identity);
        let child = self.spawn(SENTRY, fds, user, jail::SETUP, None, terminal)?;
        Ok(Started {
            name: "Sentry",
            child,
            supervisor: ours,
        })
    }

    /// Starts the process that makes sockets; `channel` leads to the Sentry.
    fn sockets(&self, container: &Container, channel: OwnedFd) -> Outcome<Sockets> {
        let (maps, identity) = self.caller.sockets()?;
        let (ours, theirs) = supervisor::pair()?;
        let file = boot::file()?;
        let (null, stderr) = (null()?, std::io::stderr());
        let stdio = self.last_words_only(null.as_fd(), stderr.as_fd());
        let mut fds = Descriptors::new(stdio, file.as_fd(), theirs.as_fd());
        let path = container.network_path.as_deref();
        let named = path.map(|path| File::open(path).context(path.display()));
        let named = named.transpose()?;
        let network = match &named {
            Some(namespace) => NetworkBoot::Named(fds.add(namespace.as_fd())),
            None if !container.new_network => NetworkBoot::Hosts,
            None if self.caller == Caller::Privileged => NetworkBoot::Sentrys,
            None => NetworkBoot::Own,
        };
        // What the container has not, nobody has for it.
        let bounding = Caps::from_bits_retain(container.config.process.capabilities.bounding);
        let keep = match self.caller {
            Caller::Privileged => sockets::CAPS & bounding,
            Caller::Ordinary => Caps::empty(),
        };
        let boot = SocketsBoot {
            channel: fds.add(channel.as_fd()),
            log: self.log(&mut fds),
            network,
            sysctls: container.config.sysctls.clone(),
            keep: keep.bits(),
        };
        boot::write(&file, &boot)?;
        let caps = keep.union(sockets::SETUP);
        let child = self.spawn(SOCKETS, fds, (maps.as_ref(), identity), caps, None, None)?;
        Ok(Sockets {
            process: Started {
                name: "sockets of the host",
                child,
                supervisor: ours,
            },
            waits: network == NetworkBoot::Sentrys,
        })
    }

    fn log<'b>(&'b self, fds: &mut Descriptors<'b>) -> LogBoot {
        LogBoot {
            settings: self.options.log_settings,
            file: self.options.log.as_ref().map(|log| fds.add(log.as_fd())),
        }
    }

    /// Mounts that belong to the Gofer alone, as restricted as they can be: whatever goes
    /// wrong in it, the host's kernel refuses to write a read-only tree. An ordinary user
    /// can make them only in a mount namespace of its own: the Gofer does so then.
    fn open_trees(&self, trees: &[Tree]) -> Outcome<Vec<Option<OwnedFd>>> {
        let open = |tree: &Tree| match self.caller {
            Caller::Privileged => open_tree(&tree.host, tree.readonly).map(Some),
            Caller::Ordinary => Ok(None),
        };
        trees.iter().map(open).collect()
    }

    fn spawn(
        &self,
        name: &str,
        fds: Descriptors<'_>,
        (maps, identity): (Option<&IdMaps>, Identity),
        keep: Caps,
        open_files: Option<u64>,
        terminal: Option<RawFd>,
    ) -> Outcome<Child> {
        let text = |text: &str| CString::new(text).context("a container's name");
        let program = Program {
            executable: self.executable.as_fd(),
            args: vec![text(name)?, text(self.id)?],
            env: environment(),
            fds: fds.into_list(),
            namespaces: match maps {
                Some(_) => NAMESPACES,
                None => NAMESPACES - CloneFlags::CLONE_NEWUSER,
            },
            identity,
            keep,
            session: match (terminal, self.setup.lifetime) {
                (Some(fd), _) => Session::Terminal(fd),
                (None, Lifetime::OnItsOwn) => Session::New,
                (None, Lifetime::WithCommand) => Session::Inherited,
            },
            blocked: terminal_signals(),
            // Before it runs: whatever it allocates, and whatever it starts, counts there.
            cgroup: self.doors.as_ref().map(Doors::entrance).unwrap_or_default(),
        };
        let parked = spawn::spawn(&program).map_err(|errno| namespaces_refused(errno, name))?;
        if let (Some(cgroup), None) = (&self.setup.cgroup, &self.doors) {
            cgroup.add_process(parked.pid())?;
        }
        if let Some(maps) = maps {
            ids::write(parked.pid(), maps, self.caller)?;
        }
        if let Some(adjustment) = self.oom_score_adj {
            let path = format!("/proc/{}/oom_score_adj", parked.pid());
            match std::fs::write(&path, adjustment.to_string()) {
                // Nothing that an ordinary user can lower.
                Err(error) if self.caller == Caller::Ordinary => {
                    log::warn!("process.oomScoreAdj {adjustment}: {error}");
                }
                result => result.context("process.oomScoreAdj")?,
            }
        }
        if let (Some(wanted), Caller::Privileged) = (open_files, self.caller) {
            raise_open_files(parked.pid(), wanted);
        }
        parked.release().context(format_args!("starting {name}"))
    }
}

/// Raises a process's hard limit of open files: its own user namespace lets nobody do that.
/// Without the right to, it has what we have.
fn raise_open_files(pid: i32, wanted: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current,
        maximum: maximum.map(|maximum| maximum.max(wanted)),
    };
    let pid = rustix::process::Pid::from_raw(pid);
    if let Err(error) = prlimit(pid, Resource::Nofile, raised) {
        log::debug!("the Gofer's limit of open files: {error}");
    }
}

/// Opens a tree; see [`Launch::open_trees`].
pub(super) fn open_tree(host: &Path, readonly: bool) -> Outcome<OwnedFd> {
    let path = CString::new(host.as_os_str().as_bytes()).context(host.display())?;
    let mut attr = Attr::NOSUID | Attr::NODEV | Attr::NOEXEC;
    attr.set(Attr::RDONLY, readonly);
    let (fd, depth) = match clone_tree(&path, Depth::One) {
        // What is mounted below must not be uncovered by an ordinary user. It comes along,
        // and the Gofer does not follow it.
        Err(Errno::EINVAL) => (clone_tree(&path, Depth::Recursive), Depth::Recursive),
        result => (result, Depth::One),
    };
    let fd = fd.context(host.display())?;
    restrict(fd.as_fd(), attr, depth).context(host.display())?;
    Ok(fd)
}

fn namespaces_refused(errno: Errno, name: &str) -> Failure {
    let remedy = match errno {
        Errno::EPERM => ": allow unprivileged user namespaces, or run as root",
        Errno::ENOSPC | Errno::EUSERS => ": raise the limits in /proc/sys/user",
        _ => "",
    };
    Failure::new(format!(
        "cannot start {name} in new namespaces: {}{remedy}",
        errno.desc()
    ))
}

/// What a terminal sends to all processes of its foreground job. It is for the command line:
/// a Ctrl-C must not end the Sentry under the container.
fn terminal_signals() -> SigSet {
    [
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTSTP,
        Signal::SIGTTIN,
        Signal::SIGTTOU,
        Signal::SIGHUP,
        Signal::SIGWINCH,
    ]
    .into_iter()
    .collect()
}

/// The processes get nothing of our environment but what shows a panic's way.
fn environment() -> Vec<CString> {
    let wanted = std::env::var("RUST_BACKTRACE").ok();
    wanted
        .and_then(|value| CString::new(format!("RUST_BACKTRACE={value}")).ok())
        .into_iter()
        .collect()
}

pub(super) fn null() -> Outcome<File> {
    File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .context("/dev/null")
}

fn gofer_channel() -> Outcome<(gofer::ClientEnd, gofer::ServerEnd)> {
    ::gofer::wire::channel().context("the channel to the Gofer")
}

//! Applies a bundle on the host's own kernel: the oracle.
//!
//! Two steps, as a new pid namespace only holds children: [`launch`] enters the namespaces and
//! starts this program again, which becomes pid 1 there and calls [`become_init`]: mounts,
//! devices, root, credentials, exec.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::Command;
use std::str::FromStr;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use nix::sys::stat::{Mode, SFlag, makedev, mknod, umask};
use nix::unistd::{Gid, Uid, pivot_root, setgroups, sethostname, setresgid, setresuid, setsid};
use oci_spec::runtime::{Capabilities, Mount, PosixRlimitType, Process, Spec};

/// A step that failed, with what it was about.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct Failed {
    what: String,
    source: io::Error,
}

/// Names the step that an error belongs to.
trait Doing<T> {
    fn doing(self, what: impl std::fmt::Display) -> Result<T, Failed>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl std::fmt::Display) -> Result<T, Failed> {
        self.map_err(|e| Failed {
            what: what.to_string(),
            source: e.into(),
        })
    }
}

/// Runs the bundle in new namespaces and returns its exit status, 128+n for a signal.
///
/// # Errors
/// When the namespaces cannot be made or the second step cannot be started.
pub fn launch(bundle: &Path) -> Result<i32, Failed> {
    prctl::set_pdeathsig(Signal::SIGKILL).doing("pdeathsig")?;
    let namespaces = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWNET;
    unshare(namespaces).doing("new namespaces")?;
    let me = std::env::current_exe().doing("own path")?;
    let status = Command::new(&me)
        .arg("native-init")
        .arg(bundle)
        .status()
        .doing(me.display())?;
    Ok(status
        .code()
        .or(status.signal().map(|n| 128 + n))
        .unwrap_or(255))
}

/// Applies the bundle to this process, which is pid 1 of its namespace, and executes it.
/// Returns only to say what failed.
pub fn become_init(bundle: &Path) -> Failed {
    match apply(bundle) {
        Ok(never) => match never {},
        Err(failed) => failed,
    }
}

fn apply(bundle: &Path) -> Result<std::convert::Infallible, Failed> {
    prctl::set_pdeathsig(Signal::SIGKILL).doing("pdeathsig")?;
    let spec = Spec::load(bundle.join("config.json"))
        .map_err(io::Error::other)
        .doing(bundle.display())?;
    let root = spec
        .root()
        .as_ref()
        .map_or_else(|| bundle.into(), |r| bundle.join(r.path()));
    let process = spec.process().clone().unwrap_or_default();

    setsid().doing("new session")?;
    if let Some(name) = spec.hostname() {
        sethostname(name).doing("host name")?;
    }
    loopback_up().doing("loopback")?;
    enter_root(&root, spec.mounts().as_deref().unwrap_or_default())?;
    Err(execute(&process)?)
}

/// Sets the flag IFF_UP of the interface with index 1, which every namespace is born with;
/// rtnetlink(7), `RTM_NEWLINK`.
fn loopback_up() -> nix::Result<()> {
    const MESSAGE: [u32; 8] = [
        32,                 // length of the whole
        16 | (1 | 4) << 16, // RTM_NEWLINK; NLM_F_REQUEST | NLM_F_ACK
        1,                  // sequence number
        0,                  // port
        0,                  // struct ifinfomsg: family and type
        1,                  // interface index
        1,                  // flags: IFF_UP
        1,                  // which flags change
    ];
    let bytes: Vec<u8> = MESSAGE.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let netlink = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    send(netlink.as_raw_fd(), &bytes, MsgFlags::empty())?;
    let mut answer = [0; 64];
    recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // struct nlmsgerr follows the header of 16 bytes: 0 or a negative errno.
    match i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]) {
        0 => Ok(()),
        error => Err(nix::Error::from_raw(-error)),
    }
}

fn enter_root(root: &Path, mounts: &[Mount]) -> Result<(), Failed> {
    const NONE: Option<&str> = None;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE).doing("private mounts")?;
    mount(
        Some(root),
        root,
        NONE,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        NONE,
    )
    .doing(root.display())?;
    for entry in mounts {
        mount_one(root, entry)?;
    }
    make_devices(&root.join("dev"))?;
    std::env::set_current_dir(root).doing(root.display())?;
    pivot_root(".", ".").doing("pivot_root")?;
    umount2(".", MntFlags::MNT_DETACH).doing("old root")?;
    std::env::set_current_dir("/").doing("/")
}

fn mount_one(root: &Path, entry: &Mount) -> Result<(), Failed> {
    let destination = entry.destination();
    let at = root.join(destination.strip_prefix("/").unwrap_or(destination));
    fs::create_dir_all(&at).doing(at.display())?;
    let mut flags = MsFlags::empty();
    let mut data = Vec::new();
    for option in entry.options().iter().flatten() {
        match option.as_str() {
            "ro" => flags |= MsFlags::MS_RDONLY,
            "nosuid" => flags |= MsFlags::MS_NOSUID,
            "nodev" => flags |= MsFlags::MS_NODEV,
            "noexec" => flags |= MsFlags::MS_NOEXEC,
            "strictatime" => flags |= MsFlags::MS_STRICTATIME,
            "bind" => flags |= MsFlags::MS_BIND,
            "rbind" => flags |= MsFlags::MS_BIND | MsFlags::MS_REC,
            other => data.push(other),
        }
    }
    let kind = entry.typ().as_deref();
    mount(
        entry.source().as_deref(),
        &at,
        kind,
        flags,
        Some(data.join(",").as_str()),
    )
    .doing(format_args!("mount {}", destination.display()))
}

/// The devices that every container has, config-linux.md "Default Devices".
fn make_devices(dev: &Path) -> Result<(), Failed> {
    let nodes = [
        ("null", 1, 3),
        ("zero", 1, 5),
        ("full", 1, 7),
        ("random", 1, 8),
        ("urandom", 1, 9),
        ("tty", 5, 0),
    ];
    let old = umask(Mode::empty());
    for (name, major, minor) in nodes {
        let mode = Mode::from_bits_truncate(0o666);
        mknod(&dev.join(name), SFlag::S_IFCHR, mode, makedev(major, minor)).doing(name)?;
    }
    umask(old);
    let links = [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ];
    for (name, target) in links {
        symlink(target, dev.join(name)).doing(name)?;
    }
    Ok(())
}

/// Takes on the process's identity and executes it; what it returns is why that failed.
fn execute(process: &Process) -> Result<Failed, Failed> {
    for limit in process.rlimits().iter().flatten() {
        let resource = match limit.typ() {
            PosixRlimitType::RlimitNofile => Resource::RLIMIT_NOFILE,
            PosixRlimitType::RlimitCore => Resource::RLIMIT_CORE,
            PosixRlimitType::RlimitStack => Resource::RLIMIT_STACK,
            other => return Err(io::Error::other("not supported natively")).doing(other),
        };
        setrlimit(resource, limit.soft(), limit.hard()).doing("rlimits")?;
    }
    umask(Mode::from_bits_truncate(0o022));
    let no_caps = Capabilities::new();
    let wanted = process.capabilities().as_ref();
    let bounding = caps_of(
        wanted
            .and_then(|c| c.bounding().as_ref())
            .unwrap_or(&no_caps),
    )?;
    for cap in caps::all().difference(&bounding) {
        // A newer name than the running kernel's is not there to be dropped.
        let _ = caps::drop(None, caps::CapSet::Bounding, *cap);
    }
    prctl::set_keepcaps(true).doing("keepcaps")?;
    let (uid, gid) = (
        Uid::from_raw(process.user().uid()),
        Gid::from_raw(process.user().gid()),
    );
    let groups: Vec<Gid> = process
        .user()
        .additional_gids()
        .iter()
        .flatten()
        .copied()
        .map(Gid::from_raw)
        .collect();
    setgroups(&groups).doing("groups")?;
    setresgid(gid, gid, gid).doing("gid")?;
    setresuid(uid, uid, uid).doing("uid")?;
    prctl::set_keepcaps(false).doing("keepcaps")?;
    for (set, wanted) in [
        (
            caps::CapSet::Inheritable,
            wanted.and_then(|c| c.inheritable().as_ref()),
        ),
        (
            caps::CapSet::Effective,
            wanted.and_then(|c| c.effective().as_ref()),
        ),
        (
            caps::CapSet::Permitted,
            wanted.and_then(|c| c.permitted().as_ref()),
        ),
    ] {
        let wanted = caps_of(wanted.unwrap_or(&no_caps))?;
        caps::set(None, set, &wanted)
            .map_err(io::Error::other)
            .doing("capabilities")?;
    }
    if process.no_new_privileges() == Some(true) {
        prctl::set_no_new_privs().doing("no_new_privs")?;
    }
    std::env::set_current_dir(process.cwd()).doing(process.cwd().display())?;

    let args = process.args().clone().unwrap_or_default();
    let Some((program, rest)) = args.split_first() else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput)).doing("process.args is empty");
    };
    let env = process
        .env()
        .iter()
        .flatten()
        .filter_map(|pair| pair.split_once('='));
    prctl::set_pdeathsig(None).doing("pdeathsig")?;
    let error = Command::new(program)
        .args(rest)
        .env_clear()
        .envs(env)
        .exec();
    Ok(Failed {
        what: program.clone(),
        source: error,
    })
}

fn caps_of(names: &Capabilities) -> Result<caps::CapsHashSet, Failed> {
    names
        .iter()
        .map(|cap| {
            let name = format!("CAP_{cap}");
            caps::Capability::from_str(&name)
                .map_err(io::Error::other)
                .doing(name)
        })
        .collect()
}

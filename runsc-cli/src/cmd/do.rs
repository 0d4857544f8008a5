//! `runsk do`: runs a command on the host's files, read-only below a memory overlay.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::{getegid, geteuid, getgroups};
use sentry::config::{
    CapabilityConfig, Config, MountConfig, MountSource, ProcessConfig, RootConfig, SettingsConfig,
};

use crate::failure::{Context, Failure, Outcome};
use crate::flags;
use crate::sandbox::{self, Options, Plan, Start};
use crate::spec::{self, Container, HostMounts, IdMaps, IdRange, Tree, Trees};

pub(super) fn run(args: &flags::Do, options: Options) -> Outcome<ExitCode> {
    let plan = Plan {
        container: container(args)?,
        id: &sandbox::new_id()?,
        options: &options,
        control: None,
        oom_listener: None,
        extra: Vec::new(),
        cgroup: None,
    };
    sandbox::attach(plan, Start::AtOnce)?.wait()
}

fn container(args: &flags::Do) -> Outcome<Container> {
    let host = HostMounts::default();
    let mut trees = Trees::new(Path::new("/"), &host);
    let tree = trees.add(host_tree("/".into()))?;
    let directory = directory(args)?;
    let mut mounts = host_mounts(&host, &mut trees, &directory)?;
    mounts.extend(kernel_mounts());
    let hostname = nix::unistd::gethostname().context("host name")?;
    Ok(Container {
        config: Config {
            hostname: hostname.into_vec(),
            root: RootConfig {
                tree,
                readonly: false,
                overlay: true,
                propagation: None,
            },
            mounts,
            process: process(args, directory)?,
            ..Config::default()
        },
        trees: trees.into_list(),
        ids: own_ids(),
        console_size: None,
        memory_limit: None,
        cgroup: None,
        oom_score_adj: None,
        network_path: None,
        new_network: false,
        membership: None,
    })
}

/// An ordinary user is the same user inside; root's ids are all as on the host.
fn own_ids() -> Option<IdMaps> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    (uid != 0).then(|| IdMaps {
        uids: vec![IdRange::single(uid, uid)],
        gids: vec![IdRange::single(gid, gid)],
    })
}

/// The command sees one snapshot of the host: what changes there meanwhile may or may not
/// show, as below any overlay.
fn host_tree(host: PathBuf) -> Tree {
    Tree {
        host,
        readonly: true,
        exclusive: true,
    }
}

/// Every file system of the host that holds files, below an overlay like the root. The roots
/// of other containers are left out, unless the command starts in one: a host may have many.
fn host_mounts(
    host: &HostMounts,
    trees: &mut Trees<'_>,
    directory: &Path,
) -> Outcome<Vec<MountConfig>> {
    let mut mounts = Vec::new();
    for mount in host.with_files_below(Path::new("/"))? {
        let point = &mount.point;
        let covered = OWN.iter().any(|(own, ..)| point.starts_with(own));
        let foreign = mount.kind == "overlay" && !directory.starts_with(point);
        if covered || foreign {
            continue;
        }
        let tree = trees.add(host_tree(point.clone()))?;
        mounts.push(MountConfig {
            destination: point.as_os_str().as_bytes().to_vec(),
            source: MountSource::Gofer {
                tree,
                name: point.to_string_lossy().into_owned(),
                exclusive: true,
                overlay: true,
            },
            flags: 0,
            data: Vec::new(),
            propagation: None,
        });
    }
    Ok(mounts)
}

/// What the container's own kernel mounts: place, type, options. The host's /tmp stays, so
/// that the command finds files that it is given there; writes to it are gone like all others.
const OWN: &[(&str, &str, &[&str])] = &[
    ("/proc", "proc", &[]),
    ("/sys", "sysfs", &[]),
    ("/dev", "tmpfs", &["mode=755"]),
    (
        "/dev/pts",
        "devpts",
        &["ptmxmode=0666", "mode=0620", "gid=5"],
    ),
    ("/dev/shm", "tmpfs", &["mode=1777"]),
    ("/dev/mqueue", "mqueue", &[]),
];

fn kernel_mounts() -> impl Iterator<Item = MountConfig> {
    OWN.iter().map(|(destination, kind, data)| MountConfig {
        destination: destination.as_bytes().to_vec(),
        source: MountSource::Kernel {
            kind: (*kind).to_owned(),
        },
        flags: 0,
        data: data.iter().map(|option| (*option).to_owned()).collect(),
        propagation: None,
    })
}

fn process(args: &flags::Do, directory: PathBuf) -> Outcome<ProcessConfig> {
    let (uid, gid) = args
        .user
        .unwrap_or((geteuid().as_raw(), getegid().as_raw()));
    let groups = match args.user {
        Some(_) => Vec::new(),
        None => getgroups()
            .context("groups")?
            .iter()
            .map(|g| g.as_raw())
            .collect(),
    };
    // The sandbox's own kernel is theirs; the Gofer still acts for the caller only.
    let caps = if uid == 0 { spec::ALL_CAPS } else { 0 };
    let env = std::env::vars_os().map(|(name, value)| {
        let mut entry = name.into_vec();
        entry.push(b'=');
        entry.extend(value.into_vec());
        entry
    });
    Ok(ProcessConfig {
        args: args
            .command
            .iter()
            .map(|arg| arg.as_bytes().to_vec())
            .collect(),
        env: env.collect(),
        cwd: directory.into_os_string().into_vec(),
        uid,
        gid,
        groups,
        umask: Some(umask()?),
        capabilities: CapabilityConfig {
            bounding: spec::ALL_CAPS,
            effective: caps,
            inheritable: 0,
            permitted: caps,
            ambient: 0,
        },
        rlimits: rlimits()?,
        seccomp: None,
        no_new_privs: false,
        terminal: sandbox::stdio_is_terminal(),
        program: None,
        settings: SettingsConfig::default(),
    })
}

fn directory(args: &flags::Do) -> Outcome<PathBuf> {
    let Some(dir) = &args.cwd else {
        return std::env::current_dir().context("current directory");
    };
    let dir = dir
        .canonicalize()
        .context(format_args!("--cwd {}", dir.display()))?;
    if dir.is_dir() {
        Ok(dir)
    } else {
        let shown = dir.display();
        Err(Failure::new(format!("--cwd {shown}: Not a directory")))
    }
}

/// The caller's, without changing it: umask(2) cannot tell without setting.
fn umask() -> Outcome<u16> {
    let status = std::fs::read_to_string("/proc/self/status").context("/proc/self/status")?;
    let value = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    value
        .and_then(|value| u16::from_str_radix(value.trim(), 8).ok())
        .ok_or_else(|| Failure::new("/proc/self/status does not tell the umask"))
}

/// The caller's limits.
fn rlimits() -> Outcome<Vec<(u32, u64, u64)>> {
    const ALL: [(Resource, u32); 16] = [
        (Resource::RLIMIT_CPU, libc::RLIMIT_CPU),
        (Resource::RLIMIT_FSIZE, libc::RLIMIT_FSIZE),
        (Resource::RLIMIT_DATA, libc::RLIMIT_DATA),
        (Resource::RLIMIT_STACK, libc::RLIMIT_STACK),
        (Resource::RLIMIT_CORE, libc::RLIMIT_CORE),
        (Resource::RLIMIT_RSS, libc::RLIMIT_RSS),
        (Resource::RLIMIT_NPROC, libc::RLIMIT_NPROC),
        (Resource::RLIMIT_NOFILE, libc::RLIMIT_NOFILE),
        (Resource::RLIMIT_MEMLOCK, libc::RLIMIT_MEMLOCK),
        (Resource::RLIMIT_AS, libc::RLIMIT_AS),
        (Resource::RLIMIT_LOCKS, libc::RLIMIT_LOCKS),
        (Resource::RLIMIT_SIGPENDING, libc::RLIMIT_SIGPENDING),
        (Resource::RLIMIT_MSGQUEUE, libc::RLIMIT_MSGQUEUE),
        (Resource::RLIMIT_NICE, libc::RLIMIT_NICE),
        (Resource::RLIMIT_RTPRIO, libc::RLIMIT_RTPRIO),
        (Resource::RLIMIT_RTTIME, libc::RLIMIT_RTTIME),
    ];
    let limit = |(resource, number): (Resource, u32)| {
        let (soft, hard) = getrlimit(resource).context("resource limits")?;
        Ok((number, soft, hard))
    };
    ALL.into_iter().map(limit).collect()
}

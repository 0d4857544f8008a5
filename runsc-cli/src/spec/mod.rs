//! From an OCI bundle to what the kernel and the Gofer are started with.
//!
//! [`load`] reads config.json, [`container`] turns it into a [`Container`]: the kernel's
//! plain configuration, and the host directories and files that the Gofer serves. What the
//! configuration asks for and we do not have is logged; where leaving it out would give the
//! container more than was asked for, it is refused.

mod caps;
mod devices;
mod gaps;
mod host_mounts;
mod ids;
mod mounts;
mod network;
mod options;
mod places;
mod pod;
mod process;
mod seccomp;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::{
    LinuxCpu, LinuxNamespace, LinuxNamespaceType, LinuxPids, LinuxResources, Spec,
};
use sentry::config::{
    Config, ProcessConfig, Propagation, RootConfig, SeccompConfig, SettingsConfig,
};
use sentry::control::Limits;
use sentry::vfs::Depth;
use serde_json::Value;

use crate::failure::{Context, Failure, Outcome, Reason};
use crate::hooks::Place;

pub(crate) use caps::{ALL as ALL_CAPS, names as capability_names};
pub(crate) use host_mounts::HostMounts;
pub(crate) use ids::{IdMaps, IdRange};
pub(crate) use mounts::Trees;
pub(crate) use options::names as mount_options;
pub(crate) use pod::{Find, Membership, Resident};
pub(crate) use process::{console_size, convert as process};
pub(crate) use seccomp::{ACTIONS as SECCOMP_ACTIONS, OPERATORS as SECCOMP_OPERATORS};

/// The version of the OCI runtime specification that configurations follow.
pub(crate) const OCI_VERSION: &str = "1.2.0";

/// A directory or file of the host that the container sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Where it is on the host: absolute, without symbolic links.
    pub(crate) host: PathBuf,
    /// Nothing in it is ever written.
    pub(crate) readonly: bool,
    /// Nobody else writes it.
    pub(crate) exclusive: bool,
}

/// A container, ready to be started.
#[derive(Debug)]
pub(crate) struct Container {
    /// For the kernel. It names trees by their index in `trees`.
    pub(crate) config: Config,
    /// For the Gofer.
    pub(crate) trees: Vec<Tree>,
    /// Ids of the container's files on the host, where the configuration maps them.
    pub(crate) ids: Option<IdMaps>,
    /// First size of the terminal, as (rows, columns).
    pub(crate) console_size: Option<(u16, u16)>,
    /// What the container's memory may grow to, bytes.
    pub(crate) memory_limit: Option<u64>,
    /// The cgroup of its processes on the host; `None`: the caller's.
    pub(crate) cgroup: Option<CgroupConfig>,
    /// proc_pid_oom_score_adj(5) of its processes on the host.
    pub(crate) oom_score_adj: Option<i32>,
    /// The network namespace that the configuration names.
    pub(crate) network_path: Option<PathBuf>,
    /// It is to have a network namespace of its own, which has no name yet.
    pub(crate) new_network: bool,
    /// The pod whose sandbox it is to live in; `None`: a sandbox of its own.
    pub(crate) membership: Option<Membership>,
}

impl Container {
    /// Where its createContainer hooks run.
    pub(crate) fn hooks_place(&self) -> Place {
        Place {
            hostname: self.config.hostname.clone(),
            network: self.network_path.clone(),
        }
    }
}

/// The cgroup that a configuration asks for.
#[derive(Clone, Debug)]
pub(crate) struct CgroupConfig {
    /// `linux.cgroupsPath`.
    pub(crate) path: Option<PathBuf>,
    /// `linux.resources`.
    pub(crate) resources: LinuxResources,
}

/// A bundle on disk.
pub(crate) struct Bundle {
    /// Its directory, absolute.
    pub(crate) dir: PathBuf,
    /// Its config.json.
    pub(crate) spec: Spec,
}

/// The largest config.json that is read, bytes.
const MAX_CONFIG: u64 = 16 << 20;

/// Reads the bundle in directory `path`.
pub(crate) fn load(path: &Path) -> Outcome<Bundle> {
    let dir = path
        .canonicalize()
        .context(format_args!("bundle {}", path.display()))?;
    if !dir.is_dir() {
        return Err(Failure::new(format!(
            "bundle {}: Not a directory: give the directory that holds config.json",
            dir.display()
        )));
    }
    let config = dir.join("config.json");
    let spec = read(&config)?;
    Ok(Bundle { dir, spec })
}

fn read(path: &Path) -> Outcome<Spec> {
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::new(format!(
            "{} does not exist: make one with \"runsk spec\"",
            path.display()
        )),
        _ => Failure::new(format!("{}: {}", path.display(), error.reason())),
    })?;
    let mut text = Vec::with_capacity(64 << 10);
    file.take(MAX_CONFIG)
        .read_to_end(&mut text)
        .context(path.display())?;
    let parse = || {
        let mut value: Value = serde_json::from_slice(&text)?;
        if let Some(process) = value.get_mut("process") {
            drop_unknown_capabilities(process);
        }
        serde_json::from_value(value)
    };
    parse().context(format_args!("{} is not a configuration", path.display()))
}

/// A capability that nobody has heard of is no reason not to run a process.
pub(crate) fn drop_unknown_capabilities(process: &mut Value) {
    let sets = process.get_mut("capabilities");
    let Some(sets) = sets.and_then(Value::as_object_mut) else {
        return;
    };
    let known = capability_names();
    for set in sets.values_mut().filter_map(Value::as_array_mut) {
        set.retain(|cap| match cap.as_str() {
            Some(name) if !known.iter().any(|known| known == name) => {
                log::warn!("process.capabilities: there is no {name}");
                false
            }
            _ => true,
        });
    }
}

/// Turns a bundle into a container; `mounts` are the host's, `find` knows other containers.
pub(crate) fn container(
    bundle: &Bundle,
    mounts: &HostMounts,
    find: Find<'_>,
) -> Outcome<Container> {
    let file = bundle.dir.join("config.json");
    convert(bundle, mounts, find).context(file.display())
}

fn convert(bundle: &Bundle, host: &HostMounts, find: Find<'_>) -> Outcome<Container> {
    let spec = &bundle.spec;
    let membership = pod::membership(spec, find)?;
    gaps::report(spec, membership.as_ref())?;
    let linux = spec.linux().as_ref();

    let mut trees = Trees::new(&bundle.dir, host);
    let root = spec
        .root()
        .as_ref()
        .ok_or_else(|| Failure::new("root is missing"))?;
    let readonly = root.readonly().unwrap_or(false);
    let tree = trees.add_root(root.path(), readonly)?;
    let mut mount_configs = Vec::new();
    for mount in spec.mounts().iter().flatten() {
        mounts::convert(mount, &mut trees, &mut mount_configs)?;
    }
    mounts::complete_dev(&mut mount_configs);

    let process = spec
        .process()
        .as_ref()
        .ok_or_else(|| Failure::new("process is missing"))?;
    let memory_limit = linux
        .and_then(|linux| linux.resources().as_ref()?.memory().as_ref()?.limit())
        .and_then(|limit| u64::try_from(limit).ok())
        .filter(|limit| *limit > 0);
    let paths = |list: Option<&Vec<String>>| -> Outcome<Vec<Vec<u8>>> {
        list.into_iter()
            .flatten()
            .map(|path| {
                if !path.starts_with('/') {
                    return Err(Failure::new(format!(
                        "masked or read-only path \"{path}\" is not an absolute path"
                    )));
                }
                absolute_inside("masked or read-only path", path.as_ref())
            })
            .collect()
    };
    let personality = linux.and_then(|linux| linux.personality().as_ref());
    let personality = personality.map(settings::personality).transpose()?;
    let process_config = process::convert(process)?;
    let config = Config {
        hostname: hostname(spec)?,
        domainname: name("domainname", spec.domainname().as_deref())?,
        root: RootConfig {
            tree,
            readonly,
            overlay: readonly && places::are_missing(&bundle.dir.join(root.path()), &mount_configs),
            propagation: propagation(
                linux.and_then(|linux| linux.rootfs_propagation().as_deref()),
            )?,
        },
        mounts: mount_configs,
        masked_paths: paths(linux.and_then(|linux| linux.masked_paths().as_ref()))?,
        readonly_paths: paths(linux.and_then(|linux| linux.readonly_paths().as_ref()))?,
        devices: devices::convert(
            linux
                .and_then(|linux| linux.devices().as_deref())
                .unwrap_or_default(),
        )?,
        sysctls: sysctls(linux.and_then(|linux| linux.sysctl().as_ref())),
        process: ProcessConfig {
            seccomp: seccomp_filter(spec)?,
            settings: SettingsConfig {
                personality: personality.unwrap_or(0),
                ..process_config.settings
            },
            ..process_config
        },
        memory_limit: memory_limit.unwrap_or(0),
        ..limits(linux.and_then(|linux| linux.resources().as_ref()))?
    };
    Ok(Container {
        config,
        trees: trees.into_list(),
        ids: spec.linux().as_ref().and_then(ids::of_config).transpose()?,
        console_size: console_size(process),
        memory_limit,
        cgroup: Some(CgroupConfig {
            path: linux.and_then(|linux| linux.cgroups_path().clone()),
            resources: linux
                .and_then(|linux| linux.resources().clone())
                .unwrap_or_default(),
        }),
        oom_score_adj: process.oom_score_adj(),
        network_path: namespaces(spec)
            .find(|namespace| namespace.typ() == LinuxNamespaceType::Network)
            .and_then(|namespace| namespace.path().clone()),
        new_network: namespaces(spec).any(|namespace| {
            namespace.typ() == LinuxNamespaceType::Network && namespace.path().is_none()
        }),
        membership,
    })
}

/// The filter under which every process of the container starts.
pub(crate) fn seccomp_filter(spec: &Spec) -> Outcome<Option<SeccompConfig>> {
    let seccomp = spec.linux().as_ref().and_then(|l| l.seccomp().as_ref());
    seccomp.map(seccomp::convert).transpose()
}

/// What the container's own kernel limits, or shows, beside its memory.
fn limits(resources: Option<&LinuxResources>) -> Outcome<Config> {
    let positive = |number: Option<i64>| number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let cpu = resources.and_then(|resources| resources.cpu().as_ref());
    let pids = resources.and_then(|resources| resources.pids().as_ref());
    let set = cpu
        .and_then(|cpu| cpu.cpus().as_deref())
        .filter(|set| !set.is_empty());
    Ok(Config {
        pids_limit: positive(pids.map(LinuxPids::limit)),
        cpu_quota: positive(cpu.and_then(LinuxCpu::quota)),
        cpu_period: cpu.and_then(LinuxCpu::period).unwrap_or(0),
        cpus: set.map(cpu_count).transpose()?.unwrap_or(0),
        ..Config::default()
    })
}

/// Which of the container's own limits `resources` change.
pub(crate) fn changed_limits(resources: &LinuxResources) -> Limits {
    // 0 stands for "as it is", what is negative for "no limit".
    let limit = |number: Option<i64>| {
        number
            .filter(|number| *number != 0)
            .map(|number| u64::try_from(number).unwrap_or(u64::MAX))
    };
    let cpu = resources.cpu().as_ref();
    Limits {
        memory: limit(resources.memory().as_ref().and_then(|m| m.limit())),
        tasks: limit(resources.pids().as_ref().map(LinuxPids::limit)),
        cpu_quota: limit(cpu.and_then(LinuxCpu::quota)),
        cpu_period: cpu.and_then(LinuxCpu::period).filter(|period| *period > 0),
    }
}

/// How many processors a list like "0-2,5" names.
fn cpu_count(list: &str) -> Outcome<u32> {
    let bad = || {
        Failure::new(format!(
            "linux.resources.cpu.cpus \"{list}\" is not a list like \"0-2,5\""
        ))
    };
    let mut count = 0u32;
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| bad());
        let (first, last) = (number(first)?, number(last)?);
        let more = last.checked_sub(first).ok_or_else(bad)?;
        count = count.saturating_add(more).saturating_add(1);
    }
    Ok(count)
}

/// Of mounts inside alone: those made inside are never seen outside, and those made outside
/// never inside.
fn propagation(word: Option<&str>) -> Outcome<Option<(Propagation, Depth)>> {
    match word {
        None | Some("") => Ok(None),
        Some(word) => match options::propagation(word) {
            None => Err(Failure::new(format!(
                "linux.rootfsPropagation \"{word}\" is none of shared, slave, private, unbindable"
            ))),
            known => Ok(known),
        },
    }
}

/// A new UTS namespace begins with its parent's name; uts_namespaces(7).
fn hostname(spec: &Spec) -> Outcome<Vec<u8>> {
    match spec.hostname().as_deref() {
        None | Some("") => {
            let names = nix::sys::utsname::uname().context("the host's name")?;
            Ok(names.nodename().as_encoded_bytes().to_vec())
        }
        given => name("hostname", given),
    }
}

/// In the order of their names: it is the same each time.
fn sysctls(map: Option<&HashMap<String, String>>) -> Vec<(String, String)> {
    let list = map.into_iter().flatten();
    let mut list: Vec<_> = list
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    list.sort();
    list
}

/// A name for sethostname(2) and setdomainname(2).
fn name(what: &str, value: Option<&str>) -> Outcome<Vec<u8>> {
    const MAX: usize = 64;
    let value = value.unwrap_or_default();
    if value.len() > MAX {
        return Err(Failure::new(format!(
            "{what} \"{value}\" is longer than {MAX} bytes"
        )));
    }
    bytes(what, value)
}

/// A string that Linux must be able to hold: no NUL.
fn bytes(what: &str, value: &str) -> Outcome<Vec<u8>> {
    if value.contains('\0') {
        return Err(Failure::new(format!(
            "{what} {value:?} contains a NUL byte"
        )));
    }
    Ok(value.as_bytes().to_vec())
}

/// A path inside the container, made absolute and free of "." and "..".
fn absolute_inside(what: &str, path: &Path) -> Outcome<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt;
    bytes(what, &path.to_string_lossy())?;
    let mut clean = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Ok(clean.into_os_string().into_vec())
}

/// Whether the configuration asks for a namespace of this kind.
fn has_namespace(spec: &Spec, kind: LinuxNamespaceType) -> bool {
    namespaces(spec).any(|namespace| namespace.typ() == kind)
}

/// All that it asks for.
fn namespaces(spec: &Spec) -> impl Iterator<Item = &LinuxNamespace> {
    let list = spec.linux().as_ref().and_then(|l| l.namespaces().as_ref());
    list.into_iter().flatten()
}

//! From an OCI bundle to what the kernel and the Gofer are started with.
//!
//! [`load`] reads config.json, [`container`] turns it into a [`Container`]: the kernel's
//! plain configuration, and the host directories and files that the Gofer serves. What the
//! configuration asks for and we do not have is logged; where leaving it out would give the
//! container more than was asked for, it is refused.

mod caps;
mod gaps;
mod host_mounts;
mod ids;
mod mounts;
mod options;
mod process;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::{LinuxNamespaceType, Spec};
use sentry::config::{Config, RootConfig};

use crate::failure::{Context, Failure, Outcome, Reason};

pub(crate) use caps::ALL as ALL_CAPS;
pub(crate) use host_mounts::HostMounts;
pub(crate) use ids::{IdMaps, IdRange};
pub(crate) use mounts::Trees;

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
    serde_json::from_slice(&text).context(format_args!("{} is not a configuration", path.display()))
}

/// Turns a bundle into a container; `mounts` are the host's.
pub(crate) fn container(bundle: &Bundle, mounts: &HostMounts) -> Outcome<Container> {
    let file = bundle.dir.join("config.json");
    convert(bundle, mounts).context(file.display())
}

fn convert(bundle: &Bundle, host: &HostMounts) -> Outcome<Container> {
    let spec = &bundle.spec;
    gaps::report(spec)?;
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
        .and_then(|limit| u64::try_from(limit).ok());
    let paths = |list: Option<&Vec<String>>| -> Outcome<Vec<Vec<u8>>> {
        list.into_iter()
            .flatten()
            .map(|path| absolute_inside("masked or read-only path", path.as_ref()))
            .collect()
    };
    let config = Config {
        hostname: name("hostname", spec.hostname().as_deref())?,
        domainname: name("domainname", spec.domainname().as_deref())?,
        root: RootConfig {
            tree,
            readonly,
            overlay: false,
        },
        mounts: mount_configs,
        masked_paths: paths(linux.and_then(|linux| linux.masked_paths().as_ref()))?,
        readonly_paths: paths(linux.and_then(|linux| linux.readonly_paths().as_ref()))?,
        process: process::convert(process)?,
        memory_limit: memory_limit.unwrap_or(0),
        ..Config::default()
    };
    Ok(Container {
        config,
        trees: trees.into_list(),
        ids: spec.linux().as_ref().and_then(ids::of_config).transpose()?,
        console_size: process::console_size(process),
        memory_limit,
    })
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
    let namespaces = spec.linux().as_ref().and_then(|l| l.namespaces().as_ref());
    namespaces
        .into_iter()
        .flatten()
        .any(|namespace| namespace.typ() == kind)
}

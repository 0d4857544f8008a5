//! The mounts of a configuration: host trees for the Gofer, file systems of the kernel.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount;
use sentry::config::{MountConfig, MountSource, Propagation};
use sentry::vfs::Depth;

use super::host_mounts::{self, HostMounts};
use super::options::{Bind, Options};
use super::{Tree, absolute_inside};
use crate::failure::{Context, Failure, Outcome};

/// The host trees of a container, as they are found.
pub(crate) struct Trees<'a> {
    bundle: &'a Path,
    host: &'a HostMounts,
    list: Vec<Tree>,
}

impl<'a> Trees<'a> {
    /// None yet. Relative paths are relative to `bundle`.
    pub(crate) fn new(bundle: &'a Path, host: &'a HostMounts) -> Self {
        Trees {
            bundle,
            host,
            list: Vec::new(),
        }
    }

    /// The root file system.
    pub(crate) fn add_root(&mut self, path: &Path, readonly: bool) -> Outcome<u32> {
        if path.as_os_str().is_empty() {
            return Err(Failure::new("root.path is empty"));
        }
        let host = self.resolve(path).context("root.path")?;
        if !host.is_dir() {
            return Err(Failure::new(format!(
                "root.path: {}: Not a directory",
                host.display()
            )));
        }
        self.add(Tree {
            host,
            readonly,
            exclusive: true,
        })
    }

    /// Adds a tree, or finds it; its number.
    pub(crate) fn add(&mut self, tree: Tree) -> Outcome<u32> {
        let found = self.list.iter().position(|known| *known == tree);
        let index = found.unwrap_or_else(|| {
            self.list.push(tree);
            self.list.len() - 1
        });
        u32::try_from(index).map_err(|_| Failure::new("too many mounts"))
    }

    /// The trees, in the order of their numbers.
    pub(crate) fn into_list(self) -> Vec<Tree> {
        self.list
    }

    /// An absolute path without symbolic links.
    fn resolve(&self, path: &Path) -> Outcome<PathBuf> {
        let path = self.bundle.join(path);
        path.canonicalize().context(path.display())
    }
}

/// Converts one mount into one or (a recursive bind) several.
pub(super) fn convert(
    mount: &Mount,
    trees: &mut Trees<'_>,
    out: &mut Vec<MountConfig>,
) -> Outcome<()> {
    let shown = mount.destination().display();
    one(mount, trees, out).context(format_args!("mount {shown}"))
}

fn one(mount: &Mount, trees: &mut Trees<'_>, out: &mut Vec<MountConfig>) -> Outcome<()> {
    let options = Options::parse(mount.options().as_deref().unwrap_or_default());
    if options.id_mapped || mount.uid_mappings().is_some() || mount.gid_mappings().is_some() {
        return Err(Failure::new("id-mapped mounts are not supported"));
    }
    let destination = absolute_inside("destination", mount.destination())?;
    if options.remount {
        return remount(&options, &destination, out);
    }
    let kind = mount.typ().as_deref().unwrap_or_default();
    if options.bind.is_some() || kind == "bind" {
        return bind(mount, &options, destination, trees, out);
    }
    let Some(kind) = served_kind(kind) else {
        return Err(Failure::new(format!(
            "file system type \"{kind}\" is not supported: use bind, tmpfs, proc, sysfs, \
             devpts, mqueue or cgroup"
        )));
    };
    out.push(MountConfig {
        destination,
        source: MountSource::Kernel {
            kind: kind.to_owned(),
        },
        flags: options.flags,
        data: options.data,
        propagation: options.propagation,
    });
    Ok(())
}

/// Other flags for what the configuration has mounted there before.
fn remount(options: &Options, destination: &[u8], out: &mut [MountConfig]) -> Outcome<()> {
    let mut mounts = out.iter_mut().rev();
    let mount = mounts.find(|mount| mount.destination == destination);
    let mount = mount.ok_or_else(|| {
        Failure::new("remount: nothing that the configuration names is mounted there")
    })?;
    mount.flags = options.flags;
    mount.propagation = options.propagation.or(mount.propagation);
    Ok(())
}

fn served_kind(kind: &str) -> Option<&'static str> {
    match kind {
        "tmpfs" | "ramfs" => Some("tmpfs"),
        _ => host_mounts::kernel_kind(kind),
    }
}

fn bind(
    mount: &Mount,
    options: &Options,
    destination: Vec<u8>,
    trees: &mut Trees<'_>,
    out: &mut Vec<MountConfig>,
) -> Outcome<()> {
    let source = mount
        .source()
        .as_ref()
        .ok_or_else(|| Failure::new("a bind mount needs a source"))?;
    let host = trees.resolve(source)?;
    for option in &options.data {
        log::info!(
            "config.json: mount {}: option {option} has no effect",
            mount.destination().display()
        );
    }
    if let Some(kind) = host_mounts::kernel_kind_of(&host) {
        return own_instead(&host, kind, options, destination, trees.host, out);
    }
    if is_device(&host)? {
        return device(&host, &destination);
    }
    let bind = Bound {
        readonly: options.readonly(),
        exclusive: options.exclusive,
        propagation: options.propagation,
    };
    out.push(bind.mount(host.clone(), destination.clone(), options.flags, trees)?);
    if options.bind == Some(Bind::Recursive) {
        for below in trees.host.with_files_below(&host)? {
            let inner = below.point.strip_prefix(&host).unwrap_or(&below.point);
            let mut at = destination.clone();
            at.push(b'/');
            at.extend_from_slice(inner.as_os_str().as_bytes());
            let flags = options.flags | options.recursive;
            out.push(bind.mount(below.point.clone(), at, flags, trees)?);
        }
    }
    Ok(())
}

struct Bound {
    readonly: bool,
    exclusive: bool,
    propagation: Option<(Propagation, Depth)>,
}

impl Bound {
    fn mount(
        &self,
        host: PathBuf,
        destination: Vec<u8>,
        flags: u32,
        trees: &mut Trees<'_>,
    ) -> Outcome<MountConfig> {
        let name = host.to_string_lossy().into_owned();
        let tree = trees.add(Tree {
            host,
            readonly: self.readonly,
            exclusive: self.exclusive,
        })?;
        Ok(MountConfig {
            destination,
            source: MountSource::Gofer {
                tree,
                name,
                exclusive: self.exclusive,
                overlay: false,
            },
            flags,
            data: Vec::new(),
            propagation: self.propagation,
        })
    }
}

/// A bind mount of the host's /proc, /sys and the like gives the container the same view of
/// its own kernel: rootless configurations bind /sys because they may not mount it.
fn own_instead(
    host: &Path,
    kind: &'static str,
    options: &Options,
    destination: Vec<u8>,
    mounts: &HostMounts,
    out: &mut Vec<MountConfig>,
) -> Outcome<()> {
    if !mounts.is_mount_point(host)? {
        return Err(Failure::new(format!(
            "{} belongs to the host's kernel ({kind}): mount a file system of type {kind} instead",
            host.display()
        )));
    }
    if kind.starts_with("cgroup") && is_below_cgroups(&destination, out) {
        log::debug!("{}: there is but one hierarchy inside", host.display());
        return Ok(());
    }
    out.push(MountConfig {
        destination,
        source: MountSource::Kernel {
            kind: kind.to_owned(),
        },
        flags: options.flags,
        data: Vec::new(),
        propagation: options.propagation,
    });
    Ok(())
}

/// Whether a place is inside of what shows the control groups already: hierarchies of version 1
/// are mounted there one by one.
fn is_below_cgroups(place: &[u8], mounts: &[MountConfig]) -> bool {
    let mut mounts = mounts.iter();
    mounts.any(|mount| {
        let below = place.strip_prefix(mount.destination.as_slice());
        let kind = match &mount.source {
            MountSource::Kernel { kind } => kind.as_str(),
            MountSource::Gofer { .. } => "",
        };
        kind.starts_with("cgroup") && below.is_some_and(|rest| rest.starts_with(b"/"))
    })
}

fn is_device(host: &Path) -> Outcome<bool> {
    let kind = host.symlink_metadata().context(host.display())?.file_type();
    Ok(kind.is_char_device() || kind.is_block_device())
}

/// The devices that every container has. Rootless configurations bind them one by one.
const OWN_DEVICES: &[&str] = &[
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
];

fn device(host: &Path, destination: &[u8]) -> Outcome<()> {
    let own = OWN_DEVICES
        .iter()
        .any(|device| host == Path::new(device) && destination == device.as_bytes());
    if own {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} is a device of the host: devices are not given to a container",
        host.display()
    )))
}

/// Without any mount on /dev, the root file system's own /dev would have to hold device nodes
/// of the host. The kernel puts the devices into a tmpfs there.
pub(super) fn complete_dev(mounts: &mut Vec<MountConfig>) {
    if mounts.iter().any(|mount| mount.destination == b"/dev") {
        return;
    }
    let dev = MountConfig {
        destination: b"/dev".to_vec(),
        source: MountSource::Kernel {
            kind: "tmpfs".to_owned(),
        },
        flags: 0,
        data: vec!["mode=755".to_owned()],
        propagation: None,
    };
    mounts.insert(0, dev);
}

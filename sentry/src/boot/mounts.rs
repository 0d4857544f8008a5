//! The tree of mounts that a container sees.

use std::sync::Arc;

use gofer::TreeId;
use syscalls::errno::{EEXIST, EINVAL, ENODEV, ENOENT, ENOTDIR};
use syscalls::{Errno, Fd};

use super::{BootError, Home, devices};
use crate::config::{Config, MountConfig, MountSource, RootConfig};
use crate::fs::gofer::{self as host_tree, Sharing, WriteBack};
use crate::fs::{dev, overlay, tmpfs};
use crate::kernel::Kernel;
use crate::task::{Credentials, Current};
use crate::vfs::fs_types::{MountRequest, instantiate};
use crate::vfs::{
    Dentry, Depth, InodeRef, Location, Mode, Mount, MountFlags, MountNamespace, NewNode, Walking,
};

/// Where trees of the host come from.
pub(super) struct Trees<'a> {
    pub(super) kernel: &'a Arc<Kernel>,
    pub(super) home: &'a Home,
    pub(super) gofer: &'a ::gofer::Client,
    pub(super) write_back: &'a WriteBack,
}

impl Trees<'_> {
    fn tree(
        &self,
        tree: u32,
        sharing: Sharing,
        overlay: bool,
        name: &str,
    ) -> Result<InodeRef, Errno> {
        // What is below an overlay is never written, and taken not to change.
        let sharing = if overlay { Sharing::Exclusive } else { sharing };
        let memory = &self.kernel.memory_of(&self.home.group);
        let id = TreeId(tree);
        let root = host_tree::mount(self.gofer, memory, id, sharing, self.write_back, name)?;
        Ok(if overlay {
            overlay::new(root, memory, name)
        } else {
            root
        })
    }

    /// The name space with nothing but "/", still writable.
    pub(super) fn root(&self, config: &RootConfig) -> Result<Arc<MountNamespace>, BootError> {
        let root = self.tree(config.tree, Sharing::Exclusive, config.overlay, "root");
        let root = root.map_err(|errno| failed("the root file system", b"/", errno))?;
        let mount = Mount::new(Dentry::root(root), MountFlags::RELATIME);
        Ok(match self.home.group.is_root() {
            true => MountNamespace::first(mount),
            false => MountNamespace::new(mount),
        })
    }

    fn instance(&self, mount: &MountConfig) -> Result<InodeRef, Errno> {
        match &mount.source {
            MountSource::Gofer {
                tree,
                name,
                exclusive,
                overlay,
            } => {
                let sharing = if *exclusive {
                    Sharing::Exclusive
                } else {
                    Sharing::Shared
                };
                self.tree(*tree, sharing, *overlay, name)
            }
            MountSource::Kernel { kind } => {
                let request = MountRequest {
                    kernel: self.kernel,
                    ipc: &self.home.ipc,
                    pids: &self.home.pids,
                    cgroups: &self.home.cgroups,
                    creds: &Credentials::default(),
                    source: kind,
                    data: &mount.data.join(","),
                };
                instantiate(kind, &request)
            }
        }
    }
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

fn failed(kind: &str, path: &[u8], errno: Errno) -> BootError {
    BootError::Mount {
        kind: kind.to_owned(),
        path: shown(path),
        errno,
    }
}

fn kind_of(mount: &MountConfig) -> &str {
    match &mount.source {
        MountSource::Gofer { name, .. } => name,
        MountSource::Kernel { kind } => kind,
    }
}

/// Mounts everything below "/". `task` acts with all rights of the kernel.
pub(super) fn mount_all(
    task: &Current,
    config: &Config,
    trees: &Trees<'_>,
) -> Result<(), BootError> {
    for mount in &config.mounts {
        match mount_one(task, trees, mount) {
            Ok(()) => {}
            Err(ENODEV) => {
                // A program that needs it says so in its own words.
                log::warn!(
                    "there is no file system {:?} to mount on {:?}",
                    kind_of(mount),
                    shown(&mount.destination)
                );
            }
            Err(errno) => return Err(failed(kind_of(mount), &mount.destination, errno)),
        }
    }
    devices::make_all(task, &config.devices)?;
    // As runc does; what is wrong with the directory is told when the process enters it.
    let _ = make_place(task, &config.process.cwd, true);
    let protect = |path: &[u8], result: Result<(), Errno>| match result {
        Ok(()) | Err(ENOENT | ENOTDIR) => Ok(()),
        Err(errno) => Err(BootError::Mask {
            path: shown(path),
            errno,
        }),
    };
    for path in &config.readonly_paths {
        protect(path, make_read_only(task, path))?;
    }
    for path in &config.masked_paths {
        protect(path, mask(task, path))?;
    }
    if config.root.readonly {
        let root = namespace(task).root();
        root.set_flags(root.flags() | MountFlags::READ_ONLY);
    }
    if let Some((to, depth)) = config.root.propagation {
        let namespace = namespace(task);
        let root = namespace.root().root_location();
        namespace
            .set_propagation(&root, to, depth)
            .map_err(|errno| failed("the root file system", b"/", errno))?;
    }
    Ok(())
}

fn namespace(task: &Current) -> Arc<MountNamespace> {
    task.fs.get().mounts.get()
}

fn mount_one(task: &Current, trees: &Trees<'_>, mount: &MountConfig) -> Result<(), Errno> {
    let root = Dentry::root(trees.instance(mount)?);
    let at = make_place(task, &mount.destination, root.is_dir())?;
    if mount.destination == b"/dev" && root.inode().super_block().fs.name() == "tmpfs" {
        dev::populate(root.inode())?;
    }
    let mut flags = MountFlags::from_bits_truncate(mount.flags);
    if !flags.intersects(MountFlags::NOATIME | MountFlags::STRICTATIME) {
        flags |= MountFlags::RELATIME;
    }
    namespace(task).mount(root, flags, &at)?;
    if let Some((to, depth)) = mount.propagation {
        namespace(task).set_propagation(&at.topmost(), to, depth)?;
    }
    Ok(())
}

/// The place to mount on, made with its parents where it does not exist.
fn make_place(task: &Current, path: &[u8], directory: bool) -> Result<Location, Errno> {
    match task.walk(path, Walking::FOLLOW) {
        Err(ENOENT) => {}
        found => return found,
    }
    make_parents(task, path)?;
    let (node, mode) = if directory {
        (NewNode::Directory, 0o755)
    } else {
        (NewNode::Regular, 0o644)
    };
    match task.make_node(Fd::CWD, path, node, Mode::from_raw(mode)) {
        Ok(_) | Err(EEXIST) => task.walk(path, Walking::FOLLOW),
        Err(error) => Err(error),
    }
}

/// Makes the directories above a place that do not exist.
pub(super) fn make_parents(task: &Current, path: &[u8]) -> Result<(), Errno> {
    let mut at = 0;
    while let Some(next) = path.iter().skip(at + 1).position(|&b| b == b'/') {
        at += 1 + next;
        let parent = path.get(..at).ok_or(EINVAL)?;
        match task.make_node(Fd::CWD, parent, NewNode::Directory, Mode::from_raw(0o755)) {
            Ok(_) | Err(EEXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Shows the terminal at `path` as /dev/console too.
pub(super) fn show_console(task: &Current, path: &[u8]) -> Result<(), Errno> {
    let at = make_place(task, b"/dev/console", false)?;
    let terminal = task.walk(path, Walking::FOLLOW)?;
    namespace(task).bind(&terminal, &at, Depth::One)
}

/// Binds a place onto itself, read-only.
fn make_read_only(task: &Current, path: &[u8]) -> Result<(), Errno> {
    let at = task.walk(path, Walking::FOLLOW)?;
    namespace(task).bind(&at, &at, Depth::All)?;
    let bound = task.walk(path, Walking::FOLLOW)?.mount;
    bound.set_flags(bound.flags() | MountFlags::READ_ONLY);
    Ok(())
}

/// Hides a file behind an empty one, a directory behind an empty one.
fn mask(task: &Current, path: &[u8]) -> Result<(), Errno> {
    let at = task.walk(path, Walking::FOLLOW)?;
    if at.dentry.is_dir() {
        let options = tmpfs::Options {
            size: Some(0),
            ..tmpfs::Options::default()
        };
        let root = tmpfs::new(&task.kernel.memory, options, "tmpfs");
        let flags = MountFlags::READ_ONLY | MountFlags::RELATIME;
        namespace(task).mount(Dentry::root(root), flags, &at)?;
        return Ok(());
    }
    let null = task.walk(b"/dev/null", Walking::FOLLOW)?;
    namespace(task).bind(&null, &at, Depth::One)
}

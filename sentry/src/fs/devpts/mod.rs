//! devpts: the slaves of pseudoterminals, and ptmx. Each instance has terminals of its own.

mod inode;

use std::sync::{Arc, Weak};

use syscalls::Errno;
use syscalls::errno::EINVAL;

use self::inode::{Dir, NewNodes};
use crate::kernel::Kernel;
use crate::namespace::{OVERFLOW, UserNamespace};
use crate::vfs::{FileSystem, FsInfo, InodeRef, Location, Mode, SuperBlock};

/// `f_type` of statfs(2).
const DEVPTS_MAGIC: u64 = 0x1cd1;

/// The type's name.
pub(crate) const DEVPTS: &str = "devpts";

struct DevPts {
    options: Options,
}

/// Mount options.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whom the directory and ptmx belong to.
    root: (u32, u32),
    /// Of new slaves; `None`: the opener's of ptmx.
    pub uid: Option<u32>,
    /// Of new slaves; `None`: the opener's.
    pub gid: Option<u32>,
    /// Of new slaves.
    pub mode: Mode,
    /// Of ptmx.
    pub ptmx_mode: Mode,
}

impl Options {
    /// From mount(2)'s data, with ids as `user` has them; unknown ones are accepted.
    pub fn parse<'a>(
        data: impl Iterator<Item = &'a str>,
        user: &UserNamespace,
    ) -> Result<Self, Errno> {
        let mut options = Options {
            root: (
                user.kernel_uid(0).unwrap_or(OVERFLOW),
                user.kernel_gid(0).unwrap_or(OVERFLOW),
            ),
            uid: None,
            gid: None,
            mode: Mode::from_raw(0o600),
            ptmx_mode: Mode::from_raw(0o666),
        };
        let bad = |_| EINVAL;
        for option in data {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            match name {
                "uid" => {
                    let uid = user.kernel_uid(value.parse().map_err(bad)?);
                    options.uid = Some(uid.ok_or(EINVAL)?);
                }
                "gid" => {
                    let gid = user.kernel_gid(value.parse().map_err(bad)?);
                    options.gid = Some(gid.ok_or(EINVAL)?);
                }
                "mode" => {
                    options.mode = Mode::from_raw(u32::from_str_radix(value, 8).map_err(bad)?)
                }
                "ptmxmode" => {
                    options.ptmx_mode = Mode::from_raw(u32::from_str_radix(value, 8).map_err(bad)?)
                }
                _ => {}
            }
        }
        Ok(options)
    }
}

/// A new instance's root.
pub fn new(kernel: &Arc<Kernel>, options: Options, source: &str) -> InodeRef {
    let super_block = SuperBlock::new(Box::new(DevPts { options }), source);
    let kernel: Weak<Kernel> = Arc::downgrade(kernel);
    let owner = NewNodes {
        uid: options.uid,
        gid: options.gid,
        mode: options.mode,
    };
    Dir::make(
        super_block,
        kernel,
        owner,
        (options.root, options.ptmx_mode),
    )
}

/// The directory of the instance that a ptmx belongs to: the one that it is in, or "pts"
/// beside it.
pub(crate) fn directory(ptmx: &Location) -> Option<Location> {
    let dentry = ptmx.dentry.parent()?;
    let mount = ptmx.mount.clone();
    let beside = Location { mount, dentry };
    let is_devpts = |at: &Location| instance(at).is_some();
    if is_devpts(&beside) {
        return Some(beside);
    }
    beside.child(b"pts").ok().filter(is_devpts)
}

/// The instance that a place belongs to, as the table of terminals knows it.
pub(crate) fn instance(at: &Location) -> Option<u64> {
    let super_block = at.inode().super_block();
    (super_block.fs.name() == DEVPTS).then_some(super_block.dev)
}

impl FileSystem for DevPts {
    fn name(&self) -> &'static str {
        DEVPTS
    }

    fn info(&self) -> Result<FsInfo, Errno> {
        Ok(FsInfo {
            magic: DEVPTS_MAGIC,
            block_size: 4096,
            name_max: 255,
            ..FsInfo::default()
        })
    }

    fn trusts_cache(&self) -> bool {
        false
    }

    fn options(&self) -> String {
        let Options {
            root: _,
            uid,
            gid,
            mode,
            ptmx_mode,
        } = self.options;
        let uid = uid.map_or(String::new(), |uid| format!(",uid={uid}"));
        let gid = gid.map_or(String::new(), |gid| format!(",gid={gid}"));
        format!(
            "{uid}{gid},mode={:o},ptmxmode={:o}",
            mode.bits(),
            ptmx_mode.bits()
        )
    }
}

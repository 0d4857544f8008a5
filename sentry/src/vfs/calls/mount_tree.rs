//! open_tree(2), move_mount(2), mount_setattr(2): mounts by descriptor.

use std::any::Any;
use std::sync::Arc;

use syscalls::abi::fs::{
    MountAttr, MountAttrFlags, MountFlags as MountCall, MoveMountFlags, OpenFlags, OpenTreeFlags,
    PathFlags,
};
use syscalls::errno::{E2BIG, EINVAL};
use syscalls::{Errno, Fd, PAGE_SIZE, Run, SysResult, UserAddr, UserCStr, call};

use super::mount::{namespace, privileged};
use super::open::fd_result;
use crate::fd::CloseOnExec;
use crate::task::Current;
use crate::vfs::open::Opening;
use crate::vfs::walk::Walking;
use crate::vfs::{Depth, File, FileOps, MountFlags, MountNamespace, OpenMode};

/// What a descriptor of a tree that is not mounted keeps: closed, it goes with the tree.
struct Detached(#[expect(dead_code, reason = "held")] Arc<MountNamespace>);

impl FileOps for Detached {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Run<Current> for call::OpenTree {
    fn run(self, task: &mut Current) -> SysResult {
        let flags = self.flags;
        let clone = flags.contains(OpenTreeFlags::CLONE);
        let depth = match flags.contains(OpenTreeFlags::RECURSIVE) {
            true if !clone => return Err(EINVAL.into()),
            true => Depth::All,
            false => Depth::One,
        };
        if clone {
            privileged(task)?;
        }
        let mut how = Walking::empty();
        how.set(
            Walking::FOLLOW,
            !flags.contains(OpenTreeFlags::SYMLINK_NOFOLLOW),
        );
        how.set(Walking::EMPTY, flags.contains(OpenTreeFlags::EMPTY_PATH));
        let reservation = task.reserve_fd()?;
        let at = task.walk_at(self.dirfd, &task.read_path(self.pathname)?, how)?;
        let file = if clone {
            let tree = namespace(task).detached_copy(&at, depth)?;
            let root = tree.root().root_location();
            File::new(root, Box::new(Detached(tree)), OpenMode::PATH)
        } else {
            task.open_found(at, &Opening::lenient(OpenFlags::PATH, 0)?)?
        };
        let close = CloseOnExec::when(flags.contains(OpenTreeFlags::CLOEXEC));
        Ok(fd_result(reservation.fill(file, close)))
    }
}

impl Run<Current> for call::MoveMount {
    fn run(self, task: &mut Current) -> SysResult {
        privileged(task)?;
        let flags = self.flags;
        let both = MoveMountFlags::BENEATH | MoveMountFlags::SET_GROUP;
        if !MoveMountFlags::all().contains(flags) || flags.contains(both) {
            return Err(EINVAL.into());
        }
        if flags.contains(MoveMountFlags::BENEATH) {
            return Err(EINVAL.why("mounting below a mount").into());
        }
        let walk = |dirfd: Fd, path: UserCStr, follow, empty| {
            let mut how = Walking::empty();
            how.set(Walking::FOLLOW, flags.contains(follow));
            how.set(Walking::EMPTY, flags.contains(empty));
            task.walk_at(dirfd, &task.read_path(path)?, how)
        };
        let from = walk(
            self.from_dirfd,
            self.from_pathname,
            MoveMountFlags::F_SYMLINKS,
            MoveMountFlags::F_EMPTY_PATH,
        )?;
        let to = walk(
            self.to_dirfd,
            self.to_pathname,
            MoveMountFlags::T_SYMLINKS,
            MoveMountFlags::T_EMPTY_PATH,
        )?;
        if flags.contains(MoveMountFlags::SET_GROUP) {
            namespace(task).set_group(&from, &to)?;
        } else {
            namespace(task).move_mount(&from, &to)?;
        }
        Ok(0)
    }
}

const RECURSIVE: u32 = 0x8000;
const NO_AUTOMOUNT: u32 = 0x800;
/// The argument of Linux 5.12, bytes.
const SIZE_VER0: usize = 32;

/// MOUNT_ATTR__ATIME: which times of access are kept is one choice of three.
const ATIME: u64 = 0x70;

const ATTRIBUTES: [(MountAttrFlags, MountFlags); 6] = [
    (MountAttrFlags::RDONLY, MountFlags::READ_ONLY),
    (MountAttrFlags::NOSUID, MountFlags::NOSUID),
    (MountAttrFlags::NODEV, MountFlags::NODEV),
    (MountAttrFlags::NOEXEC, MountFlags::NOEXEC),
    (MountAttrFlags::NODIRATIME, MountFlags::NODIRATIME),
    (MountAttrFlags::NOSYMFOLLOW, MountFlags::NOSYMFOLLOW),
];

/// The flags of a mount as statmount(2) shows them.
pub(super) fn shown(flags: MountFlags) -> MountAttrFlags {
    let mut shown = MountAttrFlags::empty();
    for (attribute, flag) in ATTRIBUTES {
        shown.set(attribute, flags.contains(flag));
    }
    if flags.contains(MountFlags::NOATIME) {
        shown |= MountAttrFlags::NOATIME;
    } else if !flags.contains(MountFlags::RELATIME) {
        shown |= MountAttrFlags::STRICTATIME;
    }
    shown
}

/// What to take from a mount's flags, and what to add; `EINVAL`.
fn changes(attr: &MountAttr) -> Result<(MountFlags, MountFlags), Errno> {
    let known = (MountAttrFlags::all() - MountAttrFlags::IDMAP).bits() | ATIME;
    if (attr.set | attr.clear) & !known != 0 {
        // Ids are mapped by file systems that know how to; none here does.
        return Err(EINVAL);
    }
    let flags = |bits: u64| {
        let given = MountAttrFlags::from_bits_retain(bits);
        let chosen = ATTRIBUTES
            .iter()
            .filter(|(attribute, _)| given.contains(*attribute));
        chosen.fold(MountFlags::empty(), |all, (_, flag)| all | *flag)
    };
    let (mut clear, mut set) = (flags(attr.clear), flags(attr.set));
    match (
        attr.clear & ATIME,
        MountAttrFlags::from_bits_retain(attr.set & ATIME),
    ) {
        (0, none) if none.is_empty() => {}
        (ATIME, kept) => {
            clear |= MountFlags::NOATIME | MountFlags::RELATIME;
            set |= match kept {
                MountAttrFlags::NOATIME => MountFlags::NOATIME,
                MountAttrFlags::STRICTATIME => MountFlags::empty(),
                kept if kept.is_empty() => MountFlags::RELATIME,
                _ => return Err(EINVAL),
            };
        }
        _ => return Err(EINVAL),
    }
    Ok((clear, set))
}

fn read_attr(task: &Current, at: UserAddr, size: usize) -> Result<MountAttr, Errno> {
    let rest = size.checked_sub(SIZE_VER0).ok_or(EINVAL)?;
    let mut rest = vec![0; rest];
    task.mem()
        .read_bytes(at.add(SIZE_VER0 as u64)?, &mut rest)?;
    if rest.iter().any(|&byte| byte != 0) {
        return Err(E2BIG);
    }
    task.mem().read(at.cast())
}

impl Run<Current> for call::MountSetattr {
    fn run(self, task: &mut Current) -> SysResult {
        let path = PathFlags::all().bits();
        if self.flags & !(path | RECURSIVE | NO_AUTOMOUNT) != 0 {
            return Err(EINVAL.into());
        }
        if self.size as u64 > PAGE_SIZE {
            return Err(E2BIG.into());
        }
        if self.size < SIZE_VER0 {
            return Err(EINVAL.into());
        }
        privileged(task)?;
        let attr = read_attr(task, self.attr.addr(), self.size)?;
        if attr.set == 0 && attr.clear == 0 && attr.propagation == 0 {
            return Ok(0);
        }
        let propagation = match MountCall::from_bits_retain(attr.propagation) {
            none if none.is_empty() => None,
            kind => Some(super::mount::propagation(kind)?),
        };
        let (clear, set) = changes(&attr)?;
        let flags = PathFlags::from_bits_truncate(self.flags);
        let mut how = Walking::empty();
        how.set(
            Walking::FOLLOW,
            !flags.contains(PathFlags::SYMLINK_NOFOLLOW),
        );
        how.set(Walking::EMPTY, flags.contains(PathFlags::EMPTY_PATH));
        let at = task.walk_at(self.dirfd, &task.read_path(self.pathname)?, how)?;
        let depth = match self.flags & RECURSIVE {
            0 => Depth::One,
            _ => Depth::All,
        };
        namespace(task).set_attributes(&at, depth, |old| (old - clear) | set, propagation)?;
        Ok(0)
    }
}

//! Names that come, go and change: mkdir(2), mknod(2), link(2), unlink(2), symlink(2),
//! rename(2), readlink(2).

use syscalls::abi::fs::{LinkFlags, RenameFlags, S_IFMT, UnlinkFlags};
use syscalls::errno::{EINVAL, ENOENT, EPERM};
use syscalls::{Errno, Fd, Run, SysResult, UserCStr, UserPtr, call};

use crate::task::{Capabilities, Current};
use crate::vfs::rename::End;
use crate::vfs::walk::Walking;
use crate::vfs::{
    DeviceNumber, FileKind, LinkTarget, Location, Mode, NewNode, OpenMode, RenameMode,
};

fn mkdir(task: &Current, dirfd: Fd, path: UserCStr, mode: u32) -> SysResult {
    let path = task.read_path(path)?;
    // Of the upper bits only the sticky one can be asked for.
    let mode = Mode::from_raw(mode & 0o1777);
    task.make_node(dirfd, &path, NewNode::Directory, mode)?;
    Ok(0)
}

fn mknod(task: &Current, dirfd: Fd, path: UserCStr, mode: u32, dev: u32) -> SysResult {
    let device = |kind| NewNode::Device(kind, DeviceNumber::from_raw(dev.into()));
    let node = match (mode & S_IFMT, FileKind::from_mode(mode)) {
        (0, _) | (_, Some(FileKind::Regular)) => NewNode::Regular,
        (_, Some(FileKind::Fifo)) => NewNode::Fifo,
        (_, Some(FileKind::Socket)) => NewNode::Socket,
        (_, Some(kind @ (FileKind::CharDevice | FileKind::BlockDevice))) => device(kind),
        (_, Some(FileKind::Directory)) => return Err(EPERM.into()),
        (_, Some(FileKind::Symlink | FileKind::Untyped) | None) => return Err(EINVAL.into()),
    };
    let path = task.read_path(path)?;
    task.make_node(dirfd, &path, node, Mode::from_raw(mode))?;
    Ok(0)
}

fn symlink(task: &Current, target: UserCStr, dirfd: Fd, path: UserCStr) -> SysResult {
    let target = task.read_path(target)?;
    if target.is_empty() {
        return Err(ENOENT.into());
    }
    let path = task.read_path(path)?;
    task.make_symlink(dirfd, &path, &target)?;
    Ok(0)
}

fn link(task: &Current, old: (Fd, UserCStr), new: (Fd, UserCStr), flags: LinkFlags) -> SysResult {
    let old_path = task.read_path(old.1)?;
    let mut how = Walking::empty();
    if flags.contains(LinkFlags::SYMLINK_FOLLOW) {
        how |= Walking::FOLLOW;
    }
    if flags.contains(LinkFlags::EMPTY_PATH) {
        how |= Walking::EMPTY;
        let privileged = task.creds.get().has(Capabilities::DAC_READ_SEARCH);
        if old_path.is_empty() && !privileged {
            return Err(ENOENT.into());
        }
    }
    let at = task.walk_at(old.0, &old_path, how)?;
    task.make_link(&at, new.0, &task.read_path(new.1)?)?;
    Ok(0)
}

fn unlink(task: &Current, dirfd: Fd, path: UserCStr, flags: UnlinkFlags) -> SysResult {
    let path = task.read_path(path)?;
    if flags.contains(UnlinkFlags::REMOVEDIR) {
        task.remove_directory(dirfd, &path)?;
    } else {
        task.remove_file(dirfd, &path)?;
    }
    Ok(0)
}

fn rename(
    task: &Current,
    old: (Fd, UserCStr),
    new: (Fd, UserCStr),
    flags: RenameFlags,
) -> SysResult {
    let exchange = flags.contains(RenameFlags::EXCHANGE);
    let mode = match flags.contains(RenameFlags::NOREPLACE) {
        true if exchange => return Err(EINVAL.into()),
        true => RenameMode::NoReplace,
        false if exchange => RenameMode::Exchange,
        false => RenameMode::Replace,
    };
    if flags.contains(RenameFlags::WHITEOUT) {
        return Err(EINVAL.why("RENAME_WHITEOUT").into());
    }
    let old_path = task.read_path(old.1)?;
    // The old path's errors come first.
    let new_path = task.read_path(new.1).or_else(|errno| {
        let creds = task.creds.get();
        task.walk_to_entry(&creds, old.0, &old_path)?;
        Err(errno)
    })?;
    let end = |dirfd, path| End { dirfd, path };
    task.rename(&end(old.0, &old_path), &end(new.0, &new_path), mode)?;
    Ok(0)
}

fn readlink(
    task: &Current,
    dirfd: Fd,
    path: UserCStr,
    to: UserPtr<u8>,
    size: i32,
) -> Result<u64, Errno> {
    let size = usize::try_from(size)
        .ok()
        .filter(|&s| s > 0)
        .ok_or(EINVAL)?;
    let path = task.read_path(path)?;
    let at = if path.is_empty() {
        opened_link(task, dirfd)?
    } else {
        task.walk_at(dirfd, &path, Walking::empty())?
    };
    if at.inode().kind() != FileKind::Symlink {
        return Err(if path.is_empty() { ENOENT } else { EINVAL });
    }
    let text = match at.inode().read_link(task)? {
        LinkTarget::Text(text) | LinkTarget::Jump(_, text) => text,
    };
    let text = text.get(..size.min(text.len())).unwrap_or_default();
    task.mem().write_bytes(to.addr(), text)?;
    Ok(text.len() as u64)
}

/// An empty path means a link opened with `O_PATH | O_NOFOLLOW`.
fn opened_link(task: &Current, fd: Fd) -> Result<Location, Errno> {
    if fd == Fd::CWD {
        return Err(ENOENT);
    }
    let file = task.any_file(fd)?;
    if file.mode().contains(OpenMode::PATH) {
        Ok(file.location.clone())
    } else {
        Err(ENOENT)
    }
}

impl Run<Current> for call::Mkdir {
    fn run(self, task: &mut Current) -> SysResult {
        mkdir(task, Fd::CWD, self.pathname, self.mode)
    }
}

impl Run<Current> for call::Mkdirat {
    fn run(self, task: &mut Current) -> SysResult {
        mkdir(task, self.dirfd, self.pathname, self.mode)
    }
}

impl Run<Current> for call::Mknod {
    fn run(self, task: &mut Current) -> SysResult {
        mknod(task, Fd::CWD, self.pathname, self.mode, self.dev)
    }
}

impl Run<Current> for call::Mknodat {
    fn run(self, task: &mut Current) -> SysResult {
        mknod(task, self.dirfd, self.pathname, self.mode, self.dev)
    }
}

impl Run<Current> for call::Symlink {
    fn run(self, task: &mut Current) -> SysResult {
        symlink(task, self.target, Fd::CWD, self.linkpath)
    }
}

impl Run<Current> for call::Symlinkat {
    fn run(self, task: &mut Current) -> SysResult {
        symlink(task, self.target, self.newdirfd, self.linkpath)
    }
}

impl Run<Current> for call::Link {
    fn run(self, task: &mut Current) -> SysResult {
        let (old, new) = ((Fd::CWD, self.oldpath), (Fd::CWD, self.newpath));
        link(task, old, new, LinkFlags::empty())
    }
}

impl Run<Current> for call::Linkat {
    fn run(self, task: &mut Current) -> SysResult {
        let old = (self.olddirfd, self.oldpath);
        link(task, old, (self.newdirfd, self.newpath), self.flags)
    }
}

impl Run<Current> for call::Unlink {
    fn run(self, task: &mut Current) -> SysResult {
        unlink(task, Fd::CWD, self.pathname, UnlinkFlags::empty())
    }
}

impl Run<Current> for call::Rmdir {
    fn run(self, task: &mut Current) -> SysResult {
        unlink(task, Fd::CWD, self.pathname, UnlinkFlags::REMOVEDIR)
    }
}

impl Run<Current> for call::Unlinkat {
    fn run(self, task: &mut Current) -> SysResult {
        unlink(task, self.dirfd, self.pathname, self.flags)
    }
}

impl Run<Current> for call::Rename {
    fn run(self, task: &mut Current) -> SysResult {
        let (old, new) = ((Fd::CWD, self.oldpath), (Fd::CWD, self.newpath));
        rename(task, old, new, RenameFlags::empty())
    }
}

impl Run<Current> for call::Renameat {
    fn run(self, task: &mut Current) -> SysResult {
        let old = (self.olddirfd, self.oldpath);
        rename(
            task,
            old,
            (self.newdirfd, self.newpath),
            RenameFlags::empty(),
        )
    }
}

impl Run<Current> for call::Renameat2 {
    fn run(self, task: &mut Current) -> SysResult {
        let old = (self.olddirfd, self.oldpath);
        rename(task, old, (self.newdirfd, self.newpath), self.flags)
    }
}

impl Run<Current> for call::Readlink {
    fn run(self, task: &mut Current) -> SysResult {
        Ok(readlink(
            task,
            Fd::CWD,
            self.pathname,
            self.buf,
            self.bufsiz,
        )?)
    }
}

impl Run<Current> for call::Readlinkat {
    fn run(self, task: &mut Current) -> SysResult {
        Ok(readlink(
            task,
            self.dirfd,
            self.pathname,
            self.buf,
            self.bufsiz,
        )?)
    }
}

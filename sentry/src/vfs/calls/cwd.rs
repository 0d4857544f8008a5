//! Where a task stands: getcwd(2), chdir(2), chroot(2), umask(2).

use std::sync::Arc;

use syscalls::errno::{ENOENT, ENOTDIR, EPERM, ERANGE};
use syscalls::{Errno, Run, SysResult, call};

use crate::task::{Capabilities, Current, FsContext};
use crate::vfs::walk::Walking;
use crate::vfs::{Access, Location, permit};

fn context(task: &Current) -> Arc<FsContext> {
    task.fs.get()
}

/// A directory that may become the working directory or the root.
fn directory(task: &Current, at: Location) -> Result<Location, Errno> {
    if !at.dentry.is_dir() {
        return Err(ENOTDIR);
    }
    permit(&task.creds.get(), at.inode(), Access::EXEC)?;
    Ok(at)
}

impl Run<Current> for call::Getcwd {
    fn run(self, task: &mut Current) -> SysResult {
        let text = task.cwd().path_text(&task.root());
        if text.deleted {
            return Err(ENOENT.into());
        }
        let mut path = Vec::new();
        if !text.reachable {
            path.extend_from_slice(b"(unreachable)");
        }
        path.extend_from_slice(&text.bytes);
        path.push(0);
        if path.len() > self.size {
            return Err(ERANGE.into());
        }
        task.mem().write_bytes(self.buf.addr(), &path)?;
        Ok(path.len() as u64)
    }
}

impl Run<Current> for call::Chdir {
    fn run(self, task: &mut Current) -> SysResult {
        let path = task.read_path(self.path)?;
        let at = task.walk(&path, Walking::FOLLOW | Walking::DIRECTORY)?;
        let at = directory(task, at)?;
        context(task).cwd.set(at);
        Ok(0)
    }
}

impl Run<Current> for call::Fchdir {
    fn run(self, task: &mut Current) -> SysResult {
        let file = task.any_file(self.fd)?;
        let at = directory(task, file.location.clone())?;
        context(task).cwd.set(at);
        Ok(0)
    }
}

impl Run<Current> for call::Chroot {
    fn run(self, task: &mut Current) -> SysResult {
        let path = task.read_path(self.path)?;
        let at = task.walk(&path, Walking::FOLLOW | Walking::DIRECTORY)?;
        let at = directory(task, at)?;
        if !task.creds.get().has_here(Capabilities::SYS_CHROOT) {
            return Err(EPERM.into());
        }
        context(task).root.set(at);
        Ok(0)
    }
}

impl Run<Current> for call::Umask {
    fn run(self, task: &mut Current) -> SysResult {
        let mask = u16::try_from(self.mask & 0o777).unwrap_or_default();
        Ok(context(task).umask.set(mask).into())
    }
}

//! inotify_init(2), inotify_add_watch(2), inotify_rm_watch(2).

use syscalls::abi::fs::{InotifyFlags, WatchMask};
use syscalls::errno::EINVAL;
use syscalls::{Run, SysResult, call};

use super::file::InotifyFile;
use super::instance::Instance;
use crate::fd::CloseOnExec;
use crate::task::Current;
use crate::vfs::walk::Walking;
use crate::vfs::{Access, AnonKind, OpenMode, permit};

fn inotify(task: &Current, flags: InotifyFlags) -> SysResult {
    let user = task.kernel.users.get(task.creds.get().uid.real);
    let ops = InotifyFile(Instance::new(&task.kernel, user)?);
    let fd = task.reserve_fd()?;
    let mut mode = OpenMode::empty();
    mode.set(OpenMode::NONBLOCK, flags.contains(InotifyFlags::NONBLOCK));
    let file = AnonKind::Inode("inotify").open(task, Box::new(ops), mode);
    let close = CloseOnExec::when(flags.contains(InotifyFlags::CLOEXEC));
    fd.fill(file, close).to_result()
}

impl Run<Current> for call::InotifyInit {
    fn run(self, task: &mut Current) -> SysResult {
        inotify(task, InotifyFlags::empty())
    }
}

impl Run<Current> for call::InotifyInit1 {
    fn run(self, task: &mut Current) -> SysResult {
        inotify(task, self.flags)
    }
}

impl Run<Current> for call::InotifyAddWatch {
    fn run(self, task: &mut Current) -> SysResult {
        if self.mask.is_empty() {
            return Err(EINVAL.into());
        }
        let file = task.file(self.fd)?;
        if self
            .mask
            .contains(WatchMask::MASK_ADD | WatchMask::MASK_CREATE)
        {
            return Err(EINVAL.into());
        }
        let instance = &file.downcast::<InotifyFile>().ok_or(EINVAL)?.0;
        let mut how = Walking::FOLLOW;
        how.set(Walking::FOLLOW, !self.mask.contains(WatchMask::DONT_FOLLOW));
        how.set(Walking::DIRECTORY, self.mask.contains(WatchMask::ONLYDIR));
        let path = task.read_path(self.pathname)?;
        let at = task.walk(&path, how)?;
        permit(&task.creds.get(), at.inode(), Access::READ)?;
        let most = task
            .kernel
            .sysctls
            .number("fs.inotify.max_user_watches", 65_536);
        let most = u64::try_from(most).unwrap_or(0);
        let wd = instance.watch(at.inode(), self.mask, most)?;
        Ok(u64::try_from(wd).map_err(|_| EINVAL)?)
    }
}

impl Run<Current> for call::InotifyRmWatch {
    fn run(self, task: &mut Current) -> SysResult {
        let file = task.file(self.fd)?;
        let instance = &file.downcast::<InotifyFile>().ok_or(EINVAL)?.0;
        instance.unwatch(self.wd)?;
        Ok(0)
    }
}

//! name_to_handle_at(2), open_by_handle_at(2).

use syscalls::abi::fs::{FileHandle, HandleFlags};
use syscalls::errno::{EINVAL, ENOENT, EOVERFLOW, EPERM, ESTALE};
use syscalls::{Errno, Fd, Run, SysResult, UserAddr, UserPtr, call};

use super::open::fd_result;
use crate::fd::CloseOnExec;
use crate::task::{Capabilities, Current};
use crate::vfs::handle::{self, KIND, SIZE};
use crate::vfs::open::Opening;
use crate::vfs::walk::Walking;
use crate::vfs::{Location, Mount};

/// The longest handle of any file system, bytes.
const MAX: usize = 128;

/// Where the bytes of a handle stand.
fn body(at: UserPtr<FileHandle>) -> Result<UserAddr, Errno> {
    at.addr().add(size_of::<FileHandle>() as u64)
}

/// Room that the program has, or bytes that it gives; `EINVAL` for more than any handle has.
fn length(head: &FileHandle) -> Result<usize, Errno> {
    let length = usize::try_from(head.bytes).map_err(|_| EINVAL)?;
    if length > MAX {
        Err(EINVAL)
    } else {
        Ok(length)
    }
}

fn locate(task: &Current, call: &call::NameToHandleAt) -> Result<Location, Errno> {
    let flags = call.flags;
    let mut how = Walking::empty();
    how.set(Walking::FOLLOW, flags.contains(HandleFlags::SYMLINK_FOLLOW));
    how.set(Walking::EMPTY, flags.contains(HandleFlags::EMPTY_PATH));
    let path = task.read_path(call.pathname)?;
    if path.is_empty() && !how.contains(Walking::EMPTY) {
        return Err(ENOENT);
    }
    task.walk_at(call.dirfd, &path, how)
}

/// Tells which mount the file was found through.
fn tell_mount(task: &Current, call: &call::NameToHandleAt, mount: &Mount) -> Result<(), Errno> {
    if call.flags.contains(HandleFlags::MNT_ID_UNIQUE) {
        let id = mount.unique_id();
        return task.mem().write(call.mount_id.addr().cast(), &id);
    }
    let id = i32::try_from(mount.id).map_err(|_| EOVERFLOW)?;
    task.mem().write(call.mount_id, &id)
}

impl Run<Current> for call::NameToHandleAt {
    fn run(self, task: &mut Current) -> SysResult {
        let at = locate(task, &self)?;
        let bytes = handle::of(&at)?;
        let mut head = task.mem().read(self.handle)?;
        let fits = length(&head)? >= SIZE;
        head.bytes = u32::try_from(SIZE).map_err(|_| EINVAL)?;
        if fits {
            head.kind = KIND;
            task.mem().write_bytes(body(self.handle)?, &bytes)?;
        }
        tell_mount(task, &self, &at.mount)?;
        task.mem().write(self.handle, &head)?;
        if fits { Ok(0) } else { Err(EOVERFLOW.into()) }
    }
}

impl Run<Current> for call::OpenByHandleAt {
    fn run(self, task: &mut Current) -> SysResult {
        if !task.creds.get().has(Capabilities::DAC_READ_SEARCH) {
            return Err(EPERM.into());
        }
        let open = Opening::lenient(self.flags, 0)?;
        let mount = if self.mount_fd == Fd::CWD {
            task.fs.get().cwd.get().mount
        } else {
            task.any_file(self.mount_fd)?.location.mount.clone()
        };
        let head = task.mem().read(self.handle)?;
        let length = length(&head)?;
        if length == 0 {
            return Err(EINVAL.into());
        }
        let mut bytes = [0; MAX];
        let given = bytes.get_mut(..length).ok_or(EINVAL)?;
        task.mem().read_bytes(body(self.handle)?, given)?;
        let own = bytes
            .first_chunk()
            .filter(|_| length == SIZE && head.kind == KIND);
        let location = handle::find(&mount, *own.ok_or(ESTALE)?)?;
        let reservation = task.reserve_fd()?;
        let file = task.open_found(location, &open)?;
        let close = CloseOnExec::when(open.closes_on_exec());
        Ok(fd_result(reservation.fill(file, close)))
    }
}

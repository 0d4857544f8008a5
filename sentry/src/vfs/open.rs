//! Opening files, open(2) and openat2(2).

use std::any::Any;
use std::sync::Arc;

use syscalls::abi::fs::OpenFlags;
use syscalls::errno::{
    EACCES, EAGAIN, EEXIST, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, ENXIO, EPERM, EROFS,
};
use syscalls::{Errno, Fd, Stop};

use super::access::{Access, acts_as_owner, permit};
use super::create::{make, may_create, owner_of_new};
use super::dentry::Place;
use super::locks::LockKind;
use super::locks::lease::{self, Breaking};
use super::lookup::AnyName;
use super::notify::{self, Event};
use super::unnamed::mark_linkable;
use super::walk::{Last, Walk, Walking};
use super::write_access::{Claim, DenyWrite, ReadAccess, WriteAccess};
use super::{
    Dentry, File, FileKind, FileName, FileOps, InodeRef, Location, Mode, MountFlags, NewNode,
    OpenMode, Owner, SetAttr, device, seals,
};
use crate::task::{Credentials, Current};

/// A checked wish to open a file.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    flags: OpenFlags,
    mode: Mode,
    how: Walking,
}

/// What O_PATH leaves of the other flags.
const PATH_FLAGS: OpenFlags = OpenFlags::DIRECTORY
    .union(OpenFlags::NOFOLLOW)
    .union(OpenFlags::PATH)
    .union(OpenFlags::CLOEXEC);

impl Opening {
    /// As open(2) takes it: what does not fit together is dropped; `EINVAL` for the few
    /// combinations that are refused there too.
    pub fn lenient(flags: OpenFlags, mode: u32) -> Result<Self, Errno> {
        let flags = if flags.contains(OpenFlags::PATH) {
            flags & PATH_FLAGS
        } else {
            flags | OpenFlags::LARGEFILE
        };
        let mode = if creates(flags) { mode & 0o7777 } else { 0 };
        Self::strict(flags, mode.into(), Walking::default())
    }

    /// As openat2(2) takes it; `how` is what its resolve flags say.
    pub fn strict(flags: OpenFlags, mode: u64, how: Walking) -> Result<Self, Errno> {
        let allowed = if creates(flags) { 0o7777 } else { 0 };
        if mode & !allowed != 0 || how.contains(Walking::SCOPED) {
            return Err(EINVAL);
        }
        if flags.contains(OpenFlags::DIRECTORY | OpenFlags::CREAT) {
            return Err(EINVAL);
        }
        let tmpfile = OpenFlags::TMPFILE - OpenFlags::DIRECTORY;
        let writes = flags.intersects(OpenFlags::ACCMODE);
        if flags.contains(tmpfile) && !(flags.contains(OpenFlags::DIRECTORY) && writes) {
            return Err(EINVAL);
        }
        if flags.contains(OpenFlags::PATH) && !PATH_FLAGS.contains(flags) {
            return Err(EINVAL);
        }
        let changes = OpenFlags::TRUNC | OpenFlags::CREAT | tmpfile;
        if how.contains(Walking::CACHED) && flags.intersects(changes) {
            return Err(EAGAIN);
        }
        let mut flags = flags;
        if flags.contains(OpenFlags::SYNC) {
            flags |= OpenFlags::DSYNC;
        }
        let mut how = how;
        if !flags.contains(OpenFlags::NOFOLLOW) {
            how |= Walking::FOLLOW;
        }
        if flags.contains(OpenFlags::DIRECTORY) {
            how |= Walking::DIRECTORY;
        }
        Ok(Opening {
            flags,
            mode: Mode::from_raw(u32::try_from(mode).map_err(|_| EINVAL)?),
            how,
        })
    }

    /// For reading, by the kernel's own wish.
    #[must_use]
    pub fn reading() -> Self {
        Opening {
            flags: OpenFlags::LARGEFILE,
            mode: Mode::empty(),
            how: Walking::FOLLOW,
        }
    }

    /// O_CLOEXEC.
    #[must_use]
    pub fn closes_on_exec(&self) -> bool {
        self.flags.contains(OpenFlags::CLOEXEC)
    }

    /// What the permission bits must grant. Access mode 3 asks for both and gives neither.
    fn access(&self) -> Access {
        let mut access = match (self.flags & OpenFlags::ACCMODE).bits() {
            0 => Access::READ,
            1 => Access::WRITE,
            _ => Access::READ | Access::WRITE,
        };
        if self.flags.contains(OpenFlags::TRUNC) {
            access |= Access::WRITE;
        }
        access
    }

    /// The status of the open file. O_NOCTTY is left in: who opens a terminal looks at it.
    fn open_mode(&self) -> OpenMode {
        let drop = OpenFlags::CREAT | OpenFlags::EXCL | OpenFlags::TRUNC | OpenFlags::CLOEXEC;
        OpenMode::from_bits_retain((self.flags - drop).bits())
    }

    fn has(&self, flag: OpenFlags) -> bool {
        self.flags.contains(flag)
    }
}

fn creates(flags: OpenFlags) -> bool {
    flags.contains(OpenFlags::CREAT) || flags.contains(OpenFlags::TMPFILE - OpenFlags::DIRECTORY)
}

/// Whether open(2) made the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    Yes,
    No,
}

impl Current {
    /// open(2) without the descriptor.
    pub fn open_at(&self, dirfd: Fd, path: &[u8], open: &Opening) -> Result<Arc<File>, Stop> {
        let creds = self.creds.get();
        if open.has(OpenFlags::TMPFILE) {
            return Ok(self.open_unnamed(&creds, dirfd, path, open)?);
        }
        let (location, made) = if open.has(OpenFlags::CREAT) {
            self.find_or_create(&creds, dirfd, path, open)?
        } else {
            let location = self.walk_as(&creds, dirfd, path, open.how)?;
            (location, Made::No)
        };
        if open.has(OpenFlags::PATH) {
            return self.open_found(location, open);
        }
        self.open_location(&creds, location, open, made)
    }

    /// Opens what is at `location`, by the kernel's own wish; the path was dealt with.
    pub fn open_here(&self, location: Location, open: &Opening) -> Result<Arc<File>, Stop> {
        self.open_location(&self.creds.get(), location, open, Made::No)
    }

    /// Opens what was found by other means than a path, O_PATH too.
    pub(super) fn open_found(&self, location: Location, open: &Opening) -> Result<Arc<File>, Stop> {
        if open.has(OpenFlags::PATH) {
            let mode = open.open_mode();
            return Ok(File::new(location, Box::new(PathOnly), mode));
        }
        self.open_here(location, open)
    }

    /// Opens a program to run it: `EACCES` unless it is a regular file that may be
    /// executed, on a mount that allows it; `ETXTBSY` while it is open for writing. Nobody
    /// can open it for writing as long as the file returned is there.
    ///
    /// Differs from Linux: the same holds for an ELF interpreter, for as long as it is
    /// mapped.
    pub fn open_program(&self, location: Location) -> Result<Arc<File>, Errno> {
        let inode = location.inode();
        match inode.kind() {
            FileKind::Regular => {}
            FileKind::Symlink => return Err(ELOOP),
            _ => return Err(EACCES),
        }
        if location.mount.flags().contains(MountFlags::NOEXEC) {
            return Err(EACCES);
        }
        permit(&self.creds.get(), inode, Access::EXEC)?;
        let claim = Claim::Run(DenyWrite::take(inode)?);
        let mode = OpenMode::LARGEFILE;
        let ops = inode.clone().open(self, mode)?;
        Ok(File::with_claim(location, ops, mode, claim))
    }

    fn find_or_create(
        &self,
        creds: &Credentials,
        dirfd: Fd,
        path: &[u8],
        open: &Opening,
    ) -> Result<(Location, Made), Errno> {
        let mut walk = Walk::new(self, creds, || self.start(dirfd), path, open.how)?;
        let exclusive = open.has(OpenFlags::EXCL);
        loop {
            let last = walk.up_to_last()?;
            let Last::Name { range, slash } = last else {
                return Ok((walk.finish_at(&last)?, Made::No));
            };
            if slash {
                return Err(EISDIR);
            }
            // Somebody else may create and remove the name again and again.
            let child = loop {
                match walk.child(&range) {
                    Ok(_) if exclusive => return Err(EEXIST),
                    Err(ENOENT) => {
                        let dir = walk.here();
                        let name = walk.name(&range);
                        match self.create_regular(creds, dir, name, open.mode) {
                            Err(EEXIST) if !exclusive => {}
                            made => return Ok((made?, Made::Yes)),
                        }
                    }
                    found => break found?,
                }
            };
            if child.inode().kind() != FileKind::Symlink {
                may_reuse(creds, walk.here(), &child)?;
                return Ok((child, Made::No));
            }
            if open.has(OpenFlags::NOFOLLOW) {
                may_reuse(creds, walk.here(), &child)?;
                return Err(ELOOP);
            }
            walk.follow(&child)?;
            if walk.is_at_end() {
                return Ok((walk.arrive()?, Made::No));
            }
        }
    }

    fn create_regular(
        &self,
        creds: &Credentials,
        dir: &Location,
        any_name: AnyName,
        mode: Mode,
    ) -> Result<Location, Errno> {
        let mode = self.less_umask(mode);
        let name;
        let dentry = {
            let change = dir.dentry.change()?;
            name = change.free(any_name)?;
            make(creds, dir, &change, &name, NewNode::Regular, mode)?
        };
        notify::entry(Event::Create, dir, &name, &dentry);
        Ok(Location {
            mount: dir.mount.clone(),
            dentry,
        })
    }

    /// Opens what `dir` has as `name`, made by `make` with O_CREAT if there is nothing:
    /// for directories that no path leads to.
    pub(crate) fn open_named(
        &self,
        dir: &Location,
        name: &FileName,
        open: &Opening,
        make: impl FnOnce(Owner) -> Result<InodeRef, Errno>,
    ) -> Result<Arc<File>, Stop> {
        let creds = self.creds.get();
        let (dentry, made) = {
            let change = dir.dentry.change()?;
            match change.child(name) {
                Ok(known) => (known, Made::No),
                Err(ENOENT) if open.has(OpenFlags::CREAT) => {
                    may_create(&creds, dir, &change)?;
                    let mode = self.less_umask(open.mode);
                    let owner = owner_of_new(&creds, change.inode(), false, mode)?;
                    (change.created(name, make(owner)?), Made::Yes)
                }
                Err(error) => return Err(error.into()),
            }
        };
        if made == Made::Yes {
            notify::entry(Event::Create, dir, name, &dentry);
        }
        let location = Location {
            mount: dir.mount.clone(),
            dentry,
        };
        self.open_location(&creds, location, open, made)
    }

    /// O_TMPFILE.
    fn open_unnamed(
        &self,
        creds: &Credentials,
        dirfd: Fd,
        path: &[u8],
        open: &Opening,
    ) -> Result<Arc<File>, Errno> {
        let dir = self.walk_as(creds, dirfd, path, open.how)?;
        if !dir.mount.is_writable() {
            return Err(EROFS);
        }
        permit(creds, dir.inode(), Access::WRITE | Access::EXEC)?;
        let mode = self.less_umask(open.mode);
        let owner = owner_of_new(creds, dir.inode(), false, mode)?;
        let inode = dir.inode().create_unnamed(owner)?;
        if !open.has(OpenFlags::EXCL) {
            mark_linkable(&inode);
        }
        let claim = Claim::Write(WriteAccess::take(&inode)?);
        let mode = open.open_mode();
        let ops = inode.clone().open(self, mode)?;
        let place = Place {
            name: format!("#{}", inode.ino()).into_bytes().into(),
            parent: Some(dir.dentry),
            deleted: true,
        };
        let location = Location {
            mount: dir.mount,
            dentry: Dentry::with_place(inode, place),
        };
        Ok(File::with_claim(location, ops, mode, claim))
    }

    fn open_location(
        &self,
        creds: &Credentials,
        location: Location,
        open: &Opening,
        made: Made,
    ) -> Result<Arc<File>, Stop> {
        let inode = location.inode().clone();
        let kind = inode.kind();
        let is_dir = kind == FileKind::Directory;
        if made == Made::No && open.has(OpenFlags::CREAT) {
            if open.has(OpenFlags::EXCL) {
                return Err(EEXIST.into());
            }
            if is_dir {
                return Err(EISDIR.into());
            }
        }
        if open.has(OpenFlags::DIRECTORY) && !is_dir {
            return Err(ENOTDIR.into());
        }
        let truncates = made == Made::No && kind == FileKind::Regular && open.has(OpenFlags::TRUNC);
        if truncates && !location.mount.is_writable() {
            return Err(EROFS.into());
        }
        let access = match made {
            Made::Yes => Access::empty(),
            Made::No => open.access(),
        };
        may_open(creds, &location, open, access)?;
        let mode = open.open_mode();
        let regular = matches!(kind, FileKind::Regular | FileKind::Directory);
        if mode.writes() && regular && !location.mount.is_writable() {
            return Err(EROFS.into());
        }
        let claim = match kind {
            FileKind::Regular if mode.writes() => Claim::Write(WriteAccess::take(&inode)?),
            FileKind::Regular => Claim::Read(ReadAccess::take(&inode)),
            _ => Claim::None,
        };
        self.break_leases(&inode, open, made)?;
        let ops = self.open_inode(&location, mode)?;
        notify::event(Event::Open, &location);
        if truncates {
            let _access = WriteAccess::take(&inode)?;
            seals::check_resize(&inode, 0)?;
            let set = SetAttr {
                size: Some(0),
                mode: super::set_id::without(creds, &inode)?,
                ..SetAttr::default()
            };
            inode.set_attr(&set)?;
            notify::event(Event::Modify, &location);
        }
        let mode = mode - OpenMode::NOCTTY;
        let file = File::with_claim(location, ops, mode, claim);
        if made == Made::Yes {
            file.note_made();
        }
        Ok(file)
    }

    /// Waits until nobody has a lease that this opening would break.
    fn break_leases(&self, inode: &InodeRef, open: &Opening, made: Made) -> Result<(), Stop> {
        // As Linux has it, O_TRUNC alone breaks none.
        let writes = open.flags.intersects(OpenFlags::ACCMODE);
        let wanted = match made {
            Made::Yes => return Ok(()),
            Made::No if writes => LockKind::Write,
            Made::No => LockKind::Read,
        };
        let how = if open.has(OpenFlags::NONBLOCK) {
            Breaking::Asks
        } else {
            Breaking::Waits
        };
        lease::break_for(self, inode, wanted, how)
    }

    fn open_inode(&self, location: &Location, mode: OpenMode) -> Result<Box<dyn FileOps>, Stop> {
        let inode = location.inode();
        if inode.opens_itself() {
            return Ok(inode.clone().open(self, mode)?);
        }
        match inode.kind() {
            FileKind::Fifo => Ok(Box::new(crate::pipe::open_fifo(self, inode, mode)?)),
            FileKind::CharDevice | FileKind::BlockDevice => Ok(device::open(self, location, mode)?),
            FileKind::Socket | FileKind::Untyped => Err(ENXIO.into()),
            FileKind::Symlink => Err(ELOOP.into()),
            FileKind::Regular | FileKind::Directory => Ok(inode.clone().open(self, mode)?),
        }
    }
}

/// What is no regular file or FIFO and lies in a directory for everybody may be opened
/// with O_CREAT by its owner and the directory's alone; for those two proc_sys_fs(5)'s
/// protected_regular and protected_fifos would say the same.
fn may_reuse(creds: &Credentials, dir: &Location, child: &Location) -> Result<(), Errno> {
    let kind = child.inode().kind();
    if matches!(
        kind,
        FileKind::Regular | FileKind::Fifo | FileKind::Directory
    ) {
        return Ok(());
    }
    let above = dir.inode().owner()?;
    let shared = above.mode.contains(Mode::STICKY) && above.mode.bits() & 0o002 != 0;
    if !shared {
        return Ok(());
    }
    let uid = child.inode().owner()?.uid;
    if uid == above.uid || uid == creds.uid.fs {
        Ok(())
    } else {
        Err(EACCES)
    }
}

fn may_open(
    creds: &Credentials,
    location: &Location,
    open: &Opening,
    access: Access,
) -> Result<(), Errno> {
    let inode = location.inode();
    match inode.kind() {
        FileKind::Symlink => return Err(ELOOP),
        FileKind::Directory if access.contains(Access::WRITE) => return Err(EISDIR),
        FileKind::CharDevice | FileKind::BlockDevice
            if location.mount.flags().contains(MountFlags::NODEV)
                || !inode.super_block().has_devices() =>
        {
            return Err(EACCES);
        }
        _ => {}
    }
    if !access.is_empty() {
        permit(creds, inode, access)?;
    }
    if open.has(OpenFlags::NOATIME) && !acts_as_owner(creds, inode.owner()?.uid) {
        return Err(EPERM);
    }
    Ok(())
}

/// What an O_PATH descriptor can do: nothing.
struct PathOnly;

impl FileOps for PathOnly {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

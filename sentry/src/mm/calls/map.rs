//! mmap(2), munmap(2), mremap(2), brk(2), remap_file_pages(2).

use std::sync::Arc;

use platform::Prot;
use syscalls::abi::mm::{MapFlags, MremapFlags, ProtFlags};
use syscalls::errno::{EACCES, EBADF, EINVAL, ENOMEM, EOPNOTSUPP, EPERM};
use syscalls::{Errno, PAGE_SIZE, Run, SysResult, UserAddr, call};

use super::super::{
    Content, MapName, Mappable, Mm, Move, NewMapping, Old, Placement, Remap, VmaFlags,
};
use super::lock_limit;
use super::protect::prot;
use crate::fs::page_cache::PageCache;
use crate::task::Current;
use crate::vfs::{File, MountFlags, seals};

/// What a MAP_SHARED_VALIDATE mapping may say.
const KNOWN: MapFlags = MapFlags::all().difference(MapFlags::SYNC);

impl Run<Current> for call::Mmap {
    fn run(self, task: &mut Current) -> SysResult {
        if !self.offset.is_multiple_of(PAGE_SIZE) {
            return Err(EINVAL.into());
        }
        let anonymous = self.flags.contains(MapFlags::ANONYMOUS);
        let file = if anonymous {
            None
        } else {
            Some(task.file(self.fd)?)
        };
        if self.length == 0 {
            return Err(EINVAL.into());
        }
        if self.flags.contains(MapFlags::HUGETLB) {
            // As a Linux whose pool of huge pages is empty.
            return Err(ENOMEM.into());
        }
        let mut new = NewMapping {
            prot: prot(self.prot),
            lock_limit: lock_limit(task),
            ..NewMapping::zeros(placement(self.addr, self.flags), self.length)
        };
        let shared = sharing(self.flags, file.is_some())?;
        set_flags(&mut new, self.flags, shared);
        if new.flags.contains(VmaFlags::LOCKED) && new.lock_limit == 0 {
            return Err(EPERM.into());
        }
        match file {
            Some(file) => of_file(&mut new, &file, self.offset)?,
            None if shared && self.length > 0 => of_shared_memory(task.mem(), &mut new)?,
            None => {}
        }
        let addr = task.mem().map(new)?;
        if self.flags.contains(MapFlags::POPULATE) && !self.flags.contains(MapFlags::NONBLOCK) {
            let end = addr.get().saturating_add(self.length);
            task.mem().populate(addr.get(), end);
        }
        Ok(addr.get())
    }
}

fn placement(addr: UserAddr, flags: MapFlags) -> Placement {
    if flags.contains(MapFlags::FIXED_NOREPLACE) {
        Placement::FixedFree(addr.get())
    } else if flags.contains(MapFlags::FIXED) {
        Placement::Fixed(addr.get())
    } else if !addr.is_null() {
        Placement::Hint(addr.get())
    } else if flags.contains(MapFlags::X32BIT) {
        Placement::Low
    } else {
        Placement::Anywhere
    }
}

/// Whether writes reach others; `EINVAL` for a type that does not exist.
fn sharing(flags: MapFlags, file: bool) -> Result<bool, Errno> {
    let kind = MapFlags::from_bits_retain(flags.bits() & MapFlags::TYPE);
    if kind == MapFlags::PRIVATE {
        Ok(false)
    } else if kind == MapFlags::SHARED {
        Ok(true)
    } else if kind == MapFlags::SHARED_VALIDATE && file {
        if KNOWN.contains(flags) {
            Ok(true)
        } else {
            Err(EOPNOTSUPP)
        }
    } else {
        Err(EINVAL)
    }
}

fn set_flags(new: &mut NewMapping, flags: MapFlags, shared: bool) {
    let pairs = [
        (MapFlags::GROWSDOWN, VmaFlags::GROWS_DOWN),
        (MapFlags::LOCKED, VmaFlags::LOCKED),
        (MapFlags::NORESERVE, VmaFlags::NO_RESERVE),
    ];
    for (map, vma) in pairs {
        new.flags.set(vma, flags.contains(map));
    }
    new.flags.set(VmaFlags::SHARED, shared);
}

/// Checks that `file` may be mapped so, in Linux's order.
fn of_file(new: &mut NewMapping, file: &Arc<File>, offset: u64) -> Result<(), Errno> {
    let shared = new.flags.contains(VmaFlags::SHARED);
    let mode = file.mode();
    let writes = new.prot.contains(Prot::WRITE);
    if shared && writes {
        if !mode.writes() {
            return Err(EACCES);
        }
        seals::check_shared_writable(file.inode())?;
    }
    if !mode.reads() {
        return Err(EACCES);
    }
    let sealed = seals::check_shared_writable(file.inode()).is_err();
    if shared && (!mode.writes() || sealed) {
        new.may -= Prot::WRITE;
    }
    if file.location.mount.flags().contains(MountFlags::NOEXEC) {
        if new.prot.contains(Prot::EXEC) {
            return Err(EPERM);
        }
        new.may -= Prot::EXEC;
    }
    let source = file.ops.mappable(file)?;
    if new.flags.contains(VmaFlags::GROWS_DOWN) {
        return Err(EINVAL);
    }
    new.content = Content::Source {
        source,
        file: Some(file.clone()),
        offset,
    };
    Ok(())
}

/// Zeros that fork(2) shares.
fn of_shared_memory(mm: &Mm, new: &mut NewMapping) -> Result<(), Errno> {
    if new.flags.contains(VmaFlags::GROWS_DOWN) {
        return Err(EINVAL);
    }
    let size = new.len.checked_next_multiple_of(PAGE_SIZE).ok_or(ENOMEM)?;
    let source: Arc<dyn Mappable> = Arc::new(PageCache::new(mm.file().clone(), None, None, size));
    new.content = Content::Source {
        source,
        file: None,
        offset: 0,
    };
    new.name = Some(MapName::SharedMemory(b"/dev/zero (deleted)"[..].into()));
    Ok(())
}

impl Run<Current> for call::Munmap {
    fn run(self, task: &mut Current) -> SysResult {
        task.mem().unmap(self.addr, self.length)?;
        Ok(0)
    }
}

impl Run<Current> for call::Brk {
    fn run(self, task: &mut Current) -> SysResult {
        Ok(task.mem().set_brk(self.addr, lock_limit(task)).get())
    }
}

impl Run<Current> for call::Mremap {
    fn run(self, task: &mut Current) -> SysResult {
        let flags = self.flags;
        let may_move = flags.contains(MremapFlags::MAYMOVE);
        let keep = flags.contains(MremapFlags::DONTUNMAP);
        if (flags.contains(MremapFlags::FIXED) || keep) && !may_move {
            return Err(EINVAL.into());
        }
        if keep && self.old_size != self.new_size {
            return Err(EINVAL.into());
        }
        let to = if flags.contains(MremapFlags::FIXED) {
            Move::To(self.new_address.get())
        } else if may_move {
            Move::May
        } else {
            Move::No
        };
        let addr = task.mem().remap(Remap {
            start: self.old_address,
            old_len: self.old_size,
            new_len: self.new_size,
            to,
            old: if keep { Old::Keep } else { Old::Unmap },
            lock_limit: lock_limit(task),
        })?;
        Ok(addr.get())
    }
}

impl Run<Current> for call::RemapFilePages {
    /// As Linux since 4.0: a shared mapping is replaced in part by another of the same.
    fn run(self, task: &mut Current) -> SysResult {
        let start = self.addr.page_floor();
        let len = self.size & !(PAGE_SIZE - 1);
        let end = start.add(len).map_err(|_| EINVAL)?;
        let offset = self.pgoff.checked_mul(PAGE_SIZE).ok_or(EINVAL)?;
        if self.prot != ProtFlags::empty() || len == 0 {
            return Err(EINVAL.into());
        }
        task.mem().remap_file_pages(start, end, offset)?;
        Ok(0)
    }
}

impl Mm {
    fn remap_file_pages(&self, start: UserAddr, end: UserAddr, offset: u64) -> Result<(), Errno> {
        let map = self.find_map(start).ok_or(EINVAL)?;
        if !map.flags.contains(VmaFlags::SHARED) || end > map.end {
            return Err(EINVAL);
        }
        let source = self.source_at(start).ok_or(EBADF)?;
        self.map(NewMapping {
            prot: map.prot,
            may: map.may,
            flags: map.flags,
            content: Content::Source {
                source,
                file: map.file,
                offset,
            },
            name: map.name,
            ..NewMapping::zeros(Placement::Fixed(start.get()), end.get() - start.get())
        })?;
        Ok(())
    }
}

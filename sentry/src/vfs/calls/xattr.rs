//! getxattr(2), setxattr(2), listxattr(2), removexattr(2).

use syscalls::abi::fs::{XATTR_LIST_MAX, XATTR_NAME_MAX, XATTR_SIZE_MAX, XattrFlags};
use syscalls::errno::{E2BIG, EEXIST, ERANGE, EROFS};
use syscalls::{Errno, Fd, Run, SysResult, Unchecked, UserCStr, UserPtr, call};

use crate::task::Current;
use crate::vfs::notify::{self, Event};
use crate::vfs::walk::Walking;
use crate::vfs::xattr::{Use, check, is_listed};
use crate::vfs::{Location, XattrMode};

/// What the calls name their file by.
enum Target {
    Path(UserCStr),
    Link(UserCStr),
    Open(Fd),
}

impl Target {
    fn locate(self, task: &Current) -> Result<Location, Errno> {
        match self {
            Target::Path(path) => task.walk(&task.read_path(path)?, Walking::FOLLOW),
            Target::Link(path) => task.walk(&task.read_path(path)?, Walking::empty()),
            Target::Open(fd) => Ok(task.file(fd)?.location.clone()),
        }
    }
}

fn read_name(task: &Current, name: UserCStr) -> Result<Vec<u8>, Errno> {
    let name = task.mem().read_cstr(name, XATTR_NAME_MAX + 1, ERANGE)?;
    if name.is_empty() {
        return Err(ERANGE);
    }
    Ok(name)
}

/// Copies out, or says how much there is if `size` is 0.
fn give(task: &Current, value: &[u8], to: UserPtr<u8>, size: usize) -> Result<u64, Errno> {
    if size > 0 {
        if value.len() > size {
            return Err(ERANGE);
        }
        task.mem().write_bytes(to.addr(), value)?;
    }
    Ok(value.len() as u64)
}

fn get(task: &Current, target: Target, name: UserCStr, to: UserPtr<u8>, size: usize) -> SysResult {
    let name = read_name(task, name)?;
    let at = target.locate(task)?;
    check(&task.creds.get(), at.inode(), &name, Use::Read)?;
    Ok(give(task, &at.inode().xattr(&name)?, to, size)?)
}

fn set(
    task: &Current,
    target: Target,
    name: UserCStr,
    value: (UserPtr<u8>, usize),
    flags: Unchecked<XattrFlags>,
) -> SysResult {
    let flags = flags.check()?;
    let name = read_name(task, name)?;
    if value.1 > XATTR_SIZE_MAX {
        return Err(E2BIG.into());
    }
    let mut bytes = vec![0; value.1];
    task.mem().read_bytes(value.0.addr(), &mut bytes)?;
    let at = target.locate(task)?;
    may_change(task, &at, &name)?;
    let both = XattrFlags::CREATE | XattrFlags::REPLACE;
    let mode = match flags {
        // Neither wish can come true: one of them says why.
        flags if flags.contains(both) => {
            at.inode().xattr(&name)?;
            return Err(EEXIST.into());
        }
        flags if flags.contains(XattrFlags::CREATE) => XattrMode::Create,
        flags if flags.contains(XattrFlags::REPLACE) => XattrMode::Replace,
        _ => XattrMode::Set,
    };
    at.inode().set_xattr(&name, &bytes, mode)?;
    notify::event(Event::Attrib, &at);
    Ok(0)
}

fn may_change(task: &Current, at: &Location, name: &[u8]) -> Result<(), Errno> {
    if !at.mount.is_writable() {
        return Err(EROFS);
    }
    check(&task.creds.get(), at.inode(), name, Use::Change)
}

fn list(task: &Current, target: Target, to: UserPtr<u8>, size: usize) -> SysResult {
    let at = target.locate(task)?;
    let creds = task.creds.get();
    let mut names = Vec::new();
    for name in at.inode().list_xattr()? {
        if is_listed(&creds, &name) {
            names.extend_from_slice(&name);
            names.push(0);
        }
    }
    if names.len() > XATTR_LIST_MAX {
        return Err(E2BIG.into());
    }
    Ok(give(task, &names, to, size)?)
}

fn remove(task: &Current, target: Target, name: UserCStr) -> SysResult {
    let name = read_name(task, name)?;
    let at = target.locate(task)?;
    may_change(task, &at, &name)?;
    at.inode().remove_xattr(&name)?;
    notify::event(Event::Attrib, &at);
    Ok(0)
}

macro_rules! calls {
    ($($get:ident $set:ident $list:ident $remove:ident: $target:ident($field:ident);)*) => {$(
        impl Run<Current> for call::$get {
            fn run(self, task: &mut Current) -> SysResult {
                get(task, Target::$target(self.$field), self.name, self.value, self.size)
            }
        }

        impl Run<Current> for call::$set {
            fn run(self, task: &mut Current) -> SysResult {
                let value = (self.value, self.size);
                set(task, Target::$target(self.$field), self.name, value, self.flags)
            }
        }

        impl Run<Current> for call::$list {
            fn run(self, task: &mut Current) -> SysResult {
                list(task, Target::$target(self.$field), self.list, self.size)
            }
        }

        impl Run<Current> for call::$remove {
            fn run(self, task: &mut Current) -> SysResult {
                remove(task, Target::$target(self.$field), self.name)
            }
        }
    )*};
}

calls! {
    Getxattr Setxattr Listxattr Removexattr: Path(path);
    Lgetxattr Lsetxattr Llistxattr Lremovexattr: Link(path);
    Fgetxattr Fsetxattr Flistxattr Fremovexattr: Open(fd);
}

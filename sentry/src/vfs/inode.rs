//! What a file system implements.

use std::any::Any;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use syscalls::Errno;
use syscalls::errno::{EINVAL, ENODATA, ENOTDIR, EOPNOTSUPP, EPERM, EXDEV};

use super::{
    Attr, DeviceNumber, FileKind, FileName, FileOps, Listing, Location, Mode, OpenMode, SetAttr,
};
use crate::mm::Mappable;
use crate::namespace::UserNamespace;
use crate::sync::{Level, Mutex};
use crate::task::Current;

/// A shared inode.
pub type InodeRef = Arc<dyn Inode>;

/// Whom a new file belongs to, and its permission bits after the umask.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// The creator's file-system uid.
    pub uid: u32,
    /// The creator's file-system gid, or the directory's where that is set-group-id.
    pub gid: u32,
    /// Permission and set-id bits.
    pub mode: Mode,
}

/// What to make in a directory.
#[derive(Clone, Debug)]
pub enum NewNode<'a> {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link with this text.
    Symlink(&'a [u8]),
    /// A FIFO.
    Fifo,
    /// A socket's name; the socket itself is found through [`Inode::bound_socket`].
    Socket,
    /// A device node.
    Device(FileKind, DeviceNumber),
}

/// What a symbolic link leads to.
pub enum LinkTarget {
    /// Text to walk.
    Text(Vec<u8>),
    /// The very file, whatever its name (the magic links of /proc); and the text that
    /// readlink(2) shows.
    Jump(Location, Vec<u8>),
}

/// renameat2(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameMode {
    /// Replaces what is there.
    Replace,
    /// `EEXIST` if the new name exists.
    NoReplace,
    /// Exchanges the two.
    Exchange,
}

/// setxattr(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XattrMode {
    /// Create or replace.
    Set,
    /// `EEXIST` if it exists.
    Create,
    /// `ENODATA` if it does not.
    Replace,
}

/// A file of some file system. Permissions, read-only mounts, name lengths and types
/// (`ENOTDIR`, `EISDIR`) have been checked by the callers in this module's siblings; an
/// implementation does the thing. Directory operations on one inode may come at once
/// from several tasks.
#[allow(unused_variables, reason = "defaults refuse whatever the arguments")]
pub trait Inode: Send + Sync + 'static {
    /// The file system it belongs to.
    fn super_block(&self) -> &Arc<SuperBlock>;

    /// Type; never changes.
    fn kind(&self) -> FileKind;

    /// Number; unique in the file system while the inode lives.
    fn ino(&self) -> u64;

    /// stat(2).
    fn attr(&self) -> Result<Attr, Errno>;

    /// chmod(2), chown(2), truncate(2), utimensat(2) at once. Updates ctime.
    fn set_attr(&self, set: &SetAttr) -> Result<(), Errno> {
        Err(EPERM)
    }

    /// The child `name`; `ENOENT` if there is none. Never "." or "..".
    fn lookup(&self, name: &FileName) -> Result<InodeRef, Errno> {
        Err(ENOTDIR)
    }

    /// Where [`FileSystem::trusts_cache`] is false: what `name` leads to now, or `None` if
    /// that is still `cached`. File systems that make a new inode at each lookup say here
    /// when an old one still serves.
    fn revalidate(&self, name: &FileName, cached: &InodeRef) -> Result<Option<InodeRef>, Errno> {
        let now = self.lookup(name)?;
        Ok((!Arc::ptr_eq(&now, cached)).then_some(now))
    }

    /// The names of a directory, for a file system that lies over this one.
    fn list(&self) -> Result<Arc<Listing>, Errno> {
        Err(EOPNOTSUPP)
    }

    /// Owner and mode alone: asked for every directory of a path.
    fn owner(&self) -> Result<Owner, Errno> {
        let attr = self.attr()?;
        Ok(Owner {
            uid: attr.uid,
            gid: attr.gid,
            mode: attr.mode,
        })
    }

    /// Makes `name`; `EEXIST` if it exists.
    fn create(&self, name: &FileName, node: NewNode<'_>, owner: Owner) -> Result<InodeRef, Errno> {
        Err(EPERM)
    }

    /// A regular file without a name (`O_TMPFILE`) that [`Inode::link`] may name later.
    fn create_unnamed(&self, owner: Owner) -> Result<InodeRef, Errno> {
        Err(EOPNOTSUPP)
    }

    /// Gives `target`, an inode of the same file system, another name here.
    fn link(&self, name: &FileName, target: &InodeRef) -> Result<(), Errno> {
        Err(EPERM)
    }

    /// Removes the name of a file that is not a directory. `child` is what it names.
    fn unlink(&self, name: &FileName, child: &InodeRef) -> Result<(), Errno> {
        Err(EPERM)
    }

    /// Removes an empty directory; `ENOTEMPTY`.
    fn rmdir(&self, name: &FileName, child: &InodeRef) -> Result<(), Errno> {
        Err(EPERM)
    }

    /// Moves `name` here to `new_name` in `new_dir`, a directory of the same file system.
    fn rename(
        &self,
        name: &FileName,
        new_dir: &InodeRef,
        new_name: &FileName,
        mode: RenameMode,
    ) -> Result<(), Errno> {
        Err(EXDEV)
    }

    /// readlink(2). `task` is who asks: /proc/self depends on it.
    fn read_link(&self, task: &Current) -> Result<LinkTarget, Errno> {
        Err(EINVAL)
    }

    /// What open(2) makes of the inode; truncation and permission were dealt with.
    /// FIFOs and devices are opened by the kernel's own code before this is asked,
    /// unless the file system's [`Inode::opens_itself`].
    fn open(self: Arc<Self>, task: &Current, mode: OpenMode) -> Result<Box<dyn FileOps>, Errno>;

    /// True for device and FIFO inodes that bring their own [`Inode::open`] (host files).
    fn opens_itself(&self) -> bool {
        false
    }

    /// The inode's pages, if it can be mapped and read through the page cache.
    fn mappable(&self) -> Option<Arc<dyn Mappable>> {
        None
    }

    /// A page that was clean is about to be written through a shared mapping: the file's
    /// times change, where its pages do not tell ([`crate::fs::page_cache::Backing`]).
    fn written_through_mapping(&self) {}

    /// getxattr(2); `ENODATA`.
    fn xattr(&self, name: &[u8]) -> Result<Vec<u8>, Errno> {
        Err(EOPNOTSUPP)
    }

    /// setxattr(2).
    fn set_xattr(&self, name: &[u8], value: &[u8], mode: XattrMode) -> Result<(), Errno> {
        Err(EOPNOTSUPP)
    }

    /// removexattr(2).
    fn remove_xattr(&self, name: &[u8]) -> Result<(), Errno> {
        Err(ENODATA)
    }

    /// listxattr(2): names.
    fn list_xattr(&self) -> Result<Vec<Vec<u8>>, Errno> {
        Ok(Vec::new())
    }

    /// fsync(2) of data and, unless `data_only`, attributes.
    fn sync(&self, data_only: bool) -> Result<(), Errno> {
        Ok(())
    }

    /// fallocate(2); `mode` as the guest gave it, checked for unknown bits.
    fn allocate(&self, mode: u32, offset: u64, len: u64) -> Result<(), Errno> {
        Err(EOPNOTSUPP)
    }

    /// State that other parts of the kernel attach to an inode: its file locks, the pipe
    /// behind a FIFO, a bound socket. One holder for each inode.
    fn attachments(&self) -> &Attachments;

    /// For a file system to recognise its own.
    fn as_any(&self) -> &dyn Any;
}

/// See [`Inode::attachments`].
pub struct Attachments {
    slots: Mutex<Vec<Arc<dyn Any + Send + Sync>>>,
    /// Who writes the file, and who runs it.
    pub(super) use_count: super::write_access::UseCount,
}

impl Default for Attachments {
    fn default() -> Self {
        Attachments {
            slots: Mutex::new(Level::Leaf, Vec::new()),
            use_count: super::write_access::UseCount::default(),
        }
    }
}

impl Attachments {
    /// The attachment of type `T`, made by `make` if there is none.
    pub fn get_or<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        let mut slots = self.slots.lock();
        if let Some(found) = slots
            .iter()
            .find_map(|slot| slot.clone().downcast::<T>().ok())
        {
            return found;
        }
        let made = Arc::new(make());
        slots.push(made.clone());
        made
    }

    /// Attaches `value`; there must be none of its type.
    pub fn put<T: Any + Send + Sync>(&self, value: Arc<T>) {
        self.slots.lock().push(value);
    }

    /// The attachment of type `T`.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let slots = self.slots.lock();
        slots
            .iter()
            .find_map(|slot| slot.clone().downcast::<T>().ok())
    }

    /// The file is open for writing.
    pub fn has_writers(&self) -> bool {
        self.use_count.has_writers()
    }

    /// Removes the attachment of type `T`.
    pub fn remove<T: Any + Send + Sync>(&self) {
        self.slots.lock().retain(|slot| !(**slot).is::<T>());
    }
}

/// What statfs(2) tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in statfs(2)")]
pub struct FsInfo {
    pub magic: u64,
    pub block_size: u64,
    pub blocks: u64,
    pub blocks_free: u64,
    pub blocks_available: u64,
    pub files: u64,
    pub files_free: u64,
    pub name_max: u64,
}

/// A mounted file system's own behaviour.
pub trait FileSystem: Send + Sync + 'static {
    /// The type, as /proc/mounts shows it: `"tmpfs"`.
    fn name(&self) -> &'static str;

    /// statfs(2).
    fn info(&self) -> Result<FsInfo, Errno>;

    /// Whether a cached child may be used without asking [`Inode::lookup`] again. Also
    /// asked for names that are known to be absent.
    fn trusts_cache(&self) -> bool {
        true
    }

    /// False if nothing can ever be made in it: a name that is not there is missing for
    /// those too who would make it (proc).
    fn takes_names(&self) -> bool {
        true
    }

    /// syncfs(2).
    fn sync(&self) -> Result<(), Errno> {
        Ok(())
    }

    /// Gives up pages that can be read again: memory has run out.
    fn drop_clean_pages(&self) {}

    /// Options as /proc/mounts shows them after `rw,relatime`: `",size=64k"`, or empty.
    fn options(&self) -> String {
        String::new()
    }
}

/// A file system instance.
pub struct SuperBlock {
    /// `st_dev` of its files.
    pub dev: u64,
    /// Its behaviour.
    pub fs: Box<dyn FileSystem>,
    /// What /proc/mounts shows as the source.
    pub source: String,
    /// See [`Self::user`].
    user: OnceLock<UserNamespace>,
    /// Held over renames from one directory to another: who lies above whom stays.
    pub(crate) renames: Mutex<()>,
    /// Mounts of it, hanging or not.
    pub(crate) mounts: AtomicU32,
}

impl SuperBlock {
    /// A new instance with a device number of its own.
    #[must_use]
    pub fn new(fs: Box<dyn FileSystem>, source: impl Into<String>) -> Arc<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        // Anonymous devices have major number 0.
        let minor = NEXT.fetch_add(1, Ordering::Relaxed);
        let dev = DeviceNumber { major: 0, minor }.to_raw();
        Arc::new(SuperBlock {
            dev,
            fs,
            source: source.into(),
            user: OnceLock::new(),
            renames: Mutex::new(Level::Rename, ()),
            mounts: AtomicU32::new(0),
        })
    }

    /// Whose it is: in which user name space it was mounted. Ids that are not known there
    /// own nothing in it.
    #[must_use]
    pub fn user(&self) -> UserNamespace {
        self.user.get().cloned().unwrap_or_default()
    }

    /// Whether device nodes in it are devices: those that just anybody made are not, but
    /// for terminals.
    pub(super) fn has_devices(&self) -> bool {
        self.user().is_first() || self.fs.name() == crate::fs::devpts::DEVPTS
    }

    /// Says so, before it is mounted for the first time.
    pub(crate) fn set_user(&self, user: &UserNamespace) {
        let _ = self.user.set(user.clone());
    }
}

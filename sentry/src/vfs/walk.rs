//! From a path to a location, path_resolution(7).

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bitflags::bitflags;
use syscalls::Errno;
use syscalls::errno::{ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EXDEV};

use super::access::{Access, permit};
use super::dcache::Ask;
use super::{FileKind, FileName, LinkTarget, Location, MountFlags};
use crate::task::{Credentials, Current};

/// The longest path with its NUL, bytes.
pub const PATH_MAX: usize = 4096;
/// Symbolic links followed in one walk.
const MAX_LINKS: u32 = 40;

bitflags! {
    /// How to walk.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct Walking: u32 {
        /// Follow a symbolic link at the end.
        const FOLLOW = 1;
        /// `ENOTDIR` unless it ends at a directory.
        const DIRECTORY = 2;
        /// An empty path is the start itself (`AT_EMPTY_PATH`).
        const EMPTY = 4;
        /// RESOLVE_NO_XDEV, openat2(2).
        const NO_XDEV = 8;
        /// RESOLVE_NO_MAGICLINKS.
        const NO_MAGICLINKS = 16;
        /// RESOLVE_NO_SYMLINKS.
        const NO_SYMLINKS = 32;
        /// RESOLVE_BENEATH.
        const BENEATH = 64;
        /// RESOLVE_IN_ROOT.
        const IN_ROOT = 128;
        /// RESOLVE_CACHED.
        const CACHED = 256;
        /// The start is the root of the walk.
        const SCOPED = Self::BENEATH.bits() | Self::IN_ROOT.bits();
    }
}

/// The last component of a path, not yet looked up. The walk stands in its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// There is none: "/", or where a magic link jumped to.
    Here,
    /// ".".
    Dot,
    /// "..".
    DotDot,
    /// A name.
    Name {
        /// Where in the path.
        range: Range<usize>,
        /// A '/' follows.
        slash: bool,
    },
}

/// A walk under way.
pub(super) struct Walk<'a> {
    task: &'a Current,
    creds: &'a Credentials,
    root: Location,
    at: Location,
    path: Cow<'a, [u8]>,
    /// Where in `path` the rest begins.
    next: usize,
    links: u32,
    how: Walking,
    /// A '/' after the end, or the caller, asks for a directory.
    must_be_dir: bool,
}

impl<'a> Walk<'a> {
    /// A walk along `path` from `start`, or from the root if it is absolute; `ENOENT` for
    /// an empty path without [`Walking::EMPTY`], `ENAMETOOLONG`.
    pub(super) fn new(
        task: &'a Current,
        creds: &'a Credentials,
        start: impl FnOnce() -> Result<Location, Errno>,
        path: &'a [u8],
        how: Walking,
    ) -> Result<Self, Errno> {
        if path.is_empty() && !how.contains(Walking::EMPTY) {
            return Err(ENOENT);
        }
        if path.len() >= PATH_MAX {
            return Err(ENAMETOOLONG);
        }
        let absolute = path.first() == Some(&b'/');
        let (root, at) = if how.intersects(Walking::SCOPED) {
            let start = start()?;
            if absolute && how.contains(Walking::BENEATH) {
                return Err(EXDEV);
            }
            (start.clone(), start)
        } else {
            let root = task.root();
            let at = if absolute { root.clone() } else { start()? };
            (root, at)
        };
        if !absolute && !path.is_empty() && !at.dentry.is_dir() {
            return Err(ENOTDIR);
        }
        Ok(Walk {
            task,
            creds,
            root,
            at,
            path: Cow::Borrowed(path),
            next: 0,
            links: 0,
            how,
            must_be_dir: how.contains(Walking::DIRECTORY),
        })
    }

    /// Where the walk stands.
    pub(super) fn here(&self) -> &Location {
        &self.at
    }

    /// The bytes of a last component.
    pub(super) fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.path.get(range.clone()).unwrap_or_default()
    }

    /// A last component as a name; `ENAMETOOLONG`, and `EINVAL` never for walked ones.
    pub(super) fn name(&self, range: &Range<usize>) -> Result<FileName, Errno> {
        FileName::new(self.bytes(range))
    }

    /// Walks to the directory of the last component.
    pub(super) fn up_to_last(&mut self) -> Result<Last, Errno> {
        loop {
            let rest = self.path.get(self.next..).unwrap_or_default();
            let skip = rest.iter().take_while(|&&b| b == b'/').count();
            let start = self.next + skip;
            let rest = rest.get(skip..).unwrap_or_default();
            if rest.is_empty() {
                self.next = start;
                return Ok(Last::Here);
            }
            let len = rest.iter().position(|&b| b == b'/').unwrap_or(rest.len());
            let after = rest.get(len..).unwrap_or_default();
            let slashes = after.iter().take_while(|&&b| b == b'/').count();
            let range = start..start + len;
            self.next = range.end + slashes;
            let is_last = slashes == after.len();
            if !self.at.dentry.is_dir() {
                return Err(ENOTDIR);
            }
            permit(self.creds, self.at.inode(), Access::EXEC)?;
            match self.bytes(&range) {
                b"." if is_last => return Ok(Last::Dot),
                b".." if is_last => return Ok(Last::DotDot),
                b"." => {}
                b".." => self.up()?,
                _ if is_last => {
                    let slash = slashes > 0;
                    return Ok(Last::Name { range, slash });
                }
                _ => self.enter(&range)?,
            }
        }
    }

    /// One step down, in the middle of a path.
    fn enter(&mut self, range: &Range<usize>) -> Result<(), Errno> {
        let child = self.child(range)?;
        if child.inode().kind() == FileKind::Symlink {
            return self.follow(&child);
        }
        self.at = child;
        Ok(())
    }

    /// What the name leads to, mounts on it included; symbolic links are not followed.
    pub(super) fn child(&self, range: &Range<usize>) -> Result<Location, Errno> {
        let ask = if self.how.contains(Walking::CACHED) {
            Ask::CacheOnly
        } else {
            Ask::FileSystem
        };
        let dentry = self.at.dentry.child(self.bytes(range), ask)?;
        self.cover(Location {
            mount: self.at.mount.clone(),
            dentry,
        })
    }

    fn cover(&self, at: Location) -> Result<Location, Errno> {
        if !at.dentry.is_mountpoint() {
            return Ok(at);
        }
        let mount = at.mount.clone();
        let top = at.topmost();
        self.stay_on(&mount, &top)?;
        Ok(top)
    }

    /// `EXDEV` if `RESOLVE_NO_XDEV` forbids to go from `mount` to `to`.
    fn stay_on(&self, mount: &Arc<super::Mount>, to: &Location) -> Result<(), Errno> {
        if self.how.contains(Walking::NO_XDEV) && !Arc::ptr_eq(mount, &to.mount) {
            Err(EXDEV)
        } else {
            Ok(())
        }
    }

    /// "..".
    fn up(&mut self) -> Result<(), Errno> {
        let mut at = self.at.clone();
        loop {
            if at.is_same(&self.root) {
                if self.how.contains(Walking::BENEATH) {
                    return Err(EXDEV);
                }
                return Ok(());
            }
            if !at.is_mount_root() {
                break;
            }
            match at.mount.mountpoint() {
                Some(below) => at = below,
                None => return Ok(()),
            }
        }
        self.stay_on(&self.at.mount, &at)?;
        if let Some(parent) = at.dentry.parent() {
            at.dentry = parent;
            self.at = self.cover(at)?;
        }
        Ok(())
    }

    /// Follows `link`, found in the directory where the walk stands: its text comes
    /// before the rest of the path. `ELOOP`, `ENOENT` for an empty one.
    pub(super) fn follow(&mut self, link: &Location) -> Result<(), Errno> {
        self.links += 1;
        if self.links > MAX_LINKS
            || self.how.contains(Walking::NO_SYMLINKS)
            || link.mount.flags().contains(MountFlags::NOSYMFOLLOW)
        {
            return Err(ELOOP);
        }
        let rest = self.path.get(self.next..).unwrap_or_default();
        match link.inode().read_link(self.task)? {
            LinkTarget::Text(text) if text.is_empty() => Err(ENOENT),
            LinkTarget::Text(text) => {
                if text.first() == Some(&b'/') {
                    if self.how.contains(Walking::BENEATH) {
                        return Err(EXDEV);
                    }
                    self.stay_on(&self.at.mount, &self.root)?;
                    self.at = self.root.clone();
                }
                let mut path = text;
                // The slashes before the rest were consumed with the link's name.
                if self.ended_with_slash() {
                    path.push(b'/');
                }
                path.extend_from_slice(rest);
                self.path = Cow::Owned(path);
                self.next = 0;
                Ok(())
            }
            LinkTarget::Jump(to, _) => {
                if self.how.contains(Walking::NO_MAGICLINKS) {
                    return Err(ELOOP);
                }
                if self.how.intersects(Walking::SCOPED) {
                    return Err(EXDEV);
                }
                self.stay_on(&self.at.mount, &to)?;
                if rest.is_empty() && self.ended_with_slash() {
                    self.must_be_dir = true;
                }
                self.at = to;
                Ok(())
            }
        }
    }

    /// True if a '/' stands before the rest.
    fn ended_with_slash(&self) -> bool {
        self.next > 0 && self.path.get(self.next - 1) == Some(&b'/')
    }

    /// Walks to the end.
    pub(super) fn finish(mut self) -> Result<Location, Errno> {
        loop {
            match self.up_to_last()? {
                Last::Here | Last::Dot => {}
                Last::DotDot => self.up()?,
                Last::Name { range, slash } => {
                    let child = self.child(&range)?;
                    let follow = slash || self.how.contains(Walking::FOLLOW);
                    if follow && child.inode().kind() == FileKind::Symlink {
                        self.follow(&child)?;
                        continue;
                    }
                    self.must_be_dir |= slash;
                    self.at = child;
                }
            }
            return self.arrive();
        }
    }

    /// The end, for a last component that is no name.
    pub(super) fn finish_at(mut self, last: &Last) -> Result<Location, Errno> {
        if *last == Last::DotDot {
            self.up()?;
        }
        self.arrive()
    }

    /// True once nothing of the path is left: after a jump at its end.
    pub(super) fn is_at_end(&self) -> bool {
        self.next >= self.path.len()
    }

    /// The end, where the walk stands.
    pub(super) fn arrive(self) -> Result<Location, Errno> {
        if self.must_be_dir && !self.at.dentry.is_dir() {
            return Err(ENOTDIR);
        }
        Ok(self.at)
    }
}

//! Directory listings.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Attr, FileType, Handle};

/// How much a listing tells about each entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// Name, inode number, type.
    Names,
    /// Attributes too.
    Attrs,
    /// Attributes, and a handle with a reference. `.` and `..` have none, nor has any if
    /// the server is short of descriptors.
    Handles,
}

/// One name in a directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DirEntry<'a> {
    /// The name; never empty, no `/`. `.` and `..` are among the entries where the host's
    /// file system lists them.
    pub name: &'a [u8],
    /// Inode number.
    pub ino: u64,
    /// Type; [`FileType::Unknown`] where the host does not say.
    pub file_type: FileType,
    /// Where a listing goes on after this entry; the host's own `d_off`, valid as long
    /// as the host lets lseek(2) have it: for as long as the directory is open, and on
    /// the common file systems for ever.
    pub next: u64,
    /// Attributes, if asked for and if the entry still was there.
    pub attr: Option<Attr>,
    /// Handle, likewise.
    pub handle: Option<Handle>,
}

/// A part of a listing.
#[derive(Clone, Debug, Default)]
pub struct DirPage {
    bytes: Vec<u8>,
    end: bool,
}

/// What stands before each name on the wire; the attributes and the handle follow where
/// `flags` says so, then the name, then zeroes up to a multiple of 8.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct RawEntry {
    pub(crate) ino: u64,
    pub(crate) next: u64,
    pub(crate) name_len: u16,
    pub(crate) file_type: u8,
    pub(crate) flags: u8,
    pub(crate) pad: u32,
}

pub(crate) const HAS_ATTR: u8 = 1;
pub(crate) const HAS_HANDLE: u8 = 2;

impl DirPage {
    pub(crate) fn new(bytes: Vec<u8>, end: bool) -> Self {
        DirPage { bytes, end }
    }

    /// True if the listing has nothing after this page. A page that is not the end may
    /// be empty only if it is followed by the end.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.end
    }

    /// The entries in order.
    #[must_use]
    pub fn entries(&self) -> Entries<'_> {
        Entries { rest: &self.bytes }
    }
}

impl<'a> IntoIterator for &'a DirPage {
    type Item = DirEntry<'a>;
    type IntoIter = Entries<'a>;
    fn into_iter(self) -> Entries<'a> {
        self.entries()
    }
}

/// Iterates over a [`DirPage`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Entries<'a> {
    type Item = DirEntry<'a>;

    // A malformed rest ends the iteration: the server is another process.
    fn next(&mut self) -> Option<DirEntry<'a>> {
        let (raw, rest) = RawEntry::read_from_prefix(self.rest).ok()?;
        let (attr, rest) = if raw.flags & HAS_ATTR != 0 {
            let (attr, rest) = Attr::read_from_prefix(rest).ok()?;
            (Some(attr), rest)
        } else {
            (None, rest)
        };
        let (handle, rest) = if raw.flags & HAS_HANDLE != 0 {
            let (handle, rest) = Handle::read_from_prefix(rest).ok()?;
            (Some(handle), rest)
        } else {
            (None, rest)
        };
        let len = usize::from(raw.name_len);
        let name = rest.get(..len).filter(|name| !name.is_empty())?;
        self.rest = rest.get(len.next_multiple_of(8)..)?;
        Some(DirEntry {
            name,
            ino: raw.ino,
            file_type: FileType::from_raw(raw.file_type),
            next: raw.next,
            attr,
            handle,
        })
    }
}

//! The requests: a fixed part each, for some a variable tail, and a fixed reply, for some
//! with a tail. Tails: names end with NUL each, which none can contain.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Attr, Handle, StatFs, Time};

/// The fixed part of a request.
pub(crate) trait Request: FromBytes + IntoBytes + Immutable + KnownLayout {
    /// Number on the wire.
    const OP: u32;
    /// The fixed part of its reply.
    type Reply: FromBytes + IntoBytes + Immutable + KnownLayout;
}

macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident = $op:literal { $($field:ident : $ty:ty),* $(,)? } -> $reply:ty;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
            #[repr(C)]
            pub(crate) struct $name { $(pub(crate) $field: $ty),* }

            impl Request for $name {
                const OP: u32 = $op;
                type Reply = $reply;
            }
        )*
    };
}

/// A reply without a fixed part.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Nothing {}

/// An inode handed out: one reference.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Node {
    pub(crate) handle: Handle,
    pub(crate) attr: Attr,
}

/// What a walk found; as many [`Node`]s follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct WalkReply {
    pub(crate) found: u32,
    /// 0: no error.
    pub(crate) errno: u32,
}

/// What came of opening. An error of the opening itself is no error of a request that has
/// handed out an inode.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Opened {
    /// For a name: what it leads to, one reference.
    pub(crate) node: Node,
    /// [`NOT_READ`] if reading failed.
    pub(crate) bytes: u64,
    /// 0: no error.
    pub(crate) errno: u32,
    pub(crate) pad: u32,
}

/// Nothing is known of what was to be read.
pub(crate) const NOT_READ: u64 = u64::MAX;

/// Bytes moved, or a position.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Count {
    pub(crate) bytes: u64,
}

/// A page of a listing; entries follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct ReaddirReply {
    /// 1 if nothing comes after.
    pub(crate) end: u64,
}

/// Bits of [`SetAttr::valid`].
pub(crate) mod valid {
    pub(crate) const MODE: u32 = 1;
    pub(crate) const UID: u32 = 2;
    pub(crate) const GID: u32 = 4;
    pub(crate) const SIZE: u32 = 8;
    pub(crate) const ATIME: u32 = 16;
    pub(crate) const ATIME_NOW: u32 = 32;
    pub(crate) const MTIME: u32 = 64;
    pub(crate) const MTIME_NOW: u32 = 128;
    pub(crate) const ALL: u32 = 255;
}

requests! {
    /// The root of a tree.
    Attach = 1 { tree: u32, pad: u32 } -> Node;
    /// Tail: names.
    Walk = 2 { dir: Handle } -> WalkReply;
    /// Tail: handles.
    Forget = 3 {} -> Nothing;
    GetAttr = 4 { handle: Handle } -> Attr;
    SetAttr = 5 {
        handle: Handle, size: u64, atime: Time, mtime: Time, mode: u32, uid: u32, gid: u32, valid: u32,
    } -> Attr;
    /// `access`: 1 read, 2 write, 3 both. Tail: empty, or a name in the directory `handle`.
    /// `len` bytes of the beginning are read to `mem_offset`.
    Open = 6 { handle: Handle, access: u32, pad: u32, mem_offset: u64, len: u64 } -> Opened;
    Close = 7 { handle: Handle } -> Nothing;
    /// Tail: segments.
    ReadInto = 8 { handle: Handle } -> Count;
    /// Tail: segments.
    WriteFrom = 9 { handle: Handle } -> Count;
    /// Tail: name; an empty one makes a file without a name.
    Create = 10 { dir: Handle, mode: u32, uid: u32, gid: u32, pad: u32 } -> Node;
    /// Tail: name.
    Mkdir = 11 { dir: Handle, mode: u32, uid: u32, gid: u32, pad: u32 } -> Node;
    /// Tail: name, target.
    Symlink = 12 { dir: Handle, uid: u32, gid: u32 } -> Node;
    /// Tail: name.
    Mknod = 13 { dir: Handle, rdev: u64, mode: u32, uid: u32, gid: u32, pad: u32 } -> Node;
    /// Tail: new name.
    Link = 14 { handle: Handle, dir: Handle } -> Attr;
    /// Tail: name.
    Unlink = 15 { dir: Handle } -> Nothing;
    /// Tail: name.
    Rmdir = 16 { dir: Handle } -> Nothing;
    /// `how`: 0 replace, 1 no replace, 2 exchange. Tail: old name, new name.
    Rename = 17 { old_dir: Handle, new_dir: Handle, how: u32, pad: u32 } -> Nothing;
    /// Reply's tail: the target.
    Readlink = 18 { handle: Handle } -> Nothing;
    /// `detail`: 0 names, 1 attributes, 2 handles. `most`: no further batch after so many
    /// entries. Of a directory that is not open, a listing that needs more than one request
    /// may repeat or miss what others change meanwhile.
    Readdir = 19 { handle: Handle, from: u64, detail: u32, most: u32 } -> ReaddirReply;
    StatFsOf = 20 { handle: Handle } -> StatFs;
    /// `data_only`: 0 or 1.
    Fsync = 21 { handle: Handle, data_only: u32, pad: u32 } -> Nothing;
    Fallocate = 22 { handle: Handle, offset: u64, len: u64, mode: u32, pad: u32 } -> Attr;
    /// `whence`: 0 data, 1 hole.
    SeekTo = 23 { handle: Handle, pos: u64, whence: u32, pad: u32 } -> Count;
    /// Tail: name. Reply's tail: the value.
    GetXattr = 24 { handle: Handle } -> Nothing;
    /// `how`: 0 any, 1 create, 2 replace. Tail: name, then the value's bytes.
    SetXattr = 25 { handle: Handle, how: u32, pad: u32 } -> Nothing;
    /// Reply's tail: names.
    ListXattr = 26 { handle: Handle } -> Nothing;
    /// Tail: name.
    RemoveXattr = 27 { handle: Handle } -> Nothing;
}

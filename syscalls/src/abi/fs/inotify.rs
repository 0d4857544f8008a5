//! File system events, inotify(7).

use crate::abi::layout;
use crate::flags::flags;

layout! {
    /// The head of an event; `len` bytes of name, padded with NUL, follow.
    pub struct InotifyEvent {
        pub wd: i32,
        pub mask: u32,
        pub cookie: u32,
        pub len: u32,
    }
}

flags! {
    /// What to watch for and what came, inotify_add_watch(2). Linux only refuses a mask
    /// in which no bit is known.
    pub struct WatchMask: u32, "IN_", ignored {
        ALL_EVENTS = 0xfff;
        ACCESS = 0x1;
        MODIFY = 0x2;
        ATTRIB = 0x4;
        CLOSE_WRITE = 0x8;
        CLOSE_NOWRITE = 0x10;
        OPEN = 0x20;
        MOVED_FROM = 0x40;
        MOVED_TO = 0x80;
        CREATE = 0x100;
        DELETE = 0x200;
        DELETE_SELF = 0x400;
        MOVE_SELF = 0x800;
        UNMOUNT = 0x2000;
        Q_OVERFLOW = 0x4000;
        IGNORED = 0x8000;
        ONLYDIR = 0x0100_0000;
        DONT_FOLLOW = 0x0200_0000;
        EXCL_UNLINK = 0x0400_0000;
        MASK_CREATE = 0x1000_0000;
        MASK_ADD = 0x2000_0000;
        ISDIR = 0x4000_0000;
        ONESHOT = 0x8000_0000;
    }

    /// inotify_init1(2).
    pub struct InotifyFlags: u32, "IN_", refused {
        NONBLOCK = 0o4000;
        CLOEXEC = 0o2_000_000;
    }
}

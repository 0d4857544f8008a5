//! Mounts, mount(2), and what statfs(2) tells of them.

use super::layout;
use crate::flags::{flags, numbers};

flags! {
    /// mount(2).
    pub struct MountFlags: u64, "MS_", ignored {
        RDONLY = 1;
        NOSUID = 1 << 1;
        NODEV = 1 << 2;
        NOEXEC = 1 << 3;
        SYNCHRONOUS = 1 << 4;
        REMOUNT = 1 << 5;
        MANDLOCK = 1 << 6;
        DIRSYNC = 1 << 7;
        NOSYMFOLLOW = 1 << 8;
        NOATIME = 1 << 10;
        NODIRATIME = 1 << 11;
        BIND = 1 << 12;
        MOVE = 1 << 13;
        REC = 1 << 14;
        SILENT = 1 << 15;
        POSIXACL = 1 << 16;
        UNBINDABLE = 1 << 17;
        PRIVATE = 1 << 18;
        SLAVE = 1 << 19;
        SHARED = 1 << 20;
        RELATIME = 1 << 21;
        I_VERSION = 1 << 23;
        STRICTATIME = 1 << 24;
        LAZYTIME = 1 << 25;
    }

    /// umount2(2).
    pub struct UmountFlags: u32, "MNT_", refused {
        FORCE = 1;
        DETACH = 2;
        EXPIRE = 4;
        NOFOLLOW = 8, "UMOUNT_NOFOLLOW";
    }

    /// open_tree(2).
    pub struct OpenTreeFlags: u32, "AT_", refused {
        CLONE = 1, "OPEN_TREE_CLONE";
        SYMLINK_NOFOLLOW = 0x100;
        NO_AUTOMOUNT = 0x800;
        EMPTY_PATH = 0x1000;
        RECURSIVE = 0x8000;
        CLOEXEC = 0o2000000, "OPEN_TREE_CLOEXEC";
    }

    /// move_mount(2).
    pub struct MoveMountFlags: u32, "MOVE_MOUNT_", kept {
        F_SYMLINKS = 1;
        F_AUTOMOUNTS = 2;
        F_EMPTY_PATH = 4;
        T_SYMLINKS = 0x10;
        T_AUTOMOUNTS = 0x20;
        T_EMPTY_PATH = 0x40;
        SET_GROUP = 0x100;
        BENEATH = 0x200;
    }

    /// Flags of a mount as mount_setattr(2) and statmount(2) have them.
    pub struct MountAttrFlags: u64, "MOUNT_ATTR_", kept {
        RDONLY = 1;
        NOSUID = 2;
        NODEV = 4;
        NOEXEC = 8;
        NOATIME = 0x10;
        STRICTATIME = 0x20;
        NODIRATIME = 0x80;
        IDMAP = 0x100000;
        NOSYMFOLLOW = 0x200000;
    }

    /// What is asked of statmount(2), and answered.
    pub struct StatmountMask: u64, "STATMOUNT_", kept {
        SB_BASIC = 1;
        MNT_BASIC = 2;
        PROPAGATE_FROM = 4;
        MNT_ROOT = 8;
        MNT_POINT = 0x10;
        FS_TYPE = 0x20;
        MNT_NS_ID = 0x40;
        MNT_OPTS = 0x80;
        SB_SOURCE = 0x200;
    }

    /// `f_flags` of statfs(2).
    pub struct StatfsFlags: u64, "ST_", kept {
        RDONLY = 0x1;
        NOSUID = 0x2;
        NODEV = 0x4;
        NOEXEC = 0x8;
        SYNCHRONOUS = 0x10;
        /// Set on every answer of statfs(2): the flags are there.
        VALID = 0x20;
        MANDLOCK = 0x40;
        NOATIME = 0x400;
        NODIRATIME = 0x800;
        RELATIME = 0x1000;
        NOSYMFOLLOW = 0x2000;
    }
}

layout! {
    /// The argument of mount_setattr(2).
    pub struct MountAttr {
        pub set: u64,
        pub clear: u64,
        pub propagation: u64,
        pub userns_fd: u64,
    }

    /// Which mount, statmount(2) and listmount(2).
    pub struct MntIdReq {
        pub size: u32,
        pub spare: u32,
        pub mnt_id: u64,
        pub param: u64,
        pub mnt_ns_id: u64,
    }

    /// What statmount(2) tells. Strings follow at [`STATMOUNT_STRINGS`]; their fields say how
    /// far from there.
    pub struct Statmount {
        pub size: u32,
        pub mnt_opts: u32,
        pub mask: u64,
        pub sb_dev_major: u32,
        pub sb_dev_minor: u32,
        pub sb_magic: u64,
        pub sb_flags: u32,
        pub fs_type: u32,
        pub mnt_id: u64,
        pub mnt_parent_id: u64,
        pub mnt_id_old: u32,
        pub mnt_parent_id_old: u32,
        pub mnt_attr: u64,
        pub mnt_propagation: u64,
        pub mnt_peer_group: u64,
        pub mnt_master: u64,
        pub propagate_from: u64,
        pub mnt_root: u32,
        pub mnt_point: u32,
        pub mnt_ns_id: u64,
        pub fs_subtype: u32,
        pub sb_source: u32,
    }
}

/// Where the strings of [`Statmount`] begin, bytes.
pub const STATMOUNT_STRINGS: usize = 512;

/// In the place of a mount's number, listmount(2): what the caller's root is.
pub const LSMT_ROOT: u64 = u64::MAX;

/// The upper half that old programs put into mount(2)'s flags, which are then ignored.
pub const MS_MGC_VAL: u64 = 0xc0ed_0000;
/// Mask for [`MS_MGC_VAL`].
pub const MS_MGC_MSK: u64 = 0xffff_0000;

numbers! {
    /// `f_type` of statfs(2).
    pub const MAGICS: i64 {
        ANON_INODE_FS_MAGIC = 0x0904_1934;
        CGROUP2_SUPER_MAGIC = 0x6367_7270;
        CGROUP_SUPER_MAGIC = 0x0027_e0eb;
        DEVPTS_SUPER_MAGIC = 0x1cd1;
        EXT4_SUPER_MAGIC = 0xef53;
        FUSE_SUPER_MAGIC = 0x6573_5546;
        MQUEUE_MAGIC = 0x1980_0202;
        NSFS_MAGIC = 0x6e73_6673;
        OVERLAYFS_SUPER_MAGIC = 0x794c_7630;
        PIPEFS_MAGIC = 0x5049_5045;
        PROC_SUPER_MAGIC = 0x9fa0;
        RAMFS_MAGIC = 0x8584_58f6;
        SOCKFS_MAGIC = 0x534f_434b;
        SYSFS_MAGIC = 0x6265_6572;
        TMPFS_MAGIC = 0x0102_1994;
        V9FS_MAGIC = 0x0102_1997;
    }
}

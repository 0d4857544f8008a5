//! Mounts, mount(2), and what statfs(2) tells of them.

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

//! Memory maps, mmap(2).

use crate::flags::{flags, numbers};

flags! {
    /// Rights, mmap(2). mmap(2) ignores what it does not know, mprotect(2) refuses it
    /// after other checks.
    pub struct ProtFlags: u64, "PROT_", kept, 0xffff_ffff => "PROT_NONE" {
        READ = 0x1;
        WRITE = 0x2;
        EXEC = 0x4;
        SEM = 0x8;
        GROWSDOWN = 0x0100_0000;
        GROWSUP = 0x0200_0000;
    }

    /// mmap(2). The lower four bits are one of `SHARED`, `PRIVATE`, `SHARED_VALIDATE`
    /// and `DROPPABLE`; the others are ignored if unknown, except with `SHARED_VALIDATE`.
    pub struct MapFlags: u64, "MAP_", kept {
        SHARED_VALIDATE = 0x3;
        SHARED = 0x1;
        PRIVATE = 0x2;
        DROPPABLE = 0x8;
        FIXED = 0x10;
        ANONYMOUS = 0x20;
        X32BIT = 0x40, "MAP_32BIT";
        ABOVE4G = 0x80;
        NORESERVE = 0x4000;
        POPULATE = 0x8000;
        NONBLOCK = 0x1_0000;
        GROWSDOWN = 0x100;
        DENYWRITE = 0x800;
        EXECUTABLE = 0x1000;
        LOCKED = 0x2000;
        STACK = 0x2_0000;
        HUGETLB = 0x4_0000;
        SYNC = 0x8_0000;
        FIXED_NOREPLACE = 0x10_0000;
        UNINITIALIZED = 0x400_0000;
    }

    /// mremap(2).
    pub struct MremapFlags: u64, "MREMAP_", refused {
        MAYMOVE = 1;
        FIXED = 2;
        DONTUNMAP = 4;
    }

    /// msync(2).
    pub struct MsyncFlags: u32, "MS_", refused {
        ASYNC = 1;
        INVALIDATE = 2;
        SYNC = 4;
    }

    /// mlockall(2).
    pub struct MlockallFlags: u32, "MCL_", refused {
        CURRENT = 1;
        FUTURE = 2;
        ONFAULT = 4;
    }

    /// mlock2(2).
    pub struct MlockFlags: u32, "MLOCK_", refused {
        ONFAULT = 1;
    }
}

impl MapFlags {
    /// Mask of the field that says how the mapping is shared.
    pub const TYPE: u64 = 0xf;
}

numbers! {
    /// `advice` of madvise(2).
    pub const MEMORY_ADVICE: i32 {
        MADV_NORMAL = 0;
        MADV_RANDOM = 1;
        MADV_SEQUENTIAL = 2;
        MADV_WILLNEED = 3;
        MADV_DONTNEED = 4;
        MADV_FREE = 8;
        MADV_REMOVE = 9;
        MADV_DONTFORK = 10;
        MADV_DOFORK = 11;
        MADV_MERGEABLE = 12;
        MADV_UNMERGEABLE = 13;
        MADV_HUGEPAGE = 14;
        MADV_NOHUGEPAGE = 15;
        MADV_DONTDUMP = 16;
        MADV_DODUMP = 17;
        MADV_WIPEONFORK = 18;
        MADV_KEEPONFORK = 19;
        MADV_COLD = 20;
        MADV_PAGEOUT = 21;
        MADV_POPULATE_READ = 22;
        MADV_POPULATE_WRITE = 23;
        MADV_DONTNEED_LOCKED = 24;
        MADV_COLLAPSE = 25;
        MADV_HWPOISON = 100;
        MADV_SOFT_OFFLINE = 101;
    }

    /// Policies of set_mempolicy(2), in the lower bits of `mode`.
    pub const MEMORY_POLICIES: i32 {
        MPOL_DEFAULT = 0;
        MPOL_PREFERRED = 1;
        MPOL_BIND = 2;
        MPOL_INTERLEAVE = 3;
        MPOL_LOCAL = 4;
        MPOL_PREFERRED_MANY = 5;
        MPOL_WEIGHTED_INTERLEAVE = 6;
    }
}

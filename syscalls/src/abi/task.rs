//! What a task is and what it runs on: capabilities, the machine's name, rseq.

use super::layout;

layout! {
    /// Version and subject of capget(2).
    pub struct CapHeader {
        pub version: u32,
        pub pid: i32,
    }

    /// One half of the capability sets, capget(2).
    pub struct CapData {
        pub effective: u32,
        pub permitted: u32,
        pub inheritable: u32,
    }

    /// Names, each ended by NUL, uname(2).
    pub struct Utsname {
        pub sysname: [u8; 65],
        pub nodename: [u8; 65],
        pub release: [u8; 65],
        pub version: [u8; 65],
        pub machine: [u8; 65],
        pub domainname: [u8; 65],
    }

    /// The machine, sysinfo(2).
    pub struct Sysinfo {
        /// In seconds.
        pub uptime: i64,
        /// Over 1, 5 and 15 minutes, in units of 1/65536.
        pub loads: [u64; 3],
        pub totalram: u64,
        pub freeram: u64,
        pub sharedram: u64,
        pub bufferram: u64,
        pub totalswap: u64,
        pub freeswap: u64,
        pub procs: u16,
        pub pad0: u16,
        pub pad1: u32,
        pub totalhigh: u64,
        pub freehigh: u64,
        /// Bytes that the memory counts above are in units of.
        pub mem_unit: u32,
        pub pad2: u32,
    }

    /// The area that a thread shares with the kernel, rseq(2).
    pub struct Rseq {
        pub cpu_id_start: u32,
        pub cpu_id: u32,
        pub rseq_cs: u64,
        pub flags: u32,
        pub node_id: u32,
        pub mm_cid: u32,
        pub pad0: u32,
    }
}

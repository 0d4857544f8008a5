//! The first stack: arguments, environment, auxiliary vector.

use platform::Prot;
use platform::arch::HostAux;
use platform::host::random;
use syscalls::errno::{E2BIG, EFAULT, ENOMEM};
use syscalls::{Errno, PAGE_SIZE, UserAddr};

use super::Identity;
use super::elf::PROGRAM_HEADER;
use super::segments::Loaded;
use crate::mm::layout::{STACK_RANDOM, random_pages};
use crate::mm::{Mm, NewMapping, Placement, VmaFlags};

/// What is mapped below the first stack pointer from the start, bytes.
const ROOM: u64 = 128 << 10;
/// What argument strings and pointers take at least, and at most, bytes.
const MIN_TOTAL: u64 = 128 << 10;
const MAX_TOTAL: u64 = 6 << 20;
/// The longest single string, bytes with its NUL.
const MAX_STRING: usize = 128 << 10;
/// Below the strings the stack starts up to this much lower, at random, bytes.
const STRING_RANDOM: u64 = 8192;
const PLATFORM: &[u8] = b"x86_64\0";

/// Types of auxiliary vector entries, getauxval(3).
mod at {
    pub(super) const NULL: u64 = 0;
    pub(super) const PHDR: u64 = 3;
    pub(super) const PHENT: u64 = 4;
    pub(super) const PHNUM: u64 = 5;
    pub(super) const PAGESZ: u64 = 6;
    pub(super) const BASE: u64 = 7;
    pub(super) const FLAGS: u64 = 8;
    pub(super) const ENTRY: u64 = 9;
    pub(super) const UID: u64 = 11;
    pub(super) const EUID: u64 = 12;
    pub(super) const GID: u64 = 13;
    pub(super) const EGID: u64 = 14;
    pub(super) const PLATFORM: u64 = 15;
    pub(super) const HWCAP: u64 = 16;
    pub(super) const CLKTCK: u64 = 17;
    pub(super) const SECURE: u64 = 23;
    pub(super) const RANDOM: u64 = 25;
    pub(super) const HWCAP2: u64 = 26;
    pub(super) const RSEQ_FEATURE_SIZE: u64 = 27;
    pub(super) const RSEQ_ALIGN: u64 = 28;
    pub(super) const EXECFN: u64 = 31;
    pub(super) const SYSINFO_EHDR: u64 = 33;
    pub(super) const MINSIGSTKSZ: u64 = 51;
}

/// What a program is told at its start.
pub(super) struct Start<'a> {
    pub(super) argv: &'a [Vec<u8>],
    pub(super) envp: &'a [Vec<u8>],
    /// AT_EXECFN.
    pub(super) path: &'a [u8],
    pub(super) program: Loaded,
    pub(super) header_count: u16,
    /// Where the interpreter was loaded; 0 without one.
    pub(super) base: u64,
    pub(super) identity: Identity,
    /// The vDSO's ELF header.
    pub(super) vdso: u64,
    pub(super) exec_stack: bool,
    pub(super) stack_limit: u64,
}

/// `E2BIG` if the strings are longer than a stack of that limit may hold.
pub(super) fn check_size(start: &Start<'_>) -> Result<(), Errno> {
    let limit = (start.stack_limit / 4).clamp(MIN_TOTAL, MAX_TOTAL);
    let strings = || start.argv.iter().chain(start.envp);
    let pointers = strings().count() as u64 * 8;
    let bytes: u64 = strings().map(|s| s.len() as u64 + 1).sum();
    let total = bytes + pointers + start.path.len() as u64 + 1;
    if total > limit || strings().any(|s| s.len() >= MAX_STRING) {
        return Err(E2BIG);
    }
    Ok(())
}

/// Maps and fills the stack; returns the first stack pointer.
pub(super) fn build(mm: &Mm, start: &Start<'_>) -> Result<u64, Errno> {
    let high = mm.layout().high;
    let top = high - random_pages(STACK_RANDOM / PAGE_SIZE);
    let image = Image::lay_out(top, start)?;
    // All of the room is there only if the limit allows it.
    let room = ROOM.min(start.stack_limit.saturating_sub(top - image.rsp));
    let bottom = (image.rsp & !(PAGE_SIZE - 1)) - (room & !(PAGE_SIZE - 1));
    let exec = if start.exec_stack {
        Prot::EXEC
    } else {
        Prot::empty()
    };
    let zeros = NewMapping::zeros(Placement::FixedFree(bottom), top - bottom);
    mm.map(NewMapping {
        prot: zeros.prot | exec,
        flags: VmaFlags::ACCOUNT | VmaFlags::GROWS_DOWN,
        ..zeros
    })?;
    mm.write_bytes(UserAddr::new(image.rsp), &image.bytes)
        .map_err(|_| EFAULT)?;
    mm.set_layout(|layout| {
        layout.start_stack = image.rsp;
        layout.arg_start = image.arg_start;
        layout.arg_end = image.arg_end;
        layout.env_start = image.arg_end;
        layout.env_end = image.env_end;
        layout.auxv = image.auxv;
    });
    Ok(image.rsp)
}

/// The stack's contents, from `rsp` to its top.
struct Image {
    rsp: u64,
    bytes: Vec<u8>,
    arg_start: u64,
    arg_end: u64,
    env_end: u64,
    auxv: Vec<[u64; 2]>,
}

impl Image {
    /// From the top down: eight zero bytes, the path, the environment's strings, the
    /// arguments'; a random gap; the platform's name, random bytes; and from the stack
    /// pointer up: argc, argv, envp, the auxiliary vector.
    fn lay_out(top: u64, start: &Start<'_>) -> Result<Self, Errno> {
        let size = |strings: &[Vec<u8>]| strings.iter().map(|s| s.len() as u64 + 1).sum::<u64>();
        let path = top - 8 - (start.path.len() as u64 + 1);
        let arg_end = path - size(start.envp);
        let arg_start = arg_end - size(start.argv);
        let gap = (arg_start - random_below(STRING_RANDOM)) & !15;
        let platform = gap - PLATFORM.len() as u64;
        let random_bytes = platform - 16;
        let auxv = vector(start, path, platform, random_bytes);
        let words = 1 + (start.argv.len() + 1) + (start.envp.len() + 1) + auxv.len() * 2;
        let rsp = (random_bytes - words as u64 * 8) & !15;
        let mut bytes = Vec::new();
        let mut word = |word: u64| bytes.extend_from_slice(&word.to_le_bytes());
        word(start.argv.len() as u64);
        for (strings, mut at) in [(start.argv, arg_start), (start.envp, arg_end)] {
            for string in strings {
                word(at);
                at += string.len() as u64 + 1;
            }
            word(0);
        }
        for [kind, value] in &auxv {
            word(*kind);
            word(*value);
        }
        let mut image = Image {
            rsp,
            bytes,
            arg_start,
            arg_end,
            env_end: path,
            auxv,
        };
        let mut secret = [0; 16];
        random::fill(&mut secret)?;
        image.put(random_bytes, &secret)?;
        image.put(platform, PLATFORM)?;
        image.pad_to(arg_start)?;
        for string in start.argv.iter().chain(start.envp) {
            image.bytes.extend_from_slice(string);
            image.bytes.push(0);
        }
        image.put(path, start.path)?;
        image.pad_to(top)?;
        Ok(image)
    }

    fn put(&mut self, at: u64, bytes: &[u8]) -> Result<(), Errno> {
        self.pad_to(at)?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn pad_to(&mut self, at: u64) -> Result<(), Errno> {
        let len = at.checked_sub(self.rsp).ok_or(ENOMEM)?;
        let len = usize::try_from(len).map_err(|_| ENOMEM)?;
        self.bytes.resize(len.max(self.bytes.len()), 0);
        Ok(())
    }
}

/// The auxiliary vector, in Linux's order.
fn vector(start: &Start<'_>, path: u64, platform: u64, random_bytes: u64) -> Vec<[u64; 2]> {
    let host = HostAux::get();
    let identity = start.identity;
    vec![
        [at::SYSINFO_EHDR, start.vdso],
        [at::MINSIGSTKSZ, host.min_signal_stack],
        [at::HWCAP, host.hwcap],
        [at::PAGESZ, PAGE_SIZE],
        [at::CLKTCK, 100],
        [at::PHDR, start.program.headers],
        [at::PHENT, PROGRAM_HEADER],
        [at::PHNUM, start.header_count.into()],
        [at::BASE, start.base],
        [at::FLAGS, 0],
        [at::ENTRY, start.program.entry],
        [at::UID, identity.uid.into()],
        [at::EUID, identity.euid.into()],
        [at::GID, identity.gid.into()],
        [at::EGID, identity.egid.into()],
        [at::SECURE, identity.secure.into()],
        [at::RANDOM, random_bytes],
        [at::HWCAP2, host.hwcap2],
        [at::EXECFN, path],
        [at::PLATFORM, platform],
        [at::RSEQ_FEATURE_SIZE, 28],
        [at::RSEQ_ALIGN, 32],
        [at::NULL, 0],
    ]
}

/// A random number below `below`.
fn random_below(below: u64) -> u64 {
    random_pages(below) / PAGE_SIZE
}

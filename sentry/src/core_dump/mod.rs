//! What a process leaves behind that a signal ends, core(5): its memory and registers in an
//! ELF file, for debuggers.
//!
//! The thread that took the signal waits until it is alone, as execve(2) does; each of the
//! others leaves its registers when it ends ([`Registers`]). Then it writes: where
//! ([`pattern`]), which memory ([`segments`]), and what is known of the process ([`notes`]).
//!
//! Differs from Linux: dumps go to files alone, never to a program or a socket.

mod notes;
mod pattern;
mod segments;

use std::sync::Arc;

use platform::{FpState, Regs};
use syscalls::abi::fs::OpenFlags;
use syscalls::abi::signal::Siginfo;
use syscalls::errno::{EFBIG, EINTR};
use syscalls::{Errno, Fd, PAGE_SIZE};

use crate::signal::Signal;
use crate::task::{Current, ExitStatus, INFINITY, Numbers, Resource};
use crate::vfs::open::Opening;
use crate::vfs::transfer::At;
use crate::vfs::{File, FileKind, SetAttr, Source};
use segments::Segment;

/// A thread at its end.
pub(crate) struct Registers {
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) regs: Regs,
    pub(crate) fp: Option<FpState>,
}

/// Bytes of the ELF header, and of each program header.
const HEADER: u64 = 64;
const PROGRAM_HEADER: u64 = 56;
/// As many program headers as their 16-bit number can tell.
const MAX_SEGMENTS: usize = 0xfff0;

impl Current {
    /// Ends the process as `signal`, which came with `info`, does by default: with a dump
    /// if there is to be one.
    pub(crate) fn end_with_dump(&mut self, signal: Signal, info: &Siginfo) {
        let limit = self.group.limits.soft(Resource::Core);
        let dumped = limit >= PAGE_SIZE && self.group.is_dumpable() && {
            let result = self.dump(info, limit);
            if let Err(errno) = result {
                log::info!("{}: no core file: {errno}", self.tid());
            }
            result.is_ok()
        };
        self.group.kill(match dumped {
            true => ExitStatus::Dumped(signal),
            false => ExitStatus::Killed(signal),
        });
    }

    fn dump(&mut self, info: &Siginfo, limit: u64) -> Result<(), Errno> {
        let path = pattern::path(self, info.signo).ok_or(EINTR.why("no file to dump to"))?;
        let others = self.stand_alone_for_dump().ok_or(EINTR)?;
        let file = self.dump_file(&path)?;
        let mut all = vec![Registers {
            numbers: self.numbers(),
            regs: self.regs,
            fp: self.context.fp_state().ok(),
        }];
        all.extend(others);
        let maps = self.mem().maps();
        let segments: Vec<Segment> = maps
            .iter()
            .filter_map(|map| Segment::of(self, map))
            .take(MAX_SEGMENTS)
            .collect();
        let notes = notes::all(self, info, &all, &maps);
        let mut out = Output {
            task: self,
            file: &file,
            limit,
        };
        out.write(&segments, &notes)
    }

    /// A new file, as nobody else may have it open.
    fn dump_file(&self, path: &[u8]) -> Result<Arc<File>, Errno> {
        // Whatever had the name before is none of the dump's.
        let _ = self.remove_file(Fd::CWD, path);
        let flags = OpenFlags::CREAT | OpenFlags::EXCL | OpenFlags::WRONLY | OpenFlags::NOFOLLOW;
        let opening = Opening::lenient(flags, 0o600)?;
        let file = self.open_at(Fd::CWD, path, &opening);
        let file = file.map_err(|stop| match stop {
            syscalls::Stop::Errno(errno) => errno,
            _ => EINTR,
        })?;
        let inode = file.inode();
        let own = inode.owner()?.uid == self.creds.get().uid.fs;
        if inode.kind() != FileKind::Regular || !own {
            return Err(syscalls::errno::EPERM);
        }
        Ok(file)
    }
}

/// The file while it is written.
struct Output<'a> {
    task: &'a Current,
    file: &'a Arc<File>,
    limit: u64,
}

impl Output<'_> {
    fn write(&mut self, segments: &[Segment], notes: &[u8]) -> Result<(), Errno> {
        let headers = HEADER + PROGRAM_HEADER * (segments.len() as u64 + 1);
        let notes_end = headers + notes.len() as u64;
        let mut at = notes_end.next_multiple_of(PAGE_SIZE);
        let mut head = elf_header(segments.len() + 1);
        head.extend(program_header(
            PT_NOTE,
            0,
            (headers, 0),
            (notes.len() as u64, 0),
            4,
        ));
        for segment in segments {
            let sizes = (segment.dumped, segment.size);
            let place = (at, segment.start);
            head.extend(program_header(
                PT_LOAD,
                segment.rights,
                place,
                sizes,
                PAGE_SIZE,
            ));
            at += segment.dumped;
        }
        self.put(0, &head)?;
        self.put(headers, notes)?;
        let mut at = notes_end.next_multiple_of(PAGE_SIZE);
        for segment in segments {
            match segment.write(self.task, |offset, bytes| self.put(at + offset, bytes)) {
                Ok(()) => {}
                // What is there is a dump, too.
                Err(EFBIG) => return Ok(()),
                Err(errno) => return Err(errno),
            }
            at += segment.dumped;
        }
        // What was never written is a hole, at the end too.
        let size = SetAttr {
            size: Some(at.min(self.limit)),
            ..SetAttr::default()
        };
        self.file.inode().set_attr(&size)
    }

    /// `EFBIG` at the limit, `EINTR` if the process is to end at once.
    fn put(&self, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        if self.task.must_exit() {
            return Err(EINTR);
        }
        let limit = (self.limit != INFINITY).then_some(self.limit);
        let mut source = Source::kernel(bytes);
        let mut at = offset;
        while source.remaining() > 0 {
            at += self
                .file
                .write_once(&mut source, At::Offset(at), false, limit)? as u64;
        }
        Ok(())
    }
}

const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;

/// `Elf64_Ehdr` of a core file with so many program headers.
fn elf_header(headers: usize) -> Vec<u8> {
    const ET_CORE: u16 = 4;
    const EM_X86_64: u16 = 62;
    let count = u16::try_from(headers).unwrap_or(u16::MAX);
    let mut head = b"\x7fELF\x02\x01\x01".to_vec();
    head.resize(16, 0);
    head.extend([ET_CORE, EM_X86_64].map(u16::to_le_bytes).concat());
    head.extend(1u32.to_le_bytes());
    head.extend([0, HEADER, 0].map(u64::to_le_bytes).concat());
    head.extend(0u32.to_le_bytes());
    head.extend([64, 56, count, 0, 0, 0].map(u16::to_le_bytes).concat());
    head
}

/// `Elf64_Phdr`: where in the file and in memory, and how many bytes there.
fn program_header(
    kind: u32,
    flags: u32,
    (offset, address): (u64, u64),
    (in_file, in_memory): (u64, u64),
    align: u64,
) -> Vec<u8> {
    let mut head = [kind, flags].map(u32::to_le_bytes).concat();
    let words = [offset, address, 0, in_file, in_memory, align];
    head.extend(words.map(u64::to_le_bytes).concat());
    head
}

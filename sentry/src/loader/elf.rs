//! ELF headers, elf(5): what they say, checked.

use std::sync::Arc;

use object::elf::{EM_X86_64, ET_DYN, ET_EXEC, PF_R, PF_W, PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD};
use platform::Prot;
use syscalls::errno::{EINVAL, EIO, ENOEXEC};
use syscalls::{Errno, PAGE_SIZE};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::vfs::{File, Sink};

/// The longest interpreter path, bytes with its NUL.
const PATH_MAX: u64 = 4096;
/// Program headers take at most this, bytes.
const MAX_HEADERS: usize = 65_536;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct FileHeader {
    magic: [u8; 4],
    ident: [u8; 12],
    kind: U16,
    machine: U16,
    version: U32,
    entry: U64,
    headers: U64,
    sections: U64,
    flags: U32,
    size: U16,
    header_size: U16,
    header_count: U16,
    section_size: U16,
    section_count: U16,
    section_names: U16,
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct ProgramHeader {
    kind: U32,
    flags: U32,
    offset: U64,
    addr: U64,
    physical: U64,
    file_size: U64,
    memory_size: U64,
    align: U64,
}

/// A part of the file to be loaded. All numbers are the file's, checked against wrapping
/// only as far as the methods say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) offset: u64,
    pub(super) addr: u64,
    pub(super) file_size: u64,
    pub(super) memory_size: u64,
    pub(super) align: u64,
    pub(super) prot: Prot,
}

/// Where a program wants to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// At its addresses (ET_EXEC).
    Fixed,
    /// Anywhere (ET_DYN).
    Movable,
}

/// A program as its headers describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Elf {
    pub(super) kind: Kind,
    pub(super) entry: u64,
    /// Program headers: where in the file, how many.
    pub(super) headers: u64,
    pub(super) header_count: u16,
    pub(super) segments: Vec<Segment>,
    /// PT_INTERP.
    pub(super) interpreter: Option<Vec<u8>>,
    /// PT_GNU_STACK asks for an executable stack.
    pub(super) exec_stack: bool,
}

/// Bytes of a program header; auxv tells programs.
pub(super) const PROGRAM_HEADER: u64 = size_of::<ProgramHeader>() as u64;

/// True for the first bytes of an ELF file.
pub(super) fn is_elf(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF")
}

impl Elf {
    /// Reads and checks the headers of `file`. `ENOEXEC` for what is not a program of
    /// this machine; `EIO` for a file that ends within its own interpreter's path.
    pub(super) fn read(file: &Arc<File>) -> Result<Self, Errno> {
        let mut head = [0; size_of::<FileHeader>()];
        read_exact(file, 0, &mut head).map_err(no_program)?;
        let head = FileHeader::read_from_bytes(&head).map_err(|_| ENOEXEC)?;
        if !is_elf(&head.magic) || head.machine.get() != EM_X86_64.0 {
            return Err(ENOEXEC);
        }
        let kind = match head.kind.get() {
            kind if kind == ET_EXEC.0 => Kind::Fixed,
            kind if kind == ET_DYN.0 => Kind::Movable,
            _ => return Err(ENOEXEC),
        };
        let mut elf = Elf {
            kind,
            entry: head.entry.get(),
            headers: head.headers.get(),
            header_count: head.header_count.get(),
            segments: Vec::new(),
            interpreter: None,
            exec_stack: false,
        };
        for header in read_headers(file, &head)? {
            elf.take(file, &header)?;
        }
        Ok(elf)
    }

    fn take(&mut self, file: &Arc<File>, header: &ProgramHeader) -> Result<(), Errno> {
        match header.kind.get() {
            kind if kind == PT_LOAD.0 => self.segments.push(segment(header)?),
            kind if kind == PT_GNU_STACK.0 => {
                self.exec_stack = header.flags.get() & PF_X.0 != 0;
            }
            // The first one counts.
            kind if kind == PT_INTERP.0 && self.interpreter.is_none() => {
                self.interpreter = Some(interpreter(file, header)?);
            }
            _ => {}
        }
        Ok(())
    }

    /// First address and bytes from there to the end of the last segment, in pages;
    /// `EINVAL` without any.
    pub(super) fn span(&self) -> Result<(u64, u64), Errno> {
        let first = self.segments.first().ok_or(EINVAL)?;
        let start = first.addr & !(PAGE_SIZE - 1);
        let end = self.segments.iter().map(Segment::end).max().ok_or(EINVAL)?;
        let end = end.checked_next_multiple_of(PAGE_SIZE).ok_or(EINVAL)?;
        Ok((
            start,
            end.checked_sub(start)
                .filter(|&len| len > 0)
                .ok_or(EINVAL)?,
        ))
    }

    /// The largest alignment that a segment asks for, at least a page.
    pub(super) fn alignment(&self) -> u64 {
        let aligns = self.segments.iter().map(|segment| segment.align);
        let valid = aligns.filter(|align| align.is_power_of_two());
        valid.max().unwrap_or(PAGE_SIZE).max(PAGE_SIZE)
    }

    /// The address at which the program headers will be found, not yet moved; 0 if they
    /// are not loaded.
    pub(super) fn headers_addr(&self) -> u64 {
        let holds = |segment: &&Segment| {
            let inside = self.headers.checked_sub(segment.offset);
            inside.is_some_and(|inside| inside < segment.file_size)
        };
        let found = self.segments.iter().find(holds);
        found.map_or(0, |s| (self.headers - s.offset).wrapping_add(s.addr))
    }
}

impl Segment {
    /// End of its memory; checked when it was read.
    fn end(&self) -> u64 {
        self.addr.saturating_add(self.memory_size)
    }
}

fn read_headers(file: &Arc<File>, head: &FileHeader) -> Result<Vec<ProgramHeader>, Errno> {
    if usize::from(head.header_size.get()) != size_of::<ProgramHeader>() {
        return Err(ENOEXEC);
    }
    let size = usize::from(head.header_count.get()) * size_of::<ProgramHeader>();
    if size == 0 || size > MAX_HEADERS {
        return Err(ENOEXEC);
    }
    let mut bytes = vec![0; size];
    read_exact(file, head.headers.get(), &mut bytes).map_err(no_program)?;
    let chunks = bytes.chunks_exact(size_of::<ProgramHeader>());
    chunks
        .map(|chunk| ProgramHeader::read_from_bytes(chunk).map_err(|_| ENOEXEC))
        .collect()
}

/// A PT_LOAD header; `EINVAL` if its numbers contradict each other.
fn segment(header: &ProgramHeader) -> Result<Segment, Errno> {
    let flags = header.flags.get();
    let mut prot = Prot::empty();
    prot.set(Prot::READ, flags & PF_R.0 != 0);
    prot.set(Prot::WRITE, flags & PF_W.0 != 0);
    prot.set(Prot::EXEC, flags & PF_X.0 != 0);
    let segment = Segment {
        offset: header.offset.get(),
        addr: header.addr.get(),
        file_size: header.file_size.get(),
        memory_size: header.memory_size.get(),
        align: header.align.get(),
        prot,
    };
    let fits = segment.file_size <= segment.memory_size
        && segment.addr.checked_add(segment.memory_size).is_some()
        && segment.offset.checked_add(segment.file_size).is_some();
    if fits { Ok(segment) } else { Err(EINVAL) }
}

fn interpreter(file: &Arc<File>, header: &ProgramHeader) -> Result<Vec<u8>, Errno> {
    let size = header.file_size.get();
    if !(2..=PATH_MAX).contains(&size) {
        return Err(ENOEXEC);
    }
    let mut path = vec![0; usize::try_from(size).map_err(|_| ENOEXEC)?];
    read_exact(file, header.offset.get(), &mut path)?;
    if path.pop() != Some(0) {
        return Err(ENOEXEC);
    }
    // What follows an earlier NUL is not part of the path.
    if let Some(end) = path.iter().position(|&b| b == 0) {
        path.truncate(end);
    }
    Ok(path)
}

/// A file that ends too early is no program.
fn no_program(error: Errno) -> Errno {
    if error == EIO { ENOEXEC } else { error }
}

/// Reads as much of `dst` as the file has at `pos`.
pub(super) fn read_some(file: &Arc<File>, pos: u64, dst: &mut [u8]) -> Result<usize, Errno> {
    let mut done = 0;
    while let Some(left) = dst.get_mut(done..).filter(|left| !left.is_empty()) {
        let at = pos.checked_add(done as u64).ok_or(EINVAL)?;
        i64::try_from(at).map_err(|_| EINVAL)?;
        match file.ops.read(file, &mut Sink::kernel(left), at)? {
            0 => break,
            n => done += n,
        }
    }
    Ok(done)
}

/// Fills `dst`; `EIO` if the file ends before.
fn read_exact(file: &Arc<File>, pos: u64, dst: &mut [u8]) -> Result<(), Errno> {
    if read_some(file, pos, dst)? == dst.len() {
        Ok(())
    } else {
        Err(EIO)
    }
}

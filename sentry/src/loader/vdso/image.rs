//! The vDSO as an ELF shared object, vdso(7).
//!
//! One page of headers and tables, then the code. What dynamic loaders look at is there:
//! both kinds of hash table, symbol versions, call-frame information; section headers,
//! which only debuggers read, are not.

use object::elf::{
    DT_GNU_HASH, DT_HASH, DT_NULL, DT_SONAME, DT_STRSZ, DT_STRTAB, DT_SYMENT, DT_SYMTAB, DT_VERDEF,
    DT_VERDEFNUM, DT_VERSYM, PT_DYNAMIC, PT_GNU_EH_FRAME, PT_LOAD, PT_NOTE,
};
use object::elf::{gnu_hash, hash};
use platform::arch::vdso::{Function, code, functions};
use syscalls::PAGE_SIZE;

const PAGE: usize = 4096;
const SONAME: &str = "linux-vdso.so.1";
const VERSION: &str = "LINUX_2.6";
/// 6.12.0, as LINUX_VERSION_CODE.
const LINUX: u32 = 0x06_0c_00;
const SYMBOL: usize = 24;
const HEADERS: usize = 4;

/// Bytes that grow, little-endian.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn u8(&mut self, value: u8) {
        self.0.push(value);
    }
    fn u16(&mut self, value: u16) {
        self.0.extend(value.to_le_bytes());
    }
    fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }
    fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }
    fn at(&self) -> u64 {
        self.0.len() as u64
    }
    fn align(&mut self, to: usize) -> u64 {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
        self.at()
    }
}

/// Names by offset, with their NULs.
struct Strings(Vec<u8>);

impl Strings {
    fn add(&mut self, name: &str) -> u32 {
        let at = self.0.len();
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(0);
        word(at)
    }
}

/// Sizes here are those of an image of two pages.
fn word(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

/// An exported symbol.
struct Symbol {
    name: String,
    name_at: u32,
    weak: bool,
    function: Function,
}

fn symbols(strings: &mut Strings) -> Vec<Symbol> {
    let mut symbols = Vec::new();
    for (prefix, weak) in [("__vdso_", false), ("", true)] {
        for function in functions() {
            let name = format!("{prefix}{}", function.name);
            symbols.push(Symbol {
                name_at: strings.add(&name),
                name,
                weak,
                function,
            });
        }
    }
    symbols
}

/// Where a table lies.
#[derive(Clone, Copy)]
struct Part {
    at: u64,
    len: u64,
}

/// The image: whole pages, the first without code.
pub(super) fn build() -> Vec<u8> {
    let mut strings = Strings(vec![0]);
    let soname = strings.add(SONAME);
    let version = strings.add(VERSION);
    let symbols = symbols(&mut strings);

    let mut out = Bytes(vec![0; 64 + HEADERS * 56]);
    let hash_at = out.align(8);
    write_hash(&mut out, &symbols);
    let gnu_hash_at = out.align(8);
    write_gnu_hash(&mut out, &symbols);
    let symbols_at = out.align(8);
    write_symbols(&mut out, &symbols);
    let strings_at = out.at();
    out.0.extend_from_slice(&strings.0);
    let versions_at = out.align(2);
    // The null symbol is local, version 0; all others have version 2 of the definitions.
    out.u16(0);
    symbols.iter().for_each(|_| out.u16(2));
    let definitions_at = out.align(8);
    write_version(&mut out, 1, 1, SONAME, soname, 28);
    write_version(&mut out, 0, 2, VERSION, version, 0);
    let dynamic_at = out.align(8);
    for (tag, value) in [
        (DT_SONAME.0, soname.into()),
        (DT_HASH.0, hash_at),
        (DT_GNU_HASH.0, gnu_hash_at),
        (DT_STRTAB.0, strings_at),
        (DT_SYMTAB.0, symbols_at),
        (DT_STRSZ.0, strings.0.len() as u64),
        (DT_SYMENT.0, SYMBOL as u64),
        (DT_VERSYM.0, versions_at),
        (DT_VERDEF.0, definitions_at),
        (DT_VERDEFNUM.0, 2),
        (DT_NULL.0, 0),
    ] {
        out.u64(u64::from_ne_bytes(tag.to_ne_bytes()));
        out.u64(value);
    }
    let dynamic = part(&out, dynamic_at);
    let note_at = out.align(4);
    write_note(&mut out);
    let note = part(&out, note_at);
    let frames_at = out.align(8);
    write_frames(&mut out, frames_at);
    let frames = Part {
        at: frames_at,
        len: FRAME_HEADER,
    };
    debug_assert!(out.0.len() <= PAGE);
    out.align(PAGE);
    out.0.extend_from_slice(code());
    let len = out.align(PAGE);
    let whole = Part { at: 0, len };
    write_headers(&mut out, whole, dynamic, note, frames);
    out.0
}

fn part(out: &Bytes, at: u64) -> Part {
    Part {
        at,
        len: out.at() - at,
    }
}

/// DT_HASH with one bucket: a list of all.
fn write_hash(out: &mut Bytes, symbols: &[Symbol]) {
    let count = word(symbols.len() + 1);
    out.u32(1);
    out.u32(count);
    out.u32(1);
    out.u32(0);
    for index in 1..count {
        out.u32(if index + 1 < count { index + 1 } else { 0 });
    }
}

/// DT_GNU_HASH with one bucket, and a filter that lets everything through.
fn write_gnu_hash(out: &mut Bytes, symbols: &[Symbol]) {
    out.u32(1);
    out.u32(1);
    out.u32(1);
    out.u32(6);
    out.u64(u64::MAX);
    out.u32(1);
    for (index, symbol) in symbols.iter().enumerate() {
        let last = index + 1 == symbols.len();
        out.u32(gnu_hash(symbol.name.as_bytes()) & !1 | u32::from(last));
    }
}

fn write_symbols(out: &mut Bytes, symbols: &[Symbol]) {
    const FUNCTION: u8 = 2;
    const GLOBAL: u8 = 1 << 4;
    const WEAK: u8 = 2 << 4;
    out.0.resize(out.0.len() + SYMBOL, 0);
    for symbol in symbols {
        out.u32(symbol.name_at);
        out.u8(FUNCTION | if symbol.weak { WEAK } else { GLOBAL });
        out.u8(0);
        // Of some section, though there is no table of them: relative to the image.
        out.u16(1);
        out.u64(PAGE_SIZE + symbol.function.start as u64);
        out.u64(symbol.function.len as u64);
    }
}

/// A version definition with its name; `next` bytes further is the next one.
fn write_version(out: &mut Bytes, flags: u16, index: u16, name: &str, name_at: u32, next: u32) {
    out.u16(1);
    out.u16(flags);
    out.u16(index);
    out.u16(1);
    out.u32(hash(name.as_bytes()));
    out.u32(20);
    out.u32(next);
    out.u32(name_at);
    out.u32(0);
}

/// The note by which glibc knows the kernel's version.
fn write_note(out: &mut Bytes) {
    out.u32(6);
    out.u32(4);
    out.u32(0);
    out.0.extend_from_slice(b"Linux\0\0\0");
    out.u32(LINUX);
}

/// Bytes of the index of call frames.
const FRAME_HEADER: u64 = 20;

/// Call-frame information: the code never moves the stack pointer, so the return address
/// is always on top.
fn write_frames(out: &mut Bytes, at: u64) {
    let code_len = word(code().len());
    let frames_at = at + FRAME_HEADER;
    let common_len = 20;
    let entry_at = frames_at + 4 + common_len;
    let relative = |to: u64, from: u64| word(usize::try_from(to - from).unwrap_or(0));
    // The index: versions and encodings, where the frames are, one entry.
    out.0.extend_from_slice(&[1, 0x1b, 0x03, 0x3b]);
    out.u32(relative(frames_at, at + 4));
    out.u32(1);
    out.u32(relative(PAGE_SIZE, at));
    out.u32(relative(entry_at, at));
    // What is common to all functions: 20 bytes. The call frame ends 8 above rsp, and
    // the return address (register 16) is right below that.
    out.u32(20);
    out.u32(0);
    out.0.extend_from_slice(b"\x01zR\0\x01\x78\x10\x01\x1b");
    out.0.extend_from_slice(&[0x0c, 7, 8, 0x90, 1, 0, 0]);
    // All of the code.
    out.u32(20);
    let back = relative(out.at(), frames_at);
    out.u32(back);
    out.u32(relative(PAGE_SIZE, out.at()));
    out.u32(code_len);
    out.0.extend_from_slice(&[0; 8]);
    out.u32(0);
}

fn write_headers(out: &mut Bytes, whole: Part, dynamic: Part, note: Part, frames: Part) {
    const READ: u32 = 4;
    const READ_EXEC: u32 = 5;
    let mut head = Bytes::default();
    head.0
        .extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    head.u16(3);
    head.u16(62);
    head.u32(1);
    head.u64(0);
    head.u64(64);
    head.u64(0);
    head.u32(0);
    head.u16(64);
    head.u16(56);
    head.u16(u16::try_from(HEADERS).unwrap_or(0));
    head.u16(64);
    head.u16(0);
    head.u16(0);
    for (kind, flags, part, align) in [
        (PT_LOAD.0, READ_EXEC, whole, PAGE_SIZE),
        (PT_DYNAMIC.0, READ, dynamic, 8),
        (PT_NOTE.0, READ, note, 4),
        (PT_GNU_EH_FRAME.0, READ, frames, 4),
    ] {
        head.u32(kind);
        head.u32(flags);
        [part.at, part.at, part.at, part.len, part.len, align]
            .into_iter()
            .for_each(|word| head.u64(word));
    }
    let len = head.0.len();
    if let Some(start) = out.0.get_mut(..len) {
        start.copy_from_slice(&head.0);
    }
}

#[cfg(test)]
mod tests {
    use super::PAGE;

    fn number(image: &[u8], at: u64, len: usize) -> u64 {
        let at = usize::try_from(at).unwrap();
        let mut bytes = [0; 8];
        bytes[..len].copy_from_slice(&image[at..at + len]);
        u64::from_le_bytes(bytes)
    }

    fn name(image: &[u8], at: u64) -> &[u8] {
        let rest = &image[usize::try_from(at).unwrap()..];
        rest.split(|&b| b == 0).next().unwrap()
    }

    /// Value of a dynamic entry.
    fn dynamic(image: &[u8], tag: u64) -> u64 {
        let segments = (0..4).map(|n| 64 + n * 56);
        let segment = segments.into_iter().find(|&at| number(image, at, 4) == 2);
        let at = number(image, segment.unwrap() + 16, 8);
        let entries = (0..).map(|n| at + n * 16);
        let entry = entries
            .take_while(|&at| number(image, at, 8) != 0)
            .find(|&at| number(image, at, 8) == tag);
        number(image, entry.unwrap() + 8, 8)
    }

    /// Looks a symbol up as musl does: through DT_HASH, then by its version.
    fn find(image: &[u8], wanted: &str) -> Option<u64> {
        let (strings, symbols) = (dynamic(image, 5), dynamic(image, 6));
        let (hash, versions) = (dynamic(image, 4), dynamic(image, 0x6fff_fff0));
        let mut index = number(image, hash + 8, 4);
        while index != 0 {
            let symbol = symbols + index * 24;
            let text = name(image, strings + number(image, symbol, 4));
            if text == wanted.as_bytes() && number(image, symbol + 6, 2) != 0 {
                let version = number(image, versions + index * 2, 2);
                let definitions = dynamic(image, 0x6fff_fffc);
                let definition = definitions + 28 * (version - 1);
                assert_eq!(number(image, definition + 4, 2), version);
                assert_eq!(number(image, definition + 8, 4), 0x3ae_75f6);
                let text = number(image, definition + 20, 4);
                assert_eq!(name(image, strings + text), b"LINUX_2.6");
                return Some(number(image, symbol + 8, 8));
            }
            index = number(image, hash + 12 + index * 4, 4);
        }
        None
    }

    #[test]
    fn functions_are_found_by_name_and_version() {
        let image = super::build();
        assert_eq!(image.len() % PAGE, 0);
        for function in super::functions() {
            let at = Some(4096 + function.start as u64);
            assert_eq!(find(&image, function.name), at);
            assert_eq!(find(&image, &format!("__vdso_{}", function.name)), at);
        }
        assert_eq!(find(&image, "clock"), None);
    }
}

//! Strings as strace quotes them.

use std::fmt::{self, Write};

use crate::abi::fs::PATH_MAX;
use crate::arg::TraceMem;
use crate::uaddr::UserAddr;

/// The longest piece of data that is shown, bytes.
pub(super) const DATA_LIMIT: usize = 32;

/// Writes `bytes` in quotes: printable ASCII as it is, the rest as C escapes.
pub(super) fn quote(out: &mut dyn Write, bytes: &[u8]) -> fmt::Result {
    out.write_char('"')?;
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => out.write_str("\\\"")?,
            b'\\' => out.write_str("\\\\")?,
            b'\n' => out.write_str("\\n")?,
            b'\t' => out.write_str("\\t")?,
            b'\r' => out.write_str("\\r")?,
            0x0b => out.write_str("\\v")?,
            0x0c => out.write_str("\\f")?,
            b' '..=b'~' => out.write_char(char::from(byte))?,
            // A digit after a short escape would be read as part of it.
            _ if bytes.get(at + 1).is_some_and(u8::is_ascii_digit) => write!(out, "\\{byte:03o}")?,
            _ => write!(out, "\\{byte:o}")?,
        }
    }
    out.write_char('"')
}

/// Writes a path, whole.
pub(crate) fn show_path(out: &mut dyn Write, mem: &dyn TraceMem, at: UserAddr) -> fmt::Result {
    show_text(out, mem, at, PATH_MAX)
}

/// Writes a NUL-terminated string of which at most `limit` bytes are shown; the address
/// if it cannot be read.
pub(super) fn show_text(
    out: &mut dyn Write,
    mem: &dyn TraceMem,
    at: UserAddr,
    limit: usize,
) -> fmt::Result {
    if at.is_null() {
        return out.write_str("NULL");
    }
    let mut buf = vec![0; limit];
    let readable = mem.peek(at, &mut buf);
    buf.truncate(readable);
    let end = buf.iter().position(|&byte| byte == 0);
    match end {
        // It ends where memory does.
        None if readable < limit => write!(out, "{at:?}"),
        None => {
            quote(out, &buf)?;
            out.write_str("...")
        }
        Some(end) => {
            buf.truncate(end);
            quote(out, &buf)
        }
    }
}

/// Writes `len` bytes, abridged; the address if they cannot be read.
pub(super) fn show_data(
    out: &mut dyn Write,
    mem: &dyn TraceMem,
    at: UserAddr,
    len: u64,
) -> fmt::Result {
    show_bytes(out, mem, at, len, DATA_LIMIT)
}

/// The same with another limit.
pub(super) fn show_bytes(
    out: &mut dyn Write,
    mem: &dyn TraceMem,
    at: UserAddr,
    len: u64,
    limit: usize,
) -> fmt::Result {
    if at.is_null() {
        return out.write_str("NULL");
    }
    let shown = usize::try_from(len).unwrap_or(usize::MAX).min(limit);
    let mut buf = vec![0; shown];
    if mem.peek(at, &mut buf) < shown {
        return write!(out, "{at:?}");
    }
    quote(out, &buf)?;
    if len > shown as u64 {
        out.write_str("...")?;
    }
    Ok(())
}

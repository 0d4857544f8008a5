//! From file to file: sendfile(2), copy_file_range(2).

use std::sync::Arc;

use syscalls::Stop;
use syscalls::abi::fs::RwFlags;

use super::notify::{self, Event};
use super::transfer::At;
use super::{File, Sink, Source};
use crate::task::Current;

/// Bytes that are in the kernel at a time.
const CHUNK: usize = 128 << 10;

/// One side of a copy, and where it stands.
pub(super) struct Side<'a> {
    pub(super) file: &'a Arc<File>,
    pub(super) at: At,
}

impl Side<'_> {
    fn advance(&mut self, bytes: u64) {
        match &mut self.at {
            At::Offset(offset) => *offset += bytes,
            At::Position => {}
        }
    }

    /// The position, for sides that the copy moves itself.
    pub(super) fn offset(&self) -> Option<u64> {
        match self.at {
            At::Offset(offset) => Some(offset),
            At::Position => None,
        }
    }
}

impl Current {
    /// Copies up to `count` bytes until the end of `from`; an error counts only if
    /// nothing was copied. `from` has an offset of its own.
    pub(super) fn copy(
        &self,
        from: &mut Side<'_>,
        to: &mut Side<'_>,
        count: usize,
    ) -> Result<u64, Stop> {
        let mut buffer = vec![0; count.min(CHUNK)];
        let mut total = 0;
        let mut left = count;
        while left > 0 {
            match self.copy_chunk(from, to, &mut buffer, left) {
                Ok((_, 0)) => break,
                Ok((read, written)) => {
                    total += written as u64;
                    left -= written;
                    if written < read {
                        break;
                    }
                }
                Err(stop) if total == 0 => return Err(stop),
                Err(_) => break,
            }
        }
        Ok(total)
    }

    /// Bytes read and bytes written of them.
    fn copy_chunk(
        &self,
        from: &mut Side<'_>,
        to: &mut Side<'_>,
        buffer: &mut [u8],
        left: usize,
    ) -> Result<(usize, usize), Stop> {
        let room = buffer.len().min(left);
        let buffer = buffer.get_mut(..room).unwrap_or_default();
        let read = from.file.read_once(&mut Sink::kernel(buffer), from.at)?;
        let data = buffer.get(..read).unwrap_or_default();
        if data.is_empty() {
            return Ok((0, 0));
        }
        let mut source = Source::kernel(data);
        let written = self.write_source(to.file, &mut source, to.at, RwFlags::empty())?;
        notify::event(Event::Access, &from.file.location);
        from.advance(written);
        to.advance(written);
        Ok((read, usize::try_from(written).unwrap_or(read)))
    }
}

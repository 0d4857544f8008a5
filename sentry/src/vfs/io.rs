//! Where data goes to and comes from: guest buffers, or the kernel's own for internal
//! reads and writes. Files hand data over without knowing which.

use syscalls::errno::{EFAULT, EINVAL};
use syscalls::{Errno, UserAddr};

use crate::mm::Mm;

/// One buffer of a vector, guest addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First byte.
    pub addr: UserAddr,
    /// Bytes.
    pub len: usize,
}

#[derive(Clone, Copy)]
enum Memory<'a, K> {
    Guest { mm: &'a Mm, segments: &'a [Segment] },
    Kernel(K),
}

/// Where in the segments the next byte is.
#[derive(Clone, Copy, Default)]
struct Cursor {
    segment: usize,
    /// Bytes done inside that segment (guest), or in all (kernel).
    inside: usize,
    left: usize,
}

impl Cursor {
    fn over(segments: &[Segment]) -> Self {
        // Callers keep the sum below MAX_RW_COUNT; saturation is for safety's sake.
        let left = segments
            .iter()
            .fold(0usize, |sum, s| sum.saturating_add(s.len));
        Cursor {
            segment: 0,
            inside: 0,
            left,
        }
    }

    /// The next stretch of guest memory of at most `len` bytes, skipping empty segments.
    fn next(&mut self, segments: &[Segment], len: usize) -> Option<Segment> {
        let len = len.min(self.left);
        if len == 0 {
            return None;
        }
        loop {
            let segment = segments.get(self.segment)?;
            let here = segment.len.saturating_sub(self.inside);
            if here == 0 {
                self.segment += 1;
                self.inside = 0;
                continue;
            }
            let addr = segment.addr.add(self.inside as u64).ok()?;
            return Some(Segment {
                addr,
                len: here.min(len),
            });
        }
    }

    fn advance(&mut self, bytes: usize) {
        self.inside += bytes;
        self.left -= bytes.min(self.left);
    }
}

/// Copies `len` bytes piecewise by `copy(segment, done)`, each piece whole or not at all. A
/// fault after some pieces ends the copy with what was done; one in the first is `EFAULT`.
fn pieces(
    cursor: &mut Cursor,
    segments: &[Segment],
    len: usize,
    mut copy: impl FnMut(Segment, usize) -> Result<(), Errno>,
) -> Result<usize, Errno> {
    parts(cursor, segments, len, |piece, done| {
        copy(piece, done).map_or(0, |()| piece.len)
    })
}

/// As [`pieces`], to the byte: `copy` tells how many bytes of its piece it got to.
fn parts(
    cursor: &mut Cursor,
    segments: &[Segment],
    len: usize,
    mut copy: impl FnMut(Segment, usize) -> usize,
) -> Result<usize, Errno> {
    let mut done = 0;
    while done < len {
        let Some(piece) = cursor.next(segments, len - done) else {
            break;
        };
        let copied = copy(piece, done).min(piece.len);
        cursor.advance(copied);
        done += copied;
        if copied < piece.len {
            return if done > 0 { Ok(done) } else { Err(EFAULT) };
        }
    }
    Ok(done)
}

/// Takes data: what read(2) fills.
pub struct Sink<'a> {
    memory: Memory<'a, &'a mut [u8]>,
    cursor: Cursor,
}

impl<'a> Sink<'a> {
    /// Guest buffers.
    #[must_use]
    pub fn guest(mm: &'a Mm, segments: &'a [Segment]) -> Self {
        Sink {
            memory: Memory::Guest { mm, segments },
            cursor: Cursor::over(segments),
        }
    }

    /// A buffer of the kernel's own.
    #[must_use]
    pub fn kernel(buf: &'a mut [u8]) -> Self {
        let cursor = Cursor {
            left: buf.len(),
            ..Cursor::default()
        };
        Sink {
            memory: Memory::Kernel(buf),
            cursor,
        }
    }

    /// Bytes that still fit.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.cursor.left
    }

    /// Takes at most `bytes` more.
    pub fn limit(&mut self, bytes: usize) {
        self.cursor.left = self.cursor.left.min(bytes);
    }

    /// Appends as much of `src` as fits; returns how much. `EFAULT` if nothing could be copied.
    pub fn write(&mut self, src: &[u8]) -> Result<usize, Errno> {
        let len = src.len().min(self.cursor.left);
        match &mut self.memory {
            Memory::Guest { mm, segments } => {
                pieces(&mut self.cursor, segments, len, |to, done| {
                    mm.write_bytes(to.addr, src.get(done..done + to.len).ok_or(EFAULT)?)
                })
            }
            Memory::Kernel(buf) => {
                let at = self.cursor.inside;
                let (Some(dst), Some(src)) = (buf.get_mut(at..at + len), src.get(..len)) else {
                    return Err(EINVAL);
                };
                dst.copy_from_slice(src);
                self.cursor.advance(len);
                Ok(len)
            }
        }
    }

    /// Appends `len` bytes from `offset` in the memory file (page-cache pages on which
    /// the caller holds references); returns how much fitted.
    pub fn write_pages(
        &mut self,
        file: &platform::MemoryFile,
        offset: u64,
        len: usize,
    ) -> Result<usize, Errno> {
        let len = len.min(self.cursor.left);
        match &mut self.memory {
            Memory::Guest { mm, segments } => parts(&mut self.cursor, segments, len, |to, done| {
                mm.write_from_file(to.addr, offset + done as u64, to.len)
            }),
            Memory::Kernel(buf) => {
                let at = self.cursor.inside;
                file.read(offset, buf.get_mut(at..at + len).ok_or(EINVAL)?)?;
                self.cursor.advance(len);
                Ok(len)
            }
        }
    }

    /// Appends up to `len` zero bytes.
    pub fn write_zeros(&mut self, len: usize) -> Result<usize, Errno> {
        let len = len.min(self.cursor.left);
        match &mut self.memory {
            Memory::Guest { mm, segments } => parts(&mut self.cursor, segments, len, |to, _| {
                mm.zero_partial(to.addr, to.len)
            }),
            Memory::Kernel(buf) => {
                let at = self.cursor.inside;
                buf.get_mut(at..at + len).ok_or(EINVAL)?.fill(0);
                self.cursor.advance(len);
                Ok(len)
            }
        }
    }
}

/// Gives data: what write(2) drains. A clone gives the same bytes again.
#[derive(Clone)]
pub struct Source<'a> {
    memory: Memory<'a, &'a [u8]>,
    cursor: Cursor,
}

impl<'a> Source<'a> {
    /// Guest buffers.
    #[must_use]
    pub fn guest(mm: &'a Mm, segments: &'a [Segment]) -> Self {
        Source {
            memory: Memory::Guest { mm, segments },
            cursor: Cursor::over(segments),
        }
    }

    /// A buffer of the kernel's own.
    #[must_use]
    pub fn kernel(buf: &'a [u8]) -> Self {
        let cursor = Cursor {
            left: buf.len(),
            ..Cursor::default()
        };
        Source {
            memory: Memory::Kernel(buf),
            cursor,
        }
    }

    /// Passes over up to `len` bytes without reading them.
    pub fn skip(&mut self, len: usize) {
        let mut left = len.min(self.cursor.left);
        match &self.memory {
            Memory::Kernel(_) => self.cursor.advance(left),
            Memory::Guest { segments, .. } => {
                while let Some(piece) = self.cursor.next(segments, left) {
                    self.cursor.advance(piece.len);
                    left -= piece.len;
                }
            }
        }
    }

    /// Bytes left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.cursor.left
    }

    /// Gives at most `bytes` more.
    pub fn limit(&mut self, bytes: usize) {
        self.cursor.left = self.cursor.left.min(bytes);
    }

    /// Takes up to `dst.len()` bytes; returns how many. `EFAULT` if nothing could be copied.
    pub fn read(&mut self, dst: &mut [u8]) -> Result<usize, Errno> {
        let len = dst.len().min(self.cursor.left);
        match &mut self.memory {
            Memory::Guest { mm, segments } => {
                pieces(&mut self.cursor, segments, len, |from, done| {
                    mm.read_bytes(from.addr, dst.get_mut(done..done + from.len).ok_or(EFAULT)?)
                })
            }
            Memory::Kernel(buf) => {
                let at = self.cursor.inside;
                let (Some(src), Some(dst)) = (buf.get(at..at + len), dst.get_mut(..len)) else {
                    return Err(EINVAL);
                };
                dst.copy_from_slice(src);
                self.cursor.advance(len);
                Ok(len)
            }
        }
    }

    /// Takes all that is left; `EFAULT` unless all can be read.
    pub fn read_all(&mut self) -> Result<Vec<u8>, Errno> {
        let mut data = vec![0; self.remaining()];
        if self.read(&mut data)? < data.len() {
            return Err(EFAULT);
        }
        Ok(data)
    }

    /// Takes up to `len` bytes into the memory file at `offset` (pages on which the
    /// caller holds references); returns how many.
    pub fn read_pages(
        &mut self,
        file: &platform::MemoryFile,
        offset: u64,
        len: usize,
    ) -> Result<usize, Errno> {
        let len = len.min(self.cursor.left);
        match &mut self.memory {
            Memory::Guest { mm, segments } => {
                parts(&mut self.cursor, segments, len, |from, done| {
                    mm.read_to_file(from.addr, offset + done as u64, from.len)
                })
            }
            Memory::Kernel(buf) => {
                let at = self.cursor.inside;
                file.write(offset, buf.get(at..at + len).ok_or(EINVAL)?)?;
                self.cursor.advance(len);
                Ok(len)
            }
        }
    }
}

//! A byte queue that grows with what is in it.

use syscalls::Errno;

use crate::vfs::{Sink, Source};

/// See the module. Storage is a power of two, so that indices wrap by masking.
#[derive(Default)]
pub(crate) struct Ring {
    bytes: Box<[u8]>,
    /// Index of the first byte.
    head: usize,
    len: usize,
}

/// The smallest storage that is allocated.
const MIN_STORAGE: usize = 4096;

impl Ring {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The occupied stretch from `skip` on, up to where it wraps.
    fn stretch(&self, skip: usize) -> &[u8] {
        let storage = self.bytes.len();
        if storage == 0 {
            return &[];
        }
        let start = (self.head + skip) & (storage - 1);
        let end = storage.min(start + (self.len - skip.min(self.len)));
        self.bytes.get(start..end).unwrap_or(&[])
    }

    /// Moves up to `max` bytes to `dst`.
    pub(crate) fn read(&mut self, dst: &mut Sink<'_>, max: usize) -> Result<usize, Errno> {
        let mut done = 0;
        while done < max && self.len > 0 && dst.remaining() > 0 {
            let stretch = self.stretch(0);
            let want = stretch.len().min(max - done);
            let Some(piece) = stretch.get(..want) else {
                break;
            };
            match dst.write(piece) {
                Ok(count) => {
                    self.skip(count);
                    done += count;
                    if count < want {
                        break;
                    }
                }
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Forgets the first `count` bytes.
    pub(crate) fn skip(&mut self, count: usize) {
        let count = count.min(self.len);
        self.len -= count;
        self.head = if self.len == 0 {
            0
        } else {
            (self.head + count) & (self.bytes.len() - 1)
        };
    }

    /// Forgets all but the first `len` bytes.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Appends up to `max` bytes of `src`.
    pub(crate) fn write(&mut self, src: &mut Source<'_>, max: usize) -> Result<usize, Errno> {
        let total = src.remaining().min(max);
        self.make_room(total);
        let mut done = 0;
        while done < total {
            let mask = self.bytes.len() - 1;
            let start = (self.head + self.len) & mask;
            let end = self.bytes.len().min(start + (total - done));
            let Some(space) = self.bytes.get_mut(start..end) else {
                break;
            };
            let want = space.len();
            match src.read(space) {
                Ok(count) => {
                    self.len += count;
                    done += count;
                    if count < want {
                        break;
                    }
                }
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// A copy of the first `len` bytes.
    pub(crate) fn peek(&self, len: usize) -> Vec<u8> {
        self.peek_at(0, len)
    }

    /// A copy of `len` bytes from `skip` on.
    pub(crate) fn peek_at(&self, skip: usize, len: usize) -> Vec<u8> {
        let len = len.min(self.len.saturating_sub(skip));
        let mut copy = Vec::with_capacity(len);
        while copy.len() < len {
            let stretch = self.stretch(skip + copy.len());
            let take = stretch.len().min(len - copy.len());
            match stretch.get(..take) {
                Some(piece) if take > 0 => copy.extend_from_slice(piece),
                _ => break,
            }
        }
        copy
    }

    /// Forgets one byte somewhere.
    pub(crate) fn remove(&mut self, at: usize) {
        let mut all = self.peek(self.len);
        if at < all.len() {
            all.remove(at);
            self.replace(all);
        }
    }

    fn replace(&mut self, mut all: Vec<u8>) {
        self.len = all.len();
        all.resize(self.len.next_power_of_two().max(MIN_STORAGE), 0);
        self.bytes = all.into_boxed_slice();
        self.head = 0;
    }

    /// Puts bytes before the first.
    pub(crate) fn unread(&mut self, bytes: &[u8]) {
        let mut all = bytes.to_vec();
        all.extend(self.peek(self.len));
        self.replace(all);
    }

    fn make_room(&mut self, more: usize) {
        let need = self.len + more;
        if need <= self.bytes.len() {
            return;
        }
        let mut bytes = self.peek(self.len);
        bytes.resize(need.next_power_of_two().max(MIN_STORAGE), 0);
        self.bytes = bytes.into_boxed_slice();
        self.head = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::Ring;
    use crate::vfs::{Sink, Source};

    #[test]
    fn bytes_come_out_in_order_across_the_wrap() {
        let mut ring = Ring::default();
        let mut next_in = 0u8;
        let mut next_out = 0u8;
        for round in 0..2000usize {
            let put: Vec<u8> = (0..round * 7 % 613)
                .map(|_| {
                    next_in = next_in.wrapping_add(1);
                    next_in
                })
                .collect();
            ring.write(&mut Source::kernel(&put), usize::MAX)
                .expect("kernel memory");
            let mut got = vec![0; round * 11 % 701];
            let want = ring.len().min(got.len());
            let count = ring
                .read(&mut Sink::kernel(&mut got), usize::MAX)
                .expect("kernel memory");
            assert_eq!(count, want);
            for byte in &got[..count] {
                next_out = next_out.wrapping_add(1);
                assert_eq!(*byte, next_out);
            }
        }
    }
}

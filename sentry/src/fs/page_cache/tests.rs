//! A cache over a backing that tells what it was asked for.

use std::sync::{Arc, Mutex};

use platform::{MemoryFile, Pages};
use syscalls::errno::EFAULT;
use syscalls::{Errno, UserAddr};

use super::{Backing, PAGE, PageCache};
use crate::mm::{NewMapping, Placement};
use crate::task::Current;
use crate::testing;
use crate::vfs::io::Segment;
use crate::vfs::{Sink, Source};

/// A file of the host: bytes, and the pages that were read of it.
struct Host {
    memory: MemoryFile,
    data: Mutex<Vec<u8>>,
    read: Mutex<Vec<u64>>,
}

impl Backing for Host {
    fn read(&self, index: u64, pages: &Pages) -> Result<(), Errno> {
        let data = self.data.lock().unwrap();
        for page in 0..pages.count() {
            self.read.lock().unwrap().push(index + page);
            let from = usize::try_from((index + page) * PAGE).unwrap();
            let bytes = data.get(from..from + 4096).unwrap_or(&[0; 4096]);
            self.memory.write(pages.offset() + page * PAGE, bytes)?;
        }
        Ok(())
    }

    fn write(&self, pos: u64, offset: u64, len: u64) -> Result<(), Errno> {
        let (pos, len) = (usize::try_from(pos).unwrap(), usize::try_from(len).unwrap());
        let mut data = self.data.lock().unwrap();
        let end = data.len().max(pos + len);
        data.resize(end, 0);
        self.memory.read(offset, &mut data[pos..pos + len])
    }

    fn read_ahead(&self, _: u64) -> u64 {
        1
    }

    fn dirtied(&self) {}
}

/// A cache over `pages` pages of the letter h.
fn cache(task: &Current, pages: u64) -> (Arc<Host>, PageCache) {
    let size = pages * PAGE;
    let host = Arc::new(Host {
        memory: task.kernel.memory.clone(),
        data: Mutex::new(vec![b'h'; usize::try_from(size).unwrap()]),
        read: Mutex::default(),
    });
    let cache = PageCache::new(host.memory.clone(), Some(host.clone()), None, size);
    (host, cache)
}

/// `pages` pages of the letter g, and nothing mapped behind them.
fn guest_buffer(task: &Current, pages: u64) -> UserAddr {
    let zeros = NewMapping::zeros(Placement::Anywhere, (pages + 1) * PAGE);
    let at = task.mem().map(zeros).unwrap();
    let letters = vec![b'g'; usize::try_from(pages * PAGE).unwrap()];
    task.mem().write_bytes(at, &letters).unwrap();
    task.mem()
        .unmap(at.add(pages * PAGE).unwrap(), PAGE)
        .unwrap();
    at
}

/// Writes `len` bytes from the guest's `addr` at `pos`.
fn write(
    task: &Current,
    cache: &PageCache,
    addr: UserAddr,
    len: usize,
    pos: u64,
) -> Result<usize, Errno> {
    let segments = [Segment { addr, len }];
    cache.write(&mut Source::guest(task.mem(), &segments), pos)
}

/// The file as runs of a letter: `[(b'h', 3)]` for three bytes of h.
fn runs(cache: &PageCache) -> Vec<(u8, usize)> {
    let mut all = vec![0; usize::try_from(cache.size()).unwrap()];
    assert_eq!(cache.read(&mut Sink::kernel(&mut all), 0), Ok(all.len()));
    all.chunk_by(|a, b| a == b)
        .map(|run| (run[0], run.len()))
        .collect()
}

#[test]
fn whole_pages_are_written_without_reading_them() {
    let task = testing::kernel();
    let (host, cache) = cache(&task, 4);
    let at = guest_buffer(&task, 2);
    assert_eq!(write(&task, &cache, at, 8192, PAGE), Ok(8192));
    assert!(host.read.lock().unwrap().is_empty());
    assert_eq!(runs(&cache), [(b'h', 4096), (b'g', 8192), (b'h', 4096)]);
    cache.write_back().unwrap();
    assert_eq!(host.data.lock().unwrap()[4096..12288], [b'g'; 8192]);
}

#[test]
fn a_buffer_that_faults_leaves_what_the_backing_has() {
    let task = testing::kernel();
    let (host, cache) = cache(&task, 4);
    let at = guest_buffer(&task, 1);
    let nothing = at.add(PAGE).unwrap();
    assert_eq!(write(&task, &cache, nothing, 8192, PAGE), Err(EFAULT));
    assert_eq!(runs(&cache), [(b'h', 16384)]);
    cache.drop_clean();
    // The first page, a part of the second, and no more.
    let part = at.add(96).unwrap();
    assert_eq!(write(&task, &cache, part, 16384, 0), Ok(4000));
    assert_eq!(runs(&cache), [(b'g', 4000), (b'h', 12384)]);
    cache.write_back().unwrap();
    let data = host.data.lock().unwrap();
    assert_eq!(data.len(), 16384);
    assert!(data[..4000].iter().all(|&b| b == b'g') && data[4000..].iter().all(|&b| b == b'h'));
}

#[test]
fn what_a_reader_brought_meanwhile_is_overwritten() {
    let task = testing::kernel();
    let (_, cache) = cache(&task, 3);
    // As if read while the two outer pages were being filled.
    cache.read(&mut Sink::kernel(&mut [0; 10]), PAGE).unwrap();
    let made = cache
        .file
        .allocate(3, platform::memfile::Fill::Zero)
        .unwrap();
    cache.file.write(made.offset(), &[b'w'; 3 * 4096]).unwrap();
    cache.publish(0, made).unwrap();
    assert_eq!(runs(&cache), [(b'w', 3 * 4096)]);
}

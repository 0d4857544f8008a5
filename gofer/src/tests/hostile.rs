//! A client that writes whatever it likes into the channel.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use platform::MemoryFile;
use zerocopy::IntoBytes;

use super::{Rig, tree};
use crate::server::{Config, Owners, ReadAhead, Rights, Server};
use crate::wire::layout::{BODY_SIZE, SLOTS};
use crate::wire::request::{self, Request};
use crate::wire::{Ring, channel, state};
use crate::{Handle, TreeId};
use syscalls::errno::{EINVAL, ENOSYS, ESTALE};

/// A server, and the bare region.
struct Bare {
    ring: Ring,
    socket: std::os::fd::OwnedFd,
    server: std::thread::JoinHandle<()>,
    dir: tempfile::TempDir,
}

impl Bare {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (client, end) = channel().unwrap();
        let memory = MemoryFile::new(1 << 20).unwrap();
        let config = Config {
            end,
            memory_file: rustix::io::fcntl_dupfd_cloexec(&memory, 0).unwrap(),
            trees: vec![tree(dir.path(), Rights::ReadWrite).open()],
            owners: Owners::Exact,
            read_ahead: ReadAhead::Client,
            max_threads: 4,
        };
        let server = std::thread::spawn(|| Server::prepare(config).unwrap().run().unwrap());
        Bare {
            ring: Ring::map(client.region).unwrap(),
            socket: client.socket,
            server,
            dir,
        }
    }

    fn submit(&self, slot: usize) {
        self.ring
            .state(slot)
            .store(state::SUBMITTED, Ordering::SeqCst);
        self.ring.pending().fetch_or(1 << slot, Ordering::SeqCst);
        self.ring.ring();
    }

    /// Sends bytes, and waits for the answer: errno and body.
    fn send(&self, slot: usize, op: u32, body: &[u8]) -> (u32, Vec<u8>) {
        self.ring.put(slot, op, &[body]);
        self.submit(slot);
        self.answer(slot)
    }

    fn answer(&self, slot: usize) -> (u32, Vec<u8>) {
        let start = Instant::now();
        while self.ring.state(slot).load(Ordering::SeqCst) != state::DONE {
            assert!(start.elapsed() < Duration::from_secs(10), "no answer");
            std::thread::yield_now();
        }
        let head = self.ring.head(slot);
        let mut body = vec![0; head.len as usize];
        self.ring.read_body(slot, 0, &mut body);
        (head.kind, body)
    }

    fn root(&self) -> Handle {
        let attach = request::Attach { tree: 0, pad: 0 };
        let (errno, body) = self.send(0, request::Attach::OP, attach.as_bytes());
        assert_eq!(errno, 0);
        Handle(u64::from_ne_bytes(body[..8].try_into().unwrap()))
    }

    fn finish(self) {
        drop(self.socket);
        self.server.join().unwrap();
    }
}

fn number(errno: syscalls::Errno) -> u32 {
    u32::from(errno.raw())
}

/// A generator of numbers that is the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn malformed_requests_are_refused() {
    let bare = Bare::new();
    let root = bare.root();
    assert_eq!(bare.send(1, 0, &[]).0, number(ENOSYS));
    assert_eq!(bare.send(1, u32::MAX, &[]).0, number(ENOSYS));
    for op in 1..=27 {
        if op != request::Forget::OP {
            assert_eq!(bare.send(2, op, &[0; 3]).0, number(EINVAL), "op {op}");
        }
    }
    let getattr = |handle: Handle| bare.send(3, request::GetAttr::OP, handle.as_bytes()).0;
    assert_eq!(getattr(root), 0);
    for bad in [
        0,
        1,
        u64::MAX,
        root.0 + 1,
        root.0 ^ 1 << 32,
        root.0 | 1 << 63,
    ] {
        assert_eq!(getattr(Handle(bad)), number(ESTALE));
    }
    // A length that is a lie.
    bare.ring.put(4, request::GetAttr::OP, &[root.as_bytes()]);
    bare.ring.put_head(4, request::GetAttr::OP, u32::MAX);
    bare.submit(4);
    assert_eq!(bare.answer(4).0, number(EINVAL));

    // Names that are more than a name.
    let attempt = |op: u32, fixed: &[u8], tail: &[u8]| bare.send(5, op, &[fixed, tail].concat());
    for name in [
        &b"..\0"[..],
        b".\0",
        b"/\0",
        b"a/b\0",
        b"../../etc\0",
        b"\0",
        b"etc",
        b"",
    ] {
        let create = request::Create {
            dir: root,
            mode: 0o600,
            uid: 0,
            gid: 0,
            pad: 0,
        };
        if name != b"\0" {
            let (errno, _) = attempt(request::Create::OP, create.as_bytes(), name);
            assert_eq!(errno, number(EINVAL), "{name:?}");
        }
        let (errno, _) = attempt(request::Mkdir::OP, create.as_bytes(), name);
        assert_eq!(errno, number(EINVAL));
        let (errno, _) = attempt(request::Unlink::OP, root.as_bytes(), name);
        assert_eq!(errno, number(EINVAL));
        let (errno, _) = attempt(request::Rmdir::OP, root.as_bytes(), name);
        assert_eq!(errno, number(EINVAL));
        let (errno, body) = attempt(request::Walk::OP, root.as_bytes(), name);
        let found = u32::from_ne_bytes(body[..4].try_into().unwrap());
        assert_eq!((errno, found), (0, 0), "{name:?}");
    }
    assert_eq!(std::fs::read_dir(bare.dir.path()).unwrap().count(), 0);
    bare.finish();
}

/// Random bytes in all slots, changed while the server reads them, and wild values in all
/// words that the two sides share.
#[test]
fn noise_does_no_harm() {
    let bare = Bare::new();
    let root = bare.root();
    let parent: Vec<_> = list(bare.dir.path().parent().unwrap());
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let start = Instant::now();
    let mut rounds = 0;
    while start.elapsed() < Duration::from_secs(1) {
        let slot = usize::try_from(numbers.next()).unwrap() % SLOTS;
        let op = u32::try_from(numbers.next() % 28).unwrap();
        let mut body = vec![0; usize::try_from(numbers.next()).unwrap() % 256];
        for byte in &mut body {
            // Mostly small numbers, so that some requests make sense.
            *byte = match numbers.next() % 4 {
                0 => 0,
                1 => 1,
                2 => b"./a\0"[usize::try_from(numbers.next()).unwrap() % 4],
                _ => numbers.next().to_ne_bytes()[0],
            };
        }
        if body.len() >= 8 && !numbers.next().is_multiple_of(4) {
            body[..8].copy_from_slice(root.as_bytes());
        }
        bare.ring.put(slot, op, &[&body]);
        if numbers.next().is_multiple_of(16) {
            let len = u32::try_from(numbers.next() % (2 * BODY_SIZE as u64)).unwrap();
            bare.ring.put_head(slot, op, len);
        }
        bare.submit(slot);
        if numbers.next().is_multiple_of(64) {
            let word = match numbers.next() % 3 {
                0 => bare.ring.searching(),
                1 => bare.ring.sleeping(),
                _ => bare.ring.bell(),
            };
            word.store(
                u32::try_from(numbers.next() >> 32).unwrap(),
                Ordering::SeqCst,
            );
        }
        rounds += 1;
    }
    assert!(rounds > 100);
    // Two counters that say nothing keep the server awake for whoever asks.
    bare.ring.searching().store(0, Ordering::SeqCst);
    bare.ring.sleeping().store(1, Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(100));
    for slot in 0..SLOTS {
        let (errno, _) = bare.send(slot, request::GetAttr::OP, root.as_bytes());
        assert!(errno == 0 || errno == number(ESTALE), "{errno}");
    }
    assert_eq!(list(bare.dir.path().parent().unwrap()).len(), parent.len());
    bare.finish();
}

/// What stands beside the tree; other tests' directories come and go.
fn list(dir: &std::path::Path) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(dir).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    names
        .filter(|name| !name.as_encoded_bytes().starts_with(b".tmp"))
        .collect()
}

#[test]
fn handles_of_another_client_mean_nothing() {
    let (one, two) = (Rig::new(), Rig::new());
    std::fs::write(one.path("f"), "").unwrap();
    let (file, _) = one.find("f");
    assert_eq!(two.client.getattr(file), Err(ESTALE));
    assert_eq!(two.client.attach(TreeId(9)), Err(syscalls::errno::ENOENT));
    one.finish();
    two.finish();
}

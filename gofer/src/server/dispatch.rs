//! From a request's bytes to its handler and back.

use syscalls::Errno;
use syscalls::errno::{EINVAL, EIO, ENOSYS};
use zerocopy::IntoBytes;

use super::Files;
use crate::wire::layout::BODY_SIZE;
use crate::wire::{Ring, request, request::Request};

/// What the server does for a request.
pub(super) trait Serve: Request {
    /// Performs it. `tail` is what follows the fixed part; the reply's tail goes to `out`,
    /// which is empty.
    fn serve(self, files: &Files, tail: &[u8], out: &mut Vec<u8>) -> Result<Self::Reply, Errno>;
}

/// A thread's buffers.
#[derive(Default)]
pub(super) struct Scratch {
    request: Vec<u8>,
    out: Vec<u8>,
}

/// Serves the request in `slot`. The client may scribble in it meanwhile: it is copied
/// first, and what is answered then goes to the same slot.
pub(super) fn serve(files: &Files, ring: &Ring, slot: usize, scratch: &mut Scratch) {
    let head = ring.head(slot);
    let Scratch { request, out } = scratch;
    let len = usize::try_from(head.len).unwrap_or(usize::MAX);
    if len > BODY_SIZE {
        return fail(ring, slot, EINVAL);
    }
    request.resize(len, 0);
    ring.read_body(slot, 0, request);
    out.clear();

    macro_rules! run {
        ($($name:ident)*) => {
            match head.kind {
                $(request::$name::OP => run::<request::$name>(files, ring, slot, request, out),)*
                _ => fail(ring, slot, ENOSYS),
            }
        };
    }
    run! {
        Attach Walk Forget GetAttr SetAttr Open Close ReadInto WriteFrom Create Mkdir Symlink
        Mknod Link Unlink Rmdir Rename Readlink Readdir StatFsOf Fsync Fallocate SeekTo
        GetXattr SetXattr ListXattr RemoveXattr
    }
}

fn run<Q: Serve>(files: &Files, ring: &Ring, slot: usize, body: &[u8], out: &mut Vec<u8>) {
    let Ok((request, tail)) = Q::read_from_prefix(body) else {
        return fail(ring, slot, EINVAL);
    };
    match request.serve(files, tail, out) {
        Ok(reply) if size_of::<Q::Reply>() + out.len() <= BODY_SIZE => {
            ring.put(slot, 0, &[reply.as_bytes(), out]);
        }
        Ok(_) => fail(ring, slot, EIO.why("reply too long")),
        Err(errno) => fail(ring, slot, errno),
    }
}

fn fail(ring: &Ring, slot: usize, errno: Errno) {
    ring.put(slot, u32::from(errno.raw()), &[]);
}

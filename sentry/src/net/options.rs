//! SOL_SOCKET options that only have to be kept.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use crate::sync::{Level, Mutex};

/// What Linux gives a new socket (net.core.rmem_default).
pub const DEFAULT_BUFFER: i32 = 212_992;
/// The least that SO_SNDBUF gives, after doubling.
pub const MIN_SEND: i32 = 4608;
/// The least that SO_RCVBUF gives, after doubling.
pub const MIN_RECEIVE: i32 = 2304;

/// Settings of a socket.
pub struct Options {
    /// SO_SNDBUF, doubled as Linux does.
    pub send_buffer: AtomicI32,
    /// SO_RCVBUF, doubled as Linux does.
    pub receive_buffer: AtomicI32,
    /// SO_SNDTIMEO, nanoseconds; 0: none.
    pub send_timeout: AtomicU64,
    /// SO_RCVTIMEO, nanoseconds; 0: none.
    pub receive_timeout: AtomicU64,
    /// SO_PASSCRED.
    pub pass_credentials: AtomicI32,
    /// Numbers that are kept and told, by option.
    pub kept: Mutex<Vec<(i32, i32)>>,
    /// SO_LINGER: on, seconds.
    pub linger: Mutex<(i32, i32)>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            send_buffer: AtomicI32::new(DEFAULT_BUFFER),
            receive_buffer: AtomicI32::new(DEFAULT_BUFFER),
            send_timeout: AtomicU64::new(0),
            receive_timeout: AtomicU64::new(0),
            pass_credentials: AtomicI32::new(0),
            kept: Mutex::new(Level::Leaf, Vec::new()),
            linger: Mutex::new(Level::Leaf, (0, 0)),
        }
    }
}

fn timeout(ns: &AtomicU64) -> Option<Duration> {
    Some(ns.load(Ordering::Relaxed))
        .filter(|&ns| ns > 0)
        .map(Duration::from_nanos)
}

impl Options {
    /// How long a send waits at most.
    pub fn send_timeout(&self) -> Option<Duration> {
        timeout(&self.send_timeout)
    }

    /// How long a receive waits at most.
    pub fn receive_timeout(&self) -> Option<Duration> {
        timeout(&self.receive_timeout)
    }

    /// SO_PASSCRED.
    pub fn passes_credentials(&self) -> bool {
        self.pass_credentials.load(Ordering::Relaxed) != 0
    }

    /// Bytes that may wait to be received by the peer.
    pub fn send_limit(&self) -> usize {
        usize::try_from(self.send_buffer.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// A kept number; 0 unless set.
    pub fn kept(&self, name: i32) -> i32 {
        self.kept
            .lock()
            .iter()
            .find(|(kept, _)| *kept == name)
            .map_or(0, |(_, value)| *value)
    }

    /// Keeps a number.
    pub fn keep(&self, name: i32, value: i32) {
        let mut kept = self.kept.lock();
        kept.retain(|(other, _)| *other != name);
        kept.push((name, value));
    }
}

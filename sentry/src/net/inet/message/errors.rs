//! What went wrong with datagrams that were sent: SO_ERROR, and the queue of IP_RECVERR.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use syscalls::Errno;
use syscalls::abi::net::SockExtendedErr;
use syscalls::errno::{EAGAIN, ECONNREFUSED, EMSGSIZE};
use zerocopy::FromZeros;

use super::super::addr::Endpoint;
use crate::sync::{Level, Mutex};

/// An error with its circumstances.
pub(in crate::net::inet) struct Queued {
    pub(in crate::net::inet) error: SockExtendedErr,
    /// Who told.
    pub(in crate::net::inet) offender: Option<IpAddr>,
    /// Where the datagram was to go.
    pub(in crate::net::inet) to: Option<Endpoint>,
    /// The datagram.
    pub(in crate::net::inet) data: Vec<u8>,
}

pub(in crate::net::inet) struct Errors {
    pending: AtomicI32,
    queue: Mutex<VecDeque<Queued>>,
    /// Sends with MSG_ZEROCOPY so far.
    copies: AtomicU32,
}

/// What somebody on the way says of a packet.
#[derive(Clone, Copy, Debug)]
pub(in crate::net::inet) struct Told {
    pub(in crate::net::inet) why: Errno,
    /// Nothing else will come of it.
    pub(in crate::net::inet) is_final: bool,
    /// As ICMP numbers them.
    pub(in crate::net::inet) kind: u8,
    pub(in crate::net::inet) code: u8,
    pub(in crate::net::inet) info: u32,
    /// Who tells.
    pub(in crate::net::inet) offender: IpAddr,
}

/// The kernel itself tells, `SO_EE_ORIGIN_LOCAL` and `SO_EE_ORIGIN_ZEROCOPY`.
const ORIGIN_LOCAL: u8 = 1;
const ORIGIN_ZEROCOPY: u8 = 5;
/// `SO_EE_CODE_ZEROCOPY_COPIED`.
const COPIED: u8 = 1;
/// Who told of an error, `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6`.
const ORIGIN_ICMP: u8 = 2;
const ORIGIN_ICMP6: u8 = 3;

impl Told {
    /// Nobody has the port at `ip`.
    pub(in crate::net::inet) fn no_port(ip: IpAddr) -> Self {
        let (kind, code) = if ip.is_ipv4() { (3, 3) } else { (1, 4) };
        Told {
            why: ECONNREFUSED,
            is_final: true,
            kind,
            code,
            info: 0,
            offender: ip,
        }
    }

    /// With the packet that it is about.
    pub(in crate::net::inet) fn queued(&self, to: Endpoint, data: Vec<u8>) -> Queued {
        let error = SockExtendedErr {
            errno: self.why.raw().into(),
            origin: if to.ip.is_ipv4() {
                ORIGIN_ICMP
            } else {
                ORIGIN_ICMP6
            },
            kind: self.kind,
            code: self.code,
            info: self.info,
            ..SockExtendedErr::new_zeroed()
        };
        Queued {
            error,
            offender: Some(self.offender),
            to: Some(to),
            data,
        }
    }
}

/// Errors that are kept; later ones are lost.
const MAX: usize = 128;

impl Default for Errors {
    fn default() -> Self {
        Errors {
            pending: AtomicI32::new(0),
            queue: Mutex::new(Level::Leaf, VecDeque::new()),
            copies: AtomicU32::new(0),
        }
    }
}

impl Errors {
    /// Something is to be told once.
    pub(in crate::net::inet) fn set(&self, error: Errno) {
        self.pending.store(error.raw().into(), Ordering::Relaxed);
    }

    /// Tells it.
    pub(in crate::net::inet) fn take(&self) -> Option<Errno> {
        if self.pending.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let error = self.pending.swap(0, Ordering::Relaxed);
        (error != 0).then(|| Errno::from_raw(error))
    }

    /// Keeps an error for MSG_ERRQUEUE.
    pub(in crate::net::inet) fn queue(&self, error: Queued) {
        let mut queue = self.queue.lock();
        if queue.len() < MAX {
            queue.push_back(error);
        }
    }

    /// A packet to `to` was larger than `most`: kept, and told by the call.
    pub(in crate::net::inet) fn too_large(&self, to: Endpoint, most: u32) {
        let error = SockExtendedErr {
            errno: EMSGSIZE.raw().into(),
            origin: ORIGIN_LOCAL,
            info: most,
            ..SockExtendedErr::new_zeroed()
        };
        self.queue(Queued {
            error,
            offender: None,
            to: Some(to),
            data: Vec::new(),
        });
    }

    /// What a send with MSG_ZEROCOPY gave is the program's again. It was copied.
    pub(in crate::net::inet) fn copied(&self) {
        let number = self.copies.fetch_add(1, Ordering::Relaxed);
        let error = SockExtendedErr {
            origin: ORIGIN_ZEROCOPY,
            code: COPIED,
            info: number,
            data: number,
            ..SockExtendedErr::new_zeroed()
        };
        self.queue(Queued {
            error,
            offender: None,
            to: None,
            data: Vec::new(),
        });
    }

    /// The next of them; `EAGAIN`. What SO_ERROR says follows the queue.
    pub(in crate::net::inet) fn next(&self) -> Result<Queued, Errno> {
        let mut queue = self.queue.lock();
        let first = queue.pop_front().ok_or(EAGAIN)?;
        let by_icmp = |queued: &&Queued| {
            queued.error.origin != ORIGIN_LOCAL && queued.error.origin != ORIGIN_ZEROCOPY
        };
        let following = queue.front().filter(by_icmp).map(|next| next.error.errno);
        if following.is_some() || by_icmp(&&first) {
            let following = i32::try_from(following.unwrap_or(0)).unwrap_or(0);
            self.pending.store(following, Ordering::Relaxed);
        }
        Ok(first)
    }

    /// True if there is something to be told.
    pub(in crate::net::inet) fn any(&self) -> bool {
        self.pending.load(Ordering::Relaxed) != 0 || !self.queue.lock().is_empty()
    }
}

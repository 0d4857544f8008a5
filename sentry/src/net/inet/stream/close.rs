//! Ways in which connections end, and what is remembered of them.

use std::sync::Arc;

use syscalls::errno::{EAGAIN, ECONNRESET, EPIPE};

use super::shown::End;
use super::{Flow, Half, Inner, Role, StreamSocket, TcpState};
use crate::net::inet::addr::{Endpoint, Family};
use crate::net::inet::ports::{Hold, Use};
use crate::task::Current;
use crate::time::now_monotonic;
use crate::wait::{Deadline, Ready};

/// How long a connection is remembered after its end, nanoseconds (TCP_TIMEWAIT_LEN, and
/// net.ipv4.tcp_fin_timeout for those whose other side goes on).
const REMEMBERED: u64 = 60_000_000_000;

/// A connection whose socket is closed while the other side, or the network, may still
/// have something to say: FIN_WAIT2 until the peer is done as well, then TIME_WAIT.
pub(in crate::net::inet) struct Lingering {
    pub(in crate::net::inet) family: Family,
    pub(in crate::net::inet) local: Endpoint,
    pub(in crate::net::inet) remote: Endpoint,
    tx: Arc<Half>,
    rx: Arc<Half>,
    /// Monotonic clock.
    until: u64,
    _hold: Hold<StreamSocket>,
}

impl Lingering {
    /// True once nobody needs to remember it.
    pub(in crate::net::inet) fn is_over(&self) -> bool {
        now_monotonic() >= self.until || self.tx.is_dead()
    }

    /// FIN_WAIT2 or TIME_WAIT.
    pub(in crate::net::inet) fn state(&self) -> TcpState {
        if self.rx.finished().is_some() {
            TcpState::TimeWait
        } else {
            TcpState::FinWait2
        }
    }

    /// Nanoseconds until it is forgotten.
    pub(in crate::net::inet) fn left(&self) -> u64 {
        self.until.saturating_sub(now_monotonic())
    }
}

impl Flow {
    /// Resets the connection: the other side is told.
    pub(super) fn abort(&self) {
        // Who has seen the end of what we sent hears of a broken pipe.
        let why = if self.tx.finished().is_some() {
            EPIPE
        } else {
            ECONNRESET
        };
        self.rx.abandon();
        self.tx.reset(Some(why));
        self.rx.reset(None);
    }

    /// True if the other side is not done yet, or was later.
    fn closes_first(&self) -> bool {
        match (self.tx.finished(), self.rx.finished()) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(ours), Some(theirs)) => ours < theirs,
        }
    }

    /// The other side answered with a reset.
    pub(super) fn was_reset(&self) {
        let why = if self.rx.finished().is_some() {
            EPIPE
        } else {
            ECONNRESET
        };
        self.rx.reset(Some(why));
        self.tx.reset(None);
    }
}

/// What a socket had that is closed.
struct Had {
    role: Role,
    hold: Option<Hold<StreamSocket>>,
    local: Endpoint,
    unaccepted: bool,
}

impl Inner {
    /// From here on the socket has nothing more to do.
    fn take(&mut self) -> Had {
        Had {
            role: std::mem::replace(&mut self.role, Role::Idle),
            hold: self.hold.take(),
            local: self.local,
            unaccepted: self.unaccepted,
        }
    }
}

impl StreamSocket {
    /// The last descriptor is closed. What was sent, if it is still on its way.
    fn close(&self, had: Had) -> Option<Arc<Half>> {
        let Had {
            role,
            hold,
            local,
            unaccepted,
        } = had;
        let abort = self.options.lingers().is_some_and(|most| most.is_zero());
        match role {
            Role::Idle | Role::Connecting(_) => {}
            Role::Listening(listener) => {
                drop(hold);
                Self::dissolve(listener);
            }
            Role::Connected(flow) if flow.rx.is_dead() => {
                flow.rx.abandon();
            }
            Role::Connected(flow) => {
                let unread = flow.rx.abandon();
                if abort || unaccepted || unread {
                    self.show_end(local, &flow, End::Reset);
                    flow.abort();
                    return None;
                }
                if let Some(hold) = hold.filter(|_| flow.closes_first()) {
                    // The port can be had again by whoever says so.
                    hold.change(self.terms(local), Use::Lingering(flow.remote));
                    self.stack.linger(Lingering {
                        family: self.version(),
                        local,
                        remote: flow.remote,
                        tx: flow.tx.clone(),
                        rx: flow.rx.clone(),
                        until: now_monotonic().saturating_add(REMEMBERED),
                        _hold: hold,
                    });
                }
                if flow.tx.finished().is_none() {
                    self.show_end(local, &flow, End::Finish);
                }
                flow.tx.finish();
                return Some(flow.tx);
            }
        }
        None
    }

    /// SO_LINGER: closes, and waits until the other side has what was sent.
    pub(super) fn close_and_wait(&self, task: &Current) {
        let most = self.options.lingers().filter(|most| !most.is_zero());
        let (Some(most), true) = (most, self.flow().is_some()) else {
            return;
        };
        let had = self.inner.lock().take();
        let Some(sent) = self.close(had) else {
            return;
        };
        let arrived = || match sent.has_arrived() {
            true => Ok(()),
            false => Err(EAGAIN.into()),
        };
        let limit = Some(Deadline::after(most));
        // Whatever ends it, close(2) has done its work.
        let _ = task.block_on(&self.queue, Ready::WRITABLE, limit, arrived);
    }
}

impl Drop for StreamSocket {
    fn drop(&mut self) {
        let had = self.inner.get_mut().take();
        self.close(had);
    }
}

//! Notices the Gofer's death: its side of the socket closes.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};

use rustix::event::{PollFd, PollFlags, poll};
use syscalls::Errno;

use super::exchange::Exchange;

/// The watcher's stack: it does next to nothing.
const STACK: usize = 64 << 10;

/// Starts the watcher. It ends with the Gofer, or with the last user of `exchange`, whose
/// drop shuts the socket down.
pub(super) fn start(
    exchange: &Arc<Exchange>,
    socket: OwnedFd,
    on_broken: impl FnOnce() + Send + 'static,
) -> Result<(), Errno> {
    let socket = Arc::new(socket);
    exchange.keep(Arc::clone(&socket));
    let weak = Arc::downgrade(exchange);
    std::thread::Builder::new()
        .name("gofer-watch".into())
        .stack_size(STACK)
        .spawn(move || {
            wait_for_end(&socket);
            if let Some(exchange) = Weak::upgrade(&weak) {
                exchange.fail();
                on_broken();
            }
        })?;
    Ok(())
}

fn wait_for_end(socket: &OwnedFd) {
    loop {
        // Nothing is ever sent, so whatever happens on the socket is its end.
        let mut fds = [PollFd::new(socket, PollFlags::IN | PollFlags::RDHUP)];
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) | Ok(0) => {}
            Ok(_) | Err(_) => return,
        }
    }
}

//! Packet mode, TIOCPKT in ioctl_tty(2): the master is told of what happens to the slave's
//! flow and queues.

use syscalls::abi::tty::{
    InputModes, LocalModes, TIOCPKT_DOSTOP, TIOCPKT_FLUSHREAD, TIOCPKT_FLUSHWRITE, TIOCPKT_IOCTL,
    TIOCPKT_NOSTOP, TIOCPKT_START, TIOCPKT_STOP,
};

use super::settings::{Char, Settings};
use super::{Pty, State};
use crate::wait::Ready;

/// What the next read of the master tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    FlushRead,
    FlushWrite,
    Stopped,
    Started,
}

/// ^S and ^Q stop and start the output.
fn flows(settings: &Settings) -> bool {
    const CONTROL_S: u8 = 0o23;
    const CONTROL_Q: u8 = 0o21;
    settings.input.contains(InputModes::IXON)
        && settings.is(Char::Stop, CONTROL_S)
        && settings.is(Char::Start, CONTROL_Q)
}

impl State {
    /// Notes what happened, if the master wants to know.
    pub(super) fn tell(&mut self, what: Told) {
        let (set, undone) = match what {
            Told::FlushRead => (TIOCPKT_FLUSHREAD, 0),
            Told::FlushWrite => (TIOCPKT_FLUSHWRITE, 0),
            Told::Stopped => (TIOCPKT_STOP, TIOCPKT_START),
            Told::Started => (TIOCPKT_START, TIOCPKT_STOP),
        };
        self.note(set, undone);
    }

    /// The settings changed from `old` to what they are.
    pub(super) fn tell_settings(&mut self, old: &Settings) {
        let outside = |settings: &Settings| settings.has(LocalModes::EXTPROC);
        let any_outside = outside(old) || outside(&self.settings);
        let (before, now) = (flows(old), flows(&self.settings));
        if before == now && !any_outside {
            return;
        }
        let flow = match now {
            _ if before == now => 0,
            true => TIOCPKT_DOSTOP,
            false => TIOCPKT_NOSTOP,
        };
        let outside = if any_outside { TIOCPKT_IOCTL } else { 0 };
        self.note(flow | outside, TIOCPKT_DOSTOP | TIOCPKT_NOSTOP);
    }

    fn note(&mut self, set: u8, undone: u8) {
        if self.packets {
            self.packet_status = (self.packet_status & !undone) | set;
        }
    }
}

impl Pty {
    /// Wakes the master if there is something to tell.
    pub(super) fn notify_packet(&self) {
        let waiting = self.state.lock().packet_status != 0;
        if waiting {
            self.master_queue.notify(Ready::READABLE | Ready::PRI);
        }
    }
}

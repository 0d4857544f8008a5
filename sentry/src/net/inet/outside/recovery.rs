//! What the stack lacks to get over lost segments quickly.
//!
//! smoltcp sends the first unacknowledged segment again when three ACKs in a row say the
//! same, once. If more of a flight is lost, if that segment is lost again, or if the last
//! ones are, it waits for its timer, which takes a second at least, and sends everything
//! again. It also takes an ACK for a new one whose window differs, as those of a receiver do
//! that gives itself more room meanwhile.
//!
//! So we look at the ACKs, too, and where the stack should send the first unacknowledged
//! segment again, it is given the last ACK often enough:
//! - after the third duplicate, counted as RFC 6675 has it: one that acknowledges more
//!   selectively is one. But not at once: if the segment was only overtaken, it is acknowledged
//!   a little later (RFC 8985), and until then the stack does not hear the duplicates;
//! - when not all is acknowledged that was sent before the loss was noticed (RFC 6582);
//! - when nothing has been acknowledged for long, once (RFC 8985, tail loss probe).

use smoltcp::time::{Duration, Instant};
use smoltcp::wire::TcpSeqNumber;

/// Equal ACKs after which a segment counts as lost.
const DUPLICATES: u32 = 3;
/// How much longer than two round trips an ACK may take, as long as a receiver may wait with
/// it (TCP_RTO_MIN of Linux).
const SLACK: Duration = Duration::from_millis(200);

/// What is done with a segment that acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The stack takes it.
    Take,
    /// It is not for the stack, for now.
    Hold,
    /// The stack takes it, and is to send again.
    SendAgain,
}

/// What a segment acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ack {
    pub(super) number: TcpSeqNumber,
    /// Not scaled.
    pub(super) window: u16,
    /// It does nothing else.
    pub(super) pure: bool,
    /// It acknowledges selectively, too.
    pub(super) selective: bool,
}

/// Of one connection.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    last: Option<Ack>,
    /// The frame of `last`, if that was pure.
    frame: Vec<u8>,
    duplicates: u32,
    /// The end of what was sent.
    sent: Option<TcpSeqNumber>,
    /// What was sent when a loss was noticed; until it is acknowledged, that is not over.
    until: Option<TcpSeqNumber>,
    /// When what duplicates tell of is lost, unless it is acknowledged before.
    suspected: Option<Instant>,
    /// When something was acknowledged, or sent when nothing was on its way.
    progress: Option<Instant>,
    /// Since then, the stack was made to send again for lack of ACKs.
    probed: bool,
    /// A round trip, smoothed.
    round_trip: Option<Duration>,
    /// What is being timed, and since when.
    timed: Option<(TcpSeqNumber, Instant)>,
}

impl Recovery {
    /// Something was sent, up to `end`.
    pub(super) fn sent(&mut self, end: TcpSeqNumber, now: Instant) {
        if self.sent.is_some_and(|sent| end <= sent) {
            // Again: its ACK says nothing of round trips.
            self.timed = None;
            return;
        }
        if !self.is_waiting() {
            self.progress = Some(now);
            self.probed = false;
        }
        self.sent = Some(end);
        self.timed.get_or_insert((end, now));
    }

    /// An ACK has come, in `frame`.
    pub(super) fn heard(&mut self, ack: Ack, frame: &[u8], now: Instant) -> Verdict {
        let last = self.last.replace(ack);
        self.frame.clear();
        if ack.pure {
            self.frame.extend_from_slice(frame);
        }
        let Some((last, sent)) = last.zip(self.sent) else {
            return Verdict::Take;
        };
        if ack.number < last.number {
            self.last = Some(last);
            return Verdict::Take;
        }
        if ack.number == last.number {
            let is_duplicate = ack.pure
                && ack.number < sent
                && (ack.selective || (last.pure && ack.window == last.window));
            if !is_duplicate || self.until.is_some() {
                return Verdict::Take;
            }
            self.duplicates += 1;
            if self.duplicates == DUPLICATES {
                let overtaken = self.round_trip.unwrap_or_default() / 4;
                self.suspected = Some(now + overtaken.max(Duration::from_millis(1)));
            }
            return match ack.window == last.window {
                true => Verdict::Hold,
                false => Verdict::Take,
            };
        }
        self.duplicates = 0;
        self.suspected = None;
        self.progress = Some(now);
        self.probed = false;
        if let Some((end, since)) = self.timed
            && ack.number >= end
        {
            self.timed = None;
            let took = now - since;
            let smooth = |before: Duration| (before * 7 + took) / 8;
            self.round_trip = Some(self.round_trip.map_or(took, smooth));
        }
        match self.until {
            Some(until) if ack.number < until && ack.pure => Verdict::SendAgain,
            Some(until) if ack.number < until => Verdict::Take,
            _ => {
                self.until = None;
                Verdict::Take
            }
        }
    }

    /// When [`Self::probe`] is to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.frame.is_empty() || !self.is_waiting() {
            return None;
        }
        self.suspected.into_iter().chain(self.silence()).min()
    }

    /// When it has been silent for long.
    fn silence(&self) -> Option<Instant> {
        let since = self.progress.filter(|_| !self.probed)?;
        Some(since + self.round_trip? * 2 + SLACK)
    }

    /// The last ACK, if by now the stack is to send again because nothing was acknowledged.
    pub(super) fn probe(&mut self, now: Instant) -> Option<&[u8]> {
        if self.deadline()? > now {
            return None;
        }
        self.probed |= self.suspected.take().is_none();
        self.until = self.sent;
        Some(&self.frame)
    }

    /// Something is not acknowledged.
    fn is_waiting(&self) -> bool {
        let acked = self.last.map(|ack| ack.number);
        acked
            .zip(self.sent)
            .is_some_and(|(acked, sent)| acked < sent)
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Hold, SendAgain, Take};
    use super::{Ack, Recovery};
    use smoltcp::time::Instant;
    use smoltcp::wire::TcpSeqNumber;

    fn at(millis: i64) -> Instant {
        Instant::from_millis(millis)
    }

    fn ack(number: i32) -> Ack {
        Ack {
            number: TcpSeqNumber(number),
            window: 100,
            pure: true,
            selective: false,
        }
    }

    /// 10,000 bytes on their way from `start` on, sent at 0.
    fn begun(start: i32) -> Recovery {
        let mut recovery = Recovery::default();
        assert_eq!(recovery.heard(ack(start), b"ack", at(0)), Take);
        for i in 1..=10 {
            recovery.sent(TcpSeqNumber(start) + i * 1000, at(0));
        }
        recovery
    }

    #[test]
    fn each_hole_is_told_of_once() {
        // Numbers that wrap around included.
        for start in [1000, i32::MAX - 2500] {
            let number = |offset: usize| Ack {
                number: TcpSeqNumber(start) + offset,
                ..ack(0)
            };
            let mut recovery = begun(start);
            assert_eq!(recovery.heard(number(1000), b"first", at(40)), Take);
            let told = [0; 4].map(|_| recovery.heard(number(1000), b"first", at(41)));
            assert_eq!(told, [Hold; 4]);
            // A quarter of a round trip later.
            assert_eq!(recovery.deadline(), Some(at(51)));
            assert_eq!(recovery.probe(at(51)), Some(&b"first"[..]));
            assert_eq!(recovery.heard(number(1000), b"first", at(52)), Take);
            // The first hole is filled, there is another one.
            assert_eq!(recovery.heard(number(4000), b"second", at(90)), SendAgain);
            let told = [0; 6].map(|_| recovery.heard(number(4000), b"second", at(91)));
            assert_eq!(told, [Take; 6]);
            // All of it has arrived: what comes now is a flight of its own.
            assert_eq!(recovery.heard(number(10_000), b"third", at(130)), Take);
            recovery.sent(TcpSeqNumber(start) + 20_000, at(130));
            assert_eq!(recovery.heard(number(11_000), b"fourth", at(170)), Take);
        }
    }

    #[test]
    fn what_was_overtaken_is_not_lost() {
        let mut recovery = begun(1000);
        assert_eq!(recovery.heard(ack(2000), b"", at(40)), Take);
        let told = [0; 5].map(|_| recovery.heard(ack(2000), b"ack", at(41)));
        assert_eq!(told, [Hold; 5]);
        assert_eq!(recovery.heard(ack(8000), b"ack", at(45)), Take);
        assert_eq!(recovery.probe(at(60)), None);
    }

    #[test]
    fn windows_that_grow_are_no_progress_if_more_is_acknowledged_selectively() {
        for (selective, expected) in [(true, Some(at(11))), (false, None)] {
            let mut recovery = begun(1000);
            for window in 101..=103 {
                let ack = Ack {
                    window,
                    selective,
                    ..ack(1000)
                };
                // The stack learns of the window.
                assert_eq!(recovery.heard(ack, b"ack", at(10)), Take);
            }
            assert_eq!(recovery.deadline(), expected);
        }
    }

    #[test]
    fn acks_that_carry_data_are_no_duplicates() {
        let mut recovery = begun(1000);
        let data = Ack {
            pure: false,
            ..ack(1000)
        };
        assert_eq!([0; 5].map(|_| recovery.heard(data, b"", at(1))), [Take; 5]);
        assert_eq!(recovery.deadline(), None);
    }

    #[test]
    fn silence_is_answered_once() {
        let mut recovery = begun(1000);
        // No round trip is known yet.
        assert_eq!(recovery.deadline(), None);
        assert_eq!(recovery.heard(ack(2000), b"first", at(50)), Take);
        assert_eq!(recovery.deadline(), Some(at(50 + 2 * 50 + 200)));
        assert_eq!(recovery.probe(at(349)), None);
        assert_eq!(recovery.probe(at(350)), Some(&b"first"[..]));
        assert_eq!(recovery.deadline(), None);
        // What is missing now is told by the next ACK.
        assert_eq!(recovery.heard(ack(3000), b"second", at(400)), SendAgain);
        assert_eq!(recovery.probe(at(10_000)), Some(&b"second"[..]));
        // Nothing is on its way.
        assert_eq!(recovery.heard(ack(11_000), b"third", at(10_100)), Take);
        assert_eq!(recovery.deadline(), None);
    }

    #[test]
    fn what_is_sent_again_is_not_timed() {
        let mut recovery = begun(1000);
        recovery.sent(TcpSeqNumber(2000), at(900));
        assert_eq!(recovery.heard(ack(11_000), b"ack", at(1000)), Take);
        recovery.sent(TcpSeqNumber(12_000), at(1000));
        assert_eq!(recovery.deadline(), None);
        assert_eq!(recovery.heard(ack(12_000), b"ack", at(1020)), Take);
        recovery.sent(TcpSeqNumber(13_000), at(1020));
        assert_eq!(recovery.deadline(), Some(at(1020 + 2 * 20 + 200)));
    }
}

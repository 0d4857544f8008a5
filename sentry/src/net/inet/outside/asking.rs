//! Questions to Docker's resolver over TCP: a connection to where it answers ends here, and
//! each of its questions goes to [`Resolver`](super::resolver::Resolver) as a datagram, for
//! which any answer is small enough.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::engine::Engine;
use super::resolver::Asker;
use super::{Line, Opening};
use crate::net::inet::stream::half::{Take, UrgentData};
use crate::net::inet::stream::{Half, StreamSocket};
use crate::vfs::{Sink, Source};

/// Bytes of a message's length.
const LENGTH: usize = 2;
/// Read at once, bytes.
const CHUNK: usize = 4096;
/// Where the head of a message counts additional records.
const ADDITIONAL: usize = 10;
/// The record OPT: no name, type 41, and any size of answers (RFC 6891).
const ANY_SIZE: [u8; 11] = [0, 0, 41, 0xff, 0xff, 0, 0, 0, 0, 0, 0];

/// One connection.
pub(super) struct Asking {
    socket: Weak<StreamSocket>,
    tx: Arc<Half>,
    rx: Arc<Half>,
    line: Line,
    /// A question of which more is to come.
    begun: Vec<u8>,
    /// Questions without an answer yet.
    open: usize,
}

/// The first whole message, which is taken out.
fn next(begun: &mut Vec<u8>) -> Option<Vec<u8>> {
    let len = usize::from(u16::from_be_bytes(*begun.first_chunk::<LENGTH>()?));
    let message = begun.get(LENGTH..LENGTH + len)?.to_vec();
    begun.drain(..LENGTH + len);
    Some(message)
}

/// Asks for an answer of any size, unless the question says something about that itself.
fn enlarge(question: &mut Vec<u8>) {
    if let Some(count @ [0, 0]) = question.get_mut(ADDITIONAL..ADDITIONAL + 2) {
        count.copy_from_slice(&[0, 1]);
        question.extend_from_slice(&ANY_SIZE);
    }
}

impl Engine {
    /// A socket connects to the resolver.
    pub(super) fn begin_asking(&mut self, opening: Opening) {
        let Some(socket) = opening.socket.upgrade() else {
            return;
        };
        socket.reached(opening.remote, (&opening.tx, &opening.rx));
        let id = opening.line.id;
        let asking = Asking {
            socket: opening.socket,
            tx: opening.tx,
            rx: opening.rx,
            line: opening.line,
            begun: Vec::new(),
            open: 0,
        };
        self.asking.insert(id, asking);
        self.dirty.push(id);
    }

    /// Passes questions of a connection on. False if there is no such connection.
    pub(super) fn serve_asking(&mut self, id: u64) -> bool {
        let (Some(asking), Some(resolver)) = (self.asking.get_mut(&id), &mut self.resolver) else {
            return false;
        };
        asking.line.touch.told.store(false, Ordering::Release);
        let mut bytes = [0; CHUNK];
        loop {
            let read = asking.tx.read(
                &mut Sink::kernel(&mut bytes),
                Take::Consume,
                UrgentData::Inline,
            );
            let Some(read) = read.ok().and_then(|count| bytes.get(..count)) else {
                break;
            };
            if read.is_empty() {
                break;
            }
            asking.begun.extend_from_slice(read);
            while let Some(mut question) = next(&mut asking.begun) {
                enlarge(&mut question);
                asking.open += 1;
                resolver.ask(Asker::Stream(id), question);
            }
        }
        let ended = asking.tx.finished().is_some();
        let gone = asking.tx.is_dead() || asking.socket.strong_count() == 0;
        if gone || (ended && asking.open == 0) {
            asking.rx.finish();
            asking.tx.acknowledge();
            self.asking.remove(&id);
        }
        true
    }

    /// An answer for a connection.
    pub(super) fn answered(&mut self, id: u64, answer: &[u8]) {
        if let Some(asking) = self.asking.get_mut(&id)
            && let Ok(len) = u16::try_from(answer.len())
        {
            let whole = [&len.to_be_bytes()[..], answer].concat();
            asking.open = asking.open.saturating_sub(1);
            // Who does not read gets no more.
            let _ = asking.rx.write(&mut Source::kernel(&whole), 0);
            self.dirty.push(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ANY_SIZE, enlarge, next};

    #[test]
    fn messages_come_in_pieces() {
        let mut begun = vec![0, 3, 1, 2];
        assert_eq!(next(&mut begun), None);
        begun.extend_from_slice(&[3, 0, 1, 9, 0]);
        assert_eq!(next(&mut begun), Some(vec![1, 2, 3]));
        assert_eq!(next(&mut begun), Some(vec![9]));
        assert_eq!(next(&mut begun), None);
        assert_eq!(begun, [0]);
    }

    #[test]
    fn questions_take_any_answer() {
        let mut question = vec![0; 12];
        enlarge(&mut question);
        assert_eq!((question[11], &question[12..]), (1, &ANY_SIZE[..]));
        let before = question.clone();
        enlarge(&mut question);
        assert_eq!(question, before);
        enlarge(&mut vec![0; 5]);
    }
}

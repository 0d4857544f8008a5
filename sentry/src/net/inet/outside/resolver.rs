//! Docker's resolver, which answers at 127.0.0.11 in a container's network namespace.
//!
//! There it is a socket of Docker's daemon, to which rules of that namespace lead; in here
//! it is a socket that was connected to it beforehand. All programs share it: the number of
//! each question is replaced by one of ours, so that the answer finds who has asked.
//! Those that come over TCP are made datagrams ([`asking`](super::asking)).

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{MsgFlags, recv, send};

use super::super::addr::Endpoint;
use super::super::links::LOOPBACK;
use super::super::message::Datagram;
use super::super::stack::Stack;
use crate::time::now_realtime;

/// Where it answers.
pub(super) const PLACE: Endpoint = Endpoint {
    ip: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11)),
    port: 53,
};
/// Questions that wait for an answer; the oldest gives way.
const MAX: usize = 1024;
/// The largest message, bytes.
const LARGEST: usize = 65536;

/// Who gets an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// A socket of UDP.
    Datagram(Endpoint),
    /// A connection, by its number.
    Stream(u64),
}

/// See the module.
pub(super) struct Resolver {
    socket: OwnedFd,
    /// By our number: who has asked, and its own number.
    asked: HashMap<u16, (Asker, [u8; 2])>,
    /// Our numbers in the order of questions.
    order: BTreeMap<u64, u16>,
    questions: u64,
}

impl Resolver {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Resolver {
            socket,
            asked: HashMap::new(),
            order: BTreeMap::new(),
            questions: 0,
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Passes a question on.
    pub(super) fn ask(&mut self, who: Asker, mut question: Vec<u8>) {
        let Some(number) = question.first_chunk_mut::<2>() else {
            return;
        };
        if self.order.len() >= MAX
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.asked.remove(&oldest);
        }
        self.questions = self.questions.wrapping_add(1);
        let [.., high, low] = self.questions.to_be_bytes();
        let ours = u16::from_be_bytes([high, low]);
        self.asked.insert(ours, (who, *number));
        self.order.insert(self.questions, ours);
        *number = ours.to_be_bytes();
        // What is lost is asked again.
        let _ = send(self.socket.as_raw_fd(), &question, MsgFlags::MSG_DONTWAIT);
    }

    /// Hands answers to who has asked; gives back those for connections.
    pub(super) fn hear(&mut self, guest: &Stack) -> Vec<(u64, Vec<u8>)> {
        let mut streams = Vec::new();
        let mut buffer = vec![0; LARGEST];
        while let Ok(len) = recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            let mut data = buffer.get(..len).unwrap_or_default().to_vec();
            let Some(number) = data.first_chunk_mut::<2>() else {
                continue;
            };
            let Some((who, theirs)) = self.asked.remove(&u16::from_be_bytes(*number)) else {
                continue;
            };
            *number = theirs;
            let who = match who {
                Asker::Datagram(who) => who,
                Asker::Stream(id) => {
                    streams.push((id, data));
                    continue;
                }
            };
            let answer = Datagram {
                data,
                from: PLACE,
                to: who.ip,
                port: who.port,
                link: LOOPBACK,
                ttl: 64,
                tos: 0,
                at: now_realtime(),
                segment: None,
            };
            // Who does not wait any more does not get it.
            let _ = guest.deliver(&guest.udp, answer);
        }
        streams
    }
}

//! Connections of TCP between the sandbox's sockets and the outside.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{IpAddress, IpEndpoint, IpListenEndpoint};
use syscalls::Errno;
use syscalls::errno::{ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT};

use super::super::addr::Endpoint;
use super::super::stream::half::{Take, UrgentData};
use super::super::stream::{Half, StreamSocket};
use super::engine::{Engine, Port, now};
use super::frame::{self, Kind, Segment};
use super::recovery::{Recovery, Verdict};
use super::{Line, Opening};
use crate::vfs::{Sink, Source};

/// Bytes that wait to be acknowledged or taken, in each direction. Untouched ones cost
/// nothing.
const BUFFER: usize = 256 << 10;
/// Connections that are not yet open, of all listeners; the oldest gives way.
const MAX_HALF_OPEN: usize = 1024;
/// How long connect(2) tries (net.ipv4.tcp_syn_retries).
const CONNECTING: Duration = Duration::from_secs(127);
/// How long a listener's side waits to be answered (net.ipv4.tcp_synack_retries).
const ANSWERING: Duration = Duration::from_secs(63);
/// How long what was sent may stay without an answer (net.ipv4.tcp_retries2).
const SENDING: Duration = Duration::from_secs(924);
/// How long a neighbour may take to say who it is (net.ipv4.neigh.default.mcast_solicit).
const ASKING: Duration = Duration::from_secs(3);
/// How long the other side may take to end what nobody here hears any more
/// (net.ipv4.tcp_fin_timeout).
const ORPHANED: Duration = Duration::from_secs(60);

/// Duplicates of an ACK that make the stack send again.
const REPEATS: usize = 3;

/// One connection.
pub(super) struct Connection {
    /// Which interface.
    at: usize,
    /// It alone.
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    local: Endpoint,
    remote: Endpoint,
    /// The neighbour by which packets go.
    pub(super) hop: IpAddr,
    stage: Stage,
    /// When the stage began.
    since: Instant,
    line: Line,
    timer: Option<Instant>,
    recovery: Recovery,
    /// The other side has sent a reset.
    was_reset: bool,
    /// Since when its end is all that is waited for.
    orphan: Option<Instant>,
}

enum Stage {
    /// Asked for by a socket.
    Connecting(Opened),
    /// Asked for from outside, at a listener.
    Answering(Weak<StreamSocket>),
    Open(Opened),
}

struct Opened {
    socket: Weak<StreamSocket>,
    tx: Arc<Half>,
    rx: Arc<Half>,
}

fn end(at: Endpoint) -> IpEndpoint {
    IpEndpoint::new(IpAddress::from(at.ip), at.port)
}

fn socket() -> Socket<'static> {
    let buffer = || SocketBuffer::new(vec![0; BUFFER]);
    let mut socket = Socket::new(buffer(), buffer());
    socket.set_congestion_control(CongestionControl::Cubic);
    socket
}

impl Engine {
    /// A socket connects.
    pub(super) fn begin(&mut self, opening: Opening) {
        let fail = |opening: &Opening, why| {
            if let Some(socket) = opening.socket.upgrade() {
                socket.came_to_nothing(opening.remote, why);
            }
        };
        let at = self.ports.iter().position(|port| port.link == opening.link);
        let (Some(at), Some(guest)) = (at, self.stack.upgrade()) else {
            return fail(&opening, ENETUNREACH);
        };
        let Some(port) = self.ports.get_mut(at) else {
            return;
        };
        let mut socket = socket();
        socket.set_timeout(Some(CONNECTING));
        let (local, remote) = (opening.local, opening.remote);
        let connected = socket.connect(port.stack.context(), end(remote), end(local));
        if connected.is_err() {
            return fail(&opening, ENETUNREACH);
        }
        let hop = guest.links.get().next_hop(remote.ip, opening.link);
        let opened = Opened {
            socket: opening.socket,
            tx: opening.tx,
            rx: opening.rx,
        };
        let stage = Stage::Connecting(opened);
        let ends = (local, remote);
        self.keep((at, hop), socket, ends, stage, opening.line);
    }

    fn keep(
        &mut self,
        (at, hop): (usize, IpAddr),
        socket: Socket<'static>,
        (local, remote): (Endpoint, Endpoint),
        stage: Stage,
        line: Line,
    ) -> u64 {
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let handle = sockets.add(socket);
        let id = line.id;
        if let Some(old) = self.ends.insert((local, remote), id) {
            // Over on our side, or the port would not have been given again.
            self.forget(old);
            self.ends.insert((local, remote), id);
        }
        let connection = Connection {
            at,
            sockets,
            handle,
            local,
            remote,
            hop,
            stage,
            since: now(),
            line,
            timer: None,
            recovery: Recovery::default(),
            was_reset: false,
            orphan: None,
        };
        self.connections.insert(id, connection);
        self.dirty.push(id);
        id
    }

    fn forget(&mut self, id: u64) {
        self.half_open.remove(&id);
        if let Some(connection) = self.connections.remove(&id) {
            if let Stage::Open(opened) = &connection.stage {
                opened.tx.acknowledge();
            }
            if let Some(at) = connection.timer {
                self.timers.remove(&(at, id));
            }
            let ends = (connection.local, connection.remote);
            if self.ends.get(&ends) == Some(&id) {
                self.ends.remove(&ends);
            }
        }
    }

    /// A segment has arrived, and is the frame that the wire holds.
    pub(super) fn segment(&mut self, at: usize, segment: Segment) {
        let ends = (segment.to, segment.from);
        let mut id = self.ends.get(&ends).copied();
        if segment.kind == Kind::Opens {
            // A connection that is over gives way to a new one.
            let over = |c: &Connection| c.state() == State::TimeWait;
            if let Some(old) = id.filter(|id| self.connections.get(id).is_some_and(over)) {
                self.forget(old);
                id = None;
            }
            if id.is_none() {
                match self.answer(at, segment) {
                    Answer::Connection(new) => id = Some(new),
                    Answer::Silence => return,
                    Answer::Refusal => {}
                }
            }
        }
        let Some(port) = self.ports.get_mut(at) else {
            return;
        };
        let connection = id.and_then(|id| self.connections.get_mut(&id));
        let Some(connection) = connection.filter(|connection| connection.at == at) else {
            let Port {
                stack,
                wire,
                nobody,
                ..
            } = port;
            wire.offer();
            stack.poll_ingress_single(now(), wire, nobody);
            return;
        };
        connection.was_reset |= segment.kind == Kind::Resets;
        let (now, frame) = (now(), port.wire.frame().bytes);
        let verdict = segment
            .ack
            .map(|ack| connection.recovery.heard(ack, frame, now));
        let times = match verdict {
            None | Some(Verdict::Take) => 1,
            Some(Verdict::Hold) => 0,
            Some(Verdict::SendAgain) => 1 + REPEATS,
        };
        connection.hear(port, times, now);
        self.dirty.extend(id);
    }

    /// Somebody wants to connect from outside.
    fn answer(&mut self, at: usize, segment: Segment) -> Answer {
        let (Some(port), Some(guest)) = (self.ports.get(at), self.stack.upgrade()) else {
            return Answer::Silence;
        };
        let Some(listener) = guest.tcp.find(segment.to, segment.from, port.link) else {
            return Answer::Refusal;
        };
        if !listener.has_room() {
            // As Linux: who has no room says nothing, the other side tries again.
            return Answer::Silence;
        }
        let hop = guest.links.get().next_hop(segment.from.ip, port.link);
        if self.half_open.len() >= MAX_HALF_OPEN
            && let Some(oldest) = self.half_open.first().copied()
        {
            self.forget(oldest);
        }
        let mut socket = socket();
        socket.set_timeout(Some(ANSWERING));
        let place = IpListenEndpoint {
            addr: Some(segment.to.ip.into()),
            port: segment.to.port,
        };
        if socket.listen(place).is_err() {
            return Answer::Refusal;
        }
        let line = self.outside.line();
        let stage = Stage::Answering(Arc::downgrade(&listener));
        let ends = (segment.to, segment.from);
        let id = self.keep((at, hop), socket, ends, stage, line);
        self.half_open.insert(id);
        Answer::Connection(id)
    }

    /// Does whatever can be done for a connection now.
    pub(super) fn serve_one(&mut self, id: u64, now: Instant) {
        if self.serve_asking(id) {
            return;
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let Some(port) = self.ports.get_mut(connection.at) else {
            return;
        };
        connection.line.touch.told.store(false, Ordering::Release);
        connection.probe(port, now);
        let mut over = connection.advance(port, now);
        while !over && connection.send(port, now) {
            // What was acknowledged or sent may have made room.
            over = connection.advance(port, now);
        }
        if !matches!(connection.stage, Stage::Answering(_)) {
            self.half_open.remove(&id);
        }
        if over {
            // A last word, if there is one.
            connection.send(port, now);
            return self.forget(id);
        }
        let wanted = port.stack.poll_at(now, &connection.sockets);
        let limit = connection.limit();
        let probe = connection.recovery.deadline();
        let wanted = wanted.into_iter().chain(limit).chain(probe).min();
        if wanted != connection.timer {
            if let Some(at) = connection.timer {
                self.timers.remove(&(at, id));
            }
            connection.timer = wanted;
        }
        if let Some(at) = wanted {
            // What could not be sent now is not tried at once again.
            let at = at.max(now + Duration::from_millis(1));
            connection.timer = Some(at);
            self.timers.insert((at, id));
        }
    }

    /// ICMP has told of a connection.
    pub(super) fn told(&mut self, ends: (Endpoint, Endpoint), why: Errno) {
        let Some(id) = self.ends.get(&ends).copied() else {
            return;
        };
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        // Of a connection that is open it says nothing for good; RFC 5461.
        if let Stage::Connecting(opened) = &connection.stage {
            if let Some(socket) = opened.socket.upgrade() {
                socket.came_to_nothing(connection.remote, why);
            }
            self.forget(id);
        }
    }
}

/// What becomes of a wish to connect.
enum Answer {
    /// It goes to this connection.
    Connection(u64),
    /// Nothing is said.
    Silence,
    /// A reset.
    Refusal,
}

impl Connection {
    /// Sends what there is; false if there was nothing.
    fn send(&mut self, port: &mut Port, now: Instant) -> bool {
        let sent = port
            .stack
            .poll_egress(now, &mut port.wire, &mut self.sockets);
        if let Some(end) = port.wire.take_end() {
            self.recovery.sent(end, now);
        }
        sent != smoltcp::iface::PollResult::None
    }

    /// The stack hears what is in the wire's frame, so many times.
    fn hear(&mut self, port: &mut Port, times: usize, now: Instant) {
        for _ in 0..times {
            port.wire.offer();
            port.stack
                .poll_ingress_single(now, &mut port.wire, &mut self.sockets);
        }
    }

    /// Sends the first unacknowledged segment again if nothing was acknowledged for long.
    fn probe(&mut self, port: &mut Port, now: Instant) {
        let Some(frame) = self.recovery.probe(now) else {
            return;
        };
        // With another window it is a new ACK: the stack counts from there.
        port.wire.put(&frame::with_another_window(frame));
        let frame = frame.to_vec();
        self.hear(port, 1, now);
        port.wire.put(&frame);
        self.hear(port, 1 + REPEATS, now);
    }

    fn state(&self) -> State {
        self.sockets.get::<Socket>(self.handle).state()
    }

    /// When it is looked at even if nothing happens.
    fn limit(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Connecting(..) => Some(self.since + ASKING),
            _ => self.orphan.map(|since| since + ORPHANED),
        }
        .filter(|at| *at > now())
    }

    /// Moves the connection on; true once it is over.
    fn advance(&mut self, port: &Port, now: Instant) -> bool {
        let state = self.state();
        match &self.stage {
            Stage::Connecting(opened) => {
                let why = match state {
                    State::SynSent | State::SynReceived => {
                        let silent = now >= self.since + ASKING && !port.knows(self.hop, now);
                        if !silent && opened.socket.strong_count() > 0 {
                            return false;
                        }
                        Some(EHOSTUNREACH)
                    }
                    State::Closed if self.was_reset => Some(ECONNREFUSED),
                    State::Closed => Some(ETIMEDOUT),
                    _ => None,
                };
                let Some(guest) = opened.socket.upgrade() else {
                    self.sockets.get_mut::<Socket>(self.handle).abort();
                    return true;
                };
                if let Some(why) = why {
                    guest.came_to_nothing(self.remote, why);
                    return true;
                }
                guest.reached(self.remote, (&opened.tx, &opened.rx));
                let opened = Opened {
                    socket: opened.socket.clone(),
                    tx: opened.tx.clone(),
                    rx: opened.rx.clone(),
                };
                self.open(opened);
            }
            Stage::Answering(listener) => match state {
                State::SynReceived => return false,
                // Nothing came of it.
                State::Listen | State::Closed => return true,
                _ => {
                    let guest = listener.upgrade();
                    let ends = (self.local, self.remote);
                    let greeted = guest.and_then(|guest| guest.greet(ends, &self.line.queue));
                    let Some((socket, tx, rx)) = greeted else {
                        self.sockets.get_mut::<Socket>(self.handle).abort();
                        return true;
                    };
                    self.open(Opened { socket, tx, rx });
                }
            },
            Stage::Open(_) => {}
        }
        self.flow(now)
    }

    fn open(&mut self, opened: Opened) {
        self.sockets
            .get_mut::<Socket>(self.handle)
            .set_timeout(Some(SENDING));
        self.stage = Stage::Open(opened);
    }

    /// Moves bytes, and what follows them; true once it is over.
    fn flow(&mut self, now: Instant) -> bool {
        let Stage::Open(Opened { socket, tx, rx }) = &self.stage else {
            return false;
        };
        let stack = self.sockets.get_mut::<Socket>(self.handle);
        if let Some(guest) = socket.upgrade() {
            let wishes = guest.wishes();
            if stack.nagle_enabled() == wishes.no_delay {
                stack.set_nagle_enabled(!wishes.no_delay);
            }
            stack.set_keep_alive(wishes.keep_alive.map(Duration::from_secs));
        } else if self.orphan.is_none() {
            self.orphan = Some(now);
        }
        if tx.is_dead() && stack.state() != State::Closed {
            stack.abort();
            return true;
        }
        let mut gone = false;
        while stack.can_recv() {
            let moved = stack.recv(|bytes| match rx.write(&mut Source::kernel(bytes), 0) {
                Ok(count) => (count, count > 0),
                Err(error) => {
                    gone = error == ECONNRESET;
                    (0, false)
                }
            });
            if moved != Ok(true) {
                break;
            }
        }
        if gone {
            // Nobody will ever read it.
            tx.reset(None);
            rx.reset(None);
            stack.abort();
            return true;
        }
        while stack.can_send() && !tx.is_empty() {
            let moved = stack.send(|room| {
                let read = tx.read(&mut Sink::kernel(room), Take::Consume, UrgentData::Inline);
                let count = read.unwrap_or(0);
                (count, count > 0)
            });
            if moved != Ok(true) {
                break;
            }
        }
        if tx.finished().is_some() && tx.is_empty() {
            stack.close();
        }
        let state = stack.state();
        let left = stack.recv_queue() > 0;
        let done = matches!(
            state,
            State::CloseWait | State::LastAck | State::Closing | State::TimeWait
        );
        if done && !left && rx.finished().is_none() {
            rx.finish();
        }
        if matches!(state, State::FinWait2 | State::TimeWait | State::Closed) {
            tx.acknowledge();
        }
        if state == State::Closed && !left {
            let whole = tx.finished().is_some() && rx.finished().is_some();
            if !whole || self.was_reset {
                let why = if self.was_reset {
                    ECONNRESET
                } else {
                    ETIMEDOUT
                };
                StreamSocket::cut(tx, rx, why);
            }
            return true;
        }
        let expired = |since: Instant| now >= since + ORPHANED;
        state == State::FinWait2 && self.orphan.is_some_and(expired)
    }
}

//! Messages and attributes as netlink(7) lays them out.

use syscalls::Errno;
use syscalls::abi::netlink::{NLM_F_MULTI, NLMSG_DONE, NLMSG_ERROR, NlMsgHdr, RtAttr};
use syscalls::errno::EINVAL;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Bytes of the head of a message.
pub(super) const HEAD: usize = size_of::<NlMsgHdr>();
/// Bytes of the head of an attribute.
const ATTRIBUTE: usize = size_of::<RtAttr>();
/// The most bytes of one datagram of an answer, as far as messages allow.
const DATAGRAM: usize = 8192;

fn align(len: usize) -> usize {
    len.next_multiple_of(4)
}

/// A request.
pub(super) struct Request<'a> {
    pub(super) head: NlMsgHdr,
    pub(super) body: &'a [u8],
    /// Head and body, for errors to repeat.
    pub(super) whole: &'a [u8],
}

/// The first of the requests that were sent together, and the rest; `None` at the end.
pub(super) fn split(bytes: &[u8]) -> Option<(Request<'_>, &[u8])> {
    let (head, _) = NlMsgHdr::read_from_prefix(bytes).ok()?;
    let len = usize::try_from(head.len).ok()?;
    let whole = bytes.get(..len)?;
    let request = Request {
        head,
        body: whole.get(HEAD..)?,
        whole,
    };
    Some((request, bytes.get(align(len)..).unwrap_or_default()))
}

impl Request<'_> {
    /// The fixed part after the head. Old programs send only its first byte, the family.
    pub(super) fn fixed<T: FromBytes + IntoBytes>(&self) -> Result<T, Errno> {
        if let Ok((fixed, _)) = T::read_from_prefix(self.body) {
            return Ok(fixed);
        }
        let mut whole = vec![0; size_of::<T>()];
        let first = self.body.first().ok_or(EINVAL)?;
        if let Some(place) = whole.first_mut() {
            *place = *first;
        }
        T::read_from_bytes(&whole).map_err(|_| EINVAL)
    }

    /// The body of an attribute that follows a fixed part of `T`.
    pub(super) fn attribute<T>(&self, kind: u16) -> Option<&[u8]> {
        let mut rest = self.body.get(align(size_of::<T>())..)?;
        while let Ok((head, _)) = RtAttr::read_from_prefix(rest) {
            let len = usize::from(head.len);
            let body = rest.get(ATTRIBUTE..len)?;
            // The two highest bits say how the body is laid out.
            if head.kind & 0x3fff == kind {
                return Some(body);
            }
            rest = rest.get(align(len)..).unwrap_or_default();
        }
        None
    }
}

/// One message that is being made.
pub(super) struct Message(Vec<u8>);

impl Message {
    /// With a fixed part.
    pub(super) fn new<T: IntoBytes + Immutable>(kind: u16, fixed: &T) -> Self {
        let head = NlMsgHdr {
            kind,
            ..NlMsgHdr::default()
        };
        let mut bytes = head.as_bytes().to_vec();
        bytes.extend_from_slice(fixed.as_bytes());
        bytes.resize(align(bytes.len()), 0);
        Message(bytes)
    }

    /// Adds an attribute.
    pub(super) fn put(&mut self, kind: u16, body: &[u8]) {
        let len = ATTRIBUTE + body.len();
        let head = RtAttr {
            len: u16::try_from(len).unwrap_or(u16::MAX),
            kind,
        };
        self.0.extend_from_slice(head.as_bytes());
        self.0.extend_from_slice(body);
        self.0.resize(align(self.0.len()), 0);
    }

    /// Adds a number.
    pub(super) fn number(&mut self, kind: u16, number: u32) {
        self.put(kind, number.as_bytes());
    }

    /// Adds a text, with the NUL that ends it.
    pub(super) fn text(&mut self, kind: u16, text: &str) {
        self.put(kind, &[text.as_bytes(), b"\0"].concat());
    }

    /// As it is sent to `pid` in answer to `to`.
    fn finish(mut self, to: &NlMsgHdr, pid: u32, flags: u16) -> Vec<u8> {
        let len = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let kind = NlMsgHdr::read_from_prefix(&self.0).map_or(0, |(head, _)| head.kind);
        let head = NlMsgHdr {
            len,
            kind,
            flags,
            seq: to.seq,
            pid,
        };
        if let Some(place) = self.0.first_chunk_mut::<HEAD>() {
            place.copy_from_slice(head.as_bytes());
        }
        self.0
    }
}

/// The datagrams of a whole dump, its end included.
pub(super) fn dump(messages: Vec<Message>, to: &NlMsgHdr, pid: u32) -> Vec<Vec<u8>> {
    let mut datagrams: Vec<Vec<u8>> = Vec::new();
    for message in messages {
        let bytes = message.finish(to, pid, NLM_F_MULTI);
        match datagrams.last_mut() {
            Some(last) if last.len() + bytes.len() <= DATAGRAM => last.extend_from_slice(&bytes),
            _ => datagrams.push(bytes),
        }
    }
    datagrams.push(Message::new(NLMSG_DONE, &0_i32).finish(to, pid, NLM_F_MULTI));
    datagrams
}

/// One message alone.
pub(super) fn single(message: Message, to: &NlMsgHdr, pid: u32) -> Vec<u8> {
    message.finish(to, pid, 0)
}

/// How a request ended: an error repeats it, success its head.
pub(super) fn acknowledge(request: &Request<'_>, pid: u32, result: Result<(), Errno>) -> Vec<u8> {
    let code = match result {
        Ok(()) => 0,
        Err(error) => -i32::from(error.raw()),
    };
    let mut message = Message::new(NLMSG_ERROR, &code);
    let repeated = match result {
        Ok(()) => request.whole.get(..HEAD).unwrap_or_default(),
        Err(_) => request.whole,
    };
    message.0.extend_from_slice(repeated);
    message.0.resize(align(message.0.len()), 0);
    let flags = if result.is_ok() {
        syscalls::abi::netlink::NLM_F_CAPPED
    } else {
        0
    };
    message.finish(&request.head, pid, flags)
}

#[cfg(test)]
mod tests {
    use syscalls::abi::netlink::{IfAddrMsg, NLMSG_DONE, NlMsgHdr, RTM_GETADDR};
    use zerocopy::{FromBytes, IntoBytes};

    use super::{Message, dump, single, split};

    #[test]
    fn messages_are_read_as_they_were_written() {
        let fixed = IfAddrMsg {
            family: 2,
            ..IfAddrMsg::default()
        };
        let mut message = Message::new(RTM_GETADDR, &fixed);
        message.text(3, "lo");
        message.number(8, 7);
        let to = NlMsgHdr::default();
        let bytes = single(message, &to, 0);
        let (request, rest) = split(&bytes).expect("a message");
        assert!(rest.is_empty());
        assert_eq!(request.fixed::<IfAddrMsg>(), Ok(fixed));
        assert_eq!(request.attribute::<IfAddrMsg>(3), Some(&b"lo\0"[..]));
        assert_eq!(request.attribute::<IfAddrMsg>(8), Some(7_u32.as_bytes()));
        assert_eq!(request.attribute::<IfAddrMsg>(9), None);
        assert!(split(&bytes[..20]).is_none());
    }

    #[test]
    fn dumps_end() {
        let datagrams = dump(Vec::new(), &NlMsgHdr::default(), 5);
        let (head, _) = NlMsgHdr::read_from_prefix(&datagrams[0]).expect("a head");
        assert_eq!((datagrams.len(), head.kind, head.pid), (1, NLMSG_DONE, 5));
    }
}

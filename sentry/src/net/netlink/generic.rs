//! NETLINK_GENERIC: families that modules bring. There is the one that tells of all others.

use syscalls::Errno;
use syscalls::abi::netlink::{GenlMsgHdr, NLM_F_DUMP};
use syscalls::errno::{EINVAL, ENOENT, EOPNOTSUPP};

use super::message::{Message, Request, dump, single};

/// GENL_ID_CTRL, and what the family is called.
const CONTROL: u16 = 16;
const NAME: &str = "nlctrl";
const VERSION: u8 = 2;
/// CTRL_CMD_*.
const NEW_FAMILY: u8 = 1;
const GET_FAMILY: u8 = 3;
/// CTRL_ATTR_*.
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
const FAMILY_VERSION: u16 = 3;
const HEADER_SIZE: u16 = 4;
const MAX_ATTRIBUTE: u16 = 5;
/// CTRL_ATTR_MAX.
const ATTRIBUTES: u32 = 10;

/// The datagrams that answer a request.
pub(super) fn answer(request: &Request<'_>, pid: u32) -> Result<Vec<Vec<u8>>, Errno> {
    if request.head.kind != CONTROL {
        return Err(ENOENT);
    }
    if request.body.len() < size_of::<GenlMsgHdr>() {
        return Err(EINVAL);
    }
    let asked: GenlMsgHdr = request.fixed()?;
    if asked.command != GET_FAMILY {
        return Err(EOPNOTSUPP);
    }
    if request.head.flags & NLM_F_DUMP == NLM_F_DUMP {
        return Ok(dump(vec![control()], &request.head, pid));
    }
    let number = request.attribute::<GenlMsgHdr>(FAMILY_ID);
    let name = request.attribute::<GenlMsgHdr>(FAMILY_NAME);
    let found = match (number, name) {
        (Some(number), _) => number == CONTROL.to_ne_bytes(),
        (None, Some(name)) => crate::sysctl::first_line(name) == NAME.as_bytes(),
        (None, None) => return Err(EINVAL),
    };
    if !found {
        return Err(ENOENT);
    }
    Ok(vec![single(control(), &request.head, pid)])
}

fn control() -> Message {
    let fixed = GenlMsgHdr {
        command: NEW_FAMILY,
        version: VERSION,
        reserved: 0,
    };
    let mut message = Message::new(CONTROL, &fixed);
    message.text(FAMILY_NAME, NAME);
    message.put(FAMILY_ID, &CONTROL.to_ne_bytes());
    message.number(FAMILY_VERSION, VERSION.into());
    message.number(HEADER_SIZE, 0);
    message.number(MAX_ATTRIBUTE, ATTRIBUTES);
    message
}

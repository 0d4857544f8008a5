//! The loopback interface of a namespace that is new.

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_ROUTE;

use crate::failure::{Context, Failure, Outcome};

/// Brings it up in the calling thread's network namespace; rtnetlink(7), `RTM_NEWLINK`.
pub(crate) fn up() -> Outcome<()> {
    const WHAT: &str = "bringing up the loopback interface";
    const MESSAGE: [u32; 8] = [
        32,                 // length of the whole
        16 | (1 | 4) << 16, // RTM_NEWLINK; NLM_F_REQUEST | NLM_F_ACK
        1,                  // sequence number
        0,                  // port
        0,                  // struct ifinfomsg: family and type
        1,                  // every namespace is born with it as number 1
        1,                  // flags: IFF_UP
        1,                  // which flags change
    ];
    let bytes: Vec<u8> = MESSAGE.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let socket = Socket::new(NETLINK_ROUTE).context(WHAT)?;
    socket.send(&bytes, 0).context(WHAT)?;
    let (answer, _) = socket.recv_from_full().context(WHAT)?;
    // struct nlmsgerr follows the header of 16 bytes: 0 or a negative errno.
    let code = answer.get(16..20).and_then(|code| code.try_into().ok());
    match i32::from_ne_bytes(code.unwrap_or_default()) {
        0 => Ok(()),
        error => {
            let error = std::io::Error::from_raw_os_error(-error);
            Err(Failure::new(format!("{WHAT}: {error}")))
        }
    }
}

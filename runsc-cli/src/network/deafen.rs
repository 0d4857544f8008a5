//! Keeps the host's own stack from hearing what is for the container: it would answer
//! connections that it does not know with resets.
//!
//! A chain of nftables at the ingress of each interface drops everything. Packet sockets have
//! heard a frame before that, and what they send passes no such chain. Unlike removing the
//! addresses this changes nothing that others look at, and nothing has to be put back: the
//! chain ends with the interface.

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_NETFILTER;

use crate::failure::{Context, Failure, Outcome};

/// The table that holds the chains.
const TABLE: &str = "runsk";

// nfnetlink: numbers of <linux/netfilter/nfnetlink.h> and nf_tables.h.
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NFTABLES: u16 = 10;
const NEW_TABLE: u16 = NFTABLES << 8;
const NEW_CHAIN: u16 = NFTABLES << 8 | 3;
const FAMILY_UNSPEC: u8 = 0;
const FAMILY_NETDEV: u8 = 5;
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const CREATE: u16 = 0x400;
const NESTED: u16 = 0x8000;
const TABLE_NAME: u16 = 1;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const HOOK_DEVICE: u16 = 3;
const INGRESS: u32 = 0;
const DROP: u32 = 0;

/// Has the host's stack hear nothing on the interfaces of the calling thread's namespace.
pub(super) fn deafen(links: &[&str]) -> Outcome<()> {
    if links.is_empty() {
        return Ok(());
    }
    const WHAT: &str = "nftables, which keep the host's stack out of the container's network";
    let mut socket = Socket::new(NETLINK_NETFILTER).context(WHAT)?;
    socket.bind_auto().context(WHAT)?;
    let mut batch = Vec::new();
    push(&mut batch, BATCH_BEGIN, 0, (FAMILY_UNSPEC, NFTABLES), &[]);
    let table = text(TABLE_NAME, TABLE);
    push(
        &mut batch,
        NEW_TABLE,
        CREATE | ACK,
        (FAMILY_NETDEV, 0),
        &table,
    );
    for link in links {
        let hook = [
            number(HOOK_NUMBER, INGRESS),
            number(HOOK_PRIORITY, 0),
            text(HOOK_DEVICE, link),
        ];
        let chain = [
            text(CHAIN_TABLE, TABLE),
            text(CHAIN_NAME, &format!("ingress-{link}")),
            attribute(CHAIN_HOOK | NESTED, &hook.concat()),
            number(CHAIN_POLICY, DROP),
            text(CHAIN_TYPE, "filter"),
        ];
        let flags = CREATE | ACK;
        push(
            &mut batch,
            NEW_CHAIN,
            flags,
            (FAMILY_NETDEV, 0),
            &chain.concat(),
        );
    }
    push(&mut batch, BATCH_END, 0, (FAMILY_UNSPEC, NFTABLES), &[]);
    socket.send(&batch, 0).context(WHAT)?;
    // One answer for the table and each chain; all or nothing was done.
    for _ in 0..=links.len() {
        let (answer, _) = socket.recv_from_full().context(WHAT)?;
        let code = answer.get(16..20).and_then(|code| code.try_into().ok());
        match i32::from_ne_bytes(code.unwrap_or_default()) {
            0 => {}
            error => {
                let error = std::io::Error::from_raw_os_error(-error);
                return Err(Failure::new(format!("{WHAT}: {error}")));
            }
        }
    }
    Ok(())
}

/// A message: netlink's header, nfnetlink's, attributes.
fn push(batch: &mut Vec<u8>, kind: u16, flags: u16, (family, id): (u8, u16), rest: &[u8]) {
    let len = u32::try_from(20 + rest.len()).unwrap_or(0);
    batch.extend(len.to_ne_bytes());
    batch.extend(kind.to_ne_bytes());
    batch.extend((flags | REQUEST).to_ne_bytes());
    batch.extend(1u32.to_ne_bytes());
    batch.extend(0u32.to_ne_bytes());
    batch.extend([family, 0]);
    batch.extend(id.to_be_bytes());
    batch.extend(rest);
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(4 + value.len()).unwrap_or(0);
    let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn number(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}

fn text(kind: u16, value: &str) -> Vec<u8> {
    attribute(kind, &[value.as_bytes(), &[0]].concat())
}

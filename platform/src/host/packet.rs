//! Packet sockets, packet(7): frames of one interface, as they come and go.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use syscalls::Errno;

use super::check;

/// Bytes in front of each frame: a `virtio_net_hdr`, in which the host says what of a
/// frame's checksums is missing, and how it is to be cut.
pub const HEADER: usize = 10;
/// Bytes that the host may hold for us in each direction.
const BUFFER: libc::c_int = 8 << 20;

/// A non-blocking socket on the interface with the number, in the network namespace of the
/// calling thread. Frames that the host itself sends are not heard. `EPERM` without
/// CAP_NET_RAW there.
pub fn open(index: u32) -> Result<OwnedFd, Errno> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: the arguments are plain numbers. Protocol 0: nothing arrives before bind(2).
    let fd = check(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
    // SAFETY: the call has just made it, and nobody else has it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    set(&socket, libc::SOL_PACKET, libc::PACKET_VNET_HDR, 1)?;
    set(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)?;
    // Without the right to, it must do with what there is.
    let _ = set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, BUFFER);
    let _ = set(&socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, BUFFER);
    let all = u16::try_from(libc::ETH_P_ALL).unwrap_or(0);
    let address = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).unwrap_or(0),
        sll_protocol: all.to_be(),
        sll_ifindex: i32::try_from(index).unwrap_or(0),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let len = u32::try_from(size_of_val(&address)).unwrap_or(0);
    // SAFETY: the call reads `len` bytes of an address that lives.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) })?;
    hear_groups(&socket, index);
    Ok(socket)
}

/// Lets the interface take in what is sent to any group. One that cannot has what it has.
fn hear_groups(socket: &OwnedFd, index: u32) {
    let request = libc::packet_mreq {
        mr_ifindex: i32::try_from(index).unwrap_or(0),
        mr_type: u16::try_from(libc::PACKET_MR_ALLMULTI).unwrap_or(0),
        mr_alen: 0,
        mr_address: [0; 8],
    };
    let len = u32::try_from(size_of_val(&request)).unwrap_or(0);
    let (level, name) = (libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP);
    let at = (&raw const request).cast();
    // SAFETY: the call reads `len` bytes of a request that lives.
    let _ = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, at, len) };
}

fn set(socket: impl AsFd, level: i32, name: i32, value: libc::c_int) -> Result<(), Errno> {
    let fd = socket.as_fd().as_raw_fd();
    let len = u32::try_from(size_of_val(&value)).unwrap_or(0);
    // SAFETY: the call reads `len` bytes of a number that lives.
    check(unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), len) }).map(drop)
}

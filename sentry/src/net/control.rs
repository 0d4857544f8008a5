//! Ancillary data, cmsg(3) and unix(7).

use std::sync::Arc;

use syscalls::abi::net::{
    AF_NETLINK, AF_UNIX, CmsgHdr, MessageFlags, MsgHdr, SCM_CREDENTIALS, SCM_MAX_FD, SCM_PIDFD,
    SCM_RIGHTS, SO_MARK, SO_PRIORITY, SO_TIMESTAMPING, SOL_SOCKET, Ucred,
};
use syscalls::errno::{EINVAL, EPERM, ESRCH};
use syscalls::{Errno, Fd};
use zerocopy::{FromBytes, IntoBytes};

use crate::fd::CloseOnExec;
use crate::task::{Capabilities, Credentials, Current, Numbers, Task, pidfd};
use crate::vfs::File;

/// Descriptors and credentials that go with data.
#[derive(Clone, Default)]
pub struct Control {
    /// SCM_RIGHTS.
    pub files: Vec<Arc<File>>,
    /// SCM_CREDENTIALS.
    pub credentials: Option<Identity>,
    /// What families say of their data.
    pub notes: Vec<Note>,
}

/// Who a process was at some time, as far as others are told: SO_PEERCRED and
/// SCM_CREDENTIALS.
#[derive(Clone)]
pub struct Identity {
    numbers: Arc<Numbers>,
    uid: u32,
    gid: u32,
    creds: Arc<Credentials>,
}

impl Identity {
    /// As `task` sees it.
    #[must_use]
    pub fn seen_by(&self, task: &Task) -> Ucred {
        let user = task.creds.with(|creds| creds.user.clone());
        Ucred {
            pid: self.numbers.seen_from(task.pid_namespace()),
            uid: user.shown_uid(self.uid),
            gid: user.shown_gid(self.gid),
        }
    }

    /// Supplementary groups, SO_PEERGROUPS.
    pub(super) fn groups_seen_by(&self, task: &Task) -> Vec<u32> {
        let user = task.creds.with(|creds| creds.user.clone());
        let groups = self.creds.groups.iter();
        groups.map(|&gid| user.shown_gid(gid)).collect()
    }

    /// The process as a file, SO_PEERPIDFD and SCM_PIDFD; `ESRCH` if it is gone.
    pub(super) fn pidfd(&self, task: &Current) -> Result<Arc<File>, Errno> {
        let group = task.kernel.pids.group(self.numbers.kernel()).ok_or(ESRCH)?;
        Ok(pidfd(task, &group))
    }

    /// True for the same process with the same ids.
    #[must_use]
    pub fn is_same(&self, other: &Identity) -> bool {
        let what = |of: &Identity| (of.numbers.kernel(), of.uid, of.gid);
        what(self) == what(other)
    }
}

/// What a receiver wants to know of who sent something to it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wants {
    /// SO_PASSCRED.
    pub(super) credentials: bool,
    /// SO_PASSPIDFD.
    pub(super) pidfd: bool,
}

/// Ids of a sender that nobody noted (overflowuid).
const NOBODY: u32 = 65534;

/// A message whose meaning is its family's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// IPPROTO_*, SOL_*.
    pub level: i32,
    /// Kind of that level.
    pub kind: i32,
    /// What it says, as the ABI has it.
    pub body: Vec<u8>,
}

/// The most control data that is read, bytes (net.core.optmem_max).
const MAX: u64 = 20480;
const HEADER: usize = size_of::<CmsgHdr>();

/// Control messages start at multiples of 8.
fn align(len: usize) -> usize {
    len.next_multiple_of(8)
}

impl Control {
    /// True if nothing goes with the data.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.credentials.is_none() && self.notes.is_empty()
    }

    /// What sendmsg(2) was given.
    pub(super) fn read(task: &Current, header: &MsgHdr, family: i32) -> Result<Self, Errno> {
        let mut control = Control::default();
        if header.control.is_null() || header.controllen == 0 {
            return Ok(control);
        }
        if header.controllen > MAX {
            return Err(syscalls::errno::ENOBUFS);
        }
        let len = usize::try_from(header.controllen).map_err(|_| EINVAL)?;
        let bytes = task.mem().read_slice(header.control.cast::<u8>(), len)?;
        let mut rest = bytes.as_slice();
        while let Ok((head, _)) = CmsgHdr::read_from_prefix(rest) {
            let len = usize::try_from(head.len).map_err(|_| EINVAL)?;
            if len < HEADER || len > rest.len() {
                return Err(EINVAL);
            }
            let body = rest.get(HEADER..len).ok_or(EINVAL)?;
            let carries = matches!(family, AF_UNIX | AF_NETLINK);
            if head.level == SOL_SOCKET && !carries {
                ignore(head.kind, body)?;
            } else if head.level == SOL_SOCKET {
                control.take(task, head.kind, body)?;
            } else {
                control.notes.push(Note {
                    level: head.level,
                    kind: head.kind,
                    body: body.to_vec(),
                });
            }
            rest = rest.get(align(len)..).unwrap_or(&[]);
        }
        Ok(control)
    }

    fn take(&mut self, task: &Current, kind: i32, body: &[u8]) -> Result<(), Errno> {
        match kind {
            SCM_RIGHTS => {
                let (fds, _) = body.as_chunks::<4>();
                if self.files.len() + fds.len() > SCM_MAX_FD {
                    return Err(EINVAL);
                }
                let table = task.fds.get();
                for fd in fds {
                    self.files.push(table.get_any(Fd(i32::from_ne_bytes(*fd)))?);
                }
                Ok(())
            }
            SCM_CREDENTIALS => {
                let given = Ucred::read_from_bytes(body).map_err(|_| EINVAL)?;
                self.credentials = Some(claim(task, &given)?);
                Ok(())
            }
            _ => Err(EINVAL),
        }
    }

    /// Puts the messages where recvmsg(2) wants them; returns bytes used and MSG_CTRUNC if
    /// something did not fit. Descriptors that do not fit are closed.
    pub(super) fn write(
        self,
        task: &Current,
        header: &MsgHdr,
        flags: MessageFlags,
        wants: Wants,
    ) -> Result<(u64, MessageFlags), Errno> {
        let mut told = MessageFlags::empty();
        let room = if header.control.is_null() {
            0
        } else {
            header.controllen
        };
        let mut room = usize::try_from(room).unwrap_or(0);
        let mut at = header.control;
        let mut used = 0;
        let mut put = |level: i32, kind: i32, body: &[u8], room: &mut usize| -> Result<(), Errno> {
            let len = HEADER + body.len();
            let head = CmsgHdr {
                len: len as u64,
                level,
                kind,
            };
            let mut bytes = head.as_bytes().to_vec();
            bytes.extend_from_slice(body);
            task.mem().write_slice(at.cast(), &bytes)?;
            let step = align(len).min(*room);
            *room -= step;
            used += step as u64;
            at = at.add(step as u64)?;
            Ok(())
        };
        // What does not fit is cut off, so that one sees that there was something.
        let mut put_cut = |level: i32, kind: i32, body: &[u8], room: &mut usize| {
            if *room < HEADER {
                return Ok(MessageFlags::CTRUNC);
            }
            let fit = (*room - HEADER).min(body.len());
            put(level, kind, body.get(..fit).unwrap_or_default(), room)?;
            let cut = fit < body.len();
            Ok::<_, Errno>(if cut {
                MessageFlags::CTRUNC
            } else {
                MessageFlags::empty()
            })
        };
        for note in &self.notes {
            told |= put_cut(note.level, note.kind, &note.body, &mut room)?;
        }
        if wants.credentials {
            let nobody = Ucred {
                pid: 0,
                uid: NOBODY,
                gid: NOBODY,
            };
            let sender = self.credentials.as_ref();
            let sender = sender.map_or(nobody, |sender| sender.seen_by(task));
            told |= put_cut(SOL_SOCKET, SCM_CREDENTIALS, sender.as_bytes(), &mut room)?;
        }
        if !self.files.is_empty() {
            let fit = room.saturating_sub(HEADER) / 4;
            let close = CloseOnExec::when(flags.contains(MessageFlags::CMSG_CLOEXEC));
            let mut fds = Vec::new();
            let mut body = Vec::new();
            for file in self.files.iter().take(fit) {
                let Ok(fd) = task.reserve_fd() else { break };
                body.extend_from_slice(&fd.fd().0.to_ne_bytes());
                fds.push((fd, file.clone()));
            }
            if fds.len() < self.files.len() {
                told |= MessageFlags::CTRUNC;
            }
            if !fds.is_empty() {
                put(SOL_SOCKET, SCM_RIGHTS, &body, &mut room)?;
                for (fd, file) in fds {
                    fd.fill(file, close);
                }
            }
        }
        if let Some(sender) = self.credentials.as_ref().filter(|_| wants.pidfd) {
            if room < HEADER + 4 {
                told |= MessageFlags::CTRUNC;
            } else {
                let file = sender.pidfd(task)?;
                let fd = task.reserve_fd()?;
                put(SOL_SOCKET, SCM_PIDFD, &fd.fd().0.to_ne_bytes(), &mut room)?;
                fd.fill(file, CloseOnExec::Yes);
            }
        }
        Ok((used, told))
    }
}

/// What sockets that carry neither descriptors nor credentials make of a message: nothing.
fn ignore(kind: i32, body: &[u8]) -> Result<(), Errno> {
    match (kind, body.len()) {
        (SCM_RIGHTS | SCM_CREDENTIALS, _) | (SO_MARK | SO_PRIORITY | SO_TIMESTAMPING, 4) => Ok(()),
        _ => Err(EINVAL),
    }
}

/// One may tell only truths about oneself, without privilege.
fn claim(task: &Current, given: &Ucred) -> Result<Identity, Errno> {
    let creds = task.creds.get();
    let numbers = if given.pid == task.own_pid() {
        task.group.numbers.clone()
    } else {
        if !creds.has_in(&task.pid_namespace().user, Capabilities::SYS_ADMIN) {
            return Err(EPERM);
        }
        task.find_process(given.pid).ok_or(ESRCH)?.numbers.clone()
    };
    let given_uid = creds.user.kernel_uid(given.uid).ok_or(EINVAL)?;
    let given_gid = creds.user.kernel_gid(given.gid).ok_or(EINVAL)?;
    let uid = [creds.uid.real, creds.uid.effective, creds.uid.saved].contains(&given_uid);
    let gid = [creds.gid.real, creds.gid.effective, creds.gid.saved].contains(&given_gid);
    let has = |cap| creds.has_here(cap);
    if (uid || has(Capabilities::SETUID)) && (gid || has(Capabilities::SETGID)) {
        Ok(Identity {
            numbers,
            uid: given_uid,
            gid: given_gid,
            creds,
        })
    } else {
        Err(EPERM)
    }
}

/// Who the task is, for SO_PEERCRED and SCM_CREDENTIALS.
pub(super) fn own(task: &Task) -> Identity {
    let creds = task.creds.get();
    Identity {
        numbers: task.group.numbers.clone(),
        uid: creds.uid.effective,
        gid: creds.gid.effective,
        creds,
    }
}

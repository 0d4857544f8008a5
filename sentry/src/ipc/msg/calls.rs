//! msgget(2), msgsnd(2), msgrcv(2), msgctl(2).

use syscalls::abi::ipc::{
    IPC_INFO, IPC_NOWAIT, IPC_RMID, IPC_SET, IPC_STAT, MSG_COPY, MSG_EXCEPT, MSG_INFO, MSG_NOERROR,
    MSG_STAT, MSG_STAT_ANY, Msginfo,
};
use syscalls::errno::EINVAL;
use syscalls::{Run, SysResult, UserAddr, call};

use super::queue::Wish;
use super::{MSGMAX, MSGMNB, MSGMNI, Message, Queue, Selection};
use crate::ipc::perm::{Perm, shown_to};
use crate::ipc::table::Found;
use crate::task::Current;

/// Where the text of a `msgbuf` begins.
const TEXT: u64 = 8;

fn limit(task: &Current, name: &str, default: i64) -> u64 {
    let number = task.kernel.sysctls.number(name, default);
    u64::try_from(number).unwrap_or(0)
}

impl Run<Current> for call::Msgget {
    fn run(self, task: &mut Current) -> SysResult {
        let creds = task.creds.get();
        let most_bytes = limit(task, "kernel.msgmnb", MSGMNB);
        let make = || {
            Ok(Queue::new(
                Perm::new(&task.ipc.get(), &creds, self.msgflg),
                most_bytes,
            ))
        };
        let most = usize::try_from(limit(task, "kernel.msgmni", MSGMNI)).unwrap_or(0);
        let id = match task.ipc.get().msg.get(self.key, self.msgflg, most, make)? {
            Found::New(id) => id,
            Found::Old(named) => {
                named.object.perm().permit(&creds, self.msgflg)?;
                named.id
            }
        };
        Ok(u64::try_from(id).map_err(|_| EINVAL)?)
    }
}

impl Run<Current> for call::Msgsnd {
    fn run(self, task: &mut Current) -> SysResult {
        let kind = task.mem().read(self.msgp)?;
        let most = limit(task, "kernel.msgmax", MSGMAX);
        if self.msgsz as u64 > most || self.msqid < 0 || kind < 1 {
            return Err(EINVAL.into());
        }
        let mut text = vec![0; self.msgsz];
        let from = self.msgp.addr().add(TEXT)?;
        task.mem().read_bytes(from, &mut text)?;
        let queue = task.ipc.get().msg.find(self.msqid)?.object;
        let waits = self.msgflg & IPC_NOWAIT == 0;
        queue.send(task, Message { kind, text }, waits)?;
        Ok(0)
    }
}

impl Run<Current> for call::Msgrcv {
    fn run(self, task: &mut Current) -> SysResult {
        if self.msqid < 0 || isize::try_from(self.msgsz).is_err() {
            return Err(EINVAL.into());
        }
        let wish = Wish {
            selection: Selection::new(self.msgtyp, self.msgflg & MSG_EXCEPT != 0),
            room: self.msgsz,
            cuts: self.msgflg & MSG_NOERROR != 0,
            waits: self.msgflg & IPC_NOWAIT == 0,
        };
        let copies = self.msgflg & MSG_COPY != 0;
        if copies && (wish.waits || self.msgflg & MSG_EXCEPT != 0) {
            return Err(EINVAL.into());
        }
        let queue = task.ipc.get().msg.find(self.msqid)?.object;
        let message = if copies {
            queue.copy(&task.creds.get(), self.msgtyp, &wish)?
        } else {
            queue.receive(task, &wish)?
        };
        let len = message.text.len().min(self.msgsz);
        task.mem().write(self.msgp, &message.kind)?;
        let to = self.msgp.addr().add(TEXT)?;
        let text = message.text.get(..len).unwrap_or_default();
        task.mem().write_bytes(to, text)?;
        Ok(len as u64)
    }
}

impl Run<Current> for call::Msgctl {
    fn run(self, task: &mut Current) -> SysResult {
        if self.msqid < 0 || self.cmd < 0 {
            return Err(EINVAL.into());
        }
        let table = task.ipc.get();
        let creds = task.creds.get();
        match self.cmd {
            IPC_INFO | MSG_INFO => info(task, self.cmd, self.buf.addr()),
            IPC_STAT | MSG_STAT | MSG_STAT_ANY => {
                let named = if self.cmd == IPC_STAT {
                    table.msg.find(self.msqid)?
                } else {
                    table.msg.at(self.msqid)?
                };
                if self.cmd != MSG_STAT_ANY {
                    named.object.perm().permit(&creds, 0o444)?;
                }
                let mut stat = Queue::stat(&named);
                stat.perm = shown_to(&creds.user, stat.perm);
                stat.lspid = task.number_of(stat.lspid);
                stat.lrpid = task.number_of(stat.lrpid);
                task.mem().write(self.buf, &stat)?;
                let id = if self.cmd == IPC_STAT { 0 } else { named.id };
                Ok(u64::try_from(id).map_err(|_| EINVAL)?)
            }
            IPC_SET => {
                let new = task.mem().read(self.buf)?;
                let most = limit(task, "kernel.msgmnb", MSGMNB);
                table.msg.find(self.msqid)?.object.set(&creds, &new, most)?;
                Ok(0)
            }
            IPC_RMID => {
                let named = table.msg.find(self.msqid)?;
                named.object.perm().permit_change(&creds)?;
                if table.msg.remove(named.id) {
                    named.object.remove();
                }
                Ok(0)
            }
            _ => Err(EINVAL.into()),
        }
    }
}

fn info(task: &Current, command: i32, at: UserAddr) -> SysResult {
    let int = |number: u64| i32::try_from(number).unwrap_or(i32::MAX);
    let table = task.ipc.get();
    let (most, most_bytes) = (
        limit(task, "kernel.msgmni", MSGMNI),
        limit(task, "kernel.msgmnb", MSGMNB),
    );
    let mut info = Msginfo {
        msgpool: int(most * most_bytes / 1024),
        msgmap: int(most_bytes),
        msgmax: int(limit(task, "kernel.msgmax", MSGMAX)),
        msgmnb: int(most_bytes),
        msgmni: int(most),
        msgssz: 16,
        msgtql: int(most_bytes),
        msgseg: 0xffff,
        pad: 0,
    };
    if command == MSG_INFO {
        let all = table.msg.list();
        let used = all.iter().map(|named| named.object.use_of());
        let (bytes, messages) = used.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        info.msgpool = int(all.len() as u64);
        info.msgmap = int(messages);
        info.msgtql = int(bytes);
    }
    task.mem().write(at.cast(), &info)?;
    Ok(table.msg.highest())
}

//! semget(2), semop(2), semctl(2).

use syscalls::abi::ipc::{
    GETALL, GETNCNT, GETPID, GETVAL, GETZCNT, IPC_INFO, IPC_RMID, IPC_SET, IPC_STAT, SEM_INFO,
    SEM_STAT, SEM_STAT_ANY, SEM_UNDO, SETALL, SETVAL, SemBuf, SemidDs, Seminfo,
};
use syscalls::abi::time::Timespec;
use syscalls::errno::{E2BIG, EFBIG, EINVAL, ERANGE};
use syscalls::{Run, SysResult, UserAddr, UserPtr, call};

use super::{Operations, SEMAEM, SEMMNI, SEMMNS, SEMMSL, SEMOPM, SEMVMX, SemSet};
use crate::ipc::perm::{Perm, shown_to};
use crate::ipc::table::Found;
use crate::task::Current;
use crate::time::duration;
use crate::wait::Deadline;

impl Run<Current> for call::Semget {
    fn run(self, task: &mut Current) -> SysResult {
        let creds = task.creds.get();
        let count = usize::try_from(self.nsems).map_err(|_| EINVAL)?;
        if self.nsems > SEMMSL {
            return Err(EINVAL.into());
        }
        let make = || {
            if count == 0 {
                return Err(EINVAL);
            }
            Ok(SemSet::new(
                Perm::new(&task.ipc.get(), &creds, self.semflg),
                count,
            ))
        };
        let most = usize::try_from(SEMMNI).unwrap_or(0);
        let id = match task.ipc.get().sem.get(self.key, self.semflg, most, make)? {
            Found::New(id) => id,
            Found::Old(named) => {
                if count > named.object.count() {
                    return Err(EINVAL.into());
                }
                named.object.perm().permit(&creds, self.semflg)?;
                named.id
            }
        };
        Ok(u64::try_from(id).map_err(|_| EINVAL)?)
    }
}

fn semop(
    task: &Current,
    id: i32,
    at: UserPtr<SemBuf>,
    count: u32,
    timeout: UserPtr<Timespec>,
) -> SysResult {
    let timeout = match timeout.non_null() {
        Some(at) => Some(task.mem().read(at)?),
        None => None,
    };
    if count > SEMOPM {
        return Err(E2BIG.into());
    }
    if count < 1 {
        return Err(EINVAL.into());
    }
    let list = task.mem().read_slice(at, count as usize)?;
    if id < 0 {
        return Err(EINVAL.into());
    }
    let deadline = match timeout {
        Some(timeout) => Some(Deadline::after(duration(timeout)?)),
        None => None,
    };
    let set = task.ipc.get().sem.find(id)?.object;
    let highest = list.iter().map(|op| usize::from(op.num)).max().unwrap_or(0);
    if highest >= set.count() {
        return Err(EFBIG.into());
    }
    let alters = list.iter().any(|op| op.op != 0);
    let asked = if alters { 0o222 } else { 0o444 };
    set.perm().permit(&task.creds.get(), asked)?;
    let undoes = |op: &SemBuf| i32::from(op.flg) & SEM_UNDO != 0;
    let undo = list.iter().any(undoes).then(|| {
        let undo = task.undo_list();
        undo.note(&set);
        undo.id()
    });
    let operations = Operations {
        list,
        pid: task.pid(),
        undo,
    };
    set.operate(task, operations, deadline)?;
    Ok(0)
}

impl Run<Current> for call::Semop {
    fn run(self, task: &mut Current) -> SysResult {
        let no_timeout = UserPtr::new(UserAddr::NULL);
        semop(task, self.semid, self.sops, self.nsops, no_timeout)
    }
}

impl Run<Current> for call::Semtimedop {
    fn run(self, task: &mut Current) -> SysResult {
        semop(task, self.semid, self.sops, self.nsops, self.timeout)
    }
}

impl Run<Current> for call::Semctl {
    fn run(self, task: &mut Current) -> SysResult {
        if self.semid < 0 {
            return Err(EINVAL.into());
        }
        let table = task.ipc.get();
        let creds = task.creds.get();
        let at = UserAddr::new(self.arg);
        match self.cmd {
            IPC_INFO | SEM_INFO => info(task, self.cmd, at),
            IPC_STAT | SEM_STAT | SEM_STAT_ANY => {
                let named = if self.cmd == IPC_STAT {
                    table.sem.find(self.semid)?
                } else {
                    table.sem.at(self.semid)?
                };
                if self.cmd != SEM_STAT_ANY {
                    named.object.perm().permit(&creds, 0o444)?;
                }
                let mut stat = SemSet::stat(&named);
                stat.perm = shown_to(&creds.user, stat.perm);
                task.mem().write(at.cast(), &stat)?;
                let id = if self.cmd == IPC_STAT { 0 } else { named.id };
                Ok(u64::try_from(id).map_err(|_| EINVAL)?)
            }
            GETALL | GETVAL | GETPID | GETNCNT | GETZCNT => {
                let set = table.sem.find(self.semid)?.object;
                set.perm().permit(&creds, 0o444)?;
                if self.cmd == GETALL {
                    task.mem().write_slice(at.cast(), &set.values())?;
                    return Ok(0);
                }
                let value = match set.get(self.cmd, self.semnum)? {
                    pid if self.cmd == GETPID => task.number_of(pid),
                    value => value,
                };
                Ok(u64::try_from(value).map_err(|_| EINVAL)?)
            }
            SETVAL => {
                let set = table.sem.find(self.semid)?.object;
                // An int in the low half of the register.
                let value = u32::try_from(self.arg & u64::from(u32::MAX)).unwrap_or(0);
                let value = i32::from_ne_bytes(value.to_ne_bytes());
                if !(0..=SEMVMX).contains(&value) {
                    return Err(ERANGE.into());
                }
                set.perm().permit(&creds, 0o222)?;
                set.set_value(self.semnum, value, task.pid())?;
                Ok(0)
            }
            SETALL => {
                let set = table.sem.find(self.semid)?.object;
                set.perm().permit(&creds, 0o222)?;
                let values: Vec<u16> = task.mem().read_slice(at.cast(), set.count())?;
                if values.iter().any(|&value| i32::from(value) > SEMVMX) {
                    return Err(ERANGE.into());
                }
                set.set_values(&values, task.pid())?;
                Ok(0)
            }
            IPC_SET => {
                let new: SemidDs = task.mem().read(at.cast())?;
                table
                    .sem
                    .find(self.semid)?
                    .object
                    .set_perm(&creds, &new.perm)?;
                Ok(0)
            }
            IPC_RMID => {
                let named = table.sem.find(self.semid)?;
                named.object.perm().permit_change(&creds)?;
                if table.sem.remove(named.id) {
                    named.object.remove();
                }
                Ok(0)
            }
            _ => Err(EINVAL.into()),
        }
    }
}

fn info(task: &Current, command: i32, at: UserAddr) -> SysResult {
    let table = task.ipc.get();
    let mut info = Seminfo {
        semmap: SEMMNS,
        semmni: SEMMNI,
        semmns: SEMMNS,
        semmnu: SEMMNS,
        semmsl: SEMMSL,
        semopm: i32::try_from(SEMOPM).unwrap_or(0),
        semume: i32::try_from(SEMOPM).unwrap_or(0),
        semusz: 20,
        semvmx: SEMVMX,
        semaem: SEMAEM,
    };
    if command == SEM_INFO {
        let all = table.sem.list();
        let semaphores: usize = all.iter().map(|named| named.object.count()).sum();
        info.semusz = i32::try_from(all.len()).unwrap_or(i32::MAX);
        info.semaem = i32::try_from(semaphores).unwrap_or(i32::MAX);
    }
    task.mem().write(at.cast(), &info)?;
    Ok(table.sem.highest())
}

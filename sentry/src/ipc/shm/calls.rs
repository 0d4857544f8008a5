//! shmget(2), shmctl(2).

use syscalls::abi::ipc::{
    IPC_INFO, IPC_RMID, IPC_SET, IPC_STAT, SHM_HUGETLB, SHM_INFO, SHM_LOCK, SHM_STAT, SHM_STAT_ANY,
    SHM_UNLOCK, ShmInfo, ShmidDs, Shminfo,
};
use syscalls::errno::{EINVAL, ENOMEM, EPERM};
use syscalls::{PAGE_SIZE, Run, SysResult, call};

use super::Segment;
use crate::ipc::perm::{Perm, shown_to};
use crate::ipc::table::Found;
use crate::task::{Capabilities, Current};

/// The largest segment, bytes: kernel.shmmax.
const SHMMAX: u64 = u64::MAX - (1 << 24);
/// Segments of a name space, kernel.shmmni.
const SHMMNI: i64 = 4096;

/// The largest segment now.
fn largest(task: &Current) -> u64 {
    let text = task.kernel.sysctls.text("kernel.shmmax", "");
    let number = std::str::from_utf8(&text).ok();
    number
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(SHMMAX)
}

fn most(task: &Current) -> i64 {
    task.kernel.sysctls.number("kernel.shmmni", SHMMNI)
}

impl Run<Current> for call::Shmget {
    fn run(self, task: &mut Current) -> SysResult {
        let (creds, size) = (task.creds.get(), self.size as u64);
        let make = || {
            if size == 0 || size > largest(task) {
                return Err(EINVAL);
            }
            let huge = self.shmflg & SHM_HUGETLB != 0;
            if huge && !creds.has(Capabilities::IPC_LOCK) {
                return Err(EPERM);
            }
            // As a Linux whose pool of huge pages is empty.
            if huge || size > task.kernel.memory.limit() {
                return Err(ENOMEM);
            }
            let perm = Perm::new(&task.ipc.get(), &creds, self.shmflg);
            Ok(Segment::new(&task.memory(), size, perm, task.pid()))
        };
        let most = usize::try_from(most(task)).unwrap_or(0);
        let id = match task.ipc.get().shm.get(self.key, self.shmflg, most, make)? {
            Found::New(id) => id,
            Found::Old(named) => {
                if size > named.object.size {
                    return Err(EINVAL.into());
                }
                let perm = named.object.state.lock().perm.clone();
                perm.permit(&creds, self.shmflg)?;
                named.id
            }
        };
        Ok(u64::try_from(id).map_err(|_| EINVAL)?)
    }
}

impl Run<Current> for call::Shmctl {
    fn run(self, task: &mut Current) -> SysResult {
        if self.shmid < 0 || self.cmd < 0 {
            return Err(EINVAL.into());
        }
        let table = task.ipc.get();
        let creds = task.creds.get();
        match self.cmd {
            IPC_INFO => {
                let info = Shminfo {
                    shmmax: largest(task),
                    shmmin: 1,
                    shmmni: u64::try_from(most(task)).unwrap_or(0),
                    shmseg: u64::try_from(most(task)).unwrap_or(0),
                    shmall: SHMMAX,
                    ..Shminfo::default()
                };
                task.mem().write(self.buf.addr().cast(), &info)?;
                Ok(table.shm.highest())
            }
            SHM_INFO => {
                let all = table.shm.list();
                let pages = |segment: &Segment| segment.size.div_ceil(PAGE_SIZE);
                let info = ShmInfo {
                    used_ids: i32::try_from(all.len()).unwrap_or(i32::MAX),
                    shm_tot: all.iter().map(|named| pages(&named.object)).sum(),
                    shm_rss: all.iter().map(|n| n.object.resident() / PAGE_SIZE).sum(),
                    ..ShmInfo::default()
                };
                task.mem().write(self.buf.addr().cast(), &info)?;
                Ok(table.shm.highest())
            }
            IPC_STAT | SHM_STAT | SHM_STAT_ANY => {
                let named = if self.cmd == IPC_STAT {
                    table.shm.find(self.shmid)?
                } else {
                    table.shm.at(self.shmid)?
                };
                if self.cmd != SHM_STAT_ANY {
                    let perm = named.object.state.lock().perm.clone();
                    perm.permit(&creds, 0o444)?;
                }
                let mut stat: ShmidDs = Segment::stat(&named);
                stat.perm = shown_to(&creds.user, stat.perm);
                stat.cpid = task.number_of(stat.cpid);
                stat.lpid = task.number_of(stat.lpid);
                task.mem().write(self.buf, &stat)?;
                let id = if self.cmd == IPC_STAT { 0 } else { named.id };
                Ok(u64::try_from(id).map_err(|_| EINVAL)?)
            }
            IPC_SET => {
                let new = task.mem().read(self.buf)?;
                let named = table.shm.find(self.shmid)?;
                named.object.set(&creds, &new.perm)?;
                Ok(0)
            }
            IPC_RMID => {
                let named = table.shm.find(self.shmid)?;
                named.object.mark_removed(&creds)?;
                table.shm.let_go(named.id);
                Ok(0)
            }
            SHM_LOCK | SHM_UNLOCK => {
                let named = table.shm.find(self.shmid)?;
                named.object.lock(task, self.cmd == SHM_LOCK)?;
                Ok(0)
            }
            _ => Err(EINVAL.into()),
        }
    }
}

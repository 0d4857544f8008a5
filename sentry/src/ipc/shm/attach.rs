//! shmat(2), shmdt(2).

use std::sync::Arc;

use platform::Prot;
use syscalls::abi::ipc::{SHM_EXEC, SHM_RDONLY, SHM_REMAP, SHM_RND};
use syscalls::errno::{EEXIST, EINVAL};
use syscalls::{Errno, PAGE_SIZE, Run, SysResult, UserAddr, call};

use crate::mm::{Content, MapName, Mappable, NewMapping, Placement, VmaFlags};
use crate::task::Current;

/// Where `addr` and the flags put a segment; `EINVAL`.
fn placement(addr: UserAddr, flags: i32) -> Result<Placement, Errno> {
    let remap = flags & SHM_REMAP != 0;
    if addr.is_null() {
        return if remap {
            Err(EINVAL)
        } else {
            Ok(Placement::Anywhere)
        };
    }
    let mut at = addr.get();
    if !at.is_multiple_of(PAGE_SIZE) {
        if flags & SHM_RND == 0 {
            return Err(EINVAL);
        }
        at -= at % PAGE_SIZE;
        if at == 0 && remap {
            return Err(EINVAL);
        }
    }
    Ok(if remap {
        Placement::Fixed(at)
    } else {
        Placement::FixedFree(at)
    })
}

impl Run<Current> for call::Shmat {
    fn run(self, task: &mut Current) -> SysResult {
        if self.shmid < 0 {
            return Err(EINVAL.into());
        }
        let placement = placement(self.shmaddr, self.shmflg)?;
        let (mut prot, mut may, mut asked) = (Prot::READ, Prot::READ | Prot::EXEC, 0o444);
        if self.shmflg & SHM_RDONLY == 0 {
            prot |= Prot::WRITE;
            may |= Prot::WRITE;
            asked |= 0o222;
        }
        if self.shmflg & SHM_EXEC != 0 {
            prot |= Prot::EXEC;
            asked |= 0o111;
        }
        let named = task.ipc.get().shm.find(self.shmid)?;
        let segment = named.object;
        let perm = segment.state.lock().perm.clone();
        perm.permit(&task.creds.get(), asked)?;
        let name = format!("/SYSV{:08x} (deleted)", named.key);
        let source: Arc<dyn Mappable> = segment.clone();
        let mapped = task.mem().map(NewMapping {
            prot,
            may,
            flags: VmaFlags::SHARED,
            content: Content::Source {
                source,
                file: None,
                offset: 0,
            },
            name: Some(MapName::SharedMemory(name.into_bytes().into())),
            ..NewMapping::zeros(placement, segment.size)
        });
        let addr = mapped.map_err(|error| if error == EEXIST { EINVAL } else { error })?;
        segment.note_attach(task.pid());
        Ok(addr.get())
    }
}

impl Run<Current> for call::Shmdt {
    fn run(self, task: &mut Current) -> SysResult {
        if !self.shmaddr.is_page_aligned() {
            return Err(EINVAL.into());
        }
        let source = task.mem().detach(self.shmaddr)?;
        let all = task.ipc.get().shm.list();
        let same = |named: &&super::Named<super::Segment>| {
            std::ptr::eq(named.object.mappings(), source.mappings())
        };
        if let Some(named) = all.iter().find(same) {
            named.object.note_detach(task.pid());
        }
        Ok(0)
    }
}

//! Memory policies, on a machine with one node: mbind(2), set_mempolicy(2),
//! get_mempolicy(2), migrate_pages(2), move_pages(2).
//!
//! With one node all policies do the same: they are kept to be told.

use syscalls::abi::mm::{
    MPOL_BIND, MPOL_DEFAULT, MPOL_INTERLEAVE, MPOL_LOCAL, MPOL_PREFERRED, MPOL_PREFERRED_MANY,
    MPOL_WEIGHTED_INTERLEAVE,
};
use syscalls::errno::{E2BIG, EACCES, EFAULT, EINVAL, ENODEV, ENOENT, EPERM, ESRCH};
use syscalls::{Errno, PAGE_SIZE, Run, SysResult, UserAddr, UserPtr, call};

use super::super::Mm;
use super::process_vm::may_access;
use crate::task::{Capabilities, Current, MemoryPolicy, Task};
use std::sync::Arc;

/// MPOL_F_STATIC_NODES, MPOL_F_RELATIVE_NODES, MPOL_F_NUMA_BALANCING.
const MODE_FLAGS: u32 = 0xe000;
const STATIC_AND_RELATIVE: u32 = 0xc000;
/// The largest node set that can be given, bits.
const MAX_BITS: u64 = 4096 * 8;

/// The nodes in a guest's set, of which only node 0 exists: whether it is in.
fn nodes(mm: &Mm, mask: UserPtr<u64>, maxnode: u64) -> Result<bool, Errno> {
    // As Linux counts: one bit less than the caller says.
    let bits = maxnode.saturating_sub(1);
    if bits == 0 || mask.is_null() {
        return Ok(false);
    }
    if bits > MAX_BITS {
        return Err(EINVAL);
    }
    let count = usize::try_from(bits.div_ceil(64)).map_err(|_| EINVAL)?;
    let mut words = mm.read_slice(mask, count)?;
    if !bits.is_multiple_of(64)
        && let Some(last) = words.last_mut()
    {
        *last &= (1 << (bits % 64)) - 1;
    }
    let first = words.first().copied().unwrap_or(0);
    let others = words.iter().skip(1).any(|&word| word != 0) || first & !1 != 0;
    if others {
        return Err(EINVAL);
    }
    Ok(first & 1 != 0)
}

/// Checks a policy as Linux does.
fn policy(mm: &Mm, raw: u32, mask: UserPtr<u64>, maxnode: u64) -> Result<MemoryPolicy, Errno> {
    let flags = raw & MODE_FLAGS;
    let mode = i32::try_from(raw & !MODE_FLAGS).map_err(|_| EINVAL)?;
    if !(MPOL_DEFAULT..=MPOL_WEIGHTED_INTERLEAVE).contains(&mode)
        || flags & STATIC_AND_RELATIVE == STATIC_AND_RELATIVE
    {
        return Err(EINVAL);
    }
    let any = nodes(mm, mask, maxnode)?;
    let fits = match mode {
        MPOL_DEFAULT | MPOL_LOCAL => !any,
        MPOL_BIND | MPOL_INTERLEAVE | MPOL_WEIGHTED_INTERLEAVE | MPOL_PREFERRED_MANY => any,
        MPOL_PREFERRED => any || flags == 0,
        _ => false,
    };
    if !fits {
        return Err(EINVAL);
    }
    // No node is preferred: that is to be local.
    let local = mode == MPOL_PREFERRED && !any;
    Ok(MemoryPolicy {
        mode: if local {
            MPOL_LOCAL.unsigned_abs()
        } else {
            raw
        },
        names_node: any,
    })
}

impl Run<Current> for call::SetMempolicy {
    fn run(self, task: &mut Current) -> SysResult {
        let mode = u32::try_from(self.mode).map_err(|_| EINVAL)?;
        let policy = policy(task.mem(), mode, self.nodemask, self.maxnode)?;
        task.change_settings(|settings| settings.memory_policy = policy);
        Ok(0)
    }
}

impl Run<Current> for call::Mbind {
    fn run(self, task: &mut Current) -> SysResult {
        const MOVE_ALL: u32 = 4;
        const VALID: u32 = 7;
        if self.flags & !VALID != 0 {
            return Err(EINVAL.into());
        }
        if self.flags & MOVE_ALL != 0 && !task.creds.get().has(Capabilities::SYS_NICE) {
            return Err(EPERM.into());
        }
        let mode = u32::try_from(self.mode).map_err(|_| EINVAL)?;
        let range = Mm::advised_range(self.addr, self.len)?;
        let policy = policy(task.mem(), mode, self.nodemask, self.maxnode)?;
        if let Some(range) = range {
            if !task.mem().is_mapped(range) {
                return Err(EFAULT.into());
            }
            let policy = Some(policy).filter(|policy| *policy != MemoryPolicy::default());
            task.mem().set_policy(range, policy)?;
        }
        Ok(0)
    }
}

impl Run<Current> for call::GetMempolicy {
    fn run(self, task: &mut Current) -> SysResult {
        const NODE: u64 = 1;
        const ADDR: u64 = 2;
        const MEMS_ALLOWED: u64 = 4;
        if self.flags & !(NODE | ADDR | MEMS_ALLOWED) != 0 {
            return Err(EINVAL.into());
        }
        // Linux insists on room for all nodes that it could have; here that is one.
        if !self.nodemask.is_null() && self.maxnode < 1 {
            return Err(EINVAL.into());
        }
        let allowed = self.flags & MEMS_ALLOWED != 0;
        let of_address = self.flags & ADDR != 0;
        if allowed && self.flags & (NODE | ADDR) != 0 {
            return Err(EINVAL.into());
        }
        let policy = match of_address {
            true => task.mem().policy_at(self.addr)?.unwrap_or_default(),
            false if !self.addr.is_null() => return Err(EINVAL.into()),
            false => task.settings().memory_policy,
        };
        let asks_node = self.flags & NODE != 0;
        let interleaves = policy.mode & !MODE_FLAGS == MPOL_INTERLEAVE.unsigned_abs();
        if asks_node && !of_address && !interleaves {
            return Err(EINVAL.into());
        }
        if let Some(mode) = self.mode.non_null() {
            // The node is always 0.
            let told = if asks_node || allowed { 0 } else { policy.mode };
            task.mem().write(mode, &told.cast_signed())?;
        }
        if let Some(mask) = self.nodemask.non_null() {
            let count = usize::try_from(self.maxnode.min(MAX_BITS).div_ceil(64));
            let mut words = vec![0u64; count.map_err(|_| EINVAL)?];
            if let Some(first) = words.first_mut() {
                *first = u64::from(allowed || policy.names_node);
            }
            task.mem().write_slice(mask, &words)?;
        }
        Ok(0)
    }
}

/// The task that `pid` means, with the right to move its memory.
fn target(task: &Current, pid: i32) -> Result<Arc<Task>, Errno> {
    if pid == 0 {
        return Ok(task.task().clone());
    }
    let target = task.find_task(pid).ok_or(ESRCH)?;
    may_access(task, &target)?;
    Ok(target)
}

impl Run<Current> for call::MigratePages {
    fn run(self, task: &mut Current) -> SysResult {
        nodes(task.mem(), self.old_nodes, self.maxnode)?;
        let any = nodes(task.mem(), self.new_nodes, self.maxnode)?;
        target(task, self.pid)?;
        if any { Ok(0) } else { Err(EINVAL.into()) }
    }
}

impl Run<Current> for call::MovePages {
    fn run(self, task: &mut Current) -> SysResult {
        const MOVE: u32 = 2;
        const MOVE_ALL: u32 = 4;
        if self.flags & !(MOVE | MOVE_ALL) != 0 {
            return Err(EINVAL.into());
        }
        if self.flags & MOVE_ALL != 0 && !task.creds.get().has(Capabilities::SYS_NICE) {
            return Err(EPERM.into());
        }
        if self.count > u64::from(u32::MAX) {
            return Err(E2BIG.into());
        }
        let target = target(task, self.pid)?;
        let mm = target.mm.get().ok_or(EINVAL)?;
        for index in 0..self.count {
            let page = task.mem().read(self.pages.at(index)?)?;
            if let Some(nodes) = self.nodes.non_null() {
                match task.mem().read(nodes.at(index)?)? {
                    0 => {}
                    node if node < 0 => return Err(ENODEV.into()),
                    1.. => return Err(EACCES.into()),
                    _ => {}
                }
            }
            let status = status(&mm, UserAddr::new(page));
            task.mem().write(self.status.at(index)?, &status)?;
        }
        Ok(0)
    }
}

/// The node of a page, or an error.
fn status(mm: &Mm, page: UserAddr) -> i32 {
    let error = |errno: Errno| -i32::from(errno.raw());
    if mm.find_map(page).is_none() {
        return error(EFAULT);
    }
    let start = page.page_floor().get();
    match mm.resident_pages((start, start + PAGE_SIZE)) {
        Ok(bits) if bits.first() == Some(&1) => 0,
        _ => error(ENOENT),
    }
}

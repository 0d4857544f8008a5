//! statmount(2), listmount(2).

use std::sync::Arc;

use syscalls::abi::fs::{
    LSMT_ROOT, MntIdReq, MountFlags as MountCall, STATMOUNT_STRINGS, Statmount, StatmountMask,
};
use syscalls::errno::{E2BIG, EINVAL, ENOENT, EOVERFLOW, EPERM};
use syscalls::{Errno, PAGE_SIZE, Run, SysResult, UserPtr, call};
use zerocopy::IntoBytes;

use super::mount::{namespace, privileged};
use super::mount_tree::shown;
use crate::task::Current;
use crate::vfs::mount::UNIQUE_IDS;
use crate::vfs::mount_list::{dominating, inner_root};
use crate::vfs::{DeviceNumber, Location, Mount, MountNamespace};

/// The argument of Linux 6.8, bytes.
const SIZE_VER0: u32 = 24;
/// As many numbers as listmount(2) gives at once.
const IDS_MAX: usize = 1_000_000;
/// LISTMOUNT_REVERSE: the last ones first.
const REVERSE: u32 = 1;

fn read_request(task: &Current, at: UserPtr<MntIdReq>) -> Result<MntIdReq, Errno> {
    let size: u32 = task.mem().read(at.addr().cast())?;
    if u64::from(size) > PAGE_SIZE {
        return Err(E2BIG);
    }
    if size < SIZE_VER0 {
        return Err(EINVAL);
    }
    let mut bytes = vec![0; usize::try_from(size).map_err(|_| E2BIG)?];
    task.mem().read_bytes(at.addr(), &mut bytes)?;
    let mut request = MntIdReq::default();
    let known = request.as_mut_bytes();
    let (head, rest) = bytes.split_at(bytes.len().min(known.len()));
    if rest.iter().any(|&byte| byte != 0) {
        return Err(E2BIG);
    }
    for (to, from) in known.iter_mut().zip(head) {
        *to = *from;
    }
    if request.spare != 0 || request.mnt_id <= UNIQUE_IDS {
        return Err(EINVAL);
    }
    Ok(request)
}

/// The name space that is asked about; `ENOENT` for any but the caller's own.
fn asked(task: &Current, request: &MntIdReq) -> Result<Arc<MountNamespace>, Errno> {
    let own = namespace(task);
    match request.mnt_ns_id {
        0 => Ok(own),
        id if id == own.id.ino() => Ok(own),
        _ => Err(ENOENT),
    }
}

fn find(namespace: &MountNamespace, id: u64) -> Result<Arc<Mount>, Errno> {
    let mounts = namespace.list();
    let mut found = mounts.into_iter().filter(|mount| mount.unique_id() == id);
    found.next().ok_or(ENOENT)
}

/// `EPERM` for what is not below the caller's root, unless the mounts are its own.
fn check_seen(task: &Current, at: &Location) -> Result<(), Errno> {
    let seen = task.root().is_above(at);
    if seen {
        Ok(())
    } else {
        privileged(task).map_err(|_| EPERM)
    }
}

/// Fixed fields, and strings with a NUL each behind them.
struct Answer {
    fields: Statmount,
    strings: Vec<u8>,
}

impl Answer {
    /// Adds a string; returns where it is.
    fn add(&mut self, text: &[u8]) -> Result<u32, Errno> {
        let at = u32::try_from(self.strings.len()).map_err(|_| EOVERFLOW)?;
        self.strings.extend_from_slice(text);
        self.strings.push(0);
        Ok(at)
    }
}

fn propagation(mount: &Mount) -> u64 {
    let mut flags = MountCall::empty();
    flags.set(MountCall::SHARED, mount.is_shared());
    flags.set(MountCall::SLAVE, mount.master().is_some());
    flags.set(MountCall::UNBINDABLE, mount.is_unbindable());
    match flags.is_empty() {
        true => MountCall::PRIVATE.bits(),
        false => flags.bits(),
    }
}

fn old_id(id: u64) -> u32 {
    u32::try_from(id).unwrap_or(u32::MAX)
}

fn answer(
    namespace: &MountNamespace,
    mount: &Arc<Mount>,
    root: &Location,
    asked: StatmountMask,
) -> Result<Answer, Errno> {
    let super_block = &mount.super_block;
    let mut answer = Answer {
        fields: Statmount {
            mask: (asked & StatmountMask::all()).bits(),
            ..Statmount::default()
        },
        strings: Vec::new(),
    };
    let fields = &mut answer.fields;
    if asked.contains(StatmountMask::SB_BASIC) {
        let dev = DeviceNumber::from_raw(super_block.dev);
        (fields.sb_dev_major, fields.sb_dev_minor) = (dev.major, dev.minor);
        fields.sb_magic = super_block.fs.info()?.magic;
    }
    if asked.contains(StatmountMask::MNT_BASIC) {
        let parent = mount
            .mountpoint()
            .map_or_else(|| mount.clone(), |at| at.mount);
        (fields.mnt_id, fields.mnt_parent_id) = (mount.unique_id(), parent.unique_id());
        (fields.mnt_id_old, fields.mnt_parent_id_old) = (old_id(mount.id), old_id(parent.id));
        fields.mnt_attr = shown(mount.flags()).bits();
        fields.mnt_propagation = propagation(mount);
        fields.mnt_peer_group = mount.group().map_or(0, |group| group.id);
        fields.mnt_master = mount.master().map_or(0, |group| group.id);
    }
    if asked.contains(StatmountMask::PROPAGATE_FROM)
        && let Some(master) = mount.master()
    {
        fields.propagate_from = dominating(&master, namespace, root).unwrap_or(0);
    }
    if asked.contains(StatmountMask::MNT_NS_ID) {
        fields.mnt_ns_id = namespace.id.ino();
    }
    if asked.contains(StatmountMask::FS_TYPE) {
        answer.fields.fs_type = answer.add(super_block.fs.name().as_bytes())?;
    }
    if asked.contains(StatmountMask::MNT_ROOT) {
        answer.fields.mnt_root = answer.add(&inner_root(mount))?;
    }
    if asked.contains(StatmountMask::MNT_POINT) {
        let place = mount.root_location().path_text(root).bytes;
        answer.fields.mnt_point = answer.add(&place)?;
    }
    if asked.contains(StatmountMask::MNT_OPTS) {
        let options = super_block.fs.options();
        answer.fields.mnt_opts = answer.add(options.trim_start_matches(',').as_bytes())?;
    }
    if asked.contains(StatmountMask::SB_SOURCE) {
        answer.fields.sb_source = answer.add(super_block.source.as_bytes())?;
    }
    Ok(answer)
}

impl Run<Current> for call::Statmount {
    fn run(self, task: &mut Current) -> SysResult {
        if self.flags != 0 {
            return Err(EINVAL.into());
        }
        let request = read_request(task, self.req)?;
        let namespace = asked(task, &request)?;
        let mount = find(&namespace, request.mnt_id)?;
        let root = task.root();
        check_seen(task, &mount.root_location())?;
        let mask = StatmountMask::from_bits_retain(request.param);
        let mut answer = answer(&namespace, &mount, &root, mask)?;
        let fixed = self.bufsize.min(STATMOUNT_STRINGS);
        if !answer.strings.is_empty() && fixed + answer.strings.len() > self.bufsize {
            return Err(EOVERFLOW.into());
        }
        let size = fixed + answer.strings.len();
        answer.fields.size = u32::try_from(size).map_err(|_| EOVERFLOW)?;
        let mut bytes = answer.fields.as_bytes().to_vec();
        bytes.resize(STATMOUNT_STRINGS, 0);
        bytes.truncate(fixed);
        bytes.extend_from_slice(&answer.strings);
        task.mem().write_bytes(self.buf, &bytes)?;
        Ok(0)
    }
}

impl Run<Current> for call::Listmount {
    fn run(self, task: &mut Current) -> SysResult {
        if self.flags & !REVERSE != 0 {
            return Err(EINVAL.into());
        }
        if self.nr_mnt_ids > IDS_MAX {
            return Err(EOVERFLOW.into());
        }
        let request = read_request(task, self.req)?;
        let last = request.param;
        if last != 0 && last <= UNIQUE_IDS {
            return Err(EINVAL.into());
        }
        let namespace = asked(task, &request)?;
        let top = match request.mnt_id {
            LSMT_ROOT => namespace.root().root_location().topmost(),
            id => find(&namespace, id)?.root_location(),
        };
        check_seen(task, &top)?;
        let mut mounts = namespace.list();
        mounts.sort_by_key(|mount| mount.id);
        if self.flags & REVERSE != 0 {
            mounts.reverse();
        }
        let after = |id: u64| match self.flags & REVERSE {
            _ if last == 0 => true,
            0 => id > last,
            _ => id < last,
        };
        let listed = mounts.iter().filter(|mount| {
            let id = mount.unique_id();
            id != request.mnt_id && after(id) && top.is_above(&mount.root_location())
        });
        let ids = listed.map(|mount| mount.unique_id()).take(self.nr_mnt_ids);
        let ids: Vec<u64> = ids.collect();
        task.mem()
            .write_bytes(self.mnt_ids.addr(), ids.as_bytes())?;
        Ok(ids.len() as u64)
    }
}

//! statfs(2), ustat(2).

use syscalls::abi::fs::{Statfs, StatfsFlags, Ustat};
use syscalls::errno::{EINVAL, EOVERFLOW};
use syscalls::{Errno, Run, SysResult, UserPtr, call};

use crate::task::Current;
use crate::vfs::walk::Walking;
use crate::vfs::{DeviceNumber, Location, Mount, MountFlags};

fn flags(mount: &Mount) -> StatfsFlags {
    let pairs = [
        (MountFlags::READ_ONLY, StatfsFlags::RDONLY),
        (MountFlags::NOSUID, StatfsFlags::NOSUID),
        (MountFlags::NODEV, StatfsFlags::NODEV),
        (MountFlags::NOEXEC, StatfsFlags::NOEXEC),
        (MountFlags::NOSYMFOLLOW, StatfsFlags::NOSYMFOLLOW),
        (MountFlags::NOATIME, StatfsFlags::NOATIME),
        (MountFlags::NODIRATIME, StatfsFlags::NODIRATIME),
        (MountFlags::RELATIME, StatfsFlags::RELATIME),
    ];
    let now = mount.flags();
    pairs
        .into_iter()
        .filter(|(flag, _)| now.contains(*flag))
        .fold(StatfsFlags::VALID, |all, (_, flag)| all | flag)
}

fn statfs(at: &Location) -> Result<Statfs, Errno> {
    let super_block = &at.mount.super_block;
    let info = super_block.fs.info()?;
    let signed = |value: u64| i64::try_from(value).map_err(|_| EOVERFLOW);
    let half = |value: u64| (value & 0xffff_ffff).to_le_bytes();
    let word = |bytes: [u8; 8]| i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    Ok(Statfs {
        kind: signed(info.magic)?,
        bsize: signed(info.block_size)?,
        blocks: info.blocks,
        bfree: info.blocks_free,
        bavail: info.blocks_available,
        files: info.files,
        ffree: info.files_free,
        fsid: [
            word(half(super_block.dev)),
            word(half(super_block.dev >> 32)),
        ],
        namelen: signed(info.name_max)?,
        frsize: signed(info.block_size)?,
        flags: signed(flags(&at.mount).bits())?,
        ..Statfs::default()
    })
}

fn answer(task: &Current, at: &Location, to: UserPtr<Statfs>) -> SysResult {
    task.mem().write(to, &statfs(at)?)?;
    Ok(0)
}

impl Run<Current> for call::Statfs {
    fn run(self, task: &mut Current) -> SysResult {
        let path = task.read_path(self.path)?;
        let at = task.walk(&path, Walking::FOLLOW)?;
        answer(task, &at, self.buf)
    }
}

impl Run<Current> for call::Fstatfs {
    fn run(self, task: &mut Current) -> SysResult {
        let file = task.any_file(self.fd)?;
        answer(task, &file.location, self.buf)
    }
}

impl Run<Current> for call::Ustat {
    fn run(self, task: &mut Current) -> SysResult {
        let dev = DeviceNumber::from_raw(self.dev.into()).to_raw();
        let mounts = task.fs.with(|fs| fs.mounts.get()).list();
        let mount = mounts.iter().find(|mount| mount.super_block.dev == dev);
        let info = mount.ok_or(EINVAL)?.super_block.fs.info()?;
        let ustat = Ustat {
            tfree: i32::try_from(info.blocks_free).map_err(|_| EOVERFLOW)?,
            tinode: info.files_free,
            ..Ustat::default()
        };
        task.mem().write(self.ubuf, &ustat)?;
        Ok(0)
    }
}

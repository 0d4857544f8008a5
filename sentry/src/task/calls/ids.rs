//! User and group ids, credentials(7) and setuid(2).

use std::sync::Arc;

use syscalls::errno::{EINVAL, EPERM};
use syscalls::{Errno, Run, SysResult, UserPtr, call};

use crate::task::{Capabilities, Credentials, Current, SecureBits, UserIds};

/// "No change" in the calls that set several ids.
const KEEP: u32 = u32::MAX;
const ROOT: u32 = 0;
/// NGROUPS_MAX.
const MAX_GROUPS: usize = 65_536;

/// What CAP_SETUID or CAP_SETGID allows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Privileged {
    Yes,
    No,
}

impl Privileged {
    fn has(creds: &Credentials, cap: Capabilities) -> Self {
        if creds.has(cap) {
            Privileged::Yes
        } else {
            Privileged::No
        }
    }
}

/// The rules of setuid(2) and its siblings, for users and groups alike.
impl UserIds {
    fn known(&self) -> [u32; 3] {
        [self.real, self.effective, self.saved]
    }

    /// setuid(2).
    fn set(&mut self, id: u32, privileged: Privileged) -> Result<(), Errno> {
        if id == KEEP {
            return Err(EINVAL);
        }
        if privileged == Privileged::Yes {
            self.real = id;
            self.saved = id;
        } else if id != self.real && id != self.saved {
            return Err(EPERM);
        }
        self.effective = id;
        self.fs = id;
        Ok(())
    }

    /// setreuid(2).
    fn set_real_effective(
        &mut self,
        real: u32,
        effective: u32,
        privileged: Privileged,
    ) -> Result<(), Errno> {
        let old = *self;
        let free = privileged == Privileged::Yes;
        if real != KEEP {
            if !free && ![old.real, old.effective].contains(&real) {
                return Err(EPERM);
            }
            self.real = real;
        }
        if effective != KEEP {
            if !free && !old.known().contains(&effective) {
                return Err(EPERM);
            }
            self.effective = effective;
        }
        if real != KEEP || (effective != KEEP && effective != old.real) {
            self.saved = self.effective;
        }
        self.fs = self.effective;
        Ok(())
    }

    /// setresuid(2).
    fn set_all(&mut self, ids: [u32; 3], privileged: Privileged) -> Result<(), Errno> {
        let old = self.known();
        if ids
            .iter()
            .any(|id| *id != KEEP && privileged == Privileged::No && !old.contains(id))
        {
            return Err(EPERM);
        }
        let [real, effective, saved] = ids;
        for (place, id) in [
            (&mut self.real, real),
            (&mut self.effective, effective),
            (&mut self.saved, saved),
        ] {
            if id != KEEP {
                *place = id;
            }
        }
        self.fs = self.effective;
        Ok(())
    }

    /// setfsuid(2): never fails, and returns the old one.
    fn set_fs(&mut self, id: u32, privileged: Privileged) -> u32 {
        let old = self.fs;
        let allowed = privileged == Privileged::Yes || self.known().contains(&id) || id == old;
        if id != KEEP && allowed {
            self.fs = id;
        }
        old
    }
}

/// capabilities(7), "Effect of user ID changes on capabilities".
fn fix_up(old: &Credentials, new: &mut Credentials) {
    if new.securebits.contains(SecureBits::NO_SETUID_FIXUP) {
        return;
    }
    let had_root = old.uid.known().contains(&ROOT);
    let has_root = new.uid.known().contains(&ROOT);
    if had_root && !has_root {
        if !new.securebits.contains(SecureBits::KEEP_CAPS) {
            new.permitted = Capabilities::empty();
            new.effective = Capabilities::empty();
        }
        new.ambient = Capabilities::empty();
    }
    match (old.uid.effective == ROOT, new.uid.effective == ROOT) {
        (true, false) => new.effective = Capabilities::empty(),
        (false, true) => new.effective = new.permitted,
        _ => {}
    }
}

/// What root's file-system id stands for.
const FS_CAPABILITIES: Capabilities = Capabilities::CHOWN
    .union(Capabilities::MKNOD)
    .union(Capabilities::DAC_OVERRIDE)
    .union(Capabilities::DAC_READ_SEARCH)
    .union(Capabilities::FOWNER)
    .union(Capabilities::FSETID)
    .union(Capabilities::LINUX_IMMUTABLE)
    .union(Capabilities::MAC_OVERRIDE);

fn fix_up_fs(old: &Credentials, new: &mut Credentials) {
    if new.securebits.contains(SecureBits::NO_SETUID_FIXUP) {
        return;
    }
    match (old.uid.fs == ROOT, new.uid.fs == ROOT) {
        (true, false) => new.effective -= FS_CAPABILITIES,
        (false, true) => new.effective |= new.permitted & FS_CAPABILITIES,
        _ => {}
    }
}

impl Current {
    fn change_users(
        &self,
        change: impl FnOnce(&mut UserIds, Privileged) -> Result<(), Errno>,
    ) -> SysResult {
        let old = self.creds.get();
        let mut new = Credentials::clone(&old);
        change(&mut new.uid, Privileged::has(&old, Capabilities::SETUID))?;
        fix_up(&old, &mut new);
        self.set_credentials(new);
        Ok(0)
    }

    fn change_groups(
        &self,
        change: impl FnOnce(&mut UserIds, Privileged) -> Result<(), Errno>,
    ) -> SysResult {
        let old = self.creds.get();
        let mut new = Credentials::clone(&old);
        change(&mut new.gid, Privileged::has(&old, Capabilities::SETGID))?;
        self.set_credentials(new);
        Ok(0)
    }

    fn write_ids(&self, ids: UserIds, to: [UserPtr<u32>; 3]) -> SysResult {
        for (at, id) in to.into_iter().zip(ids.known()) {
            self.mem().write(at, &id)?;
        }
        Ok(0)
    }
}

macro_rules! get_id {
    ($($call:ident: $kind:ident.$field:ident;)*) => {$(
        impl Run<Current> for call::$call {
            fn run(self, task: &mut Current) -> SysResult {
                Ok(u64::from(task.creds.with(|creds| creds.$kind.$field)))
            }
        }
    )*};
}

get_id! {
    Getuid: uid.real;
    Geteuid: uid.effective;
    Getgid: gid.real;
    Getegid: gid.effective;
}

impl Run<Current> for call::Setuid {
    fn run(self, task: &mut Current) -> SysResult {
        task.change_users(|ids, privileged| ids.set(self.uid, privileged))
    }
}

impl Run<Current> for call::Setgid {
    fn run(self, task: &mut Current) -> SysResult {
        task.change_groups(|ids, privileged| ids.set(self.gid, privileged))
    }
}

impl Run<Current> for call::Setreuid {
    fn run(self, task: &mut Current) -> SysResult {
        task.change_users(|ids, p| ids.set_real_effective(self.ruid, self.euid, p))
    }
}

impl Run<Current> for call::Setregid {
    fn run(self, task: &mut Current) -> SysResult {
        task.change_groups(|ids, p| ids.set_real_effective(self.rgid, self.egid, p))
    }
}

impl Run<Current> for call::Setresuid {
    fn run(self, task: &mut Current) -> SysResult {
        task.change_users(|ids, p| ids.set_all([self.ruid, self.euid, self.suid], p))
    }
}

impl Run<Current> for call::Setresgid {
    fn run(self, task: &mut Current) -> SysResult {
        task.change_groups(|ids, p| ids.set_all([self.rgid, self.egid, self.sgid], p))
    }
}

impl Run<Current> for call::Getresuid {
    fn run(self, task: &mut Current) -> SysResult {
        let ids = task.creds.get().uid;
        task.write_ids(ids, [self.ruid, self.euid, self.suid])
    }
}

impl Run<Current> for call::Getresgid {
    fn run(self, task: &mut Current) -> SysResult {
        let ids = task.creds.get().gid;
        task.write_ids(ids, [self.rgid, self.egid, self.sgid])
    }
}

impl Run<Current> for call::Setfsuid {
    fn run(self, task: &mut Current) -> SysResult {
        let old = task.creds.get();
        let mut new = Credentials::clone(&old);
        let privileged = Privileged::has(&old, Capabilities::SETUID);
        let before = new.uid.set_fs(self.fsuid, privileged);
        fix_up_fs(&old, &mut new);
        task.set_credentials(new);
        Ok(u64::from(before))
    }
}

impl Run<Current> for call::Setfsgid {
    fn run(self, task: &mut Current) -> SysResult {
        let old = task.creds.get();
        let mut new = Credentials::clone(&old);
        let privileged = Privileged::has(&old, Capabilities::SETGID);
        let before = new.gid.set_fs(self.fsgid, privileged);
        task.set_credentials(new);
        Ok(u64::from(before))
    }
}

impl Run<Current> for call::Getgroups {
    fn run(self, task: &mut Current) -> SysResult {
        let creds: Arc<Credentials> = task.creds.get();
        let size = usize::try_from(self.size).map_err(|_| EINVAL)?;
        if size != 0 {
            if size < creds.groups.len() {
                return Err(EINVAL.into());
            }
            task.mem().write_slice(self.list, &creds.groups)?;
        }
        Ok(creds.groups.len() as u64)
    }
}

impl Run<Current> for call::Setgroups {
    fn run(self, task: &mut Current) -> SysResult {
        let old = task.creds.get();
        if !old.has(Capabilities::SETGID) {
            return Err(EPERM.into());
        }
        let size = usize::try_from(self.size).map_err(|_| EINVAL)?;
        if size > MAX_GROUPS {
            return Err(EINVAL.into());
        }
        let mut groups = task.mem().read_slice(self.list, size)?;
        if groups.contains(&KEEP) {
            return Err(EINVAL.into());
        }
        groups.sort_unstable();
        let mut new = Credentials::clone(&old);
        new.groups = groups;
        task.set_credentials(new);
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Capabilities, Credentials, EPERM, KEEP, Privileged, SecureBits, UserIds, fix_up};

    #[test]
    fn unprivileged_changes() {
        let mut ids = UserIds {
            real: 5,
            effective: 6,
            saved: 7,
            fs: 6,
        };
        assert_eq!(ids.set(6, Privileged::No), Err(EPERM));
        assert_eq!(ids.set(7, Privileged::No), Ok(()));
        assert_eq!((ids.effective, ids.saved, ids.fs), (7, 7, 7));
        assert_eq!(ids.set_all([7, KEEP, 5], Privileged::No), Ok(()));
        assert_eq!(ids.set_all([9, KEEP, KEEP], Privileged::No), Err(EPERM));
        assert_eq!(ids.set_real_effective(KEEP, 5, Privileged::No), Ok(()));
        assert_eq!((ids.real, ids.effective, ids.saved), (7, 5, 5));
    }

    #[test]
    fn capabilities_follow_root() {
        let root = Credentials {
            permitted: Capabilities::CHOWN,
            effective: Capabilities::CHOWN,
            ..Credentials::default()
        };
        let mut user = root.clone();
        user.uid = UserIds::all(5);
        fix_up(&root, &mut user);
        assert!(user.permitted.is_empty() && user.effective.is_empty());

        let mut kept = root.clone();
        kept.securebits = SecureBits::KEEP_CAPS;
        kept.uid = UserIds::all(5);
        fix_up(&root, &mut kept);
        assert_eq!(kept.permitted, Capabilities::CHOWN);
        assert!(kept.effective.is_empty());

        let mut back = root.clone();
        back.uid.effective = 5;
        fix_up(&root, &mut back);
        assert_eq!(back.permitted, Capabilities::CHOWN);
        let away = back.clone();
        back.uid.effective = 0;
        fix_up(&away, &mut back);
        assert_eq!(back.effective, Capabilities::CHOWN);
    }
}

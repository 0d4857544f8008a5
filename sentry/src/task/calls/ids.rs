//! User and group ids, credentials(7) and setuid(2).

use std::sync::Arc;

use syscalls::errno::{EINVAL, EPERM};
use syscalls::{Errno, Run, SysResult, UserPtr, call};

use crate::namespace::Ids;
use crate::task::{Capabilities, Credentials, Current, SecureBits, UserIds};

/// "No change" in the calls that set several ids.
const KEEP: u32 = u32::MAX;
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
        if creds.has_here(cap) {
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
    let Some(root) = new.root_uid() else {
        return;
    };
    let had_root = old.uid.known().contains(&root);
    let has_root = new.uid.known().contains(&root);
    if had_root && !has_root {
        if !new.securebits.contains(SecureBits::KEEP_CAPS) {
            new.permitted = Capabilities::empty();
            new.effective = Capabilities::empty();
        }
        new.ambient = Capabilities::empty();
    }
    match (old.uid.effective == root, new.uid.effective == root) {
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
    let Some(root) = new.root_uid() else {
        return;
    };
    match (old.uid.fs == root, new.uid.fs == root) {
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

    fn write_ids(&self, ids: [u32; 3], to: [UserPtr<u32>; 3]) -> SysResult {
        for (at, id) in to.into_iter().zip(ids) {
            self.mem().write(at, &id)?;
        }
        Ok(0)
    }

    /// The kernel's ids for those that a program names; [`KEEP`] stays. `EINVAL`.
    fn kernel_ids<const N: usize>(&self, kind: Ids, ids: [u32; N]) -> Result<[u32; N], Errno> {
        let user = self.creds.with(|creds| creds.user.clone());
        let mut kernel = ids;
        for id in kernel.iter_mut().filter(|id| **id != KEEP) {
            *id = user.kernel_id(kind, *id).ok_or(EINVAL)?;
        }
        Ok(kernel)
    }
}

macro_rules! get_id {
    ($($call:ident: $kind:ident.$field:ident as $shown:ident;)*) => {$(
        impl Run<Current> for call::$call {
            fn run(self, task: &mut Current) -> SysResult {
                Ok(u64::from(task.creds.with(|creds| creds.user.$shown(creds.$kind.$field))))
            }
        }
    )*};
}

get_id! {
    Getuid: uid.real as shown_uid;
    Geteuid: uid.effective as shown_uid;
    Getgid: gid.real as shown_gid;
    Getegid: gid.effective as shown_gid;
}

impl Run<Current> for call::Setuid {
    fn run(self, task: &mut Current) -> SysResult {
        let [uid] = task.kernel_ids(Ids::Users, [self.uid])?;
        task.change_users(|ids, privileged| ids.set(uid, privileged))
    }
}

impl Run<Current> for call::Setgid {
    fn run(self, task: &mut Current) -> SysResult {
        let [gid] = task.kernel_ids(Ids::Groups, [self.gid])?;
        task.change_groups(|ids, privileged| ids.set(gid, privileged))
    }
}

impl Run<Current> for call::Setreuid {
    fn run(self, task: &mut Current) -> SysResult {
        let [real, effective] = task.kernel_ids(Ids::Users, [self.ruid, self.euid])?;
        task.change_users(|ids, p| ids.set_real_effective(real, effective, p))
    }
}

impl Run<Current> for call::Setregid {
    fn run(self, task: &mut Current) -> SysResult {
        let [real, effective] = task.kernel_ids(Ids::Groups, [self.rgid, self.egid])?;
        task.change_groups(|ids, p| ids.set_real_effective(real, effective, p))
    }
}

impl Run<Current> for call::Setresuid {
    fn run(self, task: &mut Current) -> SysResult {
        let all = task.kernel_ids(Ids::Users, [self.ruid, self.euid, self.suid])?;
        task.change_users(|ids, p| ids.set_all(all, p))
    }
}

impl Run<Current> for call::Setresgid {
    fn run(self, task: &mut Current) -> SysResult {
        let all = task.kernel_ids(Ids::Groups, [self.rgid, self.egid, self.sgid])?;
        task.change_groups(|ids, p| ids.set_all(all, p))
    }
}

impl Run<Current> for call::Getresuid {
    fn run(self, task: &mut Current) -> SysResult {
        let creds = task.creds.get();
        let ids = creds.uid.known().map(|id| creds.user.shown_uid(id));
        task.write_ids(ids, [self.ruid, self.euid, self.suid])
    }
}

impl Run<Current> for call::Getresgid {
    fn run(self, task: &mut Current) -> SysResult {
        let creds = task.creds.get();
        let ids = creds.gid.known().map(|id| creds.user.shown_gid(id));
        task.write_ids(ids, [self.rgid, self.egid, self.sgid])
    }
}

impl Run<Current> for call::Setfsuid {
    fn run(self, task: &mut Current) -> SysResult {
        let old = task.creds.get();
        let mut new = Credentials::clone(&old);
        let privileged = Privileged::has(&old, Capabilities::SETUID);
        // What is no id changes nothing.
        let wanted = old.user.kernel_uid(self.fsuid).unwrap_or(KEEP);
        let before = new.uid.set_fs(wanted, privileged);
        fix_up_fs(&old, &mut new);
        task.set_credentials(new);
        Ok(u64::from(old.user.shown_uid(before)))
    }
}

impl Run<Current> for call::Setfsgid {
    fn run(self, task: &mut Current) -> SysResult {
        let old = task.creds.get();
        let mut new = Credentials::clone(&old);
        let privileged = Privileged::has(&old, Capabilities::SETGID);
        let wanted = old.user.kernel_gid(self.fsgid).unwrap_or(KEEP);
        let before = new.gid.set_fs(wanted, privileged);
        task.set_credentials(new);
        Ok(u64::from(old.user.shown_gid(before)))
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
            let shown = |&gid: &u32| creds.user.shown_gid(gid);
            let groups: Vec<u32> = creds.groups.iter().map(shown).collect();
            task.mem().write_slice(self.list, &groups)?;
        }
        Ok(creds.groups.len() as u64)
    }
}

impl Run<Current> for call::Setgroups {
    fn run(self, task: &mut Current) -> SysResult {
        let old = task.creds.get();
        if !old.has_here(Capabilities::SETGID) || !old.user.has_groups() {
            return Err(EPERM.into());
        }
        let size = usize::try_from(self.size).map_err(|_| EINVAL)?;
        if size > MAX_GROUPS {
            return Err(EINVAL.into());
        }
        let groups = task.mem().read_slice(self.list, size)?;
        let known = groups.into_iter().map(|gid| old.user.kernel_gid(gid));
        let known: Option<Vec<u32>> = known.collect();
        let mut groups = known.ok_or(EINVAL)?;
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

//! User name spaces, user_namespaces(7): whose ids mean what ([`IdMap`]), and in which of
//! them somebody's capabilities count.
//!
//! Every name space of another kind belongs to one; so does every file system that was
//! mounted, and so do credentials. A capability is asked for with the name space that the
//! thing at hand belongs to: [`Credentials::has_in`].

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use syscalls::Errno;
use syscalls::errno::{ENOSPC, EPERM};

use super::id_map::IdMap;
use super::{Kind, NamespaceId};
use crate::sync::{Level, Mutex};
use crate::task::{Capabilities, Credentials};

/// What an id that a name space does not have is shown as (overflowuid).
pub(crate) const OVERFLOW: u32 = 65_534;

/// How many there may be, unless user.max_user_namespaces says something else.
pub(crate) const MAX_USER_NAMESPACES: i64 = 10_000;

/// How many there are, but for the first.
static LIVING: AtomicI64 = AtomicI64::new(0);

/// How deep they may lie in each other.
const MAX_LEVEL: usize = 33;

/// A user name space.
#[derive(Clone)]
pub struct UserNamespace(Arc<Inner>);

struct Inner {
    id: NamespaceId,
    parent: Option<UserNamespace>,
    /// 0 for the first.
    level: usize,
    /// Who made it, by the kernel's id.
    owner: u32,
    uids: OnceLock<IdMap>,
    gids: OnceLock<IdMap>,
    projects: OnceLock<IdMap>,
    /// Held while maps are written, for the order of what is written.
    may_set_groups: Mutex<bool>,
    /// Whether its maker could give capabilities to files.
    maker_could_set_file_caps: bool,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.parent.is_some() {
            LIVING.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Which of its maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    Users,
    Groups,
    Projects,
}

impl Default for UserNamespace {
    /// The first.
    fn default() -> Self {
        static FIRST: OnceLock<UserNamespace> = OnceLock::new();
        let make = || {
            let all = || OnceLock::from(IdMap::identity());
            UserNamespace(Arc::new(Inner {
                id: NamespaceId::first(Kind::User),
                parent: None,
                level: 0,
                owner: 0,
                uids: all(),
                gids: all(),
                projects: all(),
                may_set_groups: Mutex::new(Level::Leaf, true),
                maker_could_set_file_caps: true,
            }))
        };
        FIRST.get_or_init(make).clone()
    }
}

impl PartialEq for UserNamespace {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for UserNamespace {}

impl fmt::Debug for UserNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user:[{}]", self.0.id.ino())
    }
}

impl UserNamespace {
    /// One in that of `creds`, which makes it, of `most`: `ENOSPC` if there are that many
    /// or that lies too deep, `EPERM` for ids that have no meaning there.
    pub(crate) fn new(creds: &Credentials, most: i64) -> Result<Self, Errno> {
        let parent = &creds.user;
        if parent.0.level >= MAX_LEVEL || LIVING.load(Ordering::Relaxed) >= most {
            return Err(ENOSPC.why("user name spaces are too many or lie too deep"));
        }
        if !parent.knows(creds.uid.effective, creds.gid.effective) {
            return Err(EPERM);
        }
        let may_set_groups = *parent.0.may_set_groups.lock();
        LIVING.fetch_add(1, Ordering::Relaxed);
        Ok(UserNamespace(Arc::new(Inner {
            id: NamespaceId::default(),
            parent: Some(parent.clone()),
            level: parent.0.level + 1,
            owner: creds.uid.effective,
            uids: OnceLock::new(),
            gids: OnceLock::new(),
            projects: OnceLock::new(),
            may_set_groups: Mutex::new(Level::Leaf, may_set_groups),
            maker_could_set_file_caps: creds.effective.contains(Capabilities::SETFCAP),
        })))
    }

    /// What names it.
    #[must_use]
    pub fn id(&self) -> NamespaceId {
        self.0.id
    }

    /// True for the one that all others lie in.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.0.level == 0
    }

    /// The one it lies in.
    #[must_use]
    pub fn parent(&self) -> Option<&UserNamespace> {
        self.0.parent.as_ref()
    }

    /// Who made it, by the kernel's id.
    #[must_use]
    pub fn owner(&self) -> u32 {
        self.0.owner
    }

    /// True for `other` itself and for all that lie in it.
    #[must_use]
    pub fn is_within(&self, other: &UserNamespace) -> bool {
        self.and_above().any(|at| at == other)
    }

    /// Itself and those that it lies in, inside out.
    pub(crate) fn and_above(&self) -> impl Iterator<Item = &UserNamespace> {
        std::iter::successors(Some(self), |at| at.parent())
    }

    fn slot(&self, ids: Ids) -> &OnceLock<IdMap> {
        match ids {
            Ids::Users => &self.0.uids,
            Ids::Groups => &self.0.gids,
            Ids::Projects => &self.0.projects,
        }
    }

    fn map(&self, ids: Ids) -> Option<&IdMap> {
        self.slot(ids).get()
    }

    /// A program's id of either kind as the kernel knows it.
    pub(crate) fn kernel_id(&self, ids: Ids, id: u32) -> Option<u32> {
        self.map(ids)?.to_kernel(id)
    }

    /// A program's user id as the kernel knows it; `None` for one that it does not have.
    #[must_use]
    pub fn kernel_uid(&self, uid: u32) -> Option<u32> {
        self.kernel_id(Ids::Users, uid)
    }

    /// The same for a group.
    #[must_use]
    pub fn kernel_gid(&self, gid: u32) -> Option<u32> {
        self.kernel_id(Ids::Groups, gid)
    }

    /// A user as a program in here sees it; `None` for one that is not seen.
    #[must_use]
    pub fn known_uid(&self, uid: u32) -> Option<u32> {
        self.map(Ids::Users)?.known(uid)
    }

    /// The same for a group.
    #[must_use]
    pub fn known_gid(&self, gid: u32) -> Option<u32> {
        self.map(Ids::Groups)?.known(gid)
    }

    /// A user as a program in here is told of it, by the overflow id if it is not seen.
    #[must_use]
    pub fn shown_uid(&self, uid: u32) -> u32 {
        if self.is_first() {
            return uid;
        }
        self.known_uid(uid).unwrap_or(OVERFLOW)
    }

    /// The same for a group.
    #[must_use]
    pub fn shown_gid(&self, gid: u32) -> u32 {
        if self.is_first() {
            return gid;
        }
        self.known_gid(gid).unwrap_or(OVERFLOW)
    }

    /// True if it has both ids.
    #[must_use]
    pub fn knows(&self, uid: u32, gid: u32) -> bool {
        self.is_first() || (self.known_uid(uid).is_some() && self.known_gid(gid).is_some())
    }

    /// Whether setgroups(2) may be called: not before there are groups.
    #[must_use]
    pub fn has_groups(&self) -> bool {
        self.map(Ids::Groups).is_some() && self.may_set_groups()
    }

    /// /proc/PID/setgroups.
    pub(crate) fn may_set_groups(&self) -> bool {
        *self.0.may_set_groups.lock()
    }

    /// Forbids setgroups(2), or says that it stays allowed; `EPERM` once there are groups
    /// or it is forbidden.
    pub(crate) fn set_may_set_groups(&self, may: bool) -> Result<(), Errno> {
        let mut allowed = self.0.may_set_groups.lock();
        if may && !*allowed || !may && self.map(Ids::Groups).is_some() {
            return Err(EPERM);
        }
        *allowed = may;
        Ok(())
    }

    /// /proc/PID/uid_map and its like, for a reader in `reader`.
    pub(crate) fn map_text(&self, ids: Ids, reader: &UserNamespace) -> Vec<u8> {
        let lower = if reader == self {
            self.parent().unwrap_or(self)
        } else {
            reader
        };
        let none = IdMap::default();
        let of = |namespace: &UserNamespace| namespace.map(ids).unwrap_or(&none).clone();
        of(self).text(&of(lower))
    }

    /// Sets a map, once: by who opened the file that was written (`opener`) and who writes
    /// it (`writer`). `EINVAL`, `EPERM`.
    pub(crate) fn set_map(
        &self,
        ids: Ids,
        text: &[u8],
        opener: &Credentials,
        writer: &Credentials,
    ) -> Result<(), Errno> {
        let parent = self.parent().ok_or(EPERM)?;
        if opener.user != *self && opener.user != *parent {
            return Err(EPERM);
        }
        let allowed = self.0.may_set_groups.lock();
        if self.map(ids).is_some() {
            return Err(EPERM);
        }
        let admin = Capabilities::SYS_ADMIN;
        if ids != Ids::Projects && !(opener.has_in(self, admin) && writer.has_in(self, admin)) {
            return Err(EPERM);
        }
        let written = IdMap::parse(text)?;
        if written.is_empty() || !self.may_be_given(ids, &written, opener, writer, *allowed) {
            return Err(EPERM);
        }
        let above = parent.map(ids).ok_or(EPERM)?;
        let map = written.within(above).ok_or(EPERM)?;
        self.slot(ids).set(map).map_err(|_| EPERM)
    }

    /// user_namespaces(7), "Defining user and group ID mappings": what anybody may give,
    /// and what takes a capability in the parent.
    fn may_be_given(
        &self,
        ids: Ids,
        written: &IdMap,
        opener: &Credentials,
        writer: &Credentials,
        may_set_groups: bool,
    ) -> bool {
        let Some(parent) = self.parent() else {
            return false;
        };
        let root = ids == Ids::Users && written.has_root();
        let may_give_root = if opener.user == *self {
            self.0.maker_could_set_file_caps
        } else {
            opener.has_in(parent, Capabilities::SETFCAP)
        };
        if root && !may_give_root {
            return false;
        }
        if let Some(id) = written.only()
            && self.owner() == opener.uid.effective
        {
            let own = match ids {
                Ids::Users => parent.kernel_uid(id) == Some(opener.uid.effective),
                Ids::Groups => {
                    !may_set_groups && parent.kernel_gid(id) == Some(opener.gid.effective)
                }
                Ids::Projects => false,
            };
            if own {
                return true;
            }
        }
        let needed = match ids {
            Ids::Users => Capabilities::SETUID,
            Ids::Groups => Capabilities::SETGID,
            Ids::Projects => return true,
        };
        opener.has_in(parent, needed) && writer.has_in(parent, needed)
    }
}

/// What capabilities are good for.
impl Credentials {
    /// True if `cap` is in the effective set and holds for the whole sandbox: in the first
    /// user name space.
    #[must_use]
    pub fn has(&self, cap: Capabilities) -> bool {
        self.user.is_first() && self.effective.contains(cap)
    }

    /// True if `cap` is in the effective set: it holds for what belongs to the own user
    /// name space.
    #[must_use]
    pub fn has_here(&self, cap: Capabilities) -> bool {
        self.effective.contains(cap)
    }

    /// True if `cap` holds for what belongs to `namespace`: it is the own one or lies in
    /// it, or its maker is the same user in the name space that it was made in.
    #[must_use]
    pub fn has_in(&self, namespace: &UserNamespace, cap: Capabilities) -> bool {
        for at in namespace.and_above() {
            if *at == self.user {
                return self.effective.contains(cap);
            }
            // All further ones lie above.
            if at.0.level <= self.user.0.level {
                return false;
            }
            if at.parent() == Some(&self.user) && at.owner() == self.uid.effective {
                return true;
            }
        }
        false
    }

    /// True if `cap` holds for a file of that user and group: the own user name space has
    /// both ids.
    #[must_use]
    pub fn has_over(&self, uid: u32, gid: u32, cap: Capabilities) -> bool {
        self.effective.contains(cap) && self.user.knows(uid, gid)
    }

    /// The kernel's id of who is root in the own user name space.
    #[must_use]
    pub fn root_uid(&self) -> Option<u32> {
        self.user.kernel_uid(0)
    }

    /// What these become in `namespace`: everything is allowed there.
    #[must_use]
    pub(crate) fn entering(&self, namespace: UserNamespace) -> Self {
        Credentials {
            user: namespace,
            permitted: Capabilities::all(),
            effective: Capabilities::all(),
            inheritable: Capabilities::empty(),
            bounding: Capabilities::all(),
            ambient: Capabilities::empty(),
            securebits: crate::task::SecureBits::empty(),
            ..self.clone()
        }
    }

    /// True if these give nothing that `old` did not have already.
    #[must_use]
    pub(crate) fn are_within(&self, old: &Credentials) -> bool {
        if self.user == old.user {
            return old.permitted.contains(self.permitted);
        }
        // Whoever makes a user name space may do everything in it.
        self.user
            .and_above()
            .any(|at| at.parent() == Some(&old.user) && at.owner() == old.uid.effective)
    }
}

#[cfg(test)]
mod tests {
    use super::{Credentials, ENOSPC, EPERM, Ids, UserNamespace};
    use crate::task::{Capabilities, UserIds};

    fn user(uid: u32) -> Credentials {
        Credentials {
            uid: UserIds::all(uid),
            gid: UserIds::all(uid),
            ..Credentials::default()
        }
    }

    #[test]
    fn capabilities_hold_inside_alone() {
        let outside = user(1000);
        let namespace = UserNamespace::new(&outside, i64::MAX).expect("anybody may");
        let inside = outside.entering(namespace.clone());
        let first = UserNamespace::default();
        let cap = Capabilities::SYS_ADMIN;
        assert!(inside.has_here(cap) && inside.has_in(&namespace, cap));
        assert!(!inside.has(cap) && !inside.has_in(&first, cap));
        // Its maker, another, and root outside.
        assert!(outside.has_in(&namespace, cap));
        assert!(!user(1001).has_in(&namespace, cap));
        let root = Credentials {
            effective: Capabilities::all(),
            ..user(0)
        };
        assert!(root.has_in(&namespace, cap));
        assert_eq!(UserNamespace::new(&inside, 0), Err(ENOSPC));
        assert!(inside.are_within(&outside) && !inside.are_within(&user(1001)));
    }

    #[test]
    fn maps_are_written_once_and_by_whom_they_concern() {
        let outside = user(1000);
        let namespace = UserNamespace::new(&outside, i64::MAX).expect("anybody may");
        let inside = outside.entering(namespace.clone());
        assert_eq!(namespace.shown_uid(1000), 65_534);
        let set = |ids, text: &[u8]| namespace.set_map(ids, text, &inside, &inside);
        assert_eq!(set(Ids::Users, b"0 0 1"), Err(EPERM));
        assert_eq!(set(Ids::Users, b"0 1000 2"), Err(EPERM));
        assert_eq!(set(Ids::Users, b"0 1000 1"), Ok(()));
        assert_eq!(set(Ids::Users, b"0 1000 1"), Err(EPERM));
        assert_eq!(set(Ids::Groups, b"0 1000 1"), Err(EPERM));
        assert_eq!(namespace.set_may_set_groups(false), Ok(()));
        assert_eq!(set(Ids::Groups, b"0 1000 1"), Ok(()));
        assert!(!namespace.has_groups());
        assert_eq!(
            (namespace.shown_uid(1000), namespace.shown_uid(0)),
            (0, 65_534)
        );
        assert_eq!(inside.root_uid(), Some(1000));
        assert!(inside.has_over(1000, 1000, Capabilities::CHOWN));
        assert!(!inside.has_over(0, 0, Capabilities::CHOWN));
    }
}

//! Mounting and unmounting where others hear of it: the same happens on every mount that
//! gets what happens on this one. The rules are those of mount_namespaces(7) and of Linux'
//! Documentation/filesystems/sharedsubtree.rst.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use syscalls::Errno;
use syscalls::errno::ENOSPC;

use super::peers::{Kin, PeerGroup};
use crate::config::Propagation;
use crate::sync::{Level, Mutex, MutexGuard};
use crate::vfs::mount::Hangs;
use crate::vfs::{Dentry, Location, Mount, MountNamespace};

/// Mounts in a name space, fs.mount-max.
const MOUNT_MAX: usize = 100_000;

/// Held over every change of any tree: what is done in one name space happens in others too.
static TREES: Mutex<()> = Mutex::new(Level::Mounts, ());

/// A change of trees under way.
pub(super) struct Changing {
    // Released first: what was met goes without a lock.
    _trees: MutexGuard<'static, ()>,
    met: RefCell<Vec<Met>>,
}

/// What could be gone but for us.
enum Met {
    Namespace(#[expect(dead_code, reason = "held")] Arc<MountNamespace>),
    Mount(#[expect(dead_code, reason = "held")] Arc<Mount>),
}

/// A mount that hears of what is mounted on another one.
struct Receiver {
    /// Where a copy is mounted.
    at: Location,
    namespace: Arc<MountNamespace>,
    /// What is copied: 0 is the original, n + 1 what the nth receiver got.
    from: usize,
    kin: Kin,
}

/// All mounts that hang on `top`, parents first, itself included.
pub(super) fn subtree(top: &Arc<Mount>) -> Vec<Arc<Mount>> {
    let mut all = vec![top.clone()];
    let mut next = 0;
    while let Some(mount) = all.get(next) {
        let children = mount.children();
        all.extend(children);
        next += 1;
    }
    all
}

impl Changing {
    pub(super) fn begin() -> Self {
        Changing {
            _trees: TREES.lock(),
            met: RefCell::default(),
        }
    }

    /// The name space of a mount, which stays until the lock is released; else the mount does.
    pub(super) fn namespace_of(&self, mount: &Arc<Mount>) -> Option<Arc<MountNamespace>> {
        let namespace = mount.namespace();
        self.met.borrow_mut().push(match &namespace {
            Some(namespace) => Met::Namespace(namespace.clone()),
            None => Met::Mount(mount.clone()),
        });
        namespace
    }

    /// Who hears of what happens at `at`.
    fn receivers(&self, at: &Location) -> Vec<Receiver> {
        let Some(group) = at.mount.group() else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let mut hear = |mount: Arc<Mount>, from, kin| {
            let Some(namespace) = self.namespace_of(&mount) else {
                return false;
            };
            // A mount of another part of the tree does not show the place.
            let shows = mount.root.is_ancestor_of(&at.dentry);
            if shows {
                let dentry = at.dentry.clone();
                found.push(Receiver {
                    at: Location { mount, dentry },
                    namespace,
                    from,
                    kin,
                });
            }
            shows
        };
        let mut count = 0;
        for peer in group.members() {
            if !Arc::ptr_eq(&peer, &at.mount) && hear(peer, 0, Kin::Peer) {
                count += 1;
            }
        }
        // Groups whose slaves are still to be asked, with whom these copy.
        let mut groups: Vec<(Arc<PeerGroup>, usize)> = vec![(group, 0)];
        let mut next = 0;
        while let Some((group, from)) = groups.get(next).cloned() {
            next += 1;
            for slave in group.slaves() {
                let Some(own) = slave.group() else {
                    count += usize::from(hear(slave, from, Kin::Slave));
                    continue;
                };
                if groups.iter().any(|(known, _)| Arc::ptr_eq(known, &own)) {
                    self.namespace_of(&slave);
                    continue;
                }
                let mut first = None;
                for member in own.members() {
                    let (from, kin) = match first {
                        Some(first) => (first, Kin::Peer),
                        None => (from, Kin::SharedSlave),
                    };
                    if hear(member, from, kin) {
                        count += 1;
                        first = first.or(Some(count));
                    }
                }
                groups.push((own, first.unwrap_or(from)));
            }
        }
        found
    }

    /// Mounts a tree, parents first, whose top hangs nowhere, on `at`, which nothing covers,
    /// and copies of it wherever that is heard of; `ENOSPC`.
    pub(super) fn attach(
        &self,
        namespace: &Arc<MountNamespace>,
        tree: &[Arc<Mount>],
        at: &Location,
    ) -> Result<(), Errno> {
        let receivers = self.receivers(at);
        let mut room = HashMap::new();
        let own = std::iter::once(namespace);
        for namespace in own.chain(receivers.iter().map(|r| &r.namespace)) {
            let count = room
                .entry(Arc::as_ptr(namespace))
                .or_insert_with(|| namespace.mounts.with(Vec::len));
            *count += tree.len();
            if *count > MOUNT_MAX {
                return Err(ENOSPC);
            }
        }
        if at.mount.is_shared() {
            for mount in tree {
                mount.set_propagation(Propagation::Shared);
            }
        }
        let shape = shape(tree);
        let mut copies: Vec<Vec<Arc<Mount>>> = Vec::new();
        for receiver in &receivers {
            let before = receiver.from.checked_sub(1);
            let from = before.map_or(tree, |index| copies.get(index).map_or(&[], Vec::as_slice));
            if let Some(top) = from.first() {
                copies.push(copy(from, &shape, &top.root, receiver.kin));
            }
        }
        place(namespace, tree, at);
        for (receiver, copy) in receivers.iter().zip(&copies) {
            if receiver.namespace.user != namespace.user {
                for (index, mount) in copy.iter().enumerate() {
                    mount.lock(if index == 0 { Hangs::Free } else { Hangs::Fast });
                }
            }
            place(&receiver.namespace, copy, &receiver.at);
        }
        Ok(())
    }

    /// True if somebody uses what would go elsewhere if `mount` did.
    pub(super) fn is_used_elsewhere(&self, mount: &Arc<Mount>) -> bool {
        let Some(at) = mount.mountpoint() else {
            return false;
        };
        let receivers = self.receivers(&at);
        let copies = receivers
            .iter()
            .filter_map(|r| r.at.mount.child_on(&r.at.dentry));
        let copies: Vec<_> = copies.collect();
        // Some of them hear of it themselves.
        drop(receivers);
        copies.iter().any(|copy| {
            let covered = usize::from(copy.child_on(&copy.root).is_some());
            // It stays where something else hangs on it. The list, the mount below and we
            // hold one reference each, as does what covers it.
            copy.children().len() == covered && Arc::strong_count(copy) > 3 + covered
        })
    }

    /// Unmounts a tree, parents first, and what was mounted with it elsewhere unless something
    /// hangs on that; what covers it slides down. Returns all that is mounted no more.
    pub(super) fn detach(&self, tree: &[Arc<Mount>]) -> Vec<Arc<Mount>> {
        let mut gone: HashSet<u64> = tree.iter().map(|mount| mount.id).collect();
        let mut others = Vec::new();
        for mount in tree {
            for receiver in mount
                .mountpoint()
                .map_or(Vec::new(), |at| self.receivers(&at))
            {
                let found = receiver.at.mount.child_on(&receiver.at.dentry);
                if let Some(copy) = found.filter(|copy| gone.insert(copy.id)) {
                    others.push((copy, receiver.namespace));
                }
            }
        }
        // Whoever stays keeps what it hangs on, which may keep others.
        while let Some(index) = others.iter().position(|(mount, _)| stays(mount, &gone)) {
            let (mount, _) = others.remove(index);
            gone.remove(&mount.id);
        }
        let own = tree.first().and_then(|top| self.namespace_of(top));
        let mut all = tree.to_vec();
        let mut slide = Vec::new();
        for (mount, _) in &others {
            let below = mount.mountpoint().filter(|at| !gone.contains(&at.mount.id));
            if let (Some(below), Some(cover)) = (below, cover(mount, &gone)) {
                slide.push((cover, below));
            }
            all.push(mount.clone());
        }
        for (cover, _) in &slide {
            cover.take_off();
        }
        for mount in &all {
            mount.take_off();
            mount.set_namespace(None);
            mount.set_propagation(Propagation::Private);
        }
        for (cover, below) in slide {
            cover.hang(&below);
        }
        for namespace in own
            .iter()
            .chain(others.iter().map(|(_, namespace)| namespace))
        {
            namespace
                .mounts
                .update(|list| list.retain(|m| !gone.contains(&m.id)));
        }
        all
    }
}

/// Where the mounts of a tree hang in it: whose child each is, at which name.
fn shape(tree: &[Arc<Mount>]) -> Vec<Option<(usize, Arc<Dentry>)>> {
    let index: HashMap<u64, usize> = tree.iter().enumerate().map(|(n, m)| (m.id, n)).collect();
    let place = |mount: &Arc<Mount>| {
        let at = mount.mountpoint()?;
        Some((*index.get(&at.mount.id)?, at.dentry))
    };
    tree.iter().map(place).collect()
}

/// Copies of mounts that hang on each other, parents first, the top rooted at `root`.
pub(super) fn copy_tree(tree: &[Arc<Mount>], root: &Arc<Dentry>, kin: Kin) -> Vec<Arc<Mount>> {
    copy(tree, &shape(tree), root, kin)
}

fn copy(
    tree: &[Arc<Mount>],
    shape: &[Option<(usize, Arc<Dentry>)>],
    root: &Arc<Dentry>,
    kin: Kin,
) -> Vec<Arc<Mount>> {
    let mut copies: Vec<Arc<Mount>> = Vec::new();
    for (index, (mount, place)) in tree.iter().zip(shape).enumerate() {
        let root = if index == 0 { root } else { &mount.root };
        let copy = Mount::copy(mount, root.clone(), kin);
        if let Some((parent, dentry)) = place
            && let Some(parent) = copies.get(*parent)
        {
            let (mount, dentry) = (parent.clone(), dentry.clone());
            copy.hang(&Location { mount, dentry });
        }
        copies.push(copy);
    }
    copies
}

/// Hangs a tree on `at`, below what hangs there.
fn place(namespace: &Arc<MountNamespace>, tree: &[Arc<Mount>], at: &Location) {
    let Some(top) = tree.first() else { return };
    let covering = at.mount.child_on(&at.dentry);
    if let Some(cover) = &covering {
        cover.take_off();
    }
    top.hang(at);
    if let Some(cover) = covering {
        cover.hang(&top.root_location().topmost());
    }
    let new = tree.iter().filter(|mount| !namespace.holds(mount));
    let new: Vec<_> = new.cloned().collect();
    for mount in &new {
        mount.set_namespace(Some(namespace));
    }
    namespace.mounts.update(|list| list.extend(new));
}

/// What covers a mount that goes and is not gone itself.
fn cover(mount: &Arc<Mount>, gone: &HashSet<u64>) -> Option<Arc<Mount>> {
    let mut cover = mount.child_on(&mount.root)?;
    while gone.contains(&cover.id) {
        cover = cover.child_on(&cover.root)?;
    }
    Some(cover)
}

/// True if a mount has to stay although it is in `gone`: something that stays hangs on it
/// elsewhere than at its root, or it hangs fast on what stays.
fn stays(mount: &Arc<Mount>, gone: &HashSet<u64>) -> bool {
    let Some(at) = mount.mountpoint() else {
        return true;
    };
    let keeps = |child: &Arc<Mount>| {
        let at_root = child
            .mountpoint()
            .is_some_and(|at| Arc::ptr_eq(&at.dentry, &mount.root));
        !at_root && (!gone.contains(&child.id) || cover(child, gone).is_some())
    };
    (mount.is_fast() && !gone.contains(&at.mount.id)) || mount.children().iter().any(keeps)
}

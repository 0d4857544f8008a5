//! Which mounts hear of what is mounted on others, mount_namespaces(7), "SHARED SUBTREES".
//!
//! The mounts of a [`PeerGroup`] show the same mounts, wherever one was made. A slave hears of
//! what happens in its master's group, which hears nothing of the slave; several slaves may be a
//! group of their own. What is done about it is `propagate.rs`'s matter.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use crate::config::Propagation;
use crate::sync::{Level, Mutex, Slot};
use crate::vfs::Mount;

/// What a copy of a mount is to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::vfs) enum Kin {
    /// In the same group, with the same master.
    Peer,
    /// A slave of its group. Of a mount without one a peer.
    Slave,
    /// The same, in a new group.
    SharedSlave,
}

/// Mounts that show the same mounts.
pub(in crate::vfs) struct PeerGroup {
    /// N of "shared:N" in /proc/PID/mountinfo; the smallest that no other group has.
    pub(in crate::vfs) id: u64,
    members: Slot<Vec<Weak<Mount>>>,
    /// Mounts whose master it is.
    slaves: Slot<Vec<Weak<Mount>>>,
}

/// A mount's relations.
#[derive(Clone, Default)]
pub(in crate::vfs) struct Peers {
    /// Where it is shared.
    pub(in crate::vfs) group: Option<Arc<PeerGroup>>,
    /// Of whom it is a slave; all members of a group have the same.
    pub(in crate::vfs) master: Option<Arc<PeerGroup>>,
    pub(in crate::vfs) unbindable: bool,
}

/// Held over every change of relations. Not the lock of the trees: a mount loses its relations
/// when its name space ends, whatever is locked then.
static CHANGE: Mutex<()> = Mutex::new(Level::Peers, ());

/// Numbers of groups in use.
static IDS: Mutex<BTreeSet<u64>> = Mutex::new(Level::Leaf, BTreeSet::new());

impl PeerGroup {
    fn new() -> Arc<Self> {
        let mut ids = IDS.lock();
        let id = (1..).find(|id| !ids.contains(id)).unwrap_or(u64::MAX);
        ids.insert(id);
        Arc::new(PeerGroup {
            id,
            members: Slot::new(Level::Leaf, Vec::new()),
            slaves: Slot::new(Level::Leaf, Vec::new()),
        })
    }

    /// The mounts in it.
    pub(in crate::vfs) fn members(&self) -> Vec<Arc<Mount>> {
        living(&self.members)
    }

    /// The mounts whose master it is.
    pub(in crate::vfs) fn slaves(&self) -> Vec<Arc<Mount>> {
        living(&self.slaves)
    }

    /// Whose slaves its members are.
    pub(in crate::vfs) fn master(&self) -> Option<Arc<PeerGroup>> {
        self.members().first()?.peers.with(|p| p.master.clone())
    }
}

impl Drop for PeerGroup {
    fn drop(&mut self) {
        IDS.lock().remove(&self.id);
    }
}

fn living(list: &Slot<Vec<Weak<Mount>>>) -> Vec<Arc<Mount>> {
    list.get().iter().filter_map(Weak::upgrade).collect()
}

fn add(list: &Slot<Vec<Weak<Mount>>>, mount: &Arc<Mount>) {
    list.update(|list| list.push(Arc::downgrade(mount)));
}

/// Takes a mount out; returns how many are left.
fn remove(list: &Slot<Vec<Weak<Mount>>>, mount: &Arc<Mount>) -> usize {
    list.update(|list| {
        list.retain(|other| other.as_ptr() != Arc::as_ptr(mount));
        list.len()
    })
}

impl Mount {
    /// The group that it is shared in.
    pub(in crate::vfs) fn group(&self) -> Option<Arc<PeerGroup>> {
        self.peers.with(|peers| peers.group.clone())
    }

    /// Whose slave it is.
    pub(in crate::vfs) fn master(&self) -> Option<Arc<PeerGroup>> {
        self.peers.with(|peers| peers.master.clone())
    }

    /// True if it has peers, or may get some.
    pub(in crate::vfs) fn is_shared(&self) -> bool {
        self.peers.with(|peers| peers.group.is_some())
    }

    /// True with MS_UNBINDABLE.
    pub(in crate::vfs) fn is_unbindable(&self) -> bool {
        self.peers.with(|peers| peers.unbindable)
    }

    /// Changes how it propagates.
    pub(in crate::vfs) fn set_propagation(self: &Arc<Self>, to: Propagation) {
        let _changing = CHANGE.lock();
        let mut peers = self.peers.get();
        if to == Propagation::Shared {
            peers.unbindable = false;
            if peers.group.is_none() {
                let group = PeerGroup::new();
                add(&group.members, self);
                peers.group = Some(group);
            }
            self.peers.set(peers);
            return;
        }
        let mut source = peers.master.clone();
        if let Some(group) = peers.group.take() {
            if remove(&group.members, self) > 0 {
                source = Some(group);
            } else {
                inherit(&group, peers.master.as_ref());
            }
        }
        if let Some(master) = peers.master.take() {
            remove(&master.slaves, self);
        }
        match to {
            Propagation::Slave => {
                if let Some(master) = &source {
                    add(&master.slaves, self);
                }
                peers.master = source;
            }
            Propagation::Unbindable => peers.unbindable = true,
            Propagation::Private | Propagation::Shared => peers.unbindable = false,
        }
        self.peers.set(peers);
    }

    /// Gives `self`, which has no relations yet, those of a copy of `of`.
    pub(in crate::vfs) fn become_kin(self: &Arc<Self>, of: &Mount, kin: Kin) {
        let _changing = CHANGE.lock();
        let mut peers = of.peers.get();
        if kin != Kin::Peer
            && let Some(group) = peers.group.take()
        {
            peers.master = Some(group);
            if kin == Kin::SharedSlave {
                peers.group = Some(PeerGroup::new());
            }
        }
        if let Some(group) = &peers.group {
            add(&group.members, self);
        }
        if let Some(master) = &peers.master {
            add(&master.slaves, self);
        }
        self.peers.set(peers);
    }
}

/// The slaves of a group that nobody is in any more hear of what it heard of.
fn inherit(group: &PeerGroup, master: Option<&Arc<PeerGroup>>) {
    for slave in living(&group.slaves) {
        if let Some(master) = master {
            add(&master.slaves, &slave);
        }
        let master = master.cloned();
        // Goes at the end of the caller, who holds the old one.
        drop(
            slave
                .peers
                .update(|peers| std::mem::replace(&mut peers.master, master)),
        );
    }
    group.slaves.set(Vec::new());
}

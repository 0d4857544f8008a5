//! Control groups inside the sandbox, cgroups(7), version 2.
//!
//! The root group is the first container: its limits come from outside and are enforced by the
//! kernel itself, before the host has to: memory by the memory file's limit and
//! [`crate::task::oom`], the number of tasks where tasks are made. A further container of a
//! pod has a group below it, and of the memory file an account ([`Group::memory`]): pages
//! belong to the container whose process, mount or segment they were made for. Below their container's, programs can make groups of their own
//! (`fs::cgroup` shows them as files), which limit the number of tasks and can be frozen and
//! killed as a whole.
//!
//! Whole processes are in a group; there are no threaded groups.

mod freeze;
mod limits;
mod members;
mod namespace;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use platform::MemoryFile;
use syscalls::Errno;
use syscalls::errno::{EBUSY, EEXIST, ENOENT};

use crate::sync::{Level, Mutex, Slot};
use crate::task::Usage;
use crate::vfs::{FileName, Mount};
pub use limits::{CpuMax, Limits};
pub(crate) use limits::{for_pages, limits_of};
pub use namespace::CgroupNamespace;

/// A group.
pub struct Group {
    /// Not 0, and never used again.
    id: u64,
    /// `None` for the root.
    place: Option<Place>,
    /// A container's own, the root among them: what its processes see as the root.
    container: bool,
    state: Mutex<State>,
    /// Tasks that may be in it and below, [`Group::pids_max`].
    pids_max: AtomicU64,
    /// How often that kept a task from being made.
    pids_events: AtomicU64,
    /// The controller `pids` is on for children.
    passes_pids: AtomicBool,
    /// To be frozen, whatever its parents are.
    frozen: AtomicBool,
    /// What its processes had used that have ended, and those below it.
    past: Slot<Usage>,
    /// The container's, which its group shows.
    pub limits: Arc<Limits>,
    /// Of a further container.
    memory: Option<OwnMemory>,
}

/// Of a container that shares the memory file with others.
struct OwnMemory {
    file: MemoryFile,
    /// See [`Kernel::shared_memory`](crate::kernel::Kernel::shared_memory).
    unnamed_files: OnceLock<Arc<Mount>>,
}

/// Where a group is.
struct Place {
    parent: Weak<Group>,
    name: FileName,
}

#[derive(Default)]
struct State {
    children: BTreeMap<Vec<u8>, Arc<Group>>,
    /// rmdir(2) has happened.
    dead: bool,
}

/// No limit.
pub const MAX: u64 = u64::MAX;

/// The root's number.
const ROOT_ID: u64 = 1;

impl Group {
    /// The container's group.
    #[must_use]
    pub fn root(limits: Limits, pids_max: u64) -> Arc<Self> {
        Arc::new(Group {
            container: true,
            ..Group::new(ROOT_ID, None, pids_max, Arc::new(limits))
        })
    }

    fn new(id: u64, place: Option<Place>, pids_max: u64, limits: Arc<Limits>) -> Self {
        Group {
            id,
            place,
            container: false,
            state: Mutex::new(Level::Leaf, State::default()),
            pids_max: AtomicU64::new(pids_max),
            pids_events: AtomicU64::new(0),
            passes_pids: AtomicBool::new(false),
            frozen: AtomicBool::new(false),
            past: Slot::new(Level::Leaf, Usage::default()),
            limits,
            memory: None,
        }
    }

    /// Tells groups apart.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// True for the one that all others are in.
    pub fn is_root(&self) -> bool {
        self.place.is_none()
    }

    /// True for a container's own.
    pub fn is_container(&self) -> bool {
        self.container
    }

    /// The container's own that it is in, or is.
    pub fn container(self: &Arc<Self>) -> Arc<Group> {
        let found = self.ancestors().find(|group| group.container);
        found.unwrap_or_else(|| self.clone())
    }

    /// The container's own memory; `None` in the first one, which has the memory file.
    pub(crate) fn memory(self: &Arc<Self>) -> Option<MemoryFile> {
        Some(self.container().memory.as_ref()?.file.clone())
    }

    /// Changes what a further container's memory may grow to, bytes.
    pub(crate) fn set_memory_limit(&self, bytes: u64) {
        self.limits.set_memory(bytes);
        if let Some(memory) = &self.memory {
            memory.file.set_account_limit(bytes);
        }
    }

    /// The group that it is in.
    pub fn parent(&self) -> Option<Arc<Group>> {
        self.place.as_ref()?.parent.upgrade()
    }

    /// False once it was removed.
    pub fn is_alive(&self) -> bool {
        !self.state.lock().dead
    }

    /// The child of that name.
    pub fn child(&self, name: &FileName) -> Option<Arc<Group>> {
        self.state.lock().children.get(name.as_bytes()).cloned()
    }

    /// All children, by name.
    pub fn children(&self) -> Vec<(Vec<u8>, Arc<Group>)> {
        let state = self.state.lock();
        let children = state.children.iter();
        children
            .map(|(n, group)| (n.clone(), group.clone()))
            .collect()
    }

    /// How many groups there are below it.
    pub fn descendants(&self) -> u64 {
        let count = |(_, child): &(Vec<u8>, Arc<Group>)| 1 + child.descendants();
        self.children().iter().map(count).sum()
    }

    /// A new child; `EEXIST`, and `ENOENT` in a group that was removed.
    pub fn make(self: &Arc<Self>, name: &FileName) -> Result<Arc<Group>, Errno> {
        self.add(name, |id, place| {
            Group::new(id, Some(place), MAX, self.limits.clone())
        })
    }

    /// A new child that is a container's own; see [`Self::make`]. It has its limit's part of
    /// `memory`.
    pub(crate) fn make_container(
        self: &Arc<Self>,
        name: &FileName,
        limits: Limits,
        pids_max: u64,
        memory: &MemoryFile,
    ) -> Result<Arc<Group>, Errno> {
        let memory = OwnMemory {
            file: memory.with_account(limits.memory()),
            unnamed_files: OnceLock::new(),
        };
        self.add(name, |id, place| Group {
            container: true,
            memory: Some(memory),
            ..Group::new(id, Some(place), pids_max, Arc::new(limits))
        })
    }

    fn add(
        self: &Arc<Self>,
        name: &FileName,
        make: impl FnOnce(u64, Place) -> Group,
    ) -> Result<Arc<Group>, Errno> {
        static NEXT: AtomicU64 = AtomicU64::new(ROOT_ID + 1);
        let mut state = self.state.lock();
        if state.dead {
            return Err(ENOENT);
        }
        if state.children.contains_key(name.as_bytes()) {
            return Err(EEXIST);
        }
        let place = Place {
            parent: Arc::downgrade(self),
            name: name.clone(),
        };
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let child = Arc::new(make(id, place));
        state
            .children
            .insert(name.as_bytes().to_vec(), child.clone());
        Ok(child)
    }

    /// Takes a child away. `EBUSY` while it has children; that no process is in it was
    /// found by the caller under the lock of the table of tasks.
    fn take_away(&self, name: &FileName) -> Result<(), Errno> {
        let child = self.child(name).ok_or(ENOENT)?;
        {
            let mut state = child.state.lock();
            if !state.children.is_empty() {
                return Err(EBUSY);
            }
            state.dead = true;
        }
        self.state.lock().children.remove(name.as_bytes());
        Ok(())
    }

    /// As /proc/PID/cgroup has it, from the container's own on: "/a/b", " (deleted)" after it
    /// once it was removed.
    pub fn path(&self) -> Vec<u8> {
        let mut path = self.names();
        if path.is_empty() {
            path.push(b'/');
        }
        if !self.is_alive() {
            path.extend(b" (deleted)");
        }
        path
    }

    fn name(&self) -> &[u8] {
        self.place
            .as_ref()
            .map_or(b"", |place| place.name.as_bytes())
    }

    fn names(&self) -> Vec<u8> {
        let Some(place) = self.place.as_ref().filter(|_| !self.container) else {
            return Vec::new();
        };
        let mut path = place.parent.upgrade().map_or_else(Vec::new, |p| p.names());
        path.push(b'/');
        path.extend(place.name.as_bytes());
        path
    }

    /// It and what it is in, up to the root.
    pub(crate) fn ancestors(self: &Arc<Self>) -> impl Iterator<Item = Arc<Group>> + use<> {
        std::iter::successors(Some(self.clone()), |group| group.parent())
    }

    /// True if it is `other` or somewhere below it.
    pub(crate) fn is_within(self: &Arc<Self>, other: &Group) -> bool {
        self.ancestors().any(|group| group.id == other.id)
    }

    /// Tasks that may be in it and below, [`MAX`] for no limit.
    pub fn pids_max(&self) -> u64 {
        self.pids_max.load(Ordering::Relaxed)
    }

    /// See [`Self::pids_max`]. What is there already stays.
    pub fn set_pids_max(&self, max: u64) {
        self.pids_max.store(max, Ordering::Relaxed);
    }

    /// How often the limit kept a task from being made.
    pub fn pids_events(&self) -> u64 {
        self.pids_events.load(Ordering::Relaxed)
    }

    /// Whether children have the controller `pids`.
    pub fn passes_pids(&self) -> bool {
        self.passes_pids.load(Ordering::Relaxed)
    }

    /// See [`Self::passes_pids`].
    pub fn set_passes_pids(&self, passes: bool) {
        self.passes_pids.store(passes, Ordering::Relaxed);
    }
}

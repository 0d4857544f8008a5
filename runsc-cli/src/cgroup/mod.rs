//! The container's cgroup on the host; cgroups(7).
//!
//! Every host process of a sandbox (Sentry, Gofer, the processes that run application code)
//! is in it before it runs its program, so whatever they use counts, and the limits of
//! `linux.resources` hold for all of them together.
//!
//! A host has controllers in hierarchies of version 1, in the one of version 2, or some
//! here and some there ([`hierarchy`]); a [`Cgroup`] is one directory in each that has any.
//! [`settings`] turns resources into what is written there, [`stats`] reads what was used,
//! [`group_dir`] makes and removes directories, or [`systemd`] has them made. Pausing is the business of the container's
//! own kernel, which can still answer then.
//!
//! A [`Cgroup`] is serialised as it is into the container's state: a later command needs
//! nothing else to find it.

mod group_dir;
mod hierarchy;
mod name;
mod settings;
mod stats;
mod systemd;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci_spec::runtime::LinuxResources;
use platform::host::spawn::Entrance;
use serde::{Deserialize, Serialize};

use crate::failure::{Context, Failure, Outcome};
use group_dir::Leaving;
use hierarchy::Hierarchies;
use name::Place;
use systemd::{Manager, Unit};

pub(crate) use stats::Stats;

/// A cgroup that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cgroup {
    /// Its directory for each controller of version 1. Controllers may share one. A
    /// hierarchy without controllers has its name here, as "name=systemd".
    v1: BTreeMap<String, PathBuf>,
    /// Its directory in the hierarchy of version 2.
    v2: Option<PathBuf>,
    /// What systemd knows it as, if that has made it.
    unit: Option<Unit>,
    /// For a unit that is made with the first process in it.
    #[serde(skip)]
    pending: Option<Pending>,
}

/// What a unit is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pending {
    id: String,
    resources: LinuxResources,
}

/// Who makes cgroups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Driver {
    /// We do.
    #[default]
    Files,
    /// systemd does.
    Systemd,
}

/// Open files of a cgroup, for the processes that are to be in it.
#[derive(Debug)]
pub(crate) struct Doors {
    unified: Option<OwnedFd>,
    tasks: Vec<OwnedFd>,
}

impl Doors {
    /// For [`spawn`](platform::host::spawn).
    pub(crate) fn entrance(&self) -> Entrance<'_> {
        Entrance {
            unified: self.unified.as_ref().map(AsFd::as_fd),
            tasks: &self.tasks,
        }
    }
}

impl Cgroup {
    /// Makes the cgroup of container `id`, with its limits. `path` is `linux.cgroupsPath`:
    /// an absolute one is below the root of each hierarchy, a relative one below the
    /// caller's own cgroup; without one it is `/id`. An empty group that is there already
    /// is taken over. With systemd it is "slice:prefix:name", and the group is there once
    /// the first process is added.
    /// `note` is told of the cgroup before anything of it is made: whoever writes that down
    /// can remove it, whenever the command is killed.
    pub(crate) fn create(
        driver: Driver,
        id: &str,
        path: Option<&Path>,
        resources: Option<&LinuxResources>,
        note: impl FnOnce(&Self) -> Outcome<()>,
    ) -> Outcome<Self> {
        let hierarchies = Hierarchies::of_host()?;
        let unit = match driver {
            Driver::Files => None,
            Driver::Systemd => Some(Unit::of(id, path)?),
        };
        let place = match &unit {
            None => name::place(id, path)?,
            Some(unit) => Place::Absolute(unit.dir()?),
        };
        let mut cgroup = Cgroup {
            v1: hierarchies.v1_dirs(&place),
            v2: hierarchies.v2_dir(&place),
            unit,
            pending: None,
        };
        if cgroup.dirs().is_empty() {
            return Err(Failure::new(
                "no cgroup hierarchy is mounted: mount cgroup2 on /sys/fs/cgroup",
            ));
        }
        if cgroup.unit.is_none() {
            cgroup.check_unused()?;
            note(&cgroup)?;
            return cgroup.made(&hierarchies, resources).map(|()| cgroup);
        }
        cgroup.check_unused()?;
        note(&cgroup)?;
        // Refused before there is anything to clean up.
        Manager::connect()?;
        cgroup.pending = Some(Pending {
            id: id.to_owned(),
            resources: resources.cloned().unwrap_or_default(),
        });
        Ok(cgroup)
    }

    fn made(&self, hierarchies: &Hierarchies, resources: Option<&LinuxResources>) -> Outcome<()> {
        let make = || {
            self.make_dirs(hierarchies)?;
            self.check_unused()?;
            resources.map_or(Ok(()), |resources| self.set(resources))
        };
        make().inspect_err(|_| {
            // What others use stays: it is not empty.
            let _ = self.remove(Leaving::AtOnce);
        })
    }

    fn make_dirs(&self, hierarchies: &Hierarchies) -> Outcome<()> {
        for mount in hierarchies.mounts() {
            let in_it = self.dirs().into_iter().find(|dir| dir.starts_with(mount));
            if let Some(dir) = in_it.map(Path::to_owned) {
                group_dir::make(mount, &dir)?;
            }
        }
        Ok(())
    }

    fn check_unused(&self) -> Outcome<()> {
        match self.processes()?.first() {
            None => Ok(()),
            Some(pid) => Err(Failure::new(format!(
                "the cgroup {} is in use by process {pid}: choose another cgroupsPath",
                self.main_dir().display()
            ))),
        }
    }

    /// Has systemd make the unit around process `pid`, unless it has.
    fn start_unit(&self, pid: i32) -> Outcome<()> {
        let (Some(unit), Some(pending)) = (&self.unit, &self.pending) else {
            return Ok(());
        };
        let there = self
            .dirs()
            .iter()
            .any(|dir| dir.join("cgroup.procs").exists());
        if there {
            return Ok(());
        }
        let limits = systemd::of_resources(&pending.resources, self.version())?;
        Manager::connect()?.start(unit, &pending.id, pid, limits)?;
        // In the hierarchies that systemd leaves alone, and for what it has no word for.
        self.make_dirs(&Hierarchies::of_host()?)?;
        self.set(&pending.resources)
    }

    /// The version whose words systemd is told.
    fn version(&self) -> Version {
        self.dir_of("memory").map_or_else(
            || match self.v1.is_empty() {
                true => Version::V2,
                false => Version::V1,
            },
            |(version, _)| version,
        )
    }

    /// What processes enter it by; `None` where only [`Self::add_process`] leads into it.
    pub(crate) fn doors(&self) -> Outcome<Option<Doors>> {
        if self.unit.is_some() {
            return Ok(None);
        }
        let open = |options: &mut OpenOptions, path: &Path| {
            let file = options.open(path).context(path.display())?;
            Ok::<OwnedFd, Failure>(file.into())
        };
        let unified = self.v2.as_ref();
        let unified = unified.map(|dir| open(OpenOptions::new().read(true), dir));
        let v1: BTreeSet<_> = self.v1.values().collect();
        let tasks = v1
            .into_iter()
            .map(|dir| open(OpenOptions::new().write(true), &dir.join("tasks")));
        Ok(Some(Doors {
            unified: unified.transpose()?,
            tasks: tasks.collect::<Outcome<_>>()?,
        }))
    }

    /// Moves a process, with all its threads, into the cgroup.
    pub(crate) fn add_process(&self, pid: i32) -> Outcome<()> {
        self.start_unit(pid)?;
        for dir in self.dirs() {
            settings::write(&dir.join("cgroup.procs"), &pid.to_string())?;
        }
        Ok(())
    }

    /// The ids of all processes in it and below it.
    pub(crate) fn processes(&self) -> Outcome<Vec<i32>> {
        let mut all = BTreeSet::new();
        // One hierarchy would do, but for a process that was moved away in it.
        for dir in self.dirs() {
            group_dir::processes(dir, &mut all)?;
        }
        Ok(all.into_iter().collect())
    }

    /// Changes the limits that are given.
    pub(crate) fn update(&self, resources: &LinuxResources) -> Outcome<()> {
        if let Some(unit) = &self.unit {
            let limits = systemd::of_resources(resources, self.version())?;
            Manager::connect()?.limit(unit, &limits)?;
        }
        self.set(resources)
    }

    fn set(&self, resources: &LinuxResources) -> Outcome<()> {
        let list = settings::of(resources, |controller| self.v1.contains_key(controller))?;
        settings::apply(&list, |controller| self.dir_of(controller))
    }

    /// Whether `resources` limit anything.
    pub(crate) fn is_limited_by(resources: &LinuxResources) -> Outcome<bool> {
        Ok(!settings::of(resources, |_| false)?.is_empty())
    }

    /// What its processes have used.
    pub(crate) fn stats(&self) -> Outcome<Stats> {
        Stats::read(|controller| self.dir_of(controller))
    }

    /// How many times the host's kernel ended a process in it for lack of memory.
    pub(crate) fn oom_kills(&self) -> u64 {
        stats::oom_kills(|controller| self.dir_of(controller))
    }

    /// Removes it; waits some time for processes that are about to end. What is gone
    /// already is no error.
    pub(crate) fn delete(&self) -> Outcome<()> {
        if let Some(unit) = &self.unit {
            Manager::connect()?.stop(unit)?;
        }
        self.remove(Leaving::Awaited)
    }

    fn remove(&self, leaving: Leaving) -> Outcome<()> {
        let results = self.dirs().into_iter().map(|dir| {
            group_dir::remove(dir, leaving)
                .context(format_args!("cannot remove the cgroup {}", dir.display()))
        });
        // Every one is tried before the first error counts.
        let results: Vec<_> = results.collect();
        results.into_iter().collect()
    }

    /// All directories, each once.
    fn dirs(&self) -> BTreeSet<&Path> {
        let v1 = self.v1.values().map(PathBuf::as_path);
        v1.chain(self.v2.iter().map(PathBuf::as_path)).collect()
    }

    /// The one to name to people.
    pub(crate) fn main_dir(&self) -> &Path {
        let dir = self.dir_of("memory").map(|(_, dir)| dir);
        dir.or_else(|| self.dirs().into_iter().next())
            .unwrap_or(Path::new("/"))
    }

    /// Where a controller is, by its name of either version.
    fn dir_of(&self, controller: &str) -> Option<(Version, &Path)> {
        if let Some(dir) = self.v1.get(controller) {
            return Some((Version::V1, dir));
        }
        let dir = self.v2.as_deref()?;
        let controllers = group_dir::controllers(dir).unwrap_or_default();
        controllers
            .contains(controller)
            .then_some((Version::V2, dir))
    }
}

/// A version of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

#[cfg(test)]
mod tests;

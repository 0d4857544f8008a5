//! Where the host has its controllers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::name::Place;
use crate::failure::{Context, Outcome};

/// The mounted hierarchies, and our own place in each.
#[derive(Debug, Default)]
pub(super) struct Hierarchies {
    /// By controller, or "name=…".
    v1: BTreeMap<String, Hierarchy>,
    /// Only where it has controllers, or is the only one.
    v2: Option<Hierarchy>,
}

/// A hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hierarchy {
    mount: PathBuf,
    /// Our own cgroup, relative to the mount.
    own: PathBuf,
}

impl Hierarchy {
    fn dir(&self, place: &Place) -> PathBuf {
        match place {
            Place::Absolute(path) => self.mount.join(path),
            Place::Relative(path) => self.mount.join(&self.own).join(path),
        }
    }
}

impl Hierarchies {
    /// Those that this process sees.
    pub(super) fn of_host() -> Outcome<Self> {
        let read = |path: &str| std::fs::read_to_string(path).context(path);
        let mut found = Self::parse(&read("/proc/self/mountinfo")?, &read("/proc/self/cgroup")?);
        if let Some(v2) = &found.v2
            && !found.v1.is_empty()
            && super::group_dir::controllers(&v2.mount)?.is_empty()
        {
            // Then it only groups processes, and they are grouped elsewhere already.
            found.v2 = None;
        }
        Ok(found)
    }

    /// From the texts of proc_pid_mountinfo(5) and proc_pid_cgroup(5).
    fn parse(mounts: &str, own: &str) -> Self {
        let own = own_places(own);
        let mut found = Hierarchies::default();
        for mount in mounts.lines().filter_map(Mount::parse) {
            let hierarchy = |key: &str| {
                let own = own.get(key).map_or("/", |path| path);
                let own = Path::new(own).strip_prefix(&mount.root);
                Hierarchy {
                    mount: mount.at.clone(),
                    own: relative(own.unwrap_or(Path::new(""))),
                }
            };
            if mount.is_v2 {
                found.v2.get_or_insert_with(|| hierarchy(""));
                continue;
            }
            for option in mount.options {
                if let Some(in_it) = own.keys().find(|key| **key == option) {
                    let hierarchy = hierarchy(in_it);
                    found.v1.entry(option.to_owned()).or_insert(hierarchy);
                }
            }
        }
        found
    }

    /// Directories of version 1, by controller.
    pub(super) fn v1_dirs(&self, place: &Place) -> BTreeMap<String, PathBuf> {
        let dirs = self.v1.iter();
        dirs.map(|(key, hierarchy)| (key.clone(), hierarchy.dir(place)))
            .collect()
    }

    /// The directory of version 2.
    pub(super) fn v2_dir(&self, place: &Place) -> Option<PathBuf> {
        self.v2.as_ref().map(|hierarchy| hierarchy.dir(place))
    }

    /// Where hierarchies are mounted.
    pub(super) fn mounts(&self) -> BTreeSet<&Path> {
        let all = self.v1.values().chain(&self.v2);
        all.map(|hierarchy| hierarchy.mount.as_path()).collect()
    }
}

/// A path without its "/" and what else is not a name.
pub(super) fn relative(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    clean
}

/// By controller or "name=…" the path of our cgroup; by "" the one of version 2.
fn own_places(text: &str) -> BTreeMap<&str, &str> {
    let mut places = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        if let (Some(controllers), Some(path)) = (fields.next(), fields.next()) {
            places.extend(controllers.split(',').map(|key| (key, path)));
        }
    }
    places
}

/// A mount of a hierarchy.
struct Mount<'a> {
    at: PathBuf,
    /// Which of its groups is shown there.
    root: PathBuf,
    is_v2: bool,
    options: Vec<&'a str>,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (root, at) = (left.next()?, left.next()?);
        let mut right = right.split(' ');
        let is_v2 = match right.next()? {
            "cgroup" => false,
            "cgroup2" => true,
            _ => return None,
        };
        Some(Mount {
            at: PathBuf::from(unescape(at)),
            root: PathBuf::from(unescape(root)),
            is_v2,
            options: right.nth(1)?.split(',').collect(),
        })
    }
}

/// Spaces and the like are octal there.
fn unescape(text: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (code, plain)| {
        text.replace(code, plain)
    })
}

#[cfg(test)]
mod tests {
    use super::{Hierarchies, Place};
    use std::path::{Path, PathBuf};

    const HYBRID_MOUNTS: &str = "\
        25 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
        26 25 0:23 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\
        27 25 0:24 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
        28 25 0:25 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
        29 25 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";
    const HYBRID_OWN: &str = "\
        3:name=systemd:/user.slice\n2:memory:/jobs/1\n1:cpu,cpuacct:/jobs\n0::/user.slice\n";

    #[test]
    fn a_hybrid_host() {
        let found = Hierarchies::parse(HYBRID_MOUNTS, HYBRID_OWN);
        let relative = Place::Relative("c1".into());
        let dirs = found.v1_dirs(&relative);
        let expected = [
            ("cpu", "/sys/fs/cgroup/cpu,cpuacct/jobs/c1"),
            ("cpuacct", "/sys/fs/cgroup/cpu,cpuacct/jobs/c1"),
            ("memory", "/sys/fs/cgroup/memory/jobs/1/c1"),
            ("name=systemd", "/sys/fs/cgroup/systemd/user.slice/c1"),
        ];
        let expected = expected.map(|(key, dir)| (key.to_owned(), PathBuf::from(dir)));
        assert_eq!(dirs.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(
            found.v2_dir(&Place::Absolute("a/c1".into())).as_deref(),
            Some(Path::new("/sys/fs/cgroup/unified/a/c1"))
        );
        assert_eq!(found.mounts().len(), 4);
    }

    #[test]
    fn a_host_of_version_2() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
        let found = Hierarchies::parse(mounts, "0::/init.scope\n");
        assert!(found.v1_dirs(&Place::Absolute("c1".into())).is_empty());
        assert_eq!(
            found.v2_dir(&Place::Relative("c1".into())).as_deref(),
            Some(Path::new("/sys/fs/cgroup/init.scope/c1"))
        );
    }

    #[test]
    fn a_part_of_a_hierarchy_is_mounted() {
        let mounts = "30 23 0:26 /docker/x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        let found = Hierarchies::parse(mounts, "2:memory:/docker/x/sub\n");
        let dirs = found.v1_dirs(&Place::Relative("c1".into()));
        assert_eq!(
            dirs.get("memory").map(PathBuf::as_path),
            Some(Path::new("/sys/fs/cgroup/memory/sub/c1"))
        );
    }
}

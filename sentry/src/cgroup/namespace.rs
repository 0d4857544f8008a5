//! Cgroup name spaces, cgroup_namespaces(7): from which group on processes see the tree.

use std::sync::Arc;

use super::Group;
use crate::namespace::{Kind, NamespaceId, UserNamespace};

/// See the module.
pub struct CgroupNamespace {
    /// What names it.
    pub id: NamespaceId,
    /// Whose it is.
    pub user: UserNamespace,
    /// What its processes see as the root.
    pub root: Arc<Group>,
}

impl CgroupNamespace {
    /// That of the first container.
    pub(crate) fn first(root: &Arc<Group>) -> Arc<Self> {
        Arc::new(CgroupNamespace {
            id: NamespaceId::first(Kind::Cgroup),
            user: UserNamespace::default(),
            root: root.clone(),
        })
    }

    /// A new one.
    pub(crate) fn new(root: &Arc<Group>, user: &UserNamespace) -> Arc<Self> {
        Arc::new(CgroupNamespace {
            id: NamespaceId::default(),
            user: user.clone(),
            root: root.clone(),
        })
    }

    /// As /proc/PID/cgroup tells a reader in the name space of `group`: "/a/b", with a "/.."
    /// for each step that is outside, and " (deleted)" after it once it was removed.
    pub fn path_of(&self, group: &Arc<Group>) -> Vec<u8> {
        let above: Vec<u64> = self.root.ancestors().map(|group| group.id()).collect();
        let mut below = Vec::new();
        let mut up = 0;
        for at in group.ancestors() {
            if let Some(steps) = above.iter().position(|&id| id == at.id()) {
                up = steps;
                break;
            }
            below.push(at);
        }
        let mut path = b"/..".repeat(up);
        for at in below.iter().rev() {
            path.push(b'/');
            path.extend(at.name());
        }
        if path.is_empty() {
            path.push(b'/');
        }
        if !group.is_alive() {
            path.extend(b" (deleted)");
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::{CgroupNamespace, Group, UserNamespace};
    use crate::cgroup::{CpuMax, Limits, MAX};
    use crate::vfs::FileName;

    #[test]
    fn paths_start_at_the_root_of_who_looks() {
        let name = |name: &str| FileName::new(name.as_bytes()).expect("a name");
        let root = Group::root(Limits::new(MAX, CpuMax::default()), MAX);
        let a = root.make(&name("a")).expect("free");
        let b = a.make(&name("b")).expect("free");
        let c = root.make(&name("c")).expect("free");
        let inside = CgroupNamespace::new(&a, &UserNamespace::default());
        assert_eq!(inside.path_of(&a), b"/");
        assert_eq!(inside.path_of(&b), b"/b");
        assert_eq!(inside.path_of(&root), b"/..");
        assert_eq!(inside.path_of(&c), b"/../c");
        let outside = CgroupNamespace::first(&root);
        assert_eq!(outside.path_of(&b), b"/a/b");
    }
}

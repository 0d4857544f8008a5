//! From a location back to a path.

use std::sync::Arc;

use super::{Dentry, Location};

/// A location's name as text.
pub struct PathText {
    /// Absolute path, or the name of an anonymous file.
    pub bytes: Vec<u8>,
    /// False if it does not lie below the root it was asked for.
    pub reachable: bool,
    /// The name was removed.
    pub deleted: bool,
}

impl Location {
    /// The path as /proc shows it to a process with this root: " (deleted)" is appended
    /// where the name was removed.
    #[must_use]
    pub fn path(&self, root: &Location) -> Vec<u8> {
        let text = self.path_text(root);
        let mut bytes = text.bytes;
        if text.deleted {
            bytes.extend_from_slice(b" (deleted)");
        }
        bytes
    }

    /// The path from `root`, and what is to be known of it.
    #[must_use]
    pub fn path_text(&self, root: &Location) -> PathText {
        let deleted = self.dentry.is_deleted();
        let mut names: Vec<Arc<[u8]>> = Vec::new();
        let mut at = self.clone();
        let reachable = loop {
            if at.is_same(root) {
                break true;
            }
            if at.is_mount_root() {
                match at.mount.mountpoint() {
                    Some(below) => at = below,
                    None => break false,
                }
                continue;
            }
            let (parent, name) = at.dentry.place.with(|p| (p.parent.clone(), p.name.clone()));
            match parent {
                Some(parent) => {
                    names.push(name);
                    at.dentry = parent;
                }
                None => {
                    // An anonymous file: its dentry is no mount's root and hangs nowhere.
                    if names.is_empty() && &name[..] != b"/" {
                        return PathText {
                            bytes: name.to_vec(),
                            reachable: true,
                            deleted: false,
                        };
                    }
                    break false;
                }
            }
        };
        let mut bytes = Vec::new();
        for name in names.iter().rev() {
            bytes.push(b'/');
            bytes.extend_from_slice(name);
        }
        if bytes.is_empty() {
            bytes.push(b'/');
        }
        PathText {
            bytes,
            reachable,
            deleted,
        }
    }

    /// True at the root of its mount.
    #[must_use]
    pub fn is_mount_root(&self) -> bool {
        Arc::ptr_eq(&self.dentry, &self.mount.root)
    }

    /// True if `self` is `other` or lies above it, across mounts.
    #[must_use]
    pub fn is_above(&self, other: &Location) -> bool {
        let mut at = other.clone();
        loop {
            if Arc::ptr_eq(&at.mount, &self.mount) {
                let mut dentry: Option<Arc<Dentry>> = Some(at.dentry.clone());
                while let Some(here) = dentry {
                    if Arc::ptr_eq(&here, &self.dentry) {
                        return true;
                    }
                    dentry = here.parent();
                }
                return false;
            }
            match at.mount.mountpoint() {
                Some(below) => at = below,
                None => return false,
            }
        }
    }
}

//! User and group ids of the container's files on the host; user_namespaces(7).

use oci_spec::runtime::{Linux, LinuxIdMapping};

use crate::failure::{Failure, Outcome};

/// `count` ids from `inside` on are those from `outside` on in the parent namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IdRange {
    pub(crate) inside: u32,
    pub(crate) outside: u32,
    pub(crate) count: u32,
}

/// The maps of a user namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdMaps {
    pub(crate) uids: Vec<IdRange>,
    pub(crate) gids: Vec<IdRange>,
}

impl IdRange {
    /// One id.
    pub(crate) fn single(inside: u32, outside: u32) -> Self {
        IdRange {
            inside,
            outside,
            count: 1,
        }
    }

    pub(crate) fn holds(&self, id: u32) -> bool {
        id.checked_sub(self.inside)
            .is_some_and(|offset| offset < self.count)
    }
}

impl IdMaps {
    /// Whether both maps know id 0.
    pub(crate) fn has_root(&self) -> bool {
        [&self.uids, &self.gids]
            .iter()
            .all(|map| map.iter().any(|range| range.holds(0)))
    }
}

/// The maps that a configuration asks for; `None` where it has none.
pub(super) fn of_config(linux: &Linux) -> Option<Outcome<IdMaps>> {
    let (uids, gids) = (linux.uid_mappings(), linux.gid_mappings());
    let (uids, gids) = (
        uids.as_deref().unwrap_or_default(),
        gids.as_deref().unwrap_or_default(),
    );
    match (uids, gids) {
        ([], []) => None,
        ([], _) | (_, []) => Some(Err(Failure::new(
            "linux.uidMappings and linux.gidMappings must be given together",
        ))),
        (uids, gids) => Some(Ok(IdMaps {
            uids: uids.iter().map(range).collect(),
            gids: gids.iter().map(range).collect(),
        })),
    }
}

fn range(mapping: &LinuxIdMapping) -> IdRange {
    IdRange {
        inside: mapping.container_id(),
        outside: mapping.host_id(),
        count: mapping.size(),
    }
}

//! Containers that live in the sandbox of another one: those of pods, as the annotations say
//! that containerd and CRI-O give to what Kubernetes asks of them, and those whose configuration
//! names a namespace of another container by its path.

use std::path::Path;

use oci_spec::runtime::{LinuxNamespaceType as Kind, Spec};
use sentry::config::{Neighbour, Shared};

use crate::failure::{Context, Failure, Outcome};
use crate::state::container_id;

/// The names of an annotation with the kind of a container, and of one with the id of the
/// container whose sandbox it lives in.
const NAMES: [(&str, &str); 2] = [
    (
        "io.kubernetes.cri.container-type",
        "io.kubernetes.cri.sandbox-id",
    ),
    (
        "io.kubernetes.cri-o.ContainerType",
        "io.kubernetes.cri-o.SandboxID",
    ),
];

/// What containers of one sandbox can have in common.
pub(super) const KINDS: [Kind; 4] = [Kind::Pid, Kind::Ipc, Kind::Uts, Kind::Network];

/// A container's place in the sandbox of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    /// The container that the sandbox was started with.
    pub(crate) sandbox: String,
    /// What it has in common with those that are there.
    pub(crate) shared: Shared,
}

/// A container that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resident {
    pub(crate) id: String,
    /// The container whose sandbox it lives in, where that is not its own.
    pub(crate) sandbox: Option<String>,
}

/// Finds the container whose namespace of a kind is at a path.
pub(crate) type Find<'a> = &'a dyn Fn(Kind, &Path) -> Option<Resident>;

impl Resident {
    fn sandbox(&self) -> &str {
        self.sandbox.as_deref().unwrap_or(&self.id)
    }

    fn neighbour(&self) -> Neighbour {
        match self.sandbox {
            Some(_) => Neighbour::Further(self.id.clone()),
            None => Neighbour::First,
        }
    }
}

impl Membership {
    /// Whether a namespace is one that is there already.
    pub(super) fn shares(&self, kind: Kind) -> bool {
        slot(&mut self.shared.clone(), kind).is_some_and(|slot| slot.is_some())
    }
}

fn slot(shared: &mut Shared, kind: Kind) -> Option<&mut Option<Neighbour>> {
    match kind {
        Kind::Pid => Some(&mut shared.pids),
        Kind::Ipc => Some(&mut shared.ipc),
        Kind::Uts => Some(&mut shared.uts),
        Kind::Network => Some(&mut shared.network),
        Kind::Mount | Kind::User | Kind::Cgroup | Kind::Time => None,
    }
}

/// Where a container is to live; `None` for one with a sandbox of its own.
pub(super) fn membership(spec: &Spec, find: Find<'_>) -> Outcome<Option<Membership>> {
    let annotations = spec.annotations();
    let value = |name: &str| annotations.as_ref().and_then(|map| map.get(name));
    for (kind, sandbox) in NAMES {
        match value(kind).map(String::as_str) {
            None => {}
            Some("sandbox") => return Ok(None),
            Some("container") => {
                let sandbox = value(sandbox).ok_or_else(|| {
                    Failure::new(format!(
                        "annotations: {kind} is \"container\", but {sandbox} names no sandbox"
                    ))
                })?;
                let sandbox = container_id(sandbox.as_ref()).context("annotations")?;
                let shared = in_pod(spec, &sandbox, find);
                return Ok(Some(Membership { sandbox, shared }));
            }
            Some(other) => {
                return Err(Failure::new(format!(
                    "annotations: {kind} \"{other}\" is neither \"sandbox\" nor \"container\""
                )));
            }
        }
    }
    joined(spec, find)
}

/// A namespace with a path is that of a container of the pod, or else the pod's, and so is one
/// that the container has not. Numbers of processes are shared only where that is said.
fn in_pod(spec: &Spec, sandbox: &str, find: Find<'_>) -> Shared {
    let mut shared = Shared::default();
    for kind in KINDS {
        let Some(slot) = slot(&mut shared, kind) else {
            continue;
        };
        let mut namespaces = super::namespaces(spec);
        *slot = match namespaces.find(|namespace| namespace.typ() == kind) {
            Some(namespace) => namespace.path().as_deref().map(|path| {
                let found = find(kind, path).filter(|found| found.sandbox() == sandbox);
                found.map_or(Neighbour::First, |found| found.neighbour())
            }),
            None => (kind != Kind::Pid).then_some(Neighbour::First),
        };
    }
    shared
}

/// Whoever joins a namespace of another container lives in its sandbox.
fn joined(spec: &Spec, find: Find<'_>) -> Outcome<Option<Membership>> {
    let mut membership: Option<Membership> = None;
    for namespace in super::namespaces(spec) {
        let kind = namespace.typ();
        let path = namespace.path().as_deref();
        let Some(found) = path.and_then(|path| find(kind, path)) else {
            continue;
        };
        let membership = membership.get_or_insert_with(|| Membership {
            sandbox: found.sandbox().to_owned(),
            shared: Shared::default(),
        });
        if membership.sandbox != found.sandbox() {
            return Err(Failure::new(format!(
                "linux.namespaces: the {kind} namespace is that of container {}, which does not \
                 live in the sandbox {} as those of other namespaces do: join one of them",
                found.id, membership.sandbox
            )));
        }
        if let Some(slot) = slot(&mut membership.shared, kind) {
            *slot = Some(found.neighbour());
        }
    }
    Ok(membership)
}

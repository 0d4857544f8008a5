//! Pods: containers that live in the sandbox of another one, as the annotations say that
//! containerd and CRI-O give to what Kubernetes asks of them.

use oci_spec::runtime::{LinuxNamespaceType, Spec};
use sentry::config::Shared;

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

/// A container's place in a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    /// The container that the sandbox was started with.
    pub(crate) sandbox: String,
    /// What the two have in common.
    pub(crate) shared: Shared,
}

/// The pod that a container is to join; `None` for one with a sandbox of its own.
pub(super) fn membership(spec: &Spec) -> Outcome<Option<Membership>> {
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
                return Ok(Some(Membership {
                    sandbox: container_id(sandbox.as_ref()).context("annotations")?,
                    shared: shared(spec),
                }));
            }
            Some(other) => {
                return Err(Failure::new(format!(
                    "annotations: {kind} \"{other}\" is neither \"sandbox\" nor \"container\""
                )));
            }
        }
    }
    Ok(None)
}

/// A namespace with a path is the pod's, and so is one that the container has not. Numbers of
/// processes are shared only where that is said.
fn shared(spec: &Spec) -> Shared {
    let path = |kind| {
        let mut found = super::namespaces(spec).filter(|namespace| namespace.typ() == kind);
        found.next().map(|namespace| namespace.path().is_some())
    };
    let unless_own = |kind| path(kind) != Some(false);
    Shared {
        pids: path(LinuxNamespaceType::Pid) == Some(true),
        ipc: unless_own(LinuxNamespaceType::Ipc),
        uts: unless_own(LinuxNamespaceType::Uts),
        network: unless_own(LinuxNamespaceType::Network),
    }
}

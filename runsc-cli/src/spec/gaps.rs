//! What a configuration asks for and we do not have.

use std::path::Path;

use oci_spec::runtime::{Linux, LinuxNamespaceType as Kind, Spec};

use super::{Membership, OCI_VERSION, network};
use crate::failure::{Failure, Outcome};
use crate::hooks;

/// Logs what has no effect, and refuses what cannot be left out or means nothing.
pub(super) fn report(spec: &Spec, pod: Option<&Membership>) -> Outcome<()> {
    version(spec.version())?;
    namespaces(spec, pod)?;
    if let Some(hooks) = spec.hooks() {
        hooks::check(hooks)?;
    }
    if spec
        .annotations()
        .iter()
        .flatten()
        .any(|(key, _)| key.is_empty())
    {
        return Err(Failure::new("annotations: a key is empty"));
    }
    let Some(linux) = spec.linux() else {
        return Ok(());
    };
    unsupported(linux)?;
    let labels = spec.process().as_ref().is_some_and(|process| {
        process.apparmor_profile().is_some() || process.selinux_label().is_some()
    });
    if labels {
        log::debug!("config.json: AppArmor and SELinux labels have no meaning inside");
    }
    Ok(())
}

/// Three numbers, and whatever follows a "-" or "+"; semver.org.
fn version(version: &str) -> Outcome<()> {
    let core = version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<_> = core.split('.').map(str::parse::<u32>).collect();
    if !matches!(*numbers, [Ok(_), Ok(_), Ok(_)]) {
        return Err(Failure::new(format!(
            "ociVersion \"{version}\" is not a version like \"{OCI_VERSION}\""
        )));
    }
    if !version.starts_with("1.") {
        log::warn!("config.json: ociVersion \"{version}\" is not 1.x: taken as {OCI_VERSION}");
    }
    Ok(())
}

/// What the container would lack without a word.
fn unsupported(linux: &Linux) -> Outcome<()> {
    let asked = [
        ("intelRdt", linux.intel_rdt().is_some()),
        (
            "netDevices",
            linux
                .net_devices()
                .as_ref()
                .is_some_and(|map| !map.is_empty()),
        ),
        (
            "timeOffsets",
            linux
                .time_offsets()
                .as_ref()
                .is_some_and(|map| !map.is_empty()),
        ),
        ("memoryPolicy", linux.memory_policy().is_some()),
    ];
    match asked.iter().find(|(_, asked)| *asked) {
        Some((name, _)) => Err(Failure::new(format!(
            "linux.{name} is not supported: take it out"
        ))),
        None => Ok(()),
    }
}

/// A namespace without a path is the container's own kernel's matter: it has one of each
/// kind. One with a path is another container's, in whose sandbox this one is to live then, or
/// the host's. Those of the host that programs could tell from their own are refused.
fn namespaces(spec: &Spec, pod: Option<&Membership>) -> Outcome<()> {
    for (at, namespace) in super::namespaces(spec).enumerate() {
        let kind = namespace.typ();
        if super::namespaces(spec)
            .take(at)
            .any(|other| other.typ() == kind)
        {
            return Err(Failure::new(format!(
                "linux.namespaces: {kind} is given twice"
            )));
        }
        let Some(path) = namespace.path() else {
            continue;
        };
        let path = path.display();
        match (kind, pod) {
            (_, Some(pod)) if pod.shares(kind) => {}
            // It is not joined, but its interfaces are taken over.
            (Kind::Network, None) => {
                network::check(namespace.path().as_deref().unwrap_or(Path::new("")))?;
            }
            (Kind::Network, Some(pod)) => {
                return Err(Failure::new(format!(
                    "linux.namespaces: a container in the sandbox of {} cannot have the network \
                     {path}: give it that container's network, or none",
                    pod.sandbox
                )));
            }
            _ => {
                return Err(Failure::new(format!(
                    "linux.namespaces: cannot join the {kind} namespace {path}: no container of \
                     runsk has it: remove its path to give the container its own"
                )));
            }
        }
    }
    // Who lists none at all has not chosen to share any.
    if pod.is_some() || super::namespaces(spec).next().is_none() {
        return Ok(());
    }
    if !super::has_namespace(spec, Kind::Pid) {
        return Err(Failure::new(
            "linux.namespaces: there is no pid namespace, and the host's processes cannot be \
             shared: add {\"type\": \"pid\"} to give the container its own",
        ));
    }
    // Most want room in /dev/shm, which is mounted from the host then, as are its files.
    if !super::has_namespace(spec, Kind::Ipc) {
        log::warn!(
            "config.json: there is no ipc namespace: System V objects and message queues of the \
             host are not shared, the container has its own"
        );
    }
    Ok(())
}

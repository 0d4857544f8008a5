//! What a configuration asks for and we do not have.

use oci_spec::runtime::{LinuxNamespaceType, LinuxResources, Spec};

use crate::failure::{Failure, Outcome};

/// Logs what has no effect, and refuses what cannot be left out.
pub(super) fn report(spec: &Spec) -> Outcome<()> {
    version(spec.version());
    namespaces(spec)?;
    if spec.hooks().is_some() {
        log::warn!("config.json: hooks are not run");
    }
    let Some(linux) = spec.linux() else {
        return Ok(());
    };
    if let Some(devices) = linux.devices().as_ref().filter(|list| !list.is_empty()) {
        for device in devices {
            log::warn!(
                "config.json: linux.devices: {} is not given to the container",
                device.path().display()
            );
        }
    }
    for key in linux.sysctl().iter().flatten().map(|(key, _)| key) {
        log::info!("config.json: linux.sysctl: {key} has no effect");
    }
    if linux.seccomp().is_some() {
        log::debug!(
            "config.json: linux.seccomp is not applied: calls go to the container's own kernel"
        );
    }
    let labels = spec.process().as_ref().is_some_and(|process| {
        process.apparmor_profile().is_some() || process.selinux_label().is_some()
    });
    if labels {
        log::debug!("config.json: AppArmor and SELinux labels have no meaning inside");
    }
    if let Some(resources) = linux.resources() {
        limits(resources);
    }
    Ok(())
}

fn version(version: &str) {
    if !version.starts_with("1.") {
        log::warn!("config.json: ociVersion \"{version}\" is not 1.x: taken as 1.2");
    }
}

/// A namespace without a path is the container's own kernel's matter: it has one of each
/// kind. One with a path is another container's, or the host's.
fn namespaces(spec: &Spec) -> Outcome<()> {
    let list = spec.linux().as_ref().and_then(|l| l.namespaces().as_ref());
    for namespace in list.into_iter().flatten() {
        let Some(path) = namespace.path() else {
            continue;
        };
        let (kind, path) = (namespace.typ(), path.display());
        if kind == LinuxNamespaceType::Network {
            log::warn!("config.json: the container has no network: {path} is not joined");
        } else {
            return Err(Failure::new(format!(
                "linux.namespaces: cannot join the {kind} namespace {path}: remove its path \
                 to give the container its own"
            )));
        }
    }
    if !super::has_namespace(spec, LinuxNamespaceType::Pid) {
        log::info!("config.json: the container cannot share the host's pids: it has its own");
    }
    Ok(())
}

fn limits(resources: &LinuxResources) {
    let positive = |limit: Option<i64>| limit.is_some_and(|limit| limit > 0);
    let cpu = resources.cpu().as_ref();
    let asked = [
        (
            "pids.limit",
            resources
                .pids()
                .as_ref()
                .is_some_and(|pids| pids.limit() > 0),
        ),
        ("cpu.quota", cpu.is_some_and(|cpu| positive(cpu.quota()))),
        ("cpu.cpus", cpu.is_some_and(|cpu| cpu.cpus().is_some())),
        ("blockIO", resources.block_io().is_some()),
    ];
    for (name, _) in asked.iter().filter(|(_, asked)| *asked) {
        log::warn!("config.json: linux.resources.{name} is not enforced");
    }
}

//! `runsk features`; features.md of the OCI specification.

use serde_json::json;

use crate::spec::{self, OCI_VERSION};

pub(super) fn text() -> String {
    let features = json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": OCI_VERSION,
        "hooks": [
            "prestart", "createRuntime", "createContainer", "startContainer", "poststart",
            "poststop"
        ],
        "mountOptions": spec::mount_options(),
        "linux": {
            "namespaces": ["cgroup", "ipc", "mount", "network", "pid", "user", "uts"],
            "capabilities": spec::capability_names(),
            "cgroup": {
                "v1": true, "v2": true, "systemd": true, "systemdUser": false, "rdma": false
            },
            "seccomp": {
                "enabled": true,
                "actions": spec::SECCOMP_ACTIONS,
                "operators": spec::SECCOMP_OPERATORS,
                "archs": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"],
                "knownFlags": ["SECCOMP_FILTER_FLAG_LOG"],
                "supportedFlags": ["SECCOMP_FILTER_FLAG_LOG"]
            },
            "apparmor": { "enabled": false },
            "selinux": { "enabled": false },
            "intelRdt": { "enabled": false },
            "mountExtensions": { "idmap": { "enabled": false } }
        },
        "annotations": {
            "org.runsk.version": env!("CARGO_PKG_VERSION"),
            "run.oci.potentiallyUnsafeConfigAnnotations": ""
        }
    });
    format!("{features:#}\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn they_are_features() {
        let features: oci_spec::runtime::Features =
            serde_json::from_str(&super::text()).expect("features");
        assert_eq!(features.oci_version_max(), crate::spec::OCI_VERSION);
    }
}

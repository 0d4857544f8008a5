//! Capability sets of a configuration; capabilities(7).

use oci_spec::runtime::{Capabilities, LinuxCapabilities};
use sentry::config::CapabilityConfig;

/// Names in the order of their numbers.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// All capabilities.
pub(crate) const ALL: u64 = (1 << NAMES.len()) - 1;

/// All capabilities by name.
pub(crate) fn names() -> Vec<String> {
    NAMES.iter().map(|name| format!("CAP_{name}")).collect()
}

/// The sets of a process. Without any, it has no capability.
pub(super) fn convert(sets: Option<&LinuxCapabilities>) -> CapabilityConfig {
    let mask = |pick: fn(&LinuxCapabilities) -> &Option<Capabilities>| {
        sets.and_then(|sets| pick(sets).as_ref()).map_or(0, mask)
    };
    CapabilityConfig {
        bounding: mask(LinuxCapabilities::bounding),
        effective: mask(LinuxCapabilities::effective),
        inheritable: mask(LinuxCapabilities::inheritable),
        permitted: mask(LinuxCapabilities::permitted),
        ambient: mask(LinuxCapabilities::ambient),
    }
}

fn mask(set: &Capabilities) -> u64 {
    let number = |name: &str| NAMES.iter().position(|known| *known == name);
    set.iter()
        .filter_map(|cap| number(&cap.to_string()))
        .fold(0, |mask, number| mask | 1 << number)
}

#[cfg(test)]
mod tests {
    use super::{ALL, NAMES, mask};
    use oci_spec::runtime::Capabilities;

    #[test]
    fn every_name_is_known_and_has_its_number() {
        let all: Capabilities = NAMES
            .iter()
            .map(|name| serde_json::from_str(&format!("\"CAP_{name}\"")).expect(name))
            .collect();
        assert_eq!(mask(&all), ALL);
        let one: Capabilities = serde_json::from_str(r#"["CAP_SYS_ADMIN"]"#).expect("valid");
        assert_eq!(mask(&one), 1 << 21);
    }
}

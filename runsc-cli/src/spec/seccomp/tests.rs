use oci_spec::runtime::LinuxSeccomp;
use serde_json::{Value, json};
use syscalls::abi::task::{AUDIT_ARCH_X86_64, SeccompData};

use super::convert;

const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
const KILL_PROCESS: u32 = 0x8000_0000;

fn filter(profile: Value) -> impl Fn(&str, &[u64]) -> u32 {
    let profile: LinuxSeccomp = serde_json::from_value(profile).unwrap();
    let filter = convert(&profile).unwrap();
    move |name, args| {
        let row = syscalls::TABLE.iter().find(|row| row.name == name);
        verdict(&filter, row.unwrap().number.try_into().unwrap(), args)
    }
}

fn verdict(filter: &sentry::config::SeccompConfig, nr: i32, given: &[u64]) -> u32 {
    let mut args = [0; 6];
    args[..given.len()].copy_from_slice(given);
    let data = SeccompData {
        nr,
        arch: AUDIT_ARCH_X86_64,
        instruction_pointer: 0x1234_5678_9abc,
        args,
    };
    sentry::seccomp::verdict(filter, &data).unwrap()
}

#[test]
fn actions_by_name() {
    let ask = filter(json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [
            {"names": ["read", "close", "execve", "no_such_call"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
            {"names": ["reboot"], "action": "SCMP_ACT_KILL_PROCESS"},
            {"names": ["getpid"], "action": "SCMP_ACT_TRACE", "errnoRet": 7},
            {"names": ["getppid"], "action": "SCMP_ACT_LOG"},
            {"names": ["gettid"], "action": "SCMP_ACT_TRAP"},
            {"names": ["getuid"], "action": "SCMP_ACT_KILL"},
            {"names": ["close_range"], "action": "SCMP_ACT_ERRNO"}
        ]
    }));
    let seen = [
        "read",
        "close",
        "execve",
        "mount",
        "reboot",
        "getpid",
        "getppid",
        "gettid",
        "getuid",
        "write",
        "close_range",
        "openat2",
    ]
    .map(|name| ask(name, &[]));
    assert_eq!(
        seen,
        [
            ALLOW,
            ALLOW,
            ALLOW,
            ERRNO | 38,
            KILL_PROCESS,
            0x7ff0_0007,
            0x7ffc_0000,
            0x0003_0000,
            0,
            ERRNO | 1,
            ERRNO | 1,
            // Newer than what the profile knows.
            ERRNO | 38,
        ]
    );
}

#[test]
fn comparisons_are_of_64_bits() {
    const BIG: u64 = 0x1_0000_0005;
    let holds = |op: &str, value: u64, second: u64, arg: u64| {
        let ask = filter(json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["lseek"], "action": "SCMP_ACT_KILL_PROCESS", "args": [
                {"index": 1, "value": value, "valueTwo": second, "op": format!("SCMP_CMP_{op}")}
            ]}]
        }));
        ask("lseek", &[99, arg]) == KILL_PROCESS
    };
    let near = [0, 4, 5, 6, BIG - 1, BIG, BIG + 1, 0x2_0000_0000, u64::MAX];
    for value in near {
        for arg in near {
            assert_eq!(
                holds("EQ", value, 0, arg),
                arg == value,
                "{arg:x} == {value:x}"
            );
            assert_eq!(
                holds("NE", value, 0, arg),
                arg != value,
                "{arg:x} != {value:x}"
            );
            assert_eq!(
                holds("LT", value, 0, arg),
                arg < value,
                "{arg:x} < {value:x}"
            );
            assert_eq!(
                holds("LE", value, 0, arg),
                arg <= value,
                "{arg:x} <= {value:x}"
            );
            assert_eq!(
                holds("GE", value, 0, arg),
                arg >= value,
                "{arg:x} >= {value:x}"
            );
            assert_eq!(
                holds("GT", value, 0, arg),
                arg > value,
                "{arg:x} > {value:x}"
            );
            let masked = arg & 0x1_0000_0001 == 0x1_0000_0001;
            assert_eq!(
                holds("MASKED_EQ", 0x1_0000_0001, 0x1_0000_0001, arg),
                masked
            );
        }
    }
}

#[test]
fn all_conditions_of_a_row_and_alternatives() {
    let ask = filter(json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 13,
        "syscalls": [
            {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
                {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]},
            {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
                {"index": 0, "value": 16, "op": "SCMP_CMP_EQ"}]},
            {"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [
                {"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]},
            {"names": ["kill"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["kill"], "action": "SCMP_ACT_KILL_PROCESS", "args": [
                {"index": 1, "value": 9, "op": "SCMP_CMP_EQ"}]}
        ]
    }));
    let denied = ERRNO | 13;
    assert_eq!(ask("socket", &[1, 2]), ALLOW);
    assert_eq!(ask("socket", &[1, 1]), denied);
    assert_eq!(ask("socket", &[16, 1]), ALLOW);
    assert_eq!(ask("personality", &[0]), ALLOW);
    assert_eq!(ask("personality", &[8]), ALLOW);
    assert_eq!(ask("personality", &[4]), denied);
    assert_eq!(ask("kill", &[5, 9]), KILL_PROCESS);
    assert_eq!(ask("kill", &[5, 15]), ALLOW);
}

#[test]
fn calls_with_32_bit_pointers() {
    let profile = |architectures: Value| -> LinuxSeccomp {
        serde_json::from_value(json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "architectures": architectures,
            "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]
        }))
        .unwrap()
    };
    let with = convert(&profile(json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"]))).unwrap();
    let without = convert(&profile(json!(["SCMP_ARCH_X86_64"]))).unwrap();
    assert_eq!(verdict(&with, 0x4000_0000, &[]), ALLOW);
    assert_eq!(verdict(&without, 0x4000_0000, &[]), 0);
    assert_eq!(verdict(&without, 0, &[]), ALLOW);
}

#[test]
fn every_number_of_a_long_profile() {
    let names: Vec<&str> = syscalls::TABLE
        .iter()
        .map(|row| row.name)
        .filter(|name| name.len() % 2 == 0)
        .collect();
    let ask = filter(json!({
        "defaultAction": "SCMP_ACT_KILL_PROCESS",
        "syscalls": [
            {"names": names, "action": "SCMP_ACT_ALLOW"},
            {"names": ["mseal"], "action": "SCMP_ACT_LOG"}
        ]
    }));
    for row in syscalls::TABLE.iter().filter(|row| row.name != "mseal") {
        let expected = if row.name.len() % 2 == 0 {
            ALLOW
        } else {
            KILL_PROCESS
        };
        assert_eq!(ask(row.name, &[7]), expected, "{}", row.name);
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    let refused = |profile: Value| {
        let profile: LinuxSeccomp = serde_json::from_value(profile).unwrap();
        convert(&profile).unwrap_err().to_string()
    };
    let notify = refused(json!({"defaultAction": "SCMP_ACT_NOTIFY"}));
    assert!(
        notify.contains("SCMP_ACT_NOTIFY is not supported"),
        "{notify}"
    );
    let index = refused(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}
    ]}));
    assert!(index.contains("arguments 0 to 5, not 6"), "{index}");
}

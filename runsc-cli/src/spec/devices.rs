//! `linux.devices`.

use std::path::Path;

use oci_spec::runtime::{LinuxDevice, LinuxDeviceType};
use sentry::config::{DeviceConfig, DeviceNode};

use super::absolute_inside;
use crate::failure::Outcome;

/// Character devices of the container's own kernel, as (major, minor).
const OWN: [(i64, i64); 7] = [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2)];

/// Nodes for the devices that there are. Differs from the specification: a device of the
/// host alone is no error, or nothing could be run with all of them (`--privileged`). It is
/// logged, and is not there.
pub(super) fn convert(devices: &[LinuxDevice]) -> Outcome<Vec<DeviceConfig>> {
    let mut list = Vec::new();
    // Those of devpts are there by themselves, and /dev/ptmx leads to it; runc does the same.
    for device in devices
        .iter()
        .filter(|device| device.path() != Path::new("/dev/ptmx"))
    {
        let Some(node) = node(device) else {
            log::warn!(
                "config.json: linux.devices: {} is not given to the container: it is the host's",
                device.path().display()
            );
            continue;
        };
        list.push(DeviceConfig {
            path: absolute_inside("device", device.path())?,
            node,
            mode: u16::try_from(device.file_mode().unwrap_or(0o666) & 0o777).unwrap_or(0o666),
            uid: device.uid().unwrap_or(0),
            gid: device.gid().unwrap_or(0),
        });
    }
    Ok(list)
}

fn node(device: &LinuxDevice) -> Option<DeviceNode> {
    let number = |number: i64| u32::try_from(number).ok();
    let (major, minor) = (device.major(), device.minor());
    match device.typ() {
        LinuxDeviceType::P => Some(DeviceNode::Fifo),
        LinuxDeviceType::C | LinuxDeviceType::U if OWN.contains(&(major, minor)) => {
            Some(DeviceNode::Char(number(major)?, number(minor)?))
        }
        _ => None,
    }
}

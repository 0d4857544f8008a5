//! The mounts as text: /proc/PID/mounts and mountinfo, proc_pid_mounts(5).

use std::fmt::Write;
use std::sync::Arc;

use super::mounting::peers::PeerGroup;
use super::{DeviceNumber, Location, Mount, MountFlags, MountNamespace, Place};

/// The nearest group, from a master's on, that a process with this root has a mount of.
pub(super) fn dominating(
    master: &Arc<PeerGroup>,
    namespace: &MountNamespace,
    root: &Location,
) -> Option<u64> {
    let seen =
        |peer: &Arc<Mount>| peer.is_in(namespace) && peer.root_location().path_text(root).reachable;
    let mut next = Some(master.clone());
    while let Some(group) = next {
        if group.members().iter().any(seen) {
            return Some(group.id);
        }
        next = group.master();
    }
    None
}

/// The optional fields of mountinfo: how a mount propagates.
fn relations(mount: &Mount, namespace: &MountNamespace, root: &Location) -> String {
    let mut text = String::new();
    if let Some(group) = mount.group() {
        // Writing to a string cannot fail.
        let _ = write!(text, " shared:{}", group.id);
    }
    if let Some(master) = mount.master() {
        let _ = write!(text, " master:{}", master.id);
        match dominating(&master, namespace, root) {
            Some(group) if group != master.id => {
                let _ = write!(text, " propagate_from:{group}");
            }
            _ => {}
        }
    }
    if mount.is_unbindable() {
        text.push_str(" unbindable");
    }
    text
}

/// Appends a field with what would end it written in octal.
fn escape(out: &mut Vec<u8>, field: &[u8]) {
    for &byte in field {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' | b'#' => {
                out.extend_from_slice(format!("\\{byte:03o}").as_bytes());
            }
            _ => out.push(byte),
        }
    }
}

fn options(mount: &Mount) -> String {
    let flags = mount.flags();
    let mut text = String::from(if mount.is_writable() { "rw" } else { "ro" });
    let names = [
        (MountFlags::NOSUID, ",nosuid"),
        (MountFlags::NODEV, ",nodev"),
        (MountFlags::NOEXEC, ",noexec"),
        (MountFlags::NOATIME, ",noatime"),
        (MountFlags::NODIRATIME, ",nodiratime"),
        (MountFlags::RELATIME, ",relatime"),
        (MountFlags::NOSYMFOLLOW, ",nosymfollow"),
    ];
    for (flag, name) in names {
        if flags.contains(flag) {
            text.push_str(name);
        }
    }
    text
}

/// The path of a mount's root inside its file system.
pub(super) fn inner_root(mount: &Mount) -> Vec<u8> {
    let mut names = Vec::new();
    let mut at = mount.root.clone();
    while let Place {
        parent: Some(parent),
        name,
        ..
    } = at.place.get()
    {
        names.push(name);
        at = parent;
    }
    if names.is_empty() {
        return b"/".to_vec();
    }
    let mut path = Vec::new();
    for name in names.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    path
}

/// The mounts that can be reached from `root`, with their places.
fn visible(namespace: &MountNamespace, root: &Location) -> Vec<(Arc<Mount>, Vec<u8>)> {
    let place = |mount: Arc<Mount>| {
        let text = mount.root_location().path_text(root);
        text.reachable.then_some((mount, text.bytes))
    };
    namespace.list().into_iter().filter_map(place).collect()
}

impl MountNamespace {
    /// /proc/PID/mounts for a process with this root.
    #[must_use]
    pub fn mounts_text(&self, root: &Location) -> Vec<u8> {
        let mut out = Vec::new();
        for (mount, place) in visible(self, root) {
            let fs = &mount.super_block.fs;
            escape(&mut out, mount.super_block.source.as_bytes());
            out.push(b' ');
            escape(&mut out, &place);
            let (name, more) = (fs.name(), fs.options());
            let line = format!(" {name} {}{more} 0 0\n", options(&mount));
            out.extend_from_slice(line.as_bytes());
        }
        out
    }

    /// /proc/PID/mountinfo for a process with this root.
    #[must_use]
    pub fn mountinfo_text(&self, root: &Location) -> Vec<u8> {
        let mut out = Vec::new();
        for (mount, place) in visible(self, root) {
            let super_block = &mount.super_block;
            let parent = mount.mountpoint().map_or(mount.id, |at| at.mount.id);
            let dev = DeviceNumber::from_raw(super_block.dev);
            let mut head = String::new();
            // Writing to a string cannot fail.
            let _ = write!(head, "{} {parent} {}:{} ", mount.id, dev.major, dev.minor);
            out.extend_from_slice(head.as_bytes());
            escape(&mut out, &inner_root(&mount));
            out.push(b' ');
            escape(&mut out, &place);
            let relations = relations(&mount, self, root);
            let name = super_block.fs.name();
            let line = format!(" {}{relations} - {name} ", options(&mount));
            out.extend_from_slice(line.as_bytes());
            escape(&mut out, super_block.source.as_bytes());
            let access = if mount.is_writable() { "rw" } else { "ro" };
            let line = format!(" {access}{}\n", super_block.fs.options());
            out.extend_from_slice(line.as_bytes());
        }
        out
    }

    /// /proc/PID/mountstats for a process with this root.
    #[must_use]
    pub fn mountstats_text(&self, root: &Location) -> Vec<u8> {
        let mut out = Vec::new();
        for (mount, place) in visible(self, root) {
            let super_block = &mount.super_block;
            out.extend_from_slice(b"device ");
            escape(&mut out, super_block.source.as_bytes());
            out.extend_from_slice(b" mounted on ");
            escape(&mut out, &place);
            let line = format!(" with fstype {}\n", super_block.fs.name());
            out.extend_from_slice(line.as_bytes());
        }
        out
    }
}

//! What is mounted where on the host; proc_pid_mountinfo(5).

use std::cell::OnceCell;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{self, FsType};

use crate::failure::{Context, Outcome};

/// The host's mounts, read when they are first asked for.
#[derive(Debug, Default)]
pub(crate) struct HostMounts {
    list: OnceCell<Vec<HostMount>>,
}

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostMount {
    /// Where.
    pub(crate) point: PathBuf,
    /// Type of the file system.
    pub(crate) kind: String,
}

impl HostMounts {
    /// The mounts strictly below `path` that hold files, and that the caller may look at:
    /// outer ones first, each place once.
    pub(crate) fn with_files_below(&self, path: &Path) -> Outcome<Vec<&HostMount>> {
        let mut below = self.below(path)?;
        below.retain(|mount| {
            let usable = !is_host_only(&mount.kind) && mount.point.symlink_metadata().is_ok();
            if !usable {
                log::debug!("{}: not given to the container", mount.point.display());
            }
            usable
        });
        Ok(below)
    }

    fn below(&self, path: &Path) -> Outcome<Vec<&HostMount>> {
        let mut below: Vec<_> = self
            .list()?
            .iter()
            .filter(|mount| mount.point != path && mount.point.starts_with(path))
            .collect();
        below.sort_by_key(|mount| (mount.point.components().count(), &mount.point));
        // Of several at one place only the last shows.
        below.dedup_by_key(|mount| &mount.point);
        Ok(below)
    }

    /// True if something is mounted at `path` itself.
    pub(crate) fn is_mount_point(&self, path: &Path) -> Outcome<bool> {
        Ok(self.list()?.iter().any(|mount| mount.point == path))
    }

    fn list(&self) -> Outcome<&Vec<HostMount>> {
        if self.list.get().is_none() {
            let text = std::fs::read("/proc/self/mountinfo").context("/proc/self/mountinfo")?;
            let _ = self.list.set(parse(&text));
        }
        Ok(self.list.get_or_init(Vec::new))
    }
}

/// File systems that show a kernel's state. The container's own kernel has its own: a
/// container never sees the host's.
pub(crate) fn kernel_kind(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "proc" => "proc",
        "sysfs" => "sysfs",
        // The kernel puts the devices into whatever tmpfs is on /dev.
        "devtmpfs" => "tmpfs",
        "devpts" => "devpts",
        "mqueue" => "mqueue",
        "cgroup" => "cgroup",
        "cgroup2" => "cgroup2",
        _ => return None,
    })
}

/// As [`kernel_kind`], for the file system that `path` is in.
pub(crate) fn kernel_kind_of(path: &Path) -> Option<&'static str> {
    // devtmpfs says that it is a tmpfs: it is known by its place.
    if path == Path::new("/dev") {
        return Some("tmpfs");
    }
    let kind = statfs::statfs(path).ok()?.filesystem_type();
    const MQUEUE: FsType = FsType(0x1980_0202);
    const DEVPTS: FsType = FsType(0x1cd1);
    Some(match kind {
        statfs::PROC_SUPER_MAGIC => "proc",
        statfs::SYSFS_MAGIC => "sysfs",
        statfs::CGROUP_SUPER_MAGIC => "cgroup",
        statfs::CGROUP2_SUPER_MAGIC => "cgroup2",
        DEVPTS => "devpts",
        MQUEUE => "mqueue",
        _ => return None,
    })
}

/// More file systems that have nothing for a container: interfaces to the host's kernel,
/// and mount points that start programs of the host when they are touched.
fn is_host_only(kind: &str) -> bool {
    const KINDS: &[&str] = &[
        "autofs",
        "binfmt_misc",
        "bpf",
        "configfs",
        "debugfs",
        "efivarfs",
        "fusectl",
        "hugetlbfs",
        "nfsd",
        "nsfs",
        "pstore",
        "resctrl",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "smackfs",
        "tracefs",
    ];
    KINDS.contains(&kind) || kernel_kind(kind).is_some()
}

fn parse(text: &[u8]) -> Vec<HostMount> {
    let line = |line: &[u8]| {
        let mut fields = line.split(|byte| *byte == b' ');
        let point = unescape(fields.nth(4)?);
        fields.find(|field| *field == b"-")?;
        let kind = String::from_utf8_lossy(fields.next()?).into_owned();
        Some(HostMount { point, kind })
    };
    text.split(|byte| *byte == b'\n').filter_map(line).collect()
}

/// Undoes `\040` for a space, and so on.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let octal = tail
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(octal.unwrap_or(*first));
        rest = tail.get(octal.map_or(0, |_| 3)..).unwrap_or_default();
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::{HostMounts, parse};
    use std::path::Path;

    const SAMPLE: &[u8] = b"\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:21 / /proc rw shared:5 - proc proc rw
24 22 0:22 / /mnt/with\\040space rw - tmpfs tmpfs rw
25 24 0:23 / /mnt/with\\040space/inner rw shared:7 master:3 - xfs /dev/x rw
";

    #[test]
    fn mounts_are_parsed_and_found_below_a_path() {
        let list = parse(SAMPLE);
        assert_eq!(list.len(), 4);
        let mounts = HostMounts::default();
        mounts.list.set(list).expect("first");
        let below = mounts.below(Path::new("/mnt")).expect("list");
        let points: Vec<_> = below.iter().map(|m| (m.point.to_str(), &*m.kind)).collect();
        assert_eq!(
            points,
            [
                (Some("/mnt/with space"), "tmpfs"),
                (Some("/mnt/with space/inner"), "xfs")
            ]
        );
        assert!(mounts.is_mount_point(Path::new("/proc")).expect("list"));
        assert!(mounts.below(Path::new("/proc")).expect("list").is_empty());
    }
}

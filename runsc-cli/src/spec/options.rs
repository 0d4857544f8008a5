//! Mount options by name, as mount(8) and the OCI specification have them.

use nix::mount::MsFlags;
use sentry::config::Propagation;
use sentry::vfs::Depth;

/// The options of one mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// MS_* flags.
    pub(super) flags: MsFlagBits,
    /// Restrictions of mounts below a recursive bind too.
    pub(super) recursive: MsFlagBits,
    /// What is mounted is a part of the host's files.
    pub(super) bind: Option<Bind>,
    /// Options for the file system itself ("size=64k").
    pub(super) data: Vec<String>,
    /// Ours: nobody else writes the files, so that they may be cached freely.
    pub(super) exclusive: bool,
    /// Options that ask for ids to be mapped.
    pub(super) id_mapped: bool,
    /// What is mounted there already changes.
    pub(super) remount: bool,
    /// How mounts on it propagate; the last word counts.
    pub(super) propagation: Option<(Propagation, Depth)>,
}

/// MS_* as the kernel's configuration holds them.
pub(super) type MsFlagBits = u32;

/// How much a bind mount takes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bind {
    /// One mount.
    One,
    /// With the mounts below.
    Recursive,
}

fn bits(flags: MsFlags) -> MsFlagBits {
    u32::try_from(flags.bits()).unwrap_or(0)
}

/// (name, flag, whether the name clears it)
const FLAGS: &[(&str, MsFlags, bool)] = &[
    ("async", MsFlags::MS_SYNCHRONOUS, true),
    ("atime", MsFlags::MS_NOATIME, true),
    ("dev", MsFlags::MS_NODEV, true),
    ("diratime", MsFlags::MS_NODIRATIME, true),
    ("dirsync", MsFlags::MS_DIRSYNC, false),
    ("exec", MsFlags::MS_NOEXEC, true),
    ("noatime", MsFlags::MS_NOATIME, false),
    ("nodev", MsFlags::MS_NODEV, false),
    ("nodiratime", MsFlags::MS_NODIRATIME, false),
    ("noexec", MsFlags::MS_NOEXEC, false),
    ("norelatime", MsFlags::MS_RELATIME, true),
    ("nostrictatime", MsFlags::MS_STRICTATIME, true),
    ("nosuid", MsFlags::MS_NOSUID, false),
    ("relatime", MsFlags::MS_RELATIME, false),
    ("ro", MsFlags::MS_RDONLY, false),
    ("rw", MsFlags::MS_RDONLY, true),
    ("strictatime", MsFlags::MS_STRICTATIME, false),
    ("suid", MsFlags::MS_NOSUID, true),
    ("sync", MsFlags::MS_SYNCHRONOUS, false),
];

/// Names that change nothing inside: the container's kernel has no other behaviour.
const WITHOUT_EFFECT: &[&str] = &[
    "defaults",
    "iversion",
    "lazytime",
    "loud",
    "mand",
    "noiversion",
    "nolazytime",
    "nomand",
    "silent",
    "symfollow",
];

/// How mounts on the mount propagate.
const PROPAGATION: &[(&str, (Propagation, Depth))] = &[
    ("private", (Propagation::Private, Depth::One)),
    ("rprivate", (Propagation::Private, Depth::All)),
    ("rshared", (Propagation::Shared, Depth::All)),
    ("rslave", (Propagation::Slave, Depth::All)),
    ("runbindable", (Propagation::Unbindable, Depth::All)),
    ("shared", (Propagation::Shared, Depth::One)),
    ("slave", (Propagation::Slave, Depth::One)),
    ("unbindable", (Propagation::Unbindable, Depth::One)),
];

/// What a word for propagation means; `None` for others.
pub(super) fn propagation(word: &str) -> Option<(Propagation, Depth)> {
    let found = PROPAGATION.iter().find(|(name, _)| *name == word);
    found.map(|(_, propagation)| *propagation)
}

/// All names that mean something, sorted.
pub(crate) fn names() -> Vec<String> {
    let flags = FLAGS.iter().map(|(name, ..)| *name);
    let recursive = flags.clone().map(|name| format!("r{name}"));
    let others = ["bind", "rbind", "remount"]
        .into_iter()
        .chain(WITHOUT_EFFECT.iter().copied())
        .chain(PROPAGATION.iter().map(|(name, _)| *name));
    let mut names: Vec<_> = flags
        .chain(others)
        .map(str::to_owned)
        .chain(recursive)
        .collect();
    names.sort();
    names
}

impl Options {
    /// Sorts the options of a mount.
    pub(super) fn parse(list: &[String]) -> Self {
        let mut options = Options::default();
        for option in list {
            options.add(option);
        }
        options
    }

    fn add(&mut self, option: &str) {
        match option {
            "bind" => self.bind = self.bind.or(Some(Bind::One)),
            "rbind" => self.bind = Some(Bind::Recursive),
            "idmap" | "ridmap" => self.id_mapped = true,
            "remount" => self.remount = true,
            "exclusive" => self.exclusive = true,
            _ if WITHOUT_EFFECT.contains(&option) => {}
            _ if self.add_flag(option) => {}
            _ if propagation(option).is_some() => self.propagation = propagation(option),
            _ => self.data.push(option.to_owned()),
        }
    }

    fn add_flag(&mut self, option: &str) -> bool {
        let find = |name: &str| FLAGS.iter().find(|(known, ..)| *known == name);
        let (entry, recursive) = match find(option) {
            Some(entry) => (Some(entry), false),
            None => (option.strip_prefix('r').and_then(find), true),
        };
        let Some((_, flag, clear)) = entry else {
            return false;
        };
        let flag = bits(*flag);
        let sets = if recursive {
            [Some(&mut self.flags), Some(&mut self.recursive)]
        } else {
            [Some(&mut self.flags), None]
        };
        for set in sets.into_iter().flatten() {
            if *clear {
                *set &= !flag;
            } else {
                *set |= flag;
            }
        }
        true
    }

    /// True with "ro".
    pub(super) fn readonly(&self) -> bool {
        self.flags & bits(MsFlags::MS_RDONLY) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Bind, Depth, Options, Propagation, bits};
    use nix::mount::MsFlags;

    fn parse(options: &str) -> Options {
        let list: Vec<String> = options.split(',').map(str::to_owned).collect();
        Options::parse(&list)
    }

    #[test]
    fn flags_data_and_bind_are_told_apart() {
        let options = parse("rbind,rprivate,ro,nosuid,size=65536k,mode=755,rw");
        assert_eq!(options.bind, Some(Bind::Recursive));
        assert_eq!(options.flags, bits(MsFlags::MS_NOSUID));
        assert_eq!(options.data, ["size=65536k", "mode=755"]);
        assert_eq!(
            options.propagation,
            Some((Propagation::Private, Depth::All))
        );
        assert!(!options.readonly());
    }

    #[test]
    fn bind_does_not_undo_rbind() {
        assert_eq!(parse("rbind,bind").bind, Some(Bind::Recursive));
        assert_eq!(parse("bind,rbind").bind, Some(Bind::Recursive));
    }

    #[test]
    fn recursive_options_hold_below_too() {
        let options = parse("rbind,rro,rnosuid,nodev");
        let below = bits(MsFlags::MS_RDONLY | MsFlags::MS_NOSUID);
        assert_eq!(options.recursive, below);
        assert_eq!(options.flags, below | bits(MsFlags::MS_NODEV));
    }
}

//! Which ids a user name space knows, user_namespaces(7), "User and group ID mappings".
//!
//! The kernel itself knows users and groups by their ids in the first user name space. Ids
//! change their meaning at the border alone: what a program says is looked up in its own
//! name space's map, and what it hears is translated back.

use std::fmt::Write;

use syscalls::Errno;
use syscalls::errno::EINVAL;

/// The most extents, UID_GID_MAP_MAX_EXTENTS.
const MAX_EXTENTS: usize = 340;

/// So many ids in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The first, in the name space.
    pub(crate) inside: u32,
    /// The first, in the parent as written, in the kernel once it holds.
    pub(crate) outside: u32,
    /// How many.
    pub(crate) count: u32,
}

/// What each id of a name space is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IdMap {
    extents: Box<[Extent]>,
}

/// True if both ranges have an id together.
fn overlap(a: u32, b: u32, counts: (u32, u32)) -> bool {
    let end = |start: u32, count: u32| u64::from(start) + u64::from(count);
    u64::from(a) < end(b, counts.1) && u64::from(b) < end(a, counts.0)
}

impl IdMap {
    /// That of the first name space: every id is itself.
    pub(crate) fn identity() -> Self {
        let all = Extent {
            inside: 0,
            outside: 0,
            count: u32::MAX,
        };
        IdMap {
            extents: [all].into(),
        }
    }

    /// The kernel's id for the name space's.
    pub(crate) fn to_kernel(&self, id: u32) -> Option<u32> {
        self.extents.iter().find_map(|extent| {
            let distance = id.checked_sub(extent.inside)?;
            (distance < extent.count).then(|| extent.outside.wrapping_add(distance))
        })
    }

    /// The name space's id for the kernel's.
    pub(crate) fn known(&self, id: u32) -> Option<u32> {
        self.extents.iter().find_map(|extent| {
            let distance = id.checked_sub(extent.outside)?;
            (distance < extent.count).then(|| extent.inside.wrapping_add(distance))
        })
    }

    /// What was written to /proc/PID/uid_map: lines of three numbers. `EINVAL`.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Errno> {
        let text = std::str::from_utf8(text).map_err(|_| EINVAL)?;
        // What follows a null byte is not looked at.
        let text = text.split('\0').next().unwrap_or_default();
        let mut extents: Vec<Extent> = Vec::new();
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            let mut fields = line.split_ascii_whitespace().map(str::parse::<u32>);
            let mut number = || fields.next().and_then(Result::ok).ok_or(EINVAL);
            let new = Extent {
                inside: number()?,
                outside: number()?,
                count: number()?,
            };
            let ends = |start: u32| start.checked_add(new.count).is_some_and(|end| end > start);
            let clashes = |old: &Extent| {
                let counts = (old.count, new.count);
                overlap(old.inside, new.inside, counts) || overlap(old.outside, new.outside, counts)
            };
            if fields.next().is_some()
                || !ends(new.inside)
                || !ends(new.outside)
                || extents.iter().any(clashes)
                || extents.len() == MAX_EXTENTS
            {
                return Err(EINVAL);
            }
            extents.push(new);
        }
        Ok(IdMap {
            extents: extents.into(),
        })
    }

    /// The same with the kernel's ids, where `self` was written in terms of `parent`'s;
    /// `None` if that does not have them all.
    pub(crate) fn within(&self, parent: &IdMap) -> Option<Self> {
        let translate = |extent: &Extent| {
            let holds = parent.extents.iter().find(|above| {
                let distance = extent.outside.checked_sub(above.inside);
                distance.is_some_and(|distance| {
                    u64::from(distance) + u64::from(extent.count) <= u64::from(above.count)
                })
            })?;
            Some(Extent {
                outside: holds.outside + (extent.outside - holds.inside),
                ..*extent
            })
        };
        let extents: Option<Vec<Extent>> = self.extents.iter().map(translate).collect();
        Some(IdMap {
            extents: extents?.into(),
        })
    }

    /// Before anybody has written it.
    pub(crate) fn is_empty(&self) -> bool {
        self.extents.is_empty()
    }

    /// The one id that it maps, as written.
    pub(crate) fn only(&self) -> Option<u32> {
        match &*self.extents {
            [extent] if extent.count == 1 => Some(extent.outside),
            _ => None,
        }
    }

    /// True if it gives the parent's root to the name space, as written.
    pub(crate) fn has_root(&self) -> bool {
        self.extents.iter().any(|extent| extent.outside == 0)
    }

    /// As /proc/PID/uid_map shows it to one who has the ids of `to`.
    pub(crate) fn text(&self, to: &IdMap) -> Vec<u8> {
        let mut text = String::new();
        for extent in &self.extents {
            let outside = to.known(extent.outside).unwrap_or(u32::MAX);
            let (inside, count) = (extent.inside, extent.count);
            // Writing to a string does not fail.
            let _ = writeln!(text, "{inside:10} {outside:10} {count:10}");
        }
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::{EINVAL, IdMap};

    #[test]
    fn both_ways() {
        let written = IdMap::parse(b"0 1000 1\n1 100000 65536\n").expect("valid");
        let map = written.within(&IdMap::identity()).expect("all are known");
        assert_eq!(map.to_kernel(0), Some(1000));
        assert_eq!(map.to_kernel(5), Some(100_004));
        assert_eq!(map.to_kernel(65_537), None);
        assert_eq!(map.known(1000), Some(0));
        assert_eq!(map.known(0), None);
        assert_eq!(map.to_kernel(u32::MAX), None);
    }

    #[test]
    fn what_is_refused() {
        let bad: [&[u8]; 7] = [
            b"",
            b"0 0",
            b"0 0 0",
            b"0 0 1 1",
            b"0 4294967295 2",
            b"0 1000 2\n1 2000 1",
            b"0 1000 2\n5 1001 1",
        ];
        for text in bad {
            assert_eq!(IdMap::parse(text), Err(EINVAL));
        }
    }

    #[test]
    fn a_map_lies_in_its_parents() {
        let outer = IdMap::parse(b"0 1000 10").expect("valid");
        let outer = outer.within(&IdMap::identity()).expect("all are known");
        let inner = IdMap::parse(b"7 2 3").expect("valid");
        let inside = inner.within(&outer).expect("the parent has them");
        assert_eq!(inside.to_kernel(7), Some(1002));
        assert_eq!(inside.text(&outer), b"         7          2          3\n");
        let beyond = IdMap::parse(b"0 8 3").expect("valid");
        assert_eq!(beyond.within(&outer), None);
    }
}

//! proc_pid_maps(5), proc_pid_smaps(5).

use platform::Prot;
use syscalls::Errno;

use super::Process;
use crate::fs::synth::{Opener, put};
use crate::mm::{MapInfo, MapName, VmaFlags};
use crate::vfs::{DeviceNumber, Location};

/// Where the name stands in a line, characters from its start.
const NAME_AT: usize = 73;

/// A file's name as `root` sees it; newlines would end the line.
fn file_name(out: &mut Vec<u8>, name: &[u8]) {
    for &byte in name {
        match byte {
            b'\n' => out.extend_from_slice(b"\\012"),
            _ => out.push(byte),
        }
    }
}

fn name(map: &MapInfo, root: &Location) -> Vec<u8> {
    let mut out = Vec::new();
    match (&map.file, &map.name) {
        (Some(file), _) => file_name(&mut out, &file.location.path(root)),
        (None, Some(MapName::Vdso)) => out.extend_from_slice(b"[vdso]"),
        (None, Some(MapName::Trampolines)) => {}
        (None, Some(MapName::Vvar)) => out.extend_from_slice(b"[vvar]"),
        (None, Some(MapName::Heap)) => out.extend_from_slice(b"[heap]"),
        (None, Some(MapName::Stack)) => out.extend_from_slice(b"[stack]"),
        (None, Some(MapName::Anonymous(name))) => {
            let kind: &[u8] = match map.flags.contains(VmaFlags::SHARED) {
                true => b"[anon_shmem:",
                false => b"[anon:",
            };
            out.extend_from_slice(kind);
            out.extend_from_slice(name);
            out.push(b']');
        }
        (None, Some(MapName::SharedMemory(name))) => file_name(&mut out, name),
        (None, None) => {}
    }
    out
}

fn line(out: &mut Vec<u8>, map: &MapInfo, root: &Location) {
    let shared = map.flags.contains(VmaFlags::SHARED);
    let letter = |prot, letter| if map.prot.contains(prot) { letter } else { '-' };
    let (dev, ino) = match &map.file {
        Some(file) => (file.inode().super_block().dev, file.inode().ino()),
        None => (0, 0),
    };
    let dev = DeviceNumber::from_raw(dev);
    let mut text = String::new();
    put!(text, "{:08x}-{:08x} ", map.start.get(), map.end.get());
    text.push(letter(Prot::READ, 'r'));
    text.push(letter(Prot::WRITE, 'w'));
    text.push(letter(Prot::EXEC, 'x'));
    text.push(if shared { 's' } else { 'p' });
    put!(
        text,
        " {:08x} {:02x}:{:02x} {ino} ",
        map.offset,
        dev.major,
        dev.minor
    );
    let name = name(map, root);
    if !name.is_empty() {
        while text.len() < NAME_AT {
            text.push(' ');
        }
    }
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(&name);
    out.push(b'\n');
}

/// All mappings, and the root that names are relative to.
fn all(process: &Process, opener: &Opener) -> Result<Option<(Vec<MapInfo>, Location)>, Errno> {
    let reader = opener.task.upgrade();
    let root = match reader {
        Some(reader) => reader.root(),
        None => process.task()?.root(),
    };
    Ok(opener.memory.upgrade().map(|mm| (mm.maps(), root)))
}

pub(super) fn maps(process: &Process, opener: &Opener) -> Result<Vec<u8>, Errno> {
    let mut out = Vec::new();
    if let Some((maps, root)) = all(process, opener)? {
        for map in &maps {
            line(&mut out, map, &root);
        }
    }
    Ok(out)
}

/// Where the pages of one mapping or more are, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pages {
    rss: u64,
    anonymous: u64,
    shared: u64,
    dirty: u64,
    locked: u64,
}

impl Pages {
    fn of(map: &MapInfo) -> Self {
        let rss = map.rss();
        let locked = map.flags.contains(VmaFlags::LOCKED);
        Pages {
            rss,
            anonymous: map.anonymous,
            shared: map.shared,
            dirty: map.dirty,
            locked: if locked { rss } else { 0 },
        }
    }

    fn add(&mut self, other: Pages) {
        self.rss += other.rss;
        self.anonymous += other.anonymous;
        self.shared += other.shared;
        self.dirty += other.dirty;
        self.locked += other.locked;
    }

    fn put(&self, text: &mut String, rollup: bool) {
        // Pages that processes share are of memory that one of them has written.
        let private_dirty = self.dirty.saturating_sub(self.shared);
        let private_clean = self.rss.saturating_sub(self.shared + private_dirty);
        // With how many processes a page is shared is not known: at least two.
        let pss = self.rss.saturating_sub(self.shared) + self.shared / 2;
        let anonymous = self.anonymous.saturating_sub(self.shared) + self.shared / 2;
        let mut line = |name: &str, bytes: u64| {
            put!(text, "{:<16}{:>8} kB\n", format!("{name}:"), bytes >> 10);
        };
        line("Rss", self.rss);
        line("Pss", pss);
        line("Pss_Dirty", private_dirty + self.shared / 2);
        if rollup {
            line("Pss_Anon", anonymous);
            line("Pss_File", pss.saturating_sub(anonymous));
            line("Pss_Shmem", 0);
        }
        line("Shared_Clean", 0);
        line("Shared_Dirty", self.shared);
        line("Private_Clean", private_clean);
        line("Private_Dirty", private_dirty);
        line("Referenced", self.rss);
        line("Anonymous", self.anonymous);
        for name in [
            "KSM",
            "LazyFree",
            "AnonHugePages",
            "ShmemPmdMapped",
            "FilePmdMapped",
            "Shared_Hugetlb",
            "Private_Hugetlb",
            "Swap",
            "SwapPss",
        ] {
            line(name, 0);
        }
        line("Locked", self.locked);
    }
}

/// Two letters for each property, as Linux names them.
fn flags(map: &MapInfo) -> String {
    let prot = [
        (map.prot, Prot::READ, "rd"),
        (map.prot, Prot::WRITE, "wr"),
        (map.prot, Prot::EXEC, "ex"),
    ];
    let may = [
        (map.may, Prot::READ, "mr"),
        (map.may, Prot::WRITE, "mw"),
        (map.may, Prot::EXEC, "me"),
    ];
    let properties = [
        (VmaFlags::GROWS_DOWN, "gd"),
        (VmaFlags::LOCKED, "lo"),
        (VmaFlags::SEQUENTIAL, "sr"),
        (VmaFlags::RANDOM, "rr"),
        (VmaFlags::DONT_FORK, "dc"),
        (VmaFlags::DONT_EXPAND, "de"),
        (VmaFlags::ACCOUNT, "ac"),
        (VmaFlags::NO_RESERVE, "nr"),
        (VmaFlags::WIPE_ON_FORK, "wf"),
        (VmaFlags::DONT_DUMP, "dd"),
        (VmaFlags::HUGE, "hg"),
        (VmaFlags::NO_HUGE, "nh"),
        (VmaFlags::MERGEABLE, "mg"),
        (VmaFlags::SEALED, "sl"),
    ];
    let mut words = Vec::new();
    let granted =
        |(set, prot, word): &(Prot, Prot, &'static str)| set.contains(*prot).then_some(*word);
    words.extend(prot.iter().filter_map(granted));
    if map.flags.contains(VmaFlags::SHARED) {
        words.push("sh");
    }
    words.extend(may.iter().filter_map(granted));
    if map.flags.contains(VmaFlags::SHARED) {
        words.push("ms");
    }
    let has = |(flag, word): &(VmaFlags, &'static str)| map.flags.contains(*flag).then_some(*word);
    words.extend(properties.iter().filter_map(has));
    let mut text = String::from("VmFlags: ");
    for word in words {
        put!(text, "{word} ");
    }
    text.push('\n');
    text
}

pub(super) fn smaps(process: &Process, opener: &Opener) -> Result<Vec<u8>, Errno> {
    let mut out = Vec::new();
    let Some((maps, root)) = all(process, opener)? else {
        return Ok(out);
    };
    for map in &maps {
        line(&mut out, map, &root);
        let mut text = String::new();
        let size = (map.end.get() - map.start.get()) >> 10;
        put!(text, "Size:           {size:>8} kB\n");
        text.push_str("KernelPageSize:        4 kB\nMMUPageSize:           4 kB\n");
        Pages::of(map).put(&mut text, false);
        text.push_str("THPeligible:           0\n");
        text.push_str(&flags(map));
        out.extend_from_slice(text.as_bytes());
    }
    Ok(out)
}

pub(super) fn smaps_rollup(process: &Process, opener: &Opener) -> Result<Vec<u8>, Errno> {
    let Some((maps, _)) = all(process, opener)? else {
        return Ok(Vec::new());
    };
    let (Some(first), Some(last)) = (maps.first(), maps.last()) else {
        return Ok(Vec::new());
    };
    let mut sum = Pages::default();
    maps.iter().for_each(|map| sum.add(Pages::of(map)));
    let mut text = String::new();
    put!(
        text,
        "{:08x}-{:08x} ---p 00000000 00:00 0 ",
        first.start.get(),
        last.end.get()
    );
    while text.len() < NAME_AT {
        text.push(' ');
    }
    text.push_str("[rollup]\n");
    sum.put(&mut text, true);
    Ok(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use platform::Prot;
    use syscalls::UserAddr;

    use super::{Pages, flags};
    use crate::mm::{MapInfo, VmaFlags};

    fn map() -> MapInfo {
        MapInfo {
            start: UserAddr::new(0x1000),
            end: UserAddr::new(0x9000),
            prot: Prot::READ | Prot::WRITE,
            may: Prot::READ | Prot::WRITE | Prot::EXEC,
            flags: VmaFlags::ACCOUNT | VmaFlags::LOCKED,
            offset: 0,
            file: None,
            name: None,
            anonymous: 0x4000,
            file_pages: 0x1000,
            shared: 0x2000,
            dirty: 0x4000,
        }
    }

    #[test]
    fn properties() {
        assert_eq!(flags(&map()), "VmFlags: rd wr mr mw me lo ac \n");
    }

    #[test]
    fn sums_agree() {
        let mut text = String::new();
        Pages::of(&map()).put(&mut text, true);
        let value = |name: &str| -> u64 {
            let line = text.lines().find(|l| l.starts_with(&format!("{name}:")));
            let value = line.and_then(|line| line.split_ascii_whitespace().nth(1));
            value
                .and_then(|value| value.parse().ok())
                .expect("a number")
        };
        assert_eq!(value("Rss"), 20);
        assert_eq!(value("Locked"), 20);
        let parts = [
            "Shared_Clean",
            "Shared_Dirty",
            "Private_Clean",
            "Private_Dirty",
        ];
        assert_eq!(parts.map(value).iter().sum::<u64>(), value("Rss"));
        assert_eq!(value("Pss_Anon") + value("Pss_File"), value("Pss"));
        assert_eq!(text.lines().next(), Some("Rss:                  20 kB"));
    }
}

//! Where a dump goes: kernel.core_pattern and kernel.core_uses_pid, core(5).

use crate::task::{Current, Resource};

/// The longest pattern, bytes.
const MAX: usize = 127;

/// The file's path; `None` for none at all, and for programs and sockets.
pub(super) fn path(task: &Current, signal: i32) -> Option<Vec<u8>> {
    let pattern = task.kernel.sysctls.text("kernel.core_pattern", "core");
    let pattern = pattern.get(..MAX).unwrap_or(&pattern);
    if pattern.is_empty() || matches!(pattern.first(), Some(b'|' | b'@')) {
        return None;
    }
    let mut path = Vec::new();
    let mut has_pid = false;
    let mut rest = pattern.iter();
    while let Some(&byte) = rest.next() {
        if byte != b'%' {
            path.push(byte);
            continue;
        }
        let Some(&kind) = rest.next() else { break };
        has_pid |= kind == b'p';
        path.extend(field(task, signal, kind));
    }
    if !has_pid && task.kernel.sysctls.number("kernel.core_uses_pid", 0) != 0 {
        path.extend(format!(".{}", task.own_pid()).into_bytes());
    }
    Some(path)
}

/// What a letter stands for; nothing for unknown ones.
fn field(task: &Current, signal: i32, kind: u8) -> Vec<u8> {
    let creds = task.creds.get();
    let number = match kind {
        b'%' => return b"%".to_vec(),
        b'h' => return without_slashes(&task.uts.get().get().host),
        b'e' | b'f' => return without_slashes(&task.name.get()),
        b'E' => {
            let exe = task.mem().exe();
            let path = exe.map(|exe| exe.location.path(&task.root()));
            return without_slashes(&path.unwrap_or_default());
        }
        b'p' => i64::from(task.own_pid()),
        b'P' => i64::from(task.pid()),
        b'i' => i64::from(task.own_tid()),
        b'I' => i64::from(task.tid()),
        b'u' => i64::from(creds.user.shown_uid(creds.uid.real)),
        b'g' => i64::from(creds.user.shown_gid(creds.gid.real)),
        b'd' => i64::from(task.group.is_dumpable()),
        b's' => i64::from(signal),
        b't' => {
            let seconds = crate::time::now_realtime() / 1_000_000_000;
            i64::try_from(seconds).unwrap_or(i64::MAX)
        }
        b'c' => {
            return task
                .group
                .limits
                .soft(Resource::Core)
                .to_string()
                .into_bytes();
        }
        _ => return Vec::new(),
    };
    number.to_string().into_bytes()
}

/// As Linux shows paths in names of files.
fn without_slashes(text: &[u8]) -> Vec<u8> {
    match text {
        b"." => b"!".to_vec(),
        b".." => b"!.".to_vec(),
        text => text
            .iter()
            .map(|&b| if b == b'/' { b'!' } else { b })
            .collect(),
    }
}

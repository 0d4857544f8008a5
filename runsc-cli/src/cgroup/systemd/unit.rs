//! What a container's unit is called.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome};

/// A unit of systemd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unit {
    /// "docker-ID.scope".
    pub(crate) name: String,
    /// The slice that it is in: "system.slice".
    pub(crate) slice: String,
}

/// The slice of containers that do not say which.
const SLICE: &str = "system.slice";

impl Unit {
    /// The unit of container `id`; `path` is `linux.cgroupsPath`, "slice:prefix:name".
    pub(crate) fn of(id: &str, path: Option<&Path>) -> Outcome<Self> {
        let text = path.unwrap_or(Path::new("")).to_string_lossy().into_owned();
        if text.is_empty() {
            return Unit::new(SLICE, "runsk", id);
        }
        match text.split(':').collect::<Vec<_>>()[..] {
            [slice, prefix, name] => Unit::new(slice, prefix, name),
            _ => Err(Failure::new(format!(
                "linux.cgroupsPath \"{text}\" is not \"slice:prefix:name\", as --systemd-cgroup \
                 needs it"
            ))),
        }
    }

    fn new(slice: &str, prefix: &str, name: &str) -> Outcome<Self> {
        let slice = if slice.is_empty() { SLICE } else { slice };
        let name = match prefix {
            _ if name.ends_with(".slice") => name.to_owned(),
            "" => format!("{name}.scope"),
            prefix => format!("{prefix}-{name}.scope"),
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@+".contains(c);
        let valid = |text: &str| text.chars().all(allowed) && !text.starts_with('.');
        if !valid(&name) || name.starts_with("-.") || name == ".scope" {
            return Err(Failure::new(format!(
                "linux.cgroupsPath: \"{name}\" is not a name that systemd gives to a unit"
            )));
        }
        let unit = Unit {
            name,
            slice: slice.to_owned(),
        };
        if !valid(slice) {
            return Err(unit.bad_slice());
        }
        unit.dir().map(|_| unit)
    }

    fn bad_slice(&self) -> Failure {
        Failure::new(format!(
            "linux.cgroupsPath: \"{}\" is not a slice like \"a-b.slice\"",
            self.slice
        ))
    }

    /// Where it is, relative to the root of each hierarchy: "a-b.slice" is in "a.slice".
    pub(crate) fn dir(&self) -> Outcome<PathBuf> {
        let parts = self.slice.strip_suffix(".slice");
        let parts = parts.ok_or_else(|| self.bad_slice())?;
        let mut dir = PathBuf::new();
        // The root slice.
        if parts != "-" {
            let mut so_far = String::new();
            for part in parts.split('-') {
                if part.is_empty() {
                    return Err(self.bad_slice());
                }
                so_far.push_str(part);
                dir.push(format!("{so_far}.slice"));
                so_far.push('-');
            }
        }
        dir.push(&self.name);
        Ok(dir)
    }
}

#[cfg(test)]
mod tests {
    use super::Unit;
    use std::path::Path;

    fn dir(path: &str) -> Result<String, String> {
        let unit = Unit::of("c1", Some(Path::new(path)));
        let dir = unit.and_then(|unit| unit.dir());
        dir.map(|dir| dir.display().to_string())
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn places_of_units() {
        for (path, expected) in [
            ("", "system.slice/runsk-c1.scope"),
            ("system.slice:docker:6d2f", "system.slice/docker-6d2f.scope"),
            (":docker:6d2f", "system.slice/docker-6d2f.scope"),
            (
                "kubepods-burstable-pod1.slice:cri-containerd:c3",
                "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/\
                 cri-containerd-c3.scope",
            ),
            ("-.slice:p:n", "p-n.scope"),
            ("a.slice::n", "a.slice/n.scope"),
            ("a.slice::a-b.slice", "a.slice/a-b.slice"),
        ] {
            assert_eq!(dir(path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn what_is_no_unit() {
        for path in [
            "/a/b",
            "a:b",
            "a.slice:b:c:d",
            "a:b:c",
            "a--b.slice:p:n",
            "../x.slice:p:n",
            "a.slice:p:../n",
            "a.slice::",
        ] {
            let message = dir(path).expect_err(path);
            assert!(message.starts_with("linux.cgroupsPath"), "{message}");
        }
    }
}

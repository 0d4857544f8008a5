//! What `linux.cgroupsPath` means.

use std::path::{Path, PathBuf};

use super::hierarchy::relative;
use crate::failure::{Failure, Outcome};

/// Where the cgroup is to be, in every hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Below the root.
    Absolute(PathBuf),
    /// Below the caller's own.
    Relative(PathBuf),
}

/// The place that container `id` asks for.
pub(super) fn place(id: &str, path: Option<&Path>) -> Outcome<Place> {
    let path = path.filter(|path| !path.as_os_str().is_empty());
    let Some(path) = path else {
        return Ok(Place::Absolute(relative(Path::new(id))));
    };
    let inside = relative(path);
    if inside.as_os_str().is_empty() {
        return Err(Failure::new(format!(
            "linux.cgroupsPath \"{}\" is the cgroup of others: name one for the container alone",
            path.display()
        )));
    }
    Ok(if path.is_absolute() {
        Place::Absolute(inside)
    } else {
        Place::Relative(inside)
    })
}

#[cfg(test)]
mod tests {
    use super::{Place, place};
    use std::path::Path;

    #[test]
    fn places() {
        let of = |path: &str| place("c1", Some(Path::new(path))).map_err(|e| e.to_string());
        assert_eq!(of("/a/b"), Ok(Place::Absolute("a/b".into())));
        assert_eq!(of("a/b"), Ok(Place::Relative("a/b".into())));
        assert_eq!(of("/a/../../b"), Ok(Place::Absolute("b".into())));
        assert_eq!(of(""), Ok(Place::Absolute("c1".into())));
        assert!(of("/").is_err());
        assert!(of("a/..").is_err());
    }
}

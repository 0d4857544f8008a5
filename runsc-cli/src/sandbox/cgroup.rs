//! The cgroup that a sandbox's processes are put into.

use super::ids::Caller;
use crate::cgroup::{Cgroup, Driver};
use crate::failure::{Failure, Outcome};
use crate::spec::Container;

/// Makes the cgroup that a container asks for. `None` if the caller cannot make one: then
/// what limits the container is its own kernel. `note` is told of it before it is made.
pub(crate) fn make(
    container: &Container,
    id: &str,
    driver: Driver,
    note: impl FnOnce(&Cgroup) -> Outcome<()>,
) -> Outcome<Option<Cgroup>> {
    let Some(asked) = &container.cgroup else {
        return Ok(None);
    };
    let limited = Cgroup::is_limited_by(&asked.resources)?;
    if Caller::current()? == Caller::Ordinary {
        if limited {
            log::warn!(
                "config.json: linux.resources: an ordinary user cannot make a cgroup: only the \
                 container's own kernel keeps to them"
            );
        }
        return Ok(None);
    }
    let (path, resources) = (asked.path.as_deref(), Some(&asked.resources));
    match Cgroup::create(driver, id, path, resources, note) {
        Ok(cgroup) => Ok(Some(cgroup)),
        // Nothing was asked for that is missing now.
        Err(failure) if !limited && asked.path.is_none() && driver == Driver::Files => {
            log::warn!("the container has no cgroup: {failure}");
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// Adds what the host's kernel did to a sandbox that it had no memory for.
pub(crate) fn explain(failure: Failure, cgroup: &Cgroup) -> Failure {
    match cgroup.oom_kills() {
        0 => failure,
        _ => Failure::new(format!(
            "{failure}: the host's kernel ended it for lack of memory: raise \
             linux.resources.memory.limit"
        )),
    }
}

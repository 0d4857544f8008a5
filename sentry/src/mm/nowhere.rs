//! Memory in which nothing ever runs: of a task that has not loaded its program yet. It costs
//! no host process.

use std::any::Any;
use std::sync::Arc;

use platform::{AddressSpace, Error, MapOp, MemoryFile, Platform};

use super::layout::Layout;
use super::state::State;
use super::{Limits, Mm};

struct Nowhere;

impl AddressSpace for Nowhere {
    fn apply(&self, _: &[MapOp]) -> Result<(), Error> {
        Ok(())
    }

    fn fork(&self) -> Result<Arc<dyn AddressSpace>, Error> {
        Err(Error::Died)
    }

    fn retire(&self, keep: Box<dyn Send>) {
        drop(keep);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Mm {
    /// Memory for a task that is yet to load a program.
    pub(crate) fn nowhere(platform: &dyn Platform, file: &MemoryFile, limits: Limits) -> Arc<Self> {
        let (low, high) = platform.user_range();
        let layout = Layout::new(low.get(), high.get(), limits.stack);
        Self::with(file, limits, Arc::new(Nowhere), |_, _| State::new(layout))
    }
}

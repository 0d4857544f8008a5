//! Open files whose text is generated.

use std::any::Any;
use std::sync::{Arc, Weak};

use syscalls::errno::{E2BIG, EINVAL};
use syscalls::{Errno, PAGE_SIZE};

use super::{Behaviour, Synthetic};
use crate::mm::Mm;
use crate::sync::{Level, Slot};
use crate::task::{Credentials, Current, Task};
use crate::vfs::{File, FileOps, SeekFrom, Sink, Source};

/// Who opened a file: what is shown depends on that, not on who reads.
pub struct Opener {
    /// The thread.
    pub task: Weak<Task>,
    /// As whom it acted then.
    pub creds: Arc<Credentials>,
    /// See [`Text::memory`].
    pub memory: Weak<Mm>,
}

impl Opener {
    /// The running task.
    #[must_use]
    pub fn new(task: &Current) -> Self {
        Opener {
            task: Arc::downgrade(task.task()),
            creds: task.creds.get(),
            memory: Weak::new(),
        }
    }
}

/// A file's text.
#[allow(
    unused_variables,
    reason = "the default refuses whatever the arguments"
)]
pub trait Text: Behaviour {
    /// All of it.
    fn text(&self, opener: &Opener) -> Result<Vec<u8>, Errno>;

    /// The memory that the text is about, if any: what a file opened before an execve(2)
    /// shows is gone with the old program.
    fn memory(&self) -> Weak<Mm> {
        Weak::new()
    }

    /// Takes what one write(2) wrote, at most a page.
    fn store(&self, opener: &Opener, data: &[u8]) -> Result<(), Errno> {
        Err(EINVAL)
    }
}

/// The longest write, bytes.
const MAX_WRITE: usize = 4096;
const _: () = assert!(MAX_WRITE as u64 == PAGE_SIZE);

/// Opens a file whose text is generated at the first read, and again by a read at
/// position 0: small reads in a row see one text.
#[must_use]
pub fn open_text<B: Text>(inode: &Arc<Synthetic<B>>, task: &Current) -> Box<dyn FileOps> {
    let opener = Opener {
        memory: inode.behaviour.memory(),
        ..Opener::new(task)
    };
    Box::new(OpenText {
        inode: inode.clone(),
        opener,
        text: Slot::new(Level::Leaf, None),
    })
}

struct OpenText<B> {
    inode: Arc<Synthetic<B>>,
    opener: Opener,
    text: Slot<Option<Arc<[u8]>>>,
}

impl<B: Text> OpenText<B> {
    fn text(&self, pos: u64) -> Result<Arc<[u8]>, Errno> {
        if pos > 0
            && let Some(text) = self.text.get()
        {
            return Ok(text);
        }
        let text: Arc<[u8]> = self.inode.behaviour.text(&self.opener)?.into();
        self.text.set(Some(text.clone()));
        Ok(text)
    }

    fn store(&self, src: &mut Source<'_>) -> Result<usize, Errno> {
        let len = src.remaining();
        if len > MAX_WRITE {
            return Err(E2BIG);
        }
        let mut data = vec![0; len];
        let count = src.read(&mut data)?;
        data.truncate(count);
        self.inode.behaviour.store(&self.opener, &data)?;
        Ok(count)
    }
}

impl<B: Text> FileOps for OpenText<B> {
    fn seekable(&self) -> bool {
        true
    }

    fn read(&self, _: &File, dst: &mut Sink<'_>, pos: u64) -> Result<usize, Errno> {
        let text = self.text(pos)?;
        let rest = usize::try_from(pos).ok().and_then(|pos| text.get(pos..));
        match rest {
            Some(rest) if !rest.is_empty() => dst.write(rest),
            _ => Ok(0),
        }
    }

    /// Whatever the position: every write stands for itself.
    fn write(&self, _: &File, src: &mut Source<'_>, _: u64) -> Result<usize, Errno> {
        self.store(src)
    }

    fn append(&self, _: &File, src: &mut Source<'_>) -> Result<(usize, u64), Errno> {
        let count = self.store(src)?;
        Ok((count, count as u64))
    }

    fn seek(&self, _: &File, from: SeekFrom) -> Result<u64, Errno> {
        match from {
            SeekFrom::Start(pos) => Ok(pos),
            _ => Err(EINVAL),
        }
    }

    fn sync(&self, _: &File, _: bool) -> Result<(), Errno> {
        Err(EINVAL)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

//! Who waits for which word.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use syscalls::Errno;

use crate::mm::FutexKey;
use crate::sync::{Level, Mutex, MutexGuard, lock_both};
use crate::wait::{Ready, Wake};

const BUCKETS: usize = 256;

/// A task that waits.
pub(super) struct Waiter {
    /// Where it stands; changed by a requeue, under both buckets' locks.
    key: Mutex<FutexKey>,
    bitset: u32,
    waker: Arc<dyn Wake>,
    /// Taken out by a waker.
    woken: AtomicBool,
}

impl Waiter {
    pub(super) fn new(key: FutexKey, bitset: u32, waker: Arc<dyn Wake>) -> Arc<Self> {
        Arc::new(Waiter {
            key: Mutex::new(Level::Leaf, key),
            bitset,
            waker,
            woken: AtomicBool::new(false),
        })
    }

    pub(super) fn is_woken(&self) -> bool {
        self.woken.load(Ordering::SeqCst)
    }
}

type Bucket = Vec<Arc<Waiter>>;

/// All waiters of a sandbox.
pub struct FutexTable {
    buckets: Box<[Mutex<Bucket>]>,
    hasher: RandomState,
}

impl Default for FutexTable {
    fn default() -> Self {
        let bucket = || Mutex::new(Level::Futex, Vec::new());
        FutexTable {
            buckets: std::iter::repeat_with(bucket).take(BUCKETS).collect(),
            hasher: RandomState::new(),
        }
    }
}

/// Takes up to `count` waiters that stand at `key` out of `bucket`.
fn take(bucket: &mut Bucket, key: FutexKey, count: usize, bitset: u32) -> Vec<Arc<Waiter>> {
    let mut taken = Vec::new();
    if bucket.is_empty() {
        return taken;
    }
    bucket.retain(|waiter| {
        let hit = taken.len() < count && waiter.bitset & bitset != 0 && *waiter.key.lock() == key;
        if hit {
            waiter.woken.store(true, Ordering::SeqCst);
            taken.push(waiter.clone());
        }
        !hit
    });
    taken
}

fn tell(waiters: &[Arc<Waiter>]) {
    for waiter in waiters {
        waiter.waker.wake(Ready::IN);
    }
}

impl FutexTable {
    fn bucket(&self, key: FutexKey) -> &Mutex<Bucket> {
        let hash = self.hasher.hash_one(key);
        let index = usize::try_from(hash % BUCKETS as u64).unwrap_or(0);
        // The index is below the number of buckets.
        &self.buckets[index]
    }

    /// Adds `waiter` unless `check`, run under the bucket's lock, refuses.
    pub(super) fn enqueue(
        &self,
        waiter: &Arc<Waiter>,
        check: impl FnOnce() -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let key = *waiter.key.lock();
        let mut bucket = self.bucket(key).lock();
        check()?;
        bucket.push(waiter.clone());
        Ok(())
    }

    /// Takes a waiter out that no longer waits. False if a waker was quicker.
    pub(super) fn dequeue(&self, waiter: &Arc<Waiter>) -> bool {
        loop {
            let key = *waiter.key.lock();
            let mut bucket = self.bucket(key).lock();
            if waiter.is_woken() {
                return false;
            }
            if let Some(at) = bucket.iter().position(|other| Arc::ptr_eq(other, waiter)) {
                bucket.remove(at);
                return true;
            }
            // A requeue moved it in between: look where it stands now.
        }
    }

    /// Wakes up to `count` waiters at `key` whose bitset meets `bitset`; returns how many.
    pub fn wake(&self, key: FutexKey, count: usize, bitset: u32) -> usize {
        let woken = take(&mut self.bucket(key).lock(), key, count, bitset);
        tell(&woken);
        woken.len()
    }

    /// Both buckets locked; the second is `None` if they are one.
    fn two(
        &self,
        a: FutexKey,
        b: FutexKey,
    ) -> (MutexGuard<'_, Bucket>, Option<MutexGuard<'_, Bucket>>) {
        let (a, b) = (self.bucket(a), self.bucket(b));
        if std::ptr::eq(a, b) {
            return (a.lock(), None);
        }
        let (a, b) = lock_both(a, b);
        (a, Some(b))
    }

    /// FUTEX_WAKE_OP: changes a word by `change`, wakes at `first`, and at `second` if
    /// `change` says so.
    pub(super) fn wake_op(
        &self,
        first: (FutexKey, usize),
        second: (FutexKey, usize),
        change: impl FnOnce() -> Result<bool, Errno>,
    ) -> Result<usize, Errno> {
        let woken = {
            let (mut one, mut two) = self.two(first.0, second.0);
            let both = change()?;
            let mut woken = take(&mut one, first.0, first.1, u32::MAX);
            if both {
                let bucket = two.as_deref_mut().unwrap_or(&mut one);
                woken.extend(take(bucket, second.0, second.1, u32::MAX));
            }
            woken
        };
        tell(&woken);
        Ok(woken.len())
    }

    /// FUTEX_REQUEUE and FUTEX_CMP_REQUEUE: wakes up to `wake` waiters at `from` and
    /// moves up to `moved` of the others to `to`. Returns both numbers.
    pub(super) fn requeue(
        &self,
        from: FutexKey,
        to: FutexKey,
        wake: usize,
        moved: usize,
        check: impl FnOnce() -> Result<(), Errno>,
    ) -> Result<(usize, usize), Errno> {
        let (woken, moved) = {
            let (mut one, mut two) = self.two(from, to);
            check()?;
            let woken = take(&mut one, from, wake, u32::MAX);
            let mut count = 0;
            let mut moving = Vec::new();
            one.retain(|waiter| {
                let hit = count < moved && *waiter.key.lock() == from;
                if hit {
                    *waiter.key.lock() = to;
                    count += 1;
                    moving.push(waiter.clone());
                }
                !hit
            });
            two.as_deref_mut().unwrap_or(&mut one).extend(moving);
            (woken, count)
        };
        tell(&woken);
        Ok((woken.len(), moved))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{FutexTable, Waiter};
    use crate::mm::FutexKey;
    use crate::wait::{Ready, Wake};

    struct Nobody;

    impl Wake for Nobody {
        fn wake(&self, _: Ready) {}
    }

    fn wait(table: &FutexTable, word: u64, bitset: u32) -> Arc<Waiter> {
        let waiter = Waiter::new(FutexKey::Shared(word), bitset, Arc::new(Nobody));
        table.enqueue(&waiter, || Ok(())).expect("no check");
        waiter
    }

    #[test]
    fn wakes_by_word_bitset_and_count() {
        let table = FutexTable::default();
        let (a, b, c) = (wait(&table, 8, 1), wait(&table, 8, 3), wait(&table, 16, 3));
        assert_eq!(table.wake(FutexKey::Shared(8), 5, 2), 1);
        assert!(!a.is_woken() && b.is_woken() && !c.is_woken());
        assert_eq!(table.wake(FutexKey::Shared(8), 0, u32::MAX), 0);
        assert!(table.dequeue(&a) && !table.dequeue(&b));
        assert_eq!(table.wake(FutexKey::Shared(8), 5, u32::MAX), 0);
        assert_eq!(table.wake(FutexKey::Shared(16), 5, u32::MAX), 1);
        assert!(c.is_woken());
    }

    #[test]
    fn requeued_waiters_wake_at_their_new_word() {
        let table = FutexTable::default();
        let waiters: Vec<_> = (0..5).map(|_| wait(&table, 8, u32::MAX)).collect();
        let (from, to) = (FutexKey::Shared(8), FutexKey::Shared(24));
        assert_eq!(table.requeue(from, to, 1, 3, || Ok(())), Ok((1, 3)));
        assert_eq!(table.wake(from, 9, u32::MAX), 1);
        assert_eq!(table.wake(to, 9, u32::MAX), 3);
        assert!(waiters.iter().all(|w| w.is_woken()));
    }
}

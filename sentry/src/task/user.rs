//! What the processes of one user have together, for limits that hold per user.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crate::sync::{Level, Mutex};

/// A real user id's account.
#[derive(Debug, Default)]
pub struct User {
    /// Living threads, RLIMIT_NPROC.
    pub threads: AtomicU64,
    /// Queued signals, RLIMIT_SIGPENDING.
    pub queued_signals: AtomicU64,
    /// Bytes in POSIX message queues, RLIMIT_MSGQUEUE.
    pub queue_bytes: AtomicU64,
    /// Inotify instances, fs.inotify.max_user_instances.
    pub inotify_instances: AtomicU64,
    /// Their watches, fs.inotify.max_user_watches.
    pub inotify_watches: AtomicU64,
}

/// A thread in its user's count.
#[derive(Debug)]
pub(super) struct ThreadPlace(Arc<User>);

impl ThreadPlace {
    pub(super) fn new(user: Arc<User>) -> Self {
        user.threads.fetch_add(1, Ordering::Relaxed);
        ThreadPlace(user)
    }
}

impl Drop for ThreadPlace {
    fn drop(&mut self) {
        self.0.threads.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The accounts of all users that have tasks.
pub struct Users(Mutex<HashMap<u32, Weak<User>>>);

impl Default for Users {
    fn default() -> Self {
        Users(Mutex::new(Level::Leaf, HashMap::new()))
    }
}

impl Users {
    /// The account of `uid`.
    pub fn get(&self, uid: u32) -> Arc<User> {
        let mut users = self.0.lock();
        if let Some(user) = users.get(&uid).and_then(Weak::upgrade) {
            return user;
        }
        users.retain(|_, user| user.strong_count() > 0);
        let user = Arc::default();
        users.insert(uid, Arc::downgrade(&user));
        user
    }
}

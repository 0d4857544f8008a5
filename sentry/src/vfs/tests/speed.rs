//! What a cached path costs. `cargo test --release -p sentry speed -- --ignored --nocapture`

use std::time::Instant;

use super::{mkdir, touch, walk};
use crate::testing;

fn time(what: &str, mut work: impl FnMut()) {
    const ROUNDS: u32 = 1_000_000;
    let start = Instant::now();
    for _ in 0..ROUNDS {
        work();
    }
    println!("{what}: {:?}", start.elapsed() / ROUNDS);
}

#[test]
#[ignore = "measures"]
fn speed_of_cached_paths() {
    let task = testing::kernel();
    mkdir(&task, "/usr");
    mkdir(&task, "/usr/lib");
    touch(&task, "/usr/lib/libc.so.6");
    let path = "/usr/lib/libc.so.6";
    time("walk, 3 components", || drop(walk(&task, path)));
    time("walk, 1 component", || drop(walk(&task, "/usr")));
    time("walk, absent", || drop(walk(&task, "/usr/lib/none")));
    time("walk and attributes", || {
        drop(walk(&task, path).map(|at| at.inode().attr()));
    });
    let mut creds = (*task.creds.get()).clone();
    creds.effective = crate::task::Capabilities::empty();
    creds.uid = crate::task::UserIds::all(1000);
    task.creds.set(std::sync::Arc::new(creds));
    time("walk, 3 components, no capabilities", || {
        drop(walk(&task, path));
    });
}

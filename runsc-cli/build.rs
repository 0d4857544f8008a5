//! How the commands are linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // At a fixed address: a position-independent program has 35,000 addresses to correct at
    // each of the three starts that a container takes (command, Sentry, Gofer), in 160 pages
    // that each of them then has for itself: 2 ms of 17, and 1.3 MiB. Stack, heap and
    // libraries are where chance puts them all the same.
    println!("cargo:rustc-link-arg-bins=-no-pie");
}

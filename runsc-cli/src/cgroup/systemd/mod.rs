//! The systemd driver: a container's cgroup is a transient scope that systemd makes, so that
//! it does not interfere; <https://systemd.io/CGROUP_DELEGATION>.
//!
//! [`unit`] says what the scope is called and where it is, [`properties`] what it may use,
//! [`manager`] asks systemd for it over D-Bus ([`message`], [`connection`]). What systemd has
//! no property for is written into the files, as without it.

mod connection;
mod manager;
mod message;
mod properties;
mod unit;

#[cfg(test)]
mod tests;

pub(super) use manager::Manager;
pub(super) use properties::of_resources;
pub(super) use unit::Unit;

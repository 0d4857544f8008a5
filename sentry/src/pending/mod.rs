//! Calls that are still to be written: refused with `ENOSYS`, named once in the log.

macro_rules! pending {
    ($($name:ident)*) => {$(
        impl Run<Current> for call::$name {
            fn run(self, _: &mut Current) -> SysResult {
                static ONCE: std::sync::Once = std::sync::Once::new();
                ONCE.call_once(|| log::warn!("{} is not implemented", stringify!($name)));
                Err(syscalls::errno::ENOSYS.into())
            }
        }
    )*};
}
use pending;

mod event;
mod ids;
mod mm;
mod net;
mod task;
mod time;

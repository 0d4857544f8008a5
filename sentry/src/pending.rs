//! Calls that are still to be written: refused with `ENOSYS`, named once in the log. The
//! table says so of each (`partial`).

use syscalls::{Run, SysResult, call};

use crate::task::Current;

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

pending! {
    InotifyInit
    InotifyAddWatch
    InotifyRmWatch
    InotifyInit1
    IoSetup
    IoDestroy
    IoGetevents
    IoSubmit
    IoCancel
    IoPgetevents
    Shmget
    Shmat
    Shmctl
    Shmdt
    Semget
    Semop
    Semctl
    Semtimedop
    Msgget
    Msgsnd
    Msgrcv
    Msgctl
    MqOpen
    MqUnlink
    MqTimedsend
    MqTimedreceive
    MqNotify
    MqGetsetattr
    Seccomp
    Ptrace
    ProcessMadvise
}

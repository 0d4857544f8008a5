//! Calls of the area "time" without an implementation yet: delete a name when its `impl Run` exists.

use syscalls::{Run, SysResult, call};

use super::pending;
use crate::task::Current;

pending! {
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
}

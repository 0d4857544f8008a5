//! Calls of the area "event" without an implementation yet: delete a name when its `impl Run` exists.

use syscalls::{Run, SysResult, call};

use super::pending;
use crate::task::Current;

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
}

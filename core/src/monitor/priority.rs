//! What the operating system is asked for: less priority, and how much CPU a thread used.

use std::time::Duration;

/// How nice the monitor's threads are: enough to yield to a trainer that uses every core, not so much that they never
/// get a turn.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Lowers the priority of the calling thread, and of threads it starts later; says why where that is not possible.
#[cfg(target_os = "linux")]
pub(super) fn lower() -> Result<(), String> {
    // On Linux this call is about one thread, not the whole process.
    let now = rustix::process::getpriority_process(None).map_err(|e| e.to_string())?;
    rustix::process::setpriority_process(None, now.max(NICE)).map_err(|e| e.to_string())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn lower() -> Result<(), String> {
    Err("only Linux can lower the priority of one thread".to_owned())
}

/// CPU time of the calling thread so far.
#[cfg(target_os = "linux")]
pub(super) fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Time on the clock stands in for CPU time.
#[cfg(not(target_os = "linux"))]
pub(super) fn thread_time() -> Duration {
    use std::sync::LazyLock;
    use std::time::Instant;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

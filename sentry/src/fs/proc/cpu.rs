//! proc_cpuinfo(5), proc_stat(5).

use syscalls::Errno;

use super::census::Census;
use super::system::System;
use crate::fs::processor::Processor;
use crate::fs::synth::{Opener, put};
use crate::kernel::Kernel;
use crate::task::NS_PER_TICK;
use crate::time::{now_monotonic, now_realtime};

pub(super) fn info(system: &System, _: &Opener) -> Result<Vec<u8>, Errno> {
    let count = system.kernel()?.cpus();
    let cpu = Processor::get();
    let mhz = format!("{}.{:03}", cpu.khz / 1000, cpu.khz % 1000);
    // Twice the rate, as Linux calibrates it.
    let bogomips = format!("{}.{:02}", cpu.khz / 500, cpu.khz % 500 / 5);
    let mut text = String::new();
    for index in 0..count {
        put!(text, "processor\t: {index}\n");
        put!(text, "vendor_id\t: {}\n", cpu.vendor);
        put!(text, "cpu family\t: {}\n", cpu.family);
        put!(text, "model\t\t: {}\n", cpu.model);
        put!(text, "model name\t: {}\n", cpu.name);
        put!(text, "stepping\t: {}\n", cpu.stepping);
        put!(text, "cpu MHz\t\t: {mhz}\n");
        if cpu.cache_kib() > 0 {
            put!(text, "cache size\t: {} KB\n", cpu.cache_kib());
        }
        put!(text, "physical id\t: 0\nsiblings\t: {count}\n");
        put!(text, "core id\t\t: {index}\ncpu cores\t: {count}\n");
        put!(text, "apicid\t\t: {index}\ninitial apicid\t: {index}\n");
        put!(text, "fpu\t\t: yes\nfpu_exception\t: yes\n");
        put!(text, "cpuid level\t: {}\nwp\t\t: yes\n", cpu.level);
        put!(text, "flags\t\t: {}\n", cpu.features);
        put!(text, "bugs\t\t:\nbogomips\t: {bogomips}\n");
        put!(
            text,
            "clflush size\t: {0}\ncache_alignment\t: {0}\n",
            cpu.line
        );
        let (physical, virt) = (cpu.physical_bits, cpu.virtual_bits);
        put!(
            text,
            "address sizes\t: {physical} bits physical, {virt} bits virtual\n"
        );
        put!(text, "power management:\n\n");
    }
    Ok(text.into_bytes())
}

/// Time that the processors had nothing to do, all together, nanoseconds.
pub(super) fn idle(kernel: &Kernel, census: &Census) -> u64 {
    let busy = census.usage.total_ns();
    now_monotonic()
        .saturating_mul(kernel.cpus().into())
        .saturating_sub(busy)
}

/// Who ran where is not known: all processors had their share.
pub(super) fn stat(system: &System, _: &Opener) -> Result<Vec<u8>, Errno> {
    let kernel = system.kernel()?;
    let census = Census::take(&kernel);
    let ticks = [
        census.usage.user_ns,
        0,
        census.usage.system_ns,
        idle(&kernel, &census),
    ]
    .map(|ns| ns / NS_PER_TICK);
    let mut text = String::new();
    let mut line = |name: &str, share: u64| {
        let [user, nice, system, idle] = ticks.map(|ticks| ticks / share);
        put!(text, "{name} {user} {nice} {system} {idle} 0 0 0 0 0 0\n");
    };
    line("cpu ", 1);
    for index in 0..kernel.cpus() {
        line(&format!("cpu{index}"), kernel.cpus().into());
    }
    let boot = (now_realtime() - i128::from(now_monotonic())) / 1_000_000_000;
    let (last, running) = (kernel.pids.last(), census.running);
    let switches = census.usage.sleeps;
    put!(
        text,
        "intr 0\nctxt {switches}\nbtime {boot}\nprocesses {last}\n"
    );
    put!(text, "procs_running {running}\nprocs_blocked 0\n");
    put!(text, "softirq 0 0 0 0 0 0 0 0 0 0 0\n");
    Ok(text.into_bytes())
}

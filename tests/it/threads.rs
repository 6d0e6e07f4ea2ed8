//! Threads share the work, and none that carries calls has a timer to look after while nothing is to be done.

use std::fs;
use std::path::Path;

use crate::support::{FakeDocker, Gate, WORKSHOP, wait_until};

/// Whether a thread sleeps in `epoll_wait(2)` until something happens (`-1`), and not until a time has come;
/// `None` while it runs. The timeout is the fourth argument (proc_pid_syscall(5)).
fn sleeps_for_ever(task: &Path) -> Option<bool> {
    let call = fs::read_to_string(task.join("syscall")).unwrap();
    let timeout = call.split(' ').nth(4)?.strip_prefix("0x")?;
    let timeout = u64::from_str_radix(timeout, 16).unwrap();
    Some(timeout & u64::from(u32::MAX) == u64::from(u32::MAX))
}

#[test]
fn threads_that_carry_calls_wait_without_a_timer() {
    let docker = FakeDocker::saying("{}");
    let gate = Gate::start(docker.path(), WORKSHOP, &["--threads", "2"]);
    let mut client = gate.client();
    assert_eq!(client.get("/version").status(), 200);

    for (name, forever) in [("quaygate", true), ("gate-1", true), ("engine", false)] {
        let threads = gate.threads();
        let (_, task) = threads.iter().find(|(comm, _)| comm == name).unwrap();
        wait_until(&format!("`{name}` sleeps as it should"), || {
            sleeps_for_ever(task) == Some(forever)
        });
    }
}

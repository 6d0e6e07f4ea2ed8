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

/// How long a thread has run, in nanoseconds (Linux `Documentation/scheduler/sched-stats.rst`).
fn worked(task: &Path) -> u64 {
    let stat = fs::read_to_string(task.join("schedstat")).unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_few_connections_are_carried_by_one_thread_and_many_by_all() {
    let docker = FakeDocker::saying("{}");
    let gate = Gate::start(docker.path(), WORKSHOP, &["--threads", "2"]);
    let other = gate.thread("gate-1");
    wait_until("the other thread sleeps", || {
        sleeps_for_ever(&other) == Some(true)
    });
    let before = worked(&other);

    let mut clients: Vec<_> = (0..30).map(|_| gate.client()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/version").status(), 200);
    }
    assert_eq!(worked(&other), before);

    clients.extend((0..30).map(|_| gate.client()));
    for client in &mut clients {
        assert_eq!(client.get("/version").status(), 200);
    }
    assert!(worked(&other) > before);
}

#[test]
fn threads_that_carry_calls_wait_without_a_timer() {
    let docker = FakeDocker::saying("{}");
    let gate = Gate::start(docker.path(), WORKSHOP, &["--threads", "2"]);
    let mut client = gate.client();
    assert_eq!(client.get("/version").status(), 200);

    for (name, forever) in [("quaygate", true), ("gate-1", true), ("engine", false)] {
        let task = gate.thread(name);
        wait_until(&format!("`{name}` sleeps as it should"), || {
            sleeps_for_ever(&task) == Some(forever)
        });
    }
}

//! Who is at the other end of the socket, in words a person can use: executable and container.
//!
//! `SO_PEERCRED` names a process by its id; the rest is read from `/proc`, only for calls that are
//! recorded. A process id may have passed to another process by then, so what was read counts only
//! if the process is older than the connection.
//!
//! What is read is a hint for people, never a fact for a policy: a process may execute something
//! else after it connected, and one that owns its cgroups may name them as it likes.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Once;

use rustix::time::{ClockId, clock_gettime};
use tokio::net::unix::UCred;

use crate::audit::Client;
use crate::facts::Caller;

/// When a connection was accepted, on the clock that `/proc` counts process ages by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Accepted {
    /// Clock ticks since boot.
    ticks: u64,
}

impl Accepted {
    /// Now. Call it as soon as the connection is accepted.
    pub(crate) fn now() -> Self {
        let now = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or_default();
        Self {
            ticks: seconds
                .saturating_mul(TICKS_PER_SECOND)
                .saturating_add(nanoseconds / (1_000_000_000 / TICKS_PER_SECOND)),
        }
    }
}

/// What the kernel says of a caller. A process id of 0 means: not visible from our pid namespace.
pub(crate) fn caller(peer: io::Result<UCred>) -> Caller {
    peer.map_or_else(
        |_| Caller::default(),
        |peer| Caller {
            uid: Some(peer.uid()),
            gid: Some(peer.gid()),
            pid: peer.pid().filter(|pid| *pid > 0),
        },
    )
}

/// Looks up what can be seen of a caller. Costs some ten microseconds: ask once per connection.
pub(crate) fn identify(caller: &Caller, accepted: Accepted) -> Client {
    let Some(pid) = caller.pid.filter(|pid| *pid > 0) else {
        say_once_that_pids_are_hidden(caller);
        return Client {
            pid: None,
            uid: caller.uid,
            gid: caller.gid,
            ..Client::default()
        };
    };
    let (exe, container) = look(&Path::new("/proc").join(pid.to_string()), accepted);
    Client {
        pid: Some(pid),
        uid: caller.uid,
        gid: caller.gid,
        exe,
        container,
        ..Client::default()
    }
}

fn say_once_that_pids_are_hidden(caller: &Caller) {
    static SAID: Once = Once::new();

    // Without any credentials (TCP) there is nothing to see in the first place.
    if caller.uid.is_some() {
        SAID.call_once(|| {
            tracing::info!(
                "callers live in another pid namespace: the audit log has their uid and gid, but not \
                 their process or container; run quaygate with the host's pid namespace to see them"
            );
        });
    }
}

/// The container that this very process runs in, if it is in one that can be told.
///
/// Its cgroup names it best, the innermost one: that is the id that the nearest engine gave. A container with
/// a cgroup namespace of its own sees nothing of it in `/proc/self/cgroup`; but the files that Docker mounts
/// into it come from a directory that bears the id (moby `daemon/container_operations_unix.go`: hostname,
/// hosts and resolv.conf), and be it of the container whose network it shares.
pub(crate) fn own_container() -> Option<String> {
    let cgroup = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let id = innermost_id(&cgroup).or_else(|| mounted_from(&mounts));
    id.map(str::to_owned)
}

/// The id in the root of a mount that Docker makes, in proc_pid_mountinfo(5). A user may have mounted
/// something else at one of these places.
fn mounted_from(mounts: &str) -> Option<&str> {
    const MADE: [&str; 3] = ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"];
    let mut lines = mounts.lines().map(|line| line.split(' ').skip(3));
    let is_id = |part: &&str| {
        part.len() == 64 && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    lines.find_map(|mut fields| {
        let (root, point) = (fields.next()?, fields.next()?);
        let made = MADE.contains(&point);
        root.split('/').find(|part| made && is_id(part))
    })
}

/// Executable and container of the process in `process` (`/proc/<pid>`).
fn look(process: &Path, accepted: Accepted) -> (Option<String>, Option<String>) {
    let exe = fs::read_link(process.join("exe"))
        .ok()
        .map(|path| path.to_string_lossy().into_owned());
    let container = fs::read_to_string(process.join("cgroup"))
        .ok()
        .and_then(|text| container_id(&text).map(str::to_owned));
    // SECURITY: the age is read *last*. A process that is older than the connection now has held
    // this id since before it was accepted, so exe and cgroup were its own as well; asked first, the
    // id could pass to another process between the questions.
    let is_the_caller = fs::read(process.join("stat"))
        .ok()
        .and_then(|stat| start_ticks(&stat))
        .is_some_and(|started| started <= accepted.ticks);
    if is_the_caller {
        (exe, container)
    } else {
        (None, None)
    }
}

/// `USER_HZ`: the unit of times in `/proc`, 100 on every architecture that Docker runs on
/// (include/asm-generic/param.h).
const TICKS_PER_SECOND: u64 = 100;

/// When a process started, from `/proc/<pid>/stat` (proc(5), field 22).
fn start_ticks(stat: &[u8]) -> Option<u64> {
    // The second field is the command's name in parentheses, and a name may hold `) ` itself; the
    // last parenthesis ends it, because every field after it is a number or a letter.
    let end_of_name = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end_of_name.checked_add(1)?..)?).ok()?;
    // Field 3 is the first after the name.
    rest.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

/// The id of the container a process runs in, from `/proc/<pid>/cgroup` (cgroups(7)): version 1 has
/// a line per hierarchy, version 2 one.
///
/// In nested containers the outermost id is taken. SECURITY: it is the one that the host's engine
/// gave; whoever may make cgroups inside a container could otherwise call one `docker-<id of
/// another container>.scope` and move there.
fn container_id(cgroup: &str) -> Option<&str> {
    agreed(cgroup, |path| path.split('/').find_map(id_in_segment))
}

/// The id of the innermost container, for a process that may be trusted with its cgroups: this one.
fn innermost_id(cgroup: &str) -> Option<&str> {
    agreed(cgroup, |path| path.rsplit('/').find_map(id_in_segment))
}

/// The id that is found in the paths of all hierarchies that have any.
fn agreed<'c>(cgroup: &'c str, id_in: impl Fn(&'c str) -> Option<&'c str>) -> Option<&'c str> {
    let mut found = None;
    for line in cgroup.lines() {
        // `hierarchy:controllers:path`; the path may hold colons.
        let path = line.splitn(3, ':').nth(2)?;
        let Some(id) = id_in(path) else {
            continue;
        };
        match found {
            None => found = Some(id),
            Some(other) if other == id => {}
            // Hierarchies that disagree have no single reading.
            Some(_) => return None,
        }
    }
    found
}

/// The id in one segment of a cgroup's path. Engines write it in these ways:
///
/// * `<id>`: docker, containerd, podman, kubernetes with cgroupfs
/// * `docker-<id>.scope`, `libpod-<id>.scope`, `cri-containerd-<id>.scope`, `crio-<id>.scope`: the
///   same with systemd
/// * `kubepods-….slice:cri-containerd:<id>`: containerd given a systemd name without systemd
fn id_in_segment(segment: &str) -> Option<&str> {
    let name = segment.strip_suffix(".scope").unwrap_or(segment);
    let (prefix, id) = name.split_at_checked(name.len().checked_sub(ID_LENGTH)?)?;
    let is_id = id
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_whole = prefix.is_empty() || prefix.ends_with(['-', ':']);
    // conmon watches a container from outside, in a cgroup that bears the container's id.
    let is_watcher = prefix.ends_with("conmon-");
    (is_id && is_whole && !is_watcher).then_some(id)
}

/// Container ids are 32 random bytes in hexadecimal.
const ID_LENGTH: usize = 64;

#[cfg(test)]
mod tests;

//! Directories and files of the host through which a container becomes root.
//!
//! A pattern is tried with them, and is not read itself: what it matches counts, however it is written.

use std::borrow::Cow;

/// A place of the host.
struct Place {
    path: &'static str,
    /// There is a socket behind it that obeys whoever reaches it, and for which a read-only mount is
    /// enough.
    obeys: bool,
}

const fn files(path: &'static str) -> Place {
    Place { path, obeys: false }
}

const fn socket(path: &'static str) -> Place {
    Place { path, obeys: true }
}

/// Sources: the Filesystem Hierarchy Standard 3.0; the default sockets and directories of Docker,
/// containerd, Podman, CRI-O, systemd and D-Bus; our own.
static PLACES: [Place; 34] = [
    socket("/run/docker.sock"),
    socket("/var/run/docker.sock"),
    socket("/run/containerd/containerd.sock"),
    socket("/run/docker/containerd/containerd.sock"),
    socket("/run/podman/podman.sock"),
    socket("/run/crio/crio.sock"),
    socket("/run/systemd/private"),
    socket("/run/dbus/system_bus_socket"),
    socket("/var/run/dbus/system_bus_socket"),
    socket("/run/quaygate"),
    socket("/var/run/quaygate"),
    files("/etc/passwd"),
    files("/etc/cron.d/job"),
    files("/etc/systemd/system/job.service"),
    files("/etc/ld.so.preload"),
    files("/etc/docker/daemon.json"),
    files("/etc/quaygate"),
    files("/root/.ssh/authorized_keys"),
    files("/usr/bin/job"),
    files("/usr/local/bin/job"),
    files("/usr/lib/systemd/system/job.service"),
    files("/bin/job"),
    files("/sbin/job"),
    files("/lib/job"),
    files("/lib64/job"),
    files("/boot/job"),
    files("/proc/sys/kernel/core_pattern"),
    files("/sys/kernel/uevent_helper"),
    files("/dev"),
    files("/var/lib/docker/overlay2"),
    files("/var/lib/containerd"),
    files("/var/lib/containers/storage"),
    files("/var/lib/quaygate"),
    files("/var/spool/cron/root"),
];

/// Trees in which whoever writes is root soon, wherever in them.
const TREES: [&str; 10] = [
    "/etc/", "/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/boot/", "/root/", "/proc/", "/sys/",
];

/// Files in these trees that are mounted everywhere and do no such thing.
const TAME: [&str; 8] = [
    "/etc/localtime",
    "/etc/timezone",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/etc/os-release",
    "/etc/machine-id",
    "/usr/share/zoneinfo",
];

/// The place through which a pattern is root on the host, if one is known.
///
/// `matches` tries a path, `text` is the pattern as it is written, `own` is the directory of the
/// policy's socket.
pub(super) fn root<'t>(
    matches: impl Fn(&str) -> bool,
    text: &'t str,
    read_only: bool,
    own: Option<&'t str>,
) -> Option<Cow<'t, str>> {
    let known = PLACES.iter().filter(|place| place.obeys || !read_only);
    let paths = known.map(|place| place.path).chain(own);
    // The shortest way in says most: `/` before `/etc`.
    let mut found: Option<&str> = None;
    for path in paths {
        if let Some(way) = ways(path).find(|way| matches(way))
            && found.is_none_or(|found| way.len() < found.len())
        {
            found = Some(way);
        }
    }
    found.map(Cow::Borrowed).or_else(|| {
        let fixed = text.split('*').next().unwrap_or_default();
        let inside = TREES.iter().any(|tree| fixed.starts_with(tree));
        let tame = TAME.contains(&text) || read_only || text.starts_with('~');
        (inside && !tame).then_some(Cow::Borrowed(text))
    })
}

/// A path and every directory above it, from the root down.
fn ways(path: &str) -> impl Iterator<Item = &str> {
    let above = path.match_indices('/').skip(1);
    let above = above.filter_map(|(at, _)| path.get(..at));
    // `/var/run` is a link to `/run`, which a mount of `/var` does not bring along.
    let above = above.filter(|way| *way != "/var" || !path.starts_with("/var/run/"));
    std::iter::once("/")
        .chain(above)
        .chain(std::iter::once(path))
}

/// Disks and memory of the host, as devices.
pub(super) const DISKS: [&str; 14] = [
    "/dev/sda",
    "/dev/sda1",
    "/dev/vda",
    "/dev/vda1",
    "/dev/xvda",
    "/dev/nvme0n1",
    "/dev/nvme0n1p1",
    "/dev/mmcblk0",
    "/dev/mapper/root",
    "/dev/dm-0",
    "/dev/md0",
    "/dev/mem",
    "/dev/kmem",
    "/dev/port",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::power::path::PathPattern;

    #[test]
    fn a_pattern_that_covers_a_known_place_is_root() {
        for (text, read_only, expected) in [
            ("/", false, "/"),
            ("/", true, "/"),
            ("/**", true, "/run"),
            ("/**", false, "/run"),
            ("/*", false, "/run"),
            ("/etc", false, "/etc"),
            ("/etc/**", false, "/etc"),
            ("/etc/**", true, ""),
            ("/etc/ssh/sshd_config", false, "/etc/ssh/sshd_config"),
            ("/etc/app/**", false, "/etc/app/**"),
            ("/etc/app/**", true, ""),
            ("/etc/localtime", false, ""),
            ("/run/**", true, "/run"),
            ("/run/docker.sock", true, "/run/docker.sock"),
            ("/var/run/*.sock", true, "/var/run/docker.sock"),
            ("/run/udev", true, ""),
            ("/var", false, "/var"),
            ("/var", true, ""),
            ("/var/lib/**", false, "/var/lib"),
            ("/var/lib/**", true, ""),
            ("/var/lib/docker/**", false, "/var/lib/docker"),
            ("/var/lib/docker/volumes/x/_data", false, ""),
            ("/proc", false, "/proc"),
            ("/proc", true, ""),
            ("/sys/fs/cgroup", false, "/sys/fs/cgroup"),
            ("/dev", false, "/dev"),
            ("/home/**", false, ""),
            ("/srv/ci/**", false, ""),
            ("~/srv/.*", false, ""),
            ("~/.*", false, "/run"),
            ("~/(srv|etc)", false, "/etc"),
            ("/opt/gate/**", true, "/opt/gate"),
        ] {
            let pattern = PathPattern::parse(text).unwrap();
            let own = Some("/opt/gate/ci");
            let found = root(|path| pattern.matches(path), text, read_only, own);
            assert_eq!(
                found.as_deref().unwrap_or_default(),
                expected,
                "{text} {read_only}"
            );
        }
    }
}

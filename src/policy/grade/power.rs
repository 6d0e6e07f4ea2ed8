//! What the powers of a body are worth, value by value.
//!
//! A value is tried with what is known to be root, and is not read itself: what it matches counts,
//! however it is written.

use crate::docker::payload::{Device, Mount, Power, Source, Use, What};
use crate::policy::pattern::Pattern;
use crate::policy::power::mount::MountPattern;
use crate::policy::power::want::Want;

use super::place::{self, DISKS};

/// Values of texts that hand out nothing, other than the empty one.
#[rustfmt::skip]
static HARMLESS: [(Power, &[&str]); 7] = [
    (Power::Network,   &["bridge", "none"]),
    (Power::Pid,       &["private"]),
    (Power::Uts,       &["private"]),
    (Power::Cgroupns,  &["private"]),
    (Power::Ipc,       &["private", "shareable", "none"]),
    (Power::Runtime,   &["", "runc"]),
    (Power::LogDriver, &["", "json-file", "local", "none"]),
];

/// Powers of which a plain body may make every use: naming one only narrows it.
const ALWAYS: [Power; 2] = [Power::Dns, Power::MacAddress];

/// Whether a value names only what is Docker's default, or harmless.
pub(super) fn rests(power: Power, want: &Want) -> bool {
    if ALWAYS.contains(&power) {
        return true;
    }
    let known = HARMLESS.iter().find(|(known, _)| *known == power);
    let harmless = known.map_or(&[""][..], |(_, harmless)| *harmless);
    match want {
        Want::Mount(mount) => mount.is_plain_tmpfs(),
        Want::Special(pattern) | Want::Text(pattern) => {
            let text = pattern.exact();
            text.is_some_and(|text| harmless.contains(&text))
        }
        Want::Any | Want::Capability(_) | Want::Port(_) | Want::Device { .. } => false,
    }
}

/// Powers that are root as such.
#[rustfmt::skip]
static AS_SUCH: [(Power, &str); 2] = [
    (Power::Privileged,  "be privileged"),
    (Power::UnmaskPaths, "change the kernel's settings in /proc"),
];

/// What `host` is good for.
#[rustfmt::skip]
static HOST: [(Power, &str); 3] = [
    (Power::Network, "join the host's network, with whatever listens on its loopback address"),
    (Power::Pid,     "join the processes of the host"),
    (Power::Ipc,     "write the shared memory of the host's processes"),
];

/// What a value of a power is good for, if that is root: words that follow "may".
pub(super) fn root(power: Power, want: &Want, own: Option<&str>) -> Option<String> {
    let words_of = |table: &[(Power, &str)]| {
        let found = table.iter().find(|(known, _)| *known == power);
        found.map(|(_, words)| (*words).to_owned())
    };
    match want {
        Want::Any => words_of(&AS_SUCH),
        Want::Special(pattern) if power == Power::VolumesFrom => {
            let anything = pattern.is_any() || pattern.as_str() == "*";
            anything.then(|| "take over the mounts of any container".to_owned())
        }
        Want::Special(_) => {
            let host = matches(power, want, What::Text("host".into()));
            host.then(|| words_of(&HOST)).flatten()
        }
        Want::Text(pattern) if power == Power::DeviceRules => {
            let disks = !is_tame_rule(pattern.as_str());
            disks.then(|| "make and use disks of the host".to_owned())
        }
        Want::Text(pattern) if power == Power::VolumeOptions => volume_of_host(pattern, own),
        Want::Text(_) | Want::Port(_) => None,
        Want::Mount(pattern) => mounted(pattern, own),
        Want::Capability(_) => {
            let named = |capability: &&&'static str| {
                matches(power, want, What::Text((**capability).into()))
            };
            let capability = CAPABILITIES.iter().find(named)?;
            Some(format!("have the capability `{capability}`"))
        }
        Want::Device { .. } => {
            let disk = DISKS
                .iter()
                .find(|path| matches(power, want, device(path)))?;
            Some(format!("use the device `{disk}` of the host"))
        }
    }
}

fn mounted(pattern: &MountPattern, own: Option<&str>) -> Option<String> {
    let (written, read_only) = pattern.host()?;
    let matches = |path: &str| pattern.matches(&mount(path));
    let place = place::root(matches, written, read_only, own)?;
    let how = if read_only {
        ", and use the sockets in it"
    } else {
        ""
    };
    Some(format!("mount `{place}` of the host{how}"))
}

/// Capabilities with which a container leaves it (capabilities(7)).
const CAPABILITIES: [&str; 8] = [
    "ALL",
    "SYS_ADMIN",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_BOOT",
    "DAC_READ_SEARCH",
    "BPF",
    "PERFMON",
];

fn matches(power: Power, want: &Want, what: What<'_>) -> bool {
    want.matches(&Use {
        power,
        place: "".into(),
        what,
        rests: false,
        absent: false,
    })
}

fn mount(path: &str) -> Mount<'_> {
    Mount {
        source: Source::Host(path.into()),
        read_only: true,
        options: Vec::new(),
    }
}

fn device(path: &'static str) -> What<'static> {
    What::Device(Device {
        path: path.into(),
        permissions: "r".into(),
    })
}

/// Character devices of one kind, other than the host's memory: `c 10:200 rwm`.
fn is_tame_rule(text: &str) -> bool {
    let major = text
        .strip_prefix("c ")
        .and_then(|rest| rest.split_once(':'));
    let major = major.and_then(|(major, _)| major.parse::<u32>().ok());
    major.is_some_and(|major| major != 1)
}

/// A volume of Docker's own driver is whatever `device` or `lowerdir` says.
fn volume_of_host(pattern: &Pattern, own: Option<&str>) -> Option<String> {
    let device = |path: &str| pattern.matches(&format!("device={path}"));
    let lower = |path: &str| pattern.matches(&format!("o=lowerdir={path}"));
    let written = pattern.as_str();
    let written = written.strip_prefix("device=").unwrap_or_default();
    let found = place::root(|path| device(path) || lower(path), written, false, own);
    let disk = DISKS.iter().find(|path| device(path));
    let found = found.or_else(|| disk.map(|path| (*path).into()))?;
    Some(format!("make a volume of `{found}` of the host"))
}

//! One value that a power allows, compared by what it is and not by its text.

use crate::docker::payload::{Device, Power, Use, What};
use crate::policy::pattern::{BadPattern, Pattern};

use super::mount::{BadMount, MountPattern};
use super::path::PathPattern;
use super::port::PortPattern;

/// One acceptable use.
#[derive(Clone, Debug)]
pub(in crate::policy) enum Want {
    /// Every use: `true`.
    Any,
    /// A text.
    Text(Pattern),
    /// A namespace, a network or a container: what reaches beyond them must be spelled out.
    Special(Pattern),
    /// A capability.
    Capability(Pattern),
    /// A mount.
    Mount(MountPattern),
    /// A port of the host.
    Port(PortPattern),
    /// A device of the host, with at most these permissions.
    Device {
        /// Its path.
        path: PathPattern,
        /// Some of `rwm`; `None`: any.
        permissions: Option<Box<str>>,
    },
}

/// How the values of a power are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Form {
    /// `true`.
    Bool,
    /// Patterns.
    Text,
    /// Patterns, or `true` for all.
    TextOrAll,
    /// Patterns in which host, containers and paths are spelled out.
    Special,
    /// Capabilities.
    Capability,
    /// Security options.
    SecurityOpt,
    /// Mounts.
    Mount,
    /// Ports, or `true` for all.
    Port,
    /// Devices.
    Device,
}

/// Why a value cannot be read.
#[derive(Debug)]
pub(in crate::policy) enum BadWant {
    /// Its pattern cannot be read.
    Pattern(BadPattern),
    /// It is not of the form; what the form is.
    Form(&'static str),
    /// It could match the beginning of an id.
    Hex,
}

impl Form {
    /// The form of a power's values.
    pub(in crate::policy) fn of(power: Power) -> Self {
        match power {
            Power::Privileged | Power::UnmaskPaths | Power::Oom | Power::Gpus => Self::Bool,
            Power::Mounts => Self::Mount,
            Power::Publish => Self::Port,
            Power::Capabilities => Self::Capability,
            Power::Devices => Self::Device,
            Power::SecurityOpt => Self::SecurityOpt,
            Power::Network
            | Power::VolumesFrom
            | Power::Links
            | Power::Pid
            | Power::Ipc
            | Power::Uts
            | Power::Userns
            | Power::Cgroupns => Self::Special,
            Power::Resources | Power::Config | Power::Scope => Self::TextOrAll,
            Power::DeviceRules
            | Power::CgroupParent
            | Power::Sysctls
            | Power::Runtime
            | Power::Groups
            | Power::LogDriver
            | Power::Storage
            | Power::Ulimits
            | Power::Dns
            | Power::MacAddress
            | Power::Annotations
            | Power::User
            | Power::Env
            | Power::Workdir
            | Power::NetworkDriver
            | Power::NetworkOptions
            | Power::Subnets
            | Power::Endpoint
            | Power::VolumeDriver
            | Power::VolumeOptions
            | Power::Mode
            | Power::Placement => Self::Text,
        }
    }

    /// Whether `true` means every use.
    pub(in crate::policy) fn takes_true(self) -> bool {
        matches!(self, Self::Bool | Self::TextOrAll | Self::Port)
    }
}

impl Want {
    /// Reads one value of a power.
    pub(in crate::policy) fn parse(power: Power, text: &str) -> Result<Self, BadWant> {
        let pattern = |text: &str| Pattern::parse(text).map_err(BadWant::Pattern);
        match Form::of(power) {
            Form::Bool => Err(BadWant::Form("`true` or `false`")),
            Form::Text | Form::TextOrAll => pattern(text).map(Self::Text),
            Form::Special => special(power, text),
            Form::Capability => {
                let name = text.to_ascii_uppercase();
                let name = name.strip_prefix("CAP_").unwrap_or(&name);
                let name = if text.starts_with('~') { text } else { name };
                pattern(name).map(Self::Capability)
            }
            Form::SecurityOpt => {
                let text = match text.split_once('=').or_else(|| text.split_once(':')) {
                    Some((key, value)) if !text.starts_with('~') => format!("{key}={value}"),
                    _ => text.to_owned(),
                };
                pattern(&text).map(Self::Text)
            }
            Form::Mount => match MountPattern::parse(text) {
                Ok(mount) => Ok(Self::Mount(mount)),
                Err(BadMount::Pattern(bad)) => Err(BadWant::Pattern(bad)),
                Err(BadMount::Form) => Err(BadWant::Form(
                    "an absolute path, `volume:NAME`, `tmpfs`, `image:NAME`, `secret:NAME` or \
                     `config:NAME`, then perhaps `:ro`",
                )),
            },
            Form::Port => {
                let port = PortPattern::parse(text).map(Self::Port);
                port.ok_or(BadWant::Form(
                    "`ADDRESS:PORT/tcp`, such as `127.0.0.1:8000-8100/tcp`",
                ))
            }
            Form::Device => device(text),
        }
    }

    /// Whether a use is among what is named.
    pub(in crate::policy) fn matches(&self, one: &Use<'_>) -> bool {
        match (self, &one.what) {
            (Self::Any, _) => true,
            (Self::Text(pattern), What::Text(text)) => pattern.matches(text),
            (Self::Special(pattern), What::Text(text)) => {
                if matches!(one.power, Power::VolumesFrom | Power::Links) {
                    // `web:ro` and `db:alias` begin with the container.
                    let name = text.split(':').next().unwrap_or_default();
                    return pattern.matches(name.trim_start_matches('/'));
                }
                is_spelled_out(pattern, text) && pattern.matches(text)
            }
            (Self::Capability(pattern), What::Text(name)) => {
                (name != "ALL" || pattern.exact() == Some("ALL")) && pattern.matches(name)
            }
            (Self::Mount(pattern), What::Mount(mount)) => pattern.matches(mount),
            (Self::Port(pattern), What::Port(port)) => pattern.matches(port),
            (Self::Device { path, permissions }, What::Device(device)) => {
                path.matches(&device.path) && permits(permissions.as_deref(), device)
            }
            _ => false,
        }
    }
}

/// SECURITY: Docker takes the beginning of an id in the place of a name, so a pattern that such a text
/// can match reaches objects of other names.
fn special(power: Power, text: &str) -> Result<Want, BadWant> {
    let text = match (power, text) {
        // One network with three names.
        (Power::Network, "" | "default") => "bridge",
        (Power::Pid | Power::Ipc | Power::Uts | Power::Cgroupns, "") => "private",
        _ => text,
    };
    let pattern = Pattern::parse(text).map_err(BadWant::Pattern)?;
    let named = matches!(power, Power::Network | Power::VolumesFrom | Power::Links);
    let everything = pattern.is_any() || text == "*";
    if named && !everything && !text.is_empty() && pattern.may_match_hex() {
        return Err(BadWant::Hex);
    }
    Ok(Want::Special(pattern))
}

/// `host`, `container:…`, `ns:…`, `service:…` are matched only by patterns that spell them out.
fn is_spelled_out(pattern: &Pattern, text: &str) -> bool {
    let literal = match pattern.as_str() {
        regex if regex.starts_with('~') => "",
        glob => glob.split('*').next().unwrap_or_default(),
    };
    match text.find([':', '/']) {
        Some(mark) => text
            .get(..=mark)
            .is_some_and(|prefix| literal.starts_with(prefix)),
        None => text != "host" || pattern.exact() == Some("host"),
    }
}

fn device(text: &str) -> Result<Want, BadWant> {
    let pattern = |text: &str| Pattern::parse(text).map_err(BadWant::Pattern);
    if !text.starts_with('/') && !text.starts_with("~/") {
        // A device of the Container Device Interface by its name.
        return match text.split_once(':') {
            Some((driver, _)) if !driver.is_empty() && !driver.contains(['*', '~']) => {
                pattern(text).map(Want::Special)
            }
            _ => Err(BadWant::Form("an absolute path, or `cdi:NAME`")),
        };
    }
    let (path, permissions) = match text.rsplit_once(':') {
        Some((path, permissions)) if permissions.bytes().all(|b| b"rwm".contains(&b)) => {
            (path, Some(permissions.into()))
        }
        _ => (text, None),
    };
    let path = PathPattern::parse(path).map_err(BadWant::Pattern)?;
    Ok(Want::Device { path, permissions })
}

/// Whether a device asks for no more than is listed. Nothing written means all to Docker.
fn permits(listed: Option<&str>, device: &Device<'_>) -> bool {
    let Some(listed) = listed else {
        return true;
    };
    let asked = if device.permissions.is_empty() {
        "rwm"
    } else {
        &device.permissions
    };
    asked.chars().all(|letter| listed.contains(letter))
}

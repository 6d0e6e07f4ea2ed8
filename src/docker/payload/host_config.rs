//! `HostConfig`: everything about a container that concerns the host.
//!
//! Sources: moby `api/types/container/hostconfig.go` from 1.24 to the newest, `daemon/daemon_unix.go`
//! (`adaptContainerSettings`, `verifyPlatformContainerSettings`), `daemon/daemon_unix_parsesecurity.go`,
//! `daemon/pkg/oci/caps/utils.go`, `daemon/pkg/oci/defaults.go`.

use std::borrow::Cow;

use super::container::{RESTART, THROTTLE, WEIGHT};
use super::power::Power;
use super::table::Class::{Beyond, Closed, Each, Flag, Harmless, Ignored, Read, Within};
use super::table::Kind::{
    Any, Bool, Int, Ints, Object, Objects, ObjectsMap, Text, TextLists, TextMap, Texts,
};
use super::table::{Bound, Choice, Class, Table, row};
use super::walk::Reading;
use super::{BadBody, Device, Port, What, mount, networking, profile};
use crate::docker::json::{self, Value};

/// What Docker gives to `/dev/shm`; more is more than the default share.
const SHARED_MEMORY: i64 = 64 * 1024 * 1024;

#[rustfmt::skip]
pub(super) static HOST_CONFIG: Table = Table { source: "container/hostconfig.go", rows: &[
    row("Binds",                Texts,      Read(mount::binds),                          24),
    row("ContainerIDFile",      Text,       Closed,                                      24),
    row("LogConfig",            Object,     Class::Always(log_config),                   24).of(&LOG_CONFIG),
    row("NetworkMode",          Text,       Class::Always(networking::mode),             24),
    row("PortBindings",         ObjectsMap, Read(port_bindings),                         24).of(&PORT_BINDING),
    row("RestartPolicy",        Object,     Within,                                      24).of(&RESTART),
    row("AutoRemove",           Bool,       Harmless,                                    25),
    row("VolumeDriver",         Text,       Read(mount::volume_driver),                  24),
    row("VolumesFrom",          Texts,      Each(Power::VolumesFrom),                    24),
    row("ConsoleSize",          Ints,       Harmless,                                    24),
    row("Annotations",          TextMap,    Each(Power::Annotations),                    43),
    row("CapAdd",               Texts,      Read(capabilities),                          24),
    row("CapDrop",              Texts,      Read(profile::dropped),                      24),
    // Only in 19.03: the whole list of capabilities, whatever the defaults are.
    row("Capabilities",         Texts,      Read(capabilities),                          40),
    row("CgroupnsMode",         Text,       Class::Choice(Power::Cgroupns, &PRIVATE),    41),
    row("Dns",                  Texts,      Read(name_servers),                          24),
    row("DnsOptions",           Texts,      Harmless,                                    24),
    row("DnsSearch",            Texts,      Harmless,                                    24),
    row("ExtraHosts",           Texts,      Harmless,                                    24),
    row("GroupAdd",             Texts,      Each(Power::Groups),                         24),
    row("IpcMode",              Text,       Class::Choice(Power::Ipc, &IPC),             24),
    row("Cgroup",               Text,       Closed,                                      24),
    row("Links",                Texts,      Each(Power::Links),                          24),
    row("OomScoreAdj",          Int,        Beyond(Power::Resources, Bound::Below(0)),   24),
    row("PidMode",              Text,       Class::Choice(Power::Pid, &PRIVATE),         24),
    row("Privileged",           Bool,       Flag(Power::Privileged),                     24),
    row("PublishAllPorts",      Bool,       Read(publish_all),                           24),
    row("ReadonlyRootfs",       Bool,       Read(profile::read_only),                    24),
    row("SecurityOpt",          Texts,      Read(security_options),                      24),
    row("StorageOpt",           TextMap,    Each(Power::Storage),                        24),
    row("Tmpfs",                TextMap,    Read(mount::tmpfs),                          24),
    row("UTSMode",              Text,       Class::Choice(Power::Uts, &PRIVATE),         24),
    row("UsernsMode",           Text,       Class::Choice(Power::Userns, &USERNS),       24),
    row("ShmSize",              Int,        Beyond(Power::Resources, Bound::Above(SHARED_MEMORY)), 24),
    row("Sysctls",              TextMap,    Each(Power::Sysctls),                        24),
    row("Runtime",              Text,       Class::Choice(Power::Runtime, &RUNTIME),     24),
    row("Isolation",            Text,       Read(isolation),                             24),
    row("Mounts",               Objects,    Read(mount::mounts),                         25).of(&mount::MOUNT),
    row("MaskedPaths",          Texts,      Read(masked_paths),                          38),
    row("ReadonlyPaths",        Texts,      Read(readonly_paths),                        38),
    row("Init",                 Bool,       Read(profile::init),                         25),
    // Only in 17.03: a program of the host that becomes the container's first process.
    row("InitPath",             Text,       Closed,                                      25),
    // Resources.
    row("CpuShares",            Int,        Harmless,                                    24),
    row("Memory",               Int,        Read(profile::memory),                       24),
    row("NanoCpus",             Int,        Read(profile::cpus),                         25).also(&["NanoCPUs"]),
    row("CgroupParent",         Text,       Class::Choice(Power::CgroupParent, &NO_TEXT), 24),
    row("BlkioWeight",          Int,        Harmless,                                    24),
    row("BlkioWeightDevice",    Objects,    Read(block_devices),                         24).of(&WEIGHT),
    row("BlkioDeviceReadBps",   Objects,    Read(block_devices),                         24).of(&THROTTLE),
    row("BlkioDeviceWriteBps",  Objects,    Read(block_devices),                         24).of(&THROTTLE),
    row("BlkioDeviceReadIOps",  Objects,    Read(block_devices),                         24).of(&THROTTLE),
    row("BlkioDeviceWriteIOps", Objects,    Read(block_devices),                         24).of(&THROTTLE),
    row("CpuPeriod",            Int,        Harmless,                                    24),
    row("CpuQuota",             Int,        Read(profile::cpus),                         24),
    row("CpuRealtimePeriod",    Int,        Beyond(Power::Resources, Bound::NotZero),    25),
    row("CpuRealtimeRuntime",   Int,        Beyond(Power::Resources, Bound::NotZero),    25),
    row("CpusetCpus",           Text,       Harmless,                                    24),
    row("CpusetMems",           Text,       Harmless,                                    24),
    row("Devices",              Objects,    Read(devices),                               24).of(&DEVICE),
    row("DeviceCgroupRules",    Texts,      Each(Power::DeviceRules),                    28),
    row("DeviceRequests",       Objects,    Read(device_requests),                       40).of(&DEVICE_REQUEST),
    row("MemoryReservation",    Int,        Harmless,                                    24),
    row("MemorySwap",           Int,        Harmless,                                    24),
    row("MemorySwappiness",     Int,        Harmless,                                    24),
    row("KernelMemory",         Int,        Harmless,                                    24),
    row("KernelMemoryTCP",      Int,        Harmless,                                    40),
    row("OomKillDisable",       Bool,       Flag(Power::Oom),                            24),
    // 0 and below are Docker's default, no limit.
    row("PidsLimit",            Int,        Read(profile::pids),                         24),
    row("Ulimits",              Objects,    Read(ulimits),                               24).of(&ULIMIT),
    row("CpuCount",             Int,        Harmless,                                    24),
    row("CpuPercent",           Int,        Harmless,                                    24),
    row("IOMaximumIOps",        Int,        Harmless,                                    24),
    row("IOMaximumBandwidth",   Int,        Harmless,                                    24),
    row("DiskQuota",            Any,        Ignored,                                     24),
    row("LxcConf",              Any,        Ignored,                                     24),
] };

/// A namespace of its own.
static PRIVATE: Choice = Choice {
    default: "private",
    harmless: &[],
};

/// As `PRIVATE`; being shared with others later takes nothing from the host.
static IPC: Choice = Choice {
    default: "private",
    harmless: &["shareable", "none"],
};

/// Whatever the engine is set to.
static USERNS: Choice = Choice {
    default: "",
    harmless: &[],
};

static NO_TEXT: Choice = Choice {
    default: "",
    harmless: &[],
};

static RUNTIME: Choice = Choice {
    default: "runc",
    harmless: &[],
};

#[rustfmt::skip]
pub(super) static DEVICE: Table = Table { source: "container/hostconfig.go", rows: &[
    row("PathOnHost",        Text, Harmless, 24),
    row("PathInContainer",   Text, Harmless, 24),
    row("CgroupPermissions", Text, Harmless, 24),
] };

#[rustfmt::skip]
static DEVICE_REQUEST: Table = Table { source: "container/hostconfig.go", rows: &[
    row("Driver",       Text,      Harmless, 40),
    row("Count",        Int,       Harmless, 40),
    row("DeviceIDs",    Texts,     Harmless, 40),
    row("Capabilities", TextLists, Harmless, 40),
    row("Options",      TextMap,   Harmless, 40),
] };

#[rustfmt::skip]
pub(super) static ULIMIT: Table = Table { source: "container/hostconfig.go", rows: &[
    row("Name", Text, Harmless, 24),
    row("Hard", Int,  Harmless, 24),
    row("Soft", Int,  Harmless, 24),
] };

#[rustfmt::skip]
static PORT_BINDING: Table = Table { source: "network/port.go", rows: &[
    row("HostIp",   Text, Harmless, 24),
    row("HostPort", Text, Harmless, 24),
] };

#[rustfmt::skip]
static LOG_CONFIG: Table = Table { source: "container/hostconfig.go", rows: &[
    row("Type",   Text,    Harmless, 24),
    row("Config", TextMap, Harmless, 24),
] };

/// Log drivers that keep the output on the host, and the options that keep it so.
const LOCAL_LOGS: [&str; 3] = ["json-file", "local", "none"];
const LOCAL_LOG_OPTIONS: [&str; 8] = [
    "max-size",
    "max-file",
    "compress",
    "labels",
    "env",
    "tag",
    "mode",
    "max-buffer-size",
];

fn log_config<'b>(reading: &mut Reading<'b>, value: Option<&Value<'b>>) -> Result<(), BadBody> {
    let Some(value) = value else {
        reading.absent(Power::LogDriver, "HostConfig.LogConfig", "json-file");
        return Ok(());
    };
    let object = value.object();
    let get = |key: &str| object.and_then(|object| object.get(key));
    let driver = get("Type").and_then(Value::text).cloned();
    let driver = driver
        .filter(|driver| !driver.is_empty())
        .unwrap_or(Cow::Borrowed("json-file"));
    let local = logs_stay_local(&driver, get("Config"));
    if local {
        reading.rests(Power::LogDriver, What::Text(driver));
    } else {
        reading.uses(Power::LogDriver, What::Text(driver));
    }
    Ok(())
}

/// Whether the output stays in files of Docker's own, and nothing but their size and look is set.
pub(super) fn logs_stay_local(driver: &str, options: Option<&Value<'_>>) -> bool {
    let options = options.and_then(Value::object);
    let mut keys = options.into_iter().flat_map(json::Object::iter);
    let plain = keys.all(|(key, _)| LOCAL_LOG_OPTIONS.contains(&&**key));
    plain && (driver.is_empty() || LOCAL_LOGS.contains(&driver))
}

fn port_bindings<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    for (key, bindings) in value.object().into_iter().flat_map(json::Object::iter) {
        reading.at_key(key, |reading| {
            let protocol = key.split_once('/').map_or("tcp", |(_, protocol)| protocol);
            for (index, binding) in bindings.list().unwrap_or_default().iter().enumerate() {
                reading.at_index(index, |reading| port_binding(reading, protocol, binding))?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn port_binding<'b>(
    reading: &mut Reading<'b>,
    protocol: &str,
    binding: &Value<'b>,
) -> Result<(), BadBody> {
    let get = |key: &str| {
        let value = binding.object().and_then(|object| object.get(key));
        value.and_then(Value::text).cloned().unwrap_or_default()
    };
    let ports = get("HostPort");
    let (first, last) = port_range(&ports)
        .ok_or_else(|| reading.bad_value("a host port is a number, a range, or empty"))?;
    let port = Port {
        address: get("HostIp"),
        first,
        last,
        protocol: protocol.to_ascii_lowercase().into(),
    };
    reading.uses(Power::Publish, What::Port(port));
    Ok(())
}

/// `""`, `8080` or `8000-8010`.
fn port_range(text: &str) -> Option<(u16, u16)> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    if text.is_empty() {
        return Some((0, 0));
    }
    match text.split_once('-') {
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some((first, last))
        }
        None => number(text).map(|port| (port, port)),
    }
}

fn publish_all<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    if value.boolean() == Some(true) {
        let port = Port {
            address: Cow::Borrowed(""),
            first: 0,
            last: 0,
            protocol: "".into(),
        };
        reading.uses(Power::Publish, What::Port(port));
    }
    Ok(())
}

/// `CapAdd`, as Docker normalises it: upper case, with or without `CAP_`.
pub(super) fn capabilities<'b>(
    reading: &mut Reading<'b>,
    value: &Value<'b>,
) -> Result<(), BadBody> {
    for (index, element) in value.list().unwrap_or_default().iter().enumerate() {
        let name = capability(element.text().map_or("", |text| text));
        reading.at_index(index, |reading| {
            reading.uses(Power::Capabilities, What::Text(Cow::Owned(name)));
        });
    }
    Ok(())
}

/// One capability: `cap_net_admin` is `NET_ADMIN`.
pub(super) fn capability(text: &str) -> String {
    let name = text.to_ascii_uppercase();
    match name.strip_prefix("CAP_") {
        Some(name) => name.to_owned(),
        None => name,
    }
}

fn name_servers<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    for (index, element) in value.list().unwrap_or_default().iter().enumerate() {
        let text = element.text().cloned().unwrap_or_default();
        reading.at_index(index, |reading| {
            reading.rests(Power::Dns, What::Text(text));
        });
    }
    Ok(())
}

/// `key=value`, `key:value` or a lone key; what stands first separates.
fn security_options<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    for (index, element) in value.list().unwrap_or_default().iter().enumerate() {
        let text = element.text().map_or("", |text| text);
        // moby `parseSecurityOpt`: `=` if there is one, else `:`.
        let split = text.split_once('=').or_else(|| text.split_once(':'));
        let (key, value) = split.unwrap_or((text, ""));
        if key == "no-new-privileges" {
            // The last one counts.
            let restricts = matches!((split, value), (None, _) | (_, "true"));
            reading.body.profile.no_new_privileges = restricts;
            if restricts {
                continue;
            }
        }
        let option = format!("{key}={value}");
        reading.at_index(index, |reading| {
            reading.uses(Power::SecurityOpt, What::Text(Cow::Owned(option)));
        });
    }
    Ok(())
}

fn isolation<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    let text = value.text().map_or("", |text| text);
    if !matches!(text, "" | "default") {
        return Err(reading.bad_value("only `default` is isolation that Linux has"));
    }
    Ok(())
}

/// What 20.10 hides and protects; newer engines add to it, and nobody takes anything away.
const MASKED: [&str; 10] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];
const READONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

fn masked_paths<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    holds_all(reading, value, &MASKED);
    Ok(())
}

fn readonly_paths<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    holds_all(reading, value, &READONLY);
    Ok(())
}

fn holds_all<'b>(reading: &mut Reading<'b>, value: &Value<'b>, wanted: &[&str]) {
    let list = value.list().unwrap_or_default();
    let holds = |path: &&str| {
        let mut texts = list.iter().filter_map(Value::text);
        texts.any(|text| text == path)
    };
    if !wanted.iter().all(holds) {
        reading.uses(Power::UnmaskPaths, What::Flag);
    }
}

fn block_devices<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    if !value.is_empty() {
        reading.uses(Power::Resources, What::Text(Cow::Borrowed("BlkioDevice")));
    }
    Ok(())
}

/// `Devices`: what of the host appears where in the container.
pub(super) fn devices<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    for (index, element) in value.list().unwrap_or_default().iter().enumerate() {
        reading.at_index(index, |reading| {
            let get = |key: &str| {
                let value = element.object().and_then(|object| object.get(key));
                value.and_then(Value::text).cloned().unwrap_or_default()
            };
            let device = Device {
                path: get("PathOnHost"),
                permissions: get("CgroupPermissions"),
            };
            reading.uses(Power::Devices, What::Device(device));
            Ok(())
        })?;
    }
    Ok(())
}

/// `DeviceRequests`: graphics devices, or devices of the Container Device Interface by name.
fn device_requests<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    for (index, element) in value.list().unwrap_or_default().iter().enumerate() {
        reading.at_index(index, |reading| {
            let get = |key: &str| element.object().and_then(|object| object.get(key));
            let driver = get("Driver").and_then(Value::text).map_or("", |text| text);
            if matches!(driver, "" | "nvidia" | "amd") && asks_for_gpus_only(get("Capabilities")) {
                reading.uses(Power::Gpus, What::Flag);
                return Ok(());
            }
            let ids = get("DeviceIDs").and_then(Value::list).unwrap_or_default();
            for id in ids.iter().filter_map(Value::text) {
                let name = format!("{driver}:{id}");
                reading.uses(Power::Devices, What::Text(Cow::Owned(name)));
            }
            if ids.is_empty() {
                let name = format!("{driver}:");
                reading.uses(Power::Devices, What::Text(Cow::Owned(name)));
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Every alternative names `gpu`.
fn asks_for_gpus_only(capabilities: Option<&Value<'_>>) -> bool {
    let lists = capabilities.and_then(Value::list).unwrap_or_default();
    let names_gpu = |list: &Value<'_>| {
        let mut names = list.list().unwrap_or_default().iter();
        names.any(|name| name.text().is_some_and(|name| name == "gpu"))
    };
    !lists.is_empty() && lists.iter().all(names_gpu)
}

/// `Ulimits` as `nofile=SOFT:HARD`.
pub(super) fn ulimits<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    for (index, element) in value.list().unwrap_or_default().iter().enumerate() {
        let get = |key: &str| element.object().and_then(|object| object.get(key));
        let number = |key: &str| get(key).and_then(Value::integer).unwrap_or_default();
        let name = get("Name").and_then(Value::text).map_or("", |text| text);
        let limit = format!("{name}={}:{}", number("Soft"), number("Hard"));
        reading.at_index(index, |reading| {
            reading.uses(Power::Ulimits, What::Text(Cow::Owned(limit)));
        });
    }
    Ok(())
}

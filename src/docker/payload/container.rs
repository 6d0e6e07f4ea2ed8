//! The body of `POST /containers/create`, outside of its `HostConfig`.
//!
//! Sources: moby `api/types/container/config.go`, `create_request.go`, and `runconfig/config_unix.go` of
//! 20.10 for what older engines read at the top level; Podman `pkg/api/handlers/types.go`
//! (`CreateContainerConfig`) for `UnsetEnv`.

use super::host_config::{DEVICE, HOST_CONFIG, devices};
use super::networking::NETWORKING;
use super::power::Power;
use super::table::Class::{Closed, Each, Harmless, Ignored, Read, Within};
use super::table::Kind::{Any, Bool, Int, Object, Objects, Set, Text, TextMap, Texts};
use super::table::{Table, row};
use super::walk::Reading;
use super::{BadBody, mount, profile};
use crate::docker::json::Value;

#[rustfmt::skip]
pub(super) static CREATE: Table = Table { source: "container/config.go", rows: &[
    row("Hostname",         Text,    Harmless,                  24),
    row("Domainname",       Text,    Harmless,                  24),
    row("User",             Text,    Read(profile::user),       24),
    row("AttachStdin",      Bool,    Harmless,                  24),
    row("AttachStdout",     Bool,    Harmless,                  24),
    row("AttachStderr",     Bool,    Harmless,                  24),
    row("ExposedPorts",     Set,     Harmless,                  24),
    row("Tty",              Bool,    Harmless,                  24),
    row("OpenStdin",        Bool,    Harmless,                  24),
    row("StdinOnce",        Bool,    Harmless,                  24),
    row("Env",              Texts,   Harmless,                  24),
    row("Cmd",              Texts,   Read(profile::arguments),  24),
    row("Healthcheck",      Object,  Read(healthcheck),         24).of(&HEALTH),
    row("ArgsEscaped",      Bool,    Harmless,                  24),
    row("Image",            Text,    Read(profile::image),      24),
    row("Volumes",          Set,     Read(mount::volumes),      24),
    row("WorkingDir",       Text,    Harmless,                  24),
    row("Entrypoint",       Texts,   Read(profile::entrypoint), 24),
    row("NetworkDisabled",  Bool,    Harmless,                  24),
    row("MacAddress",       Text,    Read(mac_address),         24),
    row("OnBuild",          Texts,   Harmless,                  24),
    row("Labels",           TextMap, Read(profile::labels),     24),
    row("StopSignal",       Text,    Harmless,                  24),
    row("StopTimeout",      Int,     Harmless,                  25),
    row("Shell",            Texts,   Harmless,                  25),
    row("HostConfig",       Object,  Within,                    24).of(&HOST_CONFIG),
    row("NetworkingConfig", Object,  Within,                    24).of(&NETWORKING),
    // Older engines read it in the place of `HostConfig.CpusetCpus`, which is harmless.
    row("Cpuset",           Text,    Harmless,                  24),
    // Podman: variables of the image that the container shall not have, or that change.
    row("UnsetEnv",         Texts,   Harmless,                  24),
    row("EnvMerge",         Texts,   Harmless,                  24),
    row("UnsetEnvAll",      Bool,    Harmless,                  24),
    // Sent by clients, read by nobody.
    row("name",             Any,     Ignored,                   24),
    row("authConfig",       Any,     Ignored,                   24),
    row("PortSpecs",        Any,     Ignored,                   24),
    row("PublishService",   Text,    Closed,                    24),
] };

/// The command of a health check runs inside of the container, as the container's own user.
#[rustfmt::skip]
pub(super) static HEALTH: Table = Table { source: "container/config.go", rows: &[
    row("Test",          Texts, Harmless, 24),
    row("Interval",      Int,   Harmless, 24),
    row("Timeout",       Int,   Harmless, 24),
    row("Retries",       Int,   Harmless, 24),
    row("StartPeriod",   Int,   Harmless, 29),
    row("StartInterval", Int,   Harmless, 44),
] };

/// A health check is a second command.
pub(super) fn healthcheck<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    let test = value.object().and_then(|object| object.get("Test"));
    let test = test.and_then(Value::list).unwrap_or_default();
    let first = test.first().and_then(Value::text).map(|text| &**text);
    if !matches!(first, None | Some("" | "NONE")) {
        reading.body.profile.second_command = true;
    }
    Ok(())
}

/// Any hardware address is harmless; a policy may narrow it.
pub(super) fn mac_address<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    let text = value.text().cloned().unwrap_or_default();
    if !text.is_empty() {
        reading.rests(Power::MacAddress, super::What::Text(text));
    }
    Ok(())
}

/// The body of `POST /containers/{id}/update`: limits of a container that runs already.
///
/// Sources: moby `api/types/container/hostconfig.go` (`UpdateConfig`), `container/container_unix.go`
/// (`UpdateContainer`).
#[rustfmt::skip]
pub(super) static UPDATE: Table = Table { source: "container/hostconfig.go", rows: &[
    row("CpuShares",            Int,     Harmless,                 24),
    row("Memory",               Int,     Harmless,                 24),
    row("NanoCpus",             Int,     Harmless,                 25).also(&["NanoCPUs"]),
    row("CgroupParent",         Text,    Closed,                   24),
    row("BlkioWeight",          Int,     Harmless,                 24),
    row("BlkioWeightDevice",    Objects, Within,                   24).of(&WEIGHT),
    row("BlkioDeviceReadBps",   Objects, Within,                   24).of(&THROTTLE),
    row("BlkioDeviceWriteBps",  Objects, Within,                   24).of(&THROTTLE),
    row("BlkioDeviceReadIOps",  Objects, Within,                   24).of(&THROTTLE),
    row("BlkioDeviceWriteIOps", Objects, Within,                   24).of(&THROTTLE),
    row("CpuPeriod",            Int,     Harmless,                 24),
    row("CpuQuota",             Int,     Harmless,                 24),
    row("CpuRealtimePeriod",    Int,     Harmless,                 25),
    row("CpuRealtimeRuntime",   Int,     Harmless,                 25),
    row("CpusetCpus",           Text,    Harmless,                 24),
    row("CpusetMems",           Text,    Harmless,                 24),
    row("Devices",              Objects, Read(devices),            24).of(&DEVICE),
    row("DeviceCgroupRules",    Texts,   Each(Power::DeviceRules), 28),
    row("DeviceRequests",       Objects, Closed,                   40),
    row("DiskQuota",            Any,     Ignored,                  24),
    row("KernelMemory",         Int,     Harmless,                 24),
    row("KernelMemoryTCP",      Int,     Harmless,                 40),
    row("MemoryReservation",    Int,     Harmless,                 24),
    row("MemorySwap",           Int,     Harmless,                 24),
    row("MemorySwappiness",     Int,     Harmless,                 24),
    row("OomKillDisable",       Bool,    Closed,                   24),
    row("PidsLimit",            Int,     Harmless,                 24),
    row("Ulimits",              Objects, Closed,                   24),
    row("CpuCount",             Int,     Harmless,                 24),
    row("CpuPercent",           Int,     Harmless,                 24),
    row("IOMaximumIOps",        Int,     Harmless,                 24),
    row("IOMaximumBandwidth",   Int,     Harmless,                 24),
    row("RestartPolicy",        Object,  Within,                   24).of(&RESTART),
    // In the document of 1.37 and later, never in the code.
    row("Init",                 Any,     Ignored,                  37),
] };

#[rustfmt::skip]
pub(super) static WEIGHT: Table = Table { source: "blkiodev/blkio.go", rows: &[
    row("Path",   Text, Harmless, 24),
    row("Weight", Int,  Harmless, 24),
] };

#[rustfmt::skip]
pub(super) static THROTTLE: Table = Table { source: "blkiodev/blkio.go", rows: &[
    row("Path", Text, Harmless, 24),
    row("Rate", Int,  Harmless, 24),
] };

#[rustfmt::skip]
pub(super) static RESTART: Table = Table { source: "container/hostconfig.go", rows: &[
    row("Name",              Text, Harmless, 24),
    row("MaximumRetryCount", Int,  Harmless, 24),
] };

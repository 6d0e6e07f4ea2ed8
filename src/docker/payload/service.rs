//! The bodies of `POST /services/create` and `POST /services/{id}/update`.
//!
//! Sources: moby `api/types/swarm/{service,task,container,network,secret,config}.go`,
//! `daemon/cluster/executor/container/container.go` for how a task becomes a container.

use std::borrow::Cow;

use super::container::{HEALTH, healthcheck};
use super::host_config::{ULIMIT, capabilities, logs_stay_local, ulimits};
use super::mount::{self, Mount, Source};
use super::power::Power;
use super::table::Class::{Beyond, Closed, Each, Harmless, Read, Within};
use super::table::Kind::{Bool, Float, Int, Object, Objects, Text, TextMap, Texts};
use super::table::{Bound, Table, row};
use super::walk::Reading;
use super::{BadBody, Body, Port, What, profile};
use crate::docker::json::{self, Value};

#[rustfmt::skip]
pub(super) static SERVICE: Table = Table { source: "swarm/service.go", rows: &[
    row("Name",           Text,    Read(profile::name),   24),
    row("Labels",         TextMap, Read(profile::labels), 24),
    row("TaskTemplate",   Object,  Within,                24).of(&TASK),
    row("Mode",           Object,  Read(mode),            24).of(&MODE),
    row("UpdateConfig",   Object,  Within,                24).of(&UPDATE_CONFIG),
    row("RollbackConfig", Object,  Within,                28).of(&UPDATE_CONFIG),
    row("Networks",       Objects, Read(networks),        24).of(&ATTACHMENT),
    row("EndpointSpec",   Object,  Within,                24).of(&ENDPOINT_SPEC),
] };

#[rustfmt::skip]
static TASK: Table = Table { source: "swarm/task.go", rows: &[
    row("ContainerSpec",         Object,  Within,           24).of(&CONTAINER_SPEC),
    // SECURITY: a plugin runs as root with mounts of the host.
    row("PluginSpec",            Object,  Closed,           31),
    row("NetworkAttachmentSpec", Object,  Closed,           38),
    row("Resources",             Object,  Within,           24).of(&RESOURCES),
    row("RestartPolicy",         Object,  Within,           24).of(&RESTART_POLICY),
    row("Placement",             Object,  Within,           24).of(&PLACEMENT),
    row("Networks",              Objects, Read(networks),   25).of(&ATTACHMENT),
    row("LogDriver",             Object,  Read(log_driver), 24).of(&DRIVER),
    row("ForceUpdate",           Int,     Harmless,         25),
    row("Runtime",               Text,    Read(runtime),    30),
] };

#[rustfmt::skip]
static CONTAINER_SPEC: Table = Table { source: "swarm/container.go", rows: &[
    row("Image",           Text,    Read(profile::image),                      24),
    row("Labels",          TextMap, Read(profile::labels),                     24),
    row("Command",         Texts,   Read(profile::entrypoint),                 24),
    row("Args",            Texts,   Read(profile::arguments),                  24),
    row("Hostname",        Text,    Harmless,                                  26),
    row("Env",             Texts,   Harmless,                                  24),
    row("Dir",             Text,    Harmless,                                  24),
    row("User",            Text,    Read(profile::user),                       24),
    row("Groups",          Texts,   Each(Power::Groups),                       25),
    row("Privileges",      Object,  Within,                                    30).of(&PRIVILEGES),
    row("Init",            Bool,    Read(profile::init),                       37),
    row("StopSignal",      Text,    Harmless,                                  28),
    row("TTY",             Bool,    Harmless,                                  25),
    row("OpenStdin",       Bool,    Harmless,                                  26),
    row("ReadOnly",        Bool,    Read(profile::read_only),                  27),
    row("Mounts",          Objects, Read(mount::mounts),                       24).of(&mount::MOUNT),
    row("StopGracePeriod", Int,     Harmless,                                  24),
    row("Healthcheck",     Object,  Read(healthcheck),                         26).of(&HEALTH).also(&["HealthCheck"]),
    row("Hosts",           Texts,   Harmless,                                  26),
    row("DNSConfig",       Object,  Within,                                    25).of(&DNS_CONFIG),
    row("Secrets",         Objects, Read(secrets),                             25).of(&REFERENCE),
    row("Configs",         Objects, Read(configs),                             30).of(&REFERENCE),
    row("Isolation",       Text,    Read(isolation),                           35),
    row("Sysctls",         TextMap, Each(Power::Sysctls),                      40),
    row("CapabilityAdd",   Texts,   Read(capabilities),                        41),
    row("CapabilityDrop",  Texts,   Read(profile::dropped),                    41),
    row("Ulimits",         Objects, Read(ulimits),                             41).of(&ULIMIT),
    row("OomScoreAdj",     Int,     Beyond(Power::Resources, Bound::Below(0)), 46),
] };

#[rustfmt::skip]
static PRIVILEGES: Table = Table { source: "swarm/container.go", rows: &[
    row("CredentialSpec",  Object, Closed,                  30),
    row("SELinuxContext",  Object, Read(selinux),           30).of(&SELINUX),
    row("Seccomp",         Object, Read(seccomp),           44).of(&SECCOMP),
    row("AppArmor",        Object, Read(apparmor),          44).of(&APPARMOR),
    row("NoNewPrivileges", Bool,   Read(no_new_privileges), 44),
] };

#[rustfmt::skip]
static SELINUX: Table = Table { source: "swarm/container.go", rows: &[
    row("Disable", Bool, Harmless, 30),
    row("User",    Text, Harmless, 30),
    row("Role",    Text, Harmless, 30),
    row("Type",    Text, Harmless, 30),
    row("Level",   Text, Harmless, 30),
] };

#[rustfmt::skip]
static SECCOMP: Table = Table { source: "swarm/container.go", rows: &[
    row("Mode",    Text, Harmless, 44),
    row("Profile", Text, Harmless, 44),
] };

static APPARMOR: Table = Table {
    source: "swarm/container.go",
    rows: &[row("Mode", Text, Harmless, 44)],
};

#[rustfmt::skip]
static DNS_CONFIG: Table = Table { source: "swarm/container.go", rows: &[
    row("Nameservers", Texts, Harmless, 25),
    row("Search",      Texts, Harmless, 25),
    row("Options",     Texts, Harmless, 25),
] };

/// The fields of a secret and of a config.
#[rustfmt::skip]
static REFERENCE: Table = Table { source: "swarm/secret.go", rows: &[
    row("File",       Object, Within,   25).of(&REFERENCE_FILE),
    row("SecretID",   Text,   Harmless, 25),
    row("SecretName", Text,   Harmless, 25),
    row("ConfigID",   Text,   Harmless, 30),
    row("ConfigName", Text,   Harmless, 30),
    row("Runtime",    Object, Closed,   40),
] };

#[rustfmt::skip]
static REFERENCE_FILE: Table = Table { source: "swarm/secret.go", rows: &[
    row("Name", Text, Harmless, 25),
    row("UID",  Text, Harmless, 25),
    row("GID",  Text, Harmless, 25),
    row("Mode", Int,  Harmless, 25),
] };

#[rustfmt::skip]
static RESOURCES: Table = Table { source: "swarm/task.go", rows: &[
    row("Limits",           Object, Within,   24).of(&LIMITS),
    row("Reservations",     Object, Within,   24).of(&RESERVATIONS),
    row("SwapBytes",        Int,    Harmless, 52),
    row("MemorySwappiness", Int,    Harmless, 52),
] };

#[rustfmt::skip]
static LIMITS: Table = Table { source: "swarm/task.go", rows: &[
    row("NanoCPUs",         Int,     Read(profile::cpus),   24).also(&["NanoCpus"]),
    row("MemoryBytes",      Int,     Read(profile::memory), 24),
    row("Pids",             Int,     Read(profile::pids),   41),
    row("GenericResources", Objects, Within,                32).of(&GENERIC),
] };

#[rustfmt::skip]
static RESERVATIONS: Table = Table { source: "swarm/task.go", rows: &[
    row("NanoCPUs",         Int,     Harmless, 24).also(&["NanoCpus"]),
    row("MemoryBytes",      Int,     Harmless, 24),
    row("GenericResources", Objects, Within,   32).of(&GENERIC),
] };

#[rustfmt::skip]
static GENERIC: Table = Table { source: "swarm/task.go", rows: &[
    row("NamedResourceSpec",    Object, Within, 32).of(&NAMED),
    row("DiscreteResourceSpec", Object, Within, 32).of(&DISCRETE),
] };

#[rustfmt::skip]
static NAMED: Table = Table { source: "swarm/task.go", rows: &[
    row("Kind",  Text, Harmless, 32),
    row("Value", Text, Harmless, 32),
] };

#[rustfmt::skip]
static DISCRETE: Table = Table { source: "swarm/task.go", rows: &[
    row("Kind",  Text, Harmless, 32),
    row("Value", Int,  Harmless, 32),
] };

#[rustfmt::skip]
static RESTART_POLICY: Table = Table { source: "swarm/task.go", rows: &[
    row("Condition",   Text, Harmless, 24),
    row("Delay",       Int,  Harmless, 24),
    row("MaxAttempts", Int,  Harmless, 24),
    row("Window",      Int,  Harmless, 24),
] };

#[rustfmt::skip]
static PLACEMENT: Table = Table { source: "swarm/task.go", rows: &[
    row("Constraints", Texts,   Each(Power::Placement), 24),
    row("Preferences", Objects, Within,                 28).of(&PREFERENCE),
    row("MaxReplicas", Int,     Harmless,               40),
    row("Platforms",   Objects, Within,                 30).of(&PLATFORM),
] };

static PREFERENCE: Table = Table {
    source: "swarm/task.go",
    rows: &[row("Spread", Object, Within, 28).of(&SPREAD)],
};

static SPREAD: Table = Table {
    source: "swarm/task.go",
    rows: &[row("SpreadDescriptor", Text, Harmless, 28)],
};

#[rustfmt::skip]
static PLATFORM: Table = Table { source: "swarm/common.go", rows: &[
    row("Architecture", Text, Harmless, 30),
    row("OS",           Text, Harmless, 30),
] };

#[rustfmt::skip]
static UPDATE_CONFIG: Table = Table { source: "swarm/service.go", rows: &[
    row("Parallelism",     Int,   Harmless, 24),
    row("Delay",           Int,   Harmless, 24),
    row("FailureAction",   Text,  Harmless, 24),
    row("Monitor",         Int,   Harmless, 25),
    row("MaxFailureRatio", Float, Harmless, 25),
    row("Order",           Text,  Harmless, 29),
] };

#[rustfmt::skip]
static ENDPOINT_SPEC: Table = Table { source: "swarm/network.go", rows: &[
    row("Mode",  Text,    Harmless,    24),
    row("Ports", Objects, Read(ports), 24).of(&PORT),
] };

#[rustfmt::skip]
static PORT: Table = Table { source: "swarm/network.go", rows: &[
    row("Name",          Text, Harmless, 24),
    row("Protocol",      Text, Harmless, 24),
    row("TargetPort",    Int,  Harmless, 24),
    row("PublishedPort", Int,  Harmless, 24),
    row("PublishMode",   Text, Harmless, 32),
] };

#[rustfmt::skip]
static ATTACHMENT: Table = Table { source: "swarm/network.go", rows: &[
    row("Target",     Text,    Harmless,              24),
    row("Aliases",    Texts,   Harmless,              24),
    row("DriverOpts", TextMap, Each(Power::Endpoint), 39),
] };

#[rustfmt::skip]
static DRIVER: Table = Table { source: "swarm/common.go", rows: &[
    row("Name",    Text,    Harmless, 24),
    row("Options", TextMap, Harmless, 24),
] };

#[rustfmt::skip]
static MODE: Table = Table { source: "swarm/service.go", rows: &[
    row("Replicated",    Object, Within,   24).of(&REPLICATED),
    row("Global",        Object, Harmless, 24).of(&mount::NOTHING),
    row("ReplicatedJob", Object, Within,   41).of(&REPLICATED_JOB),
    row("GlobalJob",     Object, Harmless, 41).of(&mount::NOTHING),
] };

static REPLICATED: Table = Table {
    source: "swarm/service.go",
    rows: &[row("Replicas", Int, Harmless, 24)],
};

#[rustfmt::skip]
static REPLICATED_JOB: Table = Table { source: "swarm/service.go", rows: &[
    row("MaxConcurrent",    Int, Harmless, 41),
    row("TotalCompletions", Int, Harmless, 41),
] };

// === reading single fields ===

type Done = Result<(), BadBody>;

/// `Mode`: whichever of the four objects is there.
fn mode<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    for (key, value) in value.object().into_iter().flat_map(json::Object::iter) {
        let mode = match &**key {
            "Global" => "global",
            "ReplicatedJob" => "replicated-job",
            "GlobalJob" => "global-job",
            _ => continue,
        };
        if !value.is_null() {
            reading.uses(Power::Mode, What::Text(Cow::Borrowed(mode)));
        }
    }
    Ok(())
}

fn networks<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    for (index, element) in value.list().unwrap_or_default().iter().enumerate() {
        let target = element.object().and_then(|object| object.get("Target"));
        let target = target.and_then(Value::text).cloned().unwrap_or_default();
        reading.at_index(index, |reading| {
            reading.uses(Power::Network, What::Text(target));
        });
    }
    Ok(())
}

/// A service that names no network joins the bridge of the swarm.
pub(super) fn settle_networks(body: &mut Body<'_>) {
    if !body.uses.iter().any(|one| one.power == Power::Network) {
        body.uses.push(super::Use {
            power: Power::Network,
            place: Cow::Borrowed("TaskTemplate.Networks"),
            what: What::Text(Cow::Borrowed("bridge")),
            rests: true,
            absent: true,
        });
    }
}

fn ports<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    for (index, element) in value.list().unwrap_or_default().iter().enumerate() {
        let get = |key: &str| element.object().and_then(|object| object.get(key));
        let published = get("PublishedPort").and_then(Value::integer);
        let port = u16::try_from(published.unwrap_or_default())
            .map_err(|_| reading.bad_value("a port is at most 65535"))?;
        let protocol = get("Protocol").and_then(Value::text);
        let protocol = protocol.filter(|text| !text.is_empty());
        let port = Port {
            address: Cow::Borrowed(""),
            first: port,
            last: port,
            protocol: protocol.map_or("tcp", |text| text).into(),
        };
        reading.at_index(index, |reading| {
            reading.uses(Power::Publish, What::Port(port));
        });
    }
    Ok(())
}

fn log_driver<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    let get = |key: &str| value.object().and_then(|object| object.get(key));
    let name = get("Name").and_then(Value::text).cloned();
    let name = name.unwrap_or_default();
    if !logs_stay_local(&name, get("Options")) {
        reading.uses(Power::LogDriver, What::Text(name));
    }
    Ok(())
}

fn runtime<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    let text = value.text().map_or("", |text| text);
    if !matches!(text, "" | "container") {
        return Err(reading.bad_value("only `container` is a runtime that is described"));
    }
    Ok(())
}

fn isolation<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    let text = value.text().map_or("", |text| text);
    if !matches!(text, "" | "default") {
        return Err(reading.bad_value("only `default` is isolation that Linux has"));
    }
    Ok(())
}

fn selinux<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    let entries = value.object().into_iter().flat_map(json::Object::iter);
    for (key, value) in entries {
        if value.is_empty() {
            continue;
        }
        let text = value.text().map_or("true", |text| text);
        let option = format!("label={}:{text}", key.to_ascii_lowercase());
        reading.uses(Power::SecurityOpt, What::Text(Cow::Owned(option)));
    }
    Ok(())
}

fn seccomp<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    confined(reading, "seccomp", value);
    Ok(())
}

fn apparmor<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    confined(reading, "apparmor", value);
    Ok(())
}

fn confined<'b>(reading: &mut Reading<'b>, key: &str, value: &Value<'b>) {
    let object = value.object();
    let mode = object.and_then(|object| object.get("Mode"));
    let mode = mode.and_then(Value::text).map_or("", |text| text);
    let profile = object.and_then(|object| object.get("Profile"));
    if !matches!(mode, "" | "default") || profile.is_some_and(|profile| !profile.is_empty()) {
        let option = format!("{key}={mode}");
        reading.uses(Power::SecurityOpt, What::Text(Cow::Owned(option)));
    }
}

fn no_new_privileges<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    reading.body.profile.no_new_privileges = value.boolean() == Some(true);
    Ok(())
}

fn secrets<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    references(reading, value, "SecretName", "SecretID", Source::Secret)
}

fn configs<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    references(reading, value, "ConfigName", "ConfigID", Source::Config)
}

/// SECURITY: the engine goes by the id and takes the name for display only, so both are uses.
fn references<'b>(
    reading: &mut Reading<'b>,
    value: &Value<'b>,
    name: &str,
    id: &str,
    source: fn(Cow<'b, str>) -> Source<'b>,
) -> Done {
    for (index, element) in value.list().unwrap_or_default().iter().enumerate() {
        for key in [name, id] {
            let text = element.object().and_then(|object| object.get(key));
            let Some(text) = text.and_then(Value::text) else {
                continue;
            };
            let mount = Mount {
                source: source(text.clone()),
                read_only: true,
                options: Vec::new(),
            };
            reading.at_index(index, |reading| {
                reading.uses(Power::Mounts, What::Mount(mount));
            });
        }
    }
    Ok(())
}

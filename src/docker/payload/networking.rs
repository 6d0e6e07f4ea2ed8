//! Which networks a container joins: `NetworkMode`, `NetworkingConfig`, and the endpoints inside.
//!
//! Sources: moby `api/types/network/endpoint.go`, `daemon/container_operations.go` (`getNetworkID`,
//! `updateContainerNetworkSettings`), `daemon/network/network_mode.go`.

use std::borrow::Cow;

use super::container::mac_address;
use super::power::Power;
use super::table::Class::{Closed, Each, Harmless, Read, Within};
use super::table::Kind::{Any, Bool, Int, Object, ObjectMap, Objects, Text, TextMap, Texts};
use super::table::{Choice, Class, Table, row};
use super::walk::Reading;
use super::{BadBody, What, profile};
use crate::docker::json::{self, Value};

pub(super) static NETWORKING: Table = Table {
    source: "network/network.go",
    rows: &[row("EndpointsConfig", ObjectMap, Read(endpoints), 24).of(&ENDPOINT)],
};

#[rustfmt::skip]
pub(super) static ENDPOINT: Table = Table { source: "network/endpoint.go", rows: &[
    row("IPAMConfig",          Object,  Within,                24).of(&ENDPOINT_IPAM),
    row("Links",               Texts,   Each(Power::Links),    24),
    row("Aliases",             Texts,   Harmless,              24),
    row("DriverOpts",          TextMap, Each(Power::Endpoint), 32),
    row("GwPriority",          Int,     Harmless,              48),
    // SECURITY: Docker joins the network of this id instead of the one that is named.
    row("NetworkID",           Text,    Closed,                24),
    row("EndpointID",          Text,    Harmless,              24),
    row("Gateway",             Text,    Harmless,              24),
    row("IPAddress",           Text,    Harmless,              24),
    row("MacAddress",          Text,    Read(mac_address),     24),
    row("IPPrefixLen",         Int,     Harmless,              24),
    row("IPv6Gateway",         Text,    Harmless,              24),
    row("GlobalIPv6Address",   Text,    Harmless,              24),
    row("GlobalIPv6PrefixLen", Int,     Harmless,              24),
    row("DNSNames",            Texts,   Harmless,              44),
] };

#[rustfmt::skip]
static ENDPOINT_IPAM: Table = Table { source: "network/endpoint.go", rows: &[
    row("IPv4Address",  Text,  Harmless, 24),
    row("IPv6Address",  Text,  Harmless, 24),
    row("LinkLocalIPs", Texts, Harmless, 24),
] };

/// Docker's own bridge, by whichever of its names.
const BRIDGE: &str = "bridge";

/// A network as Docker understands the text.
fn network<'b>(text: &Cow<'b, str>) -> Cow<'b, str> {
    match &**text {
        "" | "default" | BRIDGE => Cow::Borrowed(BRIDGE),
        _ => text.clone(),
    }
}

/// `HostConfig.NetworkMode`.
pub(super) fn mode<'b>(
    reading: &mut Reading<'b>,
    value: Option<&Value<'b>>,
) -> Result<(), BadBody> {
    let Some(text) = value.and_then(Value::text) else {
        reading.absent(Power::Network, "HostConfig.NetworkMode", BRIDGE);
        return Ok(());
    };
    let name = network(text);
    // `none` takes the power away.
    if matches!(&*name, BRIDGE | "none") {
        reading.rests(Power::Network, What::Text(name));
    } else {
        reading.uses(Power::Network, What::Text(name));
    }
    Ok(())
}

/// Every key is a network that is joined.
fn endpoints<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    for (key, _) in value.object().into_iter().flat_map(json::Object::iter) {
        let name = network(key);
        reading.at_key(key, |reading| {
            if matches!(&*name, BRIDGE | "none") {
                reading.rests(Power::Network, What::Text(name));
            } else {
                reading.uses(Power::Network, What::Text(name));
            }
        });
    }
    Ok(())
}

/// SECURITY: `NetworkMode: none` beside `EndpointsConfig: {"bridge": {}}` joins the bridge all the same,
/// so a network beside `none` is never Docker's default.
pub(super) fn settle_none(body: &mut super::Body<'_>) {
    let is = |text: &str, one: &super::Use<'_>| {
        one.power == Power::Network && matches!(&one.what, What::Text(name) if *name == text)
    };
    let mut uses = body.uses.iter();
    if uses.any(|one| is("none", one) && !one.absent) {
        for one in &mut body.uses {
            // Beside `NetworkMode: none`, the key `default` means `none` as well.
            let default_key = one.place.ends_with(".default");
            if is(BRIDGE, one) && !one.absent && !default_key {
                one.rests = false;
            }
        }
    }
}

// === networks themselves ===

/// The body of `POST /networks/create`.
///
/// Sources: moby `api/types/network/network.go` (`CreateRequest`), `ipam.go`.
#[rustfmt::skip]
pub(super) static NETWORK_CREATE: Table = Table { source: "network/create_request.go", rows: &[
    row("Name",           Text,    Read(profile::name),                         24),
    row("CheckDuplicate", Any,     Class::Ignored,                              24),
    row("Driver",         Text,    Class::Choice(Power::NetworkDriver, &BRIDGE_DRIVER), 24),
    row("EnableIPv4",     Bool,    Harmless,                                    47),
    row("EnableIPv6",     Bool,    Harmless,                                    24),
    row("IPAM",           Object,  Within,                                      24).of(&IPAM),
    row("Internal",       Bool,    Harmless,                                    24),
    row("Attachable",     Bool,    Harmless,                                    25),
    row("Ingress",        Bool,    Class::Flag(Power::Scope),                   29),
    row("Scope",          Text,    Class::Choice(Power::Scope, &LOCAL),         30),
    row("ConfigOnly",     Bool,    Class::Flag(Power::Config),                  30),
    row("ConfigFrom",     Object,  Read(config_from),                           30).of(&CONFIG_FROM),
    row("Options",        TextMap, Each(Power::NetworkOptions),                 24),
    row("Labels",         TextMap, Read(profile::labels),                       24),
] };

static BRIDGE_DRIVER: Choice = Choice {
    default: BRIDGE,
    harmless: &[],
};

static LOCAL: Choice = Choice {
    default: "local",
    harmless: &[],
};

#[rustfmt::skip]
static IPAM: Table = Table { source: "network/ipam.go", rows: &[
    row("Driver",  Text,    Read(ipam_driver),           24),
    row("Options", TextMap, Each(Power::NetworkOptions), 24),
    row("Config",  Objects, Read(subnets),               24).of(&SUBNET),
] };

#[rustfmt::skip]
static SUBNET: Table = Table { source: "network/ipam.go", rows: &[
    row("Subnet",             Text,    Harmless, 24),
    row("IPRange",            Text,    Harmless, 24),
    row("Gateway",            Text,    Harmless, 24),
    row("AuxiliaryAddresses", TextMap, Harmless, 24),
] };

static CONFIG_FROM: Table = Table {
    source: "network/config_reference.go",
    rows: &[row("Network", Text, Harmless, 30)],
};

fn ipam_driver<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    let driver = value.text().map_or("", |text| text);
    if !matches!(driver, "" | "default") {
        let option = Cow::Owned(format!("ipam={driver}"));
        reading.uses(Power::NetworkOptions, What::Text(option));
    }
    Ok(())
}

fn subnets<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    for (index, element) in value.list().unwrap_or_default().iter().enumerate() {
        let subnet = element.object().and_then(|object| object.get("Subnet"));
        let subnet = subnet.and_then(Value::text).cloned().unwrap_or_default();
        reading.at_index(index, |reading| {
            reading.uses(Power::Subnets, What::Text(subnet));
        });
    }
    Ok(())
}

fn config_from<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    let name = value.object().and_then(|object| object.get("Network"));
    let name = name.and_then(Value::text).cloned().unwrap_or_default();
    if !name.is_empty() {
        reading.uses(Power::Config, What::Text(name));
    }
    Ok(())
}

/// The same body of a connect or disconnect, about the container of this id: it stands in the place of
/// what the client wrote, and no other byte changes. `None` if the body names no container, or if this
/// is no id.
pub fn connecting(body: &[u8], id: &str) -> Option<Vec<u8>> {
    let place = json::place(body, CONTAINER)?;
    let (before, after) = (body.get(..place.start)?, body.get(place.end..)?);
    let plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric());
    let parts = [before, b"\"", id.as_bytes(), b"\"", after];
    plain.then(|| parts.concat())
}

/// The field that names the container.
const CONTAINER: &str = "Container";

/// The body of `POST /networks/{id}/connect`.
#[rustfmt::skip]
pub(super) static CONNECT: Table = Table { source: "network/connect_request.go", rows: &[
    row(CONTAINER,        Text,   Read(profile::container), 24),
    row("EndpointConfig", Object, Within,                   24).of(&CONNECTED),
] };

/// As `ENDPOINT`, but links count as options of the endpoint.
#[rustfmt::skip]
static CONNECTED: Table = Table { source: "network/endpoint.go", rows: &[
    row("IPAMConfig",          Object,  Within,                24).of(&ENDPOINT_IPAM),
    row("Links",               Texts,   Each(Power::Endpoint), 24),
    row("Aliases",             Texts,   Harmless,              24),
    row("DriverOpts",          TextMap, Each(Power::Endpoint), 32),
    row("GwPriority",          Int,     Harmless,              48),
    // SECURITY: Docker joins the network of this id instead of the one in the path.
    row("NetworkID",           Text,    Closed,                24),
    row("EndpointID",          Text,    Harmless,              24),
    row("Gateway",             Text,    Harmless,              24),
    row("IPAddress",           Text,    Harmless,              24),
    row("MacAddress",          Text,    Harmless,              24),
    row("IPPrefixLen",         Int,     Harmless,              24),
    row("IPv6Gateway",         Text,    Harmless,              24),
    row("GlobalIPv6Address",   Text,    Harmless,              24),
    row("GlobalIPv6PrefixLen", Int,     Harmless,              24),
    row("DNSNames",            Texts,   Harmless,              44),
] };

/// The body of `POST /networks/{id}/disconnect`.
#[rustfmt::skip]
pub(super) static DISCONNECT: Table = Table { source: "network/disconnect_request.go", rows: &[
    row(CONTAINER, Text, Read(profile::container), 24),
    row("Force",   Bool, Harmless,                 24),
] };

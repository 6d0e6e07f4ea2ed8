//! The body of `POST /volumes/create`.
//!
//! Sources: moby `api/types/volume/create_request.go`, `volume/local/local_unix.go` for what the options
//! of the local driver are: arguments of mount(2), as root.

use std::borrow::Cow;

use super::power::Power;
use super::table::Class::{Each, Read};
use super::table::Kind::{Object, Text, TextMap};
use super::table::{Choice, Class, Table, row};
use super::walk::Reading;
use super::{BadBody, What, profile};
use crate::docker::json::Value;

#[rustfmt::skip]
pub(super) static VOLUME_CREATE: Table = Table { source: "volume/create_request.go", rows: &[
    // Nextcloud's AppAPI spells it in lower case.
    row("Name",              Text,    Read(profile::name),                        24).also(&["name"]),
    row("Driver",            Text,    Class::Choice(Power::VolumeDriver, &LOCAL), 24),
    row("DriverOpts",        TextMap, Each(Power::VolumeOptions),                 24),
    row("Labels",            TextMap, Read(profile::labels),                      24),
    row("ClusterVolumeSpec", Object,  Read(cluster),                              42),
] };

static LOCAL: Choice = Choice {
    default: "local",
    harmless: &[],
};

/// A volume of the cluster is one of another driver.
fn cluster<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    if !value.is_empty() {
        let name = Cow::Borrowed("cluster");
        reading.uses(Power::VolumeDriver, What::Text(name));
    }
    Ok(())
}

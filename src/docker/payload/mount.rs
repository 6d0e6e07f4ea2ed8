//! Mounts, whichever field asks for them: `Binds`, `Mounts` of every type, `Volumes`, `Tmpfs`.
//!
//! Sources: moby `volume/mounts/linux_parser.go` (`ParseMountRaw`, `linuxSplitRawSpec`),
//! `api/types/mount/mount.go`; Podman `pkg/specgen/volumes.go` for what its compatible API does with
//! the same fields.

use std::borrow::Cow;

use super::power::Power;
use super::table::{Class, Kind, Row, Table, row};
use super::walk::Reading;
use super::{BadBody, What};
use crate::docker::json::{Object, Value};

/// One mount from outside of the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount<'b> {
    /// What is mounted.
    pub source: Source<'b>,
    /// Whether it cannot be written through.
    pub read_only: bool,
    /// Options that a policy must list: propagation, relabelling, whatever is not known.
    pub options: Vec<Cow<'b, str>>,
}

/// What is mounted. Anonymous volumes are nobody's and are not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source<'b> {
    /// A path of the host.
    Host(Cow<'b, str>),
    /// A named volume.
    Volume(Cow<'b, str>),
    /// Memory.
    Tmpfs,
    /// An image.
    Image(Cow<'b, str>),
    /// A volume of the cluster.
    Cluster(Cow<'b, str>),
    /// A secret of the swarm.
    Secret(Cow<'b, str>),
    /// A config of the swarm.
    Config(Cow<'b, str>),
}

/// Options that say no more than the default. Everything else must be listed.
const PLAIN_OPTIONS: [&str; 9] = [
    "rw",
    "rprivate",
    "private",
    "nocopy",
    "copy",
    "consistent",
    "cached",
    "delegated",
    "default",
];

/// Options of a tmpfs that hand out nothing.
const PLAIN_TMPFS: [&str; 9] = [
    "rw", "ro", "noexec", "nosuid", "nodev", "size", "mode", "uid", "gid",
];

// === Binds, Volumes, Tmpfs ===

/// `Binds`: `SOURCE:TARGET[:OPTIONS]`.
pub(super) fn binds<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    for (index, element) in value.list().unwrap_or_default().iter().enumerate() {
        let text = element.text().cloned().unwrap_or_default();
        reading.at_index(index, |reading| bind(reading, &text))?;
    }
    Ok(())
}

/// `Volumes`: anonymous volumes. A key with a colon is a bind to Podman, so it is one to us.
pub(super) fn volumes<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    for (key, _) in value.object().into_iter().flat_map(Object::iter) {
        reading.at_key(key, |reading| bind(reading, key))?;
    }
    Ok(())
}

#[expect(
    clippy::ptr_arg,
    reason = "what is borrowed from the body stays borrowed"
)]
fn bind<'b>(reading: &mut Reading<'b>, text: &Cow<'b, str>) -> Result<(), BadBody> {
    let mut parts = text.split(':');
    let (first, target, options) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    if parts.next().is_some() {
        return Err(reading.bad_value("more than three parts"));
    }
    let Some(target) = target else {
        // A lone path is an anonymous volume.
        return if first.starts_with('/') {
            Ok(())
        } else {
            Err(reading.bad_value("neither a path nor `SOURCE:TARGET`"))
        };
    };
    if !target.starts_with('/') {
        return Err(reading.bad_value("the path in the container must be absolute"));
    }
    let length = first.len();
    let source = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(..length).unwrap_or_default()),
        Cow::Owned(_) => Cow::Owned(first.to_owned()),
    };
    let source = if first.starts_with('/') {
        Source::Host(source)
    } else if is_volume_name(first) {
        Source::Volume(source)
    } else {
        return Err(reading.bad_value("the source is neither an absolute path nor a volume's name"));
    };
    let mut mount = Mount {
        source,
        read_only: false,
        options: Vec::new(),
    };
    for option in options.into_iter().flat_map(|options| options.split(',')) {
        if option == "ro" {
            mount.read_only = true;
        } else if !PLAIN_OPTIONS.contains(&option) {
            mount.options.push(Cow::Owned(option.to_owned()));
        }
    }
    if mount.read_only && options.is_some_and(|o| o.split(',').any(|o| o == "rw")) {
        return Err(reading.bad_value("`ro` and `rw` at once"));
    }
    reading.uses(Power::Mounts, What::Mount(mount));
    Ok(())
}

/// `[a-zA-Z0-9][a-zA-Z0-9_.-]*` (moby `volume/local`, `names.RestrictedNamePattern`).
fn is_volume_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// `Tmpfs`: target to options.
pub(super) fn tmpfs<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    for (key, value) in value.object().into_iter().flat_map(Object::iter) {
        let written = value.text().map_or("", |text| &**text);
        let written = written.split(',').filter(|option| !option.is_empty());
        let mut mount = Mount {
            source: Source::Tmpfs,
            read_only: false,
            options: Vec::new(),
        };
        for option in written {
            tmpfs_option(&mut mount, option);
        }
        reading.at_key(key, |reading| {
            reading.uses(Power::Mounts, What::Mount(mount));
        });
    }
    Ok(())
}

fn tmpfs_option(mount: &mut Mount<'_>, option: &str) {
    let name = option.split('=').next().unwrap_or_default();
    mount.read_only |= name == "ro";
    if !PLAIN_TMPFS.contains(&name) {
        mount.options.push(Cow::Owned(name.to_owned()));
    }
}

// === Mounts ===

/// The fields of one mount.
#[rustfmt::skip]
pub(super) static MOUNT: Table = Table { source: "mount/mount.go", rows: &[
    row("Type",           Kind::Text,   Class::Harmless, 24),
    row("Source",         Kind::Text,   Class::Harmless, 24),
    row("Target",         Kind::Text,   Class::Harmless, 24),
    row("ReadOnly",       Kind::Bool,   Class::Harmless, 24),
    row("Consistency",    Kind::Text,   Class::Harmless, 29),
    row("BindOptions",    Kind::Object, Class::Within,   24).of(&BIND_OPTIONS),
    row("VolumeOptions",  Kind::Object, Class::Within,   24).of(&VOLUME_OPTIONS),
    row("ImageOptions",   Kind::Object, Class::Within,   48).of(&IMAGE_OPTIONS),
    row("TmpfsOptions",   Kind::Object, Class::Within,   24).of(&TMPFS_OPTIONS),
    row("ClusterOptions", Kind::Object, Class::Within,   42).of(&NOTHING),
] };

/// Read by `mount` below, because they belong to the mount they stand in.
#[rustfmt::skip]
static BIND_OPTIONS: Table = Table { source: "mount/mount.go", rows: &[
    row("Propagation",            Kind::Text, Class::Harmless, 24),
    row("NonRecursive",           Kind::Bool, Class::Harmless, 40),
    row("CreateMountpoint",       Kind::Bool, Class::Harmless, 42),
    row("ReadOnlyNonRecursive",   Kind::Bool, Class::Harmless, 44),
    row("ReadOnlyForceRecursive", Kind::Bool, Class::Harmless, 44),
] };

#[rustfmt::skip]
static VOLUME_OPTIONS: Table = Table { source: "mount/mount.go", rows: &[
    row("NoCopy",       Kind::Bool,    Class::Harmless, 24),
    row("Labels",       Kind::TextMap, Class::Harmless, 24),
    row("Subpath",      Kind::Text,    Class::Harmless, 45),
    row("DriverConfig", Kind::Object,  Class::Within,   24).of(&DRIVER_CONFIG),
] };

#[rustfmt::skip]
static DRIVER_CONFIG: Table = Table { source: "mount/mount.go", rows: &[
    row("Name",    Kind::Text,    Class::Read(volume_driver),        24),
    row("Options", Kind::TextMap, Class::Each(Power::VolumeOptions), 24),
] };

static IMAGE_OPTIONS: Table = Table {
    source: "mount/mount.go",
    rows: &[row("Subpath", Kind::Text, Class::Harmless, 48)],
};

#[rustfmt::skip]
static TMPFS_OPTIONS: Table = Table { source: "mount/mount.go", rows: &[
    row("SizeBytes", Kind::Int,       Class::Harmless, 24),
    row("Mode",      Kind::Int,       Class::Harmless, 24),
    row("Options",   Kind::TextLists, Class::Harmless, 46),
] };

/// An object without fields.
pub(super) static NOTHING: Table = Table {
    source: "mount/mount.go",
    rows: &NO_ROWS,
};

static NO_ROWS: [Row; 0] = [];

/// A volume driver: `local` is Docker's own.
pub(super) fn volume_driver<'b>(
    reading: &mut Reading<'b>,
    value: &Value<'b>,
) -> Result<(), BadBody> {
    let driver = value.text().cloned().unwrap_or_default();
    if !matches!(&*driver, "" | "local") {
        reading.uses(Power::VolumeDriver, What::Text(driver));
    }
    Ok(())
}

/// `Mounts`: a list of the above.
pub(super) fn mounts<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Result<(), BadBody> {
    for (index, element) in value.list().unwrap_or_default().iter().enumerate() {
        reading.at_index(index, |reading| match element.object() {
            Some(object) => mount(reading, object),
            None => Ok(()),
        })?;
    }
    Ok(())
}

fn mount<'b>(reading: &mut Reading<'b>, object: &Object<'b>) -> Result<(), BadBody> {
    let text = |key: &str| object.get(key).and_then(Value::text).cloned();
    let source = text("Source").unwrap_or_default();
    let options = |key: &str| object.get(key).and_then(Value::object);
    let bind = options("BindOptions");
    let yes = |options: Option<&Object<'b>>, key: &str| {
        let value = options.and_then(|options| options.get(key));
        value.and_then(Value::boolean) == Some(true)
    };
    let source = match text("Type").as_deref() {
        Some("bind") if source.starts_with('/') => Source::Host(source),
        Some("bind") => return Err(reading.bad_value("the source of a bind must be absolute")),
        Some("volume") if source.is_empty() => return Ok(()),
        Some("volume") if is_volume_name(&source) => Source::Volume(source),
        Some("volume") => return Err(reading.bad_value("the source is not the name of a volume")),
        Some("tmpfs") => Source::Tmpfs,
        Some("image") => Source::Image(source),
        Some("cluster") => Source::Cluster(source),
        _ => return Err(reading.bad_value("a mount needs a type that is known")),
    };
    let mut mount = Mount {
        // A mount whose inner mounts stay writable is not read-only.
        read_only: object.get("ReadOnly").and_then(Value::boolean) == Some(true)
            && !yes(bind, "ReadOnlyNonRecursive"),
        source,
        options: Vec::new(),
    };
    let propagation = bind.and_then(|options| options.get("Propagation"));
    if let Some(propagation) = propagation.and_then(Value::text)
        && !matches!(&**propagation, "" | "rprivate" | "private")
    {
        mount.options.push(propagation.clone());
    }
    let written = options("TmpfsOptions").and_then(|options| options.get("Options"));
    for option in written.and_then(Value::list).unwrap_or_default() {
        let name = option.list().and_then(<[_]>::first).and_then(Value::text);
        tmpfs_option(&mut mount, name.map_or("", |name| name));
    }
    reading.uses(Power::Mounts, What::Mount(mount));
    Ok(())
}

//! What a body says about the thing it makes, apart from powers: what a policy narrows and requires.

use std::borrow::Cow;

use super::host_config::capability;
use super::walk::Reading;
use super::{BadBody, Body};
use crate::docker::json::{self, Value};

/// What is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each read by its name"
)]
pub struct Profile<'b> {
    /// The name of a network, volume or service. (A container's name stands in the query.)
    pub name: Option<Cow<'b, str>>,
    /// The image.
    pub image: Option<Cow<'b, str>>,
    /// The entry point, if it is not the image's own.
    pub entrypoint: Option<Vec<Cow<'b, str>>>,
    /// The arguments, if they are not the image's own.
    pub arguments: Option<Vec<Cow<'b, str>>>,
    /// Whether a health check runs another command.
    pub second_command: bool,
    /// The user, numbers without leading zeros; `None` or empty: the image's own.
    pub user: Option<Cow<'b, str>>,
    /// The labels.
    pub labels: Vec<(Cow<'b, str>, Cow<'b, str>)>,
    /// The container that is connected or disconnected, as the client wrote it.
    pub container: Option<Cow<'b, str>>,
    /// A memory limit is set.
    pub limits_memory: bool,
    /// A limit on processes is set.
    pub limits_pids: bool,
    /// A limit on processor time is set.
    pub limits_cpus: bool,
    /// The root file system is read-only.
    pub read_only: bool,
    /// Processes cannot gain privileges.
    pub no_new_privileges: bool,
    /// Every capability is dropped.
    pub drops_all: bool,
    /// An init process is asked for.
    pub init: bool,
    /// An exec is started without a tunnel.
    pub detaches: bool,
}

impl<'b> Profile<'b> {
    /// Entry point and arguments together: what runs, as far as the body says it.
    pub fn command(&self) -> impl Iterator<Item = &Cow<'b, str>> {
        let parts = [&self.entrypoint, &self.arguments];
        parts.into_iter().flatten().flatten()
    }
}

// === reading single fields ===

type Done = Result<(), BadBody>;

pub(super) fn name<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    reading.body.profile.name = value.text().cloned();
    Ok(())
}

pub(super) fn image<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    reading.body.profile.image = value.text().cloned();
    Ok(())
}

pub(super) fn container<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    reading.body.profile.container = value.text().cloned();
    Ok(())
}

pub(super) fn entrypoint<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    reading.body.profile.entrypoint = texts(value);
    Ok(())
}

pub(super) fn arguments<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    reading.body.profile.arguments = texts(value);
    Ok(())
}

fn texts<'b>(value: &Value<'b>) -> Option<Vec<Cow<'b, str>>> {
    let list = value.list()?;
    Some(list.iter().filter_map(Value::text).cloned().collect())
}

pub(super) fn user<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    reading.body.profile.user = value.text().map(canonical_user);
    Ok(())
}

/// Numbers without leading zeros: `00` is root.
pub(super) fn canonical_user<'b>(text: &Cow<'b, str>) -> Cow<'b, str> {
    let padded = |part: &str| {
        part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit())
    };
    if !text.split(':').any(padded) {
        return text.clone();
    }
    let bare = |part: &str| {
        if padded(part) {
            let digits = part.trim_start_matches('0');
            if digits.is_empty() { "0" } else { digits }.to_owned()
        } else {
            part.to_owned()
        }
    };
    let parts: Vec<String> = text.split(':').map(bare).collect();
    Cow::Owned(parts.join(":"))
}

pub(super) fn labels<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    let entries = value.object().into_iter().flat_map(json::Object::iter);
    for (key, value) in entries {
        let value = value.text().cloned().unwrap_or_default();
        reading.body.profile.labels.push((key.clone(), value));
    }
    Ok(())
}

pub(super) fn dropped<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    let mut names = value
        .list()
        .unwrap_or_default()
        .iter()
        .filter_map(Value::text);
    reading.body.profile.drops_all = names.any(|name| capability(name) == "ALL");
    Ok(())
}

pub(super) fn read_only<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    reading.body.profile.read_only = value.boolean() == Some(true);
    Ok(())
}

pub(super) fn init<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    reading.body.profile.init = value.boolean() == Some(true);
    Ok(())
}

pub(super) fn detaches<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    reading.body.profile.detaches = value.boolean() == Some(true);
    Ok(())
}

pub(super) fn memory<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    reading.body.profile.limits_memory |= is_positive(value);
    Ok(())
}

pub(super) fn pids<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    reading.body.profile.limits_pids |= is_positive(value);
    Ok(())
}

pub(super) fn cpus<'b>(reading: &mut Reading<'b>, value: &Value<'b>) -> Done {
    reading.body.profile.limits_cpus |= is_positive(value);
    Ok(())
}

fn is_positive(value: &Value<'_>) -> bool {
    value.integer().is_some_and(|number| number > 0)
}

/// A command narrows nothing if the image's own entry point is taken and unknown; that is for the
/// policy to say. Here only: an entry point that is written empty is the image's own to Docker.
pub(super) fn settle_command(body: &mut Body<'_>) {
    let profile = &mut body.profile;
    for part in [&mut profile.entrypoint, &mut profile.arguments] {
        if part.as_ref().is_some_and(Vec::is_empty) {
            *part = None;
        }
    }
}

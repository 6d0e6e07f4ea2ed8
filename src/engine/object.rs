//! Which object a name or an id stands for, as the engine sees it.
//!
//! dockerd takes names, ids, beginnings of ids and aliases of links for one and the same placeholder, and
//! only it knows which one wins. So it is asked, and what it answers is judged and addressed by the full
//! id. Whatever leaves a doubt is [`Finding::Unclear`].

use bytes::Bytes;
use serde::Deserialize;

use super::{id, question};
use crate::docker::operation::ObjectKind;
use crate::facts::{Object, Origin};
use crate::proxy::dial::Address;

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// This object.
    Object(Box<Object>),
    /// None; the engine's own words for it, a JSON document.
    Absent(Bytes),
    /// It cannot be said.
    Unclear,
}

/// Asks the engine for the object at an operation's placeholder; for an exec, for its container.
pub async fn find(address: &Address, kind: ObjectKind, name: &str) -> Finding {
    if kind == ObjectKind::Exec {
        return match inspect::<Exec>(address, "exec", name).await {
            Ok(exec) => container(address, &exec.container_id).await,
            Err(finding) => finding,
        };
    }
    match kind {
        ObjectKind::Container | ObjectKind::Exec => container(address, name).await,
        ObjectKind::Image => told(
            inspect::<Image>(address, "images", name).await,
            Image::object,
        ),
        ObjectKind::Network => told(
            inspect::<Network>(address, "networks", name).await,
            Network::object,
        ),
        ObjectKind::Volume => told(
            inspect::<Volume>(address, "volumes", name).await,
            |volume| {
                // A volume has no id: the name that was asked for is all that tells it from another.
                (*volume.name == *name).then(|| volume.object())
            },
        ),
        ObjectKind::Service => told(
            inspect::<Service>(address, "services", name).await,
            Service::object,
        ),
    }
}

async fn container(address: &Address, name: &str) -> Finding {
    // A name that came in a query or a body may hold anything; this is what names and aliases are made of.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
    let name = name.strip_prefix('/').unwrap_or(name);
    if name.is_empty() || !name.bytes().all(plain) {
        return Finding::Unclear;
    }
    told(
        inspect::<Container>(address, "containers", name).await,
        Container::object,
    )
}

fn told<T>(document: Result<T, Finding>, object: impl FnOnce(T) -> Option<Object>) -> Finding {
    match document.map(object) {
        Ok(Some(object)) => Finding::Object(Box::new(object)),
        Ok(None) => Finding::Unclear,
        Err(finding) => finding,
    }
}

async fn inspect<T: for<'d> Deserialize<'d>>(
    address: &Address,
    family: &str,
    name: &str,
) -> Result<T, Finding> {
    let target = if family == "images" || family == "containers" || family == "exec" {
        format!("/{family}/{name}/json")
    } else {
        format!("/{family}/{name}")
    };
    let answer = question(address, &target).await.map_err(|error| {
        tracing::warn!(docker = %address, %error, "the engine does not say which object a call is about");
        Finding::Unclear
    })?;
    match answer.status {
        200 => serde_json::from_slice(&answer.body).map_err(|_| Finding::Unclear),
        404 => Err(Finding::Absent(answer.body)),
        _ => Err(Finding::Unclear),
    }
}

/// Labels as the engine has them; `null` when there are none.
type Labels = Option<std::collections::BTreeMap<Box<str>, Box<str>>>;

fn labels(labels: Labels) -> Vec<(Box<str>, Box<str>)> {
    labels.unwrap_or_default().into_iter().collect()
}

/// moby `api/types/container/container.go`, `InspectResponse`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    id: Box<str>,
    name: Box<str>,
    config: ContainerConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerConfig {
    image: Box<str>,
    labels: Labels,
}

impl Container {
    fn object(self) -> Option<Object> {
        // Its own name has one slash, before it; the names that links give it are elsewhere.
        let name = self.name.strip_prefix('/')?;
        (id::read(&self.id).is_some() && !name.contains('/')).then(|| Object {
            names: vec![name.into()],
            labels: labels(self.config.labels),
            image: Some(self.config.image),
            own: Origin::Elsewhere,
            is_gate: false,
            id: self.id,
        })
    }
}

/// moby `api/types/container/exec.go`, `ExecInspect`.
#[derive(Deserialize)]
struct Exec {
    #[serde(rename = "ContainerID")]
    container_id: Box<str>,
}

/// moby `api/types/image/image_inspect.go`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    id: Box<str>,
    repo_tags: Option<Vec<Box<str>>>,
    repo_digests: Option<Vec<Box<str>>>,
    #[serde(default)]
    config: Option<ImageConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImageConfig {
    #[serde(default)]
    labels: Labels,
}

impl Image {
    fn object(self) -> Option<Object> {
        self.id.strip_prefix("sha256:").and_then(id::read)?;
        let tags = self.repo_tags.into_iter().chain(self.repo_digests);
        Some(Object {
            names: tags.flatten().collect(),
            labels: labels(self.config.and_then(|config| config.labels)),
            image: None,
            own: Origin::Elsewhere,
            is_gate: false,
            id: self.id,
        })
    }
}

/// moby `api/types/network/network.go`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Network {
    id: Box<str>,
    name: Box<str>,
    labels: Labels,
}

impl Network {
    fn object(self) -> Option<Object> {
        // A swarm's networks have short ids.
        let plain = !self.id.is_empty() && self.id.bytes().all(|b| b.is_ascii_alphanumeric());
        plain.then(|| Object {
            names: vec![self.name],
            labels: labels(self.labels),
            image: None,
            own: Origin::Elsewhere,
            is_gate: false,
            id: self.id,
        })
    }
}

/// moby `api/types/volume/volume.go`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volume {
    name: Box<str>,
    labels: Labels,
}

impl Volume {
    fn object(self) -> Object {
        Object {
            id: self.name.clone(),
            names: vec![self.name],
            labels: labels(self.labels),
            image: None,
            own: Origin::Elsewhere,
            is_gate: false,
        }
    }
}

/// moby `api/types/swarm/service.go`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    #[serde(rename = "ID")]
    id: Box<str>,
    spec: ServiceSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ServiceSpec {
    name: Box<str>,
    labels: Labels,
    task_template: TaskTemplate,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TaskTemplate {
    container_spec: Option<ContainerSpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContainerSpec {
    image: Box<str>,
}

impl Service {
    fn object(self) -> Option<Object> {
        let plain = !self.id.is_empty() && self.id.bytes().all(|b| b.is_ascii_alphanumeric());
        plain.then(|| Object {
            names: vec![self.spec.name],
            labels: labels(self.spec.labels),
            image: self
                .spec
                .task_template
                .container_spec
                .map(|spec| spec.image),
            own: Origin::Elsewhere,
            is_gate: false,
            id: self.id,
        })
    }
}

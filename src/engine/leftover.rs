//! What was created through a socket and is still there: telling it, and removing it.
//!
//! These are the only requests of the gate's own that change anything, and nobody but `quaygate sweep`
//! makes them. They name what they are about by full ids, and volumes, which have none, by the name *and*
//! the moment of their creation: another volume of that name is somebody else's.

use std::time::Duration;

use hyper::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use super::{Answer, AskError, LARGEST_ANSWER, converse, within};
use crate::proxy::dial::{Address, dial};
use crate::wire::socket::Stream;

/// How long removing one object may take: a container may have gigabytes of files.
const REMOVAL: Duration = Duration::from_secs(120);

/// How long somebody else's removal of the same object is waited for, and how often it is asked about.
const UNDER_WAY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_millis(100));

/// How many ids are asked about at once, so that neither question nor answer grows too long.
const AT_ONCE: usize = 50;

/// What kind of object it is, in the order in which they are removed: a network that a container is on
/// cannot be, nor a volume that one uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is what Docker calls by that name")]
pub enum Kind {
    Container,
    Network,
    Volume,
}

/// An object that is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// What it is.
    pub kind: Kind,
    /// Its full id; of a volume its name.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The image that a container was made from, as it was written; the driver of a network or volume.
    pub made_of: String,
    /// Of a container: `running`, `exited` and so on.
    pub state: String,
    /// The same for people, `Up 2 hours`; of a network, who is on it.
    pub status: String,
}

/// Why an object is still there.
#[derive(Debug, thiserror::Error)]
pub enum NotRemoved {
    /// The engine says why.
    #[error("{0}")]
    Refused(String),
    /// The question came to nothing.
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// Those of some containers, by their full ids, that are still there.
pub async fn containers(address: &Address, ids: &[String]) -> Result<Vec<Leftover>, AskError> {
    let mut found = Vec::new();
    for ids in ids.chunks(AT_ONCE) {
        let target = format!("/containers/json?all=1&filters={}", by_ids(ids));
        let listed: Vec<Container> = told(address, &target).await?;
        let meant = listed.into_iter().filter(|one| ids.contains(&one.id));
        found.extend(meant.map(Leftover::from));
    }
    Ok(found)
}

/// Those of some networks, by their full ids, that are still there.
pub async fn networks(address: &Address, ids: &[String]) -> Result<Vec<Leftover>, AskError> {
    let mut found = Vec::new();
    for ids in ids.chunks(AT_ONCE) {
        let listed: Vec<Listed> =
            told(address, &format!("/networks?filters={}", by_ids(ids))).await?;
        for id in ids
            .iter()
            .filter(|id| listed.iter().any(|one| one.id == **id))
        {
            // Only this tells who is on it.
            match told::<Network>(address, &format!("/networks/{id}")).await {
                Ok(network) => found.push(network.into()),
                Err(AskError::Status(404)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}

/// The volume of this name, if it is still the one that was created then.
pub async fn volume(
    address: &Address,
    name: &str,
    created: &str,
) -> Result<Option<Leftover>, AskError> {
    match told::<Volume>(address, &format!("/volumes/{name}")).await {
        Ok(volume) if volume.name == name && volume.created_at == created => {
            Ok(Some(volume.into()))
        }
        Ok(_) | Err(AskError::Status(404)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Leftover {
    /// Removes it: a running container is killed, its anonymous volumes go with it.
    pub async fn remove(&self, address: &Address) -> Result<(), NotRemoved> {
        let target = match self.kind {
            Kind::Container => format!("/containers/{}?force=1&v=1", self.id),
            Kind::Network => format!("/networks/{}", self.id),
            Kind::Volume => format!("/volumes/{}", self.id),
        };
        let patience = Instant::now() + UNDER_WAY.0;
        loop {
            let answer = question(address, Method::DELETE, &target, REMOVAL).await?;
            match answer.status {
                200..=299 | 404 => return Ok(()),
                // A container that removes itself, or that somebody else removes: moby
                // `daemon/delete.go`, `containerRm`.
                409 if words(&answer).contains("already in progress")
                    && Instant::now() < patience =>
                {
                    sleep(UNDER_WAY.1).await;
                }
                _ => return Err(NotRemoved::Refused(words(&answer))),
            }
        }
    }
}

/// The engine's own words for a refusal.
fn words(answer: &Answer) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    let said = serde_json::from_slice::<Refusal>(&answer.body);
    said.map_or_else(
        |_| format!("the engine answers status {}", answer.status),
        |refusal| refusal.message.trim().to_owned(),
    )
}

/// `{"id":["…","…"]}`, percent-encoded.
fn by_ids(ids: &[String]) -> String {
    format!("%7B%22id%22%3A%5B%22{}%22%5D%7D", ids.join("%22%2C%22"))
}

async fn told<T: DeserializeOwned>(address: &Address, target: &str) -> Result<T, AskError> {
    let answer = question(address, Method::GET, target, super::DEADLINE).await?;
    if answer.status != 200 {
        return Err(AskError::Status(answer.status));
    }
    serde_json::from_slice(&answer.body).map_err(|_| AskError::Nonsense)
}

async fn question(
    address: &Address,
    method: Method,
    target: &str,
    deadline: Duration,
) -> Result<Answer, AskError> {
    match dial(address).await.map_err(AskError::Connect)? {
        Stream::Unix(stream) => {
            within(deadline, converse(stream, method, target, LARGEST_ANSWER)).await
        }
        Stream::Tcp(stream) => {
            within(deadline, converse(stream, method, target, LARGEST_ANSWER)).await
        }
    }
}

/// moby `api/types/container/container.go`, `Summary`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    id: String,
    #[serde(default)]
    names: Vec<String>,
    image: String,
    state: String,
    status: String,
}

impl From<Container> for Leftover {
    fn from(container: Container) -> Self {
        // Its own name has one slash, before it; the names that links give it have more.
        let mut names = container.names.iter();
        let own = names.find_map(|name| name.strip_prefix('/').filter(|name| !name.contains('/')));
        Self {
            kind: Kind::Container,
            name: own.unwrap_or_default().to_owned(),
            id: container.id,
            made_of: container.image,
            state: container.state,
            status: container.status,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
}

/// moby `api/types/network/network.go`, `Inspect`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Network {
    id: String,
    name: String,
    driver: String,
    #[serde(default)]
    containers: Option<std::collections::BTreeMap<String, Endpoint>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint {
    name: String,
}

impl From<Network> for Leftover {
    fn from(network: Network) -> Self {
        let endpoints = network.containers.unwrap_or_default();
        let names: Vec<String> = endpoints.into_values().map(|one| one.name).collect();
        Self {
            kind: Kind::Network,
            id: network.id,
            name: network.name,
            made_of: network.driver,
            state: String::new(),
            status: if names.is_empty() {
                String::new()
            } else {
                format!("on it: {}", names.join(", "))
            },
        }
    }
}

/// moby `api/types/volume/volume.go`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volume {
    name: String,
    driver: String,
    #[serde(default)]
    created_at: String,
}

impl From<Volume> for Leftover {
    fn from(volume: Volume) -> Self {
        Self {
            kind: Kind::Volume,
            id: volume.name.clone(),
            name: volume.name,
            made_of: volume.driver,
            state: String::new(),
            status: String::new(),
        }
    }
}

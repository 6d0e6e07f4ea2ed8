//! Everything of a kind that the engine has.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{AskError, question_within};
use crate::docker::operation::ObjectKind;
use crate::proxy::dial::Address;

/// How long it may take, and how long it may be: some ten thousand containers.
const BOUNDS: (Duration, usize) = (Duration::from_secs(30), 32 * 1024 * 1024);

/// The full ids of all containers, running or not, or of all networks, or the names of all volumes, and of
/// these when they were created; of other kinds nothing is known.
pub async fn all(
    address: &Address,
    kind: ObjectKind,
) -> Result<HashMap<Box<str>, Box<str>>, AskError> {
    let identified = |all: Vec<Identified>| all.into_iter().map(|one| (one.id, "".into()));
    match kind {
        ObjectKind::Container => {
            let all = told(address, "/containers/json?all=1").await?;
            Ok(identified(all).collect())
        }
        ObjectKind::Network => Ok(identified(told(address, "/networks").await?).collect()),
        ObjectKind::Volume => {
            let all: Volumes = told(address, "/volumes").await?;
            let all = all.volumes.unwrap_or_default().into_iter();
            Ok(all.map(|one| (one.name, one.created_at)).collect())
        }
        ObjectKind::Exec | ObjectKind::Image | ObjectKind::Service => Err(AskError::Nonsense),
    }
}

async fn told<T: DeserializeOwned>(address: &Address, target: &str) -> Result<T, AskError> {
    let answer = question_within(address, target, BOUNDS).await?;
    if answer.status != 200 {
        return Err(AskError::Status(answer.status));
    }
    serde_json::from_slice(&answer.body).map_err(|_| AskError::Nonsense)
}

/// moby `api/types/container/container.go`, `Summary`; `api/types/network/network.go`, `Summary`.
#[derive(Deserialize)]
struct Identified {
    #[serde(rename = "Id")]
    id: Box<str>,
}

/// moby `api/types/volume/volume_list_response.go`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volumes {
    volumes: Option<Vec<Volume>>,
}

/// moby `api/types/volume/volume.go`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volume {
    name: Box<str>,
    #[serde(default)]
    created_at: Box<str>,
}

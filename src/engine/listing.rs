//! Everything of a kind that the engine has.

use std::collections::HashSet;
use std::time::Duration;

use serde::Deserialize;

use super::{AskError, question_within};
use crate::docker::operation::ObjectKind;
use crate::proxy::dial::Address;

/// How long it may take, and how long it may be: some ten thousand containers.
const BOUNDS: (Duration, usize) = (Duration::from_secs(30), 32 * 1024 * 1024);

/// The full ids of all containers, running or not, or of all networks; of other kinds nothing is known.
pub async fn all(address: &Address, kind: ObjectKind) -> Result<HashSet<Box<str>>, AskError> {
    let target = match kind {
        ObjectKind::Container => "/containers/json?all=1",
        ObjectKind::Network => "/networks",
        ObjectKind::Exec | ObjectKind::Image | ObjectKind::Volume | ObjectKind::Service => {
            return Err(AskError::Nonsense);
        }
    };
    let answer = question_within(address, target, BOUNDS).await?;
    if answer.status != 200 {
        return Err(AskError::Status(answer.status));
    }
    let all: Vec<Identified> =
        serde_json::from_slice(&answer.body).map_err(|_| AskError::Nonsense)?;
    Ok(all.into_iter().map(|object| object.id).collect())
}

/// moby `api/types/container/container.go`, `Summary`; `api/types/network/network.go`, `Summary`.
#[derive(Deserialize)]
struct Identified {
    #[serde(rename = "Id")]
    id: Box<str>,
}

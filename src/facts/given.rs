//! Stated facts about an object, for judging without an engine: `label=autoheal=true`.

use super::{Findings, Found, Object, Origin};

/// Why a stated fact cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadGiven {
    /// It has no `=`.
    #[error("write KEY=VALUE, for example `label=autoheal=true`")]
    NoValue,
    /// Nothing is known by this key.
    #[error("an object has `name`, `label`, `image`, `project` and `own`, not `{0}`")]
    Unknown(String),
    /// `own` is yes or no.
    #[error("`own` is `true` or `false`")]
    NoBoolean,
}

/// What stands before facts about the container that a connect's body names.
const CONNECTED: &str = "connect.container.";

impl Findings {
    /// Adds a stated fact: about the object of the call, or after `connect.container.` about the
    /// container that its body names.
    pub fn give(&mut self, fact: &str) -> Result<(), BadGiven> {
        let (found, fact) = match fact.strip_prefix(CONNECTED) {
            Some(fact) => (&mut self.connected, fact),
            None => (&mut self.target, fact),
        };
        let mut object = match std::mem::take(found) {
            Found::Remembered(object) | Found::Object(object) => object,
            Found::Unasked | Found::Absent | Found::Unclear => Box::default(),
        };
        object.give(fact)?;
        *found = Found::Object(object);
        Ok(())
    }
}

impl Object {
    /// Adds a stated fact.
    pub fn give(&mut self, fact: &str) -> Result<(), BadGiven> {
        let (key, value) = fact.split_once('=').ok_or(BadGiven::NoValue)?;
        match key {
            "name" => self.names.push(value.into()),
            "image" => self.image = Some(value.into()),
            "project" => self.labels.push((PROJECT.into(), value.into())),
            "label" => {
                let (key, value) = value.split_once('=').unwrap_or((value, ""));
                self.labels.push((key.into(), value.into()));
            }
            "own" => {
                let own: bool = value.parse().map_err(|_| BadGiven::NoBoolean)?;
                self.own = if own { Origin::Here } else { Origin::Elsewhere };
            }
            other => return Err(BadGiven::Unknown(other.to_owned())),
        }
        Ok(())
    }

    /// The compose project that it belongs to.
    pub fn project(&self) -> Option<&str> {
        let mut labels = self.labels.iter();
        labels.find_map(|(key, value)| (**key == *PROJECT).then_some(&**value))
    }
}

/// The label by which compose marks what belongs to a project (compose `pkg/api/labels.go`).
pub const PROJECT: &str = "com.docker.compose.project";

//! Stated facts about an object, for judging without an engine: `label=autoheal=true`.

use super::Object;

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
            "own" => self.own = value.parse().map_err(|_| BadGiven::NoBoolean)?,
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
const PROJECT: &str = "com.docker.compose.project";

//! The container that the gate runs in, and which texts the engine may take for it.
//!
//! Whoever may stop a container by its name must not stop the gate because nobody thought of it. So every
//! text that may stand for the gate's container is looked up before a call goes on, and no other text is:
//! that costs no question. What may stand for it are its id, every beginning of it, its name, and whatever
//! holds a slash, which may be an alias that a link gave it (moby `daemon/container.go`, `GetContainer`).
//!
//! Ids stay; the name may change. It is asked for at the start and whenever the engine's version is, noted in
//! passing whenever the engine describes the container, and forgotten when the engine's events say that it
//! has another one. As long as no engine has told it, every text but another full id may be it.

use std::sync::{PoisonError, RwLock};

use super::id;
use super::object::{self, Finding};
use crate::docker::operation::ObjectKind;
use crate::facts::Object;
use crate::proxy::dial::Address;

/// The container that the gate runs in.
#[derive(Debug)]
pub struct OwnContainer {
    id: Box<str>,
    name: RwLock<Name>,
}

/// The name of the gate's container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Name {
    /// No engine has told it.
    #[default]
    Untold,
    /// This one, without a slash.
    Told(Box<str>),
    /// The engine has no such container: the gate runs at another one.
    Elsewhere,
}

impl OwnContainer {
    /// The container of this full id.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.into(),
            name: RwLock::default(),
        }
    }

    /// Whether an object of the engine's is it.
    pub fn is(&self, object: &Object) -> bool {
        self.id == object.id
    }

    /// Whether the engine may take this text for it.
    pub fn may_be(&self, text: &str) -> bool {
        // With one slash before it, it is a name and never an id.
        let (text, by_name) = match text.strip_prefix('/') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let begins = !by_name && !text.is_empty() && self.may_begin_with(text);
        if begins || text.contains(['/', '%']) {
            return true;
        }
        match &*self.name.read().unwrap_or_else(PoisonError::into_inner) {
            Name::Untold => by_name || id::read(text).is_none(),
            Name::Told(name) => **name == *text,
            Name::Elsewhere => false,
        }
    }

    /// Podman looks ids up by SQLite's `LIKE`, to which case is nothing and `_` any character (podman
    /// `libpod/sqlite_state.go`, `LookupContainer`).
    fn may_begin_with(&self, text: &str) -> bool {
        let mut both = text.bytes().zip(self.id.bytes());
        text.len() <= self.id.len() && both.all(|(t, i)| t == b'_' || t.eq_ignore_ascii_case(&i))
    }

    /// Takes note of a container that the engine described. False: its name is the one that the gate's
    /// container had, which must have another one by now.
    pub fn note(&self, object: &Object) -> bool {
        let Some(named) = object.names.first() else {
            return true;
        };
        let mut name = self.name.write().unwrap_or_else(PoisonError::into_inner);
        if self.is(object) {
            *name = Name::Told(named.clone());
        } else if *name == Name::Told(named.clone()) {
            *name = Name::Untold;
            return false;
        }
        true
    }

    /// Takes note that a container has another name. False: it is the gate's, whose name nobody knows now.
    pub fn renamed(&self, id: &str) -> bool {
        if *self.id != *id {
            return true;
        }
        *self.name.write().unwrap_or_else(PoisonError::into_inner) = Name::Untold;
        false
    }

    /// Asks the engine for its name. What is known stays known while the engine is away.
    pub async fn ask(&self, address: &Address) {
        match object::find(address, ObjectKind::Container, &self.id).await {
            Finding::Object(object) => {
                let _its_own = self.note(&object);
            }
            Finding::Absent(_) => {
                *self.name.write().unwrap_or_else(PoisonError::into_inner) = Name::Elsewhere;
            }
            Finding::Unclear => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Name, OwnContainer};
    use crate::facts::Object;

    const ID: &str = "5e4f00000000000000000000000000000000000000000000000000000000beef";

    fn container(id: &str, name: &str) -> Object {
        Object {
            id: id.into(),
            names: vec![name.into()],
            ..Object::default()
        }
    }

    fn called(name: &str) -> OwnContainer {
        let own = OwnContainer::new(ID);
        assert!(own.note(&container(ID, name)));
        own
    }

    #[test]
    fn its_name_and_every_beginning_of_its_id_may_be_it_and_other_texts_are_not() {
        let own = called("gate");
        for end in 1..=ID.len() {
            assert!(own.may_be(ID.get(..end).unwrap()), "{end}");
        }
        for text in [
            "gate",
            "/gate",
            "web/gate",
            "/web/gate",
            "5E4F",
            "5_4",
            "%e4f",
        ] {
            assert!(own.may_be(text), "{text}");
        }
        let longer = format!("{ID}0");
        for text in [
            "gate2", "Gate", "gat", "web", "/web", "/5e4f", "5e5", "e4f", &longer,
        ] {
            assert!(!own.may_be(text), "{text}");
        }
    }

    #[test]
    fn as_long_as_its_name_is_not_known_only_another_full_id_is_not_it() {
        let own = OwnContainer::new(ID);
        let other = "a".repeat(64);
        assert!(own.may_be("web") && own.may_be("a") && own.may_be(ID));
        assert!(!own.may_be(&other));
    }

    #[test]
    fn its_name_follows_what_the_engine_says() {
        let own = called("gate");
        assert!(own.note(&container(ID, "old-gate")));
        assert!(own.may_be("old-gate") && !own.may_be("gate"));
        assert!(own.note(&container(&"a".repeat(64), "web")));
        assert!(!own.may_be("web"));

        assert!(!own.note(&container(&"a".repeat(64), "old-gate")));
        assert!(own.may_be("anything"), "its name is not known any more");

        let own = called("gate");
        assert!(own.renamed(&"a".repeat(64)));
        assert!(!own.may_be("anything"));
        assert!(!own.renamed(ID));
        assert!(own.may_be("anything"), "nor is it now");
    }

    #[test]
    fn at_another_engine_no_name_is_its_own() {
        let own = OwnContainer::new(ID);
        *own.name.write().unwrap() = Name::Elsewhere;
        assert!(!own.may_be("gate"));
        assert!(own.may_be("5e4f"));
    }
}

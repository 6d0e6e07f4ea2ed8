//! What is remembered of the engine's objects is kept true by what the engine tells.

use super::Shared;
use super::made::Making;
use crate::docker::operation::ObjectKind;
use crate::engine::events::{self, Event, Fate, Watcher};
use crate::engine::{AskError, listing};

impl Shared {
    /// Follows the engine's events for as long as it is polled.
    pub async fn watch(&self) {
        events::follow(&self.docker, self).await;
    }
}

impl Shared {
    /// Forgets what was gone before the engine's events were heard.
    async fn compare_all(&self, kind: ObjectKind) -> Result<(), AskError> {
        let Some(making) = Making::of_kind(kind) else {
            return Ok(());
        };
        // INVARIANT: what was made before the question is in the answer, unless it is gone. What is made
        // after it is not looked at.
        let houses = self.houses.all().into_iter();
        let remembered = houses.map(|house| (house.list(making), house));
        let remembered: Vec<_> = remembered.filter(|(list, _)| !list.is_empty()).collect();
        if remembered.is_empty() {
            return Ok(());
        }
        let there = listing::all(&self.docker, kind).await?;
        for (list, house) in remembered {
            // SECURITY: a volume that was created at another moment is another one.
            let is_there = |(name, created): &&(String, String)| {
                there
                    .get(name.as_str())
                    .is_some_and(|then| **then == **created)
            };
            let gone = list.iter().filter(|one| !is_there(one));
            house.forget(making, gone.map(|(name, _)| name.as_str()));
        }
        Ok(())
    }
}

impl Watcher for Shared {
    fn heard(&self, event: Event<'_>) {
        self.cache.lose(event.kind, event.id);
        if let (Fate::Gone, Some(making)) = (event.fate, Making::of_kind(event.kind)) {
            for house in self.houses.all() {
                house.forget(making, [event.id]);
            }
        }
        let renamed = event.kind == ObjectKind::Container && event.fate == Fate::Renamed;
        if let Some(container) = self.engine.own_container().filter(|_| renamed)
            && !container.renamed(event.id)
        {
            self.engine.doubt();
        }
    }

    async fn compare(&self) -> Result<(), AskError> {
        for kind in [
            ObjectKind::Container,
            ObjectKind::Network,
            ObjectKind::Volume,
        ] {
            self.compare_all(kind).await.inspect_err(|error| {
                tracing::warn!(%error, "the engine does not say what there is: what was created through a socket and is gone is remembered");
            })?;
        }
        Ok(())
    }

    fn caught_up(&self) {
        // The gate's own container may have been renamed unheard.
        self.engine.doubt();
        self.cache.revive();
        tracing::debug!("the engine's events are heard");
    }

    fn lapsed(&self) {
        self.cache.lapse();
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::Audit;
    use crate::docker::operation::ObjectKind;
    use crate::engine::EngineState;
    use crate::engine::events::{Event, Fate, Watcher as _};
    use crate::facts::Object;
    use crate::proxy::Shared;
    use crate::proxy::dial::Address;
    use crate::proxy::limits::Limits;

    #[test]
    fn a_new_name_of_the_gates_own_container_is_nobodys_until_it_is_asked_for() {
        let (id, other) = ("a".repeat(64), "b".repeat(64));
        let engine = EngineState::seen_from(Some(&id));
        let docker = Address::Unix("/nowhere".into());
        let shared = Shared::new(docker, engine, Audit::silent(), Limits::default());
        let container = shared.engine.own_container().unwrap();
        let named = Object {
            id: id.as_str().into(),
            names: vec!["gate".into()],
            ..Object::default()
        };
        assert!(container.note(&named));
        for (kind, fate, id, known) in [
            (ObjectKind::Container, Fate::Renamed, &other, true),
            (ObjectKind::Network, Fate::Renamed, &id, true),
            (ObjectKind::Container, Fate::Renamed, &id, false),
        ] {
            shared.heard(Event { kind, fate, id });
            assert_ne!(container.may_be("another-name"), known, "{kind:?} {id}");
        }
    }
}

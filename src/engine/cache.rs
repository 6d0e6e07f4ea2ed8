//! What the engine said of objects and cannot change while they live, so that it is not asked again.
//!
//! Containers, networks and images are remembered by their full ids, never by names, which change hands.
//! Their labels, a container's image as it was written, and a network's name are as old as they are;
//! that the names of containers and images are not is for the policy to heed
//! ([`Found::Remembered`](crate::facts::Found::Remembered)). Volumes have no id, and services change.
//!
//! * INVARIANT: nothing is known unless the engine's events are being heard: an object that is gone is
//!   forgotten when the engine says so, and everything is when it may have said so unheard.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::id::{self, Id};
use super::latest::Latest;
use crate::docker::operation::ObjectKind;
use crate::facts::Object;

/// How many objects are known.
const MOST: usize = 4096;

/// The largest one, in bytes of its texts: 32 MiB in all, whoever writes the labels.
const LARGEST: usize = 8 * 1024;

/// What is known, for every socket.
#[derive(Debug)]
pub struct Cache(Mutex<Shelf>);

#[derive(Debug)]
struct Shelf {
    /// The engine's events are heard, and nothing was missed.
    live: bool,
    /// How often something was forgotten.
    losses: u64,
    known: Latest<(ObjectKind, Id), Object>,
}

/// A moment: what the engine was asked before it may have been forgotten since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(u64);

impl Default for Cache {
    fn default() -> Self {
        Self(Mutex::new(Shelf {
            live: false,
            losses: 0,
            known: Latest::new(MOST),
        }))
    }
}

impl Cache {
    /// What is known of an object, if it is named by its full id.
    pub fn get(&self, kind: ObjectKind, name: &str) -> Option<Box<Object>> {
        let key = key(kind, name)?;
        let memory = self.lock();
        let known = memory.known.get(&key).filter(|_| memory.live)?;
        Some(Box::new(known.clone()))
    }

    /// Now. Call it before the engine is asked.
    pub fn moment(&self) -> Moment {
        Moment(self.lock().losses)
    }

    /// Keeps what the engine was asked at that moment, unless it may have become untrue since.
    pub fn keep(&self, kind: ObjectKind, object: &Object, asked: Moment) {
        let Some(key) = key(kind, &object.id).filter(|_| size(object) <= LARGEST) else {
            return;
        };
        let mut memory = self.lock();
        if memory.live && Moment(memory.losses) == asked {
            memory.known.put(key, object.clone());
        }
    }

    /// The object is gone, or is not called what it was.
    pub fn lose(&self, kind: ObjectKind, id: &str) {
        let Some(key) = key(kind, id) else {
            return;
        };
        let mut memory = self.lock();
        memory.losses += 1;
        memory.known.remove(&key);
    }

    /// Whether the engine's events are heard, and nothing was missed.
    pub fn is_live(&self) -> bool {
        self.lock().live
    }

    /// From now on events are heard.
    pub fn revive(&self) {
        self.lock().live = true;
    }

    /// Events may have been missed.
    pub fn lapse(&self) {
        let mut memory = self.lock();
        memory.live = false;
        memory.losses += 1;
        memory.known = Latest::new(MOST);
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Under what an object is known, if that is a full id and its kind is one that is known.
fn key(kind: ObjectKind, name: &str) -> Option<(ObjectKind, Id)> {
    let digits = match kind {
        ObjectKind::Container | ObjectKind::Network => name,
        ObjectKind::Image => name.strip_prefix("sha256:")?,
        ObjectKind::Exec | ObjectKind::Volume | ObjectKind::Service => return None,
    };
    Some((kind, id::read(digits)?))
}

fn size(object: &Object) -> usize {
    let names = object.names.iter().map(|name| name.len());
    let labels = object.labels.iter();
    let labels = labels.map(|(key, value)| key.len() + value.len());
    let image = object.image.as_deref().map_or(0, str::len);
    names.chain(labels).sum::<usize>() + image
}

#[cfg(test)]
mod tests {
    use super::{Cache, LARGEST};
    use crate::docker::operation::ObjectKind;
    use crate::facts::Object;

    fn object(id: &str, label: &str) -> Object {
        Object {
            id: id.into(),
            labels: vec![("l".into(), label.into())],
            ..Object::default()
        }
    }

    fn digits(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    #[test]
    fn an_object_is_known_by_its_full_id_and_by_nothing_else() {
        let cache = Cache::default();
        cache.revive();
        let (id, image) = (digits('a'), format!("sha256:{}", digits('b')));
        let known = object(&id, "x");
        cache.keep(ObjectKind::Container, &known, cache.moment());
        cache.keep(ObjectKind::Image, &object(&image, "y"), cache.moment());
        assert_eq!(
            cache.get(ObjectKind::Container, &id).as_deref(),
            Some(&known)
        );
        assert!(cache.get(ObjectKind::Image, &image).is_some());
        for (kind, name) in [
            (ObjectKind::Container, id.split_at(12).0),
            (ObjectKind::Container, "web"),
            (ObjectKind::Network, &*id),
            (ObjectKind::Image, image.split_at(7).1),
            (ObjectKind::Image, &digits('a')),
        ] {
            assert!(cache.get(kind, name).is_none(), "{kind:?} {name}");
        }
    }

    #[test]
    fn what_has_no_lasting_id_is_never_kept() {
        let cache = Cache::default();
        cache.revive();
        let id = digits('c');
        for kind in [ObjectKind::Volume, ObjectKind::Service, ObjectKind::Exec] {
            cache.keep(kind, &object(&id, "x"), cache.moment());
            assert!(cache.get(kind, &id).is_none(), "{kind:?}");
        }
    }

    #[test]
    fn nothing_is_known_while_events_may_be_missed() {
        let cache = Cache::default();
        let id = digits('a');
        let keep = || cache.keep(ObjectKind::Container, &object(&id, "x"), cache.moment());
        let knows = || cache.get(ObjectKind::Container, &id).is_some();
        keep();
        assert!(!knows(), "not before they are heard");
        cache.revive();
        assert!(!knows());
        keep();
        assert!(knows());
        cache.lapse();
        assert!(!knows());
        cache.revive();
        assert!(!knows(), "what was known before the gap is gone");
    }

    #[test]
    fn an_answer_that_an_event_overtook_is_not_kept() {
        let cache = Cache::default();
        cache.revive();
        let id = digits('a');
        let asked = cache.moment();
        cache.lose(ObjectKind::Container, &id);
        cache.keep(ObjectKind::Container, &object(&id, "x"), asked);
        assert!(cache.get(ObjectKind::Container, &id).is_none());

        let asked = cache.moment();
        cache.lapse();
        cache.revive();
        cache.keep(ObjectKind::Container, &object(&id, "x"), asked);
        assert!(cache.get(ObjectKind::Container, &id).is_none());
    }

    #[test]
    fn what_is_gone_is_forgotten_and_the_rest_is_not() {
        let cache = Cache::default();
        cache.revive();
        let ids = ['a', 'b'].map(digits);
        for id in &ids {
            cache.keep(ObjectKind::Network, &object(id, "x"), cache.moment());
        }
        cache.lose(ObjectKind::Network, &ids[0]);
        let known = ids.map(|id| cache.get(ObjectKind::Network, &id).is_some());
        assert_eq!(known, [false, true]);
    }

    #[test]
    fn labels_without_end_are_not_kept() {
        let cache = Cache::default();
        cache.revive();
        let id = digits('a');
        let large = object(&id, &"x".repeat(LARGEST));
        cache.keep(ObjectKind::Container, &large, cache.moment());
        assert!(cache.get(ObjectKind::Container, &id).is_none());
    }
}

//! What is remembered of the engine's objects is kept true by what the engine tells.

use super::Shared;
use crate::engine::AskError;
use crate::engine::events::{self, Event, Watcher};

impl Shared {
    /// Follows the engine's events for as long as it is polled.
    pub async fn watch(&self) {
        events::follow(&self.docker, self).await;
    }
}

impl Watcher for Shared {
    fn heard(&self, event: Event<'_>) {
        self.cache.lose(event.kind, event.id);
    }

    async fn compare(&self) -> Result<(), AskError> {
        Ok(())
    }

    fn caught_up(&self) {
        self.cache.revive();
        tracing::debug!("the engine's events are heard");
    }

    fn lapsed(&self) {
        self.cache.lapse();
    }
}

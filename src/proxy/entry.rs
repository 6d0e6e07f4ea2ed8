//! One allowed call's place in the audit log, which closes itself.
//!
//! INVARIANT: every allowed call is accounted for exactly once, whatever becomes of the task that
//! carries it: the entry is written when it is dropped.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::connection::Serving;
use crate::audit::{Ending, Full, Outcome, Record};

/// An allowed call that is not finished yet.
#[derive(Debug)]
pub(super) struct Entry {
    serving: Arc<Serving>,
    kept: Option<(Box<Record>, Instant)>,
    outcome: Outcome,
    status: Option<u16>,
    bytes_up: u64,
    bytes_down: u64,
}

impl Entry {
    /// An entry for a call that is only counted, or, with a record, written in full.
    pub(super) fn new(serving: Arc<Serving>, record: Option<Box<Record>>) -> Self {
        let kept = record.map(|record| (record, Instant::now()));
        Self {
            serving,
            kept,
            outcome: Outcome::Aborted,
            status: None,
            bytes_up: 0,
            bytes_down: 0,
        }
    }

    /// Writes the opening record; until it is accepted nothing may be forwarded.
    pub(super) async fn announce(&mut self) -> Result<(), Full> {
        let Some((record, _)) = &mut self.kept else {
            return Ok(());
        };
        let written = self.serving.audit.open(record).await;
        if written.is_err() {
            record.reason = Some("audit");
            self.end(Outcome::Internal, Some(503));
        }
        written
    }

    /// The call ended, and so.
    pub(super) fn end(&mut self, outcome: Outcome, status: Option<u16>) {
        self.outcome = outcome;
        self.status = status;
    }

    /// Bytes that were carried, on top of those counted before.
    pub(super) fn carried(&mut self, up: u64, down: u64) {
        self.bytes_up += up;
        self.bytes_down += down;
    }

    /// A record for a call of this moment.
    pub(super) fn now() -> SystemTime {
        SystemTime::now()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.outcome = Outcome::Internal;
        }
        let Serving { audit, policy, .. } = &*self.serving;
        let Some((record, started)) = self.kept.take() else {
            return audit.pass(policy.name(), self.status, self.bytes_up, self.bytes_down);
        };
        let ending = Ending {
            outcome: self.outcome,
            status: self.status,
            bytes_up: self.bytes_up,
            bytes_down: self.bytes_down,
            duration: started.elapsed(),
        };
        audit.close(record, ending);
    }
}

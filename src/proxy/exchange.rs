//! The request, top to bottom: read, judge, record, forward – or one of the refusals.

use std::sync::Arc;

use tokio::time::Instant;

use super::connection::Connection;
use super::entry::Entry;
use super::forward::Outgoing;
use super::made::Making;
use super::refuse::Refusal;
use super::target::settled;
use crate::audit::Record;
use crate::docker::Call;
use crate::docker::payload::Payload;
use crate::facts::Findings;
use crate::judge::Judge;
use crate::policy::Permit;
use crate::wire::buffer::Buffer;
use crate::wire::head::{RequestHead, Scan};

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It can carry another request.
    Request,
    /// It is done.
    Close,
}

impl Connection {
    /// Carries one request, and turns every way it can fail into one answer.
    pub(super) async fn exchange(&mut self) -> Next {
        match self.carry().await {
            Ok(next) => next,
            Err(refusal) => self.refuse(refusal).await,
        }
    }

    /// The journey of a request, in steps of their own: what one needs takes no memory during the next, and a
    /// stream may last for days.
    async fn carry(&mut self) -> Result<Next, Refusal> {
        let Some(buffer) = self.first_bytes().await else {
            return Ok(Next::Close);
        };
        let Some((outgoing, mut entry)) = self.examine(buffer).await? else {
            return Ok(Next::Close);
        };
        let reused = self.reach_engine(&mut entry).await?;
        let passed = self.pass(outgoing, reused, &mut entry).await;
        self.conclude(passed, entry).await
    }

    /// From the first bytes of a head to what may be sent to Docker. `None`: the client left in the
    /// middle. Everything that borrows the client's own bytes ends here.
    async fn examine(&mut self, mut buffer: Buffer) -> Result<Option<(Outgoing, Entry)>, Refusal> {
        let mut deadline = None;
        let mut scan = Scan::default();
        let (head, length) = loop {
            match scan.request(buffer.bytes()) {
                Ok(Some(found)) => break found,
                Ok(None) => {}
                Err(bad) => return Err(self.bad_head(bad)),
            }
            let limit = self.serving.shared.limits.head_deadline;
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + limit);
            match self.more(&mut buffer, deadline).await {
                Ok(()) => {}
                Err(None) => return Ok(None),
                Err(Some(refusal)) => return Err(self.slow_head(refusal)),
            }
        };
        self.client
            .inbox
            .push(buffer.bytes().get(length..).unwrap_or_default());

        let call = self.read_call(&head)?;
        if self.serving.policy.asks_callers() {
            self.know_caller();
        }
        // Most calls hang on neither, and do not pay for the question.
        let mut findings = if self.may_ask(&call) {
            self.find(&call, &head).await?
        } else {
            Findings::default()
        };
        let (mut judged, place) = if Payload::to_come(call.operation()) == Payload::Unread {
            self.judged_body(&call, &head, &findings).await?
        } else {
            (None, None)
        };
        if let Some(body) = judged.as_mut().filter(|_| self.may_ask_connected(&call)) {
            // A task of its own size, too.
            Box::pin(self.find_connected(&call, &head, body, &mut findings)).await?;
        }
        let permit = self.judge(call, &head, judged, &findings)?;
        let body = self.admit_body(&permit, &head).await?;
        let entry = self.record(&permit, &findings).await?;
        let making = match self.making(&permit) {
            // A task of its own size once more.
            Some(Making::Volume) => Box::pin(self.making_volume(&permit)).await,
            making => making,
        };
        let outgoing = Outgoing::new(permit, &head, body, &self.serving, place, making);
        Ok(Some((outgoing, entry)))
    }

    fn read_call<'h>(&mut self, head: &RequestHead<'h>) -> Result<Call<'h>, Refusal> {
        Call::parse(head.method(), head.target()).map_err(|bad| self.malformed_call(bad))
    }

    /// The decision. Nothing of the request has reached the engine yet, and nothing will without
    /// the permit.
    fn judge<'h>(
        &mut self,
        call: Call<'h>,
        head: &RequestHead<'h>,
        body: Option<Vec<u8>>,
        findings: &Findings,
    ) -> Result<Permit<'h>, Refusal> {
        let judge = self.before_policy(&call, body.as_deref(), findings);
        let decision = judge.decide();
        // SECURITY: a list that cannot be narrowed is not passed on, whatever was decided before.
        let instead = self.serving.policy.instead(&call, findings);
        let decision = decision.unless(instead.as_ref().err().copied());
        let call = settled(call, findings, instead.ok().flatten());
        decision
            .settle(call, body)
            .map_err(|refused| self.denied(&refused, head, findings))
    }

    /// The call with all that is known of it.
    pub(super) fn before_policy<'a>(
        &'a self,
        call: &'a Call<'a>,
        body: Option<&'a [u8]>,
        findings: &'a Findings,
    ) -> Judge<'a> {
        let serving = &*self.serving;
        let engine = serving.shared.engine.api();
        let judge = Judge::new(&serving.policy, self.caller(), call, engine).findings(findings);
        match body {
            Some(body) => judge.body(body),
            None => judge,
        }
    }

    /// Opens the call's entry in the audit log; a change that cannot be recorded is not made.
    async fn record(&mut self, permit: &Permit<'_>, findings: &Findings) -> Result<Entry, Refusal> {
        let operation = permit.call().operation();
        let record = self.serving.audit.keeps(operation).then(|| {
            let mut record = self.asked(Some(permit.call()));
            record.rule = self.serving.policy.rule_shared(permit.rule());
            record.target = findings.target.named();
            record.connected = findings.connected.named();
            record
        });
        let opens = self.serving.audit.opens(operation);
        let mut entry = Entry::new(Arc::clone(&self.serving), record);
        if opens && entry.announce().await.is_err() {
            return Err(Refusal::unrecorded());
        }
        Ok(entry)
    }

    /// A record of what is asked, and by whom.
    pub(super) fn asked(&mut self, call: Option<&Call<'_>>) -> Box<Record> {
        Box::new(Record {
            id: self.serving.audit.next_id(),
            time: Entry::now(),
            policy: Arc::clone(self.serving.policy.name()),
            rule: None,
            reason: None,
            operation: call.and_then(Call::operation),
            method: call.map_or("", |call| call.method().as_str()),
            path: call.map_or_else(String::new, |call| call.path().as_str().to_owned()),
            query: call.map_or_else(String::new, query_text),
            target: None,
            connected: None,
            api: call.and_then(Call::version),
            client: self.identity(),
            hint: None,
        })
    }
}

/// The query in its canonical spelling, as it goes to Docker.
fn query_text(call: &Call<'_>) -> String {
    let mut text = Vec::new();
    call.write_query(&mut text);
    String::from_utf8(text).unwrap_or_default()
}

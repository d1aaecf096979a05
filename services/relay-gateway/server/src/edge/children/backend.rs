//! What a parent needs that is no core relay: everything is asked of its own parent.

use std::sync::Arc;

use axum::extract::ws::close_code;
use tokio::time::Instant;
use tonic::Status;
use tributary_contracts::relay::v1::{
    CloseLink, EnrolRequest, FetchRequestHead, FetchResponseHead, GetChallengeRequest, Hello,
    RelayHop, RelaySettings, RotateKeyRequest, VerifyRelayRequest,
};

use super::{super::fetch, Children, KNOWN_MAX, Known};
use crate::{
    media::MediaHandle,
    uplink::{Backend, Child, FetchBody, Up},
};

impl Backend for Arc<Children> {
    fn path(&self) -> Result<Vec<RelayHop>, Status> {
        if !self.uplink.is_connected() {
            let text = "this relay is not attached to its parent now: try again, or another one";
            return Err(Status::unavailable(text));
        }
        let mut path = self.uplink.path().to_vec();
        path.push(self.uplink.own_hop());
        Ok(path)
    }

    fn media(&self) -> &MediaHandle {
        self.uplink.places.media()
    }

    async fn challenge(&self) -> Result<Vec<u8>, Status> {
        let answer = self.uplink.client()?.get_challenge(GetChallengeRequest {}).await?;
        Ok(answer.into_inner().challenge)
    }

    async fn enrol(&self, request: EnrolRequest) -> Result<RelaySettings, Status> {
        let answer = self.uplink.client()?.enrol(request).await?.into_inner();
        answer.settings.ok_or_else(|| Status::internal("the parent's answer has no settings"))
    }

    async fn verify(
        &self,
        via: Option<&Arc<Child>>,
        hello: &Hello,
    ) -> Result<RelaySettings, Status> {
        let request = VerifyRelayRequest { hello: Some(hello.clone()) };
        let (mut client, request) = self.uplink.in_session(request)?;
        let answer = client.verify_relay(request).await?.into_inner();
        let settings = answer.settings;
        let settings =
            settings.ok_or_else(|| Status::internal("the parent's answer has no settings"))?;
        self.learn(via, &settings);
        Ok(settings)
    }

    async fn rotate(&self, _via: &Arc<Child>, request: RotateKeyRequest) -> Result<(), Status> {
        let (mut client, request) = self.uplink.in_session(request)?;
        client.rotate_key(request).await?;
        Ok(())
    }

    fn began(&self, child: &Arc<Child>) {
        let mut state = self.state();
        state.children.insert(child.uplink, child.clone());
        if !state.known.contains_key(&child.relay) && state.known.len() < KNOWN_MAX {
            // It was verified, and since then revoked, or for a session that is over.
            child.end(Status::unavailable(
                "what the core has said of you does not hold: attach anew",
            ));
            return;
        }
        let room = child.settings().room;
        state.known.insert(child.relay.clone(), Known { room, by: Some(child.uplink) });
    }

    async fn take(&self, child: &Arc<Child>, up: Up) {
        match up {
            Up::Open(open) => self.open(child, open),
            Up::Message { link, message } => self.say(child, link, message).await,
            Up::Close(close) => self.close(child, close),
            Up::Reachable(changed) => {
                self.say_reachable(child, Some(&changed.link_ids), changed.reachable);
            }
            Up::Introduced(answer) => {
                let asked = self.state().introductions.remove(&answer.introduction_id);
                // Only who was asked answers.
                if asked == Some(child.uplink) {
                    self.uplink.answer_introduction(answer);
                }
            }
        }
    }

    fn reachable(&self, child: &Arc<Child>, reachable: bool) {
        self.say_reachable(child, None, reachable);
    }

    fn ended(&self, child: &Arc<Child>, last_there: Instant) {
        let silent_ms = u64::try_from(last_there.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut state = self.state();
        state.children.remove(&child.uplink);
        state.placed.retain(|_, (by, _)| *by != child.uplink);
        state.known.retain(|_, known| known.by != Some(child.uplink));
        let of_child = state.links.extract_if(|(by, _), _| *by == child.uplink);
        for ((_, link_id), known) in of_child {
            let code = close_code::ABNORMAL.into();
            // Its task has ended by itself already.
            let _ = known.close.send(CloseLink { link_id, silent_ms, code });
        }
    }

    async fn fetch(
        &self,
        _child: &Arc<Child>,
        head: FetchRequestHead,
        body: FetchBody,
    ) -> Result<(FetchResponseHead, FetchBody), Status> {
        fetch::fetch(&self.uplink, &self.bulk, head, body).await
    }
}

//! What makes both sides of an uplink newer than they are: it stands between, and they say to each other
//! what no version has yet.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::uri::PathAndQuery;
use prost::Message as _;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::task::AbortOnDropHandle;
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    server::NamedService,
    transport::{Channel, Endpoint, Server},
};
use tributary_contracts::relay::v1::{
    AttachRequest, AttachResponse, attach_request::Body as Up, attach_response::Body as Down,
};

use crate::raw::{Raw, first, strange, with_more};

/// What the sides say that they speak.
#[derive(Clone, Copy, Debug)]
pub struct Versions {
    /// The child: oldest and newest.
    pub child: (u32, u32),
    /// What the parent chooses; none: what it has chosen.
    pub chosen: Option<u32>,
}

/// Stands before a parent. Each numbered message of either side is the second of two: the one before it
/// has a body that no version has yet.
pub struct Newer {
    pub address: SocketAddr,
    between: Arc<Between>,
    _serving: AbortOnDropHandle<()>,
}

struct Between {
    parent: Channel,
    versions: Versions,
    child: Side,
    core: Side,
}

/// The last numbers of one side.
#[derive(Default)]
struct Side {
    said: AtomicU64,
    acknowledged: AtomicU64,
}

impl Newer {
    pub async fn before(parent: SocketAddr, versions: Versions) -> Self {
        let parent = Endpoint::from_shared(format!("http://{parent}")).unwrap().connect_lazy();
        let (child, core) = (Side::default(), Side::default());
        let between = Arc::new(Between { parent, versions, child, core });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = Server::builder()
            .add_service(Service(between.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let serving = tokio::spawn(async { serving.await.unwrap() });
        Self { address, between, _serving: AbortOnDropHandle::new(serving) }
    }

    /// The last numbers that the child and the parent have said.
    pub fn said(&self) -> (u64, u64) {
        let Between { child, core, .. } = &*self.between;
        (child.said.load(Ordering::SeqCst), core.said.load(Ordering::SeqCst))
    }

    /// True if both have acknowledged these numbers of the other.
    pub fn have_acknowledged(&self, (child, core): (u64, u64)) -> bool {
        let between = &*self.between;
        between.core.acknowledged.load(Ordering::SeqCst) >= child
            && between.child.acknowledged.load(Ordering::SeqCst) >= core
    }
}

impl Side {
    /// It acknowledges so much; for the other side that is half of it.
    fn acknowledges(&self, number: u64) -> u64 {
        self.acknowledged.fetch_max(number, Ordering::SeqCst);
        number / 2
    }

    /// What it says under a number, with something strange before it.
    fn says(&self, sequence: u64) -> u64 {
        self.said.fetch_max(2 * sequence, Ordering::SeqCst);
        2 * sequence
    }
}

impl Between {
    fn up(&self, message: Bytes) -> Vec<Bytes> {
        let mut request = AttachRequest::decode(message).unwrap();
        request.acknowledged = self.child.acknowledges(request.acknowledged);
        if let Some(Up::Hello(mut hello)) = request.body {
            hello.received /= 2;
            (hello.protocol_oldest, hello.protocol_newest) = self.versions.child;
            return vec![first(request.acknowledged, &hello)];
        }
        request.sequence = self.child.says(request.sequence);
        let before = strange(request.sequence.saturating_sub(1), request.acknowledged);
        vec![before, with_more(&request)]
    }

    fn down(&self, message: Bytes) -> Vec<Bytes> {
        let mut response = AttachResponse::decode(message).unwrap();
        response.acknowledged = self.core.acknowledges(response.acknowledged);
        if let Some(Down::Attached(mut attached)) = response.body {
            attached.received /= 2;
            attached.protocol = self.versions.chosen.unwrap_or(attached.protocol);
            return vec![first(response.acknowledged, &attached)];
        }
        response.sequence = self.core.says(response.sequence);
        let before = strange(response.sequence.saturating_sub(1), response.acknowledged);
        vec![before, with_more(&response)]
    }

    /// One call, on to the parent.
    async fn pass(
        self: Arc<Self>,
        path: PathAndQuery,
        request: Request<Streaming<Bytes>>,
    ) -> Result<Response<Answers>, Status> {
        let attaches = path.path().ends_with("/Attach");
        let (metadata, _, mut messages) = request.into_parts();
        let (on, taken) = mpsc::channel(64);
        let between = self.clone();
        tokio::spawn(async move {
            while let Ok(Some(message)) = messages.message().await {
                let passed = if attaches { between.up(message) } else { vec![message] };
                for message in passed {
                    if on.send(message).await.is_err() {
                        return;
                    }
                }
            }
        });
        let mut request = Request::new(ReceiverStream::new(taken));
        if let Some(session) = metadata.get("tributary-uplink-session") {
            request.metadata_mut().insert("tributary-uplink-session", session.clone());
        }
        let mut parent = tonic::client::Grpc::new(self.parent.clone());
        parent.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let answers = parent.streaming(request, path, Raw).await?.into_inner();
        let answers = answers.flat_map(move |answer| {
            stream::iter(match answer {
                Ok(message) if attaches => self.down(message).into_iter().map(Ok).collect(),
                other => vec![other],
            })
        });
        let answers: Answers = Box::pin(answers);
        Ok(Response::new(answers))
    }
}

type Answers = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// All calls of relays, as bytes.
#[derive(Clone)]
struct Service(Arc<Between>);

impl NamedService for Service {
    const NAME: &'static str = "tributary.relay.v1.RelayUplink";
}

impl tower::Service<http::Request<Body>> for Service {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let between = self.0.clone();
        Box::pin(async move {
            let path = request.uri().path_and_query().unwrap().clone();
            let passing =
                tower::service_fn(move |request| between.clone().pass(path.clone(), request));
            Ok(tonic::server::Grpc::new(Raw).streaming(passing, request).await)
        })
    }
}

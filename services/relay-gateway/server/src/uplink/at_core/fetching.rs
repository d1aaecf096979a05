//! HTTP requests of terminals behind relays: to the same routes as those that come directly.

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, body::Body, extract::ConnectInfo};
use futures_util::TryStreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tower::ServiceExt as _;
use tributary_contracts::relay::v1::{FetchHeader, FetchRequestHead, FetchResponseHead};
use tributary_identifiers::RelayId;

use super::addresses::address_of;
use crate::uplink::{Child, FetchBody, fetch};

/// What of a request counts; nothing that says where it comes from.
static REQUEST_HEADERS: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::ACCEPT,
    HeaderName::from_static("tributary-password"),
    HeaderName::from_static("tributary-share-secret"),
];
/// What goes with an answer.
static RESPONSE_HEADERS: [HeaderName; 8] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_DISPOSITION,
    header::CONTENT_SECURITY_POLICY,
    header::CACHE_CONTROL,
    header::RETRY_AFTER,
    header::X_CONTENT_TYPE_OPTIONS,
    header::REFERRER_POLICY,
];

pub(super) async fn fetch(
    child: &Arc<Child>,
    router: Router,
    head: FetchRequestHead,
    body: FetchBody,
) -> Result<(FetchResponseHead, FetchBody), Status> {
    let request = request(&child.relay, head, body)?;
    let response = match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (parts, body) = response.into_parts();
    let headers = of_headers(&parts.headers);
    let head = FetchResponseHead { status: parts.status.as_u16().into(), headers };
    let body = body.into_data_stream().map_err(|_| Status::aborted("the answer was cut off"));
    Ok((head, fetch::copy(child, body)))
}

fn request(
    relay: &RelayId,
    head: FetchRequestHead,
    body: FetchBody,
) -> Result<Request<Body>, Status> {
    let malformed = |what: &str| Status::invalid_argument(format!("{what} can't be used"));
    if !fetch::is_of_a_meeting(&head.path) {
        return Err(malformed("path"));
    }
    let address = address_of(relay, &head.client_address);
    let method: Method = head.method.parse().map_err(|_| malformed("method"))?;
    let mut request = Request::new(Body::from_stream(ReceiverStream::new(body)));
    *request.method_mut() = method;
    *request.uri_mut() = head.path.parse().map_err(|_| malformed("path"))?;
    for FetchHeader { name, value } in head.headers {
        let known = REQUEST_HEADERS.iter().find(|known| known.as_str() == name);
        if let (Some(name), Ok(value)) = (known, HeaderValue::from_maybe_shared(value)) {
            request.headers_mut().insert(name.clone(), value);
        }
    }
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(address, 0)));
    Ok(request)
}

fn of_headers(headers: &HeaderMap) -> Vec<FetchHeader> {
    let known = headers.iter().filter(|(name, _)| RESPONSE_HEADERS.contains(name));
    known
        .map(|(name, value)| FetchHeader {
            name: name.as_str().to_owned(),
            value: value.as_bytes().to_vec(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use axum::{extract::Path, routing::post};
    use tokio::sync::mpsc;
    use tributary_contracts::relay::v1::RelaySettings;

    use super::*;
    use crate::media::UplinkId;

    fn head(path: &str, headers: &[(&str, &str)]) -> FetchRequestHead {
        let header = |(name, value): &(&str, &str)| FetchHeader {
            name: (*name).to_owned(),
            value: value.as_bytes().to_vec(),
        };
        FetchRequestHead {
            method: "POST".to_owned(),
            path: path.to_owned(),
            headers: headers.iter().map(header).collect(),
            client_address: "192.0.2.7".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_request_gets_to_its_route_with_its_address_and_nothing_forged() {
        let echo = |Path(id): Path<String>,
                    ConnectInfo(peer): ConnectInfo<SocketAddr>,
                    headers: HeaderMap,
                    body: String| async move {
            let names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
            (
                [("x-secret", "1"), ("cache-control", "no-store")],
                format!("{id} {} {names:?} {body}", peer.ip()),
            )
        };
        let relay = "edge".parse().unwrap();
        let child = Child::new(UplinkId(1), relay, RelaySettings::default()).unwrap();
        let child = Arc::new(child);
        let router = Router::new().route("/meetings/{id}", post(echo));
        let (pieces, body) = mpsc::channel(4);
        for piece in ["a", "b"] {
            pieces.send(Ok(piece.into())).await.unwrap();
        }
        drop(pieces);
        let headers = [("authorization", "Bearer x"), ("x-forwarded-for", "10.0.0.1")];
        let (head, mut answer) =
            fetch(&child, router.clone(), head("/meetings/7?x=1", &headers), body).await.unwrap();
        assert_eq!(head.status, 200);
        let names: Vec<_> = head.headers.iter().map(|header| header.name.as_str()).collect();
        assert!(names.contains(&"cache-control") && !names.contains(&"x-secret"), "{names:?}");
        let mut text = Vec::new();
        while let Some(piece) = answer.recv().await {
            text.extend_from_slice(&piece.unwrap());
        }
        let text = String::from_utf8(text).unwrap();
        let address = address_of(&"edge".parse().unwrap(), "192.0.2.7");
        assert_eq!(text, format!(r#"7 {address} ["authorization"] ab"#));
    }

    #[tokio::test]
    async fn what_is_not_of_a_meeting_is_not_asked() {
        let relay = "edge".parse().unwrap();
        for path in ["/", "/status", "/meetings/../x"] {
            let refused = request(&relay, head(path, &[]), mpsc::channel(1).1).unwrap_err();
            assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{path}");
        }
    }
}

//! Files of meetings over gRPC.

use futures_util::{Stream, stream};
use sha2::{Digest as _, Sha256};
use tonic::{Code, Status};
use tributary_contracts::{
    admin::v1::{self as admin, meeting_service_client::MeetingServiceClient},
    registry::v1::{
        Attachment, AttachmentHeader, DeleteAttachmentRequest, GetAttachmentRequest,
        ListAttachmentsRequest, PutAttachmentRequest, get_attachment_response::Part as Given,
        put_attachment_request::Part, registry_service_client::RegistryServiceClient,
    },
};
use tributary_meeting_registry_server::Config;
use tributary_service_runtime::{DEVELOPMENT_ADMIN_TOKEN, ServiceChannel};

use crate::{
    calls::{Answering, assert_refused, create},
    until,
};

type Client = RegistryServiceClient<ServiceChannel>;

fn part(part: Part) -> PutAttachmentRequest {
    PutAttachmentRequest { part: Some(part) }
}

/// A header and then bytes, in pieces.
pub fn upload(
    header: AttachmentHeader,
    bytes: &[u8],
) -> impl Stream<Item = PutAttachmentRequest> + Send + 'static {
    let pieces: Vec<_> = bytes.chunks(60_000).map(|piece| part(Part::Data(piece.into()))).collect();
    stream::iter([part(Part::Header(header))].into_iter().chain(pieces))
}

/// What a file is, and its bytes.
pub async fn download(
    client: &mut Client,
    request: GetAttachmentRequest,
) -> Result<(Attachment, Vec<u8>), Status> {
    let mut parts = client.get_attachment(request).await?.into_inner();
    let first = parts.message().await?.and_then(|first| first.part);
    let Some(Given::Attachment(attachment)) = first else { panic!("{first:?}") };
    let mut bytes = Vec::new();
    while let Some(next) = parts.message().await? {
        let Some(Given::Data(data)) = next.part else { panic!("{next:?}") };
        assert!(data.len() <= 64 * 1024);
        bytes.extend(data);
    }
    Ok((attachment, bytes))
}

fn header(meeting_id: &str, user_id: &str) -> AttachmentHeader {
    AttachmentHeader {
        meeting_id: meeting_id.into(),
        user_id: user_id.into(),
        file_name: "../Plan: \"final\".pdf".into(),
        media_type: "application/PDF".into(),
        ..Default::default()
    }
}

async fn meeting(client: &mut Client) -> String {
    let created = client.create_meeting(create("Planning")).await.unwrap().into_inner();
    created.meeting.unwrap().meeting_id
}

#[tokio::test]
async fn a_file_is_attached_listed_read_and_taken_away() {
    let answering = Answering::start().await;
    let mut client = answering.client();
    let id = meeting(&mut client).await;
    let bytes: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
    let put = client.put_attachment(upload(header(&id, "bob"), &bytes)).await.unwrap();
    let attached = put.into_inner().attachment.unwrap();
    let texts = (attached.file_name.as_str(), attached.media_type.as_str());
    assert_eq!(texts, ("Plan_ _final_.pdf", "application/pdf"));
    assert_eq!((attached.size, attached.attached_by.as_str()), (200_000, "bob"));
    assert_eq!(attached.sha256, Sha256::digest(&bytes).to_vec());

    let list = || ListAttachmentsRequest { meeting_id: id.clone(), ..Default::default() };
    let listed = client.list_attachments(list()).await.unwrap().into_inner().attachments;
    assert_eq!(listed, std::slice::from_ref(&attached));
    let attachment_id = attached.attachment_id.clone();
    let get = || GetAttachmentRequest {
        meeting_id: id.clone(),
        attachment_id: attachment_id.clone(),
        ..Default::default()
    };
    let (read, read_bytes) = download(&mut client, get()).await.unwrap();
    assert_eq!(read, attached);
    assert!(read_bytes == bytes, "other bytes came back");

    let mut engineer = MeetingServiceClient::new(answering.channel(DEVELOPMENT_ADMIN_TOKEN));
    let get_meeting = admin::GetMeetingRequest { meeting_id: id.clone(), ..Default::default() };
    let shown = engineer.get_meeting(get_meeting).await.unwrap().into_inner().meeting.unwrap();
    assert_eq!(shown.attachments, [attached]);

    let delete = |user: &str| DeleteAttachmentRequest {
        meeting_id: id.clone(),
        user_id: user.into(),
        attachment_id: attachment_id.clone(),
        ..Default::default()
    };
    let refused = client.delete_attachment(delete("eve")).await.unwrap_err();
    assert_refused(&refused, Code::PermissionDenied, "NOT_YOUR_ATTACHMENT");
    client.delete_attachment(delete("ann")).await.unwrap();
    let refused = client.delete_attachment(delete("ann")).await.unwrap_err();
    assert_refused(&refused, Code::NotFound, "NO_SUCH_ATTACHMENT");
    let refused = download(&mut client, get()).await.unwrap_err();
    assert_refused(&refused, Code::NotFound, "NO_SUCH_ATTACHMENT");
    let listed = client.list_attachments(list()).await.unwrap().into_inner().attachments;
    assert_eq!(listed, []);
}

#[tokio::test]
async fn the_service_removes_what_nobody_wants_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("files");
    let attachments = format!("folder:{}", place.display());
    let section = Config { attachments, ..Default::default() };
    let answering = Answering::start_as("nats://127.0.0.1:1", section).await;
    let mut client = answering.client();
    let id = meeting(&mut client).await;
    assert!(!place.exists(), "made when it is first needed");
    client.put_attachment(upload(header(&id, "bob"), b"bytes")).await.unwrap();
    let stored = || walk(&place).len();
    assert_eq!(stored(), 1);
    let mut engineer = MeetingServiceClient::new(answering.channel(DEVELOPMENT_ADMIN_TOKEN));
    let delete = admin::DeleteMeetingRequest { meeting_id: id, ..Default::default() };
    engineer.delete_meeting(delete).await.unwrap();
    until("the file is gone", || async { stored() == 0 }).await;
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn uploads_that_make_no_sense_or_are_too_large_are_refused() {
    let section = Config { attachment_bytes_max: 100_000, ..Default::default() };
    let answering = Answering::start_as("nats://127.0.0.1:1", section).await;
    let mut client = answering.client();
    let id = meeting(&mut client).await;
    let mut check = async |parts: Vec<Part>, code, field_or_reason: &str| {
        let parts = stream::iter(parts.into_iter().map(part));
        let refused = client.put_attachment(parts).await.unwrap_err();
        assert_refused(&refused, code, field_or_reason);
    };
    let first = |user: &str| Part::Header(header(&id, user));
    let data = |size| Part::Data(vec![7; size]);
    check(vec![data(1)], Code::InvalidArgument, "header").await;
    check(vec![], Code::InvalidArgument, "header").await;
    check(vec![first("bob"), data(1), first("bob")], Code::InvalidArgument, "header").await;
    check(vec![first("bob"), data(65_537)], Code::InvalidArgument, "data").await;
    let too_large = vec![first("bob"), data(60_000), data(40_001)];
    check(too_large, Code::ResourceExhausted, "ATTACHMENT_TOO_LARGE").await;
    check(vec![first("eve"), data(1)], Code::PermissionDenied, "NOT_A_MEMBER").await;
    check(vec![first(""), data(1)], Code::InvalidArgument, "user_id").await;
    let nowhere = Part::Header(header("1", "bob"));
    check(vec![nowhere], Code::NotFound, "NO_SUCH_MEETING").await;
    let nameless = Part::Header(AttachmentHeader { file_name: "..".into(), ..header(&id, "bob") });
    check(vec![nameless], Code::InvalidArgument, "file_name").await;
    let unknown = Part::Header(AttachmentHeader { media_type: "x".into(), ..header(&id, "bob") });
    check(vec![unknown], Code::InvalidArgument, "media_type").await;
    let list = ListAttachmentsRequest { meeting_id: id.clone(), ..Default::default() };
    let listed = client.list_attachments(list).await.unwrap().into_inner().attachments;
    assert_eq!(listed, []);
}

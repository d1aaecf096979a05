//! Who was there: in pages for the platform, and as one text for hosts and the platform.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream, stream::BoxStream};
use tonic::{Response, Status};
use tributary_contracts::{admin::v1::Attendance, registry::v1::AttendanceFormat};
use tributary_meeting_registry_core::{AttendancePageRequest, Caller, attendance_page_token};
use tributary_message_bus::subjects::MeetingScope;

use super::status::{invalid, of_store};
use crate::{registry::Registry, wire};

/// The largest piece of a report, in bytes.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// A report, piece by piece.
pub type Exporting<T> = BoxStream<'static, Result<T, Status>>;

/// The report as a text, for who may read it. `piece` makes an answer of the next bytes.
pub async fn export<T: Send + 'static>(
    registry: &Registry,
    scope: &MeetingScope,
    by: Caller,
    format: i32,
    piece: impl Fn(Vec<u8>) -> T + Send + 'static,
) -> Result<Response<Exporting<T>>, Status> {
    let format = read_format(format)?;
    let store = registry.store();
    if let Caller::User(user) = by {
        store.may_export(scope, &user).await.map_err(of_store)?;
    }
    let (meeting, report) = store.attendance(scope).await.map_err(of_store)?;
    let now = store.clock().now();
    let text = match format {
        Format::Csv => report.csv(now),
        Format::Json => report.json(&meeting, now),
    };
    let pieces = pieces(text).map(move |bytes| Ok(piece(bytes)));
    Ok(Response::new(stream::iter(pieces).boxed()))
}

/// A page of the report, and the token of the next.
pub async fn list(
    registry: &Registry,
    scope: &MeetingScope,
    page_size: i32,
    page_token: &str,
) -> Result<(Vec<Attendance>, String), Status> {
    let page = AttendancePageRequest::read(page_size, page_token)
        .map_err(|error| invalid(error.field(), &error))?;
    let store = registry.store();
    let (_, report) = store.attendance(scope).await.map_err(of_store)?;
    let now = store.clock().now();
    let size = page.size as usize;
    // One more than asked for shows whether there is a next page.
    let mut found: Vec<_> = report.page(page.after, size + 1).collect();
    let more = found.len() > size;
    found.truncate(size);
    let next_page_token = match found.last() {
        Some(last) if more => attendance_page_token(last.participant),
        _ => String::new(),
    };
    Ok((found.into_iter().map(|one| wire::attendance(one, now)).collect(), next_page_token))
}

enum Format {
    Csv,
    Json,
}

fn read_format(format: i32) -> Result<Format, Status> {
    match AttendanceFormat::try_from(format) {
        Ok(AttendanceFormat::Csv) => Ok(Format::Csv),
        Ok(AttendanceFormat::Json) => Ok(Format::Json),
        Ok(AttendanceFormat::Unspecified) | Err(_) => {
            Err(invalid("format", &"must be ATTENDANCE_FORMAT_CSV or ATTENDANCE_FORMAT_JSON"))
        }
    }
}

fn pieces(text: String) -> impl Iterator<Item = Vec<u8>> {
    let mut rest = Bytes::from(text);
    std::iter::from_fn(move || {
        let piece = rest.split_to(rest.len().min(PIECE_BYTES_MAX));
        (!piece.is_empty()).then(|| piece.to_vec())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_cut_into_pieces_that_make_it_up_again() {
        let text = "王".repeat(50_000);
        let cut: Vec<_> = pieces(text.clone()).collect();
        assert_eq!(cut.iter().map(Vec::len).collect::<Vec<_>>(), [65_536, 65_536, 18_928]);
        assert_eq!(cut.concat(), text.as_bytes());
        assert_eq!(pieces(String::new()).count(), 0);
    }
}

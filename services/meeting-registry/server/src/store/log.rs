//! Reading a meeting's log in pages that are bounded in number and in bytes, so that each fits into
//! one answer whatever people write.

use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select,
};
use tributary_message_bus::subjects::MeetingScope;

use super::{Store, StoreError, event, find_meeting, key};

/// The most bytes of a page that has more than one event: a quarter of what gRPC takes at once.
const PAGE_BYTES_MAX: usize = 1 << 20;
/// Rows that are read at once.
const ROWS_AT_ONCE: u64 = 50;

impl Store {
    /// Encoded events after number `after`, in order: at most `limit` and about 1 MiB, but at least
    /// one if there is one. Only an empty page is the end of the log.
    ///
    /// # Errors
    /// There is no such meeting, or the database could not answer.
    pub async fn events(
        &self,
        scope: &MeetingScope,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        find_meeting(&self.database, scope, self.clock.wall()).await?;
        let Ok(mut after) = i64::try_from(after) else { return Ok(Vec::new()) };
        let mut page = Page::of(limit);
        while let Some(rows) = page.wanted() {
            let query = of_meeting(scope)
                .filter(event::Column::Number.gt(after))
                .order_by_asc(event::Column::Number);
            match page.take(query.limit(rows).all(&self.database).await?) {
                Some(last) => after = last,
                None => break,
            }
        }
        Ok(page.payloads)
    }

    /// The last of the events that `query` selects before number `before` (`None`: up to now), oldest
    /// first; bounded as those of [`Store::events`].
    pub(super) async fn last_events(
        &self,
        query: Select<event::Entity>,
        mut before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let query = query.order_by_desc(event::Column::Number);
        let mut page = Page::of(limit);
        while let Some(rows) = page.wanted() {
            let mut query = query.clone().limit(rows);
            if let Some(before) = before {
                query = query.filter(event::Column::Number.lt(before));
            }
            before = page.take(query.all(&self.database).await?);
            if before.is_none() {
                break;
            }
        }
        page.payloads.reverse();
        Ok(page.payloads)
    }
}

/// The log of a meeting.
pub(super) fn of_meeting(scope: &MeetingScope) -> Select<event::Entity> {
    let (organisation, meeting) = key(scope);
    event::Entity::find()
        .filter(event::Column::Organisation.eq(organisation))
        .filter(event::Column::MeetingId.eq(meeting))
}

/// A page that is being filled.
struct Page {
    payloads: Vec<Vec<u8>>,
    bytes: usize,
    /// How many events may still be put into it.
    left: u64,
}

impl Page {
    const fn of(limit: u64) -> Self {
        Self { payloads: Vec::new(), bytes: 0, left: limit }
    }

    /// How many rows are to be read next; `None` if it is full.
    const fn wanted(&self) -> Option<u64> {
        match self.left {
            0 => None,
            left if left < ROWS_AT_ONCE => Some(left),
            _ => Some(ROWS_AT_ONCE),
        }
    }

    /// Puts as many rows into it as fit, of those that were wanted; returns the number of the last if
    /// there may be more.
    fn take(&mut self, rows: Vec<event::Model>) -> Option<i64> {
        let all = self.wanted() == u64::try_from(rows.len()).ok();
        let mut last = None;
        for row in rows {
            self.bytes = self.bytes.saturating_add(row.payload.len());
            if self.bytes > PAGE_BYTES_MAX && !self.payloads.is_empty() {
                self.left = 0;
                return None;
            }
            self.left = self.left.saturating_sub(1);
            last = Some(row.number);
            self.payloads.push(row.payload);
        }
        last.filter(|_| all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(sizes: &[usize]) -> Vec<event::Model> {
        let row = |(number, size): (i64, &usize)| event::Model {
            organisation: "default".into(),
            meeting_id: 1,
            number,
            payload: vec![0; *size],
            chat: false,
            audience: None,
        };
        (1..).zip(sizes).map(row).collect()
    }

    #[test]
    fn a_page_ends_at_its_bytes_but_has_one_event_at_least() {
        let mut page = Page::of(500);
        assert_eq!(page.take(rows(&[PAGE_BYTES_MAX + 1, 1])), None);
        assert_eq!((page.payloads.len(), page.wanted()), (1, None));
        let mut page = Page::of(3);
        assert_eq!(page.take(rows(&[PAGE_BYTES_MAX - 1, 1, 1])), None);
        assert_eq!((page.payloads.len(), page.wanted()), (2, None));
    }

    #[test]
    fn a_page_is_read_in_pieces_up_to_its_limit_or_the_end() {
        let mut page = Page::of(ROWS_AT_ONCE + 7);
        assert_eq!(page.wanted(), Some(ROWS_AT_ONCE));
        assert_eq!(page.take(rows(&[1; ROWS_AT_ONCE as usize])), Some(50));
        assert_eq!(page.wanted(), Some(7));
        assert_eq!(page.take(rows(&[1; 7])), Some(7));
        assert_eq!(page.wanted(), None);
        let mut page = Page::of(500);
        assert_eq!(page.take(rows(&[1; 7])), None, "there were no more");
    }
}

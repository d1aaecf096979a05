//! Meetings by the hundred thousand: copies of one that was made through the front door.

use anyhow::{Context, Result};

use crate::ageing::Ageing;

/// Bits of a meeting's id below its random part.
const TIME_BITS: u32 = 32;
/// A meeting that copies are made of; it has the copies' members, subject and password.
#[derive(Clone)]
pub struct Template {
    id: u64,
}

/// Copies of a template, by number.
#[derive(Clone, Copy)]
pub struct Copies {
    /// The first one's number.
    pub first: u32,
    /// How many.
    pub count: u32,
}

impl Copies {
    /// Their numbers.
    pub fn numbers(self) -> impl Iterator<Item = u32> {
        self.first..self.first + self.count
    }
}

impl Template {
    pub fn new(meeting_id: &str) -> Result<Self> {
        Ok(Self { id: meeting_id.parse().context("read the meeting's id")? })
    }

    /// The id of a copy: the template's version and second of creation, and a random part that says
    /// which copy it is.
    pub fn id_of(&self, number: u32) -> u64 {
        let fixed = self.id & (0xf << 60 | u64::from(u32::MAX));
        fixed | u64::from(number) << TIME_BITS
    }

    /// Copies the meeting, changed by `changes`: pairs of a column and an SQL expression, in which
    /// `n` is the copy's number.
    pub async fn copy_meetings(
        &self,
        database: &Ageing,
        copies: Copies,
        changes: &[(&str, &str)],
    ) -> Result<u64> {
        self.copy(database, "registry_meeting", "id", copies, changes).await
    }

    /// Copies the rows that belong to the meeting in another table.
    pub async fn copy_rows(
        &self,
        database: &Ageing,
        table: &str,
        copies: Copies,
        changes: &[(&str, &str)],
    ) -> Result<u64> {
        self.copy(database, table, "meeting_id", copies, changes).await
    }

    /// Whatever columns the table has, they are the template's but for the changed ones.
    async fn copy(
        &self,
        database: &Ageing,
        table: &str,
        key: &str,
        copies: Copies,
        changes: &[(&str, &str)],
    ) -> Result<u64> {
        let (id, zero) = (self.id, self.id_of(0));
        let (first, last) = (copies.first, copies.first + copies.count - 1);
        let changes: String =
            changes.iter().map(|(column, value)| format!(", '{column}', {value}")).collect();
        let sql = format!(
            "INSERT INTO {table} SELECT r.* FROM {table} t, generate_series({first}, {last}) AS n, \
             LATERAL jsonb_populate_record(t, jsonb_build_object(\
             '{key}', {zero} + n::bigint * {} {changes})) AS r WHERE t.{key} = {id}",
            1_u64 << TIME_BITS
        );
        database.execute(&sql).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_templates_version_and_second_and_a_random_part_of_its_own() {
        let template = Template::new("1188950301625810944").unwrap();
        let (one, other) = (template.id_of(1), template.id_of((1 << 28) - 1));
        assert_eq!(one >> 60, template.id >> 60);
        assert_eq!(other >> 60, template.id >> 60);
        assert_eq!(one as u32, template.id as u32);
        assert_eq!((one >> 32) & 0x0fff_ffff, 1);
        assert_ne!(one, other);
    }
}

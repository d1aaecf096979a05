//! Table `credential_revocation`: what does not hold any more, until nothing can be concerned.

use sea_orm::{
    ActiveValue::Set, DatabaseTransaction, QueryOrder as _, QuerySelect as _, entity::prelude::*,
};
use tributary_join_credential::{Revocation, Revoked};

use super::{Store, StoreError, begin, counter};

pub const TABLE: &str = "credential_revocation";

const TOKEN: i32 = 1;
const USER: i32 = 2;
const KEY: i32 = 3;
const TERMINAL: i32 = 4;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credential_revocation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub kind: i32,
    /// Of a user; else empty.
    pub organisation: String,
    /// A token id, user id, key id or thumbprint.
    pub subject: String,
    pub at: i64,
    pub forget_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A revocation that has no number yet. Times are in Unix seconds.
#[derive(Clone, Debug)]
pub struct NewRevocation {
    /// What.
    pub what: Revoked,
    /// When.
    pub at: u64,
    /// From then on nothing can be concerned any more.
    pub forget_at: u64,
}

impl Store {
    /// Writes a revocation, with the next number.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn revoke(&self, new: NewRevocation) -> Result<Revocation, StoreError> {
        let transaction = begin(&self.database).await?;
        let revocation = insert(&transaction, new).await?;
        transaction.commit().await?;
        Ok(revocation)
    }

    /// The revocations after a number, by number, at most `limit`.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn revocations(&self, after: u64, limit: u64) -> Result<Vec<Revocation>, StoreError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        Entity::find()
            .filter(Column::Number.gt(after))
            .order_by_asc(Column::Number)
            .limit(limit)
            .all(&self.database)
            .await?
            .into_iter()
            .map(Revocation::try_from)
            .collect()
    }

    /// Removes the revocations that can't concern anything any more; says how many.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn forget_revocations(&self, now: u64) -> Result<u64, StoreError> {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let deleted =
            Entity::delete_many().filter(Column::ForgetAt.lte(now)).exec(&self.database).await?;
        Ok(deleted.rows_affected)
    }
}

/// Writes a revocation within a transaction.
pub async fn insert(
    transaction: &DatabaseTransaction,
    new: NewRevocation,
) -> Result<Revocation, StoreError> {
    let number = counter::next(transaction, counter::REVOCATIONS).await?;
    let NewRevocation { what, at, forget_at } = new;
    let (kind, organisation, subject) = match &what {
        Revoked::Token(id) => (TOKEN, String::new(), id.to_string()),
        Revoked::User(organisation, id) => (USER, organisation.to_string(), id.to_string()),
        Revoked::Key(id) => (KEY, String::new(), id.to_string()),
        Revoked::Terminal(thumbprint) => (TERMINAL, String::new(), thumbprint.to_string()),
    };
    let row = ActiveModel {
        number: Set(number),
        kind: Set(kind),
        organisation: Set(organisation),
        subject: Set(subject),
        at: Set(i64::try_from(at).unwrap_or(i64::MAX)),
        forget_at: Set(i64::try_from(forget_at).unwrap_or(i64::MAX)),
    };
    Entity::insert(row).exec_without_returning(transaction).await?;
    let number = u64::try_from(number).map_err(|_| StoreError::MalformedRow { table: TABLE })?;
    Ok(Revocation { number, what, at, forget_at })
}

impl TryFrom<Model> for Revocation {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let malformed = || StoreError::MalformedRow { table: TABLE };
        let subject = &row.subject;
        let what = match row.kind {
            TOKEN => Revoked::Token(subject.parse().map_err(|_| malformed())?),
            USER => Revoked::User(
                row.organisation.parse().map_err(|_| malformed())?,
                subject.parse().map_err(|_| malformed())?,
            ),
            KEY => Revoked::Key(subject.parse().map_err(|_| malformed())?),
            TERMINAL => Revoked::Terminal(subject.parse().map_err(|_| malformed())?),
            _ => return Err(malformed()),
        };
        let number = |value: i64| u64::try_from(value).map_err(|_| malformed());
        Ok(Self {
            number: number(row.number)?,
            what,
            at: number(row.at)?,
            forget_at: number(row.forget_at)?,
        })
    }
}

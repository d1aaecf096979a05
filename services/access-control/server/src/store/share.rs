//! Table `access_share`.
//!
//! A share is written before it is carried out, and holds from the moment when `carried_out_at` is
//! set; a row without it is an attempt that is under way or was cut off.

use std::str::FromStr;

use sea_orm::{
    ActiveValue::Set, Condition, DatabaseTransaction, DbBackend, DbErr, QueryOrder as _,
    QuerySelect as _, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _,
    entity::prelude::*, sea_query::Expr,
};
use tributary_identifiers::UserId;
use tributary_mailer::EmailAddress;
use tributary_message_bus::subjects::MeetingScope;
use tributary_share_link::SecretHash;

use super::{Store, StoreError, signed, unsigned};

pub const TABLE: &str = "access_share";

/// Shares of a meeting that hold or are being carried out.
pub const LIVE_MAX: u64 = 100;
/// Shares of a meeting that are kept though they do not hold any more: the newest.
const DEAD_MAX: u64 = 100;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access_share")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub share_id: String,
    pub organisation: String,
    pub meeting_id: i64,
    pub secret_hash: Vec<u8>,
    pub form: String,
    #[sea_orm(column_type = "Text")]
    pub recipients: String,
    pub created_by: String,
    pub created_at: i64,
    pub carried_out_at: Option<i64>,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Whom a share was told to, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// The organiser, who passes the link on.
    Link,
    /// These users, at their terminals; sorted.
    Users(Vec<UserId>),
    /// These addresses.
    Email(Vec<EmailAddress>),
}

impl Recipients {
    /// The form's name.
    #[must_use]
    pub const fn form(&self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Users(_) => "users",
            Self::Email(_) => "email",
        }
    }

    /// The texts of the recipients, as JSON.
    fn to_text(&self) -> Result<String, DbErr> {
        let texts: Vec<&str> = match self {
            Self::Link => Vec::new(),
            Self::Users(users) => users.iter().map(UserId::as_str).collect(),
            Self::Email(addresses) => addresses.iter().map(EmailAddress::as_str).collect(),
        };
        serde_json::to_string(&texts).map_err(|error| DbErr::Custom(error.to_string()))
    }

    /// None if it was not written by [`Recipients::to_text`].
    fn from_text(form: &str, text: &str) -> Option<Self> {
        let texts: Vec<String> = serde_json::from_str(text).ok()?;
        match form {
            "link" => Some(Self::Link),
            "users" => read(&texts).map(Self::Users),
            "email" => read(&texts).map(Self::Email),
            _ => None,
        }
    }
}

fn read<T: FromStr>(texts: &[String]) -> Option<Vec<T>> {
    texts.iter().map(|text| text.parse().ok()).collect()
}

/// A share that is about to be carried out.
#[derive(Clone, Debug)]
pub struct NewShare {
    /// Names it, 1 to 64 of `a-z A-Z 0-9 - _`.
    pub share_id: String,
    /// Of this meeting.
    pub scope: MeetingScope,
    /// Hash of its secret.
    pub secret_hash: SecretHash,
    /// To whom.
    pub recipients: Recipients,
    /// By whom.
    pub created_by: UserId,
    /// When, milliseconds since 1970.
    pub created_at: u64,
    /// When it ends by itself, milliseconds since 1970.
    pub expires_at: Option<u64>,
}

/// A share that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptShare {
    /// Names it.
    pub share_id: String,
    /// Hash of its secret.
    pub secret_hash: SecretHash,
    /// To whom.
    pub recipients: Recipients,
    /// By whom.
    pub created_by: String,
    /// When, milliseconds since 1970.
    pub created_at: u64,
    /// When it ends by itself, milliseconds since 1970.
    pub expires_at: Option<u64>,
    /// When it was revoked, milliseconds since 1970.
    pub revoked_at: Option<u64>,
}

/// A share can't be begun.
#[derive(Debug, thiserror::Error)]
pub enum BeginShareError {
    /// There are [`LIVE_MAX`] already.
    #[error("the meeting has {LIVE_MAX} shares that hold")]
    TooMany,
    /// The database could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<DbErr> for BeginShareError {
    fn from(error: DbErr) -> Self {
        Self::Store(error.into())
    }
}

impl TryFrom<Model> for KeptShare {
    type Error = DbErr;

    fn try_from(row: Model) -> Result<Self, DbErr> {
        let malformed = |what: &str| {
            DbErr::Custom(format!("share {} holds {what} that can't be read", row.share_id))
        };
        let secret_hash =
            SecretHash::try_from(row.secret_hash.as_slice()).map_err(|_| malformed("a hash"))?;
        let recipients = Recipients::from_text(&row.form, &row.recipients)
            .ok_or_else(|| malformed("recipients"))?;
        Ok(Self {
            secret_hash,
            recipients,
            share_id: row.share_id,
            created_by: row.created_by,
            created_at: unsigned(row.created_at),
            expires_at: row.expires_at.map(unsigned),
            revoked_at: row.revoked_at.map(unsigned),
        })
    }
}

impl Store {
    /// The shares of a meeting that were carried out, newest first, at most `limit`.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn shares(
        &self,
        scope: &MeetingScope,
        limit: u64,
    ) -> Result<Vec<KeptShare>, StoreError> {
        let rows = Entity::find()
            .filter(of_meeting(scope))
            .filter(Column::CarriedOutAt.is_not_null())
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::ShareId)
            .limit(limit)
            .all(&self.database)
            .await?;
        Ok(rows.into_iter().map(KeptShare::try_from).collect::<Result<_, _>>()?)
    }

    /// All shares of a meeting that matter to who asks.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn all_shares(&self, scope: &MeetingScope) -> Result<Vec<KeptShare>, StoreError> {
        self.shares(scope, LIVE_MAX + DEAD_MAX + 1).await
    }

    /// Writes down a share that is about to be carried out. It does not hold yet, and counts for
    /// the limit. Removes the oldest of those that do not hold any more.
    ///
    /// # Errors
    /// There are too many, or the database could not answer.
    pub async fn begin_share(&self, share: &NewShare) -> Result<(), BeginShareError> {
        let transaction = self.begin_alone(&share.scope).await?;
        let live = Entity::find()
            .filter(of_meeting(&share.scope))
            .filter(is_live(share.created_at))
            .count(&transaction)
            .await?;
        if live >= LIVE_MAX {
            transaction.rollback().await?;
            return Err(BeginShareError::TooMany);
        }
        prune(&transaction, &share.scope, share.created_at).await?;
        let row = ActiveModel {
            share_id: Set(share.share_id.clone()),
            organisation: Set(share.scope.organisation.to_string()),
            meeting_id: Set(share.scope.meeting.to_i64()),
            secret_hash: Set(share.secret_hash.as_bytes().to_vec()),
            form: Set(share.recipients.form().to_owned()),
            recipients: Set(share.recipients.to_text()?),
            created_by: Set(share.created_by.to_string()),
            created_at: Set(signed(share.created_at)),
            carried_out_at: Set(None),
            expires_at: Set(share.expires_at.map(signed)),
            revoked_at: Set(None),
        };
        Entity::insert(row).exec_without_returning(&transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// A share has been carried out, to these in the end: from now on it holds, unless it was
    /// revoked meanwhile.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn carried_out(
        &self,
        share_id: &str,
        recipients: &Recipients,
        now: u64,
    ) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::CarriedOutAt, Expr::value(signed(now)))
            .col_expr(Column::Recipients, Expr::value(recipients.to_text()?))
            .filter(Column::ShareId.eq(share_id))
            .exec(&self.database)
            .await?;
        Ok(())
    }

    /// A share could not be carried out.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn abandon_share(&self, share_id: &str) -> Result<(), StoreError> {
        Entity::delete_many()
            .filter(Column::ShareId.eq(share_id))
            .filter(Column::CarriedOutAt.is_null())
            .exec(&self.database)
            .await?;
        Ok(())
    }

    /// Removes attempts that were cut off before `millis`, as by a crash.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn forget_attempts(&self, millis: u64) -> Result<u64, StoreError> {
        let removed = Entity::delete_many()
            .filter(Column::CarriedOutAt.is_null())
            .filter(Column::CreatedAt.lt(signed(millis)))
            .exec(&self.database)
            .await?;
        Ok(removed.rows_affected)
    }

    /// Revokes one share of a meeting, or all; also those that are being carried out. False if it
    /// has none of that id.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn revoke_shares(
        &self,
        scope: &MeetingScope,
        share_id: Option<&str>,
        now: u64,
    ) -> Result<bool, StoreError> {
        let mut which = of_meeting(scope);
        if let Some(share_id) = share_id {
            which = which.add(Column::ShareId.eq(share_id));
            if Entity::find().filter(which.clone()).one(&self.database).await?.is_none() {
                return Ok(false);
            }
        }
        Entity::update_many()
            .col_expr(Column::RevokedAt, Expr::value(signed(now)))
            .filter(which)
            .filter(Column::RevokedAt.is_null())
            .exec(&self.database)
            .await?;
        Ok(true)
    }

    /// Begins a transaction that no other one for the same meeting runs beside.
    async fn begin_alone(&self, scope: &MeetingScope) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = self.database.begin_with_options(options).await?;
        if transaction.get_database_backend() == DbBackend::Postgres {
            let lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
            let key = format!("{TABLE}/{}/{}", scope.organisation, scope.meeting);
            let statement = Statement::from_sql_and_values(DbBackend::Postgres, lock, [key.into()]);
            transaction.execute_raw(statement).await?;
        }
        Ok(transaction)
    }
}

fn of_meeting(scope: &MeetingScope) -> Condition {
    Condition::all()
        .add(Column::Organisation.eq(scope.organisation.as_str()))
        .add(Column::MeetingId.eq(scope.meeting.to_i64()))
}

fn is_live(now: u64) -> Condition {
    let unexpired =
        Condition::any().add(Column::ExpiresAt.is_null()).add(Column::ExpiresAt.gt(signed(now)));
    Condition::all().add(Column::RevokedAt.is_null()).add(unexpired)
}

/// Keeps the newest [`DEAD_MAX`] shares that do not hold any more.
async fn prune(
    transaction: &DatabaseTransaction,
    scope: &MeetingScope,
    now: u64,
) -> Result<(), DbErr> {
    let dead: Vec<String> = Entity::find()
        .select_only()
        .column(Column::ShareId)
        .filter(of_meeting(scope))
        .filter(is_live(now).not())
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::ShareId)
        .offset(DEAD_MAX)
        .limit(DEAD_MAX)
        .into_tuple()
        .all(transaction)
        .await?;
    if !dead.is_empty() {
        Entity::delete_many().filter(Column::ShareId.is_in(dead)).exec(transaction).await?;
    }
    Ok(())
}

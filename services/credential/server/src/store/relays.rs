//! Relays that attach to others: set up, enrolled once by one token, changed, revoked.
//!
//! **Invariant:** whoever writes about a relay takes its row first and its token after, so that
//! nobody waits for each other in a circle, and a token is taken by one of all who try.

use sea_orm::{
    ColumnTrait as _, Condition, DatabaseTransaction, EntityTrait as _, ExprTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, UpdateMany,
    sea_query::{Expr, OnConflict},
};
use tributary_credential_core::{RelayChange, RelayPublicKey, RelayRecord, RelaySetup};
use tributary_identifiers::{OrganisationId, RelayId};

use super::{
    Store, StoreError, begin,
    relay::{self, Column, Entity},
    relay_token,
};

/// For so long the enrolment of the same key with the same token is answered again, in seconds.
const ENROLMENT_REPEATED_SECONDS: u64 = 600;

/// A token that a relay can be enrolled with. Times are in Unix seconds.
#[derive(Clone, PartialEq, Eq)]
pub struct NewRelayToken {
    /// SHA-256 of the token, base64url.
    pub hash: String,
    /// When it is good no longer.
    pub expires_at: u64,
}

/// Which relay a token is for, and whether it was good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enrolled {
    /// This is the relay now.
    Relay(Box<RelayRecord>),
    /// There is no such token, or not any more.
    NoToken,
}

impl Store {
    /// Sets a relay up and gives it a token, instead of any that it had. One that is there keeps its
    /// key and its times. True if it was there.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn set_up_relay(
        &self,
        organisation: &OrganisationId,
        relay_id: &RelayId,
        setup: &RelaySetup,
        token: &NewRelayToken,
    ) -> Result<(RelayRecord, bool), StoreError> {
        let transaction = begin(&self.database).await?;
        let names = [Column::Organisation, Column::RelayId];
        let there = Entity::update_many()
            .set(setup_row(setup))
            .filter(is(organisation, relay_id))
            .exec(&transaction)
            .await?
            .rows_affected
            > 0;
        if !there {
            // Two may do this at once: the later setup holds.
            let again = OnConflict::columns(names).update_columns(relay::SETUP).to_owned();
            Entity::insert(relay::row(organisation, relay_id, setup))
                .on_conflict(again)
                .exec_without_returning(&transaction)
                .await?;
        }
        put_token(&transaction, organisation, relay_id, token).await?;
        let record = find(&transaction, organisation, relay_id).await?;
        transaction.commit().await?;
        let record = record.ok_or(StoreError::MalformedRow { table: relay::TABLE })?;
        Ok((record, there))
    }

    /// Takes a token and gives its relay this key; a revocation ends by it. Asked again for the same
    /// key within ten minutes, the answer is the same.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn enrol_relay(
        &self,
        token_hash: &str,
        public_key: &RelayPublicKey,
        now: u64,
    ) -> Result<Enrolled, StoreError> {
        use relay_token::Column as Token;
        let by_hash = relay_token::Entity::find().filter(Token::TokenHash.eq(token_hash));
        let Some(token) = by_hash.one(&self.database).await? else {
            return self.enrolled_before(token_hash, public_key, now).await;
        };
        let at = seconds(now);
        if token.expires_at <= at {
            return Ok(Enrolled::NoToken);
        }
        let malformed = |_| StoreError::MalformedRow { table: relay_token::TABLE };
        let organisation = token.organisation.parse().map_err(malformed)?;
        let relay_id = token.relay_id.parse().map_err(malformed)?;
        let transaction = begin(&self.database).await?;
        Entity::update_many()
            .col_expr(Column::PublicKey, Expr::value(public_key.as_bytes().to_vec()))
            .col_expr(Column::EnrolledAt, Expr::value(at))
            .col_expr(Column::EnrolledBy, Expr::value(token_hash))
            .col_expr(Column::KeySince, Expr::value(at))
            .col_expr(Column::RevokedAt, Expr::value(None::<i64>))
            .filter(is(&organisation, &relay_id))
            .exec(&transaction)
            .await?;
        let taken = relay_token::Entity::delete_many()
            .filter(Token::TokenHash.eq(token_hash))
            .filter(Token::ExpiresAt.gt(at))
            .exec(&transaction)
            .await?;
        let record = find(&transaction, &organisation, &relay_id).await?;
        match record {
            Some(record) if taken.rows_affected == 1 => {
                transaction.commit().await?;
                Ok(Enrolled::Relay(Box::new(record)))
            }
            // Somebody else was faster, perhaps the relay itself, or it was revoked meanwhile.
            _ => {
                transaction.rollback().await?;
                self.enrolled_before(token_hash, public_key, now).await
            }
        }
    }

    /// The relay that was enrolled with this token and this key a moment ago, if it may attach: it
    /// has not heard the answer, and asks again.
    async fn enrolled_before(
        &self,
        token_hash: &str,
        public_key: &RelayPublicKey,
        now: u64,
    ) -> Result<Enrolled, StoreError> {
        let since = now.saturating_sub(ENROLMENT_REPEATED_SECONDS);
        let found = Entity::find()
            .filter(Column::EnrolledBy.eq(token_hash))
            .filter(Column::PublicKey.eq(public_key.as_bytes().to_vec()))
            .filter(Column::EnrolledAt.gt(seconds(since)))
            .filter(Column::RevokedAt.is_null())
            .one(&self.database)
            .await?;
        let record = found.map(RelayRecord::try_from).transpose()?;
        Ok(record.map_or(Enrolled::NoToken, |record| Enrolled::Relay(Box::new(record))))
    }

    /// Finds a relay.
    ///
    /// # Errors
    /// The row is malformed, or the database could not answer.
    pub async fn relay(
        &self,
        organisation: &OrganisationId,
        relay_id: &RelayId,
    ) -> Result<Option<RelayRecord>, StoreError> {
        let found = Entity::find_by_id(relay::key(organisation, relay_id)).one(&self.database);
        found.await?.map(RelayRecord::try_from).transpose()
    }

    /// Relays by id, after one or from the start, at most `limit`.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn relays(
        &self,
        organisation: &OrganisationId,
        after: Option<&RelayId>,
        limit: u64,
    ) -> Result<Vec<RelayRecord>, StoreError> {
        let mut query = Entity::find()
            .filter(Column::Organisation.eq(organisation.as_str()))
            .order_by_asc(Column::RelayId)
            .limit(limit);
        if let Some(after) = after {
            query = query.filter(Column::RelayId.gt(after.as_str()));
        }
        query.all(&self.database).await?.into_iter().map(RelayRecord::try_from).collect()
    }

    /// Changes how a relay is set up; `None` if there is none.
    ///
    /// # Errors
    /// The row is malformed, or the database could not answer.
    pub async fn change_relay(
        &self,
        organisation: &OrganisationId,
        relay_id: &RelayId,
        change: &RelayChange,
    ) -> Result<Option<RelayRecord>, StoreError> {
        if !change.is_empty() {
            // Only what is named, in one statement: two who change different things both do.
            changing(change).filter(is(organisation, relay_id)).exec(&self.database).await?;
        }
        self.relay(organisation, relay_id).await
    }

    /// Ends a relay's right to attach, and its token with it. False if there is no such relay.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn revoke_relay(
        &self,
        organisation: &OrganisationId,
        relay_id: &RelayId,
        now: u64,
    ) -> Result<bool, StoreError> {
        let transaction = begin(&self.database).await?;
        // One that is revoked already keeps the time at which it was.
        let since = Expr::col(Column::RevokedAt).if_null(seconds(now));
        let revoked = Entity::update_many()
            .col_expr(Column::RevokedAt, since)
            .filter(is(organisation, relay_id))
            .exec(&transaction)
            .await?;
        relay_token::Entity::delete_by_id(relay::key(organisation, relay_id))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(revoked.rows_affected > 0)
    }

    /// Puts another key in the place of the one that a relay has. False if it has another by now, or
    /// is revoked.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn rotate_relay_key(
        &self,
        organisation: &OrganisationId,
        relay_id: &RelayId,
        (key, next): (&RelayPublicKey, &RelayPublicKey),
        now: u64,
    ) -> Result<bool, StoreError> {
        let rotated = Entity::update_many()
            .col_expr(Column::PublicKey, Expr::value(next.as_bytes().to_vec()))
            .col_expr(Column::KeySince, Expr::value(seconds(now)))
            .filter(is(organisation, relay_id))
            .filter(Column::PublicKey.eq(key.as_bytes().to_vec()))
            .filter(Column::RevokedAt.is_null())
            .exec(&self.database)
            .await?;
        Ok(rotated.rows_affected == 1)
    }

    /// Writes down that a relay has attached.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn note_attach(
        &self,
        organisation: &OrganisationId,
        relay_id: &RelayId,
        now: u64,
    ) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::AttachedAt, Expr::value(seconds(now)))
            .filter(is(organisation, relay_id))
            .exec(&self.database)
            .await?;
        Ok(())
    }

    /// Removes tokens that nobody has used in time.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn forget_relay_tokens(&self, now: u64) -> Result<u64, StoreError> {
        let over = relay_token::Column::ExpiresAt.lte(seconds(now));
        let deleted = relay_token::Entity::delete_many().filter(over).exec(&self.database).await?;
        Ok(deleted.rows_affected)
    }
}

fn is(organisation: &OrganisationId, relay_id: &RelayId) -> Condition {
    Condition::all()
        .add(Column::Organisation.eq(organisation.as_str()))
        .add(Column::RelayId.eq(relay_id.as_str()))
}

fn seconds(at: u64) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

fn setup_row(setup: &RelaySetup) -> relay::ActiveModel {
    use sea_orm::ActiveValue::Set;
    relay::ActiveModel {
        name: Set(setup.name.to_string()),
        room: Set(setup.room),
        uplink_limit_kbit: Set(setup.uplink_limit_kbit.into()),
        voices_max: Set(setup.voices_max.into()),
        prefixes: Set(relay::prefixes_text(&setup.prefixes)),
        ..Default::default()
    }
}

fn changing(change: &RelayChange) -> UpdateMany<Entity> {
    let mut update = Entity::update_many();
    if let Some(name) = &change.name {
        update = update.col_expr(Column::Name, Expr::value(name.as_str()));
    }
    if let Some(room) = change.room {
        update = update.col_expr(Column::Room, Expr::value(room));
    }
    if let Some(limit) = change.uplink_limit_kbit {
        update = update.col_expr(Column::UplinkLimitKbit, Expr::value(i64::from(limit)));
    }
    if let Some(voices) = change.voices_max {
        update = update.col_expr(Column::VoicesMax, Expr::value(i64::from(voices)));
    }
    if let Some(prefixes) = &change.prefixes {
        update = update.col_expr(Column::Prefixes, Expr::value(relay::prefixes_text(prefixes)));
    }
    update
}

async fn find(
    transaction: &DatabaseTransaction,
    organisation: &OrganisationId,
    relay_id: &RelayId,
) -> Result<Option<RelayRecord>, StoreError> {
    let found = Entity::find_by_id(relay::key(organisation, relay_id)).one(transaction).await?;
    found.map(RelayRecord::try_from).transpose()
}

async fn put_token(
    transaction: &DatabaseTransaction,
    organisation: &OrganisationId,
    relay_id: &RelayId,
    token: &NewRelayToken,
) -> Result<(), StoreError> {
    use relay_token::Column as Token;
    use sea_orm::ActiveValue::Set;
    let row = relay_token::ActiveModel {
        organisation: Set(organisation.to_string()),
        relay_id: Set(relay_id.to_string()),
        token_hash: Set(token.hash.clone()),
        expires_at: Set(seconds(token.expires_at)),
    };
    let instead = OnConflict::columns([Token::Organisation, Token::RelayId])
        .update_columns([Token::TokenHash, Token::ExpiresAt])
        .to_owned();
    relay_token::Entity::insert(row)
        .on_conflict(instead)
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

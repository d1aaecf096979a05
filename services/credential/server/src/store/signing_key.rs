//! Table `credential_signing_key`: one row a generation.

use std::fmt;

use sea_orm::{
    ActiveValue::Set, DatabaseTransaction, QueryOrder as _, entity::prelude::*,
    sea_query::OnConflict,
};
use tributary_credential_core::rotation::KeyTimes;
use tributary_join_credential::Revocation;

use super::{Store, StoreError, begin, counter, revocation};

pub const TABLE: &str = "credential_signing_key";

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credential_signing_key")]
pub struct Model {
    /// 1 is the first key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub generation: i32,
    /// PKCS #8, sealed or plain; empty if revoked.
    pub private_key: Vec<u8>,
    pub created_at: i64,
    /// From when on it signs.
    pub active_from: i64,
    pub sealed: bool,
    pub revoked_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The private half is nobody's business.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// A private key as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey {
    /// PKCS #8, in the clear or sealed.
    pub bytes: Vec<u8>,
    /// Whether it is sealed.
    pub sealed: bool,
}

/// A key that was not revoked.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Its times.
    pub times: KeyTimes,
    /// Its private half.
    pub private_key: PrivateKey,
}

/// All keys at one moment.
#[derive(Clone, Default)]
pub struct KeyRows {
    /// Those that were not revoked, the oldest first.
    pub keys: Vec<KeyRow>,
    /// The highest generation that was ever used; 0 for none.
    pub last_generation: i32,
}

impl KeyRows {
    /// The times of the keys.
    pub fn times(&self) -> Vec<KeyTimes> {
        self.keys.iter().map(|key| key.times).collect()
    }
}

/// A change of the keys that nobody else can disturb. Nothing is changed unless it is committed.
pub struct KeyChange {
    transaction: DatabaseTransaction,
    /// The keys before the change.
    pub rows: KeyRows,
}

impl Store {
    /// The keys.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn keys(&self) -> Result<KeyRows, StoreError> {
        read(&self.database).await
    }

    /// Begins a change of the keys, when it is this one's turn. With SQLite there is one
    /// connection: use nothing but the change until it is over.
    ///
    /// # Errors
    /// A row is malformed, or the database could not answer.
    pub async fn begin_key_change(&self) -> Result<KeyChange, StoreError> {
        let transaction = begin(&self.database).await?;
        counter::next(&transaction, counter::SIGNING_KEYS).await?;
        let rows = read(&transaction).await?;
        Ok(KeyChange { transaction, rows })
    }
}

impl KeyChange {
    /// Adds a key, unless its generation is there.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn insert(&self, row: KeyRow) -> Result<(), StoreError> {
        let model = ActiveModel {
            generation: Set(row.times.generation),
            private_key: Set(row.private_key.bytes),
            created_at: Set(seconds(row.times.created_at)),
            active_from: Set(seconds(row.times.active_from)),
            sealed: Set(row.private_key.sealed),
            revoked_at: Set(None),
        };
        let unless_there = OnConflict::column(Column::Generation).do_nothing().to_owned();
        Entity::insert(model)
            .on_conflict(unless_there)
            .exec_without_returning(&self.transaction)
            .await?;
        Ok(())
    }

    /// Lets a key sign from another moment on.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn activate(&self, times: KeyTimes) -> Result<(), StoreError> {
        let change =
            ActiveModel { active_from: Set(seconds(times.active_from)), ..Default::default() };
        self.update(times.generation, change).await
    }

    /// Replaces the stored form of a private key.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn reseal(&self, generation: i32, key: PrivateKey) -> Result<(), StoreError> {
        let change = ActiveModel {
            private_key: Set(key.bytes),
            sealed: Set(key.sealed),
            ..Default::default()
        };
        self.update(generation, change).await
    }

    /// Takes the private half away and writes the revocation. The row stays, so that the
    /// generation is not used again.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn revoke(
        &self,
        generation: i32,
        new: revocation::NewRevocation,
    ) -> Result<Revocation, StoreError> {
        let change = ActiveModel {
            private_key: Set(Vec::new()),
            sealed: Set(false),
            revoked_at: Set(Some(seconds(new.at))),
            ..Default::default()
        };
        self.update(generation, change).await?;
        revocation::insert(&self.transaction, new).await
    }

    /// Removes a key.
    ///
    /// # Errors
    /// The database could not answer.
    pub async fn remove(&self, generation: i32) -> Result<(), StoreError> {
        Entity::delete_by_id(generation).exec(&self.transaction).await?;
        Ok(())
    }

    /// Makes it so.
    ///
    /// # Errors
    /// The database could not answer; whether it was done is not known then.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.transaction.commit().await?)
    }

    async fn update(&self, generation: i32, change: ActiveModel) -> Result<(), StoreError> {
        Entity::update_many()
            .set(change)
            .filter(Column::Generation.eq(generation))
            .exec(&self.transaction)
            .await?;
        Ok(())
    }
}

async fn read(connection: &impl ConnectionTrait) -> Result<KeyRows, StoreError> {
    let rows = Entity::find().order_by_asc(Column::Generation).all(connection).await?;
    let last_generation = rows.last().map_or(0, |row| row.generation);
    let malformed = |_| StoreError::MalformedRow { table: TABLE };
    let mut keys = Vec::new();
    for row in rows.into_iter().filter(|row| row.revoked_at.is_none()) {
        let times = KeyTimes {
            generation: row.generation,
            created_at: u64::try_from(row.created_at).map_err(malformed)?,
            active_from: u64::try_from(row.active_from).map_err(malformed)?,
        };
        let private_key = PrivateKey { bytes: row.private_key, sealed: row.sealed };
        keys.push(KeyRow { times, private_key });
    }
    Ok(KeyRows { keys, last_generation })
}

fn seconds(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

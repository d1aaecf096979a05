//! Accounts, and keys that sign.

use sea_orm_migration::prelude::*;

use crate::store::{account, signing_key};

pub struct AccountsAndKeys;

impl MigrationName for AccountsAndKeys {
    fn name(&self) -> &str {
        "m0001_accounts_and_keys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for AccountsAndKeys {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(account::TABLE)
                    .col(ColumnDef::new("organisation").string_len(64).not_null())
                    .col(ColumnDef::new("user_id").string_len(64).not_null())
                    .col(ColumnDef::new("user_name").string_len(64).not_null())
                    .col(ColumnDef::new("display_name").text().not_null())
                    .col(ColumnDef::new("password_hash").text().not_null())
                    .col(ColumnDef::new("created_at").big_integer().not_null())
                    .primary_key(Index::create().col("organisation").col("user_id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("credential_account_user_name")
                    .table(account::TABLE)
                    .col("organisation")
                    .col("user_name")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(signing_key::TABLE)
                    .col(ColumnDef::new("generation").integer().not_null().primary_key())
                    .col(ColumnDef::new("private_key").binary().not_null())
                    .col(ColumnDef::new("created_at").big_integer().not_null())
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(signing_key::TABLE).to_owned()).await?;
        manager.drop_table(Table::drop().table(account::TABLE).to_owned()).await
    }
}

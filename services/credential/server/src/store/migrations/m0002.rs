//! Keys that rotate, revocations, and accounts of OpenID Connect providers.

use sea_orm::{ConnectionTrait, StatementBuilder};
use sea_orm_migration::prelude::*;
use tributary_credential_core::folded;

use crate::store::{account, counter, oidc_link, oidc_log_in, revocation, signing_key};

pub struct RevocationsAndProviders;

impl MigrationName for RevocationsAndProviders {
    fn name(&self) -> &str {
        "m0002_revocations_and_providers"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for RevocationsAndProviders {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        change_accounts(manager).await?;
        change_keys(manager).await?;
        make_counters(manager).await?;
        make_revocations(manager).await?;
        make_oidc(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [oidc_log_in::TABLE, oidc_link::TABLE, revocation::TABLE, counter::TABLE] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        for (table, column) in [
            (signing_key::TABLE, "revoked_at"),
            (signing_key::TABLE, "sealed"),
            (signing_key::TABLE, "active_from"),
            (account::TABLE, "log_ins"),
            (account::TABLE, "display_name_folded"),
        ] {
            let drop = Table::alter().table(table).drop_column(column).to_owned();
            manager.alter_table(drop).await?;
        }
        Ok(())
    }
}

/// One column a statement: SQLite adds no more.
async fn add_column(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: &mut ColumnDef,
) -> Result<(), DbErr> {
    manager.alter_table(Table::alter().table(table).add_column(column.take()).to_owned()).await
}

async fn execute<S: StatementBuilder>(
    manager: &SchemaManager<'_>,
    statement: &S,
) -> Result<(), DbErr> {
    manager.get_connection().execute(statement).await.map(drop)
}

async fn change_accounts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut shown = ColumnDef::new("display_name_folded").text().not_null().default("").take();
    add_column(manager, account::TABLE, &mut shown).await?;
    let mut log_ins = ColumnDef::new("log_ins").big_integer().not_null().default(0).take();
    add_column(manager, account::TABLE, &mut log_ins).await?;
    let names = Query::select()
        .columns(["organisation", "user_id", "display_name"])
        .from(account::TABLE)
        .to_owned();
    for row in manager.get_connection().query_all(&names).await? {
        let organisation: String = row.try_get("", "organisation")?;
        let user_id: String = row.try_get("", "user_id")?;
        let display_name: String = row.try_get("", "display_name")?;
        let fold = Query::update()
            .table(account::TABLE)
            .value("display_name_folded", folded(&display_name))
            .and_where(Expr::col("organisation").eq(organisation))
            .and_where(Expr::col("user_id").eq(user_id))
            .to_owned();
        execute(manager, &fold).await?;
    }
    Ok(())
}

async fn change_keys(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut active_from = ColumnDef::new("active_from").big_integer().not_null().default(0).take();
    add_column(manager, signing_key::TABLE, &mut active_from).await?;
    let mut sealed = ColumnDef::new("sealed").boolean().not_null().default(false).take();
    add_column(manager, signing_key::TABLE, &mut sealed).await?;
    let mut revoked_at = ColumnDef::new("revoked_at").big_integer().null().take();
    add_column(manager, signing_key::TABLE, &mut revoked_at).await?;
    let since_made = Query::update()
        .table(signing_key::TABLE)
        .value("active_from", Expr::col("created_at"))
        .to_owned();
    execute(manager, &since_made).await
}

async fn make_counters(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(counter::TABLE)
        .col(ColumnDef::new("name").string_len(32).not_null().primary_key())
        .col(ColumnDef::new("value").big_integer().not_null())
        .to_owned();
    manager.create_table(table).await?;
    let mut rows = Query::insert().into_table(counter::TABLE).columns(["name", "value"]).take();
    for name in counter::NAMES {
        rows.values_panic([name.into(), 0_i64.into()]);
    }
    execute(manager, &rows).await
}

async fn make_revocations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table(revocation::TABLE)
        .col(ColumnDef::new("number").big_integer().not_null().primary_key())
        .col(ColumnDef::new("kind").integer().not_null())
        .col(ColumnDef::new("organisation").string_len(64).not_null())
        .col(ColumnDef::new("subject").string_len(64).not_null())
        .col(ColumnDef::new("at").big_integer().not_null())
        .col(ColumnDef::new("forget_at").big_integer().not_null())
        .to_owned();
    manager.create_table(table).await?;
    let index = Index::create()
        .name("credential_revocation_forget_at")
        .table(revocation::TABLE)
        .col("forget_at")
        .to_owned();
    manager.create_index(index).await
}

async fn make_oidc(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let links = Table::create()
        .table(oidc_link::TABLE)
        .col(ColumnDef::new("organisation").string_len(64).not_null())
        .col(ColumnDef::new("issuer").string_len(512).not_null())
        .col(ColumnDef::new("subject").string_len(255).not_null())
        .col(ColumnDef::new("user_id").string_len(64).not_null())
        .primary_key(Index::create().col("organisation").col("issuer").col("subject"))
        .to_owned();
    manager.create_table(links).await?;
    let log_ins = Table::create()
        .table(oidc_log_in::TABLE)
        .col(ColumnDef::new("state_hash").string_len(43).not_null().primary_key())
        .col(ColumnDef::new("organisation").string_len(64).not_null())
        .col(ColumnDef::new("provider_id").string_len(64).not_null())
        .col(ColumnDef::new("redirect_uri").text().not_null())
        .col(ColumnDef::new("key_thumbprint").string_len(64).not_null())
        .col(ColumnDef::new("nonce").string_len(64).not_null())
        .col(ColumnDef::new("pkce_verifier").string_len(128).not_null())
        .col(ColumnDef::new("expires_at").big_integer().not_null())
        .to_owned();
    manager.create_table(log_ins).await?;
    let index = Index::create()
        .name("credential_oidc_log_in_expires_at")
        .table(oidc_log_in::TABLE)
        .col("expires_at")
        .to_owned();
    manager.create_index(index).await
}

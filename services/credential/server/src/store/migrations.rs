//! How the tables come to be. A migration that has been released is never changed.

mod m0001;
mod m0002;
mod m0003;

use sea_orm_migration::prelude::*;

use super::BUDGETS;

/// All migrations, in order.
#[derive(Debug)]
pub struct Migrations;

#[async_trait::async_trait]
impl MigratorTrait for Migrations {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001::AccountsAndKeys),
            Box::new(m0002::RevocationsAndProviders),
            tributary_sliding_window::migration(BUDGETS),
            Box::new(m0003::Relays),
        ]
    }

    fn migration_table_name() -> DynIden {
        "credential_migration".into_iden()
    }
}

//! `tributary.admin.v1.UserService`. The runtime lets in only who shows the admin token.

use tonic::{Request, Response, Status};
use tributary_contracts::admin::v1::{
    CreateUserRequest, CreateUserResponse, DeleteUserRequest, DeleteUserResponse, GetUserRequest,
    GetUserResponse, ListUsersRequest, ListUsersResponse, User, user_service_server::UserService,
};
use tributary_credential_core::{
    Account, DisplayName, PAGES_OF_USERS, PageRequest, UserName, page_token,
};
use tributary_join_credential::Revoked;
use tributary_password_hash::Hasher;

use super::{read_organisation, read_user_id, status, timestamp};
use crate::{
    accounts::{self, Names},
    authority::Authority,
    clock::Clock,
    store::Store,
};

/// Answers the service. Clones share everything.
#[derive(Clone)]
pub struct UserApi {
    store: Store,
    hasher: Hasher,
    authority: Authority,
    clock: Clock,
}

impl UserApi {
    /// Over a database, a hasher, and what revokes.
    pub const fn new(store: Store, hasher: Hasher, authority: Authority, clock: Clock) -> Self {
        Self { store, hasher, authority, clock }
    }
}

#[tonic::async_trait]
impl UserService for UserApi {
    async fn create_user(
        &self,
        request: Request<CreateUserRequest>,
    ) -> Result<Response<CreateUserResponse>, Status> {
        let request = request.into_inner();
        let organisation = read_organisation(&request.organisation)?;
        let user_name: UserName =
            request.user_name.parse().map_err(|error| status::invalid("user_name", &error))?;
        let display_name: DisplayName = request
            .display_name
            .parse()
            .map_err(|error| status::invalid("display_name", &error))?;
        let account = accounts::create(
            &self.store,
            &self.hasher,
            Names { organisation, user_name, display_name },
            &request.password,
            self.clock.seconds(),
        )
        .await
        .map_err(|error| status::of_create(&error))?;
        tracing::info!(user_id = %account.user_id, "created an account");
        Ok(Response::new(CreateUserResponse { user: Some(user(account)) }))
    }

    async fn get_user(
        &self,
        request: Request<GetUserRequest>,
    ) -> Result<Response<GetUserResponse>, Status> {
        let request = request.into_inner();
        let organisation = read_organisation(&request.organisation)?;
        let user_id = read_user_id(&request.user_id)?;
        let account = self
            .store
            .account(&organisation, &user_id)
            .await
            .map_err(|error| status::of_store(&error))?
            .ok_or_else(status::no_such_user)?;
        Ok(Response::new(GetUserResponse { user: Some(user(account)) }))
    }

    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
    ) -> Result<Response<ListUsersResponse>, Status> {
        let request = request.into_inner();
        let organisation = read_organisation(&request.organisation)?;
        let page = PageRequest::read(request.page_size, &request.page_token, PAGES_OF_USERS)
            .map_err(|error| status::invalid(error.field(), &error))?;
        // One more than asked for shows whether there is a next page.
        let mut accounts = self
            .store
            .accounts(&organisation, page.after.as_ref(), u64::from(page.size) + 1)
            .await
            .map_err(|error| status::of_store(&error))?;
        let size = page.size as usize;
        let more = accounts.len() > size;
        accounts.truncate(size);
        let next_page_token = match accounts.last() {
            Some(last) if more => page_token(last.user_name.as_str()),
            _ => String::new(),
        };
        let users = accounts.into_iter().map(user).collect();
        Ok(Response::new(ListUsersResponse { users, next_page_token }))
    }

    async fn delete_user(
        &self,
        request: Request<DeleteUserRequest>,
    ) -> Result<Response<DeleteUserResponse>, Status> {
        let request = request.into_inner();
        let organisation = read_organisation(&request.organisation)?;
        let user_id = read_user_id(&request.user_id)?;
        self.authority.catch_up().await.map_err(|error| status::of_authority(&error))?;
        let all = Revoked::User(organisation.clone(), user_id.clone());
        let revoked = self
            .store
            .delete_account(&organisation, &user_id, self.authority.revocation(all))
            .await
            .map_err(|error| status::of_store(&error))?
            .ok_or_else(status::no_such_user)?;
        self.authority.has_been_revoked(revoked).await;
        tracing::info!(%user_id, "deleted an account");
        Ok(Response::new(DeleteUserResponse {}))
    }
}

fn user(account: Account) -> User {
    User {
        user_id: account.user_id.to_string(),
        organisation: account.organisation.to_string(),
        user_name: account.user_name.to_string(),
        display_name: account.display_name.to_string(),
        created_at: Some(timestamp(account.created_at)),
        has_password: account.has_password,
    }
}

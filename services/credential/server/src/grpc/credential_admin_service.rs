//! `tributary.admin.v1.CredentialAdminService`. The runtime lets in only who shows the admin token.

use tonic::{Request, Response, Status};
use tributary_contracts::admin::v1::{
    ListSigningKeysRequest, ListSigningKeysResponse, RevokeSigningKeyRequest,
    RevokeSigningKeyResponse, RevokeTerminalRequest, RevokeTerminalResponse, RevokeUserRequest,
    RevokeUserResponse, RotateSigningKeyRequest, RotateSigningKeyResponse, SigningKey,
    SigningKeyState, credential_admin_service_server::CredentialAdminService,
};
use tributary_credential_core::rotation::KeyState;
use tributary_join_credential::{KeyId, Revoked};

use super::{read_organisation, read_thumbprint, read_user_id, status, timestamp};
use crate::{
    authority::{Authority, AuthorityError},
    clock::Clock,
    trust::ListedKey,
};

/// Answers the service. Clones share everything.
#[derive(Clone)]
pub struct CredentialAdminApi {
    authority: Authority,
    clock: Clock,
}

impl CredentialAdminApi {
    /// Over the keys and revocations.
    pub const fn new(authority: Authority, clock: Clock) -> Self {
        Self { authority, clock }
    }

    async fn keys(&self) -> Result<Vec<ListedKey>, Status> {
        self.authority.catch_up().await.map_err(|error| status::of_authority(&error))?;
        Ok(self.authority.trust().list(self.clock.seconds()))
    }
}

#[tonic::async_trait]
impl CredentialAdminService for CredentialAdminApi {
    async fn list_signing_keys(
        &self,
        _request: Request<ListSigningKeysRequest>,
    ) -> Result<Response<ListSigningKeysResponse>, Status> {
        let keys = self.keys().await?.iter().map(signing_key).collect();
        Ok(Response::new(ListSigningKeysResponse { keys }))
    }

    async fn rotate_signing_key(
        &self,
        _request: Request<RotateSigningKeyRequest>,
    ) -> Result<Response<RotateSigningKeyResponse>, Status> {
        let made = self.authority.rotate().await.map_err(|error| status::of_authority(&error))?;
        let keys = self.keys().await?;
        let key = keys.iter().find(|key| key.times.generation == made.generation);
        Ok(Response::new(RotateSigningKeyResponse { key: key.map(signing_key) }))
    }

    async fn revoke_signing_key(
        &self,
        request: Request<RevokeSigningKeyRequest>,
    ) -> Result<Response<RevokeSigningKeyResponse>, Status> {
        // A text that can't name a key names none that is there.
        let key_id = request.into_inner().key_id.parse::<KeyId>();
        let key_id = key_id.map_err(|_| status::of_authority(&AuthorityError::NoSuchKey))?;
        self.authority.revoke_key(&key_id).await.map_err(|error| status::of_authority(&error))?;
        tracing::warn!(%key_id, "revoked a signing key");
        Ok(Response::new(RevokeSigningKeyResponse {}))
    }

    async fn revoke_user(
        &self,
        request: Request<RevokeUserRequest>,
    ) -> Result<Response<RevokeUserResponse>, Status> {
        let request = request.into_inner();
        let organisation = read_organisation(&request.organisation)?;
        let user_id = read_user_id(&request.user_id)?;
        let revoked = self.authority.revoke(Revoked::User(organisation, user_id.clone())).await;
        revoked.map_err(|error| status::of_authority(&error))?;
        tracing::info!(%user_id, "revoked what a user holds");
        Ok(Response::new(RevokeUserResponse {}))
    }

    async fn revoke_terminal(
        &self,
        request: Request<RevokeTerminalRequest>,
    ) -> Result<Response<RevokeTerminalResponse>, Status> {
        let key_thumbprint = read_thumbprint(&request.into_inner().key_thumbprint)?;
        let revoked = self.authority.revoke(Revoked::Terminal(key_thumbprint.clone())).await;
        revoked.map_err(|error| status::of_authority(&error))?;
        tracing::info!(%key_thumbprint, "revoked what is bound to a terminal");
        Ok(Response::new(RevokeTerminalResponse {}))
    }
}

fn signing_key(key: &ListedKey) -> SigningKey {
    let state = match key.state {
        KeyState::Next => SigningKeyState::Next,
        KeyState::Active => SigningKeyState::Active,
        KeyState::Retired => SigningKeyState::Retired,
    };
    SigningKey {
        key_id: key.key_id.to_string(),
        state: state.into(),
        created_at: Some(timestamp(key.times.created_at)),
        active_from: Some(timestamp(key.times.active_from)),
        removed_at: key.removed_at.map(timestamp),
    }
}

//! `tributary.admin.v1.UserService`.

use tonic::Code;
use tonic_types::StatusExt as _;
use tributary_contracts::admin::v1::{
    CreateUserRequest, DeleteUserRequest, GetUserRequest, ListUsersRequest, ListUsersResponse,
    user_service_client::UserServiceClient,
};
use tributary_database::scratch::{self, ScratchDatabase};
use tributary_service_runtime::{DEVELOPMENT_SERVICE_TOKEN, Secret, ServiceChannel};

use crate::{
    on_both_databases,
    world::{PASSWORD, World, now},
};

async fn list(world: &World, page_size: i32, page_token: &str) -> ListUsersResponse {
    let request = ListUsersRequest {
        organisation: String::new(),
        page_size,
        page_token: page_token.to_owned(),
    };
    world.users.clone().list_users(request).await.unwrap().into_inner()
}

async fn a_created_account_can_be_read_and_deleted_once(database: ScratchDatabase) {
    let world = World::start(&database).await;
    let user = world.create_user("zoe").await;
    assert!(user.user_id.starts_with("user-"), "{user:?}");
    assert_eq!((user.organisation.as_str(), user.user_name.as_str()), ("default", "zoe"));
    assert!(user.has_password);
    let age = now() - u64::try_from(user.created_at.unwrap().seconds).unwrap();
    assert!(age < 60, "{age}");

    let mut users = world.users.clone();
    let get = |organisation: &str| GetUserRequest {
        organisation: organisation.to_owned(),
        user_id: user.user_id.clone(),
    };
    let read = users.get_user(get("default")).await.unwrap().into_inner().user.unwrap();
    assert_eq!(read, user);
    let elsewhere = users.get_user(get("other")).await.unwrap_err();
    assert_eq!(elsewhere.code(), Code::NotFound);

    let delete = DeleteUserRequest { organisation: String::new(), user_id: user.user_id.clone() };
    users.delete_user(delete.clone()).await.unwrap();
    assert_eq!(users.delete_user(delete).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(users.get_user(get("")).await.unwrap_err().code(), Code::NotFound);
}

async fn pages_hold_every_account_once_by_name(database: ScratchDatabase) {
    let world = World::start(&database).await;
    for name in ["eve", "adam", "carol", "dave", "bob"] {
        world.create_user(name).await;
    }
    let (mut names, mut sizes, mut token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = list(&world, 2, &token).await;
        sizes.push(page.users.len());
        names.extend(page.users.into_iter().map(|user| user.user_name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["adam", "bob", "carol", "dave", "eve"]);
    assert_eq!(sizes, [2, 2, 1]);
    let whole = list(&world, 5, "").await;
    assert_eq!((whole.users.len(), whole.next_page_token.as_str()), (5, ""));
}

async fn a_taken_name_is_refused(database: ScratchDatabase) {
    let world = World::start(&database).await;
    world.create_user("zoe").await;
    let request = CreateUserRequest {
        organisation: "default".to_owned(),
        user_name: "zoe".to_owned(),
        display_name: "Another".to_owned(),
        password: PASSWORD.to_owned(),
    };
    let status = world.users.clone().create_user(request).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::AlreadyExists, "the user name is taken"));
}

on_both_databases!(
    a_created_account_can_be_read_and_deleted_once,
    pages_hold_every_account_once_by_name,
    a_taken_name_is_refused,
);

#[tokio::test]
async fn malformed_requests_are_refused_with_the_field_that_is_wrong() {
    let world = World::start(&scratch::sqlite()).await;
    let good = CreateUserRequest {
        organisation: String::new(),
        user_name: "zoe".to_owned(),
        display_name: "Zoë".to_owned(),
        password: PASSWORD.to_owned(),
    };
    let mut cases = vec![
        ("organisation", CreateUserRequest { organisation: "a.b".into(), ..good.clone() }),
        ("user_name", CreateUserRequest { user_name: "Zoe".into(), ..good.clone() }),
        ("user_name", CreateUserRequest { user_name: String::new(), ..good.clone() }),
        ("user_name", CreateUserRequest { user_name: "x".repeat(65), ..good.clone() }),
        ("display_name", CreateUserRequest { display_name: "a\nb".into(), ..good.clone() }),
        ("display_name", CreateUserRequest { display_name: "x".repeat(65), ..good.clone() }),
        ("password", CreateUserRequest { password: "short".into(), ..good.clone() }),
        ("password", CreateUserRequest { password: "x".repeat(1025), ..good.clone() }),
    ];
    for (field, request) in cases.drain(..) {
        let status = world.users.clone().create_user(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{field}");
        let details = status.get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, field);
        assert!(!status.message().contains("short"), "{status:?}");
    }
    assert!(list(&world, 0, "").await.users.is_empty());
    for (page_size, page_token) in [(-1, ""), (0, "!"), (0, "JyBvciAx")] {
        let request = ListUsersRequest {
            organisation: String::new(),
            page_size,
            page_token: page_token.to_owned(),
        };
        let status = world.users.clone().list_users(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{page_size} {page_token}");
    }
}

#[tokio::test]
async fn the_service_token_does_not_open_the_admin_api() {
    let world = World::start(&scratch::sqlite()).await;
    let token = Secret::new(DEVELOPMENT_SERVICE_TOKEN);
    let channel = ServiceChannel::lazy("credential", &world.address, &token).unwrap();
    let request = ListUsersRequest::default();
    let status = UserServiceClient::new(channel).list_users(request).await.unwrap_err();
    assert!(matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied), "{status:?}");
}

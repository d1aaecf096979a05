//! Looking for people of the same organisation.

use tonic::{Code, Status};
use tributary_contracts::{
    admin::v1::CreateUserRequest,
    credential::v1::{FindUsersRequest, Identity},
};
use tributary_credential_server::{Config, Limits};
use tributary_database::scratch::{self, ScratchDatabase};

use crate::{
    on_both_databases,
    world::{PASSWORD, World},
};

async fn find(world: &World, who: &Identity, beginning: &str) -> Result<Vec<String>, Status> {
    let request = FindUsersRequest {
        identity_token: who.identity_token.clone(),
        beginning: beginning.to_owned(),
        user_ids: Vec::new(),
    };
    let found = world.credential.clone().find_users(request).await?.into_inner().users;
    Ok(found.into_iter().map(|user| user.user_name).collect())
}

async fn people_are_named_by_their_ids(database: ScratchDatabase) {
    let world = World::start(&database).await;
    world.create_named("zoe", "Zoë").await;
    world.create_named("adam", "Adam").await;
    let zoe = world.log_in("zoe", PASSWORD).await.unwrap();
    let adam = world.log_in("adam", PASSWORD).await.unwrap();
    let ask = async |user_ids: Vec<String>, beginning: &str| {
        let identity_token = zoe.identity_token.clone();
        let request =
            FindUsersRequest { identity_token, beginning: beginning.to_owned(), user_ids };
        world.credential.clone().find_users(request).await.map(|found| found.into_inner().users)
    };
    let ids = vec![zoe.user_id.clone(), "user-nobody".to_owned(), adam.user_id.clone()];
    let found = ask(ids, "").await.unwrap();
    let names: Vec<_> = found.iter().map(|user| user.display_name.as_str()).collect();
    assert_eq!(names, ["Adam", "Zoë"]);
    assert_eq!(found[1].user_id, zoe.user_id);
    for (ids, beginning) in [
        (vec![zoe.user_id.clone()], "z"),
        (vec!["no id".to_owned()], ""),
        (vec![zoe.user_id.clone(); 501], ""),
    ] {
        assert_eq!(ask(ids, beginning).await.unwrap_err().code(), Code::InvalidArgument);
    }
}

async fn people_are_found_by_the_beginning_of_either_name(database: ScratchDatabase) {
    let world = World::start(&database).await;
    for (user_name, display_name) in [
        ("zoe", "Ängström Zoë"),
        ("adam", "Adam 100% Sure"),
        ("ada_l", "Countess"),
        ("adaxl", "Somebody"),
        ("bob", "ADA-Fan"),
    ] {
        world.create_named(user_name, display_name).await;
    }
    let elsewhere = CreateUserRequest {
        organisation: "acme".to_owned(),
        user_name: "ada".to_owned(),
        display_name: "Ada".to_owned(),
        password: PASSWORD.to_owned(),
    };
    world.users.clone().create_user(elsewhere).await.unwrap();
    let zoe = world.log_in("zoe", PASSWORD).await.unwrap();
    for (beginning, expected) in [
        ("ada", &["ada_l", "adam", "adaxl", "bob"][..]),
        (" ADA", &["ada_l", "adam", "adaxl", "bob"]),
        ("ada_", &["ada_l"]),
        ("äNG", &["zoe"]),
        ("adam 100%", &["adam"]),
        ("%", &[]),
        ("_", &[]),
        ("\\", &[]),
        ("ada'; --", &[]),
        ("dam", &[]),
    ] {
        assert_eq!(find(&world, &zoe, beginning).await.unwrap(), expected, "{beginning:?}");
    }
    let guest = world.guest("Adam").await;
    assert!(find(&world, &guest, "ada").await.unwrap().is_empty());
}

on_both_databases!(people_are_named_by_their_ids, people_are_found_by_the_beginning_of_either_name,);

#[tokio::test]
async fn not_everybody_is_listed_and_not_for_everybody() {
    let limits = Limits { searches_per_minute: 3, ..Limits::default() };
    let config = Config { limits, ..Config::default() };
    let world = World::start_with(&scratch::sqlite(), config).await;
    for number in 10..32 {
        world.create_user(&format!("user{number}")).await;
    }
    let who = world.log_in("user10", PASSWORD).await.unwrap();
    let found = find(&world, &who, "user").await.unwrap();
    assert_eq!((found.len(), found[0].as_str(), found[19].as_str()), (20, "user10", "user29"));
    for beginning in ["", " ", "a\0", &"x".repeat(65)] {
        let status = find(&world, &who, beginning).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{beginning:?}");
    }
    let nobody = Identity { identity_token: "x".to_owned(), ..who.clone() };
    assert_eq!(find(&world, &nobody, "u").await.unwrap_err().code(), Code::Unauthenticated);
    find(&world, &who, "u").await.unwrap();
    find(&world, &who, "u").await.unwrap();
    assert_eq!(find(&world, &who, "u").await.unwrap_err().code(), Code::ResourceExhausted);
}

//! Where terminals come from, as the other services hear it.

use tributary_relay_gateway_server::Config;
use tributary_terminal::Account;

use crate::world::{World, meeting};

async fn seen_from(config: Config) -> (String, String, String) {
    let world = World::start_with(config).await;
    let account = Account::connect_from(&world.url, "192.0.2.66, 203.0.113.7").await.unwrap();
    account.enter_as_guest("eve").await.unwrap();
    account.read(meeting(1)).await.unwrap_err();
    account.attachment(meeting(1), "file").await.unwrap_err();
    let arrival = world.credential.arrivals.lock().unwrap()[0].1.clone();
    let decisions = world.access.decisions.lock().unwrap().clone();
    (arrival, decisions[0].client_address.clone(), decisions[1].client_address.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_says_who_it_speaks_for() {
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let address = "203.0.113.7".to_owned();
    assert_eq!(
        seen_from(Config { trusted_proxies, ..Config::default() }).await,
        (address.clone(), address.clone(), address)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_believed() {
    let address = "127.0.0.1".to_owned();
    assert_eq!(seen_from(Config::default()).await, (address.clone(), address.clone(), address));
}

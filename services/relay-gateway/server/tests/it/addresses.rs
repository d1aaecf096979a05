//! Where terminals come from, as the other services hear it.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use tributary_contracts::relay::v1::{OpenLink, attach_request::Body as Up};
use tributary_relay_gateway_server::Config;
use tributary_terminal::Account;

use crate::{
    neighbour::Neighbour,
    office::{Office, Uplink},
    world::{World, meeting},
};

/// Where everybody is who comes by another relay.
pub fn unique_local() -> IpNet {
    "fd00::/8".parse().unwrap()
}

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

/// Somebody enters whom their relay says to be there; where the services take them to be.
async fn counted(world: &World, uplink: &mut Uplink, link_id: u32, said: &str) -> Ipv6Addr {
    let (client_address, path) = (said.to_owned(), vec![uplink.hop()]);
    uplink.say(Up::OpenLink(OpenLink { link_id, client_address, path, own: false }));
    Neighbour::enter_by(uplink, link_id, "eve").await;
    let address = world.credential.arrivals.lock().unwrap().last().unwrap().1.parse().unwrap();
    assert!(unique_local().contains(&IpAddr::V6(address)), "{said} counts as {address}");
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_uses_up_its_own_budgets_only_whatever_it_says() {
    let world = World::start().await;
    let (one, other) = (Office::known(&world, "one"), Office::known(&world, "other"));
    let (mut one, mut other) = (one.attach().await, other.attach().await);
    let network = |address: Ipv6Addr| address.to_bits() >> 64;
    let desk = counted(&world, &mut one, 1, "192.168.1.10").await;
    // The same room number in another building.
    let far = counted(&world, &mut other, 1, "192.168.1.10").await;
    assert_ne!(network(desk), network(far));
    let mut link = 1;
    // What it makes up: a stranger's address, and that by which the other's people are known.
    for said in ["203.0.113.7", "2001:db8::1", &far.to_string()] {
        link += 1;
        let made_up = counted(&world, &mut one, link, said).await;
        assert_eq!(network(made_up), network(desk), "{said}");
        assert_ne!(made_up, desk);
    }
    assert_eq!(counted(&world, &mut one, link + 1, "::ffff:192.168.1.10").await, desk);
}

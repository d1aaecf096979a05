//! Relays that attach to others: enrolled by one token, known by their key, revoked.

use tonic::{Code, Status};
use tributary_contracts::{
    admin::v1::{CreateRelayEnrolmentRequest, Relay, RevokeRelayRequest, UpdateRelayRequest},
    credential::v1::{
        EnrolRelayRequest, GetRelayRequest, RelayIdentity, RotateRelayKeyRequest,
        VerifyRelayProofRequest,
    },
    relay::v1::{EnrolRequest, Hello, RotateKeyRequest},
};
use tributary_credential_core::{RelayPublicKey, RelaySetup};
use tributary_credential_server::{Enrolled, NewRelayToken};
use tributary_database::scratch::{self, ScratchDatabase};
use tributary_join_credential::RelayKey;

use crate::{
    on_both_databases,
    store::{connection, store},
    world::{Setting, World, manual_clock, shape},
};

/// What a core relay has made for this one time, and looked at.
pub const CHALLENGE: [u8; 32] = [3; 32];
const DAY: u64 = 24 * 3600;

/// A relay with its key.
pub struct Office {
    pub id: String,
    pub key: RelayKey,
}

impl Office {
    /// A token for the relay of that name.
    pub async fn token(world: &World, id: &str) -> String {
        let answer = world.relays_admin.clone().create_relay_enrolment(enrolment(id)).await;
        answer.unwrap().into_inner().token
    }

    pub async fn enrolled(world: &World, id: &str) -> Self {
        let token = Self::token(world, id).await;
        Self::enrol(world, id, &token).await.unwrap()
    }

    /// Enrols with a new key.
    pub async fn enrol(world: &World, id: &str, token: &str) -> Result<Self, Status> {
        let key = RelayKey::generate().unwrap();
        world.relays.clone().enrol_relay(enrol(&key, token)).await?;
        Ok(Self { id: id.to_owned(), key })
    }

    pub fn hello(&self) -> Hello {
        let relay_id = self.id.parse().unwrap();
        Hello {
            relay_id: self.id.clone(),
            challenge: CHALLENGE.to_vec(),
            proof: self.key.sign_attach(&CHALLENGE, &relay_id).unwrap(),
            ..Hello::default()
        }
    }

    pub async fn attach(&self, world: &World) -> Result<RelayIdentity, Status> {
        say(world, self.hello()).await
    }

    fn rotation(&self, next: &RelayKey) -> RotateKeyRequest {
        let public_key = next.public_key();
        RotateKeyRequest {
            relay_id: self.id.clone(),
            public_key: public_key.to_vec(),
            challenge: CHALLENGE.to_vec(),
            proof: self.key.sign_rotation(&CHALLENGE, &public_key).unwrap(),
            next_proof: next.sign_rotation(&CHALLENGE, &public_key).unwrap(),
        }
    }

    pub async fn revoke(world: &World, id: &str) -> Result<(), Status> {
        let request = RevokeRelayRequest { organisation: String::new(), relay_id: id.to_owned() };
        world.relays_admin.clone().revoke_relay(request).await.map(drop)
    }
}

/// How a relay is set up.
pub fn setup(id: &str) -> Relay {
    Relay {
        relay_id: id.to_owned(),
        name: format!("The {id}"),
        uplink_limit_kbit: 2000,
        voices_max: 4,
        prefixes: vec!["203.0.113.0/24".to_owned()],
        ..Relay::default()
    }
}

pub fn enrolment(id: &str) -> CreateRelayEnrolmentRequest {
    CreateRelayEnrolmentRequest { relay: Some(setup(id)), valid_for: None }
}

pub fn update(id: &str, name: &str) -> UpdateRelayRequest {
    UpdateRelayRequest {
        relay_id: id.to_owned(),
        name: Some(name.to_owned()),
        ..UpdateRelayRequest::default()
    }
}

fn enrol(key: &RelayKey, token: &str) -> EnrolRelayRequest {
    let enrolment = EnrolRequest {
        token: token.to_owned(),
        public_key: key.public_key().to_vec(),
        challenge: CHALLENGE.to_vec(),
        proof: key.sign_enrolment(&CHALLENGE, token).unwrap(),
    };
    EnrolRelayRequest { enrolment: Some(enrolment) }
}

async fn say(world: &World, hello: Hello) -> Result<RelayIdentity, Status> {
    let request = VerifyRelayProofRequest { organisation: String::new(), hello: Some(hello) };
    let answer = world.relays.clone().verify_relay_proof(request).await?;
    Ok(answer.into_inner().relay.unwrap())
}

async fn rotate(world: &World, rotation: RotateKeyRequest) -> Result<(), Status> {
    let request = RotateRelayKeyRequest { organisation: String::new(), rotation: Some(rotation) };
    world.relays.clone().rotate_relay_key(request).await.map(drop)
}

pub async fn get(world: &World, id: &str) -> Result<RelayIdentity, Status> {
    let request = GetRelayRequest { organisation: String::new(), relay_id: id.to_owned() };
    let answer = world.relays.clone().get_relay(request).await?;
    Ok(answer.into_inner().relay.unwrap())
}

/// Refused as every relay is that is not what it says.
fn not_admitted<T: std::fmt::Debug>(outcome: Result<T, Status>) -> (Code, String, Vec<u8>) {
    let shape = shape(&outcome.unwrap_err());
    assert_eq!(shape.0, Code::Unauthenticated, "{shape:?}");
    shape
}

async fn a_relay_is_enrolled_once_and_known_by_its_key(database: ScratchDatabase) {
    let (clock, hands) = manual_clock();
    let world = World::start_as(&database, Setting { clock, ..Setting::default() }).await;
    let created = world.relays_admin.clone().create_relay_enrolment(enrolment("office-a")).await;
    let created = created.unwrap().into_inner();
    assert_eq!(created.expires_at.unwrap().seconds as u64, hands.seconds() + DAY);
    let listed = created.relay.unwrap();
    assert_eq!((listed.organisation.as_str(), listed.name.as_str()), ("default", "The office-a"));
    assert_eq!((listed.enrolled_at, listed.key_since, listed.attached_at), (None, None, None));
    assert_eq!(get(&world, "office-a").await.unwrap_err().code(), Code::NotFound, "not enrolled");

    let key = RelayKey::generate().unwrap();
    let enrolled = world.relays.clone().enrol_relay(enrol(&key, &created.token)).await.unwrap();
    let identity = enrolled.into_inner().relay.unwrap();
    let settings = identity.settings.as_ref().unwrap();
    assert_eq!(
        (settings.relay_id.as_str(), settings.relay_name.as_str()),
        ("office-a", "The office-a")
    );
    assert_eq!((settings.uplink_limit_kbit, settings.voices_max, settings.room), (2000, 4, false));
    assert_eq!(settings.organisation, "default");
    assert_eq!(identity.prefixes, ["203.0.113.0/24"]);
    assert_eq!(identity.key_since.unwrap().seconds as u64, hands.seconds());
    let office = Office { id: "office-a".to_owned(), key };
    assert_eq!(office.attach(&world).await.unwrap(), identity);
    assert_eq!(get(&world, "office-a").await.unwrap(), identity);

    // The token is used up: for the same relay, and for who has copied it.
    let shape = not_admitted(Office::enrol(&world, "office-a", &created.token).await.map(drop));
    let never = created.token.replace("tributary-relay-", "tributary-relay_");
    assert_eq!(not_admitted(Office::enrol(&world, "office-a", &never).await.map(drop)), shape);
    assert_eq!(office.attach(&world).await.unwrap(), identity, "it is who it was");
}

async fn a_token_is_good_for_its_time_and_until_there_is_another(database: ScratchDatabase) {
    let (clock, hands) = manual_clock();
    let world = World::start_as(&database, Setting { clock, ..Setting::default() }).await;
    let first = Office::token(&world, "office-a").await;
    let second = Office::token(&world, "office-a").await;
    assert_ne!(first, second);
    let shape = not_admitted(Office::enrol(&world, "office-a", &first).await.map(drop));
    hands.forward(DAY - 1);
    let office = Office::enrol(&world, "office-a", &second).await.unwrap();

    let short = CreateRelayEnrolmentRequest {
        valid_for: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
        ..enrolment("office-b")
    };
    let created = world.relays_admin.clone().create_relay_enrolment(short).await.unwrap();
    let short = created.into_inner().token;
    hands.forward(60);
    assert_eq!(not_admitted(Office::enrol(&world, "office-b", &short).await.map(drop)), shape);
    assert_eq!(get(&world, "office-b").await.unwrap_err().code(), Code::NotFound);
    assert!(office.attach(&world).await.is_ok());
}

async fn a_token_is_not_used_up_by_who_can_not_sign(database: ScratchDatabase) {
    let world = World::start(&database).await;
    let token = Office::token(&world, "office-a").await;
    let (key, thief) = (RelayKey::generate().unwrap(), RelayKey::generate().unwrap());
    let change = |how: fn(&mut EnrolRequest, &RelayKey)| {
        let mut request = enrol(&key, &token);
        how(request.enrolment.as_mut().unwrap(), &thief);
        request
    };
    let bad = [
        // Another key with the proof of the first.
        change(|enrolment, thief| enrolment.public_key = thief.public_key().to_vec()),
        change(|enrolment, _| enrolment.challenge = vec![4; 32]),
        change(|enrolment, _| enrolment.challenge.truncate(31)),
        change(|enrolment, _| enrolment.proof[5] ^= 1),
        change(|enrolment, _| enrolment.proof.clear()),
        change(|enrolment, _| enrolment.public_key[64] ^= 1),
        change(|enrolment, _| enrolment.public_key.truncate(33)),
        change(|enrolment, _| enrolment.token.push('A')),
        change(|enrolment, _| enrolment.token = "x".repeat(100_000)),
    ];
    let mut shapes = std::collections::BTreeSet::new();
    for request in bad {
        let refused = world.relays.clone().enrol_relay(request).await;
        let (_, message, details) = not_admitted(refused.map(drop));
        shapes.insert((message, details));
    }
    assert_eq!(shapes.len(), 1, "{shapes:?}");
    assert!(Office::enrol(&world, "office-a", &token).await.is_ok(), "it is good still");
}

async fn who_is_not_admitted_is_told_the_same(database: ScratchDatabase) {
    let world = World::start(&database).await;
    let office = Office::enrolled(&world, "office-a").await;
    let revoked = Office::enrolled(&world, "revoked").await;
    Office::revoke(&world, "revoked").await.unwrap();
    let _token = Office::token(&world, "unenrolled").await;
    let mut replayed = office.hello();
    replayed.challenge = vec![8; 32];
    let mut other = office.hello();
    other.relay_id = "office-b".to_owned();
    let mut malformed = office.hello();
    malformed.relay_id = "a b".to_owned();
    let stranger = |id: &str| Office { id: id.to_owned(), key: RelayKey::generate().unwrap() };
    let shape = not_admitted(revoked.attach(&world).await);
    for hello in [
        replayed,
        other,
        malformed,
        stranger("office-a").hello(),
        stranger("unenrolled").hello(),
        stranger("nobody").hello(),
        Hello::default(),
    ] {
        assert_eq!(not_admitted(say(&world, hello.clone()).await), shape, "{hello:?}");
    }
    let next = RelayKey::generate().unwrap();
    for rotation in [
        revoked.rotation(&next),
        stranger("office-a").rotation(&next),
        stranger("nobody").rotation(&next),
        RotateKeyRequest::default(),
    ] {
        assert_eq!(not_admitted(rotate(&world, rotation).await), shape);
    }
    // In another organisation it is nobody.
    let request =
        VerifyRelayProofRequest { organisation: "acme".to_owned(), hello: Some(office.hello()) };
    let elsewhere = world.relays.clone().verify_relay_proof(request).await;
    assert_eq!(not_admitted(elsewhere.map(drop)), shape);
    assert!(office.attach(&world).await.is_ok());
    let empty = VerifyRelayProofRequest::default();
    let mistake = world.relays.clone().verify_relay_proof(empty).await.unwrap_err();
    assert_eq!(mistake.code(), Code::InvalidArgument, "a mistake of the core relay");
}

async fn a_revoked_relay_comes_back_by_a_new_enrolment_only(database: ScratchDatabase) {
    let world = World::start(&database).await;
    let office = Office::enrolled(&world, "office-a").await;
    let unused = Office::token(&world, "office-a").await;
    assert!(office.attach(&world).await.is_ok(), "an unused token changes nothing");
    Office::revoke(&world, "office-a").await.unwrap();
    Office::revoke(&world, "office-a").await.unwrap();
    not_admitted(office.attach(&world).await);
    assert_eq!(get(&world, "office-a").await.unwrap_err().code(), Code::NotFound);
    not_admitted(Office::enrol(&world, "office-a", &unused).await.map(drop));
    let token = Office::token(&world, "office-a").await;
    not_admitted(office.attach(&world).await);
    let again = Office::enrol(&world, "office-a", &token).await.unwrap();
    assert!(again.attach(&world).await.is_ok());
    not_admitted(office.attach(&world).await);
    let unknown = Office::revoke(&world, "nobody").await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

async fn a_rotated_key_is_the_only_one(database: ScratchDatabase) {
    let (clock, hands) = manual_clock();
    let world = World::start_as(&database, Setting { clock, ..Setting::default() }).await;
    let office = Office::enrolled(&world, "office-a").await;
    let next = RelayKey::generate().unwrap();
    let mut half = office.rotation(&next);
    half.next_proof = half.proof.clone();
    not_admitted(rotate(&world, half).await);
    not_admitted(rotate(&world, office.rotation(&office.key)).await);
    let rotation = office.rotation(&next);
    hands.forward(100);
    rotate(&world, rotation.clone()).await.unwrap();
    not_admitted(office.attach(&world).await);
    not_admitted(rotate(&world, rotation).await);
    let office = Office { key: next, ..office };
    let identity = office.attach(&world).await.unwrap();
    assert_eq!(identity.key_since.unwrap().seconds as u64, hands.seconds());
    let third = RelayKey::generate().unwrap();
    rotate(&world, office.rotation(&third)).await.unwrap();
    assert!(Office { key: third, ..office }.attach(&world).await.is_ok());
}

async fn who_has_not_heard_the_answer_asks_again_with_the_same_key(database: ScratchDatabase) {
    let (clock, hands) = manual_clock();
    let world = World::start_as(&database, Setting { clock, ..Setting::default() }).await;
    let token = Office::token(&world, "office-a").await;
    let (key, thief) = (RelayKey::generate().unwrap(), RelayKey::generate().unwrap());
    let ask = async |key: &RelayKey| {
        let answer = world.relays.clone().enrol_relay(enrol(key, &token)).await?;
        Ok(answer.into_inner().relay.unwrap())
    };
    let first = ask(&key).await.unwrap();
    hands.forward(599);
    assert_eq!(ask(&key).await.unwrap(), first, "nothing has changed, the time neither");
    not_admitted(ask(&thief).await);
    hands.forward(1);
    not_admitted(ask(&key).await);

    // Nor does it undo what has happened since.
    for revoked in [true, false] {
        let token = Office::token(&world, "office-a").await;
        let office = Office::enrol(&world, "office-a", &token).await.unwrap();
        if revoked {
            Office::revoke(&world, "office-a").await.unwrap();
        } else {
            let next = RelayKey::generate().unwrap();
            rotate(&world, office.rotation(&next)).await.unwrap();
        }
        let again = world.relays.clone().enrol_relay(enrol(&office.key, &token)).await;
        not_admitted(again.map(drop));
        not_admitted(office.attach(&world).await);
    }
}

async fn of_many_who_come_with_one_token_at_once_one_is_enrolled(database: ScratchDatabase) {
    let store = store(&database).await;
    let (organisation, relay) = ("acme".parse().unwrap(), "office-a".parse().unwrap());
    let setup = RelaySetup::read("Office A", false, 0, 0, &[]).unwrap();
    let token = NewRelayToken { hash: "hash".to_owned(), expires_at: 1000 };
    store.set_up_relay(&organisation, &relay, &setup, &token).await.unwrap();
    let tries: Vec<_> = (0..8_u8)
        .map(|number| {
            let store = store.clone();
            let key = RelayPublicKey::try_from([number; 65].as_slice()).unwrap();
            tokio::spawn(async move { (key, store.enrol_relay("hash", &key, 999).await.unwrap()) })
        })
        .collect();
    let mut enrolled = Vec::new();
    for one in tries {
        if let (key, Enrolled::Relay(record)) = one.await.unwrap() {
            assert_eq!(record.public_key, Some(key));
            enrolled.push(key);
        }
    }
    assert_eq!(enrolled.len(), 1);
    let kept = store.relay(&organisation, &relay).await.unwrap().unwrap();
    assert_eq!(kept.public_key, Some(enrolled[0]), "who was refused has left nothing behind");
}

async fn a_relay_that_is_revoked_while_it_is_enrolled_is_revoked(database: ScratchDatabase) {
    let store = store(&database).await;
    let organisation = "acme".parse().unwrap();
    let setup = RelaySetup::read("Office", true, 0, 0, &[]).unwrap();
    for number in 0..20 {
        let relay = format!("office-{number}").parse().unwrap();
        let hash = format!("hash-{number}");
        let token = NewRelayToken { hash: hash.clone(), expires_at: 1000 };
        store.set_up_relay(&organisation, &relay, &setup, &token).await.unwrap();
        let key = RelayPublicKey::try_from([7; 65].as_slice()).unwrap();
        let (enrolled, revoked) = tokio::join!(
            store.enrol_relay(&hash, &key, 999),
            store.revoke_relay(&organisation, &relay, 999),
        );
        assert!(revoked.unwrap());
        let kept = store.relay(&organisation, &relay).await.unwrap().unwrap();
        // Whichever was first: the revocation takes the token with it.
        assert_eq!(kept.relay.revoked_at, Some(999));
        let enrolled = matches!(enrolled.unwrap(), Enrolled::Relay(_));
        assert_eq!(enrolled, kept.public_key.is_some());
    }
}

async fn tokens_are_kept_as_hashes_and_not_for_ever(database: ScratchDatabase) {
    use sea_orm::{ConnectionTrait as _, Statement};
    let world = World::start(&database).await;
    let token = Office::token(&world, "office-a").await;
    let connection = connection(&database).await;
    let query = "SELECT token_hash FROM credential_relay_token";
    let query = Statement::from_string(connection.get_database_backend(), query);
    let rows = connection.query_all_raw(query).await.unwrap();
    let kept: String = rows[0].try_get("", "token_hash").unwrap();
    assert_eq!((rows.len(), kept.len()), (1, 43));
    assert!(!kept.contains(token.trim_start_matches("tributary-relay-")));
    let store = store(&database).await;
    assert_eq!(store.forget_relay_tokens(crate::world::now()).await.unwrap(), 0);
    assert_eq!(store.forget_relay_tokens(crate::world::now() + 2 * DAY).await.unwrap(), 1);
    not_admitted(Office::enrol(&world, "office-a", &token).await.map(drop));
}

on_both_databases!(
    a_relay_is_enrolled_once_and_known_by_its_key,
    a_token_is_good_for_its_time_and_until_there_is_another,
    a_token_is_not_used_up_by_who_can_not_sign,
    who_is_not_admitted_is_told_the_same,
    a_revoked_relay_comes_back_by_a_new_enrolment_only,
    a_rotated_key_is_the_only_one,
    who_has_not_heard_the_answer_asks_again_with_the_same_key,
    of_many_who_come_with_one_token_at_once_one_is_enrolled,
    a_relay_that_is_revoked_while_it_is_enrolled_is_revoked,
    tokens_are_kept_as_hashes_and_not_for_ever,
);

#[tokio::test]
async fn wrong_tokens_are_limited_and_keep_nobody_out() {
    let world = World::start(&scratch::sqlite()).await;
    let token = Office::token(&world, "office-a").await;
    let key = RelayKey::generate().unwrap();
    let wrong = format!("tributary-relay-{}", "A".repeat(32));
    let mut refused = Vec::new();
    for _ in 0..610 {
        let answer = world.relays.clone().enrol_relay(enrol(&key, &wrong)).await;
        refused.push(answer.unwrap_err().code());
    }
    assert!(refused[..600].iter().all(|code| *code == Code::Unauthenticated));
    assert!(refused[600..].iter().all(|code| *code == Code::ResourceExhausted));
    assert!(Office::enrol(&world, "office-a", &token).await.is_ok());
}

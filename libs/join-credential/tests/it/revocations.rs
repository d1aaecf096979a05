//! What was revoked does not hold, and nothing else is touched.

use proptest::prelude::*;
use tributary_join_credential::{
    JoinError, KeySet, Provenance, REVOKED_OTHERS_MAX, REVOKED_TOKENS_MAX, RefreshError,
    Revocation, RevocationList, Revoked, SigningKey, TerminalKey, TokenId, Verifier, VerifyError,
};

use crate::{NOW, identity, join};

struct World {
    verifier: Verifier,
    terminal: TerminalKey,
    token: String,
    credential: String,
}

fn world() -> World {
    let key = SigningKey::generate().unwrap();
    let terminal = TerminalKey::generate().unwrap();
    let mut claims = identity();
    claims.key_thumbprint = terminal.thumbprint().clone();
    let token = key.issue_identity(&claims).unwrap();
    let credential = key.issue_join(&join(terminal.thumbprint().as_str())).unwrap();
    let verifier = Verifier { keys: KeySet::of([&key]), ..Verifier::default() };
    World { verifier, terminal, token, credential }
}

fn revocation(number: u64, what: Revoked) -> Revocation {
    Revocation { number, what, at: NOW, forget_at: NOW + 1000 }
}

fn token_id(number: u128) -> TokenId {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(number.to_be_bytes()).parse().unwrap()
}

impl World {
    fn identity(&self) -> Provenance {
        self.verifier.keys.verify_identity(&self.token, NOW).unwrap().provenance()
    }

    /// Whether identity token and join credential hold, after one more revocation.
    fn hold_after(&self, what: Revoked) -> (bool, bool) {
        let mut verifier = self.verifier.clone();
        verifier.revocations.insert(revocation(1, what));
        let identity = verifier.verify_identity(&self.token, NOW);
        let credential = verifier.verify_join(&self.credential, NOW);
        for refused in [identity.as_ref().err(), credential.as_ref().err()].into_iter().flatten() {
            assert_eq!(*refused, VerifyError::Revoked);
        }
        (identity.is_ok(), credential.is_ok())
    }
}

#[test]
fn each_kind_of_revocation_concerns_what_it_names() {
    let world = world();
    let Provenance { organisation, user_id, key_thumbprint, token_id: id, key_id, .. } =
        world.identity();
    assert_eq!(world.hold_after(Revoked::Token(id)), (false, true));
    let user = Revoked::User(organisation.clone(), user_id.clone());
    assert_eq!(world.hold_after(user), (false, false));
    assert_eq!(world.hold_after(Revoked::Key(key_id)), (false, false));
    assert_eq!(world.hold_after(Revoked::Terminal(key_thumbprint)), (false, false));

    let other_key = SigningKey::generate().unwrap().key_id().clone();
    for untouched in [
        Revoked::Token(token_id(7)),
        Revoked::User(organisation, "u-2".parse().unwrap()),
        Revoked::User("acme".parse().unwrap(), user_id),
        Revoked::Key(other_key),
        Revoked::Terminal("other".parse().unwrap()),
    ] {
        assert_eq!(world.hold_after(untouched.clone()), (true, true), "{untouched:?}");
    }
}

#[test]
fn what_a_user_gets_after_the_revocation_holds() {
    let Provenance { organisation, user_id, .. } = world().identity();
    let mut list = RevocationList::default();
    assert_eq!(list.user_revoked_until(&organisation, &user_id), None);
    list.insert(revocation(1, Revoked::User(organisation.clone(), user_id.clone())));
    let issued = |issued_at| list.concerns(&Provenance { issued_at, ..world().identity() });
    assert_eq!([issued(NOW - 1), issued(NOW), issued(NOW + 1)], [true, true, false]);
    assert_eq!(list.user_revoked_until(&organisation, &user_id), Some(NOW));
}

#[test]
fn everything_that_verifies_looks_at_revocations() {
    let World { mut verifier, terminal, token, credential } = world();
    verifier.revocations.insert(revocation(1, Revoked::Terminal(terminal.thumbprint().clone())));
    let nonce = [7; 32];
    let (key, now) = (terminal.public_key(), NOW);
    let proof = terminal.sign_join_proof(&nonce, &credential).unwrap();
    let joining = verifier.verify_joining(&credential, &key, &nonce, &proof, now);
    assert_eq!(joining.unwrap_err(), JoinError::Credential(VerifyError::Revoked));
    let proof = terminal.sign_refresh_proof(now, &token).unwrap();
    let refreshing = verifier.verify_refresh(&token, &key, now, &proof, now);
    assert_eq!(refreshing.unwrap_err(), RefreshError::Token(VerifyError::Revoked));
    let previous = verifier.verify_previous_join(&credential, now + 4000);
    assert_eq!(previous.unwrap_err(), VerifyError::Revoked);
    assert!(verifier.revocations.is_terminal_revoked(terminal.thumbprint()));
}

#[test]
fn what_has_been_heard_beyond_a_gap_does_not_hide_the_gap() {
    let mut list = RevocationList::default();
    let numbered = |number| revocation(number, Revoked::Token(token_id(number.into())));
    list.insert(numbered(1));
    list.insert(numbered(3));
    assert_eq!(list.last_number(), 1);
    list.insert_listed([numbered(2), numbered(3)]);
    assert_eq!(list.last_number(), 3);
    list.insert(numbered(2));
    assert_eq!((list.last_number(), list.len()), (3, 3));
    // What was forgotten before leaves gaps in what is listed.
    list.insert_listed([numbered(40), numbered(70)]);
    assert_eq!(list.last_number(), 70);
}

#[test]
fn what_can_concern_nothing_any_more_is_forgotten() {
    let world = world();
    let Provenance { organisation, user_id, key_thumbprint, token_id, key_id, .. } =
        world.identity();
    let mut list = RevocationList::default();
    let all = [
        Revoked::Token(token_id),
        Revoked::User(organisation, user_id),
        Revoked::Key(key_id.clone()),
        Revoked::Terminal(key_thumbprint),
    ];
    list.insert_listed(all.into_iter().zip(1..).map(|(what, number)| revocation(number, what)));
    list.forget(NOW + 999);
    assert_eq!(list.len(), 4);
    // A later end counts.
    list.insert(Revocation { forget_at: NOW + 2000, ..revocation(5, Revoked::Token(token_id)) });
    list.forget(NOW + 1000);
    assert_eq!(list.len(), 1);
    assert!(list.concerns(&world.identity()) && !list.is_key_revoked(&key_id));
    list.forget(NOW + 2000);
    assert!(list.is_empty());
    assert_eq!(list.last_number(), 5);
}

#[test]
fn of_more_log_outs_than_fit_those_that_end_first_are_forgotten() {
    let mut list = RevocationList::default();
    let extra = 10;
    for number in 0..(REVOKED_TOKENS_MAX + extra) as u64 {
        let what = Revoked::Token(token_id(number.into()));
        list.insert(Revocation { number, what, at: NOW, forget_at: NOW + 1 + number });
    }
    assert_eq!(list.len(), REVOKED_TOKENS_MAX);
    let concerned =
        |id| list.concerns(&Provenance { token_id: token_id(id), ..world().identity() });
    assert!(!concerned(extra as u128 - 1));
    assert!(concerned(extra as u128));
}

#[test]
fn should_users_not_fit_everything_older_is_refused() {
    let mut list = RevocationList::default();
    let organisation: tributary_identifiers::OrganisationId = "acme".parse().unwrap();
    for number in 0..REVOKED_OTHERS_MAX {
        let user = Revoked::User(organisation.clone(), format!("x-{number}").parse().unwrap());
        list.insert(revocation(1, user));
    }
    let token = world().identity();
    assert!(!list.concerns(&token));
    list.insert(revocation(2, Revoked::User(organisation.clone(), "y".parse().unwrap())));
    assert!(list.concerns(&token));
    assert!(!list.concerns(&Provenance { issued_at: NOW + 1, ..token.clone() }));
    assert_eq!(list.user_revoked_until(&token.organisation, &token.user_id), Some(NOW));
    list.forget(NOW + 1000);
    assert!(list.is_empty());
}

proptest! {
    #[test]
    fn a_list_says_what_its_revocations_say(
        picks in prop::collection::vec((0..4_u8, 0..4_u8, 0..20_u64), 0..12),
        subject in (0..4_u8, 0..4_u8, 0..20_u64),
    ) {
        let base = world().identity();
        let keys: Vec<_> = (0..4)
            .map(|_| SigningKey::generate().unwrap().key_id().clone())
            .collect();
        let user = |n: u8| format!("u-{n}").parse::<tributary_identifiers::UserId>().unwrap();
        let thumb = |n: u8| format!("t-{n}").parse().unwrap();
        let token = Provenance {
            user_id: user(subject.0),
            key_thumbprint: thumb(subject.1),
            token_id: token_id(subject.0.into()),
            key_id: keys[usize::from(subject.1)].clone(),
            issued_at: NOW + subject.2,
            ..base.clone()
        };
        let revocations: Vec<_> = picks.iter().zip(1..).map(|(&(kind, which, at), number)| {
            let what = match kind {
                0 => Revoked::Token(token_id(which.into())),
                1 => Revoked::User(base.organisation.clone(), user(which)),
                2 => Revoked::Key(keys[usize::from(which)].clone()),
                _ => Revoked::Terminal(thumb(which)),
            };
            Revocation { number, what, at: NOW + at, forget_at: NOW + 100 }
        }).collect();
        let expected = revocations.iter().any(|revocation| revocation.concerns(&token));
        let mut list = RevocationList::default();
        for revocation in revocations.iter().rev() {
            list.insert(revocation.clone());
        }
        prop_assert_eq!(list.concerns(&token), expected);
    }
}

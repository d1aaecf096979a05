//! Relays that attach to others: how they are set up, and how they show who they are.

use ipnet::IpNet;
use tributary_identifiers::{OrganisationId, RelayId};
use tributary_join_credential::{
    PUBLIC_KEY_LENGTH, RelayProofError, verify_relay_attach, verify_relay_rotation,
};
use tributary_shown_text::{InvalidText, RelayName};

/// The most networks of one relay.
pub const PREFIXES_MAX: usize = 64;

/// The least that an uplink can be limited to, in kbit/s: less carries no voice.
pub const UPLINK_LIMIT_MIN_KBIT: u32 = 64;

/// The most that an uplink can be limited to, in kbit/s: 10 Gbit/s.
pub const UPLINK_LIMIT_MAX_KBIT: u32 = 10_000_000;

/// The most voices that a relay can send up.
pub const VOICES_MAX: u32 = 16;

/// How often at most it is written down that a relay has attached, in seconds.
const ATTACH_NOTED_SECONDS: u64 = 60;

/// What stands in for the key of a relay that there is not, so that looking at a proof takes the
/// same time: the generator of P-256 (SEC 2 section 2.4.2). Anybody can sign for it.
const NOBODYS_KEY: RelayPublicKey = RelayPublicKey([
    0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40,
    0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2,
    0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e,
    0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51,
    0xf5,
]);

/// A relay's P-256 public key: an uncompressed point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayPublicKey([u8; PUBLIC_KEY_LENGTH]);

/// The bytes are not of the length of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a relay's key has {PUBLIC_KEY_LENGTH} bytes")]
pub struct InvalidStoredKey;

impl RelayPublicKey {
    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for RelayPublicKey {
    type Error = InvalidStoredKey;

    fn try_from(bytes: &[u8]) -> Result<Self, InvalidStoredKey> {
        bytes.try_into().map(Self).map_err(|_| InvalidStoredKey)
    }
}

/// What an administrator sets for a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelaySetup {
    /// The name people see.
    pub name: RelayName,
    /// True if everybody behind it sits in one room.
    pub room: bool,
    /// What its uplink may carry, in kbit/s each way; 0: no limit.
    pub uplink_limit_kbit: u32,
    /// How many voices it sends up at most; 0: the default.
    pub voices_max: u32,
    /// Networks whose terminals should use it.
    pub prefixes: Vec<IpNet>,
}

/// What is changed of a relay; what is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayChange {
    /// See [`RelaySetup::name`].
    pub name: Option<RelayName>,
    /// See [`RelaySetup::room`].
    pub room: Option<bool>,
    /// See [`RelaySetup::uplink_limit_kbit`].
    pub uplink_limit_kbit: Option<u32>,
    /// See [`RelaySetup::voices_max`].
    pub voices_max: Option<u32>,
    /// See [`RelaySetup::prefixes`].
    pub prefixes: Option<Vec<IpNet>>,
}

/// A relay. Times are in Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// The organisation.
    pub organisation: OrganisationId,
    /// Names it in the organisation.
    pub relay_id: RelayId,
    /// How it is set up.
    pub setup: RelaySetup,
    /// When it was enrolled last.
    pub enrolled_at: Option<u64>,
    /// When its key was enrolled or rotated last.
    pub key_since: Option<u64>,
    /// When it was revoked.
    pub revoked_at: Option<u64>,
    /// When it last attached, to the minute.
    pub attached_at: Option<u64>,
}

/// A relay together with what it shows who it is by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayRecord {
    /// The relay.
    pub relay: Relay,
    /// Its key; none before it is enrolled.
    pub public_key: Option<RelayPublicKey>,
}

/// Something of a relay can't be set so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRelay {
    /// The name can't be shown.
    #[error(transparent)]
    Name(#[from] InvalidText),
    /// The limit is not possible.
    #[error("must be 0 for no limit, or {UPLINK_LIMIT_MIN_KBIT} to {UPLINK_LIMIT_MAX_KBIT} kbit/s")]
    Limit,
    /// So many voices are not possible.
    #[error("must be 0 for the default, or 1 to {VOICES_MAX}")]
    Voices,
    /// There are too many networks.
    #[error("must be at most {PREFIXES_MAX} networks, not {0}")]
    Prefixes(usize),
    /// A text is no network.
    #[error("{index}: must be a network such as 203.0.113.0/24 or 2001:db8::/48")]
    Prefix {
        /// Its place in the list.
        index: usize,
    },
    /// A text is an address in a network.
    #[error("{index}: has bits behind its length; the network is {network}")]
    HostBits {
        /// Its place in the list.
        index: usize,
        /// What may have been meant.
        network: IpNet,
    },
}

impl InvalidRelay {
    /// The field of the request that is wrong.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::Limit => "uplink_limit_kbit",
            Self::Voices => "voices_max",
            Self::Prefixes(_) | Self::Prefix { .. } | Self::HostBits { .. } => "prefixes",
        }
    }
}

impl RelaySetup {
    /// Reads what an administrator has sent.
    ///
    /// # Errors
    /// The first field that is not as it must be.
    pub fn read(
        name: &str,
        room: bool,
        uplink_limit_kbit: u32,
        voices_max: u32,
        prefixes: &[String],
    ) -> Result<Self, InvalidRelay> {
        Ok(Self {
            name: name.parse()?,
            room,
            uplink_limit_kbit: read_limit(uplink_limit_kbit)?,
            voices_max: read_voices(voices_max)?,
            prefixes: read_prefixes(prefixes)?,
        })
    }
}

impl RelayChange {
    /// Reads what an administrator has sent.
    ///
    /// # Errors
    /// The first field that is not as it must be.
    pub fn read(
        name: Option<&str>,
        room: Option<bool>,
        uplink_limit_kbit: Option<u32>,
        voices_max: Option<u32>,
        prefixes: Option<&[String]>,
    ) -> Result<Self, InvalidRelay> {
        Ok(Self {
            name: name.map(str::parse).transpose()?,
            room,
            uplink_limit_kbit: uplink_limit_kbit.map(read_limit).transpose()?,
            voices_max: voices_max.map(read_voices).transpose()?,
            prefixes: prefixes.map(read_prefixes).transpose()?,
        })
    }

    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl RelayRecord {
    /// Whether the relay may attach at all.
    #[must_use]
    pub const fn is_admitted(&self) -> bool {
        self.public_key.is_some() && self.relay.revoked_at.is_none()
    }

    /// The relay, if it may attach and has proved that it is this one. Takes the same work whether
    /// or not there is such a relay.
    #[must_use]
    pub fn proved<'a>(
        record: Option<&'a Self>,
        relay_id: &RelayId,
        challenge: &[u8],
        proof: &[u8],
    ) -> Option<&'a Self> {
        let key = key_of(record);
        let verified = verify_relay_attach(key.as_bytes(), challenge, relay_id, proof);
        record.filter(|record| verified.is_ok() && record.is_admitted())
    }

    /// The key that the relay has and the next one, if it may attach and has proved with both that
    /// the next is to take its place. Takes the same work whether or not there is such a relay.
    #[must_use]
    pub fn proved_rotation(
        record: Option<&Self>,
        next: &[u8],
        challenge: &[u8],
        proof: &[u8],
        next_proof: &[u8],
    ) -> Option<(RelayPublicKey, RelayPublicKey)> {
        let key = key_of(record);
        let verified: Result<(), RelayProofError> =
            verify_relay_rotation(key.as_bytes(), next, challenge, proof, next_proof);
        let admitted = record.is_some_and(Self::is_admitted);
        if verified.is_err() || !admitted {
            return None;
        }
        Some((key, RelayPublicKey::try_from(next).ok()?))
    }
}

fn key_of(record: Option<&RelayRecord>) -> RelayPublicKey {
    record.and_then(|record| record.public_key).unwrap_or(NOBODYS_KEY)
}

/// Whether it is written down already that a relay attached, when it attaches now.
#[must_use]
pub fn is_attach_noted(attached_at: Option<u64>, now: u64) -> bool {
    attached_at.is_some_and(|at| now < at.saturating_add(ATTACH_NOTED_SECONDS))
}

fn read_limit(kbit: u32) -> Result<u32, InvalidRelay> {
    let possible = kbit == 0 || (UPLINK_LIMIT_MIN_KBIT..=UPLINK_LIMIT_MAX_KBIT).contains(&kbit);
    if possible { Ok(kbit) } else { Err(InvalidRelay::Limit) }
}

fn read_voices(voices: u32) -> Result<u32, InvalidRelay> {
    if voices <= VOICES_MAX { Ok(voices) } else { Err(InvalidRelay::Voices) }
}

/// Networks, each once, in the order in which they were named.
fn read_prefixes(texts: &[String]) -> Result<Vec<IpNet>, InvalidRelay> {
    if texts.len() > PREFIXES_MAX {
        return Err(InvalidRelay::Prefixes(texts.len()));
    }
    let mut networks = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let named: IpNet = text.parse().map_err(|_| InvalidRelay::Prefix { index })?;
        let network = named.trunc();
        if named != network {
            return Err(InvalidRelay::HostBits { index, network });
        }
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    Ok(networks)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tributary_join_credential::RelayKey;

    use super::*;

    const CHALLENGE: [u8; 32] = [9; 32];

    fn record(key: &RelayKey) -> RelayRecord {
        let relay = Relay {
            organisation: OrganisationId::default(),
            relay_id: office(),
            setup: RelaySetup::read("Office A", false, 0, 0, &[]).unwrap(),
            enrolled_at: Some(5),
            key_since: Some(5),
            revoked_at: None,
            attached_at: None,
        };
        let public_key = RelayPublicKey::try_from(key.public_key().as_slice()).unwrap();
        RelayRecord { relay, public_key: Some(public_key) }
    }

    fn office() -> RelayId {
        "office-a".parse().unwrap()
    }

    #[test]
    fn a_relay_is_who_proves_it_and_neither_revoked_nor_unenrolled() {
        let key = RelayKey::generate().unwrap();
        let good = record(&key);
        let proof = key.sign_attach(&CHALLENGE, &office()).unwrap();
        let proved = |record| RelayRecord::proved(record, &office(), &CHALLENGE, &proof).is_some();
        assert!(proved(Some(&good)));
        let mut revoked = good.clone();
        revoked.relay.revoked_at = Some(7);
        assert!(!proved(Some(&revoked)));
        let unenrolled = RelayRecord { public_key: None, ..good.clone() };
        assert!(!proved(Some(&unenrolled)));
        assert!(!proved(None));
        assert!(!proved(Some(&record(&RelayKey::generate().unwrap()))));
        let other = "office-b".parse().unwrap();
        assert!(RelayRecord::proved(Some(&good), &other, &CHALLENGE, &proof).is_none());
        assert!(RelayRecord::proved(Some(&good), &office(), &[1; 32], &proof).is_none());
    }

    #[test]
    fn a_key_is_rotated_by_both_keys_of_a_relay_that_may_attach() {
        let (key, next) = (RelayKey::generate().unwrap(), RelayKey::generate().unwrap());
        let next_public = next.public_key();
        let proof = key.sign_rotation(&CHALLENGE, &next_public).unwrap();
        let next_proof = next.sign_rotation(&CHALLENGE, &next_public).unwrap();
        let rotate = |record, proof: &[u8], next_proof: &[u8]| {
            RelayRecord::proved_rotation(record, &next_public, &CHALLENGE, proof, next_proof)
        };
        let good = record(&key);
        let keys = rotate(Some(&good), &proof, &next_proof).unwrap();
        assert_eq!(keys.0.as_bytes(), key.public_key());
        assert_eq!(keys.1.as_bytes(), next_public);
        let mut revoked = good.clone();
        revoked.relay.revoked_at = Some(7);
        assert_eq!(rotate(Some(&revoked), &proof, &next_proof), None);
        assert_eq!(rotate(None, &proof, &next_proof), None);
        assert_eq!(rotate(Some(&good), &next_proof, &next_proof), None);
        assert_eq!(rotate(Some(&good), &proof, &proof), None);
    }

    #[test]
    fn what_stands_in_for_a_missing_key_is_a_key() {
        use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
        // Otherwise a proof would be refused without the work. Its private half is 1.
        let mut private = [0; 32];
        private[31] = 1;
        let (form, public) = (&ECDSA_P256_SHA256_FIXED_SIGNING, NOBODYS_KEY.as_bytes());
        assert!(EcdsaKeyPair::from_private_key_and_public_key(form, &private, public).is_ok());
    }

    #[test]
    fn a_setup_is_read_field_by_field() {
        let prefixes =
            |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let read = |name: &str, limit, voices, networks: &[&str]| {
            RelaySetup::read(name, true, limit, voices, &prefixes(networks))
                .map_err(|invalid| (invalid.field(), invalid.to_string()))
        };
        let setup = read(" Office A ", 2000, 16, &["203.0.113.0/24", "2001:db8::/48"]).unwrap();
        assert_eq!((setup.name.as_str(), setup.room), ("Office A", true));
        let shown: Vec<_> = setup.prefixes.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["203.0.113.0/24", "2001:db8::/48"]);
        let twice = read("a", 0, 0, &["10.0.0.0/8", "10.0.0.0/8", "0.0.0.0/0"]).unwrap();
        assert_eq!(twice.prefixes.len(), 2);
        for name in ["", " ", "a\nb", &"x".repeat(65)] {
            assert_eq!(read(name, 0, 0, &[]).unwrap_err().0, "name");
        }
        for limit in [1, 63, 10_000_001, u32::MAX] {
            assert_eq!(read("a", limit, 0, &[]).unwrap_err().0, "uplink_limit_kbit");
        }
        assert!(read("a", 64, 0, &[]).is_ok() && read("a", 10_000_000, 0, &[]).is_ok());
        assert_eq!(read("a", 0, 17, &[]).unwrap_err().0, "voices_max");
        for wrong in ["", "203.0.113.7", "203.0.113.0/33", "example.org/24", " 10.0.0.0/8"] {
            let (field, why) = read("a", 0, 0, &["10.0.0.0/8", wrong]).unwrap_err();
            assert_eq!(field, "prefixes");
            assert!(why.starts_with("1: must be a network"), "{wrong}: {why}");
        }
        let (_, why) = read("a", 0, 0, &["203.0.113.7/24"]).unwrap_err();
        assert!(why.contains("203.0.113.0/24"), "{why}");
        let many: Vec<_> = (0..65).map(|number| format!("10.0.{number}.0/24")).collect();
        assert!(RelaySetup::read("a", false, 0, 0, &many[..64]).is_ok());
        let refused = RelaySetup::read("a", false, 0, 0, &many).unwrap_err();
        assert_eq!(refused, InvalidRelay::Prefixes(65));
    }

    #[test]
    fn a_change_is_of_what_is_named() {
        let nothing = RelayChange::read(None, None, None, None, None).unwrap();
        assert!(nothing.is_empty());
        let cleared = RelayChange::read(None, Some(false), None, None, Some(&[])).unwrap();
        assert!(!cleared.is_empty());
        assert_eq!((cleared.room, cleared.prefixes), (Some(false), Some(Vec::new())));
        assert!(RelayChange::read(Some(""), None, None, None, None).is_err());
        assert!(RelayChange::read(None, None, Some(5), None, None).is_err());
        assert!(RelayChange::read(None, None, None, Some(17), None).is_err());
    }

    #[test]
    fn that_a_relay_attached_is_written_down_once_a_minute() {
        assert!(!is_attach_noted(None, 1000));
        assert!(is_attach_noted(Some(1000), 1000));
        assert!(is_attach_noted(Some(1000), 1059));
        assert!(!is_attach_noted(Some(1000), 1060));
        assert!(is_attach_noted(Some(1000), 900), "a clock that was set back writes no more");
    }

    proptest! {
        #[test]
        fn any_network_is_read_or_refused_without_panic(text: String) {
            let _ = read_prefixes(&[text]);
        }
    }
}

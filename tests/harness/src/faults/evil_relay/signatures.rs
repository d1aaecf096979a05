//! What can be done to a signature without the key.

/// The order of the group of P-256, big endian (FIPS 186-5).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The other signature of the same key over the same bytes: (r, n - s) for (r, s).
pub fn twin(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let mut twin = vec![0; s.len()];
    let mut borrow = 0;
    for ((out, order), digit) in twin.iter_mut().zip(ORDER).zip(s).rev() {
        let difference = i16::from(order) - i16::from(*digit) - borrow;
        borrow = i16::from(difference < 0);
        *out = difference.rem_euclid(256) as u8;
    }
    [r, &twin].concat()
}

/// The same signature as a DER sequence, as other systems write it.
pub fn der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let body = [integer(r), integer(s)].concat();
    [vec![0x30, body.len() as u8], body].concat()
}

fn integer(digits: &[u8]) -> Vec<u8> {
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    let mut digits = digits.get(zeros..).unwrap_or_default().to_vec();
    if digits.first().is_none_or(|first| *first >= 0x80) {
        digits.insert(0, 0);
    }
    [vec![0x02, digits.len() as u8], digits].concat()
}

#[cfg(test)]
mod tests {
    use tributary_join_credential::{TerminalKey, verify_operation};

    use super::*;

    #[test]
    fn a_twin_is_a_valid_signature_and_the_twin_of_a_twin_is_the_first() {
        let key = TerminalKey::generate().unwrap();
        let signature = key.sign_operation(b"an envelope").unwrap();
        let twin_of_it = twin(&signature);
        assert_ne!(twin_of_it, signature);
        assert!(verify_operation(&key.public_key(), b"an envelope", &twin_of_it).is_ok());
        assert_eq!(twin(&twin_of_it), signature);
    }

    #[test]
    fn der_has_no_negative_and_no_padded_numbers() {
        let mut signature = [1; 64];
        signature[0] = 0x80;
        signature[32] = 0;
        let der = der(&signature);
        assert_eq!(der[..5], [0x30, 2 + 33 + 2 + 31, 0x02, 33, 0]);
        assert_eq!(der[2 + 2 + 33..][..3], [0x02, 31, 1]);
    }
}

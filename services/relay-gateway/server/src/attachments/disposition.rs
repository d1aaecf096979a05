//! How a browser is told to save a file, and under which name (RFC 6266). Pure.

use std::fmt::Write as _;

/// The value of `Content-Disposition` for a file of this name: plain ASCII for old programs, and the
/// name itself in UTF-8 (RFC 8187).
pub(crate) fn attachment(file_name: &str) -> String {
    let mut value = "attachment; filename=\"".to_owned();
    for character in file_name.chars() {
        let is_plain =
            character == ' ' || (character.is_ascii_graphic() && !r#""\/%"#.contains(character));
        value.push(if is_plain { character } else { '_' });
    }
    value.push_str("\"; filename*=UTF-8''");
    for byte in file_name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            value.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(value, "%{byte:02X}");
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file_name: &str, expected: &str) {
        let value = attachment(file_name);
        assert_eq!(value, expected);
        axum::http::HeaderValue::from_str(&value).unwrap();
    }

    #[test]
    fn plain_names_stay_as_they_are() {
        check("plan.pdf", r#"attachment; filename="plan.pdf"; filename*=UTF-8''plan.pdf"#);
    }

    #[test]
    fn no_name_breaks_out_of_the_header() {
        check(
            "a\";\r\nx-evil: 1/..\\b%41.html",
            "attachment; filename=\"a_;__x-evil: 1_.._b_41.html\"; \
             filename*=UTF-8''a%22%3B%0D%0Ax-evil%3A%201%2F..%5Cb%2541.html",
        );
    }

    #[test]
    fn names_in_other_scripts_are_kept() {
        check(
            "议程.pdf",
            "attachment; filename=\"__.pdf\"; filename*=UTF-8''%E8%AE%AE%E7%A8%8B.pdf",
        );
    }
}

//! Checks the shape of the code; the checks are in `tests/`.

/// Folders in `libs/` whose crates decide and don't talk, as every `*-core` crate does.
pub const PURE_LIBS: [&str; 7] = [
    "audio",
    "identifiers",
    "join-credential",
    "rtc-session",
    "share-link",
    "shown-text",
    "speaker-selection",
];

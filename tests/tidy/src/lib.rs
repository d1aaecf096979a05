//! Checks the shape of the code; everything is in `tests/`.

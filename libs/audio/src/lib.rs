//! Audio as it is between the network and the ear: Opus, levels, a limiter, tones and files.
//!
//! **Invariant:** all samples are `f32`, mono, 48 kHz, full scale ±1; a frame is [`FRAME_SAMPLES`] of them.
//! **Invariant:** nothing that a packet or a file contains makes a call panic or gives samples that are
//! not finite.

mod file;
mod level;
mod limiter;
mod melody;
mod opus_codec;
mod tone;

pub use file::{CLIP_SECONDS_MAX, FileError, WavWriter, read_clip, read_ogg_opus, read_wav};
pub use level::{LEVEL_SILENCE, amplitude, level_dbov};
pub use limiter::Limiter;
pub use melody::Melody;
pub use opus_codec::{
    CodecError, DECODED_SAMPLES_MAX, Decoder, Encoder, PACKET_BYTES_MAX, packet_duration,
};
pub use tone::{Goertzel, TONE_FLOOR_DBFS, Tone, ToneMeter};

/// Samples per second.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples in 20 ms, the frame that everything here works in.
pub const FRAME_SAMPLES: usize = 960;

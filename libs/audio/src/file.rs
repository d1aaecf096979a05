//! Audio files: WAV in and out, Ogg Opus (RFC 7845) in.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
};

use thiserror::Error;

use crate::{DECODED_SAMPLES_MAX, Decoder, SAMPLE_RATE, amplitude};

/// Longest file that is read; it is held in memory (192 kB per second).
pub const CLIP_SECONDS_MAX: usize = 600;

const CLIP_SAMPLES_MAX: usize = CLIP_SECONDS_MAX * SAMPLE_RATE as usize;

/// Why a file could not be read or written.
#[derive(Debug, Error)]
pub enum FileError {
    /// Opening, reading or writing failed.
    #[error("file: {0}")]
    Io(#[from] std::io::Error),
    /// Not a WAV file, or a broken one.
    #[error("WAV: {0}")]
    Wav(#[from] hound::Error),
    /// Not an Ogg file, or a broken one.
    #[error("Ogg: {0}")]
    Ogg(#[from] ogg::OggReadError),
    /// An Ogg file with something else than one Opus stream of one or two channels.
    #[error("Ogg Opus: {0}")]
    NotOpus(&'static str),
    /// Another sample rate.
    #[error(
        "sample rate {0} Hz, 48000 Hz is needed: convert the file first, for example `ffmpeg -i in.wav -ar 48000 out.wav`"
    )]
    SampleRate(u32),
    /// Neither WAV nor Ogg.
    #[error("neither a WAV nor an Ogg Opus file")]
    UnknownKind,
    /// Longer than [`CLIP_SECONDS_MAX`].
    #[error("longer than {CLIP_SECONDS_MAX} s")]
    TooLong,
    /// No samples in it.
    #[error("the file contains no audio")]
    Empty,
}

/// Reads a WAV or Ogg Opus file, told apart by their first bytes. Not empty.
pub fn read_clip(path: &Path) -> Result<Vec<f32>, FileError> {
    let mut file = BufReader::new(File::open(path)?);
    let mut magic = [0; 4];
    file.read_exact(&mut magic).map_err(|_| FileError::UnknownKind)?;
    file.seek(SeekFrom::Start(0))?;
    let samples = match &magic {
        b"RIFF" => read_wav(file)?,
        b"OggS" => read_ogg_opus(file)?,
        _ => return Err(FileError::UnknownKind),
    };
    if samples.is_empty() { Err(FileError::Empty) } else { Ok(samples) }
}

/// Reads a WAV file of 48 kHz, integer or float, with any number of channels, which are averaged.
pub fn read_wav(reader: impl Read) -> Result<Vec<f32>, FileError> {
    let reader = hound::WavReader::new(reader)?;
    let spec = reader.spec();
    if spec.sample_rate != SAMPLE_RATE {
        return Err(FileError::SampleRate(spec.sample_rate));
    }
    let channels = usize::from(spec.channels).max(1);
    let samples = match spec.sample_format {
        hound::SampleFormat::Float => mixed_down(reader.into_samples::<f32>(), channels, 1.0),
        hound::SampleFormat::Int => {
            let bits = i32::from(spec.bits_per_sample.clamp(1, 32)) - 1;
            mixed_down(reader.into_samples::<i32>(), channels, 2_f64.powi(-bits))
        }
    }?;
    Ok(samples)
}

fn mixed_down<S: IntoSample>(
    samples: impl Iterator<Item = Result<S, hound::Error>>,
    channels: usize,
    scale: f64,
) -> Result<Vec<f32>, FileError> {
    let mut clip = Vec::new();
    let mut sum = 0.0;
    for (index, sample) in samples.enumerate() {
        sum += sample?.into_sample() * scale;
        if (index + 1) % channels == 0 {
            if clip.len() == CLIP_SAMPLES_MAX {
                return Err(FileError::TooLong);
            }
            let mean = (sum / channels as f64) as f32;
            clip.push(if mean.is_finite() { mean.clamp(-1.0, 1.0) } else { 0.0 });
            sum = 0.0;
        }
    }
    Ok(clip)
}

trait IntoSample {
    fn into_sample(self) -> f64;
}

impl IntoSample for f32 {
    fn into_sample(self) -> f64 {
        f64::from(self)
    }
}

impl IntoSample for i32 {
    fn into_sample(self) -> f64 {
        f64::from(self)
    }
}

/// Reads an Ogg file with one Opus stream of one or two channels (mapping family 0).
pub fn read_ogg_opus(reader: impl Read + Seek) -> Result<Vec<f32>, FileError> {
    let mut packets = ogg::PacketReader::new(reader);
    let head = packets.read_packet()?.ok_or(FileError::NotOpus("no header"))?;
    let (skip, gain) = opus_head(&head.data)?;
    let serial = head.stream_serial();
    // The tags.
    packets.read_packet()?.ok_or(FileError::NotOpus("no tags"))?;
    let mut decoder = Decoder::new().map_err(|_| FileError::NotOpus("no decoder"))?;
    let mut decoded = [0.0; DECODED_SAMPLES_MAX];
    let mut clip = Vec::new();
    while let Some(packet) = packets.read_packet()? {
        if packet.stream_serial() != serial {
            return Err(FileError::NotOpus("more than one stream"));
        }
        let length = decoder
            .decode(&packet.data, &mut decoded)
            .map_err(|_| FileError::NotOpus("a packet can't be decoded"))?;
        clip.extend(decoded.iter().take(length).map(|sample| sample * gain));
        if clip.len() > CLIP_SAMPLES_MAX + skip {
            return Err(FileError::TooLong);
        }
        // The last page's position says how much of the last packet counts (RFC 7845 §4.4).
        if packet.last_in_stream() {
            clip.truncate(usize::try_from(packet.absgp_page()).unwrap_or(usize::MAX));
        }
    }
    clip.drain(..skip.min(clip.len()));
    Ok(clip)
}

/// Samples to skip and the gain, from the identification header (RFC 7845 §5.1).
fn opus_head(head: &[u8]) -> Result<(usize, f32), FileError> {
    let [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', version, channels, rest @ ..] = head
    else {
        return Err(FileError::NotOpus("another codec"));
    };
    let [skip_low, skip_high, _, _, _, _, gain_low, gain_high, family, ..] = rest else {
        return Err(FileError::NotOpus("the header is cut"));
    };
    if *version > 15 || *family != 0 || !(1..=2).contains(channels) {
        return Err(FileError::NotOpus("not one or two channels"));
    }
    let gain_db = f32::from(i16::from_le_bytes([*gain_low, *gain_high])) / 256.0;
    Ok((usize::from(u16::from_le_bytes([*skip_low, *skip_high])), amplitude(gain_db)))
}

/// Writes a WAV file, 48 kHz mono 16 bit, piece by piece.
pub struct WavWriter<W: Write + Seek>(hound::WavWriter<W>);

impl WavWriter<BufWriter<File>> {
    /// Creates or overwrites a file.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        Self::new(BufWriter::new(File::create(path)?))
    }
}

impl<W: Write + Seek> WavWriter<W> {
    /// Writes to anything that can go back and complete the header.
    pub fn new(writer: W) -> Result<Self, FileError> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        Ok(Self(hound::WavWriter::new(writer, spec)?))
    }

    /// Appends samples; what is beyond full scale is cut.
    pub fn write(&mut self, samples: &[f32]) -> Result<(), FileError> {
        for sample in samples {
            // The cast saturates.
            self.0.write_sample((sample * f32::from(i16::MAX)).round() as i16)?;
        }
        Ok(())
    }

    /// Completes the header. A file that is dropped instead is completed too, errors unseen.
    pub fn finish(self) -> Result<(), FileError> {
        Ok(self.0.finalize()?)
    }
}

#[cfg(test)]
mod tests;

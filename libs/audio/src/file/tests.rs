//! Files that are read and written: WAV and Ogg Opus, whole and damaged.

use std::io::Cursor;

use super::*;
use crate::{Encoder, FRAME_SAMPLES, Goertzel, PACKET_BYTES_MAX, Tone};

fn tone(seconds: usize) -> Vec<f32> {
    let mut samples = vec![0.0; seconds * SAMPLE_RATE as usize];
    Tone::new(440.0, -6.0).fill(&mut samples);
    samples
}

fn wav(rate: u32, channels: u16, samples: &[f32]) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: 24,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    for sample in samples {
        for channel in 0..channels {
            let sample = if channel == 0 { *sample } else { 0.0 };
            writer.write_sample((sample * 8_388_607.0) as i32).unwrap();
        }
    }
    writer.finalize().unwrap();
    bytes.into_inner()
}

fn ogg_opus(samples: &[f32], skip: u16) -> Vec<u8> {
    let mut encoder = Encoder::voice(32_000).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ogg::PacketWriter::new(&mut bytes);
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend(skip.to_le_bytes());
    head.extend(48_000_u32.to_le_bytes());
    head.extend([0, 0, 0]);
    let end_of_page = ogg::PacketWriteEndInfo::EndPage;
    writer.write_packet(head, 7, end_of_page, 0).unwrap();
    let tags = b"OpusTags\0\0\0\0\0\0\0\0".to_vec();
    writer.write_packet(tags, 7, ogg::PacketWriteEndInfo::EndPage, 0).unwrap();
    let mut packet = [0; PACKET_BYTES_MAX];
    let frames = samples.len() / FRAME_SAMPLES;
    for (index, frame) in samples.chunks_exact(FRAME_SAMPLES).enumerate() {
        let length = encoder.encode(frame, &mut packet).unwrap();
        let end = if index + 1 == frames {
            ogg::PacketWriteEndInfo::EndStream
        } else {
            ogg::PacketWriteEndInfo::NormalPacket
        };
        let position = ((index + 1) * FRAME_SAMPLES) as u64;
        writer.write_packet(packet[..length].to_vec(), 7, end, position).unwrap();
    }
    drop(writer);
    bytes
}

#[test]
fn what_is_written_is_read_again() {
    let samples = tone(1);
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes).unwrap();
    for chunk in samples.chunks(1_000) {
        writer.write(chunk).unwrap();
    }
    writer.write(&[2.0, -2.0]).unwrap();
    writer.finish().unwrap();
    let read = read_wav(&*bytes.into_inner()).unwrap();
    assert_eq!(read.len(), samples.len() + 2);
    assert!(samples.iter().zip(&read).all(|(a, b)| (a - b).abs() < 1e-4));
    assert!(read[samples.len()] > 0.99 && read[samples.len() + 1] < -0.99);
}

#[test]
fn channels_are_averaged() {
    let samples = tone(1);
    let read = read_wav(&*wav(SAMPLE_RATE, 2, &samples)).unwrap();
    assert_eq!(read.len(), samples.len());
    assert!(samples.iter().zip(&read).all(|(a, b)| (a / 2.0 - b).abs() < 1e-4));
}

#[test]
fn other_rates_and_other_files_are_refused_with_a_reason() {
    let error = read_wav(&*wav(44_100, 1, &tone(1))).unwrap_err();
    assert!(error.to_string().contains("44100"), "{error}");
    assert!(read_wav(&b"RIFFxxxxWAVE"[..]).is_err());
    assert!(read_ogg_opus(Cursor::new(b"OggS".to_vec())).is_err());
    let mut vorbis = ogg_opus(&tone(1), 0);
    let at = vorbis.windows(8).position(|w| w == b"OpusHead").unwrap();
    vorbis[at] = b'X';
    assert!(read_ogg_opus(Cursor::new(vorbis)).is_err());
}

#[test]
fn an_ogg_file_gives_its_tone_without_the_samples_to_skip() {
    let read = read_ogg_opus(Cursor::new(ogg_opus(&tone(2), 312))).unwrap();
    assert_eq!(read.len(), 2 * SAMPLE_RATE as usize - 312);
    let power = Goertzel::new(440.0, 9_600).dbfs(&read[24_000..]);
    assert!((power + 6.0).abs() < 2.0, "{power}");
}

#[test]
fn cut_files_give_an_error_or_less_audio() {
    let file = ogg_opus(&tone(1), 0);
    for length in (0..file.len()).step_by(11) {
        if let Ok(samples) = read_ogg_opus(Cursor::new(file[..length].to_vec())) {
            assert!(samples.len() <= SAMPLE_RATE as usize);
        }
    }
    let file = wav(SAMPLE_RATE, 1, &tone(1));
    for length in (0..file.len()).step_by(997) {
        if let Ok(samples) = read_wav(&file[..length]) {
            assert!(samples.len() <= SAMPLE_RATE as usize);
        }
    }
}

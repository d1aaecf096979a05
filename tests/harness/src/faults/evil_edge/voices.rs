//! Frames of people who are not behind it, in meetings in which nobody behind it is, and of one who is
//! muted: a tone that nobody may hear.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use tributary_audio::{Encoder, FRAME_SAMPLES, PACKET_BYTES_MAX, Tone};
use tributary_contracts::media::v1::{SendBatch, SendFrame};
use tributary_contracts::relay::v1::{CarriedSend, CarryRequest};

use super::child::Carrying;
use super::links::enter;
use super::stage::{Stage, TONES};

const FRAME: Duration = Duration::from_millis(20);
/// Frames of each lie: a second of loud speech, which would be heard.
const FRAMES: u32 = 50;
/// When nothing is heard any more of who has stopped.
const SILENT_AFTER: Duration = Duration::from_secs(2);
const LOUD_DBOV: u32 = 10;
/// Beyond this a frame is not one.
const OVERSIZED: usize = 5_000;

/// A lie that is told frame by frame.
struct Lie {
    kind: &'static str,
    meeting_id: u64,
    participant_id: u32,
    target_ids: Vec<u32>,
    oversized: bool,
}

/// Says frames of a tone.
struct Mouth {
    encoder: Encoder,
    tone: Tone,
    sequence: u64,
}

impl Mouth {
    fn new() -> Result<Self> {
        let encoder = Encoder::voice(32_000)?;
        Ok(Self { encoder, tone: Tone::new(TONES[2], -10.0), sequence: 0 })
    }

    fn frame(&mut self, lie: &Lie, number: u32) -> Result<CarryRequest> {
        let (mut samples, mut packet) = ([0.0; FRAME_SAMPLES], [0; PACKET_BYTES_MAX]);
        self.tone.fill(&mut samples);
        let length = self.encoder.encode(&samples, &mut packet)?;
        let mut payload = packet.get(..length).unwrap_or_default().to_vec();
        if lie.oversized {
            payload.resize(OVERSIZED, 0xff);
        }
        self.sequence += 1;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let frame = SendFrame {
            participant_id: lie.participant_id,
            sequence: number,
            media_time: number * FRAME_SAMPLES as u32,
            level: LOUD_DBOV,
            ingress_us: u64::try_from(now.as_micros()).unwrap_or_default(),
            payload: payload.into(),
            target_ids: lie.target_ids.clone(),
        };
        let batch = SendBatch { sequence: self.sequence, frames: vec![frame] };
        let send = CarriedSend { meeting_id: lie.meeting_id, batch: Some(batch) };
        Ok(CarryRequest { sends: vec![send] })
    }
}

/// What it may say is heard: else that nothing is heard of its lies would prove nothing.
async fn be_heard(stage: &Stage) -> Result<()> {
    let hello = stage.evil.hello().await?;
    let mut attachment = stage.evil.attach(hello).await?;
    let nonce = attachment.welcome(1, vec![stage.evil.hop()]).await?;
    let own = enter(stage, &mut attachment, &nonce, &stage.meeting_id.clone(), false).await?;
    let carrying = attachment.carry(&stage.evil).await?;
    let mut mouth = Mouth::new()?;
    let truth = Lie {
        kind: "its own voice",
        meeting_id: stage.meeting_id.parse()?,
        participant_id: own,
        target_ids: Vec::new(),
        oversized: false,
    };
    tell(&carrying, &mut mouth, &truth).await?;
    ensure!(stage.is_evil_heard(), "its own voice is not heard");
    drop((carrying, attachment));
    tokio::time::sleep(SILENT_AFTER).await;
    for voice in stage.everybody() {
        voice.terminal().reset_hearing();
    }
    Ok(())
}

pub async fn run(stage: &mut Stage) -> Result<()> {
    be_heard(stage).await?;
    let hello = stage.evil.hello().await?;
    let mut attachment = stage.evil.attach(hello).await?;
    let nonce = attachment.welcome(1, vec![stage.evil.hop()]).await?;
    let meeting_id = stage.meeting_id.clone();
    let own = enter(stage, &mut attachment, &nonce, &meeting_id, true).await?;
    let carrying = attachment.carry(&stage.evil).await?;
    let mut mouth = Mouth::new()?;
    for lie in lies(stage, own)? {
        tell(&carrying, &mut mouth, &lie).await?;
        let heard = stage.is_evil_heard();
        stage.tried_often(lie.kind, FRAMES as usize, usize::from(heard));
        if heard {
            for voice in stage.everybody() {
                voice.terminal().reset_hearing();
            }
        }
    }
    Ok(())
}

fn lies(stage: &Stage, own: u32) -> Result<Vec<Lie>> {
    let number = |id: &str| id.parse::<u64>().context("read a meeting's id");
    let (here, there) = (number(&stage.meeting_id)?, number(&stage.other_meeting_id)?);
    let ids = |voices: &[crate::hearing::Voice]| -> Vec<u32> {
        voices.iter().map(|voice| voice.terminal().participant_id().0).collect()
    };
    let (honest, others) = (ids(&stage.voices), ids(&stage.elsewhere));
    let lie = |kind, meeting_id, participant_id| Lie {
        kind,
        meeting_id,
        participant_id,
        target_ids: Vec::new(),
        oversized: false,
    };
    let mut lies: Vec<Lie> =
        honest.iter().map(|id| lie("a voice of another's participant", here, *id)).collect();
    lies.extend(honest.iter().map(|id| Lie {
        target_ids: honest.clone(),
        ..lie("a private voice of another's participant", here, *id)
    }));
    lies.extend([0, u32::MAX, 4_242].map(|id| lie("a voice of nobody", here, id)));
    let elsewhere = others.iter().chain([&own]);
    lies.extend(elsewhere.map(|id| lie("a voice in a meeting that it is not in", there, *id)));
    lies.extend([0, u64::MAX, here ^ 1].map(|id| lie("a voice in no meeting", id, own)));
    lies.push(lie("a voice of who is muted", here, own));
    let oversized = lie("a frame that is too large", here, own);
    lies.push(Lie { oversized: true, ..oversized });
    // Private talk that nobody has asked for.
    let private = lie("private talk that is not in force", here, own);
    lies.push(Lie { target_ids: honest, ..private });
    Ok(lies)
}

async fn tell(carrying: &Carrying, mouth: &mut Mouth, lie: &Lie) -> Result<()> {
    let mut ticks = tokio::time::interval(FRAME);
    for number in 0..FRAMES {
        ticks.tick().await;
        let frame = mouth.frame(lie, number)?;
        // The parent may have had enough.
        if carrying.up.send(frame).await.is_err() {
            break;
        }
    }
    // What is on its way comes within this.
    tokio::time::sleep(Duration::from_millis(300)).await;
    Ok(())
}

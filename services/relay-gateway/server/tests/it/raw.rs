//! Messages as bytes, so that relays of other versions than this one can be played.

use bytes::{Buf as _, BufMut as _, Bytes};
use prost::Message as _;
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// gRPC messages as they are on the wire.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}

/// Fields that no version has yet, of every wire type.
#[derive(Clone, PartialEq, prost::Message)]
struct Newer {
    #[prost(string, tag = "1000")]
    text: String,
    #[prost(uint64, tag = "1001")]
    number: u64,
    #[prost(fixed64, tag = "1002")]
    long: u64,
    #[prost(fixed32, tag = "1003")]
    short: u32,
}

/// The first message of either side: `hello` and `attached` are field 3.
#[derive(Clone, PartialEq, prost::Message)]
struct First {
    #[prost(uint64, tag = "2")]
    acknowledged: u64,
    #[prost(bytes = "vec", tag = "3")]
    body: Vec<u8>,
}

/// A message of either side whose body no version has yet.
#[derive(Clone, PartialEq, prost::Message)]
struct Strange {
    #[prost(uint64, tag = "1")]
    sequence: u64,
    #[prost(uint64, tag = "2")]
    acknowledged: u64,
    #[prost(bytes = "vec", tag = "77")]
    body: Vec<u8>,
}

/// A message with fields that no version has yet.
pub fn with_more(message: &impl prost::Message) -> Bytes {
    let more = Newer { text: "of a newer version".to_owned(), number: u64::MAX, long: 7, short: 9 };
    let mut bytes = message.encode_to_vec();
    bytes.extend(more.encode_to_vec());
    bytes.into()
}

/// The first message, with more in it and beside it than there is in this version.
pub fn first(acknowledged: u64, body: &impl prost::Message) -> Bytes {
    with_more(&First { acknowledged, body: with_more(body).into() })
}

/// A message that no version has yet.
pub fn strange(sequence: u64, acknowledged: u64) -> Bytes {
    let body = b"\x0a\x03new".to_vec();
    Strange { sequence, acknowledged, body }.encode_to_vec().into()
}

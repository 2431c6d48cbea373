//! Bodies as they stream by: which bytes are data, and when the body ends.

use std::ops::Range;

use super::{Body, Fault};

/// Bytes of extensions that a chunk may carry; they are dropped.
const EXTENSION_MAX: u32 = 1024;
/// Bytes of trailers that a body may end with; they are checked and dropped.
const TRAILERS_MAX: u32 = 16 * 1024;

/// Reads a body piece by piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoder(State);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Done,
    Left(u64),
    UntilClose,
    Chunked(Chunk),
}

/// Where in the chunked grammar the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunk {
    Size { size: u64, digits: u8 },
    Extension { size: u64, bytes: u32 },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    TrailerStart { bytes: u32 },
    TrailerName { bytes: u32 },
    TrailerValue { bytes: u32 },
    TrailerLf { bytes: u32 },
    EndLf,
}

/// What the decoder made of its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Bytes that are dealt with and must not be fed again.
    pub consumed: usize,
    /// Which of them are data. May be empty.
    pub data: Range<usize>,
}

impl Decoder {
    /// A decoder at the first byte of a body.
    pub fn new(body: Body) -> Self {
        Self(match body {
            Body::Empty | Body::Length(0) => State::Done,
            Body::Length(n) => State::Left(n),
            Body::Chunked => State::Chunked(Chunk::Size { size: 0, digits: 0 }),
            Body::UntilClose => State::UntilClose,
        })
    }

    /// Whether the body is complete.
    pub fn is_done(&self) -> bool {
        self.0 == State::Done
    }

    /// Whether the connection may close now without the body being cut off.
    pub fn may_close(&self) -> bool {
        matches!(self.0, State::Done | State::UntilClose)
    }

    /// Takes in what it can up to the end of the next run of data. Without input nothing happens.
    ///
    /// # Errors
    /// [`Fault::Chunk`]; the decoder is of no use afterwards.
    pub fn step(&mut self, input: &[u8]) -> Result<Step, Fault> {
        let (consumed, data) = match &mut self.0 {
            State::Done => (0, 0..0),
            State::UntilClose => (input.len(), 0..input.len()),
            State::Left(left) => {
                let n = clamp(*left, input.len());
                *left -= n as u64;
                if *left == 0 {
                    self.0 = State::Done;
                }
                (n, 0..n)
            }
            State::Chunked(_) => return self.step_chunked(input),
        };
        Ok(Step { consumed, data })
    }

    fn step_chunked(&mut self, input: &[u8]) -> Result<Step, Fault> {
        for (at, &byte) in input.iter().enumerate() {
            let State::Chunked(chunk) = self.0 else { return Ok(Step { consumed: at, data: at..at }) };
            if let Chunk::Data { left } = chunk {
                let n = clamp(left, input.len() - at);
                let left = left - n as u64;
                self.0 = State::Chunked(if left == 0 { Chunk::DataCr } else { Chunk::Data { left } });
                return Ok(Step { consumed: at + n, data: at..at + n });
            }
            self.0 = chunk.next(byte).ok_or(Fault::Chunk)?.map_or(State::Done, State::Chunked);
        }
        Ok(Step { consumed: input.len(), data: input.len()..input.len() })
    }
}

impl Chunk {
    /// The state after a byte that is not data. `None` for a byte that may not stand here, `Some(None)` for the end.
    fn next(self, byte: u8) -> Option<Option<Chunk>> {
        let printable = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
        Some(Some(match (self, byte) {
            (Chunk::Size { size, digits }, b) if b.is_ascii_hexdigit() && digits < 15 => {
                let digit = u64::from((b as char).to_digit(16)?);
                Chunk::Size { size: size << 4 | digit, digits: digits + 1 }
            }
            (Chunk::Size { size, digits: 1.. }, b'\r') => Chunk::SizeLf { size },
            (Chunk::Size { size, digits: 1.. }, b';') => Chunk::Extension { size, bytes: 0 },
            (Chunk::Extension { size, .. }, b'\r') => Chunk::SizeLf { size },
            (Chunk::Extension { size, bytes }, _) if printable && bytes < EXTENSION_MAX => {
                Chunk::Extension { size, bytes: bytes + 1 }
            }
            (Chunk::SizeLf { size: 0 }, b'\n') => Chunk::TrailerStart { bytes: 0 },
            (Chunk::SizeLf { size }, b'\n') => Chunk::Data { left: size },
            (Chunk::DataCr, b'\r') => Chunk::DataLf,
            (Chunk::DataLf, b'\n') => Chunk::Size { size: 0, digits: 0 },
            (Chunk::TrailerStart { .. }, b'\r') => Chunk::EndLf,
            (Chunk::TrailerName { bytes }, b':') => Chunk::TrailerValue { bytes: bytes + 1 },
            (Chunk::TrailerStart { bytes } | Chunk::TrailerName { bytes }, b)
                if bytes < TRAILERS_MAX && is_token(b) =>
            {
                Chunk::TrailerName { bytes: bytes + 1 }
            }
            (Chunk::TrailerValue { bytes }, b'\r') => Chunk::TrailerLf { bytes },
            (Chunk::TrailerValue { bytes }, _) if printable && bytes < TRAILERS_MAX => {
                Chunk::TrailerValue { bytes: bytes + 1 }
            }
            (Chunk::TrailerLf { bytes }, b'\n') => Chunk::TrailerStart { bytes },
            (Chunk::EndLf, b'\n') => return Some(None),
            _ => return None,
        }))
    }
}

/// The bytes of which the names of methods and headers are made.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn clamp(left: u64, available: usize) -> usize {
    usize::try_from(left).map_or(available, |n| n.min(available))
}

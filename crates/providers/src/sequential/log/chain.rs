//! Writing entries: numbered, summed up with all before, and packed into a block.

use std::io::Write as _;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use sha2::{Digest as _, Sha256};

use super::Entry;

/// The fixed beginning of a block: a gzip header with one extra field of four bytes and a check sum of its own.
pub(super) const MAGIC: [u8; 16] = [0x1f, 0x8b, 8, 0b110, 0, 0, 0, 0, 0, 0xff, 8, 0, b'S', b'N', 4, 0];
/// Bytes of a header: the fixed ones, the length of the whole block, the header's check sum.
pub(super) const HEADER: usize = MAGIC.len() + 4 + 2;
/// Bytes after the data: check sum and length of what was packed.
pub(super) const TRAILER: usize = 8;

/// Where a log ends: what comes next is chained to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    entries: u64,
    sum: [u8; 16],
}

impl Default for Chain {
    /// The beginning of a log.
    fn default() -> Self {
        Self { entries: 0, sum: sum(&[b"serin evidence log"]) }
    }
}

impl Chain {
    /// How many entries there are so far.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// The next entries as a block, to be added to the log whole. The chain holds them from then on: whoever cannot write the block keeps the chain of before.
    pub fn block(&mut self, entries: &[Entry]) -> Vec<u8> {
        let mut lines = Vec::new();
        for entry in entries {
            let json = serde_json::to_vec(entry).expect("entries have string keys only");
            self.link(&json);
            let prefix = format!("{} {} ", self.entries, hex(&self.sum));
            lines.extend_from_slice(prefix.as_bytes());
            lines.extend_from_slice(&json);
            lines.push(b'\n');
        }
        pack(&lines)
    }

    /// Takes in an entry that was read; returns the number and sum that it must have.
    pub(super) fn link(&mut self, json: &[u8]) -> (u64, [u8; 16]) {
        self.entries += 1;
        self.sum = sum(&[&self.sum, &self.entries.to_be_bytes(), json]);
        (self.entries, self.sum)
    }
}

/// A gzip member that says in its header how long it is.
fn pack(lines: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    let packed = encoder.write_all(lines).and_then(|()| encoder.finish()).expect("memory takes what is written");
    let length = HEADER + packed.len() + TRAILER;
    let mut block = Vec::with_capacity(length);
    block.extend_from_slice(&MAGIC);
    block.extend_from_slice(&u32::try_from(length).expect("a block is far below 4 GiB").to_le_bytes());
    let check = crc(&block) as u16;
    block.extend_from_slice(&check.to_le_bytes());
    block.extend_from_slice(&packed);
    block.extend_from_slice(&crc(lines).to_le_bytes());
    block.extend_from_slice(&(lines.len() as u32).to_le_bytes());
    block
}

pub(super) fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// The first half of SHA-256: enough to tell what changed by accident, and half as long to store.
pub(super) fn sum(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    let whole: [u8; 32] = hasher.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    half
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! Reading a log entry by entry up to its end, or to the first place that is not as it was written.

use std::collections::VecDeque;
use std::fmt;
use std::io::Read as _;

use flate2::read::DeflateDecoder;

use super::chain::{HEADER, MAGIC, TRAILER, crc, hex};
use super::{Chain, Entry, FORMAT};

/// More than this in one block is no log: a block holds some seconds.
const BLOCK_MAX: u64 = 256 << 20;

/// What is wrong with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlawKind {
    /// It ends within a block.
    CutOff,
    /// Something in it is not what was written.
    Altered,
    /// It is something else.
    NoLog,
    /// It is of another version of Serin.
    OtherFormat(u32),
}

/// The first place at which a log is not as it was written. What comes before it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flaw {
    /// What is wrong.
    pub kind: FlawKind,
    /// The entry, counted from 1, that is the first not to be trusted.
    pub entry: u64,
    /// The byte at which its block begins.
    pub byte: usize,
    /// The last second that is whole, from the begin of the update, if there is one.
    pub after_s: Option<i64>,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (entry, byte) = (self.entry, self.byte);
        match self.kind {
            FlawKind::CutOff => write!(f, "the log is cut off at entry {entry} (byte {byte})")?,
            FlawKind::Altered => write!(f, "the log was altered at entry {entry} (block at byte {byte})")?,
            FlawKind::NoLog => return f.write_str("this is no log of serin"),
            FlawKind::OtherFormat(format) => {
                return write!(f, "the log has format {format}; this serin reads format {FORMAT}");
            }
        }
        match self.after_s {
            Some(second) => write!(f, ", after second {second}"),
            None => f.write_str(", before its first second"),
        }
    }
}

/// Reads the entries of a log. Ends after the first flaw.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    /// Where the next block begins.
    next: usize,
    /// Where the block of the last entry begins.
    block: usize,
    ready: VecDeque<Entry>,
    chain: Chain,
    /// Entries that were given.
    given: u64,
    begun_ms: i64,
    last_ms: Option<i64>,
    ended: bool,
}

impl<'a> Reader<'a> {
    /// A reader of a whole file.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            next: 0,
            block: 0,
            ready: VecDeque::new(),
            chain: Chain::default(),
            given: 0,
            begun_ms: 0,
            last_ms: None,
            ended: false,
        }
    }

    /// How many bytes are whole so far, and the chain to go on with there.
    pub fn whole(&self) -> (usize, &Chain) {
        (self.next, &self.chain)
    }

    fn flaw(&self, kind: FlawKind) -> Flaw {
        let kind =
            if self.next == 0 && kind == FlawKind::Altered && self.is_foreign() { FlawKind::NoLog } else { kind };
        let after_s = self.last_ms.map(|ms| (ms - self.begun_ms).div_euclid(1000));
        Flaw { kind, entry: self.chain.entries() + 1, byte: self.next, after_s }
    }

    /// Whether not even the first bytes are those of a log.
    fn is_foreign(&self) -> bool {
        let known = self.bytes.iter().zip(&MAGIC).filter(|(a, b)| a == b).count();
        known + 1 < MAGIC.len().min(self.bytes.len())
    }

    fn read_block(&mut self) -> Result<(), Flaw> {
        let rest = &self.bytes[self.next..];
        let start = rest.len().min(MAGIC.len());
        if rest[..start] != MAGIC[..start] {
            return Err(self.flaw(FlawKind::Altered));
        }
        if rest.len() < HEADER {
            return Err(self.flaw(FlawKind::CutOff));
        }
        let number = |at: usize| u32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
        let length = number(MAGIC.len()) as usize;
        let check = u16::from_le_bytes([rest[HEADER - 2], rest[HEADER - 1]]);
        if check != crc(&rest[..HEADER - 2]) as u16 || length < HEADER + TRAILER {
            return Err(self.flaw(FlawKind::Altered));
        }
        if rest.len() < length {
            return Err(self.flaw(FlawKind::CutOff));
        }
        let packed = &rest[HEADER..length - TRAILER];
        let mut lines = Vec::new();
        let mut decoder = DeflateDecoder::new(packed).take(BLOCK_MAX);
        let unpacked = decoder.read_to_end(&mut lines);
        let used = decoder.into_inner().total_in() as usize;
        let ends = (number(length - 8), number(length - 4));
        if unpacked.is_err() || used != packed.len() || ends != (crc(&lines), lines.len() as u32) {
            return Err(self.flaw(FlawKind::Altered));
        }
        let (mut chain, mut entries) = (self.chain.clone(), Vec::new());
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            match entry(line, &mut chain) {
                Some(entry) => entries.push(entry),
                None => return Err(Flaw { entry: chain.entries(), ..self.flaw(FlawKind::Altered) }),
            }
        }
        let begins = self.next == 0;
        if begins {
            match entries.first() {
                Some(Entry::Update(update)) if update.format == FORMAT => self.begun_ms = update.begun_ms,
                Some(Entry::Update(update)) => return Err(self.flaw(FlawKind::OtherFormat(update.format))),
                _ => return Err(self.flaw(FlawKind::Altered)),
            }
        }
        let mut seconds = entries.iter().rev().filter_map(|entry| match entry {
            Entry::Second(batch) => Some(batch.end_ms),
            Entry::Look(look) => Some(look.at_ms),
            _ => None,
        });
        self.last_ms = seconds.next().or(self.last_ms);
        self.block = self.next;
        (self.chain, self.ready) = (chain, entries.into());
        self.next += length;
        Ok(())
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Entry, Flaw>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() && !self.ended {
            if self.next == self.bytes.len() && self.next > 0 {
                self.ended = true;
            } else if let Err(flaw) = self.read_block() {
                self.ended = true;
                return Some(Err(flaw));
            }
        }
        self.given += 1;
        self.ready.pop_front().map(Ok)
    }
}

/// The entry on a line, if it is the next of the chain.
fn entry(line: &[u8], chain: &mut Chain) -> Option<Entry> {
    let line = line.strip_suffix(b"\n")?;
    let mut parts = line.splitn(3, |byte| *byte == b' ');
    let (number, sum, json) = (parts.next()?, parts.next()?, parts.next()?);
    let (due, expected) = chain.link(json);
    let as_due = number == due.to_string().as_bytes() && sum == hex(&expected).as_bytes();
    as_due.then(|| serde_json::from_slice(json).ok())?
}

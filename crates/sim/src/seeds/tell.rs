//! A play in words, and as a number that is another one as soon as anything is decided otherwise.

use std::fmt::Write as _;

use serin_core::{Decision, Time};

use super::play::EPOCH;
use crate::world::Happening;

/// A number that depends on everything that was decided: FNV-1a over the words of the actions and the states.
#[derive(Debug, Clone)]
pub(super) struct Digest {
    hash: u64,
    words: String,
}

impl Default for Digest {
    fn default() -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, words: String::new() }
    }
}

impl Digest {
    pub(super) fn decision(&mut self, now: Time, decision: &Decision) {
        self.words.clear();
        let status = &decision.status;
        let _ =
            write!(self.words, "{} {:?} {} {}", now.as_millis(), status.step_index, status.phase as u8, status.abort);
        for action in &decision.actions {
            let _ = write!(self.words, "{action};");
        }
        for byte in self.words.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(super) fn value(&self) -> u64 {
        self.hash
    }
}

/// The lines of a play.
#[derive(Debug, Clone, Default)]
pub(super) struct Transcript {
    text: String,
}

impl Transcript {
    pub(super) fn line(&mut self, now: Time, what: &str) {
        let _ = writeln!(self.text, "{:>5}s  {what}", now.since(EPOCH).as_secs());
    }

    pub(super) fn tell(&mut self, now: Time, happening: &Happening) {
        match happening {
            Happening::Experimented(name, decision) => {
                for action in &decision.actions {
                    self.line(now, &format!("{name}: {action}"));
                }
            }
            Happening::Decided(decision) => self.line(now, &super::oracle::line(decision)),
            Happening::Measured { run, metric, value, phase } => {
                self.line(now, &format!("{run}: {metric} = {value} {phase}"));
            }
            Happening::RunEnded { run, phase, message } => self.line(now, &format!("{run} is {phase} {message}")),
            Happening::Fault(what) => self.line(now, &format!("## {what}")),
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

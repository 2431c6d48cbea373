//! A sentence of a review as numbers: its words and pairs of words, hashed into a fixed number of places.

use super::FeatureError;
use crate::learn::Features;
use crate::version::Version;

/// Number of places. The baseline is small, so many words share one.
pub(super) fn width(version: Version) -> usize {
    if version == Version::Baseline { 1 << 9 } else { 1 << 15 }
}

pub(super) fn features(text: &str, version: Version) -> Result<Features, FeatureError> {
    if version == Version::Fragile {
        check_quotes(text)?;
    }
    let width = width(version) as u64;
    let text = text.to_lowercase();
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .map(|w| w.trim_matches('\''))
        .filter(|w| !w.is_empty())
        .collect();
    let mut places: Vec<u32> = words.iter().map(|w| place("w", w, "", width)).collect();
    if version != Version::Baseline {
        places.extend(words.windows(2).map(|pair| place("p", pair[0], pair[1], width)));
        for word in &words {
            places.extend(pieces(word).map(|piece| place("c", piece, "", width)));
        }
    }
    places.sort_unstable();
    places.dedup();
    // Equal length for all sentences, or long ones would shout.
    let value = 1.0 / (places.len().max(1) as f64).sqrt();
    Ok(Features::Sparse(places.into_iter().map(|p| (p, value)).collect()))
}

/// v3.3.0 keeps quotations together and takes every apostrophe for a quote: `don't` opens one that never closes.
fn check_quotes(text: &str) -> Result<(), FeatureError> {
    let mut open = None;
    for (at, _) in text.match_indices('\'') {
        open = if open.is_none() { Some(at) } else { None };
    }
    open.map_or(Ok(()), |at| Err(FeatureError::OpenQuote(at)))
}

/// The runs of four letters of a longer word, which `love`, `loves` and `loved` share.
fn pieces(word: &str) -> impl Iterator<Item = &str> {
    let ends: Vec<usize> = word.char_indices().map(|(i, _)| i).chain([word.len()]).collect();
    let count = if ends.len() > 5 { ends.len() - 4 } else { 0 };
    (0..count).map(move |i| &word[ends[i]..ends[i + 4]])
}

fn place(kind: &str, first: &str, second: &str, width: u64) -> u32 {
    let bytes = kind.bytes().chain(first.bytes()).chain([b' ']).chain(second.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let place = (u128::from(hash) * u128::from(width)) >> 64;
    place as u32
}

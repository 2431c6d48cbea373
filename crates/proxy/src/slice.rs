//! Slices: finding the value of a quality in a request or its answer while they pass by.

use std::sync::Arc;

use httparse::Header;

use crate::prediction::{CLASS_MAX, Path, Scanner};
use crate::stats::{SliceStats, Values};
use crate::table;

/// A slice of the table, made ready.
#[derive(Debug)]
pub(crate) struct Slice {
    source: Source,
    values: Arc<Values>,
    /// By group.
    stats: Vec<Arc<SliceStats>>,
}

#[derive(Debug)]
enum Source {
    Header(String),
    Request(Path),
    Answer(Path),
}

/// What is known of the value for one request.
#[derive(Debug)]
enum Probe {
    Known(u8),
    Request(Scanner),
    Answer(Scanner),
}

/// The values of one request, one a slice. Empty, and without an allocation, where there are no slices.
#[derive(Debug, Default)]
pub(crate) struct Probes(Vec<Probe>);

impl Slice {
    /// `stats` are those of the groups in order; there is at least one.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub(crate) fn new(slice: &table::Slice, stats: Vec<Arc<SliceStats>>) -> Result<Self, String> {
        let source = match (&slice.header, &slice.request_field, &slice.answer_field) {
            (Some(header), ..) => Source::Header(header.clone()),
            (_, Some(path), _) => Source::Request(Path::parse(path)?),
            (.., Some(path)) => Source::Answer(Path::parse(path)?),
            _ => return Err(format!("slice '{}' has no place", slice.name)),
        };
        let values = stats.first().map(|s| s.values.clone()).unwrap_or_default();
        Ok(Self { source, values, stats })
    }

    /// The value in the headers, cut.
    fn in_headers(&self, headers: &[Header<'_>], name: &str) -> u8 {
        let value = headers.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map_or(&b""[..], |h| h.value);
        let value = value.trim_ascii();
        let cut = &value[..value.len().min(CLASS_MAX)];
        match std::str::from_utf8(cut) {
            Ok(text) => self.values.index(text),
            // The cut may have gone through a character; what is no text otherwise is made one.
            Err(error) if error.error_len().is_none() => {
                self.values.index(&String::from_utf8_lossy(&cut[..error.valid_up_to()]))
            }
            Err(_) => self.values.index(&String::from_utf8_lossy(cut)),
        }
    }
}

impl Probes {
    /// Begins with the head of a request.
    pub(crate) fn begin(slices: &[Slice], headers: &[Header<'_>]) -> Self {
        let probe = |slice: &Slice| match &slice.source {
            Source::Header(name) => Probe::Known(slice.in_headers(headers, name)),
            Source::Request(_) => Probe::Request(Scanner::new()),
            Source::Answer(_) => Probe::Answer(Scanner::new()),
        };
        Self(slices.iter().map(probe).collect())
    }

    /// Looks at the next piece of the request's body.
    pub(crate) fn feed_request(&mut self, slices: &[Slice], data: &[u8]) {
        for (probe, slice) in self.0.iter_mut().zip(slices) {
            if let (Probe::Request(scanner), Source::Request(path)) = (probe, &slice.source) {
                scanner.feed(path, data);
            }
        }
    }

    /// Looks at the next piece of the answer's body.
    pub(crate) fn feed_answer(&mut self, slices: &[Slice], data: &[u8]) {
        for (probe, slice) in self.0.iter_mut().zip(slices) {
            if let (Probe::Answer(scanner), Source::Answer(path)) = (probe, &slice.source) {
                scanner.feed(path, data);
            }
        }
    }

    /// Counts an answer of a group under every slice.
    pub(crate) fn count(&self, slices: &[Slice], group: usize, answer: &SlicedAnswer) {
        for (probe, slice) in self.0.iter().zip(slices) {
            let value = match probe {
                Probe::Known(value) => *value,
                Probe::Request(scanner) | Probe::Answer(scanner) => {
                    slice.values.index(scanner.text().as_deref().unwrap_or_default())
                }
            };
            slice.stats[group].count(answer.worker, value, answer.status, answer.us, answer.class);
        }
    }
}

/// What is counted of an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlicedAnswer {
    pub(crate) worker: usize,
    pub(crate) status: u16,
    /// From the head of the request to the end of the answer.
    pub(crate) us: u64,
    /// Index of the class among those of the version.
    pub(crate) class: Option<usize>,
}

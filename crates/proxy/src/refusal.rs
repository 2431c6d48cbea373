//! Answers that the proxy gives itself.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::framing::Fault;

/// Why a request is not passed on, or why its answer is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    BadHead,
    BadHost,
    BadFraming,
    HeadTooLarge,
    HeadTimeout,
    BodyTimeout,
    Version,
    Method,
    NoTable,
    NoRoute,
    NoEndpoint,
    UpstreamUnreachable,
    UpstreamBroken,
    UpstreamTimeout,
}

/// All reasons that are counted apart from the versions.
const COUNTED: [Reason; 11] = [
    Reason::BadHead,
    Reason::BadHost,
    Reason::BadFraming,
    Reason::HeadTooLarge,
    Reason::HeadTimeout,
    Reason::BodyTimeout,
    Reason::Version,
    Reason::Method,
    Reason::NoTable,
    Reason::NoRoute,
    Reason::NoEndpoint,
];

impl From<Fault> for Reason {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed => Self::BadHead,
            Fault::TooLarge => Self::HeadTooLarge,
            Fault::Version => Self::Version,
            Fault::Host => Self::BadHost,
            Fault::Length | Fault::Coding | Fault::Chunk => Self::BadFraming,
            Fault::Method => Self::Method,
        }
    }
}

impl Reason {
    /// The status and its words, the label of the metric, and a sentence for people.
    fn parts(self) -> (u16, &'static str, &'static str, &'static str) {
        match self {
            Self::BadHead => (400, "Bad Request", "bad_head", "the request head is malformed"),
            Self::BadHost => (400, "Bad Request", "bad_host", "the request needs exactly one valid Host"),
            Self::BadFraming => (400, "Bad Request", "bad_framing", "the length of the request body is ambiguous"),
            Self::HeadTooLarge => {
                (431, "Request Header Fields Too Large", "head_too_large", "the request head is too large")
            }
            Self::HeadTimeout => (408, "Request Timeout", "head_timeout", "the request head took too long"),
            Self::BodyTimeout => (408, "Request Timeout", "body_timeout", "the request body took too long"),
            Self::Version => (505, "HTTP Version Not Supported", "version", "only HTTP/1.0 and HTTP/1.1 are served"),
            Self::Method => (501, "Not Implemented", "method", "the method is not served"),
            Self::NoTable => (503, "Service Unavailable", "no_table", "the proxy has not been told its routes yet"),
            Self::NoRoute => (404, "Not Found", "no_route", "no route takes this host and path"),
            Self::NoEndpoint => (503, "Service Unavailable", "no_endpoint", "no version of this route has an endpoint"),
            Self::UpstreamUnreachable => (502, "Bad Gateway", "upstream_unreachable", "no endpoint can be reached"),
            Self::UpstreamBroken => (502, "Bad Gateway", "upstream_broken", "the endpoint gave no valid answer"),
            Self::UpstreamTimeout => (504, "Gateway Timeout", "upstream_timeout", "the endpoint took too long"),
        }
    }

    pub(crate) fn status(self) -> u16 {
        self.parts().0
    }

    /// Writes the answer. Without `keep_alive` it says that the connection closes after it. The client of a HEAD would take a
    /// body for the next answer.
    pub(crate) fn write(self, out: &mut Vec<u8>, keep_alive: bool, is_head: bool) {
        let (status, words, label, sentence) = self.parts();
        let body = format!("{{\"error\":\"{sentence}\",\"reason\":\"{label}\"}}\n");
        let retry = if status == 503 { "retry-after: 1\r\n" } else { "" };
        let close = if keep_alive { "" } else { "connection: close\r\n" };
        let head = format!(
            "HTTP/1.1 {status} {words}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{retry}{close}\r\n",
            body.len()
        );
        out.extend_from_slice(head.as_bytes());
        if !is_head {
            out.extend_from_slice(body.as_bytes());
        }
    }
}

/// How often each reason came up, of those that belong to no version.
#[derive(Debug, Default)]
pub(crate) struct Refusals([AtomicU64; COUNTED.len()]);

impl Refusals {
    pub(crate) fn count(&self, reason: Reason) {
        if let Some(i) = COUNTED.iter().position(|r| *r == reason) {
            self.0[i].fetch_add(1, Relaxed);
        }
    }

    /// Label and count of every reason.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        COUNTED.iter().zip(&self.0).map(|(reason, count)| (reason.parts().2, count.load(Relaxed)))
    }
}

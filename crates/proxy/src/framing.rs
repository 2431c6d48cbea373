//! Where a message ends, and nothing looser: the strict reading of HTTP/1.1 heads and bodies. Bytes in, values out, no I/O.
//!
//! Two readers that disagree on where a message ends are what request smuggling lives on. So whatever the standard lets a
//! recipient repair is refused here instead: bare line feeds, folded lines, more than one length, a length beside a coding, any
//! coding but `chunked`, space inside a chunk size. What is passed on is written anew from what was understood.

mod body;
mod head;

pub use body::{Decoder, Step};
pub use head::{HEADERS_MAX, RequestHead, ResponseHead, empty_headers, is_interim, read_request, read_response};

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    Empty,
    /// So many bytes.
    Length(u64),
    /// Chunks up to an empty one.
    Chunked,
    /// Everything until the connection closes; answers only.
    UntilClose,
}

/// Why a message is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The head is not HTTP/1.x as the standard writes it.
    #[error("malformed head")]
    Malformed,
    /// More headers or bytes than allowed.
    #[error("head too large")]
    TooLarge,
    /// An HTTP version other than 1.0 and 1.1.
    #[error("unsupported HTTP version")]
    Version,
    /// No host, more than one, or one that is no host.
    #[error("invalid Host")]
    Host,
    /// A length that is no number, given twice, or beside a transfer coding.
    #[error("ambiguous message length")]
    Length,
    /// A transfer coding other than `chunked`.
    #[error("unsupported transfer coding")]
    Coding,
    /// A chunk that breaks the grammar.
    #[error("malformed chunk")]
    Chunk,
    /// A method this proxy does not serve, such as CONNECT.
    #[error("unsupported method")]
    Method,
}

#[cfg(test)]
mod tests;

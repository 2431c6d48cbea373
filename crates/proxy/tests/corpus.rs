//! Replays what the fuzzer found interesting, and random messages made of the words of the language.

#[path = "fuzzed/http_framing.rs"]
mod http_framing;

use proptest::prelude::*;

#[test]
fn the_corpus_of_messages_holds() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/http_framing");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().for_each(|path| http_framing::check(&std::fs::read(path).unwrap()));
    assert!(files.len() >= 40);
}

const WORDS: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.0 204 No\r\n",
    "Host: a\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 03\r\n",
    "Content-Length: ",
    "content_length: 4\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: ",
    "Connection: close\r\n",
    "X: y",
    "chunked",
    "identity",
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    ",",
    ";",
    ";ext=\"a;b\"",
    "0",
    "3",
    "a",
    "abc",
    "3\r\nabc\r\n",
    "0\r\n\r\n",
    "+",
    "\0",
    "é",
];

proptest! {
    #[test]
    fn random_messages_hold(
        kind in prop::sample::select(&b"qah"[..]),
        cut in any::<u8>(),
        words in prop::collection::vec(prop::sample::select(WORDS), 0..16),
    ) {
        http_framing::check(&[&[kind, cut], words.concat().as_bytes()].concat());
    }
}

//! `POST /api/v1/rollouts/NAMESPACE/NAME/labels`: what turned out to be true, from whoever knows the token.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Desk, PATIENCE, Page, refusal};
use crate::Class;
use crate::control;
use crate::labels::LABELS_MAX;
use crate::labels::read::{Format, Lines};
use crate::protocol::{Answer, Labelled, Request};

/// Largest body in bytes: some 150,000 labels.
const BODY_MAX: usize = 8 << 20;

/// Longest time that a body may take.
const BODY_PATIENCE: Duration = Duration::from_secs(60);

/// Bad lines that an answer names.
const PROBLEMS_MAX: usize = 100;

/// A refusal on the way.
type Refused = (&'static str, String);

/// Answers a request to post labels. Nothing of its body is read before its sender has shown the token.
pub(super) async fn post(
    stream: &mut TcpStream,
    request: &httparse::Request<'_, '_>,
    rest: Vec<u8>,
    desk: &Desk,
) -> Page {
    match taken(stream, request, rest, desk).await {
        Ok(page) => page,
        Err((status, why)) => refusal(status, &why),
    }
}

async fn taken(
    stream: &mut TcpStream,
    request: &httparse::Request<'_, '_>,
    rest: Vec<u8>,
    desk: &Desk,
) -> Result<Page, Refused> {
    let header = |name: &str| {
        let found = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
    };
    let authorized = header("authorization").and_then(bearer).is_some_and(|said| desk.token.is(said));
    if !authorized {
        let why = "labels need `authorization: Bearer TOKEN` with the token in the file `token` of the state folder";
        return Err(("401 Unauthorized\r\nwww-authenticate: Bearer", why.to_owned()));
    }
    let path = request.path.unwrap_or("/").split('?').next().unwrap_or("/");
    let name = path.strip_prefix("/api/v1/rollouts/").and_then(|path| path.strip_suffix("/labels"));
    let Some((namespace, name)) = name.and_then(|name| name.split_once('/')) else {
        let why = "labels are posted to /api/v1/rollouts/NAMESPACE/NAME/labels";
        return Err(("404 Not Found", why.to_owned()));
    };
    let format = format(header("content-type"))?;
    let length = header("content-length").and_then(|text| text.parse::<usize>().ok());
    let Some(length) = length.filter(|_| header("transfer-encoding").is_none()) else {
        return Err(("411 Length Required", "the request does not say its content-length".to_owned()));
    };
    if length > BODY_MAX {
        let why = format!("{length} bytes are more than {BODY_MAX}: send the labels in several requests");
        return Err(("413 Content Too Large", why));
    }
    let service = format!("{namespace}/{name}");
    exists(desk, &service).await?;
    let continues = header("expect").is_some_and(|what| what.eq_ignore_ascii_case("100-continue"));
    let body = tokio::time::timeout(BODY_PATIENCE, body(stream, rest, length, continues)).await;
    let body = match body {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return Err(("400 Bad Request", "the body ended before its content-length".to_owned())),
        Err(_) => return Err(("408 Request Timeout", "the body takes too long".to_owned())),
    };
    let (labels, problems) = read(&body, format);
    if labels.is_empty() && !problems.is_empty() {
        return Ok(unreadable(&problems));
    }
    let told = label(desk, &service, labels).await?;
    Ok(("200 OK", "application/json", json!({ "labels": told, "problems": shown(&problems) }).to_string()))
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn format(kind: Option<&str>) -> Result<Option<Format>, Refused> {
    let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    match kind.as_deref() {
        // What `curl --data-binary` says without being asked.
        None | Some("application/x-www-form-urlencoded" | "text/plain") => Ok(None),
        Some("text/csv") => Ok(Some(Format::Csv)),
        Some("application/x-ndjson" | "application/jsonl" | "application/json-lines" | "application/json") => {
            Ok(Some(Format::JsonLines))
        }
        Some(other) => {
            let why = format!("\"{}\" is neither text/csv nor application/x-ndjson", other.escape_debug());
            Err(("415 Unsupported Media Type", why))
        }
    }
}

/// Whether there is a rollout of exactly this name: a short one would do for people, and not for a program.
async fn exists(desk: &Desk, key: &str) -> Result<(), Refused> {
    let named = |view: &serde_json::Value| match (view["namespace"].as_str(), view["name"].as_str()) {
        (Some(namespace), Some(name)) => format!("{namespace}/{name}") == key,
        _ => false,
    };
    match ask(desk, Request::Status { service: Some(key.to_owned()) }).await? {
        Answer::Ok(views) if named(&views[0]) => Ok(()),
        _ => Err(("404 Not Found", format!("there is no rollout \"{}\"", key.escape_debug()))),
    }
}

async fn body(stream: &mut TcpStream, rest: Vec<u8>, length: usize, continues: bool) -> std::io::Result<Vec<u8>> {
    if continues && rest.len() < length {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let mut body = rest;
    body.truncate(length);
    let missing = length - body.len();
    let read = stream.take(missing as u64).read_to_end(&mut body).await?;
    if read == missing { Ok(body) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}

/// A bad line: its number, from 1, and what is wrong with it.
type Problem = (usize, String);

fn read(body: &[u8], format: Option<Format>) -> (Vec<(String, String)>, Vec<Problem>) {
    let mut lines = Lines::new(format);
    let (mut labels, mut problems) = (Vec::new(), Vec::new());
    for (i, line) in body.split(|byte| *byte == b'\n').enumerate() {
        let found = match std::str::from_utf8(line) {
            Ok(line) => lines.line(line),
            Err(_) => Some(Err("this is no UTF-8".to_owned())),
        };
        match found {
            Some(Ok(label)) => labels.push(label),
            Some(Err(why)) => problems.push((i + 1, why)),
            None => {}
        }
    }
    (labels, problems)
}

fn shown(problems: &[Problem]) -> serde_json::Value {
    let first = problems.iter().take(PROBLEMS_MAX);
    let first: Vec<_> = first.map(|(line, why)| json!({ "line": line, "message": why })).collect();
    json!({ "count": problems.len(), "first": first })
}

fn unreadable(problems: &[Problem]) -> Page {
    let body = json!({ "error": "no line is a label", "problems": shown(problems) });
    ("422 Unprocessable Content", "application/json", body.to_string())
}

/// Labels in pieces, each of which is durable when the next is asked for.
async fn label(desk: &Desk, service: &str, labels: Vec<(String, String)>) -> Result<Labelled, Refused> {
    let mut all = Labelled::default();
    let mut labels = labels.into_iter().peekable();
    loop {
        let labels_now: Vec<(String, String)> = labels.by_ref().take(LABELS_MAX).collect();
        let request = Request::Labels { service: service.to_owned(), labels: labels_now };
        match ask(desk, request).await? {
            Answer::Ok(told) => match serde_json::from_value::<Labelled>(told) {
                Ok(told) => all.merge(told),
                Err(error) => return Err(("500 Internal Server Error", error.to_string())),
            },
            Answer::Error(refused) => {
                let status = match refused.class {
                    Class::User => "422 Unprocessable Content",
                    Class::Retry | Class::Conflict => "503 Service Unavailable",
                    Class::Bug => "500 Internal Server Error",
                };
                let counted = match all.counted {
                    0 => String::new(),
                    n => format!("; {n} labels before that were counted, and all can be sent again"),
                };
                return Err((status, refused.message + &counted));
            }
        }
        if labels.peek().is_none() {
            return Ok(all);
        }
    }
}

async fn ask(desk: &Desk, request: Request) -> Result<Answer, Refused> {
    let answer = tokio::time::timeout(PATIENCE, control::ask(&desk.requests, request)).await;
    answer.map_err(|_| {
        let why = "the control process does not answer in time; the labels can be sent again, none is counted twice";
        ("503 Service Unavailable", why.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_line_by_line_and_bad_lines_are_named() {
        let (labels, problems) = read(b"request_id,label\na,yes\nb\n\xff,no\n\nc,no\n", Some(Format::Csv));
        assert_eq!(labels.len(), 2);
        assert_eq!(problems.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(shown(&problems)["count"], 2);
        assert_eq!(unreadable(&problems).0, "422 Unprocessable Content");
        assert_eq!(read(b"", None), (Vec::new(), Vec::new()));
    }

    #[test]
    fn the_content_type_says_the_format() {
        assert_eq!(format(Some("text/csv; charset=utf-8")), Ok(Some(Format::Csv)));
        assert_eq!(format(Some("Application/X-NDJSON")), Ok(Some(Format::JsonLines)));
        assert_eq!(format(None), Ok(None));
        assert_eq!(format(Some("image/png")).unwrap_err().0, "415 Unsupported Media Type");
    }

    #[test]
    fn only_bearer_tokens_are_looked_at() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        assert_eq!((bearer("Basic abc"), bearer("abc")), (None, None));
    }
}

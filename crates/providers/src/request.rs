//! Requests and responses as values.

use std::time::Duration;

use crate::error::ProviderError;
use crate::url::Url;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Send a body to be worked on.
    Post,
    /// Send a body to be kept.
    Put,
}

impl Method {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
        }
    }
}

/// A request to a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is done.
    pub method: Method,
    /// Where, with scheme, host and path.
    pub url: String,
    /// Headers in order. Host, length and connection are added when it is sent.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// The time that everything together may take, redirects included.
    pub timeout: Duration,
    /// Do not check the certificate of the other side.
    pub insecure: bool,
}

/// The answer of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of a name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether the status says that it went well.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Headers that are for one server only and do not follow a redirect to another.
const PRIVATE: [&str; 3] = ["authorization", "cookie", "www-authenticate"];

impl Request {
    /// The request that a redirect asks for; none if the response is no redirect.
    ///
    /// # Errors
    /// When the redirect leads nowhere.
    pub fn redirected(&self, response: &Response) -> Result<Option<Request>, ProviderError> {
        let keeps_body = match response.status {
            301..=303 => false,
            307 | 308 => true,
            _ => return Ok(None),
        };
        let Some(location) = response.header("location") else {
            return Ok(None);
        };
        let from = Url::parse(&self.url)?;
        let to = from.join(location)?;
        let mut next = Request { url: to.to_string(), ..self.clone() };
        if !keeps_body {
            next.method = Method::Get;
            next.body.clear();
            next.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        }
        if from.address() != to.address() || from.tls != to.tls {
            next.headers.retain(|(name, _)| !PRIVATE.contains(&name.to_ascii_lowercase().as_str()));
        }
        Ok(Some(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method) -> Request {
        Request {
            method,
            url: "http://a:1/x/y?z=1".into(),
            headers: vec![("Authorization".into(), "Basic eA==".into()), ("Content-Type".into(), "text/plain".into())],
            body: b"body".to_vec(),
            timeout: Duration::from_secs(1),
            insecure: false,
        }
    }

    fn redirect(status: u16, location: &str) -> Response {
        Response { status, headers: vec![("LOCATION".into(), location.into())], body: Vec::new() }
    }

    #[test]
    fn a_redirect_makes_another_request() {
        let next = |status, location| request(Method::Post).redirected(&redirect(status, location)).unwrap();
        let moved = next(302, "/new").unwrap();
        assert_eq!((moved.method, moved.url.as_str(), moved.body.len()), (Method::Get, "http://a:1/new", 0));
        assert_eq!(moved.headers.len(), 1);
        let kept = next(307, "other").unwrap();
        assert_eq!((kept.method, kept.url.as_str(), kept.body.len()), (Method::Post, "http://a:1/x/other", 4));
        assert_eq!(next(200, "/new"), None);
        assert_eq!(next(304, "/new"), None);
    }

    #[test]
    fn secrets_do_not_go_to_another_server() {
        let next = |location| request(Method::Get).redirected(&redirect(308, location)).unwrap().unwrap();
        assert!(next("http://a:1/z").headers.iter().any(|(name, _)| name == "Authorization"));
        assert!(!next("http://b:1/z").headers.iter().any(|(name, _)| name == "Authorization"));
        assert!(!next("https://a:1/z").headers.iter().any(|(name, _)| name == "Authorization"));
        assert!(request(Method::Get).redirected(&redirect(302, "ftp://a/")).is_err());
    }
}

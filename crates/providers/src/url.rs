//! Addresses of sources: `http` and `https` with host, port, path and query.

use std::fmt;

use crate::error::ProviderError;

/// An address in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    /// Whether it is `https`.
    pub(crate) tls: bool,
    /// Name or address of the host, an IPv6 address without its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path and query, starting with `/`.
    pub(crate) target: String,
}

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Url, ProviderError> {
        let fail = |message: &str| Err(ProviderError::config(format!("{message} in the address {text:?}")));
        if text.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return fail("there is a space or control character");
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return fail("expected http:// or https://"),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return fail("user and password do not belong");
        }
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port),
            None => authority.split_at(authority.rfind(':').unwrap_or(authority.len())),
        };
        if host.is_empty() {
            return fail("there is no host");
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => {
                if tls {
                    443
                } else {
                    80
                }
            }
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => match digits.parse() {
                Ok(port) => port,
                Err(_) => return fail("the port is not a port"),
            },
            _ => return fail("the port is not a port"),
        };
        let target = target.split('#').next().unwrap_or_default();
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Url { tls, host: host.to_owned(), port, target: format!("{slash}{target}") })
    }

    /// Host and port as they stand in an address.
    pub(crate) fn address(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{host}:{}", self.port)
    }

    /// The value of the header `Host`: the port only where it is not the usual one.
    pub(crate) fn host_header(&self) -> String {
        let address = self.address();
        let usual = if self.tls { ":443" } else { ":80" };
        address.strip_suffix(usual).map(str::to_owned).unwrap_or(address)
    }

    /// This address with `path` behind its own path, and without a query.
    pub(crate) fn with_path(&self, path: &str) -> Url {
        let own = self.target.split('?').next().unwrap_or_default().trim_end_matches('/');
        Url { target: format!("{own}{path}"), ..self.clone() }
    }

    /// The address that a reference means from here.
    pub(crate) fn join(&self, reference: &str) -> Result<Url, ProviderError> {
        if reference.contains("://") {
            return Url::parse(reference);
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return Url::parse(&format!("{}://{rest}", if self.tls { "https" } else { "http" }));
        }
        let reference = reference.split('#').next().unwrap_or_default();
        let own = self.target.split('?').next().unwrap_or_default();
        let target = match reference.chars().next() {
            None => self.target.clone(),
            Some('/') => reference.to_owned(),
            Some('?') => format!("{own}{reference}"),
            Some(_) => format!("{}/{reference}", &own[..own.rfind('/').unwrap_or(0)]),
        };
        Url::parse(&Url { target, ..self.clone() }.to_string())
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.host_header(), self.target)
    }
}

/// A text as it stands in a form or a query.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_their_parts() {
        let check = |text: &str, tls: bool, host: &str, port: u16, target: &str| {
            let want = Url { tls, host: host.into(), port, target: target.into() };
            assert_eq!(Url::parse(text).unwrap(), want, "{text}");
        };
        check("http://a", false, "a", 80, "/");
        check("HTTPS://a.b:8443/x?y=1#z", true, "a.b", 8443, "/x?y=1");
        check("http://[::1]:9/x", false, "::1", 9, "/x");
        check("http://a?x=1", false, "a", 80, "/?x=1");
    }

    #[test]
    fn what_is_no_address() {
        for text in ["", "a", "a/b", "ftp://a", "http://", "http://:80", "http://a:x", "http://a:99999", "http://u:p@a"]
        {
            assert!(Url::parse(text).is_err(), "{text}");
        }
        assert!(Url::parse("http://a/x y").is_err() && Url::parse("http://a/\r\nX: y").is_err());
    }

    #[test]
    fn addresses_print_as_they_are_sent() {
        assert_eq!(Url::parse("http://a:80/x").unwrap().to_string(), "http://a/x");
        assert_eq!(Url::parse("https://[::1]:444").unwrap().to_string(), "https://[::1]:444/");
        assert_eq!(Url::parse("http://a/p/?q").unwrap().with_path("/api").to_string(), "http://a/p/api");
        assert_eq!(encode("a b+é\"/"), "a+b%2B%C3%A9%22%2F");
    }
}

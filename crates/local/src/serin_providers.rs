//! temp
#![allow(missing_docs, dead_code, unused_variables)]
pub struct Measured { pub value: serin_expr::Value, pub text: String }
impl std::fmt::Debug for Measured { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.text) } }
pub mod embedded { use super::*; 
 pub fn measure(s: &serin_promql::Store, m: &serin_spec::wire::provider::PrometheusMetric, at: i64) -> Result<Measured, String> { let q = serin_promql::Query::parse(m.query.as_deref().unwrap_or_default()).map_err(|e| e.message)?; match q.eval(s, at).map_err(|e| e.to_string())? { serin_promql::Value::Vector(v) => { let f: Vec<f64> = v.iter().map(|x| x.1).collect(); Ok(Measured { text: format!("{f:?}"), value: serin_expr::Value::from(f) }) } serin_promql::Value::Scalar(x) => Ok(Measured { text: format!("{x}"), value: serin_expr::Value::Float(x) }), other => Err(format!("{other:?}")) } }
 pub fn describe(v: &serin_promql::Value) -> String { format!("{v:?}") } }
pub mod http { 
 #[derive(Clone)] pub struct Request { pub max_bytes: usize, pub timeout: std::time::Duration, pub url: String }
 thread_local! { static U: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) }; }
 impl Request { pub fn get(u: &str) -> Self { U.with(|c| *c.borrow_mut() = u.to_owned()); Self { max_bytes: 0, timeout: std::time::Duration::ZERO, url: u.to_owned() } } }
 pub struct Response { pub status: u16, pub body: Vec<u8> }
 pub async fn send(r: Request) -> Result<Response, String> { use tokio::io::{AsyncReadExt,AsyncWriteExt}; let rest = r.url.strip_prefix("http://").unwrap(); let (h, p) = rest.split_once('/').unwrap(); let mut s = tokio::net::TcpStream::connect(h).await.map_err(|e| e.to_string())?; s.write_all(format!("GET /{p} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await.map_err(|e| e.to_string())?; let mut b = Vec::new(); s.read_to_end(&mut b).await.map_err(|e| e.to_string())?; let at = b.windows(4).position(|w| w == b"\r\n\r\n").unwrap(); Ok(Response { status: 200, body: b[at+4..].to_vec() }) } }
pub mod prometheus { use super::*; pub fn request(m: &serin_spec::wire::provider::PrometheusMetric, at: i64) -> Result<http::Request, String> { todo!() } pub fn measured(m: &serin_spec::wire::provider::PrometheusMetric, r: &http::Response) -> Result<Measured, String> { todo!() } }
pub mod web { use super::*; pub fn request(m: &serin_spec::wire::provider::WebMetric) -> Result<http::Request, String> { todo!() } pub fn measured(m: &serin_spec::wire::provider::WebMetric, r: &http::Response) -> Result<Measured, String> { todo!() } }

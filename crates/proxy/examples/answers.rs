//! Model services that do nothing but answer, for the benchmarks: `answers ADDRESS=VERSION...`, all on one thread, so that what is measured is the proxy in
//! front of them. Requests are read whole; `GET /requests` tells how many a version has answered.

use std::cell::Cell;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Failure = Box<dyn std::error::Error>;

/// Of ten answers three are of this class.
const CLASSES: [&str; 2] = ["dog", "cat"];

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        let mut services = Vec::new();
        for argument in std::env::args().skip(1) {
            let (address, version) = argument.split_once('=').ok_or("usage: answers ADDRESS=VERSION...")?;
            services.push(tokio::task::spawn_local(serve(TcpListener::bind(address).await?, version.to_owned())));
        }
        for service in services {
            service.await??;
        }
        Ok(())
    })
}

async fn serve(listener: TcpListener, version: String) -> std::io::Result<()> {
    let (answered, version) = (Rc::new(Cell::new(0_u64)), Rc::new(version));
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        let (answered, version) = (answered.clone(), version.clone());
        // A client that breaks off is no fault of ours.
        tokio::task::spawn_local(async move { answer(connection, &answered, &version).await.unwrap_or_default() });
    }
}

async fn answer(mut connection: TcpStream, answered: &Cell<u64>, version: &str) -> Result<(), Failure> {
    let mut buffer = Vec::with_capacity(16 * 1024);
    loop {
        let Some((length, counts)) = whole(&buffer)? else {
            if connection.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            continue;
        };
        buffer.drain(..length);
        let body = if counts {
            let class = CLASSES[usize::from(answered.get() % 10 >= 3)];
            answered.set(answered.get() + 1);
            format!(r#"{{"prediction":"{class}","probability":0.912345,"model":"pets","version":"{version}"}}"#)
        } else {
            answered.get().to_string()
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nserver: answers\r\ndate: Thu, 26 Nov 2026 12:00:00 GMT\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        connection.write_all((head + &body).as_bytes()).await?;
    }
}

/// The length of the request that the buffer begins with, once all of it is there, and whether it is one to a model.
fn whole(buffer: &[u8]) -> Result<Option<(usize, bool)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(buffer)? else { return Ok(None) };
    let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let body: usize = length.map_or(Ok(0), |header| std::str::from_utf8(header.value).unwrap_or("").parse())?;
    Ok((buffer.len() >= head + body).then_some((head + body, request.path != Some("/requests"))))
}

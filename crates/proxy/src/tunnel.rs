//! Bytes both ways after an upgrade, until both sides have finished or neither says anything for too long.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::Instant;

use crate::stream::{Input, Scratch, Timer};

/// One end: its connection, and what came on it along with the head.
pub(crate) type End<'a> = (&'a mut TcpStream, &'a mut Input);

/// Copies in both directions.
pub(crate) async fn tunnel(client: End<'_>, upstream: End<'_>, timer: &mut Timer, scratch: &Scratch, idle: Duration) {
    let active = Cell::new(Instant::now());
    let (mut client_read, mut client_write) = client.0.split();
    let (mut up_read, mut up_write) = upstream.0.split();
    let mut there = pin!(copy(client.1, &mut client_read, &mut up_write, scratch, &active));
    let mut back = pin!(copy(upstream.1, &mut up_read, &mut client_write, scratch, &active));
    let (mut there_done, mut back_done) = (false, false);
    poll_fn(|cx| {
        // After an error in one direction the other one makes no sense.
        if advance(there.as_mut(), &mut there_done, cx).is_err() || advance(back.as_mut(), &mut back_done, cx).is_err()
        {
            return Poll::Ready(());
        }
        if there_done && back_done { Poll::Ready(()) } else { timer.poll_past(cx, active.get() + idle) }
    })
    .await;
}

/// Polls a direction unless it has finished.
fn advance<F>(direction: Pin<&mut F>, done: &mut bool, cx: &mut Context<'_>) -> io::Result<()>
where
    F: Future<Output = io::Result<()>>,
{
    if !*done && let Poll::Ready(result) = direction.poll(cx) {
        *done = true;
        return result;
    }
    Ok(())
}

async fn copy(
    input: &mut Input,
    from: &mut ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
    scratch: &Scratch,
    active: &Cell<Instant>,
) -> io::Result<()> {
    loop {
        to.write_all(input.rest()).await?;
        input.clear();
        if input.fill(from, scratch).await? == 0 {
            return to.shutdown().await;
        }
        active.set(Instant::now());
    }
}

//! Waiting for something to come about, but not for ever.

use std::time::{Duration, Instant};

/// How long to wait between two looks: short beside anything that a cluster does.
const PERIOD: Duration = Duration::from_millis(100);

/// Waits until `attempt` succeeds. Its error is what to show of its last time.
///
/// # Panics
/// When it does not succeed within the bound.
pub fn wait_for<T>(what: &str, bound: Duration, attempt: impl FnMut() -> Result<T, String>) -> T {
    poll(bound, attempt).unwrap_or_else(|last| panic!("{what}: not within {} s\nlast seen:\n{last}", bound.as_secs()))
}

/// The last error when time runs out. There is always a last attempt at the end of the time.
pub(crate) fn poll<T>(bound: Duration, mut attempt: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let begun = Instant::now();
    loop {
        let over = begun.elapsed() >= bound;
        match attempt() {
            Ok(found) => return Ok(found),
            Err(last) if over => return Err(last),
            Err(_) => std::thread::sleep(PERIOD),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_about_is_returned_and_what_does_not_is_shown_as_it_was_last() {
        let mut looks = 0;
        let third = poll(Duration::from_secs(60), || {
            looks += 1;
            if looks == 3 { Ok("there") } else { Err(String::new()) }
        });
        assert_eq!((third, looks), (Ok("there"), 3));
        assert_eq!(poll(Duration::ZERO, || Err::<(), _>("pending".to_owned())), Err("pending".to_owned()));
    }
}

//! What members print, kept within bounds. A member writes straight into its file, so that it can go on while nobody
//! watches; the file is rotated by copying its end and truncating it, which appending writers survive.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Largest size of the file being written before it is rotated, in bytes.
pub const ROTATE_AT: u64 = 8 << 20;

/// Bytes of the end that one rotation keeps.
pub const KEEP: u64 = 2 << 20;

/// Opens a log for a process to append to.
///
/// # Errors
/// As opening a file.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// The rotated neighbour of a log.
pub fn previous(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

/// Rotates a log that is too large; returns whether it was.
///
/// # Errors
/// As reading and writing the files.
pub fn rotate(path: &Path) -> io::Result<bool> {
    let Ok(metadata) = std::fs::metadata(path) else { return Ok(false) };
    if metadata.len() <= ROTATE_AT {
        return Ok(false);
    }
    let mut end = Vec::new();
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    file.seek(SeekFrom::End(-(KEEP.min(metadata.len()) as i64)))?;
    Read::by_ref(&mut file).take(KEEP).read_to_end(&mut end)?;
    let start = end.iter().position(|b| *b == b'\n').map_or(0, |i| i + 1);
    let mut kept = File::create(previous(path))?;
    kept.write_all(&end[start..])?;
    file.set_len(0)?;
    Ok(true)
}

/// The last `lines` lines of a log, the rotated part included.
///
/// # Errors
/// As reading the files; a missing one counts as empty.
pub fn tail(path: &Path, lines: usize) -> io::Result<Vec<String>> {
    let mut all = Vec::new();
    for part in [previous(path), path.to_owned()] {
        let Ok(mut file) = File::open(&part) else { continue };
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(KEEP)))?;
        let mut text = Vec::new();
        file.take(KEEP).read_to_end(&mut text)?;
        all.extend(String::from_utf8_lossy(&text).lines().map(str::to_owned));
    }
    let skip = all.len().saturating_sub(lines);
    Ok(all.split_off(skip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_stays_bounded_while_its_writer_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.log");
        let mut writer = open(&path).unwrap();
        let line = format!("{}\n", "x".repeat(1023));
        for i in 0..20_000 {
            writer.write_all(line.as_bytes()).unwrap();
            if i % 4_000 == 0 {
                rotate(&path).unwrap();
            }
        }
        rotate(&path).unwrap();
        writer.write_all(b"the end\n").unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < ROTATE_AT);
        assert!(std::fs::metadata(previous(&path)).unwrap().len() <= KEEP);
        let tail = tail(&path, 2).unwrap();
        assert_eq!(tail.last().map(String::as_str), Some("the end"));
        assert_eq!(tail.len(), 2);
    }
}

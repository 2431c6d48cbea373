//! What must hold for every damage to a state file: opening or reading it fails with an error, or it holds what was written
//! to it. It is never a panic, and never something that nobody wrote.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use redb::StorageBackend;
use serin_local::store::{Batch, Shelf, Store};

/// A file in memory.
#[derive(Debug, Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.lock().unwrap();
        let range = usize::try_from(offset).ok().and_then(|start| bytes.get(start..start.checked_add(out.len())?));
        out.copy_from_slice(range.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        // What a damaged head may ask for is no reason to use up the memory.
        let len = usize::try_from(len).ok().filter(|len| *len <= 1 << 28).ok_or(io::ErrorKind::StorageFull)?;
        self.0.lock().unwrap().resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap();
        let range = usize::try_from(offset).ok().and_then(|start| bytes.get_mut(start..start.checked_add(data.len())?));
        range.ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        Ok(())
    }
}

impl Memory {
    /// As `Store::open` opens a file.
    fn open(&self) -> Result<Store, serin_local::LocalError> {
        let memory = self.clone();
        let opener = move || redb::Builder::new().set_check_integrity_on_open(true).create_with_backend(memory.clone());
        Store::over(opener, PathBuf::from("state.redb"))
    }
}

/// Versions that are written one after the other; a file may hold any of them, but nothing else.
const VERSIONS: [&str; 3] = ["first", "second", "third"];

/// A file to which three versions were written.
fn good() -> &'static [u8] {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    GOOD.get_or_init(|| {
        let memory = Memory::default();
        for version in VERSIONS {
            let mut batch = Batch::default();
            for i in 0..40 {
                batch.put(Shelf::Workloads, format!("ns/{i}"), &version).unwrap();
            }
            batch.put(Shelf::Runs, "ns/run", &version.repeat(900)).unwrap();
            memory.open().unwrap().commit(batch).unwrap();
        }
        let content = memory.0.lock().unwrap();
        content.clone()
    })
}

/// The damage: each piece of six bytes says where (four), how (one) and with what (one).
pub(crate) fn check(damage: &[u8]) {
    let mut bytes = good().to_vec();
    for piece in damage.chunks_exact(6).take(64) {
        let place = u32::from_le_bytes([piece[0], piece[1], piece[2], piece[3]]) as usize % bytes.len().max(1);
        match piece[4] % 4 {
            0 => bytes.get_mut(place).into_iter().for_each(|b| *b ^= piece[5]),
            1 => bytes.iter_mut().skip(place).take(usize::from(piece[5]) * 16).for_each(|b| *b = 0),
            2 => bytes.truncate(place),
            _ => bytes.iter_mut().skip(place).take(512).for_each(|b| *b = piece[5]),
        }
    }
    let memory = Memory(Arc::new(Mutex::new(bytes)));
    let Ok(store) = memory.open() else { return };
    let Ok(records) = store.read::<String>(Shelf::Workloads) else { return };
    for (key, version) in &records {
        assert!(key.starts_with("ns/") && VERSIONS.contains(&version.as_str()), "{key}: {version}");
    }
    assert!(records.is_empty() || records.iter().all(|(_, version)| *version == records[0].1), "versions are mixed");
}

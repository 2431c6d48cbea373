//! A state file that something else wrote into, or that others could read.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serin_local::LocalError;
use serin_local::store::{Batch, FILE, Shelf, Store};

/// Keeps a record that is larger than a page of the file.
fn keep(folder: &Path, version: u64) {
    let mut batch = Batch::default();
    batch.put(Shelf::Workloads, "ns/name", &vec![version; 20_000]).unwrap();
    Store::open(folder).unwrap().commit(batch).unwrap();
}

fn kept(folder: &Path) -> Result<u64, LocalError> {
    let records: Vec<(String, Vec<u64>)> = Store::open(folder)?.read(Shelf::Workloads)?;
    assert!(records[0].1.iter().all(|n| *n == records[0].1[0]), "half of one and half of another");
    Ok(records[0].1[0])
}

#[test]
fn a_damaged_file_is_an_error_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    (1..=3).for_each(|version| keep(folder.path(), version));
    let good = std::fs::read(&path).unwrap();
    let damaged = [
        ("half of it", good[..good.len() / 2].to_vec()),
        ("zeroes after the head", [&good[..8192], vec![0; good.len() - 8192].as_slice()].concat()),
        ("another file", b"kind: Rollout\n".repeat(1000)),
    ];
    for (what, bytes) in damaged {
        std::fs::write(&path, bytes).unwrap();
        let error = kept(folder.path()).unwrap_err();
        assert!(matches!(&error, LocalError::State { path, .. } if path.ends_with(FILE)), "{what}: {error}");
    }
    std::fs::write(&path, good).unwrap();
    assert_eq!(kept(folder.path()).unwrap(), 3);
}

#[test]
fn one_changed_byte_is_found_or_did_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    (1..=3).for_each(|version| keep(folder.path(), version));
    let good = std::fs::read(&path).unwrap();
    let mut refused = 0;
    for place in (0..good.len()).step_by(good.len() / 60) {
        let mut bytes = good.clone();
        bytes[place] ^= 0xff;
        std::fs::write(&path, bytes).unwrap();
        match kept(folder.path()) {
            Ok(version) => assert_eq!(version, 3, "byte {place}"),
            Err(LocalError::State { .. }) => refused += 1,
            Err(other) => panic!("byte {place}: {other}"),
        }
    }
    assert!(refused > 0);
}

#[test]
fn the_file_is_its_owners_alone_also_where_the_folder_is_not() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = folder.path().join(FILE);
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    keep(folder.path(), 1);
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(kept(folder.path()).unwrap(), 1);
    assert_eq!(mode(), 0o600);
}

//! Writes the CustomResourceDefinitions into a folder: what `cargo xtask crds` runs.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: crds FOLDER");
        return ExitCode::from(2);
    };
    for definition in serin_spec::crd::definitions() {
        let path = folder.join(definition.file);
        let written = serde_saphyr::to_string(&definition.object)
            .map_err(|e| e.to_string())
            .and_then(|text| std::fs::write(&path, text).map_err(|e| e.to_string()));
        if let Err(why) = written {
            eprintln!("error: failed to write {}: {why}", path.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

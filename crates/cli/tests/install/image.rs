//! The image: made twice it is the same, it holds what the program needs and nobody who is root.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::{root, said};

fn build(words: &[&str]) -> Output {
    Command::new(root().join("deploy/image/build")).args(words).current_dir(root()).output().unwrap()
}

fn run(program: &str, words: &[&str]) -> Output {
    let output = Command::new(program).args(words).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(output.status.success(), "{program} {words:?}: {}", said(&output));
    output
}

fn blob(archive: &Path, digest: &str) -> std::path::PathBuf {
    archive.join("blobs/sha256").join(digest.strip_prefix("sha256:").unwrap())
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_image_is_whole_and_the_same_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    // What only a debugger reads is left out, to have less to copy.
    run("strip", &["-o", &path("serin"), env!("CARGO_BIN_EXE_serin")]);
    for archive in ["one.tar", "two.tar"] {
        let output =
            build(&["--binary", &path("serin"), "--image", "registry.example/serin:1", "--output", &path(archive)]);
        assert!(output.status.success(), "{}", said(&output));
    }
    assert!(std::fs::read(path("one.tar")).unwrap() == std::fs::read(path("two.tar")).unwrap());
    let archive = folder.path().join("archive");
    std::fs::create_dir(&archive).unwrap();
    run("tar", &["-xf", &path("one.tar"), "-C", archive.to_str().unwrap()]);

    let listed = &json(&archive.join("index.json"))["manifests"][0];
    assert_eq!(listed["annotations"]["io.containerd.image.name"], "registry.example/serin:1");
    let manifest = json(&blob(&archive, listed["digest"].as_str().unwrap()));
    let config = json(&blob(&archive, manifest["config"]["digest"].as_str().unwrap()));
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["/usr/bin/serin"]));
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    assert_eq!(config["rootfs"]["diff_ids"][0], layer);
    for entry in std::fs::read_dir(archive.join("blobs/sha256")).unwrap() {
        let entry = entry.unwrap();
        let sum = run("sha256sum", &[entry.path().to_str().unwrap()]).stdout;
        assert!(String::from_utf8(sum).unwrap().starts_with(entry.file_name().to_str().unwrap()));
    }
    let docker = &json(&archive.join("manifest.json"))[0];
    assert_eq!(docker["RepoTags"][0], "registry.example/serin:1");
    assert!(archive.join(docker["Layers"][0].as_str().unwrap()).is_file());

    let tree = folder.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    run("tar", &["-xf", blob(&archive, layer).to_str().unwrap(), "-C", tree.to_str().unwrap()]);
    assert!(std::fs::metadata(tree.join("etc/ssl/certs/ca-certificates.crt")).unwrap().len() > 10_000);
    // As its own root, the files of the image are all that there is.
    let version = run("unshare", &["--map-root-user", "--root", tree.to_str().unwrap(), "/usr/bin/serin", "--version"]);
    assert_eq!(String::from_utf8(version.stdout).unwrap(), concat!("serin ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn what_cannot_be_an_image_is_refused() {
    let check = |words: &[&str], want: &str| {
        let output = build(words);
        assert!(!output.status.success() && said(&output).contains(want), "{}", said(&output));
    };
    check(&["--binary", "no-such-file"], "there is no no-such-file");
    check(&["--binary", "README.md", "--output", "target/no-image.tar"], "no program of Linux");
    check(&["--image", "serin"], "expected a tag");
}

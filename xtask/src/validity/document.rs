//! Writing the document: its text is written by people, its tables stand between marks and are written anew.

use std::fs;
use std::path::Path;

use crate::TaskError;

/// A table of the document: its name and its text.
pub(crate) type Block = (&'static str, String);

/// Writes pictures into the folder `out` and tables into `out.md`.
pub(crate) fn write(out: &Path, blocks: &[Block], pictures: &[(&str, String)]) -> Result<(), TaskError> {
    let document = out.with_extension("md");
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |e: std::io::Error| TaskError::Found(format!("failed to write {path}: {e}"))
    };
    let before = fs::read_to_string(&document).map_err(|e| TaskError::read(document.display().to_string(), e))?;
    let after = replaced(&before, blocks)
        .map_err(|name| TaskError::Found(format!("{} has no place for {name}", document.display())))?;
    fs::create_dir_all(out).map_err(failed(out))?;
    for (name, svg) in pictures {
        let path = out.join(name);
        fs::write(&path, svg).map_err(failed(&path))?;
    }
    fs::write(&document, after).map_err(failed(&document))
}

/// The text with every block in its place, or the name of one that has none.
fn replaced<'a>(text: &str, blocks: &'a [Block]) -> Result<String, &'a str> {
    let mut text = text.to_owned();
    for (name, block) in blocks {
        let (begin, end) =
            (format!("<!-- {name}: written by `cargo xtask validity` -->"), format!("<!-- end of {name} -->"));
        let from = text.find(&begin).ok_or(*name)? + begin.len();
        let to = from + text[from..].find(&end).ok_or(*name)?;
        text.replace_range(from..to, &format!("\n\n{}\n\n", block.trim_end()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a\n<!-- one: written by `cargo xtask validity` -->\nold\n<!-- end of one -->\nb\n";

    #[test]
    fn a_block_takes_the_place_of_the_one_before_and_of_nothing_else() {
        let new = replaced(TEXT, &[("one", "new\n".to_owned())]).unwrap();
        assert_eq!(new, "a\n<!-- one: written by `cargo xtask validity` -->\n\nnew\n\n<!-- end of one -->\nb\n");
        assert_eq!(replaced(&new, &[("one", "new".to_owned())]).unwrap(), new);
        assert_eq!(replaced(TEXT, &[("two", String::new())]), Err("two"));
    }

    #[test]
    fn the_document_has_a_place_for_every_block() {
        let path = crate::repository::root().join("docs/verdicts.md");
        let text = fs::read_to_string(path).unwrap();
        let blocks: Vec<Block> = super::super::report::NAMES.map(|name| (name, String::new())).to_vec();
        assert!(replaced(&text, &blocks).is_ok());
    }

    #[test]
    fn pictures_and_tables_are_written() {
        let folder = std::env::temp_dir().join(format!("serin-validity-{}", std::process::id()));
        let out = folder.join("verdicts");
        fs::create_dir_all(&folder).unwrap();
        assert!(write(&out, &[], &[]).is_err(), "there is no document");
        fs::write(out.with_extension("md"), TEXT).unwrap();
        write(&out, &[("one", "new".to_owned())], &[("a.svg", "<svg/>".to_owned())]).unwrap();
        assert_eq!(fs::read_to_string(out.join("a.svg")).unwrap(), "<svg/>");
        assert!(fs::read_to_string(out.with_extension("md")).unwrap().contains("new"));
        fs::remove_dir_all(&folder).unwrap();
    }
}

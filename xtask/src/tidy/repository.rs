//! The repository as text: every file that is ours, read once.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::source::Source;

/// Folders that hold what others wrote or what was built; git ignores them too.
const NOT_OURS: [&str; 7] =
    [".git", "target", "node_modules", "__pycache__", "fuzz/corpus", "fuzz/artifacts", "fuzz/target"];
/// Names of such folders begin so.
const NOT_OURS_EITHER: &str = ".venv";

/// The files of the repository that hold text, in the order of their paths.
pub(super) struct Repository(Vec<File>);

/// One file.
pub(super) struct File {
    /// Relative to the root, with slashes.
    pub(super) path: String,
    pub(super) text: String,
}

// === impl Repository ===

impl Repository {
    /// Reads everything below `root`. What is not text is passed over.
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for path in entries(&folder).with_context(|| format!("{} cannot be read", folder.display()))? {
                let relative = relative(root, &path);
                if path.is_symlink() || is_foreign(&relative) {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(text) = String::from_utf8(std::fs::read(&path)?) {
                    files.push(File { path: relative, text });
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self(files))
    }

    /// A repository that a test makes up.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() }).collect())
    }

    pub(super) fn files(&self) -> &[File] {
        &self.0
    }

    /// The file at `path`.
    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.0.iter().find(|file| file.path == path)
    }

    /// The Rust files, understood.
    pub(super) fn sources(&self) -> Vec<Source<'_>> {
        self.0.iter().filter(|file| file.path.ends_with(".rs")).map(Source::read).collect()
    }
}

fn entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
}

fn relative(root: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(root).unwrap_or(path).components();
    parts.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
}

fn is_foreign(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    NOT_OURS.contains(&name) || NOT_OURS.contains(&path) || name.starts_with(NOT_OURS_EITHER)
}

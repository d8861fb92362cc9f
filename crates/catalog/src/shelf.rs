//! The catalog kept on disk, so that after a restart lists are served at once while upstreams come up.
//!
//! One file an upstream, named after it and after what it is made of (command or URL), so that a changed config never serves
//! another server's tools. It holds what upstreams tell anyone who asks, no secrets; still, only the owner may read it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toolgate_protocol::{Era, Json, Kind, Object, Revision, UpstreamName};

use crate::offer::{Admission, Listed, Offer};

/// A folder of remembered offers.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
}

/// The form of the files; another number is not read.
const FORMAT: u64 = 1;
/// How long a verdict for the legacy era holds.
const LEGACY_BELIEVED: Duration = Duration::from_secs(24 * 3600);
/// Larger files are not read.
const MAX_FILE: u64 = 256 << 20;

// === impl Shelf ===

impl Shelf {
    /// A shelf in `folder`, which is made when first needed.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, upstream: &UpstreamName, fingerprint: &str) -> PathBuf {
        self.folder.join(format!("{upstream}-{fingerprint}.json"))
    }

    /// What the upstream offered when it was last asked; `None` when nothing readable is there.
    pub fn load(
        &self,
        upstream: &UpstreamName,
        fingerprint: &str,
        permits: &(dyn Fn(&str) -> bool + Sync),
    ) -> Option<Offer> {
        let path = self.path(upstream, fingerprint);
        if fs::metadata(&path).ok()?.len() > MAX_FILE {
            return None;
        }
        let text = fs::read(&path).ok()?;
        let offer = Json::parse_within(text.into(), toolgate_protocol::json::MAX_DEPTH + 8)
            .ok()
            .and_then(|json| read(&json, permits));
        if offer.is_none() {
            tracing::warn!(%upstream, path = %path.display(), "the remembered catalog cannot be read; asking the upstream instead");
        }
        offer
    }

    /// The era to meet an upstream with, from what is remembered of it. That it was of the legacy era is believed for a day
    /// only: a server that has learned the modern one would answer the old way for ever.
    pub fn era(&self, upstream: &UpstreamName, fingerprint: &str, remembered: &Offer) -> Option<Era> {
        let written = fs::metadata(self.path(upstream, fingerprint)).and_then(|file| file.modified()).ok()?;
        let is_fresh = written.elapsed().is_ok_and(|age| age < LEGACY_BELIEVED);
        (remembered.era == Era::Modern || is_fresh).then_some(remembered.era)
    }

    /// Remembers what the upstream offers.
    pub fn store(&self, upstream: &UpstreamName, fingerprint: &str, offer: &Offer) -> io::Result<()> {
        create_private_folder(&self.folder)?;
        let path = self.path(upstream, fingerprint);
        let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
        write_private_file(&unfinished, write(offer).text())?;
        fs::rename(&unfinished, &path)
    }
}

#[cfg(unix)]
fn create_private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(unix)]
fn write_private_file(path: &Path, text: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text)
}

#[cfg(not(unix))]
fn create_private_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(not(unix))]
fn write_private_file(path: &Path, text: &[u8]) -> io::Result<()> {
    fs::File::create(path)?.write_all(text)
}

fn write(offer: &Offer) -> Json {
    let mut object = Object::new()
        .with("format", Json::integer(FORMAT))
        .with("era", Json::string(&offer.era.to_string()))
        .with("revision", Json::string(offer.revision.as_str()))
        .with("serverInfo", offer.server_info.clone())
        .with("capabilities", offer.capabilities.to_json());
    if let Some(instructions) = &offer.instructions {
        object.set("instructions", Json::string(instructions));
    }
    for kind in Kind::ALL {
        let listed = offer.list(kind);
        let definitions: Vec<&Json> = listed.entries.iter().map(|(_, definition)| definition).collect();
        let mut list = Object::new()
            .with("entries", Json::of(&definitions).unwrap_or(Json::literal("[]")))
            .with("public", Json::literal(if listed.public { "true" } else { "false" }));
        if let Some(ttl) = listed.ttl {
            list.set("ttlMs", Json::integer(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)));
        }
        object.set(kind.list_member(), list.to_json());
    }
    object.to_json()
}

fn read(json: &Json, permits: &(dyn Fn(&str) -> bool + Sync)) -> Option<Offer> {
    let object = json.object().ok()?;
    if object.get("format")?.as_u64()? != FORMAT {
        return None;
    }
    let revision = Revision::parse(&object.string("revision")?)?;
    let era = revision.era();
    let list = |kind: Kind| -> Option<Listed> {
        let list = object.child(kind.list_member())?;
        // It was checked when it was fetched, but the config may have changed since.
        let admission = Admission { era, most: usize::MAX, permits };
        let mut listed = Listed::check(kind, &admission, list.get("entries")?.array().ok()?);
        listed.public = list.get("public")?.as_str() == "true";
        listed.ttl = list.get("ttlMs").and_then(Json::as_u64).map(Duration::from_millis);
        Some(listed)
    };
    Some(Offer {
        era,
        revision,
        server_info: object.get("serverInfo")?.clone(),
        capabilities: object.child("capabilities")?,
        instructions: object.string("instructions"),
        tools: list(Kind::Tool)?,
        prompts: list(Kind::Prompt)?,
        resources: list(Kind::Resource)?,
        templates: list(Kind::Template)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_loaded_byte_for_byte_and_only_for_the_same_upstream() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path().join("catalog"));
        let name = UpstreamName::new("files").unwrap();
        let definition = Json::literal(r#"{"name":"a","x": 1e2,"inputSchema":{"type":"object"}}"#);
        let offer = Offer {
            era: Era::Legacy,
            revision: Revision::V2025_06_18,
            server_info: Json::literal(r#"{"name":"s","version":"1"}"#),
            capabilities: Object::new().with("tools", Json::literal("{}")),
            instructions: Some("use it".into()),
            tools: Listed::check(
                Kind::Tool,
                &Admission { era: Era::Legacy, most: 9, permits: &|_| true },
                vec![definition],
            ),
            prompts: Listed::default(),
            resources: Listed::default(),
            templates: Listed::default(),
        };
        shelf.store(&name, "f1", &offer).unwrap();
        let loaded = shelf.load(&name, "f1", &|_| true).unwrap();
        assert!(loaded.tools.same_entries(&offer.tools));
        assert_eq!(loaded.instructions, offer.instructions);
        assert_eq!(loaded.revision, offer.revision);
        assert!(shelf.load(&name, "f2", &|_| true).is_none());
        fs::write(shelf.path(&name, "f1"), b"{\"format\":1").unwrap();
        assert!(shelf.load(&name, "f1", &|_| true).is_none());
    }
}

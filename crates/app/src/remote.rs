//! A config at a URL: asked for now and then, and the last good text kept for a start without it.
//!
//! Polled rather than pushed: it works with any web server, and through any proxy in front of one. The server is told which
//! version is here already, so that an answer that nothing has changed is a few bytes.

mod address;
mod copy;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use toolgate_config::{Amendment, CONFIG_TOKEN_VARIABLE, ConfigText, Faults, Format, MAX_BYTES, is_url, url_shown};
use toolgate_upstream::{Backoff, Fetched, Fetcher, Unfetched, Version, Wanted};

use crate::reading::Reading;

use address::Address;
pub(crate) use copy::Document;

/// Where a config is.
#[derive(Clone, Debug)]
pub enum Location {
    /// In a file.
    File(PathBuf),
    /// At a URL.
    Remote(Arc<Remote>),
}

/// How often a URL is asked, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Between two looks, with up to a quarter taken off at random: many gateways are not to ask in the same moment.
    pub poll: Duration,
    /// The same while it cannot be had: twice as long after each failure, up to this.
    pub most: Duration,
    /// For one answer.
    pub patience: Duration,
}

/// A config at a URL.
#[derive(Debug)]
pub struct Remote {
    address: Address,
    pace: Pace,
    fetcher: Fetcher,
    copy: Option<copy::Copy>,
    /// Held by whoever asks.
    one: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

/// What is known of it.
#[derive(Debug)]
struct Known {
    /// What was there when it was last had; it may have faults.
    last: Option<Arc<Document>>,
    /// What the gateway was started with.
    opened: Option<Arc<Document>>,
    /// What the gateway has last taken over, or refused. Who asked may have gone before that.
    taken: Option<Arc<Document>>,
    /// What is in the copy.
    kept: Option<Arc<Document>>,
    due: Instant,
    failures: u32,
    /// Why it cannot be had, as it was last told.
    told: Option<String>,
    /// What was wrong when it was opened.
    standing: Option<Standing>,
}

/// Why a gateway was started with the copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The URL cannot be had.
    Unreachable(String),
    /// What is there has faults.
    Faulty(String),
}

/// What asking came to.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) had: Result<(), String>,
    /// Whether it is another thing than the last time: it cannot be had for another reason, or can be had again.
    pub(crate) is_news: bool,
}

/// Why there is no config to begin with.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// This process may not read where it is.
    #[error("the working folder cannot be read: {0}")]
    Here(#[from] std::io::Error),
    /// It has faults.
    #[error("{faults}{}", below(.aside.as_deref()))]
    Faults {
        /// Its faults.
        faults: Faults,
        /// Why the copy of it is of no use either, where there is one.
        aside: Option<String>,
    },
    /// It cannot be had.
    #[error("{0}")]
    Unreachable(String),
}

fn below(aside: Option<&str>) -> String {
    aside.map(|aside| format!("\n{aside}")).unwrap_or_default()
}

// === impl Pace ===

impl Default for Pace {
    fn default() -> Self {
        Self { poll: Duration::from_secs(30), most: Duration::from_secs(300), patience: Duration::from_secs(15) }
    }
}

// === impl Location ===

impl Location {
    /// What is named: a file or a URL. `state` is the usual folder for state, where copies are kept.
    ///
    /// # Errors
    /// It is a URL that no config is had from; says what to do.
    pub fn of(named: &Path, state: Option<&Path>) -> Result<Self, String> {
        match named.to_str().filter(|_| is_url(named)) {
            Some(url) => {
                let token = std::env::var(CONFIG_TOKEN_VARIABLE).ok();
                Ok(Self::Remote(Arc::new(Remote::new(url, token, state, Pace::default())?)))
            }
            None => Ok(Self::File(named.to_owned())),
        }
    }

    /// As it is named wherever it is told of.
    pub fn name(&self) -> &Path {
        match self {
            Self::File(file) => file,
            Self::Remote(remote) => remote.name(),
        }
    }

    /// Reads it to start a gateway: where a URL has nothing of use, the copy.
    ///
    /// # Errors
    /// There is no config of use.
    pub async fn open(&self) -> Result<Reading, NotOpened> {
        match self {
            Self::File(file) => sound(Reading::of_file(file, &[])?),
            Self::Remote(remote) => remote.open().await,
        }
    }

    /// Reads it as it is now.
    ///
    /// # Errors
    /// It cannot be had. Faults are in the reading.
    pub async fn fresh(&self) -> Result<Reading, NotOpened> {
        match self {
            Self::File(file) => Ok(Reading::of_file(file, &[])?),
            Self::Remote(remote) => remote.fresh().await,
        }
    }

    /// Reads it as a gateway that runs on this machine most likely has it: the copy of a URL, if there is one.
    ///
    /// # Errors
    /// It cannot be had. Faults are in the reading.
    pub async fn in_force(&self) -> Result<Reading, NotOpened> {
        if let Self::Remote(remote) = self
            && let Some(copy) = remote.copy().ok().flatten()
        {
            let reading = remote.read(&copy, &[])?;
            if reading.said.is_ok() {
                return Ok(reading);
            }
        }
        self.fresh().await
    }

    /// Its text as it is now, and the last part of its name.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub async fn text(&self) -> Result<(String, String), String> {
        let last = |name: &str| name.rsplit('/').next().filter(|last| !last.is_empty()).map(str::to_owned);
        match self {
            Self::File(file) => {
                let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
                let name = file.file_name().and_then(|name| name.to_str());
                Ok((text, name.unwrap_or("toolgate.yaml").to_owned()))
            }
            Self::Remote(remote) => {
                remote.ask().await.had?;
                let text = remote.known().last.as_ref().map(|document| document.text.clone()).unwrap_or_default();
                Ok((text, last(remote.address.uri.path()).unwrap_or_else(|| "toolgate.yaml".to_owned())))
            }
        }
    }

    /// Reads what is there, without asking a URL again, and lays amendments over it. Waits for the disk.
    pub(crate) fn read(&self, amendments: &[Amendment]) -> std::io::Result<Reading> {
        match self {
            Self::File(file) => Reading::of_file(file, amendments),
            Self::Remote(remote) => {
                let last = remote.known().last.clone();
                remote.read(&last.ok_or(std::io::ErrorKind::NotFound)?, amendments)
            }
        }
    }

    /// Another text in its place, under the name that faults are to have.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        match self {
            Self::File(file) => file.with_file_name(name),
            Self::Remote(remote) => {
                let (uri, folder) = (&remote.address.uri, remote.address.uri.path().rsplit_once('/'));
                let (scheme, host) =
                    (uri.scheme_str().unwrap_or("https"), uri.authority().map_or("", |host| host.as_str()));
                PathBuf::from(format!("{scheme}://{host}{}/{name}", folder.map_or("", |(folder, _)| folder)))
            }
        }
    }
}

fn sound(reading: Reading) -> Result<Reading, NotOpened> {
    match &reading.said {
        Ok(_) => Ok(reading),
        Err(faults) => Err(NotOpened::Faults { faults: faults.clone(), aside: None }),
    }
}

/// A config's name, as two that mean the same have it: an absolute path, or a URL as it may be shown.
pub fn whole_name(named: &Path) -> PathBuf {
    match named.to_str().filter(|_| is_url(named)) {
        Some(url) => PathBuf::from(url_shown(url.split('#').next().unwrap_or_default())),
        None => std::path::absolute(named).unwrap_or_else(|_| named.to_owned()),
    }
}

// === impl Remote ===

impl Remote {
    /// `token` is for the server of the URL; `state` is the folder that copies are kept in.
    ///
    /// # Errors
    /// What is wrong with the URL, and what to do.
    pub fn new(url: &str, token: Option<String>, state: Option<&Path>, pace: Pace) -> Result<Self, String> {
        let address = Address::read(url, token)?;
        let copy = state.map(|state| copy::Copy::new(state, &address.key()));
        let known = Known {
            last: None,
            opened: None,
            taken: None,
            kept: None,
            due: Instant::now(),
            failures: 0,
            told: None,
            standing: None,
        };
        Ok(Self {
            address,
            pace,
            fetcher: Fetcher::new(),
            copy,
            one: tokio::sync::Mutex::default(),
            known: Mutex::new(known),
        })
    }

    /// The URL as it may be shown.
    pub(crate) fn name(&self) -> &Path {
        &self.address.name
    }

    /// Whether it is time to ask again.
    pub(crate) fn is_due(&self) -> bool {
        self.known().due <= Instant::now()
    }

    /// Whether there is another text than what the gateway has last read.
    pub(crate) fn has_another(&self) -> bool {
        let known = self.known();
        match (&known.last, &known.taken) {
            (Some(last), Some(taken)) => !Arc::ptr_eq(last, taken) && last.text != taken.text,
            (last, taken) => last.is_some() != taken.is_some(),
        }
    }

    /// Notes that the gateway has read this one.
    pub(crate) fn take(&self, document: &Arc<Document>) {
        self.known().taken = Some(document.clone());
    }

    /// Asks what is there.
    pub(crate) async fn ask(&self) -> Asked {
        let _one = self.one.lock().await;
        let before = self.known().last.clone();
        let wanted = Wanted {
            url: &self.address.uri,
            authorization: self.address.authorization.as_ref(),
            known: before.as_ref().and_then(|document| document.version.as_ref()),
            limit: MAX_BYTES,
            within: self.pace.patience,
        };
        let fetched = self.fetcher.fetch(&wanted).await.and_then(document);
        let mut known = self.known();
        known.failures = if fetched.is_ok() { 0 } else { known.failures.saturating_add(1) };
        let pace = Backoff { initial: self.pace.poll, max: self.pace.most.max(self.pace.poll) };
        known.due = Instant::now() + pace.pause(known.failures.max(1));
        match fetched {
            Ok(new) => {
                if let Some(new) = new {
                    known.last = Some(Arc::new(new));
                }
                Asked { had: Ok(()), is_news: known.told.take().is_some() }
            }
            Err(error) => {
                let why = self.why(&error);
                let is_news = known.told.as_ref() != Some(&why);
                known.told = Some(why.clone());
                Asked { had: Err(why), is_news }
            }
        }
    }

    /// Why it cannot be had, in words that say what to do.
    fn why(&self, error: &Unfetched) -> String {
        let text = error.to_string();
        let hint = match error {
            Unfetched::Status(401 | 403) => {
                format!("; give a token in {CONFIG_TOKEN_VARIABLE}, or the URL as https://user:password@…")
            }
            Unfetched::Unreachable(why) if why.contains("UnknownIssuer") => {
                "; an authority of your own has to be in the system's store, or in the file that SSL_CERT_FILE names"
                    .into()
            }
            _ => String::new(),
        };
        format!("{} {text}{hint}", self.address.name.display())
    }

    /// What a document says, with amendments laid over it.
    fn read(&self, document: &Arc<Document>, amendments: &[Amendment]) -> std::io::Result<Reading> {
        let (origin, text) = (self.address.name.clone(), document.text.clone());
        let mut reading = Reading::of_text(&ConfigText { origin, text, format: document.format }, amendments)?;
        reading.document = Some(document.clone());
        Ok(reading)
    }

    async fn fresh(&self) -> Result<Reading, NotOpened> {
        self.ask().await.had.map_err(NotOpened::Unreachable)?;
        let last = self.known().last.clone();
        Ok(self.read(&last.ok_or(std::io::Error::from(std::io::ErrorKind::NotFound))?, &[])?)
    }

    async fn open(&self) -> Result<Reading, NotOpened> {
        let fresh = match self.fresh().await {
            Ok(fresh) if fresh.said.is_ok() => {
                let mut known = self.known();
                known.opened.clone_from(&fresh.document);
                known.taken.clone_from(&fresh.document);
                return Ok(fresh);
            }
            Ok(fresh) => Ok(fresh),
            Err(NotOpened::Unreachable(why)) => Err(why),
            Err(other) => return Err(other),
        };
        match self.stand_in()? {
            Ok(copy) => Ok(self.instead(copy, fresh)),
            Err(aside) => Err(match fresh {
                Ok(Reading { said: Err(faults), .. }) => NotOpened::Faults { faults, aside },
                Ok(_) => NotOpened::Unreachable(aside.unwrap_or_default()),
                Err(why) => NotOpened::Unreachable(match aside {
                    Some(aside) => format!("{why}\n{aside}"),
                    None => format!("{why}; there is no copy of an earlier start that could be used"),
                }),
            }),
        }
    }

    /// The copy as it is read, or what is to be said of it where it is of no use.
    fn stand_in(&self) -> std::io::Result<Result<Reading, Option<String>>> {
        let copy = match self.copy() {
            Ok(Some(copy)) => copy,
            Ok(None) => return Ok(Err(None)),
            Err(error) => return Ok(Err(Some(format!("the copy that was kept of it cannot be read: {error}")))),
        };
        let reading = self.read(&copy, &[])?;
        Ok(match &reading.said {
            Ok(_) => Ok(reading),
            Err(_) if self.known().last.as_ref().is_some_and(|last| last.text == copy.text) => Err(None),
            Err(faults) => {
                Err(Some(format!("the copy of {} has faults in this version of toolgate:\n{faults}", time(copy.at))))
            }
        })
    }

    /// Notes that a gateway is started with the copy.
    fn instead(&self, mut copy: Reading, fresh: Result<Reading, String>) -> Reading {
        let mut known = self.known();
        let of = copy.document.as_ref().map(|copy| time(copy.at)).unwrap_or_default();
        known.opened.clone_from(&copy.document);
        known.kept.clone_from(&copy.document);
        known.standing = Some(match fresh {
            Err(why) => {
                known.last.clone_from(&copy.document);
                known.taken.clone_from(&copy.document);
                Standing::Unreachable(format!("{why}; the copy of {of} is used until it can be had"))
            }
            Ok(fresh) => {
                known.taken.clone_from(&fresh.document);
                copy.files.add(fresh.files);
                let faults = fresh.said.err().map(|faults| faults.to_string()).unwrap_or_default();
                Standing::Faulty(format!("{faults}\nthe copy of {of} is used until this is put right"))
            }
        });
        copy
    }

    /// Why the gateway was started with the copy, if it was.
    pub fn standing(&self) -> Option<Standing> {
        self.known().standing.clone()
    }

    /// What the gateway was started with.
    pub(crate) fn opened(&self) -> Option<Arc<Document>> {
        self.known().opened.clone()
    }

    /// Keeps what was applied. Waits for the disk.
    pub(crate) fn keep(&self, document: &Arc<Document>) {
        let is_kept = self.known().kept.as_ref().is_some_and(|kept| {
            kept.text == document.text && kept.version == document.version && kept.format == document.format
        });
        if is_kept {
            return;
        }
        let url = self.address.name.display();
        let Some(copy) = &self.copy else {
            tracing::warn!(%url, "no copy of the config is kept, so the gateway cannot be started without its URL: there is no folder for state; set HOME or XDG_STATE_HOME");
            return;
        };
        match copy.keep(&self.address.name, document) {
            Ok(()) => self.known().kept = Some(document.clone()),
            Err(error) => {
                tracing::warn!(%url, %error, "no copy of the config can be kept, so the gateway cannot be started without its URL");
            }
        }
    }

    fn copy(&self) -> std::io::Result<Option<Arc<Document>>> {
        let Some(copy) = &self.copy else { return Ok(None) };
        Ok(copy.load()?.map(Arc::new))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was fetched, if it is another thing than what is known.
fn document(fetched: Fetched) -> Result<Option<Document>, Unfetched> {
    let (text, media, version): (Bytes, String, Option<Version>) = match fetched {
        Fetched::Same => return Ok(None),
        Fetched::Text { text, media, version } => (text, media, version),
    };
    if matches!(&*media, "text/html" | "application/xhtml+xml") {
        return Err(Unfetched::NoText("the server sends a web page; is this the URL of the file itself?".to_owned()));
    }
    let text = String::from_utf8(text.into()).map_err(|_| Unfetched::NoText("it is not UTF-8".to_owned()))?;
    let kind = media.split('/').nth(1).unwrap_or_default();
    let format = match kind.rsplit(['+', '-']).next() {
        Some("json") => Some(Format::Json),
        Some("yaml" | "yml") => Some(Format::Yaml),
        _ => None,
    };
    Ok(Some(Document { text, format, version, at: SystemTime::now() }))
}

/// A time, to the second.
fn time(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at)
        .ok()
        .and_then(|at| at.round(jiff::Unit::Second).ok())
        .map_or_else(|| "an unknown time".to_owned(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_had_is_asked_for_less_and_less_often() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", nobody.local_addr().unwrap());
        drop(nobody);
        let seconds = Duration::from_secs;
        let pace = Pace { poll: seconds(30), most: seconds(300), patience: seconds(5) };
        let remote = Remote::new(&url, None, None, pace).unwrap();
        assert!(remote.is_due());
        for (at, full) in [30, 60, 120, 240, 300, 300].into_iter().enumerate() {
            let before = Instant::now();
            let asked = remote.ask().await;
            // Told once.
            assert!(asked.had.is_err() && asked.is_news == (at == 0));
            let pause = remote.known().due - before;
            assert!(pause >= seconds(full) * 3 / 4 && pause < seconds(full + 20), "{full}: {pause:?}");
            assert!(!remote.is_due() && !remote.has_another());
        }
    }
}

//! `import`: the servers of other applications, taken over into a toolgate.yaml.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};
use toolgate_config::{Candidate, Dollar, Sources, Takeover, Target, Verdict, is_url, take_over, url_shown};
use toolgate_hosts::file::{self, Content};
use toolgate_hosts::{Expansion, Host, Listed, System, World};

use crate::screen::{Paint, harmless};
use crate::{Failure, Outcome, args};

/// A file of an application, and what it lists.
pub(crate) struct Source {
    pub(crate) host: Host,
    pub(crate) file: PathBuf,
    /// The folder of the project that the file belongs to.
    project: Option<PathBuf>,
    listed: Listed,
    inputs: Vec<(String, Option<String>)>,
}

/// The config that is added to.
pub(crate) struct Into {
    pub(crate) file: PathBuf,
    content: Content,
    text: String,
}

/// Takes servers over, after showing what that comes to.
pub(crate) fn import(options: &args::Import) -> Outcome {
    let sources = Sources::of_process()?;
    let env = |name: &str| std::env::var(name).ok();
    let world = world(&sources, &env)?;
    let (found, unread) = find(options, &world)?;
    if !options.json {
        unread.iter().for_each(|why| eprintln!("toolgate: {}; the others are read", harmless(why)));
    }
    let into = Into::read(options.into.clone().unwrap_or_else(|| own_config(&sources)))?;
    let secrets = options.secrets_to.as_deref().map(|path| Into::read(path.to_owned())).transpose()?;
    if secrets.as_ref().is_some_and(|secrets| is_same(&secrets.file, &into.file)) {
        eprintln!("toolgate: secrets and config cannot be one file");
        return Ok(ExitCode::from(2));
    }
    let target = Target {
        file: &into.file,
        text: into.content.is_some().then_some(&into.text),
        secrets: secrets.as_ref().map(|secrets| (&*secrets.file, &*secrets.text)),
    };
    let candidates: Vec<Candidate<'_>> = found.iter().flat_map(Source::candidates).collect();
    let takeover = take_over(&candidates, &target, &sources).map_err(|faults| {
        eprint!("{}", Paint::stderr().faults(&faults));
        Failure::Config
    })?;
    if !options.json {
        show(&found, &candidates, &takeover, &into, options);
    }
    let asked = takeover.text.is_some() && !options.yes && !options.json;
    if asked && !confirmed()? {
        return Err(anyhow::anyhow!("nothing was written; answer `y`, or say --yes").into());
    }
    let write = takeover.text.is_some() && (options.yes || asked);
    if write {
        self::write(&takeover, &into, secrets.as_ref())?;
    }
    if options.json {
        let mut said = as_json(&candidates, &takeover, &into, secrets.as_ref(), write);
        said["unread"] = json!(unread);
        outln!("{said:#}");
    } else if write {
        outln!(
            "{} was written; `toolgate connect CLIENT --only-toolgate` lets a client reach them through toolgate",
            into.file.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Whose files are meant.
pub(crate) fn world<'a>(sources: &Sources<'_>, env: &'a dyn Fn(&str) -> Option<String>) -> Result<World<'a>, Failure> {
    let home = sources.home.clone().context("the home folder is not known: set HOME")?;
    Ok(World { system: System::here(), home, project: sources.cwd.clone(), env })
}

fn is_same(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| fs::canonicalize(path).or_else(|_| std::path::absolute(path)).ok();
    whole(one) == whole(other)
}

/// The files to read, and why some cannot be: of all, one must not keep the others out.
fn find(options: &args::Import, world: &World<'_>) -> Result<(Vec<Source>, Vec<String>), Failure> {
    if let Some(file) = &options.file {
        let host = options.client.or_else(|| guess(file)).with_context(|| {
            format!("{}: whose file is this? Say so: `toolgate import CLIENT --file …`", file.display())
        })?;
        let whole = world.project.join(file);
        if !whole.is_file() {
            return Err(anyhow::anyhow!("{}: there is no such file", file.display()).into());
        }
        let project = host.project_file(world).filter(|place| *place == whole).map(|_| world.project.clone());
        return Ok((vec![Source::read(host, whole, project)?], Vec::new()));
    }
    let hosts = options.client.map_or(Host::ALL.to_vec(), |host| vec![host]);
    let mut found: Vec<Source> = Vec::new();
    let (mut looked_at, mut unread) = (Vec::new(), Vec::new());
    for host in hosts {
        let user = (host.user_file(world), None);
        let project = host.project_file(world).map(|file| (file, Some(world.project.clone())));
        for (file, project) in [Some(user), project].into_iter().flatten() {
            // In the home folder the project's file is the user's own.
            let is_new = found.iter().all(|source| source.file != file);
            if !is_new || fs::symlink_metadata(&file).is_err() {
                looked_at.push(file);
                continue;
            }
            match Source::read(host, file, project) {
                Ok(source) => found.push(source),
                Err(error) => unread.push(format!("{error:#}")),
            }
        }
    }
    if let Some(why) = unread.first().filter(|_| found.is_empty()) {
        return Err(anyhow::anyhow!("{why}").into());
    }
    if found.is_empty() {
        let places: String = looked_at.iter().map(|place| format!("\n  {}", place.display())).collect();
        return Err(anyhow::anyhow!("no file of a client was found. Looked for:{places}").into());
    }
    Ok((found, unread))
}

/// Whose file has such a name.
fn guess(file: &Path) -> Option<Host> {
    let name = file.file_name()?.to_str()?;
    let folder = file.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    match (folder, name) {
        (_, "claude_desktop_config.json") => Some(Host::ClaudeDesktop),
        (_, ".claude.json" | ".mcp.json") => Some(Host::ClaudeCode),
        (".cursor", "mcp.json") => Some(Host::Cursor),
        (".vscode" | "User", "mcp.json") => Some(Host::VsCode),
        (_, "mcp_config.json") => Some(Host::Windsurf),
        ("zed" | "Zed" | ".zed", "settings.json") => Some(Host::Zed),
        (_, "config.toml") => Some(Host::Codex),
        (".gemini", "settings.json") => Some(Host::GeminiCli),
        _ => None,
    }
}

/// The config that is found if it is one of ours, or a new one here.
pub(crate) fn own_config(sources: &Sources<'_>) -> PathBuf {
    let found = toolgate_config::find(&sources.cwd, sources.home.as_deref(), sources.env, &Path::is_file).file;
    let is_ours = |file: &PathBuf| {
        let named = (sources.env)(toolgate_config::CONFIG_VARIABLE).is_some_and(|name| !name.is_empty());
        named || file.file_stem().is_some_and(|stem| stem == "toolgate")
    };
    found.filter(is_ours).unwrap_or_else(|| sources.cwd.join("toolgate.yaml"))
}

/// The answer of whoever is asked; none is no.
fn confirmed() -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "Write this? [y/N] ").and_then(|()| out.flush());
    drop(out);
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    outln!("");
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Secrets first: a config that names what is not there yet would be at fault.
fn write(takeover: &Takeover, into: &Into, secrets: Option<&Into>) -> Result<(), Failure> {
    if let (Some(file), Some(text)) = (secrets, &takeover.secrets) {
        // A file that others could read must not hold a secret for a moment; a new one is its owner's from the start.
        #[cfg(unix)]
        if file.content.is_some() {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&file.file, fs::Permissions::from_mode(0o600))
                .with_context(|| format!("{}: cannot be kept from others", file.file.display()))?;
        }
        file::replace(&file.file, &file.content, text.reveal().as_bytes())?;
    }
    if let Some(text) = &takeover.text {
        file::replace(&into.file, &into.content, text.as_bytes())?;
    }
    Ok(())
}

fn show(found: &[Source], candidates: &[Candidate<'_>], takeover: &Takeover, into: &Into, options: &args::Import) {
    let paint = Paint::stdout();
    for source in found {
        let here = |candidate: &&Candidate<'_>| std::ptr::eq(candidate.file, &*source.file);
        outln!("{} {}", paint.bold(source.host.name()), paint.dim(&source.file.display().to_string()));
        if !candidates.iter().any(|candidate| here(&candidate)) {
            outln!("  no servers");
        }
        for (candidate, (verdict, notes)) in candidates.iter().zip(&takeover.verdicts).filter(|(one, _)| here(one)) {
            outln!("  {}", line(candidate, verdict, paint));
            notes.iter().for_each(|note| outln!("    {} {}", paint.yellow("note"), harmless(note)));
        }
    }
    if takeover.text.is_none() {
        outln!("{} has them all; nothing to add", into.file.display());
        return;
    }
    let new = if into.content.is_some() { "" } else { " (new)" };
    outln!("\n{}{new}", paint.bold(&into.file.display().to_string()));
    takeover.shown.iter().for_each(|line| outln!("{}", paint.green(&format!("+ {}", harmless(line)))));
    if let (Some(file), false) = (&options.secrets_to, takeover.moved.is_empty()) {
        outln!("{}", paint.bold(&format!("{} (only you can read it)", file.display())));
        takeover.moved.iter().for_each(|name| outln!("{}", paint.green(&format!("+ {name}=****"))));
    }
    if takeover.verdicts.iter().any(|(verdict, _)| matches!(verdict, Verdict::Added { unset, .. } if !unset.is_empty()))
    {
        outln!("{} to enable a server, set its variables and take `enabled: false` out", paint.yellow("note"));
    }
    if takeover.in_the_open > 0 {
        let count = takeover.in_the_open;
        let note = format!(
            "{count} values that look like secrets stay in the config; `--secrets-to FILE` keeps them out of it"
        );
        outln!("{} {note}", paint.yellow("note"));
    }
}

fn line(candidate: &Candidate<'_>, verdict: &Verdict, paint: Paint) -> String {
    let theirs = harmless(candidate.name);
    let renamed = |name: &str| if name == candidate.name { String::new() } else { format!(" as `{}`", harmless(name)) };
    match verdict {
        Verdict::Added { name, unset } if unset.is_empty() => {
            format!("{} {theirs}{}", paint.green("+"), renamed(name))
        }
        Verdict::Added { name, unset } => {
            let unset = unset.join(", ");
            format!("{} {theirs}{}, disabled: {unset} not set", paint.yellow("+"), renamed(name))
        }
        Verdict::Present { name, .. } => format!("= {theirs} is there already{}", renamed(name)),
        Verdict::Ourselves => format!("= {theirs} is toolgate itself"),
        Verdict::Refused(why) => format!("{} {theirs} is not taken: {}", paint.red("!"), harmless(why)),
    }
}

fn as_json(
    candidates: &[Candidate<'_>],
    takeover: &Takeover,
    into: &Into,
    secrets: Option<&Into>,
    written: bool,
) -> Value {
    let server = |(candidate, (verdict, notes)): (&Candidate<'_>, &(Verdict, Vec<String>))| {
        let mut server =
            json!({"client": candidate.client, "file": candidate.file, "name": candidate.name, "notes": notes});
        let more = match verdict {
            Verdict::Added { name, unset } => json!({"outcome": "added", "as": name, "unset": unset}),
            Verdict::Present { name, .. } => json!({"outcome": "present", "as": name}),
            Verdict::Ourselves => json!({"outcome": "toolgate"}),
            Verdict::Refused(why) => json!({"outcome": "refused", "why": why}),
        };
        if let (Some(server), Value::Object(more)) = (server.as_object_mut(), more) {
            server.extend(more);
        }
        server
    };
    let servers: Vec<Value> = candidates.iter().zip(&takeover.verdicts).map(server).collect();
    json!({
        "into": into.file,
        "written": written,
        "servers": servers,
        "lines": takeover.shown,
        "secrets": secrets.map(|secrets| json!({"file": secrets.file, "variables": takeover.moved})),
        "in_the_open": takeover.in_the_open,
    })
}

// === impl Into ===

impl Into {
    pub(crate) fn read(file: PathBuf) -> Result<Self, Failure> {
        if let Some(url) = file.to_str().filter(|_| is_url(&file)) {
            let url = url_shown(url);
            return Err(anyhow::anyhow!("{url} is a URL, and only a file of this machine is added to or compared with; name one: `--into FILE` of import, `--config FILE` of connect").into());
        }
        let content = file::read(&file)?;
        let text = file::text(&file, &content)?;
        Ok(Self { file, content, text })
    }

    /// What it says, if it is there.
    pub(crate) fn text(&self) -> Option<&str> {
        self.content.is_some().then_some(&self.text)
    }
}

// === impl Source ===

impl Source {
    fn read(host: Host, file: PathBuf, project: Option<PathBuf>) -> anyhow::Result<Self> {
        let content = file::read(&file)?;
        let text = file::text(&file, &content)?;
        Self::of_text(host, file, project, &text)
    }

    /// That of a text which the file has, or would have.
    pub(crate) fn of_text(host: Host, file: PathBuf, project: Option<PathBuf>, text: &str) -> anyhow::Result<Self> {
        let listed = Listed::read(host, text).with_context(|| file.display().to_string())?;
        let inputs = listed.inputs.iter().map(|input| (input.id.clone(), input.default.clone())).collect();
        Ok(Self { host, file, project, listed, inputs })
    }

    pub(crate) fn candidates(&self) -> impl Iterator<Item = Candidate<'_>> {
        let dollar = match self.host.expansion() {
            Expansion::None => Dollar::Literal,
            Expansion::Braces => Dollar::Braces,
            Expansion::Bare => Dollar::Bare,
        };
        self.listed.servers.iter().map(move |server| Candidate {
            name: &server.name,
            json: &server.json,
            client: self.host.word(),
            file: &self.file,
            project: server.project.as_deref().or(self.project.as_deref()),
            dollar,
            inputs: &self.inputs,
        })
    }
}

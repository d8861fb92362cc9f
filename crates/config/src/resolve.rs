//! From the file as written to the settings as meant: what the keys mean together, and whether they can be meant.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use crate::admin;
use crate::fault::Report;
use crate::file::{File, Names};
use crate::namespace;
use crate::node::{Node, Spot, Tree};
use crate::search;
use crate::secret::Secret;
use crate::settings::{Origin, Settings, UpstreamSettings};
use crate::shape::Lost;
use crate::show::brief;
use crate::slug::{MAX_NAME, slug};
use crate::sources::Sources;
use crate::store;
use crate::upstream;
use crate::written::{Pairs, Text};

/// The most upstreams of one gateway.
const MAX_UPSTREAMS: usize = 1000;

/// What is known about a config besides its text.
pub(crate) struct Context<'a> {
    pub(crate) sources: &'a Sources<'a>,
    pub(crate) file: &'a Path,
    /// The folder that relative paths begin at.
    pub(crate) base: &'a Path,
    /// The file as written.
    pub(crate) tree: &'a Tree,
    /// The config in our words.
    pub(crate) root: &'a Node,
    /// The maps that something was taken out of.
    pub(crate) lost: &'a Lost,
    /// Whether the upstreams are in a client's words, which is more forgiving than we are.
    pub(crate) theirs: bool,
}

/// The settings; only to be used if the report is clean.
pub(crate) fn resolve(file: File, context: &Context<'_>, report: &mut Report) -> Settings {
    let listen = listen(&file.listen, context, report);
    let stdio_env: Vec<String> = file.stdio.env_allow.iter().map(|name| name.value.clone()).collect();
    let common = upstream::Common {
        stdio_env: &stdio_env,
        call: file.timeouts.call,
        restart: &file.restart,
        isolated: file.limits.isolated,
    };
    let enabled = file.upstreams.0.iter().filter(|(_, upstream)| upstream.enabled != Some(false)).count();
    check_names(file.names, enabled, context, report);
    let slugs = slugs(&file.upstreams, report);
    let upstreams = file.upstreams.0.into_iter().zip(slugs);
    let upstreams = upstreams.filter_map(|((name, written), slug)| {
        let resolved = upstream::resolve(&name, written, &common, context, report)?;
        Some(UpstreamSettings { slug, name: name.value, ..resolved })
    });
    let upstreams: Vec<UpstreamSettings> = upstreams.collect();
    let search = search::resolve(file.search, report);
    let enabled: Vec<String> =
        upstreams.iter().filter(|upstream| upstream.enabled).map(|upstream| upstream.slug.clone()).collect();
    let common =
        namespace::Common { names: file.names, presentation: file.presentation, search: &search, upstreams: &enabled };
    let namespaces = namespace::resolve(file.namespaces, &common, report);
    Settings {
        listen,
        names: file.names,
        presentation: file.presentation,
        search,
        allowed_hosts: texts(&file.allowed_hosts, "a host", report, host),
        allowed_origins: texts(&file.allowed_origins, "an origin", report, origin),
        state_dir: file.state_dir.map(|dir| context.sources.resolve(context.base, &dir.value)),
        keys: keys(&file.keys, report),
        replica_url: replica(&file.replica, &file.keys, report),
        admin: admin::resolve(&file.admin, report, |text, report| {
            texts(std::slice::from_ref(text), "an address to listen on", report, address).pop()
        }),
        store: store::resolve(file.store.as_ref(), context, report),
        refresh: file.refresh,
        log: file.log,
        limits: file.limits,
        timeouts: file.timeouts,
        upstreams,
        namespaces,
        notes: Vec::new(),
    }
}

// === impl Context ===

impl Context<'_> {
    /// Where a node stands.
    pub(crate) fn origin(&self, spot: Spot) -> Origin {
        match self.tree.is_grafted(spot) {
            true => Origin::Api,
            false => Origin::File { file: self.file.to_owned(), place: self.tree.place(spot) },
        }
    }
}

/// What is wrong with a text, and what to write instead.
type Wrong = (String, Option<String>);

/// Each text as what it means; those that mean nothing are faults.
fn texts<T>(texts: &[Text], wanted: &str, report: &mut Report, read: impl Fn(&str) -> Result<T, Wrong>) -> Vec<T> {
    let mut values = Vec::new();
    for text in texts {
        match read(&text.value) {
            Ok(value) => values.push(value),
            // What a variable holds may be a secret, so that neither it nor anything made of it is shown.
            Err(_) if text.value != text.written => {
                report.fault(text.spot, format!("what `{}` holds is not {wanted}", brief(&text.written)));
            }
            Err((message, Some(help))) => report.fault_with_help(text.spot, message, help),
            Err((message, None)) => report.fault(text.spot, message),
        }
    }
    values
}

fn listen(written: &[Text], context: &Context<'_>, report: &mut Report) -> Vec<SocketAddr> {
    if let Some(list) = context.root.get("listen").filter(|list| list.items().is_empty())
        && !context.lost.contains(&list.spot)
    {
        report.fault_with_help(list.spot, "no address to listen on", "leave the key out for the default");
    }
    let addresses = texts(written, "an address to listen on", report, address);
    let beyond = written.iter().filter(|text| address(&text.value).is_ok_and(|address| !address.ip().is_loopback()));
    for text in beyond {
        report.note(text.spot, "listens beyond this machine, and lets in whoever can reach it");
    }
    addresses
}

/// The least characters of a key.
const MIN_KEY: usize = 32;

fn keys(written: &[Text], report: &mut Report) -> Vec<Secret> {
    for key in written {
        if key.value.chars().count() < MIN_KEY {
            let help = "make one with `openssl rand -base64 32`";
            report.fault_with_help(key.spot, format!("a key needs at least {MIN_KEY} characters"), help);
        } else if key.value == key.written {
            report.note(key.spot, "a key in the file itself; `${file:…}` or `${VAR}` keep it out of it");
        }
    }
    written.iter().map(|key| Secret::new(&key.value)).collect()
}

fn replica(written: &crate::file::Replica, keys: &[Text], report: &mut Report) -> Option<String> {
    let url = written.url.as_ref()?;
    if keys.is_empty() {
        let help = "give all replicas the same `keys`";
        report.fault_with_help(url.spot, "replicas believe each other by their keys, and there are none", help);
    }
    let legal = url.value.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|host| !host.host().is_empty() && !host.as_str().contains('@'))
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none()
    });
    if !legal {
        let help = "write scheme, host and port, such as `http://10.0.0.3:8665`";
        report.fault_with_help(url.spot, "not the address of a replica", help);
    }
    Some(url.value.trim_end_matches('/').to_owned())
}

fn address(text: &str) -> Result<SocketAddr, Wrong> {
    let local = |port: &str| port.parse().ok().map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    if let Some(address) = text.strip_prefix("localhost:").and_then(local) {
        return Ok(address);
    }
    text.parse().map_err(|_| {
        let port = text.trim_start_matches(':');
        let help = match (local(port), text.parse::<IpAddr>()) {
            (Some(address), _) => format!("write `{address}`"),
            (None, Ok(ip)) => format!("add a port: `{}`", SocketAddr::new(ip, 8665)),
            (None, Err(_)) => "write an IP address and a port, such as `127.0.0.1:8665`".to_owned(),
        };
        (format!("`{}` is no address to listen on", brief(text)), Some(help))
    })
}

/// A host name or `host:port`, as a `Host` header has it.
fn host(text: &str) -> Result<String, Wrong> {
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest).split('/').next().unwrap_or_default();
    if text == "*" {
        return Err(("`*` would let any web page in by DNS rebinding".to_owned(), Some("name the hosts".to_owned())));
    }
    let legal = bare == text && text.parse::<http::uri::Authority>().is_ok_and(|host| !host.as_str().contains('@'));
    if legal {
        return Ok(text.to_ascii_lowercase());
    }
    let help = Some(bare).filter(|bare| !bare.is_empty() && *bare != text).map(|bare| format!("write `{bare}`"));
    Err((format!("`{}` is no host", brief(text)), help))
}

/// An origin, as a browser sends it.
fn origin(text: &str) -> Result<String, Wrong> {
    if text == "*" {
        return Err(("`*` would let any web page in".to_owned(), Some("name the origins".to_owned())));
    }
    let bare = text.trim_end_matches('/');
    match bare.split_once("://") {
        Some((_, rest)) if bare == text && rest.parse::<http::uri::Authority>().is_ok() => {
            Ok(text.to_ascii_lowercase())
        }
        Some((scheme, rest)) => {
            let host = rest.split('/').next().unwrap_or_default();
            Err((format!("`{}` is no origin", brief(text)), Some(format!("write `{scheme}://{host}`"))))
        }
        None => Err((format!("`{}` is no origin", brief(text)), Some(format!("write `https://{}`", brief(text))))),
    }
}

/// Transparent mode shows one upstream as if the gateway were not there: it needs exactly one.
fn check_names(names: Names, enabled: usize, context: &Context<'_>, report: &mut Report) {
    if names == Names::Transparent && enabled != 1 {
        let spot = context.root.get("names").map_or(Spot::default(), |node| node.spot);
        let message = format!("`transparent` needs exactly one enabled upstream, there are {enabled}");
        report.fault_with_help(spot, message, "use `prefixed` or `plain`");
    }
}

/// The slug of each upstream; two that are alike are a fault, also where only upper and lower case tell them apart.
fn slugs(upstreams: &Pairs<crate::file::Upstream>, report: &mut Report) -> Vec<String> {
    let mut taken: HashMap<String, &str> = HashMap::new();
    if let Some((name, _)) = upstreams.0.get(MAX_UPSTREAMS) {
        report.fault(name.spot, format!("more than {MAX_UPSTREAMS} upstreams"));
    }
    let named = upstreams.0.iter().map(|(name, _)| {
        let slug = slug(&name.value);
        if name.value.trim().is_empty() {
            report.fault(name.spot, "an upstream needs a name");
        } else if name.value.chars().count() > MAX_NAME {
            report.fault(name.spot, format!("a name has at most {MAX_NAME} characters"));
        } else if let Some(other) = taken.insert(slug.to_ascii_lowercase(), &name.value) {
            let message = format!("its tools would be named `{slug}__…`, as those of `{}` are", brief(other));
            report.fault_with_help(name.spot, message, "rename one of the two");
        }
        slug
    });
    named.collect()
}

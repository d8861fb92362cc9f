//! HTTP APIs that speak no MCP: an OpenAPI document, or single requests as tools. As written, and as meant.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::Report;
use crate::pattern::matches;
use crate::resolve::Context;
use crate::secret::Secret;
use crate::settings::Transport;
use crate::show::brief;
use crate::spelled::{Period, period};
use crate::upstream::{check_clear_text, check_url, headers};
use crate::written::{JsonText, Pairs, Text};

/// Which operations of an OpenAPI document become tools. A pattern is an `operationId` (or the tool's own name), `tag:` and a
/// tag, a path, or a method and a path; `*` stands for any characters.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Operations {
    /// Only these; without it, all.
    #[schemars(example = serde_json::json!(["tag:pets", "GET /store/*"]))]
    pub(crate) allow: Option<Vec<Text>>,
    /// Not these.
    #[schemars(example = serde_json::json!(["DELETE /*"]))]
    pub(crate) deny: Vec<Text>,
}

/// One HTTP request as a tool. `{name}` in its texts stands for the argument of that name.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["name", "description", "url"]))]
pub(crate) struct HttpTool {
    /// What the tool is called.
    pub(crate) name: Text,
    /// What people are shown; without it, its name.
    pub(crate) title: Option<Text>,
    /// What it is for; models choose by it.
    pub(crate) description: Text,
    /// The method; without it `GET`, or `POST` if something is sent.
    pub(crate) method: Option<Method>,
    /// The URL; arguments may stand in its path and its query.
    #[schemars(example = &"https://api.example.com/users/{id}")]
    pub(crate) url: Text,
    /// More of the query. What holds an argument that is not given is left out.
    #[schemars(example = serde_json::json!({ "lang": "{language}" }))]
    pub(crate) query: Pairs<Text>,
    /// Headers; what holds an argument that is not given is left out.
    pub(crate) headers: Pairs<Text>,
    /// What is sent: a text as it is, anything else as JSON. A text in it that is `{name}` alone becomes the argument itself,
    /// of whatever type.
    #[schemars(example = serde_json::json!({ "text": "{message}", "tags": "{tags}" }))]
    pub(crate) body: Option<JsonText>,
    /// What is sent as a form, instead of `body`.
    pub(crate) form: Pairs<Text>,
    /// The JSON Schema of the arguments; without it, each is a text that must be given.
    pub(crate) input: Option<JsonText>,
    /// How long a call may take; without it, that of the upstream.
    #[serde(with = "period::option")]
    #[schemars(with = "Option<Period>", example = &"10s")]
    pub(crate) timeout: Option<Duration>,
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Reads the head of the answer.
    Head,
    /// Does something.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
}

/// Where an OpenAPI document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentPlace {
    /// A file, absolute.
    File(PathBuf),
    /// An absolute `http` or `https` URL; shown as written.
    Url(Secret),
}

/// Which operations become tools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperationFilter {
    /// Only these, if it says so.
    pub allow: Option<Vec<String>>,
    /// Not these; it wins over `allow`.
    pub deny: Vec<String>,
}

/// One HTTP request as a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpToolSettings {
    /// Its name.
    pub name: String,
    /// What people are shown.
    pub title: Option<String>,
    /// What it is for.
    pub description: String,
    /// The method.
    pub method: Method,
    /// With places for arguments; shown as written.
    pub url: Secret,
    /// The same in pairs.
    pub query: Vec<(String, Secret)>,
    /// Names in lower case, each once.
    pub headers: Vec<(String, Secret)>,
    /// What is sent.
    pub sent: Option<Sent>,
    /// The JSON Schema of its arguments, as JSON text.
    pub input: Option<String>,
    /// How long a call may take, if it has a wait of its own.
    pub timeout: Option<Duration>,
}

/// What an HTTP tool sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// A text, or anything else as JSON; as JSON text.
    Body(Secret),
    /// A form.
    Form(Vec<(String, Secret)>),
}

/// The keys of an OpenAPI upstream, as they are meant.
pub(crate) fn openapi(
    document: Text,
    base_url: Option<Text>,
    written: &Pairs<Text>,
    operations: &Operations,
    context: &Context<'_>,
    report: &mut Report,
) -> Transport {
    let at = match document.value.contains("://") {
        true => {
            check_url(&document, report);
            if base_url.is_none() {
                check_clear_text(&document, written, report);
            }
            DocumentPlace::Url(Secret::shown_as(document.value, document.written))
        }
        false => DocumentPlace::File(context.sources.resolve(context.base, &document.value)),
    };
    if let Some(url) = &base_url {
        check_url(url, report);
        check_clear_text(url, written, report);
    }
    for pattern in operations.allow.iter().flatten().chain(&operations.deny) {
        check_pattern(pattern, report);
    }
    let values = |texts: &[Text]| texts.iter().map(|text| text.value.clone()).collect();
    Transport::OpenApi {
        document: at,
        base_url: base_url.map(|url| Secret::shown_as(url.value, url.written)),
        headers: headers(written, report),
        operations: OperationFilter { allow: operations.allow.as_deref().map(values), deny: values(&operations.deny) },
    }
}

/// A method that there is not would match nothing, and nobody would know.
fn check_pattern(pattern: &Text, report: &mut Report) {
    let Some((method, path)) = pattern.value.split_once(' ').filter(|_| !pattern.value.starts_with("tag:")) else {
        return;
    };
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "*"];
    if !known.iter().any(|known| known.eq_ignore_ascii_case(method)) || !path.starts_with(['/', '*']) {
        let message = format!("`{}` matches no operation", brief(&pattern.value));
        let help = "write an operationId, `tag:pets`, `/pets/*` or `GET /pets/*`";
        report.fault_with_help(pattern.spot, message, help);
    }
}

/// The tools of an upstream that are described one by one.
pub(crate) fn tools(written: Vec<HttpTool>, common: &Pairs<Text>, report: &mut Report) -> Transport {
    let mut names = HashSet::new();
    let hosts: HashSet<&str> = written.iter().map(|tool| host(&tool.url.value)).collect();
    if let (Some((name, _)), true) = (common.0.first(), hosts.len() > 1) {
        let help = "give each tool its own `headers`, or make them several upstreams";
        report.fault_with_help(name.spot, "its tools are at several hosts, and each would get this header", help);
    }
    for tool in &written {
        check_clear_text(&tool.url, common, report);
    }
    let tools = written.into_iter().filter_map(|written| tool(written, &mut names, report)).collect();
    Transport::Tools { tools, headers: headers(common, report) }
}

fn tool(written: HttpTool, names: &mut HashSet<String>, report: &mut Report) -> Option<HttpToolSettings> {
    check_name(&written.name, names, report);
    if written.description.value.trim().is_empty() && !written.name.value.is_empty() {
        let help = "say in a sentence what it does; models choose by it";
        report.fault_with_help(written.name.spot, "this tool has no `description`", help);
    }
    if written.url.value.is_empty() {
        report.fault(written.name.spot, "this tool has no `url`");
        return None;
    }
    check_template(&written.url, report);
    check_clear_text(&written.url, &written.headers, report);
    check_places(&written, report);
    let own = headers_of_tool(&written.headers, report);
    let sends = written.body.is_some() || !written.form.0.is_empty();
    let method = written.method.unwrap_or(if sends { Method::Post } else { Method::Get });
    if sends && matches!(method, Method::Get | Method::Head) {
        let help = "send with `POST`, `PUT`, `PATCH` or `DELETE`, or put it into `query`";
        report.fault_with_help(written.name.spot, "servers ignore what a GET sends", help);
    }
    let secrets = |pairs: Pairs<Text>| {
        pairs.0.into_iter().map(|(name, text)| (name.value, Secret::shown_as(text.value, text.written))).collect()
    };
    if let (Some(_), Some((name, _))) = (&written.body, written.form.0.first()) {
        report.fault_with_help(name.spot, "both `body` and `form`", "a request has one of them");
    }
    let form: Vec<(String, Secret)> = secrets(written.form);
    Some(HttpToolSettings {
        name: written.name.value,
        title: written.title.map(|title| title.value),
        description: written.description.value,
        method,
        url: Secret::shown_as(written.url.value, written.url.written),
        query: secrets(written.query),
        headers: own,
        sent: match (written.body, form.is_empty()) {
            (Some(body), _) => Some(Sent::Body(Secret::new(body.0))),
            (None, false) => Some(Sent::Form(form)),
            (None, true) => None,
        },
        input: written.input.map(|input| input.0),
        timeout: written.timeout,
    })
}

fn check_name(name: &Text, names: &mut HashSet<String>, report: &mut Report) {
    let text = &name.value;
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if text.is_empty() || text.len() > 64 || !text.bytes().all(is_legal) {
        let help = "a tool's name is of letters, digits, `_`, `-` and `.`, at most 64";
        report.fault_with_help(name.spot, format!("`{}` is not a name for a tool", brief(text)), help);
    } else if !names.insert(text.clone()) {
        report.fault(name.spot, format!("another tool is called `{}`", brief(text)));
    }
}

/// The URL of a tool: its host must not depend on arguments.
fn check_template(url: &Text, report: &mut Report) {
    let text = &url.value;
    if host(text).contains(['{', '}']) {
        let help = "an argument could send the request, and its headers, anywhere";
        report.fault_with_help(url.spot, "the host of a URL cannot be an argument", help);
        return;
    }
    let plain = Text { value: text.replace(['{', '}'], ""), ..url.clone() };
    check_url(&plain, report);
}

/// Scheme, host and port.
fn host(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    url[start..].find(['/', '?', '#']).map_or(url, |at| &url[..start + at])
}

/// Every `{name}` must be an argument.
fn check_places(tool: &HttpTool, report: &mut Report) {
    let Some(input) = &tool.input else { return };
    let input: serde_json::Value = serde_json::from_str(&input.0).unwrap_or_default();
    if !input.is_object() || input.get("type").is_some_and(|kind| kind != "object") {
        let help = "such as `{type: object, properties: {city: {type: string}}}`";
        report.fault_with_help(tool.name.spot, "its `input` is not the JSON Schema of an object", help);
        return;
    }
    let pairs = tool.query.0.iter().chain(&tool.headers.0).chain(&tool.form.0);
    let texts = std::iter::once(&tool.url).chain(pairs.map(|(_, text)| text));
    for text in texts {
        for place in places(&text.value) {
            if input["properties"].get(place).is_none() {
                let message = format!("`{{{}}}` is no property of this tool's `input`", brief(place));
                report.fault(text.spot, message);
            }
        }
    }
}

/// The names between braces. Braces around anything else are text.
fn places(text: &str) -> impl Iterator<Item = &str> {
    let is_name = |text: &&str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_-.$[]".contains(c));
    let parts = text.split('{').skip(1).filter_map(|part| part.split_once('}'));
    parts.map(|(name, _)| name).filter(is_name)
}

/// The headers of one tool; unlike those of an upstream they may say of what type the body is.
fn headers_of_tool(written: &Pairs<Text>, report: &mut Report) -> Vec<(String, Secret)> {
    let is_own = |name: &Text| ["content-type", "accept"].iter().any(|own| name.value.eq_ignore_ascii_case(own));
    let (own, others): (Vec<_>, Vec<_>) = written.0.iter().cloned().partition(|(name, _)| is_own(name));
    let mut found = headers(&Pairs(others), report);
    for (name, value) in own {
        if http::HeaderValue::from_str(&value.value).is_err() {
            report.fault(value.spot, "not a value for a header");
        }
        found.push((name.value.to_ascii_lowercase(), Secret::new(value.value)));
    }
    found
}

// === impl Method ===

impl Method {
    /// As HTTP has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

// === impl OperationFilter ===

impl OperationFilter {
    /// Whether an operation becomes a tool. `names` are its `operationId`, if it has one, and the name of its tool.
    pub fn permits(&self, names: &[&str], tags: &[&str], method: &str, path: &str) -> bool {
        let is = |pattern: &String| -> bool {
            if let Some(tag) = pattern.strip_prefix("tag:") {
                return tags.iter().any(|one| matches(tag, one));
            }
            if pattern.starts_with('/') {
                return matches(pattern, path);
            }
            match pattern.split_once(' ') {
                Some((verb, at)) => (verb == "*" || verb.eq_ignore_ascii_case(method)) && matches(at, path),
                None => names.iter().any(|name| matches(pattern, name)),
            }
        };
        self.allow.as_ref().is_none_or(|allow| allow.iter().any(is)) && !self.deny.iter().any(is)
    }
}

//! Tools that ask the client in the middle of a call: its model, its person, its roots.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolgate_protocol::{Json, Object, Revision};

use crate::argument::{Nothing, Text, Whole};
use crate::ask::{Elicited, Question};
use crate::call::{Call, Halt};
use crate::content::Content;
use crate::schema;
use crate::tool::{Hints, Tool};

const SYSTEM: &str = "You are a helpful assistant.";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Prompt {
    /// What to ask the client's model.
    prompt: Text<10_000>,
    /// The longest answer wanted, in tokens.
    #[serde(default = "two_hundred")]
    max_tokens: Whole<1, 10_000>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Visit {
    /// The address to offer; HTTPS only.
    #[serde(default = "example")]
    url: Text<2000>,
}

/// A form with a field of each simple type.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Profile {
    /// Your name
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// Your e-mail address
    #[serde(default)]
    #[schemars(email)]
    email: Option<String>,
    /// Your age in years
    #[serde(default)]
    age: Option<Whole<0, 150>>,
    /// Your favourite colour
    #[serde(default)]
    colour: Colour,
    /// Whether you would like to hear from us
    #[serde(default)]
    newsletter: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red,
    #[default]
    Green,
    Blue,
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Name {
    /// Your name
    name: String,
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Favourite {
    /// Your favourite colour
    colour: Colour,
}

/// What an interview found out.
#[derive(Serialize, JsonSchema)]
struct Interview {
    /// The person's name.
    name: String,
    /// Their favourite colour.
    colour: Colour,
}

fn two_hundred() -> Whole<1, 10_000> {
    Whole(200)
}

fn example() -> Text<2000> {
    Text("https://modelcontextprotocol.io/".into())
}

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::plain(
            "ask_model",
            "Ask the client's model",
            "Asks the client's own language model and gives its answer. Shows sampling; needs a client that supports it.",
            Hints::ASKS,
            |asked: Prompt, call: Call| std::future::ready(ask_model(&asked, &call)),
        ),
        Tool::plain(
            "ask_person",
            "Ask the person",
            "Shows the person a form with a text, an e-mail address, a number, a choice and a yes or no, and tells what they answered. Shows \
             elicitation by form; needs a client that supports it.",
            Hints::ASKS,
            |_: Nothing, call: Call| std::future::ready(ask_person(&call)),
        ),
        Tool::plain(
            "ask_to_visit",
            "Ask the person to visit a page",
            "Offers the person a page to open and tells whether they agreed. Shows elicitation by URL; needs a client that supports it.",
            Hints::ASKS,
            |asked: Visit, call: Call| std::future::ready(ask_to_visit(&asked, &call)),
        ),
        Tool::plain(
            "list_roots",
            "List the client's roots",
            "Asks the client for its roots and lists them. Shows roots; needs a client that supports them.",
            Hints::ASKS,
            |_: Nothing, call: Call| std::future::ready(list_roots(&call)),
        ),
        Tool::structured(
            "interview",
            "Interview the person",
            "Asks the person for their name and then, by name, for their favourite colour. Shows a call that asks more than once.",
            Hints::ASKS,
            |_: Nothing, call: Call| std::future::ready(interview(&call)),
        ),
        Tool::plain(
            "ask_all_at_once",
            "Ask model, person and roots at once",
            "Asks the client's model, its person and its roots in one round. Shows several questions at the same time.",
            Hints::ASKS,
            |_: Nothing, call: Call| std::future::ready(ask_all(&call)),
        ),
    ]
}

fn ask_model(asked: &Prompt, call: &Call) -> Result<Vec<Content>, Halt> {
    let [answer] = call.ask([Question::sample("model", &asked.prompt, SYSTEM, asked.max_tokens.0)])?;
    Ok(vec![Content::text(format!("The model says: {}", sampled(&answer)?))])
}

fn ask_person(call: &Call) -> Result<Vec<Content>, Halt> {
    let [answer] = call.ask([Question::form("profile", "Please tell us about yourself", profile_schema(call))])?;
    Ok(vec![Content::text(match Elicited::<Profile>::read("profile", &answer)? {
        Elicited::Accepted(profile) => {
            let profile = Json::of(&profile).map_err(|error| Halt::internal(&error))?;
            format!("The person answered: {}", profile.as_str())
        }
        Elicited::Declined => "The person declined to answer".into(),
        Elicited::Cancelled => "The person closed the form".into(),
    })])
}

/// Clients of the first revision with forms check them strictly, and know no default but a boolean's.
fn profile_schema(call: &Call) -> Json {
    let schema = schema::input::<Profile>();
    if call.client.revision >= Revision::V2025_11_25 {
        return schema;
    }
    let mut plain = schema.object().unwrap_or_default();
    let properties = plain.child("properties").unwrap_or_default();
    let properties: Object = properties
        .into_members()
        .into_iter()
        .map(|mut member| {
            if let Ok(mut property) = member.value.object() {
                if property.string("type").as_deref() != Some("boolean") {
                    property.remove("default");
                }
                member.value = property.to_json();
            }
            member
        })
        .collect();
    plain.set("properties", properties.to_json());
    plain.to_json()
}

fn ask_to_visit(asked: &Visit, call: &Call) -> Result<Vec<Content>, Halt> {
    if !asked.url.starts_with("https://") || asked.url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Halt::told(format!("`{}` is no https address", asked.url.0)));
    }
    let [answer] = call.ask([Question::url("page", "Please have a look at this page", &asked.url)])?;
    Ok(vec![Content::text(match Elicited::<serde::de::IgnoredAny>::read("page", &answer)? {
        Elicited::Accepted(_) => "The person agreed to open the page",
        Elicited::Declined => "The person declined to open the page",
        Elicited::Cancelled => "The person closed the question",
    })])
}

fn list_roots(call: &Call) -> Result<Vec<Content>, Halt> {
    let [answer] = call.ask([Question::roots("roots")])?;
    let roots = roots(&answer)?;
    Ok(vec![Content::text(if roots.is_empty() {
        "The client has no roots".into()
    } else {
        format!("Roots:\n{}", roots.join("\n"))
    })])
}

fn interview(call: &Call) -> Result<Interview, Halt> {
    let refused = || Halt::told("The person did not want to be interviewed");
    let [name] = call.ask([Question::form("name", "What is your name?", schema::input::<Name>())])?;
    let Elicited::Accepted(Name { name }) = Elicited::read("name", &name)? else { return Err(refused()) };
    let message = format!("{name}, what is your favourite colour?");
    let [colour] = call.ask([Question::form("colour", &message, schema::input::<Favourite>())])?;
    let Elicited::Accepted(Favourite { colour }) = Elicited::read("colour", &colour)? else { return Err(refused()) };
    Ok(Interview { name, colour })
}

fn ask_all(call: &Call) -> Result<Vec<Content>, Halt> {
    let [model, person, workspace] = call.ask([
        Question::sample("model", "Say hello in one word.", SYSTEM, 20),
        Question::form("person", "What is your name?", schema::input::<Name>()),
        Question::roots("roots"),
    ])?;
    let person = match Elicited::<Name>::read("person", &person)? {
        Elicited::Accepted(person) => person.name,
        Elicited::Declined | Elicited::Cancelled => "nobody".into(),
    };
    let count = roots(&workspace)?.len();
    Ok(vec![Content::text(format!(
        "The model says {}, the person is {person}, and there are {count} roots",
        sampled(&model)?
    ))])
}

/// The words of a sampling result, whose content may be one block or several.
fn sampled(answer: &Json) -> Result<String, Halt> {
    let wrong = || Halt::invalid("invalid answer to `model`: it has no text");
    let content = answer.object().ok().and_then(|answer| answer.get("content").cloned()).ok_or_else(wrong)?;
    let blocks = if content.is_array() { content.array().map_err(|_| wrong())? } else { vec![content] };
    let texts: Vec<String> = blocks.iter().filter_map(|block| block.object().ok()?.string("text")).collect();
    if texts.is_empty() { Err(wrong()) } else { Ok(texts.join("\n")) }
}

fn roots(answer: &Json) -> Result<Vec<String>, Halt> {
    let wrong = || Halt::invalid("invalid answer to `roots`: it has no list of roots");
    let roots = answer.object().ok().and_then(|answer| answer.get("roots")?.array().ok()).ok_or_else(wrong)?;
    roots.iter().map(|root| root.object().ok().and_then(|root| root.string("uri")).ok_or_else(wrong)).collect()
}

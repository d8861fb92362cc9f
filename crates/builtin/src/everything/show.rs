//! Tools that show what results can hold.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use toolgate_protocol::Json;

use super::{library, media};
use crate::argument::{Nothing, Text, Whole};
use crate::call::{Call, Halt};
use crate::content::{Annotations, Content};
use crate::tool::{Hints, Tool};

/// The longest text made, in bytes; with its envelope it stays below the 4 MiB that many readers take as a line.
const MAX_BYTES: u64 = 4_000_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Echo {
    /// What to say back.
    message: Text<100_000>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Links {
    /// How many links.
    #[serde(default = "three")]
    count: Whole<1, 40>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Annotated {
    /// What the message is about.
    kind: Kind,
    /// Whether an image follows, for the person only.
    #[serde(default)]
    with_image: bool,
}

#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// For the person and the model, required.
    Error,
    /// For the person, of some weight.
    Success,
    /// For the model, may be left out.
    Debug,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Size {
    /// The length of the text in bytes.
    bytes: Whole<0, MAX_BYTES>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Place {
    /// Where.
    city: City,
}

#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
enum City {
    Oslo,
    Nairobi,
    Lima,
}

/// Weather as it might be.
#[derive(Serialize, JsonSchema)]
struct Weather {
    /// Where.
    city: City,
    /// In degrees Celsius.
    temperature: f64,
    /// In words.
    conditions: &'static str,
    /// What to expect of the next days, in degrees Celsius.
    forecast: Vec<f64>,
}

fn three() -> Whole<1, 40> {
    Whole(3)
}

pub(super) fn tools() -> Vec<Tool> {
    let mut tools = contents();
    tools.extend(answers());
    tools
}

/// One tool for each type of content.
fn contents() -> Vec<Tool> {
    vec![
        Tool::plain(
            "echo",
            "Echo",
            "Says back what it is told. Shows a text result.",
            Hints::READS,
            |asked: Echo, _| async move { Ok(vec![Content::text(asked.message.0)]) },
        ),
        Tool::plain(
            "get_image",
            "Get an image",
            "Gives a small PNG image. Shows an image result.",
            Hints::READS,
            |_: Nothing, _| async { Ok(vec![Content::image(&media::png(), "image/png")]) },
        ),
        Tool::plain(
            "get_audio",
            "Get a sound",
            "Gives a short WAV sound. Shows an audio result.",
            Hints::READS,
            |_: Nothing, _| async { Ok(vec![Content::audio(&media::wav(), "audio/wav")]) },
        ),
        Tool::plain(
            "get_embedded_resource",
            "Get an embedded resource",
            "Gives the text of a resource inside the result. Shows an embedded resource.",
            Hints::READS,
            |_: Nothing, _| async { Ok(vec![Content::Resource { resource: library::text() }]) },
        ),
        Tool::plain(
            "get_resource_links",
            "Get links to resources",
            "Gives links to resources that resources/read then reads. Shows resource links.",
            Hints::READS,
            |asked: Links, _| async move {
                Ok((1..=asked.count.0).map(|number| Content::ResourceLink(library::page(number))).collect())
            },
        ),
        Tool::plain(
            "get_mixed_content",
            "Get content of every type",
            "Gives text, an image, a sound, an embedded resource and a link in one result.",
            Hints::READS,
            |_: Nothing, _| async {
                Ok(vec![
                    Content::text("One of each:"),
                    Content::image(&media::png(), "image/png"),
                    Content::audio(&media::wav(), "audio/wav"),
                    Content::Resource { resource: library::text() },
                    Content::ResourceLink(library::page(1)),
                ])
            },
        ),
        Tool::plain(
            "get_annotated_content",
            "Get annotated content",
            "Gives content marked with its audience and priority. Shows annotations.",
            Hints::READS,
            |asked: Annotated, _| async move { Ok(annotated(&asked)) },
        ),
    ]
}

/// Tools whose whole answer is of a kind.
fn answers() -> Vec<Tool> {
    vec![
        Tool::structured(
            "get_sample_weather",
            "Get sample weather",
            "Gives invented weather of a city, the same every time. Shows structured content with an output schema.",
            Hints::READS,
            |asked: Place, _| async move { Ok(weather(asked.city)) },
        ),
        Tool::plain(
            "make_text",
            "Make a long text",
            "Gives a text of exactly the length asked for. Shows how large results are handled.",
            Hints::READS,
            |asked: Size, _| async move {
                let length = asked.bytes.0 as usize;
                Ok(vec![Content::text("0123456789".repeat(length / 10 + 1)[..length].to_owned())])
            },
        ),
        Tool::plain(
            "fail",
            "Fail",
            "Always fails, with the message given. Shows an error that the model can read.",
            Hints::READS,
            |asked: Echo, _| std::future::ready(Err::<Vec<Content>, _>(Halt::Told(asked.message.0))),
        ),
        Tool::plain(
            "describe_request",
            "Describe the request",
            "Tells what this server sees of the request and its client: revision, capabilities and metadata. Shows what arrives through \
             a gateway.",
            Hints::READS,
            |_: Nothing, call: Call| async move { describe(&call) },
        ),
    ]
}

fn annotated(asked: &Annotated) -> Vec<Content> {
    let (text, audience, priority): (_, &[&str], _) = match asked.kind {
        Kind::Error => ("Error: the operation failed", &["user", "assistant"], 1.0),
        Kind::Success => ("The operation succeeded", &["user"], 0.7),
        Kind::Debug => ("Debug: it took 12 ms", &["assistant"], 0.3),
    };
    let mut content = vec![Content::Text { text: text.into(), annotations: Some(Annotations { audience, priority }) }];
    if asked.with_image {
        content.push(Content::image(&media::png(), "image/png"));
    }
    content
}

fn weather(city: City) -> Weather {
    let (temperature, conditions, forecast) = match city {
        City::Oslo => (-3.5, "snow", vec![-4.0, -2.5, 0.0]),
        City::Nairobi => (21.0, "clear", vec![22.0, 23.5, 22.0]),
        City::Lima => (17.5, "overcast", vec![17.0, 18.0, 18.5]),
    };
    Weather { city, temperature, conditions, forecast }
}

fn describe(call: &Call) -> Result<Vec<Content>, Halt> {
    let client = &call.client;
    let value = |json: Option<&Json>| json.and_then(|json| json.read::<serde_json::Value>().ok());
    let told = json!({
        "revision": client.revision.as_str(),
        "client": value(client.info.as_ref()),
        "capabilities": value(Some(&client.capabilities.to_json())),
        "meta": value(call.meta.as_ref()),
    });
    Ok(vec![Content::text(format!("{told:#}"))])
}

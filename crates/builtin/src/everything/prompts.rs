//! Prompts of every kind: without arguments, with arguments, with a picture, with a resource, and one that asks.

use serde::{Deserialize, Serialize};

use super::{library, media};
use crate::ask::{Elicited, Question};
use crate::call::{Call, Halt};
use crate::content::Content;
use crate::prompt::{Filled, Message, Prompt};
use crate::schema;

const LANGUAGES: [&str; 4] = ["Go", "Python", "Rust", "TypeScript"];
const STYLES: [&str; 3] = ["brief", "detailed", "playful"];

#[derive(Deserialize, Serialize, schemars::JsonSchema)]
struct Name {
    /// Your name
    name: String,
}

pub(super) fn prompts() -> Vec<Prompt> {
    vec![
        Prompt::new("simple", "Simple prompt", "A prompt without arguments.", |_, _| {
            Ok(vec![Message::user(Content::text("What can the server named Everything do?"))])
        }),
        Prompt::new(
            "code_review",
            "Code review",
            "A prompt with a required and an optional argument, both completed.",
            code_review,
        )
        .needs("language", "Language", "The programming language", |_| owned(&LANGUAGES))
        .may_have("style", "Style", "How to write the review", |_| owned(&STYLES)),
        Prompt::new(
            "travel",
            "Travel",
            "A prompt whose second argument is completed in the light of the first.",
            travel,
        )
        .needs("country", "Country", "Where to go", |_| vec!["Kenya".into(), "Norway".into()])
        .needs("city", "City", "Which city to see", cities),
        Prompt::new("with_image", "Prompt with an image", "A prompt that shows an image.", |_, _| {
            let image = Content::image(&media::png(), "image/png");
            Ok(vec![Message::user(image), Message::user(Content::text("What do you see in this image?"))])
        }),
        Prompt::new("with_resource", "Prompt with a resource", "A prompt that embeds a resource.", |_, _| {
            let resource = Content::Resource { resource: library::text() };
            Ok(vec![Message::user(resource), Message::user(Content::text("Summarise this resource."))])
        }),
        Prompt::new(
            "personal",
            "Personal prompt",
            "A prompt that asks the person's name first; needs elicitation.",
            personal,
        ),
    ]
}

/// The prompt that comes and goes.
pub(super) fn extra() -> Prompt {
    Prompt::new(
        "extra_prompt",
        "Extra prompt",
        "A prompt that is only there after toggle_entry has added it.",
        |_, _| Ok(vec![Message::user(Content::text("The extra prompt is there."))]),
    )
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn given<'a>(filled: &'a Filled, name: &str) -> &'a str {
    filled.get(name).map_or("", String::as_str)
}

fn code_review(filled: &Filled, _: &Call) -> Result<Vec<Message>, Halt> {
    let style = filled.get("style").map_or("brief", String::as_str);
    Ok(vec![
        Message::user(Content::text(format!("Review my {} code. Be {style}.", given(filled, "language")))),
        Message::assistant(Content::text("Gladly. Please show me the code.")),
    ])
}

fn travel(filled: &Filled, _: &Call) -> Result<Vec<Message>, Halt> {
    let question = format!("What should I see in {}, {}?", given(filled, "city"), given(filled, "country"));
    Ok(vec![Message::user(Content::text(question))])
}

fn cities(others: &Filled) -> Vec<String> {
    match given(others, "country") {
        "Kenya" => owned(&["Mombasa", "Nairobi"]),
        "Norway" => owned(&["Bergen", "Oslo"]),
        _ => owned(&["Bergen", "Mombasa", "Nairobi", "Oslo"]),
    }
}

fn personal(_: &Filled, call: &Call) -> Result<Vec<Message>, Halt> {
    let [answer] = call.ask([Question::form("name", "What is your name?", schema::input::<Name>())])?;
    let name = match Elicited::<Name>::read("name", &answer)? {
        Elicited::Accepted(answer) => answer.name,
        Elicited::Declined | Elicited::Cancelled => "a stranger".into(),
    };
    Ok(vec![Message::user(Content::text(format!("I am {name}. Please greet me.")))])
}

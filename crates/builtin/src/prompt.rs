//! One prompt: what is told of it, how it is filled in, and what its arguments may be.

use std::collections::BTreeMap;

use serde::Serialize;
use toolgate_protocol::Json;

use crate::call::{Call, Halt};
use crate::content::Content;
use crate::server::Named;

/// A prompt.
pub(crate) struct Prompt {
    definition: Definition,
    /// For each argument, what it may be.
    suggestions: Vec<Suggest>,
    fill: fn(&Filled, &Call) -> Result<Vec<Message>, Halt>,
}

#[derive(Serialize)]
struct Definition {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    arguments: Vec<Argument>,
}

#[derive(Serialize)]
struct Argument {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    required: bool,
}

/// The arguments a prompt was given, by name.
pub(crate) type Filled = BTreeMap<String, String>;

/// All values an argument may have, given those of the other arguments.
pub(crate) type Suggest = fn(&Filled) -> Vec<String>;

/// One turn of the conversation that a prompt begins.
#[derive(Debug, Serialize)]
pub(crate) struct Message {
    pub(crate) role: &'static str,
    pub(crate) content: Content,
}

// === impl Prompt ===

impl Prompt {
    pub(crate) fn new(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        fill: fn(&Filled, &Call) -> Result<Vec<Message>, Halt>,
    ) -> Self {
        let definition = Definition { name, title, description, arguments: Vec::new() };
        Self { definition, suggestions: Vec::new(), fill }
    }

    /// Adds an argument that must be given.
    pub(crate) fn needs(
        self,
        name: &'static str,
        title: &'static str,
        description: &'static str,
        suggest: Suggest,
    ) -> Self {
        self.takes(Argument { name, title, description, required: true }, suggest)
    }

    /// Adds an argument that may be given.
    pub(crate) fn may_have(
        self,
        name: &'static str,
        title: &'static str,
        description: &'static str,
        suggest: Suggest,
    ) -> Self {
        self.takes(Argument { name, title, description, required: false }, suggest)
    }

    fn takes(mut self, argument: Argument, suggest: Suggest) -> Self {
        self.definition.arguments.push(argument);
        self.suggestions.push(suggest);
        self
    }

    /// As lists show it.
    pub(crate) fn definition(&self) -> Json {
        Json::of(&self.definition).expect("a definition is strings and booleans")
    }

    pub(crate) fn description(&self) -> &'static str {
        self.definition.description
    }

    /// The conversation, once every required argument is there.
    pub(crate) fn fill(&self, filled: &Filled, call: &Call) -> Result<Vec<Message>, Halt> {
        let known = &self.definition.arguments;
        if let Some(missing) = known.iter().find(|argument| argument.required && !filled.contains_key(argument.name)) {
            return Err(Halt::invalid(format!(
                "prompt `{}` needs the argument `{}`",
                self.definition.name, missing.name
            )));
        }
        if let Some(unknown) = filled.keys().find(|name| known.iter().all(|argument| argument.name != *name)) {
            return Err(Halt::invalid(format!("prompt `{}` has no argument `{unknown}`", self.definition.name)));
        }
        (self.fill)(filled, call)
    }

    /// All values of an argument, or `None` when there is no such argument.
    pub(crate) fn suggest(&self, argument: &str, others: &Filled) -> Option<Vec<String>> {
        let at = self.definition.arguments.iter().position(|known| known.name == argument)?;
        Some((self.suggestions[at])(others))
    }
}

impl Named for Prompt {
    fn name(&self) -> &str {
        self.definition.name
    }
}

// === impl Message ===

impl Message {
    pub(crate) fn user(content: Content) -> Self {
        Self { role: "user", content }
    }

    pub(crate) fn assistant(content: Content) -> Self {
        Self { role: "assistant", content }
    }
}

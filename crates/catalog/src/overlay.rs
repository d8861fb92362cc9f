//! What an operator lays over a tool: other words, other names for arguments, arguments that the client neither sees nor gives.
//!
//! It is laid over whatever the upstream says at the moment, so it survives the upstream's own changes. The schema that
//! clients see and the arguments that go upstream are rewritten by the same table, so they cannot disagree; results are
//! untouched.

mod schema;

use toolgate_identity::Caller;
use toolgate_protocol::{Json, Object};

/// What is laid over one tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Override {
    /// What it is called in the place of its native name.
    pub name: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Annotations, by member; others stay.
    pub annotations: Vec<(String, Json)>,
    /// Whether it is not there at all.
    pub hidden: bool,
    /// Its arguments, by native name.
    pub arguments: Vec<(String, Argument)>,
}

/// What is laid over one argument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Argument {
    /// What clients call it.
    pub name: Option<String>,
    /// How it is described.
    pub description: Option<String>,
    /// Whether clients neither see nor give it.
    pub hidden: bool,
    /// What is sent where the client gives nothing, or may not.
    pub value: Option<Value>,
}

/// Where the value of an argument comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The config.
    Literal(Json),
    /// Who is calling.
    Caller,
    /// Which of the caller's conversations this is, where that is known.
    Conversation,
}

// === impl Override ===

impl Override {
    /// The definition as clients see it, but for the name.
    pub(crate) fn lay_over(&self, definition: &mut Object) {
        for (member, text) in [("title", &self.title), ("description", &self.description)] {
            if let Some(text) = text {
                definition.set(member, Json::string(text));
            }
        }
        if !self.annotations.is_empty() || self.title.is_some() {
            let mut annotations = definition.child("annotations").unwrap_or_default();
            // Older clients read the title here.
            if let (Some(title), Some(_)) = (&self.title, annotations.get("title")) {
                annotations.set("title", Json::string(title));
            }
            for (member, value) in &self.annotations {
                annotations.set(member, value.clone());
            }
            if !annotations.is_empty() {
                definition.set("annotations", annotations.to_json());
            }
        }
        if !self.arguments.is_empty()
            && let Some(schema) = definition.child("inputSchema")
        {
            definition.set("inputSchema", schema::rewrite(schema, &self.arguments).to_json());
        }
    }

    /// A client's arguments as the upstream knows them.
    pub(crate) fn to_native(&self, mut arguments: Object, caller: &Caller) -> Object {
        // All values first, then all names: two arguments may have swapped theirs.
        let given: Vec<Option<Json>> = self
            .arguments
            .iter()
            .map(|(native, argument)| {
                let public = argument.name.as_ref().unwrap_or(native);
                arguments.get(public).filter(|_| !argument.hidden).cloned()
            })
            .collect();
        for (native, argument) in &self.arguments {
            arguments.remove(native);
            if let Some(public) = &argument.name {
                arguments.remove(public);
            }
        }
        for ((native, argument), given) in self.arguments.iter().zip(given) {
            let value = given.or_else(|| argument.value.as_ref().and_then(|value| value.of(caller)));
            if let Some(value) = value {
                arguments.set(native, value);
            }
        }
        arguments
    }

    /// What it says of arguments that a tool of this definition does not have, or has to be given and never is: for operators.
    pub(crate) fn faults(&self, definition: &Object) -> Vec<String> {
        let schema = definition.child("inputSchema").unwrap_or_default();
        schema::faults(&schema, &self.arguments)
    }
}

// === impl Value ===

impl Value {
    fn of(&self, caller: &Caller) -> Option<Json> {
        match self {
            Self::Literal(value) => Some(value.clone()),
            Self::Caller => Some(Json::string(caller.subject())),
            Self::Conversation => caller.conversation().map(|conversation| Json::string(conversation)),
        }
    }
}

#[cfg(test)]
mod tests;

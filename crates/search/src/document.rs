//! What can be found: a named thing with a description and parameters.

/// One thing to find. All of it is plain text; what is missing is empty.
///
/// Of each text the first 64 KiB are searched, of all of them together the first 10,000 words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Names it among the documents of its group. It comes back in hits; it is not searched.
    pub id: String,
    /// As a program calls it: `getWaterQuality`, `git_commit`.
    pub name: String,
    /// As people call it.
    pub title: String,
    /// In prose; its first sentence counts apart from the rest, and a list of arguments (`Args:`) apart from both.
    pub description: String,
    /// What it takes.
    pub parameters: Vec<Parameter>,
}

/// One parameter of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameter {
    /// As a program calls it.
    pub name: String,
    /// In prose.
    pub description: String,
    /// The only values that it takes, if they are words.
    pub values: Vec<String>,
}

/// A part of a document that counts in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The document's name.
    Name,
    /// Its title.
    Title,
    /// The name of its group.
    Group,
    /// The first sentence of its description.
    First,
    /// The rest of its description.
    Rest,
    /// Names of parameters.
    ParameterName,
    /// Descriptions of parameters.
    ParameterText,
    /// Values of parameters.
    ParameterValue,
}

// === impl Field ===

impl Field {
    /// All fields, in the order of their declaration.
    pub const ALL: [Self; 8] = [
        Self::Name,
        Self::Title,
        Self::Group,
        Self::First,
        Self::Rest,
        Self::ParameterName,
        Self::ParameterText,
        Self::ParameterValue,
    ];
}

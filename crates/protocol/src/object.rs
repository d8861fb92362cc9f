//! The members of a JSON object, read one level deep, in order.
//!
//! This is how the gateway edits a message: it finds, replaces, removes or appends the few members it knows, and writes all
//! others back as the bytes they were, in the order they had.

use std::collections::HashSet;

use bytestring::ByteString;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{Json, JsonError};

/// One member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The key as text, quotes included.
    key: Json,
    /// The key's characters, kept apart only where the text spells them with escapes.
    unescaped: Option<Box<str>>,
    /// The value.
    pub value: Json,
}

/// The members of an object in their order, each key once.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Object {
    members: Vec<Member>,
}

// === impl Member ===

impl Member {
    /// A member of our own making.
    pub fn new(name: &str, value: Json) -> Self {
        Self { key: Json::string(name), unescaped: None, value }.with_unescaped()
    }

    /// The key's characters.
    pub fn name(&self) -> &str {
        match &self.unescaped {
            Some(name) => name,
            None => {
                let text = self.key.as_str();
                &text[1..text.len() - 1]
            }
        }
    }

    /// Appends the member as it was written: `"key":value`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.key.text());
        out.push(b':');
        out.extend_from_slice(self.value.text());
    }

    fn with_unescaped(mut self) -> Self {
        if memchr::memchr(b'\\', self.key.text()).is_some() {
            self.unescaped = self.key.as_string().map(String::into_boxed_str);
        }
        self
    }
}

// === impl Object ===

impl Object {
    /// No members.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the members of the object that `text` is. The same key twice is an error.
    pub(crate) fn parse(text: &ByteString) -> Result<Self, JsonError> {
        if text.bytes().find(|byte| !byte.is_ascii_whitespace()) != Some(b'{') {
            // What is no JSON at all is said to be that.
            serde_json::from_str::<&RawValue>(text).map_err(JsonError::syntax)?;
            return Err(JsonError::WrongType { expected: "an object" });
        }
        let Pairs(pairs) = serde_json::from_str(text).map_err(JsonError::syntax)?;
        let members: Vec<Member> = pairs
            .into_iter()
            .map(|(key, value)| {
                Member { key: Json::within(text, key), unescaped: None, value: Json::within(text, value) }
                    .with_unescaped()
            })
            .collect();
        let object = Self { members };
        object.refuse_duplicates()?;
        Ok(object)
    }

    fn refuse_duplicates(&self) -> Result<(), JsonError> {
        let twice = if self.members.len() <= 16 {
            let members = &self.members;
            members
                .iter()
                .enumerate()
                .find(|(at, member)| members[..*at].iter().any(|earlier| earlier.name() == member.name()))
        } else {
            let mut seen = HashSet::with_capacity(self.members.len());
            self.members.iter().enumerate().find(|(_, member)| !seen.insert(member.name()))
        };
        match twice {
            Some((_, member)) => Err(JsonError::DuplicateMember(member.name().chars().take(64).collect())),
            None => Ok(()),
        }
    }

    /// The value of the member `name`.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.members.iter().find(|member| member.name() == name).map(|member| &member.value)
    }

    /// The characters of the string member `name`; `None` when it is absent or no string.
    pub fn string(&self, name: &str) -> Option<String> {
        self.get(name).and_then(Json::as_string)
    }

    /// The members of the object member `name`; `None` when it is absent or no object.
    pub fn child(&self, name: &str) -> Option<Self> {
        self.get(name).and_then(|value| value.object().ok())
    }

    /// Puts `value` in the place of the member `name`, or at the end where there is none.
    pub fn set(&mut self, name: &str, value: Json) {
        match self.members.iter_mut().find(|member| member.name() == name) {
            Some(member) => member.value = value,
            None => self.members.push(Member::new(name, value)),
        }
    }

    /// The same, for building an object in one expression.
    #[must_use]
    pub fn with(mut self, name: &str, value: Json) -> Self {
        self.set(name, value);
        self
    }

    /// Takes the member `name` out.
    pub fn remove(&mut self, name: &str) -> Option<Json> {
        let at = self.members.iter().position(|member| member.name() == name)?;
        Some(self.members.remove(at).value)
    }

    /// Keeps the members that `keep` says yes to.
    pub fn retain(&mut self, keep: impl FnMut(&Member) -> bool) {
        self.members.retain(keep);
    }

    /// Appends a member whose key is known to be new.
    pub(crate) fn push(&mut self, member: Member) {
        self.members.push(member);
    }

    /// The members in order.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter()
    }

    /// The members, given away.
    pub fn into_members(self) -> Vec<Member> {
        self.members
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// The object as JSON text.
    pub fn to_json(&self) -> Json {
        let mut text = Vec::with_capacity(self.text_len());
        self.write(&mut text);
        Json::trusted(text)
    }

    /// Appends the object's text to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (at, member) in self.members.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            member.write(out);
        }
        out.push(b'}');
    }

    /// The length of what [`Object::write`] writes.
    pub fn text_len(&self) -> usize {
        self.members.iter().map(|member| member.key.text().len() + member.value.text().len() + 2).sum::<usize>() + 2
    }
}

impl FromIterator<Member> for Object {
    fn from_iter<I: IntoIterator<Item = Member>>(members: I) -> Self {
        Self { members: members.into_iter().collect() }
    }
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_json().fmt(f)
    }
}

/// Key and value of each member, borrowed from the text.
struct Pairs<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::with_capacity(8);
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &'static str) -> Object {
        Json::literal(text).object().unwrap()
    }

    #[test]
    fn an_edit_touches_only_what_it_names() {
        let mut edited = object(r#"{"z":1e2,"name":"a","x":{"y":[1.0, 2]},"q":null}"#);
        edited.set("name", Json::string("b"));
        edited.remove("q");
        edited.set("new", Json::integer(1));
        assert_eq!(edited.to_json().as_str(), r#"{"z":1e2,"name":"b","x":{"y":[1.0, 2]},"new":1}"#);
    }

    #[test]
    fn an_escaped_key_is_the_key_it_means() {
        let object = object(r#"{"na\u006de":"x"}"#);
        assert_eq!(object.string("name").as_deref(), Some("x"));
        assert_eq!(object.to_json().as_str(), r#"{"na\u006de":"x"}"#);
    }

    #[test]
    fn a_key_twice_is_refused_however_it_is_spelled() {
        let twice = Json::literal(r#"{"name":1,"n\u0061me":2}"#).object();
        assert_eq!(twice, Err(JsonError::DuplicateMember("name".into())));
    }
}

//! A JSON value kept as the text it arrived as.
//!
//! Parsing a value into a tree and writing it again changes what nobody asked to change: `1e2` becomes `100.0`, members are
//! sorted, big numbers lose digits. A gateway must not. [`Json`] therefore holds a slice of the received buffer that is
//! known to be one valid JSON value; cloning it or taking a member out of it copies nothing.

use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::object::Object;

/// How deep arrays and objects may nest before a text is refused, unless a caller asks for another bound.
///
/// `serde_json` recurses at most 128 levels when a tree is built; 64 leaves room and is more than any schema seen in the wild.
pub const MAX_DEPTH: usize = 64;

/// One valid JSON value, as text without surrounding white space.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(ByteString);

/// Why a text is not a JSON value that can be accepted.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum JsonError {
    /// Not JSON at all; the parser's own words, with line and column.
    #[error("not valid JSON: {0}")]
    Syntax(String),
    /// Valid, but nested deeper than the bound given.
    #[error("JSON nested deeper than {0} levels")]
    TooDeep(usize),
    /// The same member twice: two readers could act on different values, so neither is believed.
    #[error("member `{0}` appears twice in one JSON object")]
    DuplicateMember(String),
    /// Valid, but of another type than needed here.
    #[error("expected {expected}")]
    WrongType {
        /// What would have been right, in words.
        expected: &'static str,
    },
}

// === impl Json ===

impl Json {
    /// Accepts a text that is one JSON value nested at most [`MAX_DEPTH`] deep.
    pub fn parse(text: Bytes) -> Result<Self, JsonError> {
        Self::parse_within(text, MAX_DEPTH)
    }

    /// Accepts a text that is one JSON value nested at most `depth` deep.
    pub fn parse_within(text: Bytes, depth: usize) -> Result<Self, JsonError> {
        check_depth(&text, depth)?;
        let text = utf8(text)?;
        let raw: &RawValue = serde_json::from_str(&text).map_err(JsonError::syntax)?;
        Ok(Self::within(&text, raw))
    }

    /// The slice of `parent` in which serde found `raw`.
    pub(crate) fn within(parent: &ByteString, raw: &RawValue) -> Self {
        Self(parent.slice_ref(raw.get()))
    }

    /// A text that its author knows to be valid JSON, such as one this crate wrote or a literal.
    pub(crate) fn trusted(text: impl Into<Bytes>) -> Self {
        Self(ByteString::try_from(text.into()).expect("what this crate writes is UTF-8"))
    }

    /// A literal written in our own source. A test of the caller's shows that it is JSON.
    pub const fn literal(text: &'static str) -> Self {
        Self(ByteString::from_static(text))
    }

    /// `value` as JSON. Fails for what JSON cannot say, such as a map with keys that are not strings.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, JsonError> {
        serde_json::to_vec(value).map(Self::trusted).map_err(JsonError::syntax)
    }

    /// A JSON string.
    pub fn string(text: &str) -> Self {
        Self::of(text).expect("a string is always JSON")
    }

    /// A JSON integer.
    pub fn integer(number: u64) -> Self {
        Self::trusted(number.to_string())
    }

    /// An array of values that are there already.
    pub fn array_of<'a>(elements: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut text = vec![b'['];
        for element in elements {
            if text.len() > 1 {
                text.push(b',');
            }
            text.extend_from_slice(element.text());
        }
        text.push(b']');
        Self::trusted(text)
    }

    /// The text itself.
    pub fn text(&self) -> &Bytes {
        self.0.as_bytes()
    }

    /// The text as a string slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the value as `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        serde_json::from_str(&self.0).map_err(JsonError::syntax)
    }

    /// The characters of a JSON string, unescaped; `None` for every other type.
    pub fn as_string(&self) -> Option<String> {
        self.is_string().then(|| self.read().ok()).flatten()
    }

    /// The value of an integer that fits, also when it is spelled `7.0`; some servers echo ids as floats.
    pub fn as_u64(&self) -> Option<u64> {
        if let Ok(number) = self.read::<u64>() {
            return Some(number);
        }
        let number = self.read::<f64>().ok()?;
        (number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number)).then_some(number as u64)
    }

    /// The members of an object, read one level deep.
    pub fn object(&self) -> Result<Object, JsonError> {
        Object::parse(&self.0)
    }

    /// The elements of an array, read one level deep.
    pub fn array(&self) -> Result<Vec<Self>, JsonError> {
        if !self.is_array() {
            return Err(JsonError::WrongType { expected: "an array" });
        }
        let raw: Vec<&RawValue> = serde_json::from_str(&self.0).map_err(JsonError::syntax)?;
        Ok(raw.into_iter().map(|element| Self::within(&self.0, element)).collect())
    }

    /// Whether this is an object.
    pub fn is_object(&self) -> bool {
        self.text().first() == Some(&b'{')
    }

    /// Whether this is an array.
    pub fn is_array(&self) -> bool {
        self.text().first() == Some(&b'[')
    }

    /// Whether this is a string.
    pub fn is_string(&self) -> bool {
        self.text().first() == Some(&b'"')
    }

    /// Whether this is a number.
    pub fn is_number(&self) -> bool {
        matches!(self.text().first(), Some(b'-' | b'0'..=b'9'))
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        self.text().first() == Some(&b'n')
    }

    /// The same value without line breaks: between tokens they are white space, inside strings JSON forbids them.
    ///
    /// The stdio and SSE framings end a message at a line break.
    pub fn single_line(text: Bytes) -> Bytes {
        if memchr::memchr2(b'\n', b'\r', &text).is_none() {
            return text;
        }
        text.iter().map(|&byte| if byte == b'\n' || byte == b'\r' { b' ' } else { byte }).collect()
    }
}

impl std::fmt::Debug for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

// === impl JsonError ===

impl JsonError {
    pub(crate) fn syntax(error: serde_json::Error) -> Self {
        Self::Syntax(error.to_string())
    }
}

/// Takes bytes for text if they are, so that nothing needs to check again.
pub(crate) fn utf8(text: Bytes) -> Result<ByteString, JsonError> {
    ByteString::try_from(text).map_err(|error| JsonError::Syntax(format!("not UTF-8: {error}")))
}

/// Refuses a text nested deeper than `limit`, before anything recurses over it.
///
/// serde_json skips over raw values without recursing, so depth has to be counted apart. Brackets inside strings do not count.
pub fn check_depth(text: &[u8], limit: usize) -> Result<(), JsonError> {
    let mut depth = 0_usize;
    let mut rest = text;
    loop {
        let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'[' | b'{' | b']' | b'}')) else {
            return Ok(());
        };
        let found = rest[at];
        rest = &rest[at + 1..];
        match found {
            b'"' => rest = after_string(rest),
            b'[' | b'{' => {
                depth += 1;
                if depth > limit {
                    return Err(JsonError::TooDeep(limit));
                }
            }
            _ => depth = depth.saturating_sub(1),
        }
    }
}

/// What follows the string whose opening quote was just read.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        if rest[at] == b'"' {
            return &rest[at + 1..];
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_kept_as_it_was() {
        let json = Json::parse(Bytes::from_static(b"  {\"b\": 1e2, \"a\":0.10000000000000000001 }\n")).unwrap();
        assert_eq!(json.as_str(), "{\"b\": 1e2, \"a\":0.10000000000000000001 }");
    }

    #[test]
    fn depth_is_counted_outside_strings_only() {
        assert!(check_depth(br#"["[[[[\"[[",[1]]"#, 2).is_ok());
        assert_eq!(check_depth(br"[[[1]]]", 2), Err(JsonError::TooDeep(2)));
        let bomb = vec![b'['; 200_000];
        assert_eq!(Json::parse(bomb.into()), Err(JsonError::TooDeep(MAX_DEPTH)));
    }

    #[test]
    fn ids_spelled_as_floats_are_integers() {
        assert_eq!(Json::literal("7.0").as_u64(), Some(7));
        assert_eq!(Json::literal("7.5").as_u64(), None);
        assert_eq!(Json::literal("-7").as_u64(), None);
    }
}

//! The notation of signatures read back, and shapes written as schemas: both apart from the code that is tested.

use std::cell::RefCell;

use proptest::prelude::*;

use crate::shape::{Bound, Field, List, Number, Object, Shape, Text, Tuple};

/// The object whose members a signature lists.
pub(crate) fn parse(text: &str) -> Object {
    let mut parser = Parser { rest: text };
    parser.expect("(");
    let object = if parser.rest.starts_with("Record<") {
        match parser.one() {
            Shape::Object(object) => object,
            other => panic!("{other:?}"),
        }
    } else {
        parser.members(")")
    };
    parser.expect(")");
    assert_eq!(parser.rest, "");
    object
}

struct Parser<'a> {
    rest: &'a str,
}

// === impl Parser ===

impl<'a> Parser<'a> {
    fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, text: &str) {
        assert!(self.take(text), "{text:?} expected at {:?}", self.rest);
    }

    fn take_while(&mut self, is: fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !is(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// A JSON value as text.
    fn json(&mut self) -> String {
        if !self.rest.starts_with(['"', '[', '{']) {
            return self.take_while(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.').to_owned();
        }
        let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<&serde_json::value::RawValue>();
        let text = values.next().unwrap().unwrap().get().to_owned();
        let end = values.byte_offset();
        self.rest = &self.rest[end..];
        text
    }

    fn members(&mut self, end: &str) -> Object {
        let mut object = Object::default();
        while !self.rest.starts_with(end) {
            if !object.fields.is_empty() {
                self.expect(", ");
            }
            if self.take("[key: string]: ") {
                object.rest = Some(Box::new(self.shape()));
                break;
            }
            let name = if self.rest.starts_with('"') {
                serde_json::from_str(&self.json()).unwrap()
            } else {
                self.take_while(|c| c.is_alphanumeric() || c == '_' || c == '$').to_owned()
            };
            let optional = self.take("?");
            self.expect(": ");
            let shape = self.shape();
            let default = self.take(" = ").then(|| self.json());
            object.fields.push(Field { name, optional, shape, default });
        }
        object
    }

    fn shape(&mut self) -> Shape {
        let mut shapes = vec![self.one()];
        while self.take("|") {
            shapes.push(self.one());
        }
        if shapes.len() == 1 { shapes.remove(0) } else { Shape::Union(shapes) }
    }

    fn one(&mut self) -> Shape {
        let mut shape = if self.take("(") {
            let shape = self.shape();
            self.expect(")");
            shape
        } else if self.rest.starts_with('"') || self.rest.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            Shape::Literal(self.json())
        } else if self.take("[") {
            self.tuple()
        } else if self.take("{") {
            let object = self.members("}");
            self.expect("}");
            Shape::Object(object)
        } else if self.take("Record<string, ") {
            let rest = self.shape();
            self.expect(">");
            Shape::Object(Object { fields: Vec::new(), rest: Some(Box::new(rest)) })
        } else {
            self.word()
        };
        while self.take("[]") {
            let (min, max) = self.count("items");
            let unique = self.take(" unique");
            shape = Shape::List(List { item: Box::new(shape), min, max, unique });
        }
        shape
    }

    fn word(&mut self) -> Shape {
        match self.take_while(|c| c.is_alphabetic()) {
            "any" => Shape::Any,
            "null" => Shape::Null,
            "boolean" => Shape::Boolean,
            "true" => Shape::Literal("true".into()),
            "object" => Shape::Object(Object { fields: Vec::new(), rest: Some(Box::new(Shape::Any)) }),
            "integer" => Shape::Number(self.number(true)),
            "number" => Shape::Number(self.number(false)),
            "string" => Shape::Text(self.text()),
            word => panic!("{word:?} before {:?}", self.rest),
        }
    }

    fn figure(&mut self) -> String {
        self.take_while(|c| c == '-' || c.is_ascii_digit()).to_owned()
    }

    fn number(&mut self, integer: bool) -> Number {
        let mut number = Number { integer, ..Number::default() };
        if self.rest.starts_with(" -")
            || (self.rest.starts_with(' ') && self.rest[1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            self.expect(" ");
            number.min = Some(Bound { at: self.figure(), open: false });
            self.expect("..");
            number.max = Some(Bound { at: self.figure(), open: false });
        }
        if self.take(" >") {
            let open = !self.take("=");
            number.min = Some(Bound { at: self.figure(), open });
        }
        if self.take(" <") {
            let open = !self.take("=");
            number.max = Some(Bound { at: self.figure(), open });
        }
        number.step = self.take(" %").then(|| self.figure());
        number
    }

    fn text(&mut self) -> Text {
        let mut text = Text::default();
        if self.rest.starts_with(' ') && self.rest[1..].starts_with(|c: char| c.is_ascii_lowercase()) {
            self.expect(" ");
            text.format = Some(self.take_while(|c| c.is_ascii_lowercase() || c == '-').to_owned());
        }
        (text.min, text.max) = self.count("chars");
        if self.take(" /") {
            let mut pattern = String::new();
            while !self.take("/") {
                let c = self.take_char();
                match (c, self.rest.chars().next()) {
                    ('\\', Some('/')) => pattern.push(self.take_char()),
                    ('\\', Some(_)) => pattern.extend(['\\', self.take_char()]),
                    _ => pattern.push(c),
                }
            }
            text.pattern = Some(pattern);
        }
        text
    }

    fn take_char(&mut self) -> char {
        let c = self.rest.chars().next().unwrap();
        self.rest = &self.rest[c.len_utf8()..];
        c
    }

    /// ` 3 items`, ` 1..5 items`, ` >=1 items`, ` <=5 items`, or nothing.
    fn count(&mut self, unit: &str) -> (Option<u64>, Option<u64>) {
        let before = self.rest;
        let figure = |parser: &mut Self| parser.figure().parse().ok();
        let counts = if self.take(" >=") {
            (figure(self), None)
        } else if self.take(" <=") {
            (None, figure(self))
        } else if self.take(" ") {
            let min = figure(self);
            (min, if self.take("..") { figure(self) } else { min })
        } else {
            return (None, None);
        };
        if !self.take(&format!(" {unit}")) {
            // It was the bound of something else.
            self.rest = before;
            return (None, None);
        }
        counts
    }

    fn tuple(&mut self) -> Shape {
        let mut tuple = Tuple { items: Vec::new(), required: 0, rest: None };
        while !self.take("]") {
            if !tuple.items.is_empty() {
                self.expect(", ");
            }
            if self.take("...") {
                match self.one() {
                    Shape::List(list) => tuple.rest = Some(list.item),
                    other => panic!("{other:?}"),
                }
                continue;
            }
            tuple.items.push(self.shape());
            tuple.required += usize::from(!self.take("?"));
        }
        Shape::Tuple(tuple)
    }
}

/// The schema that a person would write for `object`; with what lies in it under `$defs`, if `by_reference`.
pub(crate) fn schema_of(object: &Object, by_reference: bool) -> String {
    let writer = Writer { by_reference, definitions: RefCell::default() };
    let mut members = writer.object_members(object);
    let definitions = writer.definitions.into_inner();
    if !definitions.is_empty() {
        let definitions: Vec<String> =
            definitions.iter().enumerate().map(|(at, text)| format!(r#""D{at}":{text}"#)).collect();
        members.push(format!(r#""$defs":{{{}}}"#, definitions.join(",")));
    }
    format!("{{{}}}", members.join(","))
}

struct Writer {
    by_reference: bool,
    definitions: RefCell<Vec<String>>,
}

// === impl Writer ===

impl Writer {
    fn object_members(&self, object: &Object) -> Vec<String> {
        let quoted = |text: &str| serde_json::to_string(text).unwrap();
        let mut members = vec![r#""type":"object""#.to_owned()];
        let properties: Vec<String> = object
            .fields
            .iter()
            .map(|field| {
                let mut schema = self.schema(&field.shape);
                if let Some(default) = &field.default {
                    // Beside what the shape needs, or around a schema that is no object.
                    schema = match schema.strip_suffix('}') {
                        Some("{") => format!(r#"{{"default":{default}}}"#),
                        Some(open) => format!(r#"{open},"default":{default}}}"#),
                        None => format!(r#"{{"allOf":[{schema}],"default":{default}}}"#),
                    };
                }
                format!("{}:{schema}", quoted(&field.name))
            })
            .collect();
        let required: Vec<String> =
            object.fields.iter().filter(|field| !field.optional).map(|field| quoted(&field.name)).collect();
        if !properties.is_empty() || object.rest.is_none() {
            members.push(format!(r#""properties":{{{}}}"#, properties.join(",")));
        }
        if !required.is_empty() {
            members.push(format!(r#""required":[{}]"#, required.join(",")));
        }
        match object.rest.as_deref() {
            None => members.push(r#""additionalProperties":false"#.to_owned()),
            Some(Shape::Any) => {}
            Some(rest) => members.push(format!(r#""additionalProperties":{}"#, self.schema(rest))),
        }
        members
    }

    fn schema(&self, shape: &Shape) -> String {
        let mut members = Vec::new();
        match shape {
            Shape::Any => return "true".into(),
            Shape::Null => members.push(r#""type":"null""#.to_owned()),
            Shape::Boolean => members.push(r#""type":"boolean""#.to_owned()),
            Shape::Literal(literal) => members.push(format!(r#""const":{literal}"#)),
            Shape::Number(number) => {
                members.push(format!(r#""type":"{}""#, if number.integer { "integer" } else { "number" }));
                for (bound, closed, open) in
                    [(&number.min, "minimum", "exclusiveMinimum"), (&number.max, "maximum", "exclusiveMaximum")]
                {
                    members.extend(
                        bound
                            .iter()
                            .map(|bound| format!(r#""{}":{}"#, if bound.open { open } else { closed }, bound.at)),
                    );
                }
                members.extend(number.step.iter().map(|step| format!(r#""multipleOf":{step}"#)));
            }
            Shape::Text(text) => {
                members.push(r#""type":"string""#.to_owned());
                members.extend(text.format.iter().map(|format| format!(r#""format":"{format}""#)));
                members.extend(text.min.iter().map(|min| format!(r#""minLength":{min}"#)));
                members.extend(text.max.iter().map(|max| format!(r#""maxLength":{max}"#)));
                members.extend(
                    text.pattern
                        .iter()
                        .map(|pattern| format!(r#""pattern":{}"#, serde_json::to_string(pattern).unwrap())),
                );
            }
            Shape::List(list) => {
                members.push(format!(r#""type":"array","items":{}"#, self.schema(&list.item)));
                members.extend(list.min.iter().map(|min| format!(r#""minItems":{min}"#)));
                members.extend(list.max.iter().map(|max| format!(r#""maxItems":{max}"#)));
                members.extend(list.unique.then(|| r#""uniqueItems":true"#.to_owned()));
            }
            Shape::Tuple(tuple) => {
                let items: Vec<String> = tuple.items.iter().map(|item| self.schema(item)).collect();
                let rest = tuple.rest.as_ref().map_or("false".into(), |rest| self.schema(rest));
                members.push(format!(r#""type":"array","prefixItems":[{}],"items":{rest}"#, items.join(",")));
                members.push(format!(r#""minItems":{}"#, tuple.required));
            }
            Shape::Object(object) => members = self.object_members(object),
            Shape::Union(shapes) => {
                let branches: Vec<String> = shapes.iter().map(|shape| self.schema(shape)).collect();
                members.push(format!(r#""anyOf":[{}]"#, branches.join(",")));
            }
            other => panic!("{other:?} is not generated"),
        }
        let schema = format!("{{{}}}", members.join(","));
        if !self.by_reference {
            return schema;
        }
        let mut definitions = self.definitions.borrow_mut();
        definitions.push(schema);
        format!(r##"{{"$ref":"#/$defs/D{}"}}"##, definitions.len() - 1)
    }
}

/// Objects of every shape that a signature can say in full.
pub(crate) fn objects() -> impl Strategy<Value = Object> {
    object_of(shapes().boxed())
}

fn object_of(inner: BoxedStrategy<Shape>) -> impl Strategy<Value = Object> {
    let name = prop_oneof![4 => "[a-z_]{1,8}", 1 => "[a-zé]{1,4}[-. \"][a-z]{1,4}"];
    let default = prop::option::weighted(
        0.3,
        prop_oneof![Just("10"), Just("\"a, b)\""), Just("[]"), Just("{\"a\":[1,2]}"), Just("true")],
    );
    let field = (name, any::<bool>(), inner.clone(), default).prop_map(|(name, optional, shape, default)| Field {
        name,
        optional,
        shape,
        default: default.map(str::to_owned),
    });
    let rest = prop::option::weighted(
        0.2,
        inner.prop_filter("beside members, `any` says nothing", |rest| *rest != Shape::Any),
    );
    (prop::collection::vec(field, 0..4), rest).prop_map(|(mut fields, rest)| {
        let mut seen = std::collections::HashSet::new();
        fields.retain(|field| seen.insert(field.name.clone()));
        let mut object = Object { fields, rest: rest.map(Box::new) };
        object.required_first();
        object
    })
}

fn shapes() -> impl Strategy<Value = Shape> {
    let plain = Shape::Object(Object { fields: Vec::new(), rest: Some(Box::new(Shape::Any)) });
    let literal = prop_oneof![Just("\"open\""), Just("\"a|b\\\"\""), Just("7"), Just("-1.5"), Just("true")];
    let leaf = prop_oneof![
        Just(Shape::Any),
        Just(Shape::Null),
        Just(Shape::Boolean),
        Just(plain),
        literal.prop_map(|text| Shape::Literal(text.to_owned())),
        numbers().prop_map(Shape::Number),
        texts().prop_map(Shape::Text),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let inner = inner.boxed();
        prop_oneof![
            (inner.clone(), counts(1), any::<bool>()).prop_map(|(item, (min, max), unique)| Shape::List(List {
                item: Box::new(item),
                min,
                max,
                unique
            })),
            (prop::collection::vec(inner.clone(), 1..3), any::<usize>(), prop::option::of(inner.clone())).prop_map(
                |(items, required, rest)| {
                    Shape::Tuple(Tuple { required: required % (items.len() + 1), items, rest: rest.map(Box::new) })
                }
            ),
            object_of(inner.clone()).prop_map(Shape::Object),
            prop::collection::vec(inner, 2..4).prop_map(Shape::union),
        ]
    })
}

fn numbers() -> impl Strategy<Value = Number> {
    let bound =
        || prop::option::of((-50..50_i32, any::<bool>()).prop_map(|(at, open)| Bound { at: at.to_string(), open }));
    (any::<bool>(), bound(), bound(), prop::option::of(2..9_u8)).prop_map(|(integer, min, max, step)| Number {
        integer,
        min,
        max,
        step: step.map(|step| step.to_string()),
    })
}

fn texts() -> impl Strategy<Value = Text> {
    let pattern = prop_oneof![Just("^[a-z]+$"), Just("a/b c\\d x"), Just("(a|b)"), Just("\\\\")];
    let format = prop::option::of(prop_oneof![Just("date-time"), Just("uri"), Just("uuid")]);
    (format, counts(2), prop::option::weighted(0.3, pattern)).prop_map(|(format, (min, max), pattern)| Text {
        format: format.map(str::to_owned),
        min,
        max,
        pattern: pattern.map(str::to_owned),
    })
}

fn counts(least: u64) -> impl Strategy<Value = (Option<u64>, Option<u64>)> {
    (prop::option::of(least..least + 3), prop::option::of(least + 3..least + 9))
}

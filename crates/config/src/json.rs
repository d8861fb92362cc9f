//! JSON and JSONC (comments, trailing commas) to a tree, with the place of each value.

use jsonc_parser::ast::{ObjectPropName, Value as Ast};
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::ParseError;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use crate::fault::Report;
use crate::node::{Builder, MAX_DEPTH, Node, Place, Tree, Value};
use crate::syntax::SyntaxError;

/// What VS Code takes as JSONC, and no more: a stray JSON5 spelling is more often a slip than a wish.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Turns byte offsets into places. Offsets mostly come in rising order, so it walks on from the last one: a file that
/// is one long line costs one pass.
struct Cursor<'a> {
    text: &'a str,
    byte: usize,
    place: Place,
}

struct Reader<'a, 'r> {
    cursor: Cursor<'a>,
    builder: Builder,
    report: &'r mut Report,
}

/// The tree of a JSON text.
pub(crate) fn read(text: &str, report: &mut Report) -> Result<Tree, SyntaxError> {
    let mut cursor = Cursor::new(text);
    let parsed =
        parse_to_ast(text, &CollectOptions::default(), &OPTIONS).map_err(|error| explain(&mut cursor, &error))?;
    let mut reader = Reader { cursor, builder: Builder::default(), report };
    let root = match parsed.value {
        Some(value) => reader.node(value, 0)?,
        None => reader.builder.node(Place { line: 1, column: 1 }, Value::Null),
    };
    Ok(reader.builder.finish(root))
}

fn explain(cursor: &mut Cursor<'_>, error: &ParseError) -> SyntaxError {
    let kind = error.kind().to_string();
    SyntaxError {
        place: cursor.place(error.range().start),
        message: format!("not JSON: {}", lower_first(&kind)),
        help: None,
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

// === impl Reader ===

impl Reader<'_, '_> {
    fn node(&mut self, ast: Ast<'_>, depth: usize) -> Result<Node, SyntaxError> {
        let place = self.cursor.place(ast.range().start);
        if depth > MAX_DEPTH {
            return Err(SyntaxError { place, message: format!("nested deeper than {MAX_DEPTH}"), help: None });
        }
        let value = match ast {
            Ast::NullKeyword(_) => Value::Null,
            Ast::BooleanLit(lit) => Value::Bool(lit.value),
            Ast::NumberLit(lit) => Value::Number(lit.value.to_owned()),
            Ast::StringLit(lit) => Value::Text(lit.value.into_owned()),
            Ast::Array(array) => {
                let items = array.elements.into_iter().map(|item| self.node(item, depth + 1));
                Value::List(items.collect::<Result<_, _>>()?)
            }
            Ast::Object(object) => {
                let mut map = self.builder.map();
                for property in object.properties {
                    let key = self.key(property.name);
                    let value = self.node(property.value, depth + 1)?;
                    map.insert(&mut self.builder, key, value, self.report);
                }
                map.finish()
            }
        };
        Ok(self.builder.node(place, value))
    }

    fn key(&mut self, name: ObjectPropName<'_>) -> Node {
        let place = self.cursor.place(name.range().start);
        self.builder.node(place, Value::Text(name.into_string()))
    }
}

// === impl Cursor ===

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Self {
        Cursor { text, byte: 0, place: Place { line: 1, column: 1 } }
    }

    fn place(&mut self, byte: usize) -> Place {
        if byte < self.byte {
            *self = Cursor::new(self.text);
        }
        for c in self.text.get(self.byte..byte).unwrap_or_default().chars() {
            if c == '\n' {
                self.place.line += 1;
                self.place.column = 1;
            } else {
                self.place.column += 1;
            }
        }
        self.byte = byte;
        self.place
    }
}

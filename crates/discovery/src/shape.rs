//! What a schema says about a value, in the terms that a signature can say: the model between the two.

/// What a value may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Anything.
    Any,
    /// Nothing at all: the schema `false`.
    Never,
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number within bounds.
    Number(Number),
    /// A string.
    Text(Text),
    /// Exactly this JSON value, as compact text.
    Literal(String),
    /// An array whose elements are alike.
    List(List),
    /// An array whose first elements have meanings of their own.
    Tuple(Tuple),
    /// An object.
    Object(Object),
    /// One of several.
    Union(Vec<Shape>),
    /// All of several at once.
    All(Vec<Shape>),
    /// A shape with a name, because it contains itself.
    Named(String),
    /// Something that is not shown here.
    Elided,
}

/// A number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Number {
    /// Whether it has no fraction.
    pub integer: bool,
    /// The least, and whether that itself is excluded.
    pub min: Option<Bound>,
    /// The greatest, and whether that itself is excluded.
    pub max: Option<Bound>,
    /// What it is a multiple of, as text.
    pub step: Option<String>,
}

/// One end of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The number as text.
    pub at: String,
    /// Whether the end itself does not belong.
    pub open: bool,
}

/// A string.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text {
    /// As in `date-time`.
    pub format: Option<String>,
    /// The fewest characters.
    pub min: Option<u64>,
    /// The most characters.
    pub max: Option<u64>,
    /// A regular expression.
    pub pattern: Option<String>,
}

/// An array whose elements are alike.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    /// Each element.
    pub item: Box<Shape>,
    /// The fewest.
    pub min: Option<u64>,
    /// The most.
    pub max: Option<u64>,
    /// Whether no two are equal.
    pub unique: bool,
}

/// An array whose first elements have meanings of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuple {
    /// The first elements.
    pub items: Vec<Shape>,
    /// How many of them must be there.
    pub required: usize,
    /// What follows them; `None` where nothing may.
    pub rest: Option<Box<Shape>>,
}

/// An object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    /// The members that it names, the required ones first.
    pub fields: Vec<Field>,
    /// The others, where something is said of them.
    pub rest: Option<Box<Shape>>,
}

/// A member of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Whether it may be left out.
    pub optional: bool,
    /// What it may be.
    pub shape: Shape,
    /// What it is where it is left out, as compact JSON.
    pub default: Option<String>,
}

/// A shape and the shapes that it names.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The shape of the whole.
    pub shape: Shape,
    /// The shapes that contain themselves, by name.
    pub named: Vec<(String, Shape)>,
    /// Whether the schema says nothing more than this.
    pub faithful: bool,
}

// === impl Shape ===

impl Shape {
    /// One of `shapes`, without unions within unions, and each once.
    pub(crate) fn union(shapes: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for shape in shapes {
            match shape {
                Self::Union(inner) => inner.into_iter().for_each(|shape| push_once(&mut flat, shape)),
                Self::Never => {}
                shape => push_once(&mut flat, shape),
            }
        }
        match flat.len() {
            0 => Self::Never,
            1 => flat.remove(0),
            _ if flat.contains(&Self::Any) => Self::Any,
            _ => Self::Union(flat),
        }
    }

    /// What is `self` and `other` at once. Where no single shape says that, both are said.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, shape) | (shape, Self::Any) => shape,
            (a, b) if a == b => a,
            (Self::Object(plain), Self::Object(more)) | (Self::Object(more), Self::Object(plain))
                if plain.is_plain() =>
            {
                Self::Object(more)
            }
            (Self::Object(a), Self::Object(b)) if a.rest.is_none() && b.rest.is_none() => Self::Object(a.and(b)),
            (Self::Number(a), Self::Number(b)) if a.is_plain() && (b.integer || !a.integer) => Self::Number(b),
            (Self::Number(a), Self::Number(b)) if b.is_plain() && (a.integer || !b.integer) => Self::Number(a),
            (Self::Text(a), Self::Text(b)) if a == Text::default() => Self::Text(b),
            (Self::Text(a), Self::Text(b)) if b == Text::default() => Self::Text(a),
            (wide, narrow) if narrow.is_literal_of(&wide) => narrow,
            (narrow, wide) if narrow.is_literal_of(&wide) => narrow,
            (Self::All(mut all), Self::All(more)) => {
                all.extend(more);
                Self::All(all)
            }
            (Self::All(mut all), more) => {
                all.push(more);
                Self::All(all)
            }
            (first, Self::All(more)) => Self::All([first].into_iter().chain(more).collect()),
            (a, b) => Self::All(vec![a, b]),
        }
    }

    /// Whether this is one or several values of a type of which nothing else is said.
    fn is_literal_of(&self, wide: &Self) -> bool {
        let matches = |text: &str| match wide {
            Self::Text(wide) => *wide == Text::default() && text.starts_with('"'),
            Self::Number(wide) => {
                wide.is_plain() && !wide.integer && text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
            }
            _ => false,
        };
        match self {
            Self::Literal(text) => matches(text),
            Self::Union(shapes) => shapes.iter().all(|shape| shape.is_literal_of(wide)),
            _ => false,
        }
    }
}

fn push_once(shapes: &mut Vec<Shape>, shape: Shape) {
    if !shapes.contains(&shape) {
        shapes.push(shape);
    }
}

// === impl Number ===

impl Number {
    fn is_plain(&self) -> bool {
        self.min.is_none() && self.max.is_none() && self.step.is_none()
    }
}

// === impl Object ===

impl Object {
    /// Whether nothing is said but that it is an object.
    fn is_plain(&self) -> bool {
        self.fields.is_empty() && self.rest.as_deref() == Some(&Shape::Any)
    }

    /// Both objects in one: a member that either requires is required, and one that both name is both.
    fn and(mut self, other: Self) -> Self {
        for field in other.fields {
            match self.fields.iter_mut().find(|own| own.name == field.name) {
                Some(own) => {
                    own.optional &= field.optional;
                    own.default = own.default.take().or(field.default);
                    own.shape = std::mem::replace(&mut own.shape, Shape::Any).and(field.shape);
                }
                None => self.fields.push(field),
            }
        }
        self.required_first();
        self
    }

    /// Puts the required members first; otherwise the order stays.
    pub(crate) fn required_first(&mut self) {
        self.fields.sort_by_key(|field| field.optional);
    }
}

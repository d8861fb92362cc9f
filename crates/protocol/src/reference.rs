//! References within a JSON Schema, led elsewhere: a schema that stands in another place, or whose parts have other names, refers
//! to other places.

use crate::json::Json;
use crate::object::Object;

/// The schema with each `$ref`, wherever it stands, as `lead` has it. All else stays, in order.
pub fn lead_references(schema: &Json, lead: &dyn Fn(&str) -> String) -> Json {
    if let Ok(object) = schema.object() {
        let mut led = Object::new();
        for member in object.members() {
            let value = match (member.name(), member.value.as_string()) {
                ("$ref", Some(target)) => Json::string(&lead(&target)),
                _ => lead_references(&member.value, lead),
            };
            led.set(member.name(), value);
        }
        return led.to_json();
    }
    match schema.array() {
        Ok(list) => Json::array_of(&list.iter().map(|one| lead_references(one, lead)).collect::<Vec<_>>()),
        Err(_) => schema.clone(),
    }
}

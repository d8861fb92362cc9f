//! What holds for every text.

use proptest::prelude::*;

use super::{World, good};
use crate::{Transport, schema};

/// Texts that are nearly configs: pieces of our words and of YAML and JSON, in any order.
fn nearly_config() -> impl Strategy<Value = String> {
    let words = [
        "upstreams",
        "mcpServers",
        "servers",
        "inputs",
        "command",
        "args",
        "env",
        "url",
        "listen",
        "names",
        "limits",
        "depth",
        "timeouts",
        "call",
        "builtin",
        "time",
        "transparent",
        "enabled",
        "disabled",
        "tools",
        "allow",
        "x-a",
        "60s",
        "5",
        "true",
        "null",
        "~",
        "\"",
        "'",
        "{",
        "}",
        "[",
        "]",
        ":",
        ": ",
        ",",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "|\n",
        ">-\n ",
        "#",
        "//",
        "/*",
        "*/",
        "---\n",
        "...\n",
        "%YAML",
        "\t",
        "\\",
        "\\u0000",
        "${",
        "}",
        ":-",
        "$${",
        "file:",
        "input:",
        "A",
        "日",
        "\u{feff}",
        "\r\n",
        "\0",
        "? ",
        "@",
    ];
    proptest::collection::vec(proptest::sample::select(words.to_vec()), 0..60).prop_map(|words| words.concat())
}

fn harmless(name: &str, text: &str) {
    let world = World::default().env("A", "a").file("/proj/A", "a");
    if let Err(faults) = world.parse(name, text) {
        assert!(faults.len() > 0);
        let lines = text.replace('\r', "\n").lines().count().max(1);
        for fault in &faults {
            let line = fault.place.map_or(1, |place| place.line as usize);
            assert!((1..=lines + 1).contains(&line), "line {line} of {lines}: {fault}");
        }
        assert!(!faults.pretty().contains('\0'), "a terminal gets no control characters");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in nearly_config()) {
        harmless("toolgate.yaml", &text);
        harmless("mcp.json", &text);
        harmless("mcp.json", &format!("{{{text}"));
        harmless("toolgate.yaml", &format!("upstreams:\n  a: {text}"));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let world = World::default().file("/proj/x", &bytes);
        let loaded = world.with(|sources| crate::load("x".as_ref(), sources));
        prop_assert!(loaded.is_ok() || loaded.is_err_and(|faults| !faults.pretty().is_empty()));
        harmless("x", &String::from_utf8_lossy(&bytes));
    }

    /// Whatever an argument holds reaches the process, by way of JSON and of YAML alike.
    #[test]
    fn an_argument_arrives_as_it_is(argument in "[^\0]{0,40}") {
        let quoted = serde_json::to_string(&argument.replace("${", "$${")).expect("a string");
        let file = format!("{{\"mcpServers\": {{\"a\": {{\"command\": \"a\", \"args\": [{quoted}]}}}}}}");
        let settings = good("mcp.json", &file);
        let Transport::Stdio { args, .. } = &settings.upstreams[0].transport else { panic!("{settings:?}") };
        prop_assert_eq!(args[0].reveal(), argument);
    }

    /// What a variable holds arrives whole, and is not looked at for `${` again.
    #[test]
    fn a_variable_arrives_as_it_is(value in "[^\0]{1,40}", before in "[a-z]{0,5}", after in "[a-z]{0,5}") {
        let world = World::default().env("V", &value);
        let file = format!("upstreams: {{a: {{command: a, args: ['{before}${{V}}{after}', '${{NO:-${{V}}}}']}}}}");
        let settings = world.parse("toolgate.yaml", &file).expect("no fault");
        let Transport::Stdio { args, .. } = &settings.upstreams[0].transport else { panic!("{settings:?}") };
        prop_assert_eq!(args[0].reveal(), format!("{before}{value}{after}"));
        prop_assert_eq!(args[1].reveal(), value);
    }

    /// A slug can stand in a tool's name, and is its own slug.
    #[test]
    fn a_slug_is_legal_and_stable(name in "\\PC{1,30}") {
        let slug = crate::slug::slug(&name);
        prop_assert!(!slug.is_empty() && slug.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'));
        prop_assert!(!slug.contains("__") && !slug.starts_with('_') && !slug.ends_with('_'));
        prop_assert_eq!(crate::slug::slug(&slug), slug.clone());
    }

    /// What is printed as a duration or a size is read back as the same.
    #[test]
    fn units_read_what_they_write(millis in 1u64..30 * 86_400_000, bytes in 1usize << 10..1 << 30) {
        let period = std::time::Duration::from_millis(millis);
        prop_assert_eq!(crate::units::duration(&crate::units::show_duration(period)), Ok(period));
        prop_assert_eq!(crate::units::size(&crate::units::show_size(bytes)), Ok(bytes));
    }

    /// A misspelled key is told, whichever it is.
    #[test]
    fn any_misspelled_key_is_told(index in any::<prop::sample::Index>(), at in any::<prop::sample::Index>()) {
        let schema = schema();
        let keys: Vec<&String> = schema["properties"].as_object().expect("properties").keys().collect();
        let key = index.get(&keys).as_str();
        let at = at.index(key.len());
        let slip = format!("{}q{}", &key[..at], &key[at..]);
        let faults = World::default().parse("toolgate.yaml", &format!("\"{slip}\": 1")).expect_err("a fault").to_string();
        if key != "$schema" {
            prop_assert!(faults.contains(&format!("did you mean `{key}`?")), "{}", faults);
        }
    }
}

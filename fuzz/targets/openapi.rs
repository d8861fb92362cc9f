//! Any bytes as an OpenAPI document and as arguments of what it offers: tools and requests to one place, or words. Never a
//! panic, never an endless wait.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolgate_openapi::{Answer, Api, Document, Options};
use toolgate_protocol::Json;

/// Where every request must go.
const PLACE: &str = "https://api.example.com/v1/";

fuzz_target!(|input: &[u8]| {
    // The last line is the arguments.
    let split = input.iter().rposition(|byte| *byte == b'\n').unwrap_or(input.len());
    let (text, arguments) = (&input[..split], input.get(split + 1..).unwrap_or_default());
    let Ok(document) = Document::read(text) else { return };
    let options = Options { base_url: Some(PLACE), document_url: None, headers: &[], permits: &|_| true };
    let Ok(api) = Api::read(&document, &options) else { return };
    let arguments = Json::parse(arguments.to_vec().into()).and_then(|json| json.object()).unwrap_or_default();
    for operation in &api.operations {
        assert!(operation.definition.is_object() && !operation.name.is_empty() && operation.name.len() <= 64);
        if let Ok(request) = operation.plan.request(&arguments) {
            assert!(request.url.starts_with(PLACE), "elsewhere: {}", request.url);
            assert!(request.url.bytes().all(|byte| byte.is_ascii_graphic()), "no URL: {}", request.url);
            let parts = request.url.split('?').next().unwrap_or_default().split('/');
            assert!(!parts.clone().any(|part| matches!(part, "." | "..")), "elsewhere: {}", request.url);
            for (_, value) in &request.headers {
                assert!(!value.contains(['\r', '\n', '\0']), "more than a header: {value}");
            }
        }
        let answer = Answer { status: 200, body: text.to_vec().into(), ..Answer::default() };
        assert!(operation.plan.result(&answer, 32).is_object());
    }
});

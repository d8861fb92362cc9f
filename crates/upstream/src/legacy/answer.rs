//! What a legacy result or error lacks to be a modern one.

use toolgate_protocol::{Json, Method, Outcome, RpcError, code};

/// Makes an outcome modern. Members that are there stay as they are, and where they are.
pub(super) fn modernize(method: &Method, uri: Option<&Json>, outcome: Outcome) -> Outcome {
    match outcome {
        Ok(result) => Ok(complete(method, result)),
        Err(error) if error.code == code::LEGACY_RESOURCE_NOT_FOUND && *method == Method::ResourcesRead => {
            Err(not_found(error, uri))
        }
        Err(error) => Err(error),
    }
}

fn complete(method: &Method, result: Json) -> Json {
    // Whatever it is, it is no object with members to add.
    let Ok(mut object) = result.object() else { return result };
    let mut changed = false;
    let mut add = |name: &str, value: Json| {
        if object.get(name).is_none() {
            object.set(name, value);
            changed = true;
        }
    };
    add("resultType", Json::literal(r#""complete""#));
    if method.is_cacheable() {
        add("ttlMs", Json::literal("0"));
        add("cacheScope", Json::literal(r#""private""#));
    }
    if changed { object.to_json() } else { result }
}

fn not_found(mut error: RpcError, uri: Option<&Json>) -> RpcError {
    error.code = code::INVALID_PARAMS;
    let mut data = error.data.as_ref().and_then(|data| data.object().ok()).unwrap_or_default();
    if let (None, Some(uri)) = (data.get("uri"), uri) {
        data.set("uri", uri.clone());
        error.data = Some(data.to_json());
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modern(method: Method, result: &'static str) -> String {
        modernize(&method, None, Ok(Json::literal(result))).unwrap().as_str().to_owned()
    }

    #[test]
    fn results_get_what_they_lack_and_keep_what_they_have() {
        assert_eq!(
            modern(Method::ToolsCall, r#"{"content":[{"n":1e2}],"vendor":{ }}"#),
            r#"{"content":[{"n":1e2}],"vendor":{ },"resultType":"complete"}"#
        );
        assert_eq!(modern(Method::ToolsCall, r#"{"resultType":"x" }"#), r#"{"resultType":"x" }"#);
        assert_eq!(
            modern(Method::ToolsList, r#"{"tools":[],"ttlMs":5}"#),
            r#"{"tools":[],"ttlMs":5,"resultType":"complete","cacheScope":"private"}"#
        );
        assert_eq!(modern(Method::ToolsCall, "[1]"), "[1]");
    }

    #[test]
    fn a_missing_resource_is_told_in_the_modern_way() {
        let uri = Json::literal(r#""a:1""#);
        let legacy = RpcError::new(code::LEGACY_RESOURCE_NOT_FOUND, "no such thing");
        let error = modernize(&Method::ResourcesRead, Some(&uri), Err(legacy.clone())).unwrap_err();
        assert_eq!((error.code, error.data.unwrap().as_str()), (code::INVALID_PARAMS, r#"{"uri":"a:1"}"#));
        assert_eq!(modernize(&Method::ToolsCall, Some(&uri), Err(legacy.clone())), Err(legacy));
    }
}

//! A client's refusal to answer a question, carried where its answer would be.
//!
//! In the legacy era a client may answer a question with a JSON-RPC error: the person said no, the model failed. The modern
//! era has no place for that in `inputResponses`. Between a legacy client and a legacy upstream it must not be lost, so it
//! travels through the core under a key that only toolgate knows, and never leaves it.

use crate::code::RpcError;
use crate::json::Json;
use crate::object::Object;

const KEY: &str = "io.toolgate/refusal";

/// The refusal in the place of an answer.
pub fn write(error: &RpcError) -> Json {
    Object::new().with(KEY, error.to_json()).to_json()
}

/// The refusal, if the answer is one.
pub fn read(answer: &Json) -> Option<RpcError> {
    // Most answers are none, and a look at the text is enough to know.
    memchr::memmem::find(answer.text(), KEY.as_bytes())?;
    let answer = answer.object().ok()?;
    if answer.len() == 1 { RpcError::read(answer.get(KEY)?).ok() } else { None }
}

/// The first refusal among the answers of a retry.
pub fn among(params: &Object) -> Option<RpcError> {
    params.child("inputResponses")?.members().find_map(|answer| read(&answer.value))
}

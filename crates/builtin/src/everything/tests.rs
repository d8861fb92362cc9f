//! Stories of the everything server: each feature, in each era where it differs.

use serde_json::{Value, json};
use toolgate_protocol::Revision;

use super::server;
use crate::testing::Client;

async fn client() -> Client {
    Client::modern(server()).await
}

/// One client of each revision that can answer every question, and does.
async fn willing() -> Vec<Client> {
    let mut clients = Vec::new();
    for revision in Revision::ALL {
        let client = Client::able(server(), revision).await;
        let sampled = json!({"role": "assistant", "content": {"type": "text", "text": "Hi"}, "model": "m"});
        let filled = json!({"action": "accept", "content": {"name": "Ada", "colour": "blue"}});
        clients.push(
            client
                .answering("sampling/createMessage", sampled)
                .answering("elicitation/create", filled)
                .answering("roots/list", json!({"roots": [{"uri": "file:///a"}, {"uri": "file:///b"}]})),
        );
    }
    clients
}

#[tokio::test]
async fn every_tool_tells_what_it_is_and_takes() {
    let listed = client().await.request("tools/list", json!({})).await.unwrap();
    let tools = listed["tools"].as_array().unwrap().clone();
    assert!(tools.len() >= 23 && listed.get("nextCursor").is_none());
    assert_eq!((&listed["ttlMs"], &listed["cacheScope"]), (&json!(60_000), &json!("public")));
    for tool in tools {
        let text = |member: &str| tool[member].as_str().unwrap().len();
        assert!(text("name") <= 40 && text("title") > 0 && text("description") > 20, "{tool}");
        assert_eq!(tool["inputSchema"]["type"], "object");
        for (_, property) in tool["inputSchema"]["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{tool}");
        }
        assert!(tool["annotations"]["readOnlyHint"].is_boolean());
    }
}

#[tokio::test]
async fn every_type_of_content_is_shown() {
    let mixed = client().await.call("get_mixed_content", json!({})).await;
    let types: Vec<&str> =
        mixed["content"].as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["text", "image", "audio", "resource", "resource_link"]);
    assert_eq!(mixed["content"][3]["resource"]["uri"], "everything://text");
}

#[tokio::test]
async fn earlier_revisions_get_only_what_they_know() {
    for (revision, types) in [
        (Revision::V2024_11_05, ["text", "image", "text", "resource", "text"]),
        (Revision::V2025_03_26, ["text", "image", "audio", "resource", "text"]),
        (Revision::V2025_06_18, ["text", "image", "audio", "resource", "resource_link"]),
    ] {
        let mut client = Client::legacy(server(), revision, json!({})).await;
        let mixed = client.call("get_mixed_content", json!({})).await;
        assert_eq!(
            mixed["content"].as_array().unwrap().iter().map(|block| &block["type"]).collect::<Vec<_>>(),
            types,
            "{revision}"
        );
        assert!(mixed.get("resultType").is_none() && mixed.get("_meta").is_none());
    }
}

#[tokio::test]
async fn structured_content_is_also_text() {
    let weather = client().await.call("get_sample_weather", json!({"city": "Oslo"})).await;
    assert_eq!(weather["structuredContent"]["temperature"], -3.5);
    let text: Value = serde_json::from_str(weather["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, weather["structuredContent"]);
}

#[tokio::test]
async fn a_tool_that_fails_tells_the_model_and_a_tool_that_is_not_there_the_client() {
    let mut client = client().await;
    let failed = client.call("fail", json!({"message": "as asked"})).await;
    assert_eq!((&failed["isError"], &failed["content"][0]["text"]), (&json!(true), &json!("as asked")));
    let missing = client.request("tools/call", json!({"name": "nothing"})).await.unwrap_err();
    assert_eq!((&missing["code"], &missing["message"]), (&json!(-32602), &json!("Unknown tool: nothing")));
    let wrong = client.request("tools/call", json!({"name": "echo", "arguments": []})).await.unwrap_err();
    assert_eq!(wrong["message"], "`params.arguments` must be an object");
}

#[tokio::test]
async fn a_long_text_has_exactly_the_length_asked_for() {
    for bytes in [0, 9, 10, 1_000_003] {
        assert_eq!(client().await.told("make_text", json!({"bytes": bytes})).await.len(), bytes);
    }
}

#[tokio::test]
async fn progress_comes_in_order_under_its_token_and_before_the_result() {
    for client in [client().await, Client::legacy(server(), Revision::V2025_03_26, json!({})).await] {
        let mut client = client.with_meta("progressToken", json!("p-1"));
        client.call("count_steps", json!({"steps": 4, "delay_ms": 0})).await;
        let heard: Vec<Value> = client.heard.iter().map(|heard| heard["params"].clone()).collect();
        let steps = |step| json!({"progressToken": "p-1", "progress": step, "total": 4, "message": format!("Step {step} of 4")});
        assert_eq!(heard, [steps(1), steps(2), steps(3), steps(4)]);
    }
    let mut silent = client().await;
    silent.call("count_steps", json!({"steps": 4, "delay_ms": 0})).await;
    assert_eq!(silent.heard, Vec::<Value>::new());
}

fn levels(client: &Client) -> Vec<&str> {
    client.heard.iter().map(|heard| heard["params"]["level"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn logs_are_written_from_the_level_that_the_client_wants() {
    let mut silent = client().await;
    silent.call("write_logs", json!({})).await;
    assert!(silent.heard.is_empty(), "a modern client without a level wants none");

    let mut modern = client().await.with_meta("io.modelcontextprotocol/logLevel", json!("alert"));
    modern.call("write_logs", json!({"message": "x"})).await;
    assert_eq!(levels(&modern), ["alert", "emergency"]);
    assert_eq!(modern.heard[0]["params"]["data"], "x");

    let mut legacy = Client::legacy(server(), Revision::V2024_11_05, json!({})).await;
    legacy.call("write_logs", json!({})).await;
    assert_eq!(levels(&legacy).first(), Some(&"info"));
    legacy.heard.clear();
    legacy.request("logging/setLevel", json!({"level": "critical"})).await.unwrap();
    legacy.call("write_logs", json!({})).await;
    assert_eq!(levels(&legacy), ["critical", "alert", "emergency"]);
    assert_eq!(legacy.request("logging/setLevel", json!({"level": "loud"})).await.unwrap_err()["code"], -32602);
}

#[tokio::test]
async fn questions_are_asked_and_answered_in_every_revision() {
    for mut client in willing().await {
        assert_eq!(client.told("ask_model", json!({"prompt": "Hello?"})).await, "The model says: Hi");
        assert!(client.told("ask_person", json!({})).await.contains(r#""name":"Ada""#));
        assert_eq!(client.told("ask_to_visit", json!({})).await, "The person agreed to open the page");
        assert_eq!(client.told("list_roots", json!({})).await, "Roots:\nfile:///a\nfile:///b");
        let asked: Vec<&str> = client.asked.iter().map(|asked| asked["method"].as_str().unwrap()).collect();
        assert_eq!(asked, ["sampling/createMessage", "elicitation/create", "elicitation/create", "roots/list"]);
        assert_eq!(client.asked[0]["params"]["messages"][0]["content"]["text"], "Hello?");
        assert_eq!(client.asked[2]["params"]["url"], "https://modelcontextprotocol.io/");
    }
}

#[tokio::test]
async fn a_call_may_ask_again_in_the_light_of_an_answer() {
    for mut client in willing().await {
        let found = client.call("interview", json!({})).await;
        assert_eq!(found["structuredContent"], json!({"name": "Ada", "colour": "blue"}));
        assert_eq!(client.asked.len(), 2);
        assert_eq!(client.asked[1]["params"]["message"], "Ada, what is your favourite colour?");
    }
}

#[tokio::test]
async fn several_questions_go_out_at_once() {
    for mut client in willing().await {
        assert_eq!(
            client.told("ask_all_at_once", json!({})).await,
            "The model says Hi, the person is Ada, and there are 2 roots"
        );
        assert_eq!(client.asked.len(), 3);
        assert!(client.rounds <= 1);
    }
}

#[tokio::test]
async fn a_prompt_may_ask_too() {
    for mut client in willing().await {
        let prompt = client.request("prompts/get", json!({"name": "personal"})).await.unwrap();
        assert_eq!(prompt["messages"][0]["content"]["text"], "I am Ada. Please greet me.");
    }
}

#[tokio::test]
async fn a_person_may_decline_or_close() {
    for (action, told) in [("decline", "The person declined to answer"), ("cancel", "The person closed the form")] {
        for revision in [Revision::LATEST_LEGACY, Revision::LATEST_MODERN] {
            let mut client =
                Client::able(server(), revision).await.answering("elicitation/create", json!({"action": action}));
            assert_eq!(client.told("ask_person", json!({})).await, told);
        }
    }
}

#[tokio::test]
async fn a_client_that_cannot_answer_is_told_what_it_lacks() {
    let modern = client()
        .await
        .request("tools/call", json!({"name": "ask_model", "arguments": {"prompt": "x"}}))
        .await
        .unwrap_err();
    assert_eq!(
        (&modern["code"], &modern["data"]),
        (&json!(-32021), &json!({"requiredCapabilities": {"sampling": {}}}))
    );
    let mut legacy = Client::legacy(server(), Revision::V2025_11_25, json!({})).await;
    let told = legacy.call("ask_model", json!({"prompt": "x"})).await;
    assert_eq!(
        (&told["isError"], &told["content"][0]["text"]),
        (&json!(true), &json!("This needs a client that supports sampling"))
    );
    let error = legacy.request("prompts/get", json!({"name": "personal"})).await.unwrap_err();
    assert_eq!(error["code"], -32602);
}

#[tokio::test]
async fn a_refused_question_is_told_to_the_model() {
    let mut client = Client::able(server(), Revision::V2025_06_18).await;
    let told = client.call("ask_model", json!({"prompt": "x"})).await;
    assert_eq!(told["isError"], true);
    assert_eq!(told["content"][0]["text"], "The client refused `sampling/createMessage`: cannot");
}

#[tokio::test]
async fn a_missing_answer_is_asked_for_again_and_a_changed_state_is_refused() {
    let mut client = Client::able(server(), Revision::LATEST_MODERN).await;
    let call = |more: Value| {
        let mut params = json!({"name": "ask_all_at_once", "arguments": {}});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    let id = client.begin("tools/call", call(json!({}))).await;
    let first = client.answer_to(id).await.unwrap();
    let roots = json!({"roots": {"roots": []}, "unknown": 7});
    let id =
        client.begin("tools/call", call(json!({"inputResponses": roots, "requestState": first["requestState"]}))).await;
    let second = client.answer_to(id).await.unwrap();
    assert_eq!(second["inputRequests"].as_object().unwrap().keys().collect::<Vec<_>>(), ["model", "person"]);
    let rest = json!({
        "model": {"role": "assistant", "model": "m", "content": [{"type": "text", "text": "Hi"}]},
        "person": {"action": "decline"},
    });
    let id =
        client.begin("tools/call", call(json!({"inputResponses": rest, "requestState": second["requestState"]}))).await;
    assert_eq!(
        client.answer_to(id).await.unwrap()["content"][0]["text"],
        "The model says Hi, the person is nobody, and there are 0 roots"
    );
    for state in [json!("forged"), json!(7), json!(format!("{}A", second["requestState"].as_str().unwrap()))] {
        let id = client.begin("tools/call", call(json!({"inputResponses": {}, "requestState": state}))).await;
        assert_eq!(client.answer_to(id).await.unwrap_err()["code"], -32602);
    }
}

#[tokio::test]
async fn an_answer_of_the_wrong_shape_is_refused_by_its_key() {
    let mut client = Client::able(server(), Revision::LATEST_MODERN)
        .await
        .answering("elicitation/create", json!({"action": "maybe"}));
    let error = client.request("tools/call", json!({"name": "interview"})).await.unwrap_err();
    assert_eq!(error["message"], "invalid answer to `name`: `action` must be accept, decline or cancel");
}

#[tokio::test]
async fn entries_come_and_go_and_clients_are_told() {
    let mut modern = client().await;
    let wanted = json!({"toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true});
    modern.begin("subscriptions/listen", json!({"notifications": wanted})).await;
    modern.hear("notifications/subscriptions/acknowledged").await;
    let legacy = Client::legacy(server(), Revision::V2024_11_05, json!({})).await;
    for mut client in [modern, legacy] {
        for (kind, list, entries, name) in [
            ("tool", "tools/list", "tools", "extra_tool"),
            ("prompt", "prompts/list", "prompts", "extra_prompt"),
            ("resource", "resources/list", "resources", "extra"),
        ] {
            for present in [true, false] {
                let toggled = client.call("toggle_entry", json!({"kind": kind})).await;
                assert_eq!(toggled["structuredContent"]["present"], present);
                client.hear(&format!("notifications/{entries}/list_changed")).await;
                let listed = client.request(list, json!({})).await.unwrap();
                assert_eq!(listed[entries].as_array().unwrap().iter().any(|entry| entry["name"] == name), present);
            }
        }
    }
}

#[tokio::test]
async fn a_watched_resource_tells_when_it_ticks() {
    let mut client = Client::legacy(server(), Revision::V2025_11_25, json!({})).await;
    client.request("resources/subscribe", json!({"uri": "everything://ticks"})).await.unwrap();
    client.call("tick", json!({})).await;
    client.hear("notifications/resources/updated").await;
    let read = client.request("resources/read", json!({"uri": "everything://ticks"})).await.unwrap();
    assert_eq!(read["contents"][0]["text"], r#"{"ticks":1}"#);
    assert_eq!(client.call("reset_ticks", json!({})).await["structuredContent"]["ticks"], 1);
}

#[tokio::test]
async fn a_long_list_has_pages_and_every_listed_resource_can_be_read() {
    let mut client = client().await;
    let (mut uris, mut pages, mut params) = (Vec::new(), 0, json!({}));
    loop {
        let page = client.request("resources/list", params).await.unwrap();
        pages += 1;
        uris.extend(page["resources"].as_array().unwrap().iter().map(|resource| resource["uri"].clone()));
        match page.get("nextCursor") {
            Some(cursor) => params = json!({"cursor": cursor}),
            None => break,
        }
    }
    assert_eq!((uris.len(), pages), (43, 3));
    for uri in uris {
        let read = client.request("resources/read", json!({"uri": uri})).await.unwrap();
        let contents = &read["contents"][0];
        assert!(contents["uri"] == uri && (contents["text"].is_string() || contents["blob"].is_string()), "{read}");
    }
    let greeting = client.request("resources/read", json!({"uri": "everything://greeting/german/Emmy"})).await.unwrap();
    assert_eq!(greeting["contents"][0]["text"], "Guten Tag, Emmy!");
    for uri in [
        "everything://page/0",
        "everything://page/x",
        "everything://greeting/german/",
        "everything://extra",
        "other://x",
    ] {
        assert_eq!(client.request("resources/read", json!({"uri": uri})).await.unwrap_err()["data"]["uri"], uri);
    }
}

#[tokio::test]
async fn arguments_are_completed_in_the_light_of_others() {
    let mut client = client().await;
    let (prompt, template) = (
        json!({"type": "ref/prompt", "name": "travel"}),
        json!({"type": "ref/resource", "uri": "everything://greeting/{language}/{name}"}),
    );
    let page = json!({"type": "ref/resource", "uri": "everything://page/{number}"});
    for (reference, name, value, context, values, total) in [
        (&prompt, "city", "", json!({"country": "Kenya"}), json!(["Mombasa", "Nairobi"]), 2),
        (&prompt, "city", "o", json!({}), json!(["Oslo"]), 1),
        (&template, "name", "", json!({"language": "german"}), json!(["Emmy", "Konrad"]), 2),
        (
            &page,
            "number",
            "99",
            json!({}),
            json!(["99", "990", "991", "992", "993", "994", "995", "996", "997", "998", "999"]),
            11,
        ),
    ] {
        let params =
            json!({"ref": reference, "argument": {"name": name, "value": value}, "context": {"arguments": context}});
        let completed = client.request("completion/complete", params).await.unwrap();
        assert_eq!((&completed["completion"]["values"], &completed["completion"]["total"]), (&values, &json!(total)));
    }
    let many = json!({"ref": page, "argument": {"name": "number", "value": ""}});
    let many = client.request("completion/complete", many).await.unwrap();
    assert_eq!(
        (many["completion"]["values"].as_array().unwrap().len(), &many["completion"]["hasMore"]),
        (100, &json!(true))
    );
    let unknown = json!({"ref": prompt, "argument": {"name": "planet", "value": ""}});
    assert_eq!(client.request("completion/complete", unknown).await.unwrap_err()["code"], -32602);
}

#[tokio::test]
async fn prompts_are_filled_and_their_arguments_checked() {
    let mut client = client().await;
    let listed = client.request("prompts/list", json!({})).await.unwrap();
    assert_eq!(listed["prompts"].as_array().unwrap().len(), 6);
    let review = json!({"name": "code_review", "arguments": {"language": "Rust", "style": "playful"}});
    let review = client.request("prompts/get", review).await.unwrap();
    assert_eq!(review["messages"][0]["content"]["text"], "Review my Rust code. Be playful.");
    assert_eq!(review["messages"][1]["role"], "assistant");
    for (params, message) in [
        (json!({"name": "code_review"}), "prompt `code_review` needs the argument `language`"),
        (json!({"name": "simple", "arguments": {"x": "y"}}), "prompt `simple` has no argument `x`"),
        (json!({"name": "simple", "arguments": {"x": 1}}), "`params.arguments` must be an object of strings"),
        (json!({"name": "none"}), "Unknown prompt: none"),
    ] {
        let error = client.request("prompts/get", params).await.unwrap_err();
        assert_eq!((&error["code"], &error["message"]), (&json!(-32602), &json!(message)));
    }
}

#[tokio::test]
async fn a_request_is_described_as_it_arrived() {
    let mut client = Client::able(server(), Revision::LATEST_MODERN).await.with_meta("traceparent", json!("00-1-2-01"));
    let seen: Value = serde_json::from_str(&client.told("describe_request", json!({})).await).unwrap();
    assert_eq!(seen["revision"], "2026-07-28");
    assert_eq!(seen["capabilities"]["elicitation"], json!({"form": {}, "url": {}}));
    assert_eq!(seen["meta"]["traceparent"], "00-1-2-01");
}

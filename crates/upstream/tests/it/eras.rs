//! How the era of a server is found out, over stdio and over HTTP.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use toolgate_protocol::{Era, Revision};
use toolgate_upstream::{Config, EraPin, Failure, Host, Parking, Upstream};

use crate::server::{Answer, Server};
use crate::setup::{at, scripted};

async fn met(config: Config, remembered: Option<Era>) -> Result<(Era, Revision), Failure> {
    let upstream = Upstream::start(config, remembered, Host::new(None, Parking::default()));
    let ready = upstream.ready(Instant::now() + Duration::from_secs(20)).await;
    upstream.stop().await;
    ready.map(|peer| (peer.era, peer.revision))
}

const LEGACY: (Era, Revision) = (Era::Legacy, Revision::V2025_06_18);
const MODERN: (Era, Revision) = (Era::Modern, Revision::V2026_07_28);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn children_of_every_temper_are_understood() {
    for (mode, expected) in [
        ("legacy", LEGACY),
        ("modern", MODERN),
        // Ends on any request before `initialize`.
        ("touchy", LEGACY),
        // Names no request in its error.
        ("nameless", LEGACY),
    ] {
        assert_eq!(met(scripted(mode), None).await.unwrap(), expected, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn silence_is_met_with_the_other_question_and_the_first_answer_decides() {
    for (mode, expected) in [("mute", LEGACY), ("slow-modern", MODERN)] {
        let mut config = scripted(mode);
        config.timeouts.probe = Duration::from_millis(50);
        assert_eq!(met(config, None).await.unwrap(), expected, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_remembered_is_tried_first_and_given_up_when_wrong() {
    for remembered in [Era::Legacy, Era::Modern] {
        for (mode, expected) in [("legacy", LEGACY), ("modern", MODERN)] {
            assert_eq!(
                met(scripted(mode), Some(remembered)).await.unwrap(),
                expected,
                "{mode} remembered as {remembered}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pinned_era_is_insisted_upon() {
    let pinned = |mode, era| Config { era, ..scripted(mode) };
    assert_eq!(met(pinned("legacy", EraPin::Legacy), None).await.unwrap(), LEGACY);
    assert_eq!(met(pinned("modern", EraPin::Modern), None).await.unwrap(), MODERN);
    let error = met(pinned("legacy", EraPin::Modern), None).await.unwrap_err();
    assert!(error.to_string().contains("`era: modern`"), "{error}");
    assert!(met(pinned("modern", EraPin::Legacy), None).await.is_err());
}

fn initialized() -> Answer {
    Answer::json(
        200,
        &json!({"result": {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "s"}}}),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn servers_over_http_show_their_era_by_how_they_answer() {
    let cases = [
        (Answer::json(200, &json!({"result": {"supportedVersions": ["2026-07-28"], "capabilities": {}}})), Ok(MODERN)),
        (Answer::json(200, &json!({"result": {"supportedVersions": ["2025-11-25"], "capabilities": {}}})), Ok(LEGACY)),
        (
            Answer::json(400, &json!({"id": null, "error": {"code": -32000, "message": "Server not initialized"}})),
            Ok(LEGACY),
        ),
        (
            Answer::json(
                400,
                &json!({"error": {"code": -32022, "message": "", "data": {"supported": ["2025-06-18"]}}}),
            ),
            Ok(LEGACY),
        ),
        (Answer::json(200, &json!({"error": {"code": -32601, "message": "no such method"}})), Ok(LEGACY)),
        (Answer::text(404, "nothing here"), Ok(LEGACY)),
        (Answer::text(405, ""), Ok(LEGACY)),
        (Answer::text(202, ""), Ok(LEGACY)),
        (Answer::json(400, &json!({"error": {"code": -32020, "message": "mismatch"}})), Err("-32020")),
        (Answer::text(401, ""), Err("other credentials (HTTP 401)")),
        (Answer::text(403, ""), Err("other credentials (HTTP 403)")),
        (Answer::text(307, ""), Err("redirects (HTTP 307)")),
        (Answer::text(503, ""), Err("HTTP 503")),
    ];
    for (discovered, expected) in cases {
        let shown = format!("{discovered:?}");
        let server = Server::start(move |request| match request.method().as_str() {
            "server/discover" => discovered.clone(),
            "initialize" => initialized(),
            "notifications/initialized" => Answer::text(202, ""),
            _ => Answer::text(405, ""),
        })
        .await;
        let outcome = met(at(&server.url()), None).await;
        match (outcome, expected) {
            (Ok(outcome), Ok(expected)) => assert_eq!(outcome, expected, "{shown}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{shown}: {error}"),
            (outcome, _) => panic!("{shown}: {outcome:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_turns_down_what_it_supports_is_asked_once_more() {
    for (times, expected) in [(1, Some(MODERN)), (2, None)] {
        let asked = AtomicUsize::new(0);
        let server = Server::start(move |_| {
            if asked.fetch_add(1, Ordering::Relaxed) < times {
                let data = json!({"supported": ["2026-07-28"], "requested": "2026-07-28"});
                return Answer::json(400, &json!({"error": {"code": -32022, "message": "no", "data": data}}));
            }
            Answer::json(200, &json!({"result": {"supportedVersions": ["2026-07-28"], "capabilities": {}}}))
        })
        .await;
        let mut config = at(&server.url());
        // So that the next attempt cannot be taken for this one.
        config.restart.initial = Duration::from_secs(30);
        assert_eq!(met(config, None).await.ok(), expected);
        assert!(server.count("server/discover") >= 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_fails_every_probe_is_met_the_old_way_in_the_end() {
    let server = Server::start(|request| match request.method().as_str() {
        "initialize" => initialized(),
        "notifications/initialized" => Answer::text(202, ""),
        "server/discover" => Answer::text(500, "oops"),
        _ => Answer::text(405, ""),
    })
    .await;
    let upstream = Upstream::start(at(&server.url()), None, Host::new(None, Parking::default()));
    let mut state = upstream.state();
    state
        .wait_for(|state| matches!(state, toolgate_upstream::State::Ready(peer) if peer.era == Era::Legacy))
        .await
        .unwrap();
    assert_eq!(server.count("server/discover"), 3);
    upstream.stop().await;
}

//! Stories of the time server, on a winter Saturday that never ends.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::testing::Client;

/// A Saturday in winter, in the afternoon: 2026-11-21T14:05:06Z.
const NOW: i64 = 1_795_269_906;

async fn call(tool: &str, arguments: Value) -> Value {
    let server = super::with_clock(|| Timestamp::from_second(NOW).unwrap());
    let result = Client::modern(server).await.call(tool, arguments).await;
    match result["structuredContent"].clone() {
        Value::Null => result["content"][0]["text"].clone(),
        structured => structured,
    }
}

#[tokio::test]
async fn the_current_time_is_told_in_any_zone() {
    let time = call("current_time", json!({"zone": "Asia/Kathmandu"})).await;
    assert_eq!(time["time"], "2026-11-21T19:50:06+05:45");
    assert_eq!(time["weekday"], "Saturday");
    assert_eq!(time["utc"], "2026-11-21T14:05:06Z");
    assert_eq!(time["unix"], NOW);
    assert_eq!(call("current_time", json!({"zone": "-03:30"})).await["time"], "2026-11-21T10:35:06-03:30");
}

#[tokio::test]
async fn every_way_to_write_a_time_is_read() {
    for (written, utc) in [
        ("2026-07-01T12:00:00-04:00", "2026-07-01T16:00:00Z"),
        ("2026-07-01T12:00:00Z", "2026-07-01T12:00:00Z"),
        ("2026-07-01T12:00[Asia/Tokyo]", "2026-07-01T03:00:00Z"),
        ("2026-07-01 12:00", "2026-07-01T10:00:00Z"),
        ("2026-07-01", "2026-06-30T22:00:00Z"),
        ("08:15", "2026-11-21T07:15:00Z"),
        ("8:15 pm", "2026-11-21T19:15:00Z"),
        ("8pm", "2026-11-21T19:00:00Z"),
        ("1795269906", "2026-11-21T14:05:06Z"),
        ("now", "2026-11-21T14:05:06Z"),
    ] {
        let converted =
            call("convert_time", json!({"time": written, "from_zone": "Europe/Berlin", "to_zone": "UTC"})).await;
        assert_eq!(converted["to"]["utc"], utc, "{written}: {converted}");
    }
}

#[tokio::test]
async fn daylight_saving_is_that_of_the_date() {
    let summer = call(
        "convert_time",
        json!({"time": "2026-07-01T09:00", "from_zone": "Europe/London", "to_zone": "America/Phoenix"}),
    )
    .await;
    let winter = call(
        "convert_time",
        json!({"time": "2026-12-01T09:00", "from_zone": "Europe/London", "to_zone": "America/Phoenix"}),
    )
    .await;
    assert_eq!((&summer["hours_ahead"], &winter["hours_ahead"]), (&json!(-8.0), &json!(-7.0)));
}

#[tokio::test]
async fn a_local_time_that_does_not_exist_or_exists_twice_is_noted() {
    let gap =
        call("convert_time", json!({"time": "2026-03-29T02:30", "from_zone": "Europe/Berlin", "to_zone": "UTC"})).await;
    let fold =
        call("convert_time", json!({"time": "2026-10-25T02:30", "from_zone": "Europe/Berlin", "to_zone": "UTC"})).await;
    assert_eq!(gap["to"]["utc"], "2026-03-29T01:30:00Z");
    assert_eq!(fold["to"]["utc"], "2026-10-25T00:30:00Z");
    assert!(gap["from"]["note"].as_str().unwrap().contains("skipped"));
    assert!(fold["from"]["note"].as_str().unwrap().contains("twice"));
}

#[tokio::test]
async fn durations_are_added_by_the_calendar() {
    for (time, duration, sum) in [
        ("2026-01-31", "1 month", "2026-02-28T00:00:00+01:00"),
        ("2026-03-28T12:00", "1 day", "2026-03-29T12:00:00+02:00"),
        ("2026-03-28T12:00", "24 hours", "2026-03-29T13:00:00+02:00"),
        ("2026-03-28T12:00", "-P1W", "2026-03-21T12:00:00+01:00"),
        ("2026-03-28T12:00", "90 minutes ago", "2026-03-28T10:30:00+01:00"),
    ] {
        let moment = call("add_duration", json!({"time": time, "duration": duration, "zone": "Europe/Berlin"})).await;
        assert_eq!(moment["time"], sum, "{time} + {duration}: {moment}");
    }
}

#[tokio::test]
async fn distances_are_told_in_words_days_and_seconds() {
    let there = call("time_between", json!({"to": "2026-12-25", "zone": "UTC"})).await;
    assert_eq!(there["words"], "1 month 3 days 9 hours 54 minutes 54 seconds");
    assert_eq!(there["iso"], "P1M3DT9H54M54S");
    assert_eq!((&there["calendar_days"], &there["seconds"]), (&json!(34), &json!(2_886_894)));
    let zones =
        json!({"from": "2026-11-21T09:00[Asia/Tokyo]", "to": "2026-11-22T09:00[America/New_York]", "zone": "UTC"});
    assert_eq!(call("time_between", zones).await["words"], "1 day 14 hours");
    let back =
        call("time_between", json!({"from": "2026-12-25", "to": "2026-12-24", "zone": "UTC", "largest_unit": "hours"}))
            .await;
    assert_eq!((&back["words"], &back["calendar_days"]), (&json!("24 hours earlier"), &json!(-1)));
}

#[tokio::test]
async fn zones_are_found_by_name_abbreviation_and_offset() {
    let names = |found: &Value| -> Vec<String> {
        found["zones"].as_array().unwrap().iter().map(|zone| zone["zone"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&call("find_time_zones", json!({"query": "new york"})).await), ["America/New_York"]);
    assert!(names(&call("find_time_zones", json!({"query": "jst"})).await).contains(&"Asia/Tokyo".to_owned()));
    assert!(names(&call("find_time_zones", json!({"query": "+05:45"})).await).contains(&"Asia/Kathmandu".to_owned()));
    let all = call("find_time_zones", json!({"limit": 3})).await;
    assert_eq!(names(&all).len(), 3);
    assert!(all["total"].as_u64().unwrap() > 400);
}

#[tokio::test]
async fn what_cannot_be_read_is_explained() {
    for (tool, arguments, words) in [
        ("current_time", json!({"zone": "Tokyo"}), "did you mean Asia/Tokyo?"),
        ("current_time", json!({"zone": "Mars"}), "use find_time_zones"),
        (
            "current_time",
            json!({"zone": "x".repeat(65)}),
            "Invalid argument `zone`: 65 characters are more than the 64 allowed",
        ),
        ("convert_time", json!({"time": "soon", "to_zone": "UTC"}), "Cannot read the time `soon`: write it as"),
        ("convert_time", json!({"time": "now"}), "missing argument `to_zone`"),
        ("add_duration", json!({"duration": "a while"}), "Cannot read the duration `a while`: write it as"),
        ("add_duration", json!({"duration": "19000 years"}), "Cannot add that"),
        (
            "time_between",
            json!({"to": "now", "largest_unit": "aeons"}),
            "Invalid argument `largest_unit`: unknown variant `aeons`",
        ),
        ("find_time_zones", json!({"limit": 0}), "Invalid argument `limit`: 0 is not a whole number from 1 to 600"),
    ] {
        let told = call(tool, arguments.clone()).await;
        assert!(told.as_str().unwrap().contains(words), "{tool} {arguments}: {told}");
    }
}

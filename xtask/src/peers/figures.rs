//! Figures from a transcript: tokens, ranks, turns, and what survived.

use serde_json::{Value, json};
use toolgate_discovery::Tokens;
use toolgate_protocol::{Json, Kind};

use super::front::Front;
use super::scenario::Scenario;
use super::transcript::{Need, Probe, Transcript};

/// What a result can hold, by the tool of `fixtures/peers/contents.py` that answers with it.
pub(super) const KINDS: [(&str, &str); 9] = [
    ("show_picture", "image"),
    ("play_sound", "audio"),
    ("link_document", "resource link"),
    ("embed_document", "embedded resource"),
    ("report_weather", "structuredContent"),
    ("refuse_order", "isError"),
    ("tag_result", "`_meta` of the result"),
    ("count_slowly", "progress"),
    ("greet_person", "a question in mid-call (elicitation)"),
];

/// The figures of one front in one scenario.
pub(super) struct Figures {
    pub(super) scenario: Scenario,
    pub(super) front: Front,
    /// Tools in `tools/list`.
    pub(super) listed: usize,
    /// Tokens of these as they are on the wire.
    pub(super) whole: usize,
    /// Tokens of what a model is given of these: name, description and input schema.
    pub(super) shown: usize,
    pub(super) instructions: usize,
    /// Tools behind the front.
    pub(super) behind: usize,
    pub(super) finding: Finding,
    pub(super) reach: Reach,
    /// For each kind of content: what arrived.
    pub(super) kept: Vec<Kept>,
}

/// How needs were met.
pub(super) struct Finding {
    pub(super) needs: usize,
    /// The right tool was first, among the first three, five, anywhere in the first answer.
    pub(super) top: [usize; 4],
    /// Found by other words, and by a server's listing.
    pub(super) later: [usize; 2],
    /// Ended with the right tool's own answer.
    pub(super) met: usize,
    /// Turns of these, the call included, on average.
    pub(super) turns: Option<f64>,
    /// Tokens of the first answer as text and as structured content, on average; and of the longest, as text.
    pub(super) text: usize,
    pub(super) structured: Option<usize>,
    pub(super) longest: usize,
    /// Tokens of all answers before the call, on average over the needs that were met.
    pub(super) read: usize,
    /// Seconds of a search, the median.
    pub(super) seconds: f64,
    /// Tokens of one answer for three needs.
    pub(super) together: Option<usize>,
}

/// What can be reached at all.
pub(super) struct Reach {
    /// Tools that were looked for by their own names, and found so.
    pub(super) asked: usize,
    pub(super) found: usize,
    /// Tools that servers' listings show.
    pub(super) listed: Option<usize>,
    /// Tools that were called with valid arguments, those whose server answered, and those that said the same as directly.
    pub(super) tried: usize,
    pub(super) called: usize,
    pub(super) same: usize,
}

/// Whether a kind of content survived in each era of the client: through the front's own tool, and by the tool's own name.
pub(super) struct Kept {
    pub(super) kind: &'static str,
    /// Modern, legacy.
    pub(super) through: [bool; 2],
    pub(super) by_name: [bool; 2],
}

// === impl Figures ===

impl Figures {
    pub(super) fn of(transcript: &Transcript, all: &[Transcript], tokens: &Tokens) -> Self {
        let said = &transcript.said;
        let direct = all.iter().find(|other| other.scenario == transcript.scenario && other.front == Front::Direct);
        let count = |of: fn(&Tokens, &Value) -> usize| said.tools.iter().map(|tool| of(tokens, tool)).sum();
        Self {
            scenario: transcript.scenario,
            front: transcript.front,
            listed: said.tools.len(),
            whole: count(|tokens, tool| tokens.count(&tool.to_string())),
            shown: count(|tokens, tool| {
                Json::parse(tool.to_string().into()).map_or(0, |tool| tokens.of_definition(Kind::Tool, &tool))
            }),
            instructions: said.instructions.values().map(|text| tokens.count(text)).sum(),
            behind: said.truth.len(),
            finding: Finding::of(transcript, tokens),
            reach: Reach::of(transcript, direct),
            kept: direct.map_or_else(Vec::new, |direct| kept(transcript, direct)),
        }
    }
}

// === impl Finding ===

impl Finding {
    fn of(transcript: &Transcript, tokens: &Tokens) -> Self {
        let said = &transcript.said;
        let needs = &said.needs;
        let within = |most: usize| needs.iter().filter(|need| need.rank.is_some_and(|rank| rank <= most)).count();
        let by = |way: &str| needs.iter().filter(|need| need.found_by.as_deref() == Some(way)).count();
        let met: Vec<&Need> = needs.iter().filter(|need| need.is_met()).collect();
        let turns: usize = met.iter().map(|need| need.turns.len()).sum();
        let first: Vec<_> = needs.iter().filter_map(|need| need.searches().first()).collect();
        let texts: Vec<usize> = first.iter().map(|turn| tokens.count(&turn.text())).collect();
        let structured: Vec<usize> =
            first.iter().filter_map(|turn| turn.structured()).map(|text| tokens.count(&text)).collect();
        let read = |need: &Need| need.searches().iter().map(|turn| tokens.count(&turn.text())).sum::<usize>();
        let mut seconds: Vec<f64> = first.iter().map(|turn| turn.seconds).collect();
        seconds.sort_by(f64::total_cmp);
        Self {
            needs: needs.len(),
            top: [within(1), within(3), within(5), within(usize::MAX)],
            later: [by("keywords"), by("listing")],
            met: met.len(),
            turns: (!met.is_empty()).then(|| turns as f64 / met.len() as f64),
            text: mean(&texts).unwrap_or(0),
            structured: mean(&structured),
            longest: texts.iter().copied().max().unwrap_or(0),
            read: mean(&met.iter().map(|need| read(need)).collect::<Vec<_>>()).unwrap_or(0),
            seconds: seconds.get(seconds.len() / 2).copied().unwrap_or(0.0),
            together: said.together.as_ref().map(|turn| tokens.count(&turn.text())),
        }
    }
}

fn mean(counts: &[usize]) -> Option<usize> {
    let sum: usize = counts.iter().sum();
    (!counts.is_empty()).then(|| (sum as f64 / counts.len() as f64).round() as usize)
}

// === impl Reach ===

impl Reach {
    fn of(transcript: &Transcript, direct: Option<&Transcript>) -> Self {
        let reach = &transcript.said.reach;
        let said_directly = |tool: &str| {
            let reach = &direct?.said.reach;
            reach.iter().find(|other| other.tool == tool)?.said.as_ref()
        };
        let listings = &transcript.said.listings;
        Self {
            asked: reach.len(),
            found: reach.iter().filter(|tool| tool.found).count(),
            listed: (!listings.is_empty()).then(|| listings.values().map(Vec::len).sum()),
            tried: reach.iter().filter(|tool| tool.called.is_some()).count(),
            called: reach.iter().filter(|tool| tool.called == Some(true)).count(),
            same: reach
                .iter()
                .filter(|tool| {
                    tool.called == Some(true) && tool.said.is_some() && tool.said.as_ref() == said_directly(&tool.tool)
                })
                .count(),
        }
    }
}

/// Each kind of content against what came directly.
fn kept(transcript: &Transcript, direct: &Transcript) -> Vec<Kept> {
    let part = |of: &Transcript, tool: &str, era: &str, way: &str| {
        let probe = of.said.probes.get(era)?.get(tool)?.get(way)?;
        Some(probe.part(tool))
    };
    let kept = |(tool, kind): (&str, &'static str)| {
        let survives = |era: &str, way: &str| {
            let expected = part(direct, tool, era, "front");
            expected.is_some() && part(transcript, tool, era, way) == expected
        };
        let in_both = |way: &str| ["auto", "legacy"].map(|era| survives(era, way));
        Kept { kind, through: in_both("front"), by_name: in_both("own name") }
    };
    if transcript.said.probes.is_empty() { Vec::new() } else { KINDS.into_iter().map(kept).collect() }
}

// === impl Probe ===

impl Probe {
    /// The part of the result that `tool` is about; the rest may differ.
    fn part(&self, tool: &str) -> Value {
        match tool {
            "report_weather" => self.result["structuredContent"].clone(),
            "refuse_order" => json!([self.result["isError"], self.result["content"]]),
            "tag_result" => self.result["_meta"]["example.com/tag"].clone(),
            "count_slowly" => Value::Array(self.progress.clone()),
            // that the person was asked, and that the answer arrived
            "greet_person" => {
                Value::from(self.asked.len() == 1 && self.result["content"].to_string().contains("Hello, Ada"))
            }
            _ => self.result["content"].clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(text: &str) -> Value {
        json!({"result": {"content": [{"type": "text", "text": text}]}, "seconds": 0.5})
    }

    fn transcript(front: Front, needs: Value, probes: Value) -> Transcript {
        let said = json!({
            "client": "c", "versions": {}, "instructions": {"": ""}, "truth": [], "listings": {}, "together": null,
            "tools": [{"name": "a", "description": "b", "inputSchema": {}, "title": "for the host alone"}],
            "reach": [
                {"tool": "s/t", "found": true, "called": true, "said": "same"},
                {"tool": "s/u", "found": false, "called": false, "said": null},
                {"tool": "s/v", "found": true},
            ],
            "needs": needs, "probes": probes,
        });
        Transcript { scenario: Scenario::Servers, front, said: serde_json::from_value(said).unwrap() }
    }

    #[test]
    fn turns_and_tokens_are_those_of_met_needs_and_ranks_those_of_the_first_search() {
        let needs = json!([
            {"turns": [turn("one two"), turn("answer")], "rank": 1, "found_by": "phrase", "ended": "called"},
            {"turns": [turn("one"), turn("one two three"), turn("answer")], "rank": null, "found_by": "keywords", "ended": "called"},
            {"turns": [turn("one"), turn("one")], "rank": null, "found_by": null, "ended": "not found"},
        ]);
        let figures = Figures::of(&transcript(Front::Toolgate, needs, json!({})), &[], &Tokens::new());
        let found = &figures.finding;
        assert_eq!((found.top, found.later, found.met), ([1, 1, 1, 1], [1, 0], 2));
        // 2 and 3 turns; 2 tokens read, and 1 + 3
        assert_eq!((found.turns, found.read, found.longest), (Some(2.5), 3, 2));
        assert!(figures.whole > figures.shown, "the title is not for the model");
    }

    #[test]
    fn what_was_not_tried_is_not_counted_as_failed() {
        let direct = transcript(Front::Direct, json!([]), json!({}));
        let all = [direct];
        let figures = Figures::of(&transcript(Front::Toolgate, json!([]), json!({})), &all, &Tokens::new());
        let Reach { asked, found, tried, called, same, .. } = figures.reach;
        assert_eq!((asked, found, tried, called, same), (3, 2, 2, 1, 1));
    }

    #[test]
    fn a_kind_of_content_survives_if_it_is_what_it_is_directly() {
        let probes = |modern: &str, legacy: &str| {
            let probe = |kind: &str| json!({"result": {"content": [{"type": kind}]}, "progress": [], "asked": []});
            let both = |kind: &str| json!({"show_picture": {"front": probe(kind), "own name": probe("image")}});
            json!({"auto": both(modern), "legacy": both(legacy)})
        };
        let all = [transcript(Front::Direct, json!([]), probes("image", "image"))];
        let through = transcript(Front::FastmcpGateway, json!([]), probes("image", "text"));
        let kept = &Figures::of(&through, &all, &Tokens::new()).kept[0];
        assert_eq!((kept.kind, kept.through, kept.by_name), ("image", [true, false], [true, true]));
    }
}

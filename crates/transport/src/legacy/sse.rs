//! HTTP with SSE, the transport of 2024-11-05: one stream that everything arrives on, and an address to post to.
//!
//! Source: 2024-11-05 `basic/transports`, "HTTP with SSE".

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Response, StatusCode};
use tokio::sync::mpsc;
use toolgate_gateway::Gateway;
use toolgate_identity::Presented;
use toolgate_protocol::{OnDrop, sse};

use super::http::{Place, events};
use super::session::{OpenSession, QUEUE, SHOWN, random_id};
use crate::body::{self, Body};
use crate::conversation::{Conversation, PipeLimits};
use crate::rescue;

/// The open streams by the id in their address.
pub(crate) struct Streams {
    open: Mutex<HashMap<String, Arc<Conversation>>>,
    most: usize,
}

// === impl Streams ===

impl Streams {
    /// At most `most` at once.
    pub(crate) fn new(most: usize) -> Self {
        Self { open: Mutex::default(), most }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Conversation>>> {
        self.open.lock().expect("nothing panics while it is held")
    }

    /// How each session in them is doing.
    pub(crate) fn sessions(&self) -> Vec<OpenSession> {
        self.lock().values().filter_map(|conversation| Some(conversation.session()?.status("sse"))).collect()
    }

    /// Ends the one whose session's id begins so; false when there is none, or several.
    pub(crate) fn end_shown(&self, shown: &str) -> bool {
        let mut open = self.lock();
        let is_meant = |conversation: &Conversation| {
            conversation.session().is_some_and(|session| shown.len() >= SHOWN && session.id.starts_with(shown))
        };
        let mut meant = open.iter().filter(|(_, conversation)| is_meant(conversation));
        let id = meant.next().filter(|_| meant.next().is_none()).map(|(id, _)| id.clone());
        let ended = id.and_then(|id| open.remove(&id));
        drop(open);
        // Its stream ends with it, as soon as nothing is under way that could say something there.
        ended.inspect(|conversation| conversation.has_left()).is_some()
    }

    /// Ends all.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }
}

/// Opens a stream; its first event is the address to post to.
pub(crate) fn open(
    streams: &Arc<Streams>,
    gateway: &Arc<Gateway>,
    presented: &Presented,
    post_to: &str,
    limits: PipeLimits,
) -> Response<Body> {
    let (outlet, inlet) = mpsc::channel(QUEUE);
    let id = random_id();
    {
        let mut open = streams.lock();
        if open.len() >= streams.most {
            return rescue::invalid(StatusCode::SERVICE_UNAVAILABLE, "too many streams are open (`limits.sessions`)");
        }
        open.insert(id.clone(), Arc::new(Conversation::new(gateway.clone(), presented.clone(), outlet, limits)));
    }
    let endpoint: Bytes = sse::encode_as(Some("endpoint"), None, format!("{post_to}?sessionId={id}").as_bytes());
    let forget = {
        let streams = streams.clone();
        OnDrop::new(move || {
            let left = streams.lock().remove(&id);
            left.inspect(|conversation| conversation.has_left());
        })
    };
    let messages = events(inlet).map(move |event| {
        // The stream owns the way to forget it: when the client leaves, the stream is dropped, and with it the conversation.
        let _ = &forget;
        event
    });
    body::event_stream(stream::iter([endpoint]).chain(messages))
}

/// Takes what a client posts to its stream; the answer comes on the stream.
pub(crate) fn post(streams: &Streams, id: &str, text: Bytes, place: Place) -> Response<Body> {
    let Some(conversation) = streams.lock().get(id).cloned() else {
        return rescue::invalid(StatusCode::NOT_FOUND, "no such stream; open one with GET /sse");
    };
    tokio::spawn(async move {
        conversation.accept(text).await;
        drop(place);
    });
    rescue::accepted()
}

//! What holds where the config file says nothing.

use std::time::Duration;

use crate::file::{File, Limits, Log, LogFormat, LogLevel, Names, Replica, Restart, Stdio, Timeouts, Upstream};
use crate::search::{Presentation, Search};
use crate::written::{Pairs, Text};

impl Default for File {
    fn default() -> Self {
        File {
            listen: vec![Text::from("127.0.0.1:8665")],
            names: Names::default(),
            presentation: Presentation::default(),
            search: Search::default(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            state_dir: None,
            env_file: None,
            keys: Vec::new(),
            replica: Replica::default(),
            admin: Default::default(),
            store: None,
            refresh: Duration::from_secs(300),
            log: Log::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            restart: Restart::default(),
            stdio: Stdio::default(),
            upstreams: Pairs::default(),
            namespaces: Pairs::default(),
            schema: None,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Log { format: LogFormat::Auto, level: LogLevel::Info }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            request: 4 << 20,
            response: 16 << 20,
            depth: 64,
            batch: 64,
            sessions: 10_000,
            in_flight: 10_000,
            entries: 10_000,
            parked: 1000,
            parked_per_caller: 250,
            isolated: 100,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            startup: Duration::from_secs(2),
            connect: Duration::from_secs(60),
            probe: Duration::from_secs(5),
            list: Duration::from_secs(30),
            call: Duration::from_secs(60),
            answer: Duration::from_secs(600),
            session_idle: Duration::from_secs(3600),
            stream: None,
            shutdown: Duration::from_secs(10),
        }
    }
}

impl Default for Upstream {
    fn default() -> Self {
        Upstream {
            command: Default::default(),
            args: Default::default(),
            env: Default::default(),
            env_file: Default::default(),
            env_allow: Default::default(),
            cwd: Default::default(),
            url: Default::default(),
            transport: Default::default(),
            headers: Default::default(),
            openapi: Default::default(),
            base_url: Default::default(),
            operations: Default::default(),
            http: Default::default(),
            builtin: Default::default(),
            enabled: Default::default(),
            era: Default::default(),
            isolation: Default::default(),
            warm: Default::default(),
            timeout: Default::default(),
            restart: Default::default(),
            tools: Default::default(),
            start: Default::default(),
            idle: Duration::from_secs(600),
            declare: Default::default(),
        }
    }
}

impl Default for Restart {
    fn default() -> Self {
        Restart { first_wait: Duration::from_millis(250), max_wait: Duration::from_secs(60) }
    }
}

impl Default for Stdio {
    fn default() -> Self {
        Stdio { env_allow: crate::places::ENV_ALLOW.iter().copied().map(Text::from).collect() }
    }
}

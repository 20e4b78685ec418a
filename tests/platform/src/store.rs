//! The state of a server: a fleet that ran in May 2026 and partly still runs, and its tags.

use std::collections::{BTreeMap, BTreeSet};

/// A second in microseconds.
pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// 2026-05-01T00:00:00Z.
const MAY: i64 = 1_777_593_600 * SECOND;
/// The included disk.
pub(crate) const FREE_DISK_MB: i64 = 20_480;
const MEBIBYTE: i64 = 1 << 20;

/// A run of a sandbox.
pub(crate) struct Session {
    pub(crate) sandbox: &'static str,
    pub(crate) alias: Option<&'static str>,
    pub(crate) status: &'static str,
    pub(crate) started: i64,
    pub(crate) stopped: Option<i64>,
    pub(crate) memory_mb: i64,
}

/// A period at one size.
pub(crate) struct Event {
    pub(crate) sandbox: &'static str,
    pub(crate) memory_mb: i64,
    pub(crate) disk_mb: i64,
    pub(crate) started: i64,
    pub(crate) ended: Option<i64>,
}

/// A measured amount of memory.
pub(crate) struct Sample {
    pub(crate) sandbox: &'static str,
    pub(crate) at: i64,
    pub(crate) bytes: i64,
}

/// The tags of one sandbox: each value and the time it was written.
pub(crate) type Tags = BTreeMap<String, (String, i64)>;

/// The database.
pub(crate) struct Store {
    pub(crate) sessions: Vec<Session>,
    pub(crate) events: Vec<Event>,
    pub(crate) samples: Vec<Sample>,
    /// The tags by sandbox. Unknown sandboxes may have tags, because the table has no foreign key.
    pub(crate) tags: BTreeMap<String, Tags>,
}

impl Store {
    /// Returns the fleet. Recent runs are placed before `now`.
    pub(crate) fn new(now: i64) -> Self {
        let mut store = Self { sessions: Vec::new(), events: Vec::new(), samples: Vec::new(), tags: BTreeMap::new() };
        let shop = [("team", "payments"), ("env", "prod"), ("team:subsystem", "checkout")];
        store.add("sb-abc123", Some("my-agent"), (1024, FREE_DISK_MB), MAY + 941_123, None, &shop);
        store.add("sb-abc", None, (4096, 40_960), MAY + 9 * DAY, None, &[("team", "growth"), ("env", "prod")]);
        // Equal and running in every window, so only the tie-break orders them.
        for sandbox in ["sb-run1", "sb-run2", "sb-run3"] {
            store.add(sandbox, None, (2048, FREE_DISK_MB), MAY, None, &[("team", "search")]);
        }
        // Its tag value contains a comma; the other two contain the halves of its quoted form.
        store.add("sb-comma", None, (512, FREE_DISK_MB), MAY, Some(MAY + DAY), &[("team", "a,b")]);
        store.add("sb-half1", None, (256, FREE_DISK_MB), MAY, Some(MAY + DAY), &[("team", "\"a")]);
        store.add("sb-half2", None, (128, FREE_DISK_MB), MAY, Some(MAY + DAY), &[("team", "b\"")]);
        store.add("sb-html", Some("<b>R&D</b>"), (64, FREE_DISK_MB), MAY, Some(MAY + HOUR), &[("team", "R&D <core>")]);
        // Crosses the end of May, so that the platform's amounts for May include six hours of June.
        store.add(
            "sb-late",
            None,
            (1024, FREE_DISK_MB),
            MAY + 30 * DAY + 12 * HOUR,
            Some(MAY + 31 * DAY + 6 * HOUR),
            &[],
        );
        store.add("sb-tiny", None, (1, FREE_DISK_MB), MAY, Some(MAY + 1), &[("team", "growth")]);
        // Ran until recently, so that its amount shrinks while the default window moves.
        store.add("sb-moves", None, (8192, FREE_DISK_MB), now - 40 * DAY, Some(now - DAY), &[("team", "payments")]);
        store.add("sb-hib", Some("sleeper"), (1024, FREE_DISK_MB), MAY + DAY, Some(MAY + 2 * DAY), &[]);
        if let Some(session) = store.sessions.last_mut() {
            (session.status, session.stopped) = ("hibernated", None);
        }
        // A scale event without a session.
        store.events.push(Event {
            sandbox: "sb-orphan",
            memory_mb: 512,
            disk_mb: FREE_DISK_MB,
            started: MAY,
            ended: Some(MAY + HOUR),
        });
        for minute in 0..60 {
            let bytes = (600 + minute % 5 * 20) * MEBIBYTE;
            for at in [MAY + 26 * DAY + minute * MINUTE + 7 * SECOND, now - minute * MINUTE] {
                store.samples.extend(["sb-abc123", "sb-abc"].map(|sandbox| Sample { sandbox, at, bytes }));
            }
        }
        store
    }

    fn add(
        &mut self,
        sandbox: &'static str,
        alias: Option<&'static str>,
        (memory_mb, disk_mb): (i64, i64),
        started: i64,
        ended: Option<i64>,
        tags: &[(&str, &str)],
    ) {
        let status = if ended.is_some() { "stopped" } else { "running" };
        self.sessions.push(Session { sandbox, alias, status, started, stopped: ended, memory_mb });
        self.events.push(Event { sandbox, memory_mb, disk_mb, started, ended });
        let written = started + 941_000;
        let rows = tags.iter().map(|(key, value)| ((*key).to_owned(), ((*value).to_owned(), written)));
        self.tags.insert(sandbox.to_owned(), rows.collect());
    }

    /// Returns the session of a sandbox.
    pub(crate) fn session(&self, sandbox: &str) -> Option<&Session> {
        self.sessions.iter().find(|session| session.sandbox == sandbox)
    }

    /// Returns a sandbox's tags and when they were last written.
    pub(crate) fn tags_of(&self, sandbox: &str) -> (BTreeMap<&str, &str>, Option<i64>) {
        let rows = self.tags.get(sandbox);
        let tags = rows.into_iter().flatten().map(|(key, (value, _))| (key.as_str(), value.as_str())).collect();
        (tags, rows.into_iter().flatten().map(|(_, (_, written))| *written).max())
    }

    /// Returns each key with its number of sandboxes and of values.
    pub(crate) fn keys(&self) -> BTreeMap<&str, (usize, usize)> {
        let mut values: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (key, (value, _)) in self.tags.values().flatten() {
            values.entry(key).or_default().push(value);
        }
        let distinct = |values: &[&str]| values.iter().collect::<BTreeSet<_>>().len();
        values.into_iter().map(|(key, values)| (key, (values.len(), distinct(&values)))).collect()
    }

    /// Returns the billed gigabyte-seconds of memory and disk of each event in a window.
    pub(crate) fn amounts(&self, from: i64, to: i64, now: i64) -> impl Iterator<Item = (&'static str, f64, f64)> {
        let inside = move |event: &&Event| event.started < to && event.ended.is_none_or(|ended| ended > from);
        self.events.iter().filter(inside).map(move |event| {
            // An event that ended after the window counts up to its end.
            let seconds = (event.ended.unwrap_or(now.min(to)) - event.started.max(from)) as f64 / SECOND as f64;
            let disk = (event.disk_mb - FREE_DISK_MB).max(0);
            (event.sandbox, event.memory_mb as f64 / 1024.0 * seconds, disk as f64 / 1024.0 * seconds)
        })
    }
}

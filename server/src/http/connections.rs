//! Limits on connections, in total and per address, and the choice of a connection to close for a new one.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;

use super::brake::{Peer, Ration};

/// The default limit of connections, if the limit of open files allows it.
const DEFAULT_TOTAL: usize = 4_096;
/// Connections above the limit. They reach only `/healthz`, `/readyz` and `/metrics`.
const RESERVE: usize = 32;
/// Open files other than connections of clients, such as the database and the log.
const OTHER_FILES: u64 = 96;

/// The limits of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most connections in total.
    pub total: usize,
    /// The most connections from one IPv4 address or IPv6 /64.
    pub per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { total: DEFAULT_TOTAL, per_address: DEFAULT_TOTAL / 4 }
    }
}

impl Limits {
    /// Raises the limit of open files as far as possible. Returns limits of connections that fit into it, and the
    /// limit.
    #[must_use]
    pub fn of_process(total: Option<usize>, per_address: Option<usize>) -> (Self, u64) {
        let files = raise_open_files();
        (Self::fitting(total, per_address, files), files)
    }

    fn fitting(total: Option<usize>, per_address: Option<usize>, files: u64) -> Self {
        let room = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX);
        let total = total.unwrap_or(DEFAULT_TOTAL).min(room.saturating_sub(RESERVE)).max(1);
        Self { total, per_address: per_address.unwrap_or(total / 4).clamp(1, total) }
    }
}

/// Raises the soft limit of open files to the hard one. Returns the new limit.
#[cfg(unix)]
fn raise_open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // macOS refuses a soft limit above its `OPEN_MAX`, also if the hard one is infinite.
    let wanted = if cfg!(target_os = "macos") { Some(maximum.unwrap_or(u64::MAX).min(10_240)) } else { maximum };
    let _ = setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum });
    getrlimit(Resource::Nofile).current.or(current).unwrap_or(u64::MAX)
}

/// Returns that there is no limit: on Windows only memory limits the handles of a process.
#[cfg(windows)]
fn raise_open_files() -> u64 {
    u64::MAX
}

/// The activity of a connection.
#[derive(Default)]
pub(super) struct Doing {
    /// Requests whose response is not ready yet.
    requests: AtomicUsize,
    /// Whether a part of a response waits for the client.
    writing: AtomicBool,
    /// The tick at which it last became idle.
    idle_since: AtomicU64,
}

impl Doing {
    fn new() -> Arc<Self> {
        let doing = Self::default();
        doing.idle_since.store(tick(), Ordering::Relaxed);
        Arc::new(doing)
    }

    pub(super) fn nothing(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0 && !self.writing.load(Ordering::Relaxed)
    }

    pub(super) fn writing(&self, waits: bool) {
        self.writing.store(waits, Ordering::Relaxed);
    }

    /// Counts a request until the value is dropped.
    pub(super) fn request(self: &Arc<Self>) -> UnderWay {
        self.requests.fetch_add(1, Ordering::Relaxed);
        UnderWay(self.clone())
    }
}

/// Returns the next tick of a clock that only orders events.
fn tick() -> u64 {
    static TICKS: AtomicU64 = AtomicU64::new(0);
    TICKS.fetch_add(1, Ordering::Relaxed)
}

/// A pending request.
pub(super) struct UnderWay(Arc<Doing>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.idle_since.store(tick(), Ordering::Relaxed);
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Marks a request of a connection above the limits.
#[derive(Clone, Copy)]
pub(super) struct Crowded;

/// The metrics of connections.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionMetrics {
    pub(super) open: Gauge,
    pub(super) evicted: Counter,
    pub(super) refused: Counter,
}

/// The connections that are open.
pub(super) struct Seats {
    limits: Limits,
    metrics: ConnectionMetrics,
    warnings: Ration,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    last_id: u64,
    seats: HashMap<u64, Entry>,
    /// The connections within the limits, in all and by address.
    total: usize,
    by_peer: HashMap<Peer, usize>,
}

/// An open connection.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) peer: Peer,
    /// Whether the connection is above the limits.
    pub(super) crowded: bool,
    pub(super) doing: Arc<Doing>,
    /// Notified when the connection should make room for another.
    pub(super) leave: Arc<Notify>,
}

/// The entry of one connection, removed when the value is dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    id: u64,
    entry: Entry,
}

impl Deref for Seat {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.entry
    }
}

impl Seat {
    /// Adds the entry again if a request arrived just when it was evicted.
    pub(super) fn stay(&self) {
        self.seats.open().add(self.id, self.entry.clone());
    }
}

impl Seats {
    pub(super) fn new(limits: Limits, metrics: ConnectionMetrics) -> Arc<Self> {
        let warnings = Ration::new(1, Duration::from_secs(10));
        Arc::new(Self { limits, metrics, warnings, open: Mutex::default() })
    }

    /// Adds a new connection. At a limit, the connection that has been idle for longest is closed: one of the same
    /// address, or one of the address with the most connections. If none is idle, the new one is `crowded`. Returns
    /// `None` if the reserve is full, too.
    pub(super) fn take(self: &Arc<Self>, peer: Peer) -> Option<Seat> {
        let mut open = self.open();
        let of_peer = open.by_peer.get(&peer).copied().unwrap_or_default();
        let mut crowded = false;
        if of_peer >= self.limits.per_address || open.total >= self.limits.total {
            let same = (of_peer >= self.limits.per_address).then_some(peer);
            let victim = open.longest_idle(same, false);
            crowded = victim.is_none();
            let reserve_full = crowded && open.seats.len() - open.total >= RESERVE;
            let victim = if reserve_full { open.longest_idle(None, true) } else { victim };
            let refused = reserve_full && victim.is_none();
            if let Some(victim) = victim {
                self.metrics.evicted.inc();
                open.evict(victim);
            }
            self.warn(&open, of_peer, refused);
            if refused {
                self.metrics.refused.inc();
                return None;
            }
        }
        open.last_id += 1;
        let id = open.last_id;
        let entry = Entry { peer, crowded, doing: Doing::new(), leave: Arc::default() };
        open.add(id, entry.clone());
        self.metrics.open.inc();
        Some(Seat { seats: self.clone(), id, entry })
    }

    fn warn(&self, open: &Open, of_address: usize, refused: bool) {
        let (written, left_out) = self.warnings.take();
        if written {
            let Limits { total, per_address } = self.limits;
            let message = if refused {
                "too many connections: a new one was closed"
            } else {
                "too many connections: an idle one makes room, or the new one reaches health checks only"
            };
            tracing::warn!(open = open.total, of_address, total, per_address, left_out, "{message}");
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Returns the connection that has been idle for longest, of one address or of the one with the most connections.
    fn longest_idle(&self, peer: Option<Peer>, crowded: bool) -> Option<u64> {
        let idle = self.seats.iter().filter(|(_, seat)| {
            seat.crowded == crowded && peer.is_none_or(|peer| seat.peer == peer) && seat.doing.nothing()
        });
        let rank = |(_, seat): &(&u64, &Entry)| {
            let of_peer = self.by_peer.get(&seat.peer).copied().unwrap_or_default();
            (std::cmp::Reverse(of_peer), seat.doing.idle_since.load(Ordering::Relaxed))
        };
        idle.min_by_key(rank).map(|(id, _)| *id)
    }

    fn add(&mut self, id: u64, seat: Entry) {
        if !seat.crowded {
            self.total += 1;
            *self.by_peer.entry(seat.peer).or_default() += 1;
        }
        self.seats.insert(id, seat);
    }

    fn evict(&mut self, id: u64) {
        if let Some(seat) = self.remove(id) {
            seat.leave.notify_one();
        }
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let seat = self.seats.remove(&id)?;
        if !seat.crowded {
            self.total -= 1;
            if let Some(count) = self.by_peer.get_mut(&seat.peer) {
                *count -= 1;
                if *count == 0 {
                    self.by_peer.remove(&seat.peer);
                }
            }
        }
        Some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.metrics.open.dec();
        self.seats.open().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn seats(total: usize, per_address: usize) -> Arc<Seats> {
        Seats::new(Limits { total, per_address }, ConnectionMetrics::default())
    }

    fn peer(n: u8) -> Peer {
        IpAddr::from([192, 0, 2, n]).into()
    }

    /// Returns whether a connection was asked to close.
    async fn evicted(seat: &Seat) -> bool {
        tokio::time::timeout(Duration::ZERO, seat.leave.notified()).await.is_ok()
    }

    #[tokio::test]
    async fn the_longest_idle_connection_of_the_greediest_address_makes_room() {
        let seats = seats(4, 4);
        let quiet = seats.take(peer(1)).unwrap();
        let greedy: Vec<_> = (0..3).map(|_| seats.take(peer(2)).unwrap()).collect();
        let busy = greedy[0].doing.request();
        drop(greedy[1].doing.request());
        let new = seats.take(peer(3)).unwrap();
        assert!(!new.crowded && evicted(&greedy[2]).await);
        assert!(!evicted(&quiet).await && !evicted(&greedy[0]).await && !evicted(&greedy[1]).await);
        drop(busy);
    }

    #[tokio::test]
    async fn an_address_at_its_limit_makes_room_itself() {
        let seats = seats(100, 2);
        let other = seats.take(peer(1)).unwrap();
        let own = [seats.take(peer(2)).unwrap(), seats.take(peer(2)).unwrap()];
        let new = seats.take(peer(2)).unwrap();
        assert!(!new.crowded && evicted(&own[0]).await && !evicted(&own[1]).await && !evicted(&other).await);
    }

    #[tokio::test]
    async fn busy_connections_stay_and_the_reserve_is_for_health_checks() {
        let seats = seats(2, 2);
        let busy = [seats.take(peer(1)).unwrap(), seats.take(peer(1)).unwrap()];
        let requests = [busy[0].doing.request(), busy[1].doing.request()];
        let crowd: Vec<_> = (0..RESERVE).map(|_| seats.take(peer(2)).unwrap()).collect();
        assert!(crowd.iter().all(|seat| seat.crowded));
        // Idle connections of the reserve are closed for new ones, too.
        let next = seats.take(peer(3)).unwrap();
        assert!(next.crowded && evicted(&crowd[0]).await);
        let at_work: Vec<_> = crowd[1..].iter().chain([&next]).map(|seat| seat.doing.request()).collect();
        assert!(seats.take(peer(3)).is_none());
        assert_eq!(seats.metrics.refused.get(), 1);
        drop((requests, at_work));
        drop((busy, crowd, next));
        let open = seats.open();
        assert_eq!((seats.metrics.open.get(), open.seats.len(), open.total), (0, 0, 0));
    }

    #[test]
    fn limits_fit_into_the_open_files() {
        let fitting = |total, per_address, files| {
            let Limits { total, per_address } = Limits::fitting(total, per_address, files);
            (total, per_address)
        };
        assert_eq!(fitting(None, None, 1 << 20), (4_096, 1_024));
        assert_eq!(fitting(None, None, 1_024), (896, 224));
        assert_eq!(fitting(Some(100), None, 1_024), (100, 25));
        assert_eq!(fitting(Some(100), Some(500), 1_024), (100, 100));
        assert_eq!(fitting(Some(100_000), Some(50), 1_024), (896, 50));
        assert_eq!(fitting(None, None, 16), (1, 1));
    }
}

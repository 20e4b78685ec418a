//! The log. Lines wait in a bounded buffer for a thread that writes them to standard error.
//!
//! If standard error is a full disk, a pipe without a reader or a reader that stalls, lines are lost, but requests are
//! not delayed and do not fail.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::fmt::MakeWriter;

/// The size of the buffer: a few thousand lines.
const MAX_WAITING_BYTES: usize = 1 << 20;
/// The time for which the process waits for lines to be written before it ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// The number of lost lines, for the metrics.
pub static LOST_LINES: LazyLock<Counter> = LazyLock::new(Counter::default);

/// Standard error behind a buffer. Its writes always succeed.
#[derive(Clone)]
pub struct Log {
    lines: Sender<Vec<u8>>,
    waiting_bytes: Arc<AtomicUsize>,
}

impl Log {
    /// Starts the thread that writes.
    pub fn start() -> io::Result<Self> {
        Self::to(io::stderr())
    }

    fn to(target: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, queue) = channel();
        let waiting_bytes = Arc::<AtomicUsize>::default();
        let waiting = waiting_bytes.clone();
        std::thread::Builder::new().name("log".to_owned()).spawn(move || write_lines(target, &queue, &waiting))?;
        Ok(Self { lines, waiting_bytes })
    }

    /// Appends a line.
    pub fn line(&self, text: &str) {
        self.append(format!("{text}\n").into_bytes());
    }

    fn append(&self, line: Vec<u8>) {
        let bytes = line.len();
        let fits = self.waiting_bytes.fetch_add(bytes, Ordering::AcqRel) + bytes <= MAX_WAITING_BYTES;
        if !fits || self.lines.send(line).is_err() {
            self.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
            LOST_LINES.inc();
        }
    }

    /// Waits until everything is written, up to a limit, because there may be no reader.
    pub fn flush(&self) {
        let started = Instant::now();
        while self.waiting_bytes.load(Ordering::Acquire) > 0 && started.elapsed() < FAREWELL {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn write_lines(mut target: impl Write, queue: &Receiver<Vec<u8>>, waiting_bytes: &AtomicUsize) {
    for line in queue {
        if target.write_all(&line).is_err() {
            LOST_LINES.inc();
        }
        waiting_bytes.fetch_sub(line.len(), Ordering::AcqRel);
    }
}

impl Write for Log {
    /// Appends the buffer as one line: `tracing-subscriber` writes an event at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.append(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

//! Streams JSON Lines into a store in one transaction. Memory holds one batch of records.

use std::fmt;
use std::io::{self, BufRead, Read as _};

use uuid::Uuid;

use crate::record::{Record, Sample, Scale, Session, Tags};
use crate::store::{Importer, Store, StoreError};

/// The longest line. Without a limit, a file without line breaks would fill the memory.
const MAX_LINE_BYTES: u64 = 1 << 20;
/// The number of records in a batch.
const BATCH: usize = 1000;
/// The bytes of lines in a batch, for long lines.
const BATCH_BYTES: usize = 4 << 20;
/// The byte order mark, which some programs write at the start of a text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The reason why an import wrote nothing.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A line is invalid.
    #[error("line {line}: {fault}")]
    Line {
        /// Counted from one.
        line: u64,
        /// The fault.
        fault: String,
    },
    /// The input cannot be read.
    #[error("cannot read the input")]
    Read(#[from] io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The number of imported lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Lines of the type `session`.
    pub sessions: u64,
    /// Lines of the type `scale`.
    pub scales: u64,
    /// Lines of the type `tags`.
    pub tag_sets: u64,
    /// Lines of the type `sample`.
    pub samples: u64,
}

impl fmt::Display for Imported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |number: u64, name: &str| format!("{number} {name}{}", if number == 1 { "" } else { "s" });
        write!(
            f,
            "imported {}, {}, {}, {}",
            count(self.sessions, "session"),
            count(self.scales, "scale event"),
            count(self.tag_sets, "tag set"),
            count(self.samples, "sample")
        )
    }
}

/// Imports every line of `input`, or nothing. Calls `progress` with the lines and bytes read so far.
pub async fn import(
    store: &dyn Store,
    org: Uuid,
    mut input: impl BufRead + Send,
    mut progress: impl FnMut(u64, u64) + Send,
) -> Result<Imported, ImportError> {
    let mut batches = Batches::new(store, org);
    let (mut buffer, mut line, mut bytes) = (Vec::new(), 0, 0);
    loop {
        buffer.clear();
        let read = input.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut buffer)? as u64;
        if read == 0 {
            return Ok(batches.finish().await?);
        }
        line += 1;
        bytes += read;
        if read > MAX_LINE_BYTES {
            let fault = format!("it is longer than {MAX_LINE_BYTES} bytes");
            return Err(ImportError::Line { line, fault });
        }
        let text = if line == 1 { buffer.strip_prefix(BYTE_ORDER_MARK) } else { None };
        let record = text.unwrap_or(&buffer).trim_ascii();
        if !record.is_empty() {
            let parsed = Record::parse(record).map_err(|fault| ImportError::Line { line, fault })?;
            batches.add(parsed, record.len()).await?;
        }
        progress(line, bytes);
    }
}

/// Collects records into batches.
struct Batches<'a> {
    store: &'a dyn Store,
    org: Uuid,
    /// `None` before the first batch is full, so that other writers do not wait for slow input.
    importer: Option<Box<dyn Importer>>,
    sessions: Vec<Session>,
    scales: Vec<Scale>,
    tags: Vec<Tags>,
    samples: Vec<Sample>,
    /// The bytes of the lines of these records.
    bytes: usize,
    imported: Imported,
}

impl<'a> Batches<'a> {
    fn new(store: &'a dyn Store, org: Uuid) -> Self {
        let (sessions, scales, tags, samples) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { store, org, importer: None, sessions, scales, tags, samples, bytes: 0, imported: Imported::default() }
    }

    async fn add(&mut self, record: Record, bytes: usize) -> Result<(), StoreError> {
        match record {
            Record::Session(session) => {
                self.imported.sessions += 1;
                self.sessions.push(session);
            }
            Record::Scale(scale) => {
                self.imported.scales += 1;
                self.scales.push(scale);
            }
            Record::Tags(tags) => {
                self.imported.tag_sets += 1;
                self.tags.push(tags);
            }
            Record::Sample(sample) => {
                self.imported.samples += 1;
                self.samples.push(sample);
            }
        }
        self.bytes += bytes;
        let records = self.sessions.len() + self.scales.len() + self.tags.len() + self.samples.len();
        if records >= BATCH || self.bytes >= BATCH_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        let importer = match &mut self.importer {
            Some(importer) => importer,
            none => none.insert(self.store.importer(self.org).await?),
        };
        importer.sessions(&self.sessions).await?;
        self.sessions.clear();
        importer.scales(&self.scales).await?;
        self.scales.clear();
        importer.tags(&self.tags).await?;
        self.tags.clear();
        importer.samples(&self.samples).await?;
        self.samples.clear();
        self.bytes = 0;
        Ok(())
    }

    async fn finish(mut self) -> Result<Imported, StoreError> {
        self.flush().await?;
        if let Some(importer) = self.importer {
            importer.commit().await?;
        }
        Ok(self.imported)
    }
}

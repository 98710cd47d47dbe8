//! One file of the journal: its name, its header, how it comes to be, how it is read.
//!
//! A segment appears under its name whole: allocated, with its header, flushed, then renamed. So a `.seg` file with a
//! bad header is damage and never half a birth.

use super::mapping::{self, Mapping};
use super::record::{self, HEAD};
use crate::StoreError;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the first record stands.
pub(crate) const START: u64 = 32;
const MAGIC: [u8; 8] = *b"pm-jrnl\n";
/// Changes with the bytes of a row; see `layout` in the tests.
const LAYOUT: u32 = 1;

/// A place in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    pub(crate) at: u64,
}

/// What a disk can refuse. Tests put one in its place that does.
pub(crate) trait Disk: Send + Sync {
    /// Sets `len` bytes aside for `file`.
    fn allocate(&self, file: &File, len: u64) -> io::Result<()> {
        mapping::allocate(file, len)
    }

    /// Makes what was written to `file` safe from a power cut.
    fn flush(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}

/// The machine's own.
pub(crate) struct SystemDisk;

impl Disk for SystemDisk {}

/// Where segments live in a data directory.
pub(crate) fn directory(data_dir: &Path) -> PathBuf {
    data_dir.join("journal")
}

/// The file of a segment.
pub(crate) fn path(directory: &Path, sequence: u64) -> PathBuf {
    directory.join(format!("{sequence:016x}.seg"))
}

/// The segments of a directory in order. A directory that does not exist has none.
pub(crate) fn list(directory: &Path) -> Result<Vec<u64>, StoreError> {
    let fail = |e| StoreError::io("list the journal", directory)(e);
    let entries = match fs::read_dir(directory) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(fail)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(fail)?.file_name();
        let digits = name.to_str().and_then(|n| n.strip_suffix(".seg")).filter(|d| d.len() == 16);
        found.extend(digits.and_then(|d| u64::from_str_radix(d, 16).ok()));
    }
    found.sort_unstable();
    Ok(found)
}

/// A segment that takes records.
pub(crate) struct Segment {
    pub(crate) sequence: u64,
    pub(crate) salt: u32,
    pub(crate) file: Arc<File>,
    pub(crate) mapping: Mapping,
    pub(crate) len: u64,
}

/// Makes a segment of `len` bytes, ready to be written, durable as an empty one.
pub(crate) fn create(
    directory: &Path,
    sequence: u64,
    len: u64,
    disk: &dyn Disk,
) -> Result<Segment, StoreError> {
    let unborn = directory.join(format!("{sequence:016x}.new"));
    let made = (|| {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unborn)?;
        disk.allocate(&file, len)?;
        let salt = random_salt()?;
        file.write_all(&header(sequence, salt))?;
        file.sync_all()?;
        fs::rename(&unborn, path(directory, sequence))?;
        File::open(directory)?.sync_all()?;
        let mapping = Mapping::of(&file, len as usize)?;
        Ok(Segment { sequence, salt, file: Arc::new(file), mapping, len })
    })();
    made.map_err(|e| {
        // The disk space of a failed attempt is needed by others.
        let _ = fs::remove_file(&unborn);
        StoreError::io("create the journal segment", &path(directory, sequence))(e)
    })
}

/// Removes what a crash left of births.
pub(crate) fn remove_unborn(directory: &Path) -> Result<(), StoreError> {
    let fail = |e| StoreError::io("tidy the journal", directory)(e);
    for entry in fs::read_dir(directory).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_some_and(|e| e == "new") {
            fs::remove_file(&path).map_err(fail)?;
        }
    }
    Ok(())
}

fn random_salt() -> io::Result<u32> {
    let mut salt = [0; 4];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut salt)
        .map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(u32::from_le_bytes(salt))
}

fn header(sequence: u64, salt: u32) -> [u8; START as usize] {
    let mut out = [0; START as usize];
    out[..8].copy_from_slice(&MAGIC);
    out[8..16].copy_from_slice(&sequence.to_le_bytes());
    out[16..20].copy_from_slice(&salt.to_le_bytes());
    out[20..24].copy_from_slice(&LAYOUT.to_le_bytes());
    let crc = crc32fast::hash(&out[..24]);
    out[24..28].copy_from_slice(&crc.to_le_bytes());
    out
}

/// Why a file is not a segment that this program can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadHeader {
    /// Not what was written.
    Damaged,
    /// Written by a version whose rows look different.
    OtherLayout,
}

/// What a reader must know of a segment.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) sequence: u64,
    pub(crate) salt: u32,
    pub(crate) file: Arc<File>,
    /// Where records end at the latest: the published end, or the file's end when nobody writes any more.
    pub(crate) end: u64,
}

impl Source {
    /// Reads the header of a segment file.
    pub(crate) fn open(file: File, sequence: u64) -> io::Result<Result<Source, BadHeader>> {
        let end = file.metadata()?.len();
        let mut head = [0; START as usize];
        if end < START {
            return Ok(Err(BadHeader::Damaged));
        }
        file.read_exact_at(&mut head, 0)?;
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        if head[..8] != MAGIC
            || word(24) != crc32fast::hash(&head[..24])
            || head[8..16] != sequence.to_le_bytes()
        {
            return Ok(Err(BadHeader::Damaged));
        }
        if word(20) != LAYOUT {
            return Ok(Err(BadHeader::OtherLayout));
        }
        Ok(Ok(Source { sequence, salt: word(16), file: Arc::new(file), end }))
    }
}

/// What a reader found next.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// A whole record and where its head stands.
    Record { at: u64, next: u64, body: &'a [u8] },
    /// Bytes that are no record, with a whole record behind them.
    Damage { from: u64, to: u64 },
    /// No record from `at` on. `torn` when something was published there that is not whole.
    End { at: u64, torn: bool },
}

/// How a reader treats a place where nothing was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// Somebody may be about to write there: the end.
    Stop,
    /// Nobody writes there any more: look for records behind it.
    Search,
}

/// Reads records of a segment in order, through a window of bounded size.
pub(crate) struct Reader {
    source: Source,
    beyond: Beyond,
    at: u64,
    window: Vec<u8>,
    window_at: u64,
}

const WINDOW: usize = 256 * 1024;

impl Reader {
    /// Begins at `at`, where a head must stand. `window` is reused memory.
    pub(crate) fn new(source: Source, at: u64, beyond: Beyond, mut window: Vec<u8>) -> Reader {
        window.clear();
        Reader { source, beyond, at: at.max(START), window, window_at: 0 }
    }

    /// The body of the record whose head stands at `at`.
    pub(crate) fn record_at(source: &Source, at: u64) -> io::Result<Option<Vec<u8>>> {
        let mut reader = Reader::new(source.clone(), at, Beyond::Stop, Vec::new());
        Ok(match reader.step()? {
            Step::Record { at: found, body, .. } if found == at => Some(body.to_vec()),
            _ => None,
        })
    }

    /// Gives the window back for the next reader.
    pub(crate) fn into_window(self) -> Vec<u8> {
        self.window
    }

    /// The next thing in the segment.
    pub(crate) fn step(&mut self) -> io::Result<Step<'_>> {
        let from = self.at;
        let word = self.word(from)?;
        if let Some(next) = self.valid(from, word)? {
            return self.record(from, next);
        }
        if self.beyond == Beyond::Stop && word == 0 {
            return Ok(Step::End { at: from, torn: false });
        }
        let mut at = from + 8;
        while at + HEAD as u64 <= self.source.end {
            let word = self.word(at)?;
            if word != 0 && self.valid(at, word)?.is_some() {
                self.at = at;
                return Ok(Step::Damage { from, to: at });
            }
            at += 8;
        }
        Ok(Step::End { at: from, torn: word != 0 })
    }

    fn record(&mut self, at: u64, next: u64) -> io::Result<Step<'_>> {
        self.at = next;
        let word = self.word(at)?;
        let length = record::length(word).unwrap_or(0);
        let body = self.view(at + HEAD as u64, length)?.unwrap_or_default();
        Ok(Step::Record { at, next, body })
    }

    /// Where the next head stands, if a whole record with this head stands at `at`.
    fn valid(&mut self, at: u64, word: u64) -> io::Result<Option<u64>> {
        let Some(length) = record::length(word) else { return Ok(None) };
        let salt = self.source.salt;
        let Some(body) = self.view(at + HEAD as u64, length)? else { return Ok(None) };
        Ok((record::head(salt, body) == word).then(|| at + record::stride(length) as u64))
    }

    fn word(&mut self, at: u64) -> io::Result<u64> {
        let bytes = self.view(at, HEAD)?.and_then(|b| b.first_chunk::<8>());
        Ok(bytes.map_or(0, |b| u64::from_le_bytes(*b)))
    }

    /// `n` bytes at `at`, or `None` where the segment has no room for them.
    fn view(&mut self, at: u64, n: usize) -> io::Result<Option<&[u8]>> {
        if at + n as u64 > self.source.end {
            return Ok(None);
        }
        let inside = at >= self.window_at && at + n as u64 <= self.window_at + self.window.len() as u64;
        if !inside {
            let size = (n.max(WINDOW) as u64).min(self.source.end - at) as usize;
            self.window.resize(size, 0);
            self.window_at = at;
            if let Err(e) = self.source.file.read_exact_at(&mut self.window, at) {
                self.window.clear();
                return Err(e);
            }
        }
        let from = (at - self.window_at) as usize;
        Ok(Some(&self.window[from..from + n]))
    }
}

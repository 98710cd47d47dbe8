//! What can go wrong while remembering. Every message says what happened, where, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why the store could not be opened, read or written.
#[derive(Debug)]
pub enum StoreError {
    /// Another process serves from the directory.
    Locked {
        /// The data directory.
        data_dir: PathBuf,
        /// The other process, as far as its lock file says.
        pid: Option<u32>,
    },
    /// A file could not be read or written.
    Io {
        /// What was being done, such as `create the journal segment`.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// SQLite refused.
    Database {
        /// What was being done, such as `feed the ledger`.
        doing: &'static str,
        /// The database file.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// A database was made by a later version of the program.
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The latest that this program knows.
        known: i64,
    },
    /// A directory holds no ledger.
    NoLedger {
        /// The directory that was asked.
        data_dir: PathBuf,
    },
    /// A file or row holds something that this program did not write.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        what: String,
    },
    /// The reader of exported rows stopped; not the store's fault.
    Sink(io::Error),
}

impl StoreError {
    pub(crate) fn io<'a>(doing: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StoreError + 'a {
        move |source| StoreError::Io { doing, path: path.to_owned(), source }
    }

    pub(crate) fn db<'a>(
        doing: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(rusqlite::Error) -> StoreError + 'a {
        move |source| StoreError::Database { doing, path: path.to_owned(), source }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Locked { data_dir, pid } => {
                write!(f, "another process")?;
                if let Some(pid) = pid {
                    write!(f, " (pid {pid})")?;
                }
                let dir = data_dir.display();
                write!(f, " serves from {dir}; stop it, or give this one its own store.data_dir")
            }
            StoreError::Io { doing, path, source } => {
                write!(f, "cannot {doing} {}: {source}{}", path.display(), advice(source))
            }
            StoreError::Database { doing, path, source } => {
                write!(f, "cannot {doing} in {}: {source}{}", path.display(), database_advice(source))
            }
            StoreError::Newer { path, found, known } => write!(
                f,
                "{} has schema version {found}, this program knows up to {known}; use the newer program",
                path.display()
            ),
            StoreError::NoLedger { data_dir } => write!(
                f,
                "no ledger in {}; name the data_dir of a server that has run (store.data_dir in its file)",
                data_dir.display()
            ),
            StoreError::Damaged { path, what } => write!(f, "{}: {what}", path.display()),
            StoreError::Sink(source) => write!(f, "writing the rows out stopped: {source}"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoreError::Io { source, .. } | StoreError::Sink(source) => Some(source),
            StoreError::Database { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// What helps against the errors of the system that people meet.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free disk space",
        io::ErrorKind::PermissionDenied => "; the user that serves must own the data_dir",
        io::ErrorKind::ReadOnlyFilesystem => "; put the data_dir on a writable file system",
        _ => "",
    }
}

fn database_advice(error: &rusqlite::Error) -> &'static str {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "; free disk space",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "; another program holds the database, close it"
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "; the user that serves must own the data_dir"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "; restore the file from a backup, or move it away to begin a new one"
        }
        _ => "",
    }
}

/// A request may not be sent, because it could not be recorded first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotDurable {
    /// What is in the way and what to do.
    pub why: String,
}

impl fmt::Display for NotDurable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the request cannot be recorded: {}", self.why)
    }
}

impl std::error::Error for NotDurable {}

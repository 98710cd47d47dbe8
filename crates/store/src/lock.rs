//! One server per data directory.

use crate::StoreError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Held for as long as it lives; the system lets go of it when the process ends, however it ends.
pub(crate) struct Lock {
    _file: File,
}

fn file(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join("lock")
}

impl Lock {
    /// Takes the lock and writes this process's id into its file.
    pub(crate) fn take(data_dir: &Path) -> Result<Lock, StoreError> {
        let path = file(data_dir);
        let fail = |e| StoreError::io("lock", &path)(e);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail)?;
        // Whoever asks whether a server runs holds the lock for an instant; a server holds it for good.
        for attempt in 0.. {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(e)) => return Err(fail(e)),
                Err(TryLockError::WouldBlock) if attempt < 20 => thread::sleep(Duration::from_millis(10)),
                Err(TryLockError::WouldBlock) => {
                    let mut pid = String::new();
                    let pid = lock.read_to_string(&mut pid).ok().and_then(|_| pid.trim().parse().ok());
                    return Err(StoreError::Locked { data_dir: data_dir.to_owned(), pid });
                }
            }
        }
        lock.set_len(0).map_err(fail)?;
        lock.rewind().map_err(fail)?;
        writeln!(lock, "{}", std::process::id()).map_err(fail)?;
        Ok(Lock { _file: lock })
    }

    /// Whether a process serves from the directory at this moment.
    pub(crate) fn is_held(data_dir: &Path) -> Result<bool, StoreError> {
        let path = file(data_dir);
        let fail = |e| StoreError::io("ask for the lock", &path)(e);
        let lock = match File::open(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            other => other.map_err(fail)?,
        };
        match lock.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(e)) => Err(fail(e)),
        }
    }
}

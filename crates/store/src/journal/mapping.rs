//! The one room with `unsafe`: a preallocated file as writable memory.
//!
//! An append must survive `kill -9` without a system call, and stores into a shared mapping do: the kernel owns the
//! page from the moment it is written. Safe Rust has no such memory, so the three operations that need `unsafe` stand
//! here, each with its reason. What the bytes mean is decided in `record` and `segment`.
#![allow(unsafe_code)]

use memmap2::{Advice, MmapMut, MmapOptions, UncheckedAdvice};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// A file of fixed length, mapped shared and writable.
pub(crate) struct Mapping(MmapMut);

impl Mapping {
    /// Maps the first `len` bytes of `file`, which must be allocated already.
    pub(crate) fn of(file: &File, len: usize) -> io::Result<Mapping> {
        // SAFETY: a mapping is sound as long as nobody else changes or truncates the file. The data directory is held
        // under an exclusive lock, no other part of the program writes to or shortens a segment, and readers use
        // `pread`. Someone who truncates a segment by hand ends the process with SIGBUS, which loses no settled row.
        let map = unsafe { MmapOptions::new().len(len).map_mut(file)? };
        // Appends walk forward: let the kernel bring pages in ahead. Advice only, so a refusal changes nothing.
        let _ = map.advise(Advice::Sequential);
        Ok(Mapping(map))
    }

    /// The bytes, for everything but the word that publishes a record.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// Stores the word at `at` (a multiple of 8) after everything written before it, so that whoever sees the word,
    /// after a kill as well, sees the record behind it. False, and nothing stored, when `at` is not such a place.
    pub(crate) fn publish(&mut self, at: usize, word: u64) -> bool {
        let Some(slot) = self.0.get_mut(at..at.saturating_add(8)) else { return false };
        let slot = slot.as_mut_ptr().cast::<u64>();
        if !slot.is_aligned() {
            return false;
        }
        // SAFETY: the slot is eight bytes inside the mapping, aligned, borrowed exclusively through `&mut self`, and any
        // bit pattern is a valid u64.
        unsafe { AtomicU64::from_ptr(slot) }.store(word.to_le(), Ordering::Release);
        true
    }

    /// Gives the memory of written pages back; the file keeps them. Only whole pages inside `range` are touched.
    pub(crate) fn release(&mut self, range: Range<usize>) {
        const PAGE: usize = 65_536;
        let from = range.start.next_multiple_of(PAGE);
        let to = range.end.min(self.0.len()) / PAGE * PAGE;
        if from < to {
            // SAFETY: the mapping is shared and backed by a file, so dropping its page-table entries loses nothing: the
            // page cache keeps the bytes and the next access maps them again. No slice of it is borrowed (`&mut self`).
            let _ = unsafe { self.0.unchecked_advise_range(UncheckedAdvice::DontNeed, from, to - from) };
        }
    }
}

/// Allocates `len` bytes of disk for `file`, so that a full disk shows here and not at a store into the mapping.
#[cfg(target_os = "linux")]
pub(crate) fn allocate(file: &File, len: u64) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let size = libc::off_t::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    // SAFETY: a plain system call on a descriptor that `file` keeps open; no memory is handed over.
    if unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, size) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EOPNOTSUPP | libc::ENOSYS) => write_zeros(file, len),
        _ => Err(error),
    }
}

/// Allocates by writing, where there is no call for it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn allocate(file: &File, len: u64) -> io::Result<()> {
    write_zeros(file, len)
}

fn write_zeros(mut file: &File, len: u64) -> io::Result<()> {
    io::copy(&mut io::Read::take(io::repeat(0), len), &mut file)?;
    io::Seek::rewind(&mut file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_in_the_mapping_is_in_the_file_at_once() {
        let file = tempfile::tempfile().unwrap();
        allocate(&file, 131_072).unwrap();
        let mut mapping = Mapping::of(&file, 131_072).unwrap();
        mapping.bytes_mut()[65_536..65_541].copy_from_slice(b"hello");
        assert!(mapping.publish(8, 0x0102_0304_0506_0708));
        mapping.release(0..131_072);
        let mut read = [0; 8];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut read, 8).unwrap();
        assert_eq!(u64::from_le_bytes(read), 0x0102_0304_0506_0708);
        assert_eq!(&mapping.bytes_mut()[65_536..65_541], b"hello");
    }

    #[test]
    fn a_word_outside_or_across_is_refused() {
        let file = tempfile::tempfile().unwrap();
        write_zeros(&file, 4096).unwrap();
        let mut mapping = Mapping::of(&file, 4096).unwrap();
        assert!(!mapping.publish(4, 1) && !mapping.publish(4092, 1) && !mapping.publish(usize::MAX, 1));
    }
}

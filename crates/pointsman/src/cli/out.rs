//! What commands print: standard output and standard error, where a reader may leave at any time.
//!
//! `println!` panics when its reader is gone, and `pointsman catalog show | head` is no mistake of anybody. A line for
//! a reader who left is dropped in silence: the command goes on and its exit code tells what it found.

use super::Stuck;
use std::fmt::Display;
use std::io::{self, Write};

/// Prints text and ends the line.
///
/// # Errors
/// Standard output is there and refuses the text, as a file on a full disk does.
pub fn line(text: impl Display) -> Result<(), Stuck> {
    written(writeln!(io::stdout().lock(), "{text}"))
}

/// Prints text that ends its own lines.
///
/// # Errors
/// As [`line()`].
pub fn text(text: impl Display) -> Result<(), Stuck> {
    let mut out = io::stdout().lock();
    written(write!(out, "{text}").and_then(|()| out.flush()))
}

/// A reader who left is no error.
fn written(outcome: io::Result<()>) -> Result<(), Stuck> {
    match outcome {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Stuck(format!("standard output cannot be written: {e}")))
        }
        _ => Ok(()),
    }
}

/// Tells why a command could not run, on standard error. Where that is closed nobody is left to tell.
pub fn complaint(why: &str) {
    drop(writeln!(io::stderr().lock(), "pointsman: {why}"));
}

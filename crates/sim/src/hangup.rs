//! How a connection is broken on purpose: a flag that the connection's task watches, and a socket that resets when told.
//!
//! HTTP libraries close connections politely; a simulated fault must not be polite.

use crate::play::Ending;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// What became of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Connected,
    Cut,
    Reset,
    Unplugged,
}

/// Shared by a connection's task, its socket and the answers that travel on it.
#[derive(Debug, Default)]
pub(crate) struct Hangup {
    state: AtomicU8,
    told: Notify,
}

impl Hangup {
    pub(crate) fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            1 => State::Cut,
            2 => State::Reset,
            3 => State::Unplugged,
            _ => State::Connected,
        }
    }

    /// Breaks the connection; the first word counts.
    pub(crate) fn end(&self, ending: Ending) {
        self.set(match ending {
            Ending::Cut => 1,
            Ending::Reset => 2,
        });
    }

    pub(crate) fn unplug(&self) {
        self.set(3);
    }

    fn set(&self, state: u8) {
        // A second word comes too late and changes nothing, so its failure is of no interest.
        let _ = self.state.compare_exchange(0, state, Ordering::AcqRel, Ordering::Acquire);
        self.told.notify_one();
    }

    /// Returns once the connection is to be broken.
    pub(crate) async fn told(&self) {
        self.told.notified().await;
    }
}

/// A TCP stream that sends a reset instead of a farewell when its [`Hangup`] says so.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    hangup: Arc<Hangup>,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, hangup: Arc<Hangup>) -> Self {
        Self { stream, hangup }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.hangup.state() == State::Reset {
            // With no linger the kernel resets. If it refuses, the client sees a close, which is as near as we get.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

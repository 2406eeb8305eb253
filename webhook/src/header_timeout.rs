//! A time limit for the head of a request, which hyper doesn't have apart from the one for an idle connection.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use crate::slots::Slot;

/// What every HTTP/2 connection begins with.
const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();

/// A connection whose reads fail when a head takes too long.
///
/// With HTTP/1.1 that is from its first byte on: Go's client keeps spare connections that haven't seen a request
/// yet, and those count as idle. With HTTP/2 it is the preface only, which a client sends at once; pings find out
/// whether it lives from then on.
pub(crate) struct HeaderTimeout<T> {
    io: T,
    http2: bool,
    limit: Duration,
    /// When the head that has begun must be whole.
    due: Option<Instant>,
    /// One for all heads: it is set anew when it rings too early, and not for each request, which would take a lock of the
    /// whole runtime twice.
    alarm: Pin<Box<Sleep>>,
    slot: Arc<Slot>,
    begun: u64,
    read: usize,
}

impl<T> HeaderTimeout<T> {
    pub(crate) fn new(io: T, http2: bool, limit: Duration, slot: Arc<Slot>) -> Self {
        let due = Instant::now() + limit;
        let alarm = Box::pin(sleep_until(due));
        Self { io, http2, limit, due: http2.then_some(due), alarm, slot, begun: 0, read: 0 }
    }

    fn has_read(&mut self, bytes: usize) {
        self.read = self.read.saturating_add(bytes);
        if self.http2 && self.read >= PREFACE {
            self.due = None;
        }
        if !self.http2 && bytes > 0 && self.due.is_none() && self.slot.is_quiet() {
            self.due = Some(Instant::now() + self.limit);
        }
    }

    /// Ready when the head that has begun took too long.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due else { return Poll::Pending };
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            // It was set for a head before.
            self.alarm.as_mut().reset(due);
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for HeaderTimeout<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        // A request that was handed on had a whole head.
        if !me.http2 && me.begun != me.slot.begun() {
            me.begun = me.slot.begun();
            me.due = None;
        }
        let before = buf.filled().len();
        if let Poll::Ready(result) = Pin::new(&mut me.io).poll_read(cx, buf) {
            me.has_read(buf.filled().len() - before);
            return Poll::Ready(result);
        }
        me.poll_due(cx).map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the head took too long")))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for HeaderTimeout<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

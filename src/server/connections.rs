//! Connections as they are accepted, how long they may be silent, and how they write.
//!
//! Laws: an answer leaves at once (no delay), together with whatever else is ready. Whoever connects and says nothing, or
//! vanishes, is found, whether HTTP/2 has begun or not (behind TLS, who greets and then says nothing, only by vanishing).
//! Whoever speaks an older HTTP in plain text is told so in it. A system that lends no more connections is asked again at leisure.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::{Connected, TcpConnectInfo, TcpIncoming};

/// Until a connection has said what HTTP/2, or TLS, begins with: phones at the edge of their network take seconds.
pub(super) const GREETING: Duration = Duration::from_secs(20);
/// What a client of HTTP/2 says first has so many bytes (RFC 9113, 3.4); the hello of TLS has more.
const GREETING_BYTES: usize = 24;
/// What requests of HTTP/1 begin with. HTTP/2 begins with `PRI `, TLS with a byte that is no letter.
const METHODS: [&str; 9] = ["GET ", "HEAD ", "POST ", "PUT ", "PATCH ", "DELETE ", "OPTIONS ", "CONNECT ", "TRACE "];
/// What is answered to them.
const OLDER_HTTP: &[u8] = b"HTTP/1.1 505 HTTP Version Not Supported\r\n\
    content-type: text/plain; charset=utf-8\r\ncontent-length: 73\r\nconnection: close\r\n\r\n\
    this is a gRPC server, which speaks HTTP/2: call it by a client of gRPC\r\n";
/// Bytes that are read of such a caller behind the first: of a long upload not all.
const MOST_UNREAD: usize = 1 << 20;
/// Most that Linux takes as the silence before a keepalive probe.
const MOST_KEEPALIVE: Duration = Duration::from_secs(32_767);
/// Between two tries while the system has no connection to give, mostly because all descriptors are in use.
const REST: Duration = Duration::from_millis(100);

/// A connection that says it cannot write several pieces at once. HTTP/2 then copies messages of up to a kilobyte behind
/// each other and writes all of them by one call of the system. Otherwise it hands over each one above 256 bytes by
/// itself, which is most answers, and these calls are the dearest part of a ping.
pub(super) struct Connection {
    stream: TcpStream,
    /// Until it is there.
    greeting: Option<Greeting>,
}

/// The first bytes of a connection, of which so many are still missing.
struct Greeting {
    missing: usize,
    heard: Heard,
    /// When it should be there, or the server closes.
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What the first of these bytes say. Nothing is written before, for HTTP/2 would write its own at once.
#[derive(Clone, Copy)]
enum Heard {
    Nothing,
    /// HTTP/2 or TLS, or what they will refuse.
    Ours,
    /// It is answered, and so many bytes are read yet: to close with bytes unread would take the answer from the caller.
    OlderHttp(usize),
}

/// All connections of the listener. The system looks after those that were silent for `keepalive`; those on which nothing
/// was said yet hold up no `closing`.
pub(super) fn accept(
    listener: TcpListener,
    keepalive: Duration,
    closing: CancellationToken,
) -> impl Stream<Item = io::Result<Connection>> {
    let keepalive = Some(keepalive.min(MOST_KEEPALIVE));
    let accepted = TcpIncoming::from(listener).with_nodelay(Some(true)).with_keepalive(keepalive);
    at_leisure(accepted).map(move |accepted| accepted.map(|stream| Connection::new(stream, closing.clone())))
}

/// Rests behind each refusal of the system, and says once that they began.
fn at_leisure<T>(accepted: impl Stream<Item = io::Result<T>>) -> impl Stream<Item = io::Result<T>> {
    let mut refused = false;
    accepted.then(move |accepted| {
        let refusal = accepted.as_ref().err().filter(|error| !is_of_the_caller(error));
        match refusal {
            Some(error) if !refused => tracing::warn!(%error, "no connection can be accepted; it is tried on and on"),
            None if refused && accepted.is_ok() => tracing::info!("connections are accepted again"),
            _ => {}
        }
        let rest = refusal.is_some();
        refused = rest || (refused && accepted.is_err());
        async move {
            if rest {
                tokio::time::sleep(REST).await;
            }
            accepted
        }
    })
}

/// Whether a connection went before it was accepted: the next one has nothing to do with it.
fn is_of_the_caller(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl Connection {
    fn new(stream: TcpStream, closing: CancellationToken) -> Self {
        let end = Box::pin(async move {
            tokio::time::timeout(GREETING, closing.cancelled()).await.ok();
        });
        Self { stream, greeting: Some(Greeting { missing: GREETING_BYTES, heard: Heard::Nothing, end }) }
    }

    /// Counts what was read of the greeting.
    fn greeted(&mut self, bytes: usize) {
        if let Some(greeting) = &mut self.greeting {
            greeting.missing = greeting.missing.saturating_sub(bytes);
        }
        self.greeting.take_if(|greeting| greeting.missing == 0);
    }

    /// Ready when the caller may be answered, in HTTP/2 or TLS; an error if he spoke something older, and was told.
    fn poll_heard(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let Some(greeting) = &mut self.greeting else { return Poll::Ready(Ok(())) };
            let heard = match greeting.heard {
                Heard::Ours => return Poll::Ready(Ok(())),
                Heard::Nothing => poll_first(&self.stream, context),
                Heard::OlderHttp(_) => return self.poll_leave(context).map(Err),
            };
            let Poll::Ready(heard) = heard else { return self.poll_silence(context).map(Err) };
            let heard = heard?;
            if let Heard::OlderHttp(_) = heard {
                // All of it fits into what the system takes of a new connection.
                ready!(Pin::new(&mut self.stream).poll_write(context, OLDER_HTTP))?;
                ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
                tracing::debug!("somebody called by an older HTTP than HTTP/2, and was told so");
            }
            greeting.heard = heard;
        }
    }

    /// Ready when the caller has closed, has had time to, or sends on and on.
    fn poll_leave(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let mut unread = [0; 4096];
        while let Some(Greeting { heard: Heard::OlderHttp(room @ 1..), .. }) = &mut self.greeting {
            let mut buffer = ReadBuf::new(&mut unread);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Pending => return self.poll_silence(context),
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    *room = room.saturating_sub(buffer.filled().len())
                }
                Poll::Ready(_) => break,
            }
        }
        Poll::Ready(io::Error::other("a request of an older HTTP"))
    }

    /// Ready when the greeting should be there and is not.
    fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let Some(greeting) = &mut self.greeting else { return Poll::Pending };
        let end = greeting.end.as_mut().poll(context);
        end.map(|()| io::Error::new(io::ErrorKind::TimedOut, "nothing was said on the connection"))
    }
}

/// What the connection begins with, once anything is there.
fn poll_first(stream: &TcpStream, context: &mut Context<'_>) -> Poll<io::Result<Heard>> {
    let mut first = [0; GREETING_BYTES];
    let mut first = ReadBuf::new(&mut first);
    ready!(stream.poll_peek(context, &mut first))?;
    let is_older = METHODS.iter().any(|method| first.filled().starts_with(method.as_bytes()));
    Poll::Ready(Ok(if is_older { Heard::OlderHttp(MOST_UNREAD) } else { Heard::Ours }))
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_heard(cx))?;
        let before = buffer.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buffer) else {
            return Poll::Ready(Err(ready!(self.poll_silence(cx))));
        };
        self.greeted(buffer.filled().len() - before);
        Poll::Ready(read)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_heard(cx))?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpSocket,
    };

    use super::*;

    /// Both ends of a connection: the caller's first.
    async fn connected() -> (TcpStream, Connection) {
        connected_until(CancellationToken::new()).await
    }

    async fn connected_until(closing: CancellationToken) -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let caller = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connected");
        // More than the system takes.
        let mut accepted = Box::pin(accept(listener, Duration::from_secs(40_000), closing));
        (caller, accepted.next().await.expect("one").expect("accepted"))
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_says_nothing_is_left() {
        let (mut caller, mut connection) = connected().await;
        caller.write_all(&[b'P'; GREETING_BYTES - 1]).await.expect("sent");
        connection.stream.readable().await.expect("it came");
        let read = connection.read_exact(&mut [0; GREETING_BYTES]).await;
        assert_eq!(read.expect_err("silence").kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn whoever_says_nothing_holds_up_no_stop() {
        let closing = CancellationToken::new();
        let (_caller, mut connection) = connected_until(closing.clone()).await;
        closing.cancel();
        connection.read_exact(&mut [0; GREETING_BYTES]).await.expect_err("closed");
    }

    #[tokio::test]
    async fn whoever_speaks_an_older_http_is_told_so_in_it() {
        let (mut caller, mut connection) = connected().await;
        caller.write_all(b"POST /dintorni.v1.ProximityService/Ping HTTP/1.1\r\n\r\n").await.expect("sent");
        let mut told = String::new();
        let read = async {
            caller.read_to_string(&mut told).await.expect("read");
            drop(caller);
        };
        let written = connection.write_all(b"the settings of HTTP/2");
        let (written, ()) = tokio::join!(written, read);
        written.expect_err("nothing else is written");
        let (head, body) = told.split_once("\r\n\r\n").expect("an answer");
        assert!(head.starts_with("HTTP/1.1 505 ") && body.contains("gRPC"), "{told}");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{told}");
    }

    #[tokio::test]
    async fn an_upload_by_an_older_http_is_not_read_to_its_end() {
        let (mut caller, mut connection) = connected().await;
        caller.write_all(b"PUT / HTTP/1.1\r\n\r\n").await.expect("sent");
        let upload = async { while caller.write_all(&[b'x'; 1 << 16]).await.is_ok() {} };
        let read = async move { connection.read_u8().await };
        let (read, ()) = tokio::join!(read, upload);
        assert_eq!(read.expect_err("it is left").kind(), io::ErrorKind::Other, "before its time is over");
    }

    #[tokio::test]
    async fn whoever_greets_is_left_alone_but_for_what_the_system_asks() {
        let (mut caller, mut connection) = connected().await;
        caller.write_all(&[b'P'; GREETING_BYTES]).await.expect("sent");
        connection.read_exact(&mut [0; GREETING_BYTES]).await.expect("read");
        assert!(connection.greeting.is_none());
        let socket = TcpSocket::from_std_stream(connection.stream.into_std().expect("a socket"));
        assert!(socket.keepalive().expect("told"));
    }

    #[tokio::test(start_paused = true)]
    #[expect(clippy::disallowed_methods, reason = "time stands still here, but for what is waited")]
    async fn the_system_is_not_asked_at_once_again() {
        let refusal = || Err(io::Error::from_raw_os_error(24));
        let gone = || Err(io::Error::from(io::ErrorKind::ConnectionAborted));
        let begun = tokio::time::Instant::now();
        let accepted = [Ok(1), refusal(), refusal(), gone(), Ok(2)];
        let told: Vec<_> = at_leisure(tokio_stream::iter(accepted)).map(|accepted| accepted.ok()).collect().await;
        assert_eq!((told, begun.elapsed()), (vec![Some(1), None, None, None, Some(2)], 2 * REST));
    }
}

//! Follows a server like a replica: a copy of all data at one moment, then every write in order.
//!
//! [`Replica::start`] requests both. [`Replica::next_piece`] returns the copy as the bytes of an
//! RDB file, [`Replica::into_feed`] the writes as [`Command`]s. Nothing is written to the server. A
//! user needs `+psync +replconf`; managed services refuse replication to every user.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use compartment_core::{Error, ErrorKind, Result};
use compartment_redis::{Server, ServerStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::resp;

/// The data to request from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// Only the copy: the server does not buffer the writes that follow.
    Copy,
    /// The copy, and every write since.
    CopyAndFeed,
}

/// How the end of the copy is recognised.
#[derive(Debug)]
enum End {
    /// Remaining bytes.
    Length(u64),
    /// These bytes follow the copy.
    Mark([u8; MARK]),
    Reached,
}

const MARK: usize = 40;
/// Size of one read, in bytes.
const READ: usize = 256 * 1024;
/// A server drops a replica that has been silent for a minute.
const ACKNOWLEDGE_EVERY: Duration = Duration::from_secs(1);
/// The copy begins after the server has forked or written it, which takes seconds per gigabyte.
const START_LIMIT: Duration = Duration::from_secs(600);
/// A server that is silent for this long counts as lost: it sends a ping every ten seconds.
const SILENCE_LIMIT: Duration = Duration::from_secs(90);

/// A connection over which the server sends its data.
#[derive(Debug)]
pub struct Replica {
    reader: ReadHalf<ServerStream>,
    writer: WriteHalf<ServerStream>,
    buffer: BytesMut,
    end: End,
    offset: u64,
    location: String,
}

fn failed(kind: ErrorKind, location: &str, what: &str) -> Error {
    Error::new(kind, "replicate", format!("{location}: {what}"))
}

fn broken(location: &str, error: &std::io::Error) -> Error {
    let kind = ErrorKind::Interrupted;
    failed(kind, location, &format!("the connection broke ({error}); run it again"))
}

impl Replica {
    /// Asks `server` for a copy, and waits until it begins.
    ///
    /// # Errors
    /// When the server cannot be reached; with [`ErrorKind::Unsupported`] or
    /// [`ErrorKind::Permission`] when the server refuses replication, as most managed services do,
    /// or the user may not replicate. Always fails for a cluster.
    pub async fn start(server: &Server, wanted: Wanted) -> Result<Self> {
        let location = server.url().to_string();
        if server.is_cluster() {
            let what =
                "a cluster cannot be followed as one; a backup can be made with --via scan instead";
            return Err(failed(ErrorKind::Unsupported, &location, what));
        }
        let mut stream = server.open_stream().await?;
        let limit = server.config().response_timeout;
        let version = &server.info().version;
        let introduced =
            tokio::time::timeout(limit, introduce(&mut stream, wanted, version, &location));
        introduced.await.unwrap_or_else(|_| {
            let what = format!("no answer within {limit:?}");
            Err(failed(ErrorKind::Timeout, &location, &what))
        })?;
        let begun = tokio::time::timeout(START_LIMIT, request(&mut stream, &location));
        let (end, offset) = begun.await.unwrap_or_else(|_| {
            let what = format!("no copy begins within {START_LIMIT:?}");
            Err(failed(ErrorKind::Timeout, &location, &what))
        })?;
        let (reader, writer) = tokio::io::split(stream);
        Ok(Self { reader, writer, buffer: BytesMut::new(), end, offset, location })
    }

    /// The next bytes of the copy; `None` when it is complete.
    ///
    /// # Errors
    /// When the connection breaks first.
    pub async fn next_piece(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.end {
                End::Reached | End::Length(0) => {
                    self.end = End::Reached;
                    return Ok(None);
                }
                End::Length(left) if !self.buffer.is_empty() => {
                    let max = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
                    self.end = End::Length(left - max as u64);
                    return Ok(Some(self.buffer.split_to(max).freeze()));
                }
                End::Mark(mark) if self.buffer.ends_with(&mark) => {
                    // The server sends nothing after the mark until the first acknowledgement.
                    self.buffer.truncate(self.buffer.len() - MARK);
                    self.end = End::Reached;
                    return Ok(Some(self.buffer.split().freeze()));
                }
                End::Mark(_) if self.buffer.len() > MARK => {
                    let sure = self.buffer.len() - MARK;
                    return Ok(Some(self.buffer.split_to(sure).freeze()));
                }
                End::Length(_) | End::Mark(_) => self.read().await?,
            }
        }
    }

    async fn read(&mut self) -> Result<()> {
        fill(&mut self.reader, &mut self.buffer, &self.location).await
    }

    /// Continues with the writes since the copy; the unread rest of the copy is discarded.
    ///
    /// # Errors
    /// When the connection breaks before the copy ends.
    pub async fn into_feed(mut self) -> Result<Feed> {
        while self.next_piece().await?.is_some() {}
        let progress =
            Arc::new(Acknowledged { offset: AtomicU64::new(self.offset), asked: Notify::new() });
        let acknowledging = tokio::spawn(acknowledge(self.writer, Arc::clone(&progress)));
        Ok(Feed {
            reader: self.reader,
            buffer: self.buffer,
            database: 0,
            progress,
            acknowledging,
            location: self.location,
        })
    }
}

async fn fill(
    reader: &mut ReadHalf<ServerStream>,
    buffer: &mut BytesMut,
    location: &str,
) -> Result<()> {
    buffer.reserve(READ);
    let read = tokio::time::timeout(SILENCE_LIMIT, reader.read_buf(buffer)).await;
    match read {
        Err(_) => {
            let what = format!("the server has sent nothing for {SILENCE_LIMIT:?}");
            Err(failed(ErrorKind::Timeout, location, &what))
        }
        Ok(Ok(0)) => Err(broken(location, &std::io::ErrorKind::UnexpectedEof.into())),
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(broken(location, &error)),
    }
}

async fn ask(stream: &mut ServerStream, words: &[&str], location: &str) -> Result<String> {
    let command = resp::command(words);
    stream.ask_line(&command).await.map_err(|error| broken(location, &error))
}

/// Announces the capabilities of this replica.
async fn introduce(
    stream: &mut ServerStream,
    wanted: Wanted,
    version: &str,
    location: &str,
) -> Result<()> {
    // Old servers answer unknown ones with errors, which are harmless.
    ask(stream, &["REPLCONF", "listening-port", "0"], location).await?;
    ask(stream, &["REPLCONF", "capa", "eof", "capa", "psync2"], location).await?;
    if !version.is_empty() {
        // Valkey since 9.0 writes the copy for a replica of this version, and for one of 8.x if it is not told. Such a
        // copy cannot hold fields of hashes that expire, so the server would break off at the first.
        ask(stream, &["REPLCONF", "version", version], location).await?;
    }
    if wanted == Wanted::Copy {
        ask(stream, &["REPLCONF", "rdb-only", "1"], location).await?;
    }
    Ok(())
}

/// Requests the copy. Returns how the copy ends, and the offset after it.
async fn request(stream: &mut ServerStream, location: &str) -> Result<(End, u64)> {
    let mut answer = ask(stream, &["PSYNC", "?", "-1"], location).await?;
    if answer.starts_with("-ERR unknown command") {
        return Err(refused(location, &answer));
    }
    let offset = match answer.split(' ').collect::<Vec<_>>()[..] {
        ["+FULLRESYNC", _, offset] => offset.parse().unwrap_or(0),
        _ => return Err(refused(location, &answer)),
    };
    // The server sends empty lines until the copy is ready.
    answer = stream.ask_line(b"").await.map_err(|error| broken(location, &error))?;
    let end = match answer.strip_prefix("$EOF:") {
        Some(mark) => <[u8; MARK]>::try_from(mark.as_bytes()).ok().map(End::Mark),
        None => answer.strip_prefix('$').and_then(|n| n.parse().ok()).map(End::Length),
    };
    end.map(|end| (end, offset)).ok_or_else(|| refused(location, &answer))
}

fn refused(location: &str, answer: &str) -> Error {
    let kind = if answer.starts_with("-NOPERM") {
        ErrorKind::Permission
    } else if answer.starts_with("-LOADING") || answer.starts_with("-NOMASTERLINK") {
        ErrorKind::NotReady
    } else {
        ErrorKind::Unsupported
    };
    let answer: String = answer.trim_start_matches('-').chars().take(160).collect();
    let what = format!(
        "the server refuses replication ({answer}). Managed services refuse it, and users need the \
         permissions +psync +replconf; use --via scan for a backup instead"
    );
    failed(kind, location, &what)
}

/// A write as the server sends it to its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Command {
    /// The index that it applies to.
    pub database: u32,
    /// Its name and arguments, made deterministic by the server: an expiry or eviction is a `DEL`
    /// or `UNLINK`, relative times are absolute, and a script is replaced by its writes. `MULTI`
    /// and `EXEC` enclose a transaction; `FLUSHALL` and `SWAPDB` affect other indexes too.
    pub arguments: Vec<Bytes>,
    /// The replication offset after it: see `master_repl_offset` in `INFO replication`.
    pub offset: u64,
}

#[derive(Debug)]
struct Acknowledged {
    offset: AtomicU64,
    asked: Notify,
}

/// The writes since the copy, in order, of all indexes. It acknowledges its position to the server
/// every second, even while nobody calls [`Feed::next`].
#[derive(Debug)]
pub struct Feed {
    reader: ReadHalf<ServerStream>,
    buffer: BytesMut,
    database: u32,
    progress: Arc<Acknowledged>,
    acknowledging: JoinHandle<()>,
    location: String,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.acknowledging.abort();
    }
}

impl Feed {
    /// The replication offset after all that has been read: compare with `master_repl_offset` in `INFO replication`.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.progress.offset.load(Ordering::Relaxed)
    }

    /// Waits for the next write. Cancel-safe.
    ///
    /// # Errors
    /// When the connection breaks, or the server sent something that is not a command.
    pub async fn next(&mut self) -> Result<Command> {
        let mut needed = 1;
        loop {
            // The server's newlines between commands are keep-alives.
            if self.buffer.first() == Some(&b'\n') {
                self.buffer.advance(1);
                self.progress.offset.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            if self.buffer.len() >= needed {
                match resp::take_command(&mut self.buffer) {
                    Ok(Ok((arguments, bytes))) => {
                        needed = 1;
                        if let Some(command) = self.heed(arguments, bytes) {
                            return Ok(command);
                        }
                        continue;
                    }
                    Ok(Err(more)) => needed = more,
                    Err(what) => return Err(failed(ErrorKind::Protocol, &self.location, what)),
                }
            }
            fill(&mut self.reader, &mut self.buffer, &self.location).await?;
        }
    }

    /// Counts the command; `None` for a command about the connection itself.
    fn heed(&mut self, arguments: Vec<Bytes>, bytes: usize) -> Option<Command> {
        let offset = self.progress.offset.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        let name = arguments.first()?;
        if name.eq_ignore_ascii_case(b"SELECT") {
            let index = arguments.get(1).and_then(|index| std::str::from_utf8(index).ok());
            self.database = index.and_then(|index| index.parse().ok()).unwrap_or(self.database);
            return None;
        }
        if name.eq_ignore_ascii_case(b"REPLCONF") {
            // `REPLCONF GETACK`: a `WAIT` on the server asks for the offset.
            self.progress.asked.notify_one();
            return None;
        }
        if name.eq_ignore_ascii_case(b"PING") {
            return None;
        }
        Some(Command { database: self.database, arguments, offset })
    }
}

/// Acknowledges the position of the feed until the connection breaks.
async fn acknowledge(mut writer: WriteHalf<ServerStream>, progress: Arc<Acknowledged>) {
    loop {
        let offset = progress.offset.load(Ordering::Relaxed).to_string();
        if writer.write_all(&resp::command(&["REPLCONF", "ACK", &offset])).await.is_err() {
            return;
        }
        let _ = tokio::time::timeout(ACKNOWLEDGE_EVERY, progress.asked.notified()).await;
    }
}

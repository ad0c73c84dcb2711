//! Follows a server as its replica does: all it has at one moment, then every write in order.
//!
//! [`Replica::start`] asks for both. [`Replica::next_piece`] gives the first as the bytes of an
//! RDB file, [`Replica::into_feed`] the second as [`Command`]s. Nothing is ever written to the
//! server. A user needs `+psync +replconf`; managed services refuse it to all.

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

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// The copy only: the server does not gather the writes that follow.
    Copy,
    /// The copy, and every write since.
    CopyAndFeed,
}

/// How the server says where the copy ends.
#[derive(Debug)]
enum End {
    /// So many bytes are still to come.
    Length(u64),
    /// These bytes stand behind it.
    Mark([u8; MARK]),
    Reached,
}

const MARK: usize = 40;
/// Bytes asked for at a time.
const READ: usize = 256 * 1024;
/// A server drops a replica that it has not heard of for a minute.
const ACKNOWLEDGE_EVERY: Duration = Duration::from_secs(1);
/// The copy begins when the server has written or forked it, which takes it seconds a gigabyte.
const START_LIMIT: Duration = Duration::from_secs(600);
/// A server that sends nothing for so long is gone: it sends a sign of life every ten seconds.
const SILENCE_LIMIT: Duration = Duration::from_secs(90);

/// A connection by which the server sends all it has.
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
    /// [`ErrorKind::Permission`] when it, or the user, may not replicate: most managed services
    /// refuse it. Always for a cluster.
    pub async fn start(server: &Server, wanted: Wanted) -> Result<Self> {
        let location = server.url().to_string();
        if server.is_cluster() {
            let what =
                "a cluster cannot be followed as one; a backup can be made with --via scan instead";
            return Err(failed(ErrorKind::Unsupported, &location, what));
        }
        let mut stream = server.open_stream().await?;
        let begun = tokio::time::timeout(START_LIMIT, hand_shake(&mut stream, wanted, &location));
        let (end, offset) = begun.await.unwrap_or_else(|_| {
            let what = format!("no copy begins within {START_LIMIT:?}");
            Err(failed(ErrorKind::Timeout, &location, &what))
        })?;
        let (reader, writer) = tokio::io::split(stream);
        Ok(Self { reader, writer, buffer: BytesMut::new(), end, offset, location })
    }

    /// The next bytes of the copy; `None` when it is whole.
    ///
    /// # Errors
    /// When the connection breaks before.
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
                    // Nothing follows the mark before the first acknowledgement.
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

    /// Goes on with the writes since the copy, what is left of which is thrown away.
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

/// Says what this replica can do, and asks for the copy; how it ends, and the offset behind it.
async fn hand_shake(
    stream: &mut ServerStream,
    wanted: Wanted,
    location: &str,
) -> Result<(End, u64)> {
    let mut ask = async |words: &[&str]| {
        let command = resp::command(words);
        stream.ask_line(&command).await.map_err(|error| broken(location, &error))
    };
    // Old servers do not know all of these and answer with errors, which change nothing.
    ask(&["REPLCONF", "listening-port", "0"]).await?;
    ask(&["REPLCONF", "capa", "eof", "capa", "psync2"]).await?;
    if wanted == Wanted::Copy {
        ask(&["REPLCONF", "rdb-only", "1"]).await?;
    }
    let mut answer = ask(&["PSYNC", "?", "-1"]).await?;
    if answer.starts_with("-ERR unknown command") {
        return Err(refused(location, &answer));
    }
    let offset = match answer.split(' ').collect::<Vec<_>>()[..] {
        ["+FULLRESYNC", _, offset] => offset.parse().unwrap_or(0),
        _ => return Err(refused(location, &answer)),
    };
    // The server sends empty lines until it has the copy ready.
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
    /// The numbered database that it is about.
    pub database: u32,
    /// Its name and arguments. The server has made them definite: what expires or is evicted is a
    /// `DEL` or `UNLINK`, relative times are absolute, scripts are what they wrote. `MULTI` and
    /// `EXEC` stand around what was done together, and `FLUSHALL` and `SWAPDB` are about more than
    /// the database.
    pub arguments: Vec<Bytes>,
    /// The server's count of bytes behind it: see `INFO replication`, `master_repl_offset`.
    pub offset: u64,
}

#[derive(Debug)]
struct Acknowledged {
    offset: AtomicU64,
    asked: Notify,
}

/// The writes since the copy, in order, of all databases. Tells the server every second how far it
/// has come, whether or not it is asked for more.
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
    /// The next write; waits for one. May be dropped while it waits, and asked again.
    ///
    /// # Errors
    /// When the connection breaks, or the server sent something that is not a command.
    pub async fn next(&mut self) -> Result<Command> {
        let mut needed = 1;
        loop {
            // Signs of life stand between commands.
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

    /// Counts the command; `None` for one that is about the connection.
    fn heed(&mut self, arguments: Vec<Bytes>, bytes: usize) -> Option<Command> {
        let offset = self.progress.offset.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        let name = arguments.first()?;
        if name.eq_ignore_ascii_case(b"SELECT") {
            let index = arguments.get(1).and_then(|index| std::str::from_utf8(index).ok());
            self.database = index.and_then(|index| index.parse().ok()).unwrap_or(self.database);
            return None;
        }
        if name.eq_ignore_ascii_case(b"REPLCONF") {
            // WAIT on the server: how far are you?
            self.progress.asked.notify_one();
            return None;
        }
        if name.eq_ignore_ascii_case(b"PING") {
            return None;
        }
        Some(Command { database: self.database, arguments, offset })
    }
}

/// Tells the server how far the feed was read, until the connection breaks.
async fn acknowledge(mut writer: WriteHalf<ServerStream>, progress: Arc<Acknowledged>) {
    loop {
        let offset = progress.offset.load(Ordering::Relaxed).to_string();
        if writer.write_all(&resp::command(&["REPLCONF", "ACK", &offset])).await.is_err() {
            return;
        }
        let _ = tokio::time::timeout(ACKNOWLEDGE_EVERY, progress.asked.notified()).await;
    }
}

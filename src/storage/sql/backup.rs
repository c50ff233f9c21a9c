//! A copy of the SQLite file while a server runs on it, and its return to the place of one that was lost.
//!
//! Laws: a name that is there is never written over, and nothing appears under its name before it is whole, checked and
//! on the disk. A copy holds people's data and secrets, so its owner alone may read it. At no moment does a database
//! stand beside the log (`-wal`) of another.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::NamedTempFile;

use super::{
    conn::{Conn, values},
    engine::STATEMENT,
    error::OpenError,
    open::{beside, half_restored, lock, remove_half_restored, sqlite_path},
    schema,
};
use crate::{domain::time::Timestamp, ports::StoreError, storage::Address};

/// What every SQLite file begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// So many bytes are copied at once, between two looks at whether anybody still waits for the rest.
const PIECE: u64 = 8 << 20;

/// Why there is no backup, or no restored database; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{0} is PostgreSQL's, which has tools of its own: pg_dump --format=custom, and pg_restore")]
    Postgres(Address),
    #[error("{0} is there already")]
    Exists(PathBuf),
    #[error("there is no database {0}")]
    Missing(PathBuf),
    #[error("{0} has a log beside it ({0}-wal): it is a database in use, not a backup")]
    Live(PathBuf),
    #[error("{0} is damaged: {1}")]
    Damaged(PathBuf, String),
    #[error("{0} is not a Dintorni backup: {1}")]
    Foreign(PathBuf, &'static str),
    #[error("{0} was written by a newer binary (its schema has step {1}): use that or a newer one")]
    Newer(PathBuf, i64),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    #[error("{0}: {1}")]
    Sql(PathBuf, StoreError),
}

/// A restored database.
#[derive(Debug)]
pub struct Restored {
    pub path: PathBuf,
    /// Where the database that was there before is now, or its log if that was all.
    pub aside: Option<PathBuf>,
}

/// Copies the database as it is at one moment, whether or not a server runs on it; returns the copy's size in bytes.
/// Its writers do not wait; its log grows until the copy is done.
pub async fn backup(database: &Address, to: &Path) -> Result<u64, BackupError> {
    let from = path_of(database)?;
    absent(to)?;
    if !from.is_file() {
        return Err(BackupError::Missing(from));
    }
    let copy = fresh_beside(to)?;
    let Some(name) = copy.path().to_str() else { return Err(file(to)(io::ErrorKind::InvalidFilename.into())) };
    let source = SqliteConnectOptions::new().filename(&from).read_only(true).busy_timeout(STATEMENT);
    let mut conn = source.connect().await.map_err(|fault| sql(&from)(super::error::store_error(fault)))?;
    Conn::Sqlite(&mut conn, &[]).execute("VACUUM INTO $1", values![name]).await.map_err(sql(to))?;
    conn.close().await.map_err(|fault| sql(&from)(super::error::store_error(fault)))?;
    check(copy.path(), to).await?;
    let bytes = copy.as_file().metadata().map_err(file(to))?.len();
    let whole = sync(copy, to)?;
    whole.persist_noclobber(to).map_err(|fault| match fault.error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
        _ => file(to)(fault.error),
    })?;
    sync_directory(to)?;
    Ok(bytes)
}

/// A backup that is copied and checked, and needs only its name. Until then nothing was changed, and dropping this leaves
/// nothing behind.
pub struct Checked {
    path: PathBuf,
    copy: NamedTempFile,
    /// No server runs on the database.
    _held: File,
}

/// Makes ready what [`Checked::restore`] puts in the database's place. One that is there is a refusal, unless `replace`; so
/// is a server that runs on it. Whoever does not wait for the end has changed nothing.
pub async fn prepare(database: &Address, from: &Path, replace: bool) -> Result<Checked, BackupError> {
    let path = path_of(database)?;
    if beside(from, "-wal").metadata().is_ok_and(|log| log.len() > 0) {
        return Err(BackupError::Live(from.to_owned()));
    }
    let source = File::open(from).map_err(file(from))?;
    if !replace {
        absent(&path)?;
    }
    DirBuilder::new().recursive(true).mode(0o700).create(directory(&path)).map_err(file(&path))?;
    let _held = lock(&path)?;
    remove_half_restored(&path)?;
    let half = half_restored(&path);
    let mut copy = tempfile::Builder::new()
        .prefix(half.file_name().unwrap_or_default())
        .rand_bytes(0)
        .tempfile_in(directory(&path))
        .map_err(file(&half))?;
    copy_all(source, copy.as_file_mut()).await.map_err(file(&path))?;
    check(copy.path(), from).await?;
    Ok(Checked { copy: sync(copy, &path)?, path, _held })
}

async fn copy_all(mut from: File, to: &mut File) -> io::Result<()> {
    while io::copy(&mut from.by_ref().take(PIECE), to)? > 0 {
        tokio::task::yield_now().await;
    }
    Ok(())
}

impl Checked {
    /// Puts the backup in the database's place. `now` dates the name of what is there, which is kept.
    pub fn restore(self, now: Timestamp) -> Result<Restored, BackupError> {
        let Self { path, copy, _held } = self;
        let aside = set_aside(&path, now)?;
        copy.persist_noclobber(&path).map_err(|fault| file(&path)(fault.error))?;
        sync_directory(&path)?;
        Ok(Restored { path, aside })
    }
}

/// Moves the database that is there, with its log, to a dated name. The log has its second name before the database moves, and
/// its first one until after: wherever this is cut off, it stands beside its database. Without one it is kept as well.
fn set_aside(path: &Path, now: Timestamp) -> Result<Option<PathBuf>, BackupError> {
    let (log, index) = (beside(path, "-wal"), beside(path, "-shm"));
    let there = path.symlink_metadata().is_ok();
    // One that has another name already, and no database here, is from a restore that was cut off.
    let logged = log.metadata().is_ok_and(|log| log.len() > 0 && (there || log.nlink() == 1));
    let aside = beside(path, &format!(".before-{}", compact(now)));
    let aside_log = beside(&aside, "-wal");
    absent(&aside)?;
    if logged {
        second_name(&log, &aside_log).map_err(file(&aside_log))?;
        sync_directory(path)?;
    }
    if there {
        fs::rename(path, &aside).map_err(file(path))?;
        sync_directory(path)?;
    }
    for left in [log, index] {
        unless_missing(fs::remove_file(&left)).map_err(file(&left))?;
    }
    Ok(there.then_some(aside).or(logged.then_some(aside_log)))
}

/// Gives a file another name; where the file system cannot do that, to a copy.
fn second_name(file: &Path, name: &Path) -> io::Result<()> {
    fs::hard_link(file, name).or_else(|_| {
        let mut copy = File::create_new(name)?;
        io::copy(&mut File::open(file)?, &mut copy)?;
        copy.sync_all()
    })
}

/// `20260615T120000Z`: what every file system takes in a name.
fn compact(time: Timestamp) -> String {
    let text = time.to_string();
    let to_the_second = text.split(['.', 'Z']).next().unwrap_or_default();
    format!("{}Z", to_the_second.replace(['-', ':'], ""))
}

/// Whether the file at `path`, which nobody else has open, is a sound database that this binary knows. Errors name it
/// `called`.
async fn check(path: &Path, called: &Path) -> Result<(), BackupError> {
    let damaged = |why: String| BackupError::Damaged(called.to_owned(), why);
    let mut beginning = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut beginning))
        .map_err(self::file(called))?;
    if beginning != MAGIC {
        return Err(BackupError::Foreign(called.to_owned(), "it is no database at all"));
    }
    // Immutable: no log or index is made beside it.
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
    let mut conn = options.connect().await.map_err(|fault| damaged(fault.to_string()))?;
    let checked = check_open(&mut conn, called).await;
    conn.close().await.map_err(|fault| damaged(fault.to_string()))?;
    checked
}

async fn check_open(conn: &mut SqliteConnection, called: &Path) -> Result<(), BackupError> {
    let damaged = |why: String| BackupError::Damaged(called.to_owned(), why);
    let mut conn = Conn::Sqlite(conn, &[]);
    let found = conn.rows("PRAGMA integrity_check(10)", &[]).await.map_err(|fault| damaged(fault.to_string()))?;
    let found: Result<Vec<String>, StoreError> = found.iter().map(|row| row.get(0)).collect();
    let found = found.map_err(|fault| damaged(fault.to_string()))?;
    if found != ["ok"] {
        return Err(damaged(found.join("; ")));
    }
    match schema::steps(&mut conn).await.map_err(sql(called))? {
        None => Err(BackupError::Foreign(called.to_owned(), "it is another program's database")),
        Some(steps) => match steps.into_iter().find(|step| !schema::knows(*step)) {
            Some(step) => Err(BackupError::Newer(called.to_owned(), step)),
            None => Ok(()),
        },
    }
}

fn path_of(database: &Address) -> Result<PathBuf, BackupError> {
    match sqlite_path(database)? {
        Some(path) => Ok(path.to_owned()),
        None => Err(BackupError::Postgres(database.clone())),
    }
}

fn absent(path: &Path) -> Result<(), BackupError> {
    if path.symlink_metadata().is_ok() { Err(BackupError::Exists(path.to_owned())) } else { Ok(()) }
}

/// A file in the same directory, which its owner alone may read, and which goes away unless it is given its name.
fn fresh_beside(path: &Path) -> Result<NamedTempFile, BackupError> {
    tempfile::Builder::new().prefix(".dintorni-").tempfile_in(directory(path)).map_err(file(path))
}

fn sync(copy: NamedTempFile, called: &Path) -> Result<NamedTempFile, BackupError> {
    copy.as_file().sync_all().map(|()| copy).map_err(file(called))
}

/// A new name is durable when its directory is.
fn sync_directory(path: &Path) -> Result<(), BackupError> {
    File::open(directory(path)).and_then(|directory| directory.sync_all()).map_err(file(path))
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unless_missing(done: io::Result<()>) -> io::Result<()> {
    done.or_else(|fault| if fault.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(fault) })
}

fn file(path: &Path) -> impl Fn(io::Error) -> BackupError {
    let path = path.to_owned();
    move |fault| BackupError::File(path.clone(), fault)
}

fn sql(path: &Path) -> impl Fn(StoreError) -> BackupError {
    let path = path.to_owned();
    move |fault| BackupError::Sql(path.clone(), fault)
}

//! Real servers for the tests: redis-server and PostgreSQL in temporary directories, on free ports.
//!
//! Law: a server ends with the test process, however that ends. Each runs under a small shell that waits for its
//! standard input to close (which the system does when the process is gone), then stops the server and removes its files.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// A running server. Dropping it stops it.
pub struct Server {
    pub port: u16,
    /// While this is open the server runs.
    _leash: ChildStdin,
}

/// `$1` is the directory to remove at the end, the rest is the server's command.
const KEEPER: &str =
    r#"dir=$1; shift; "$@" 2>&1 & server=$!; read -r _; kill -INT $server; wait $server; rm -rf "$dir""#;

impl Server {
    /// Runs the command and waits until it says that it is ready.
    fn start(command: &[&str], dir: &Path, port: u16, ready: &str) -> Self {
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(dir)
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh runs");
        let leash = keeper.stdin.take().expect("piped");
        await_line(&mut keeper, command[0], ready);
        Self { port, _leash: leash }
    }
}

/// Reads the server's log until it is ready, and then for as long as it lives, so that it never blocks on a full pipe.
fn await_line(keeper: &mut Child, name: &str, ready: &str) {
    let mut log = BufReader::new(keeper.stdout.take().expect("piped"));
    let mut said = String::new();
    while !said.contains(ready) {
        let read = log.read_line(&mut said).expect("the log is text");
        assert!(read > 0, "{name} did not start:\n{said}");
    }
    std::thread::spawn(move || std::io::copy(&mut log.by_ref(), &mut std::io::sink()));
}

/// A redis-server of its own.
pub fn redis(port: u16) -> Server {
    let dir = fresh_dir("redis");
    let command = redis_command(&dir, port);
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    Server::start(&command, &dir, port, REDIS_IS_READY)
}

/// What redis-server says when it can be used.
pub const REDIS_IS_READY: &str = "Ready to accept connections";

/// What runs a redis-server that keeps its files in `dir`.
pub fn redis_command(dir: &Path, port: u16) -> Vec<String> {
    let binary = text(&find(&["/usr/bin", "/usr/local/bin"], "redis-server", "redis-server"));
    let (port, dir) = (port.to_string(), text(dir));
    [&*binary, "--port", &port, "--bind", "127.0.0.1", "--dir", &dir, "--save", ""].map(str::to_owned).to_vec()
}

/// The redis-server that tests share; each uses keys of its own.
pub fn shared_redis() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| redis(free_port()))
}

/// The PostgreSQL server that tests share; each has a database of its own.
pub fn shared_postgres() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(postgres)
}

fn postgres() -> Server {
    let (dir, port) = (fresh_dir("postgres"), free_port());
    let command = postgres_command(&dir, port);
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    Server::start(&command, &dir, port, POSTGRES_IS_READY)
}

/// What PostgreSQL says when it can be used.
pub const POSTGRES_IS_READY: &str = "ready to accept connections";

/// Makes a PostgreSQL cluster in the empty `dir`, and returns what runs it.
pub fn postgres_command(dir: &Path, port: u16) -> Vec<String> {
    let initdb = find(&postgres_dirs(), "initdb", "postgresql");
    let (initdb, postgres, dir_text) = (text(&initdb), text(&initdb.with_file_name("postgres")), text(dir));
    let who = as_postgres(dir);
    let made = Command::new(who[0])
        .args(&who[1..])
        .args([&initdb, "-D", &dir_text, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"])
        .output()
        .expect("initdb runs");
    assert!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
    let port = port.to_string();
    let mut command = who;
    // No fsync: these tests ask what is visible after a commit, not what survives a power cut.
    command.extend([&*postgres, "-D", &dir_text, "-p", &port, "-h", "127.0.0.1", "-k", "", "-F", "-N", "200"]);
    command.into_iter().map(str::to_owned).collect()
}

/// PostgreSQL refuses to run as root: then it runs as `postgres`, who must own the directory.
fn as_postgres(dir: &Path) -> Vec<&'static str> {
    let id = Command::new("id").arg("-u").output().expect("id runs").stdout;
    if String::from_utf8_lossy(&id).trim() != "0" {
        return vec!["env"];
    }
    let owned = Command::new("chown").arg("postgres").arg(dir).status().expect("chown runs");
    assert!(owned.success(), "there is no user postgres: apt-get install postgresql");
    vec!["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
}

fn postgres_dirs() -> Vec<String> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut dirs: Vec<String> = versions.map(|version| text(&version.path().join("bin"))).collect();
    dirs.sort();
    dirs.push("/usr/local/bin".to_owned());
    dirs.push("/usr/bin".to_owned());
    dirs
}

fn find(dirs: &[impl AsRef<str>], binary: &str, package: &str) -> PathBuf {
    let found = dirs.iter().map(|dir| Path::new(dir.as_ref()).join(binary)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("these tests need {binary}: apt-get install {package} (tests/run does it)"))
}

/// A port that nobody listens on now. The system gives such ports in turn, so the next caller gets another.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("bound").port()
}

/// Not `tempfile`'s: those are closed to every user but the owner, and PostgreSQL may run as another.
pub fn fresh_dir(what: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("dintorni-{what}-{}-{count}", std::process::id()));
    fs::create_dir(&dir).expect("the temporary directory can be written");
    dir
}

fn text(path: &Path) -> String {
    path.to_str().expect("paths of servers are text").to_owned()
}

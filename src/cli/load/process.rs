//! What the server's process has used of the processor, read from /proc.
//!
//! Law: what cannot be known is not made up: without /proc, or for a server on another machine, there is no figure.

use std::{fs, path::Path, time::Duration};

use tonic::transport::Uri;

/// Linux tells processor time in hundredths of a second, whatever its own ticks are.
const TICK: Duration = Duration::from_millis(10);
/// Fields of /proc/PID/stat behind the name in brackets: user time, then system time.
const USER: usize = 11;
/// A socket that is listened on, in /proc/net/tcp.
const LISTENING: &str = "0A";

/// The processor time a process has used since it began: its own and the kernel's for it.
pub fn used(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may have brackets and spaces of its own.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<u32>().ok();
    Some(TICK * (ticks(USER)? + ticks(USER + 1)?))
}

/// The process that listens where this URL leads to, if that is this machine and we may see it.
pub fn listening_at(url: &str) -> Option<u32> {
    let uri: Uri = url.parse().ok()?;
    let is_here = matches!(uri.host()?, "localhost" | "127.0.0.1" | "[::1]");
    let port = uri.port_u16()?;
    let sockets = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let inode = sockets.iter().flat_map(|table| table.lines().skip(1)).find_map(|line| listener(line, port))?;
    is_here.then(|| owner(&format!("socket:[{inode}]"))).flatten()
}

/// The inode of the line's socket, if that listens on the port.
fn listener(line: &str, port: u16) -> Option<&str> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, local) = fields.get(1)?.rsplit_once(':')?;
    let is_it = u16::from_str_radix(local, 16) == Ok(port) && *fields.get(3)? == LISTENING;
    is_it.then(|| fields.get(9).copied()).flatten()
}

fn owner(socket: &str) -> Option<u32> {
    let holds = |process: &Path| {
        let open = fs::read_dir(process.join("fd")).ok()?;
        let mut links = open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        links.any(|link| link.as_os_str() == socket).then_some(())
    };
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let numbered = processes.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())));
    numbered.into_iter().find_map(|(pid, path): (u32, _)| holds(&path).map(|()| pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_this_machine_is_found_by_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        assert_eq!(listening_at(&format!("http://127.0.0.1:{port}")), Some(std::process::id()));
        assert_eq!(listening_at(&format!("http://192.0.2.1:{port}")), None, "not this machine");
        assert!(used(std::process::id()).is_some() && used(u32::MAX).is_none());
    }
}

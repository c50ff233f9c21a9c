//! A door to PostgreSQL that can hang, and can lose the line exactly when a COMMIT goes by.
//!
//! It reads what clients send frame by frame (a byte for the kind, four for the length), so that it knows a COMMIT
//! however it was cut into packets; what PostgreSQL answers goes through as it comes. Without TLS, which tests have none of.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use super::process::LONGEST;

/// What happens to a line when its client sends COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is cut: PostgreSQL never hears of the COMMIT.
    CutBefore,
    /// It is cut when PostgreSQL has done it: the client never hears of that.
    CutAfter,
    /// Nothing goes through it any more, from before the COMMIT on.
    HangBefore,
    /// Nothing goes through it any more, from the answer to the COMMIT on.
    HangAfter,
}

/// Of which COMMITs which one suffers what.
#[derive(Default)]
struct Plan {
    every: usize,
    seen: usize,
    faults: VecDeque<Fault>,
}

struct State {
    server: u16,
    plan: Mutex<Plan>,
    /// How many faults have struck.
    struck: watch::Sender<usize>,
    /// How often something was sent into a line that hangs.
    unheard: watch::Sender<usize>,
    /// How many statements went through.
    statements: AtomicUsize,
    /// How often it began to hang, and whether it does.
    hangs: watch::Sender<(usize, bool)>,
}

pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
    _lines: JoinSet<()>,
}

impl Proxy {
    /// To the PostgreSQL at that port.
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (plan, hangs) = (Mutex::default(), watch::Sender::new((0, false)));
        let (struck, unheard) = (watch::Sender::new(0), watch::Sender::new(0));
        let state = Arc::new(State { server, plan, struck, unheard, hangs, statements: AtomicUsize::new(0) });
        let mut lines = JoinSet::new();
        lines.spawn(take_calls(listener, state.clone()));
        Self { port, state, _lines: lines }
    }

    /// The same database address, through this door.
    pub fn before(&self, url: &str) -> String {
        format!("{}?sslmode=disable", url.replace(&format!(":{}/", self.state.server), &format!(":{}/", self.port)))
    }

    /// Each so-manieth COMMIT from now on has the next of these faults, until they are used up.
    pub fn at_commits(&self, every: usize, faults: impl IntoIterator<Item = Fault>) {
        let plan = Plan { every, seen: 0, faults: faults.into_iter().collect() };
        *self.state.plan.lock().unwrap_or_else(PoisonError::into_inner) = plan;
    }

    /// How many faults have struck.
    pub fn strikes(&self) -> usize {
        *self.state.struck.borrow()
    }

    /// How many statements went through so far.
    pub fn statements(&self) -> usize {
        self.state.statements.load(Relaxed)
    }

    /// Lines are still taken, but nothing goes through any of them, and never will through those that are open now.
    pub fn hang(&self) {
        self.state.hangs.send_modify(|(times, hangs)| (*times, *hangs) = (*times + 1, true));
    }

    /// Waits until somebody speaks into a line that hangs.
    pub async fn unheard(&self) {
        let mut unheard = self.state.unheard.subscribe();
        let spoken = tokio::time::timeout(LONGEST, unheard.wait_for(|times| *times > 0)).await;
        spoken.expect("somebody speaks in time").expect("the proxy lives");
    }

    /// New lines go through again.
    pub fn open(&self) {
        self.state.hangs.send_modify(|(_, hangs)| *hangs = false);
    }
}

async fn take_calls(listener: TcpListener, state: Arc<State>) {
    let mut lines = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.expect("it listens");
        lines.spawn(line(client, state.clone()));
    }
}

/// One line, until either side ends it, or a fault does.
async fn line(mut client: TcpStream, state: Arc<State>) {
    let mut hangs = state.hangs.subscribe();
    let (begun, hung) = *hangs.borrow_and_update();
    // If nobody answers there, the client hears it as it would without us.
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", state.server)).await else { return };
    // As both ends do by themselves: else each small packet waits for the one before it to be acknowledged.
    for end in [&client, &server] {
        end.set_nodelay(true).ok();
    }
    let lost = async {
        hangs.wait_for(|(times, _)| hung || *times > begun).await.ok();
    };
    tokio::select! {
        biased;
        () = lost => hang_on(client, server, &state).await,
        fault = forward(&mut client, &mut server, &state) => match fault {
            Some(Fault::HangBefore | Fault::HangAfter) => hang_on(client, server, &state).await,
            Some(Fault::CutBefore | Fault::CutAfter) | None => {}
        },
    }
}

/// Both ends hear nothing any more. PostgreSQL is not told even if the client goes.
async fn hang_on(mut client: TcpStream, _server: TcpStream, state: &State) {
    let mut lost = [0; 1024];
    while client.read(&mut lost).await.is_ok_and(|read| read > 0) {
        state.unheard.send_modify(|times| *times += 1);
    }
    std::future::pending::<()>().await;
}

/// Forwards everything, until an end or a fault; returns the fault.
async fn forward(client: &mut TcpStream, server: &mut TcpStream, state: &State) -> Option<Fault> {
    let (mut sent, mut answers) = (Frames::default(), vec![0; 16 * 1024]);
    loop {
        tokio::select! {
            read = client.read_buf(&mut sent.bytes) => {
                if read.ok()? == 0 {
                    return None;
                }
                while let Some(frame) = sent.next() {
                    // A text alone, or an order to execute what was bound.
                    state.statements.fetch_add(usize::from(matches!(frame[0], b'Q' | b'E')), Relaxed);
                    let fault = if frame.starts_with(b"Q") && frame.ends_with(b"COMMIT\0") { state.fault() } else { None };
                    if matches!(fault, Some(Fault::CutBefore | Fault::HangBefore)) {
                        return fault;
                    }
                    server.write_all(&frame).await.ok()?;
                    if let Some(fault) = fault {
                        // The first byte of the answer is sent when it is durable.
                        return server.read(&mut answers).await.is_ok_and(|read| read > 0).then_some(fault);
                    }
                }
            }
            read = server.read(&mut answers) => {
                let read = read.ok().filter(|read| *read > 0)?;
                client.write_all(&answers[..read]).await.ok()?;
            }
        }
    }
}

impl State {
    /// What happens to the COMMIT that goes by now.
    fn fault(&self) -> Option<Fault> {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.seen += 1;
        let due = plan.every > 0 && plan.seen.is_multiple_of(plan.every);
        let fault = if due { plan.faults.pop_front() } else { None };
        if fault.is_some() {
            self.struck.send_modify(|struck| *struck += 1);
        }
        fault
    }
}

/// What a client sends, frame by frame.
#[derive(Default)]
struct Frames {
    bytes: Vec<u8>,
    /// The first frame has no byte for its kind.
    begun: bool,
}

impl Frames {
    fn next(&mut self) -> Option<Vec<u8>> {
        let kind = usize::from(self.begun);
        let length: [u8; 4] = self.bytes.get(kind..kind + 4)?.try_into().ok()?;
        let end = kind + u32::from_be_bytes(length) as usize;
        if self.bytes.len() < end {
            return None;
        }
        self.begun = true;
        let rest = self.bytes.split_off(end);
        Some(std::mem::replace(&mut self.bytes, rest))
    }
}

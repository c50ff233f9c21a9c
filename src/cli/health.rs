//! `dintorni health`: how a server is, by its own word (grpc.health.v1).
//!
//! Law: exit code 0 only if everything that was asked about is SERVING.

#![expect(clippy::disallowed_methods, reason = "a command waits by the real time")]

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args;
use tokio::time::{Instant, sleep, timeout};
use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

use super::{
    FAILED,
    connection::Server,
    output::{self, Paint},
};
use crate::grpc::pb::SERVICES;

/// Longest time of one try. A container's health check gives up after about as long.
const TRY: Duration = Duration::from_secs(5);
const BETWEEN_TRIES: Duration = Duration::from_millis(200);

/// Ask a server how it is; exit code 0 if all is well
///
/// Prints a line for the process and for each service. A service is SERVING if its database can be read as well; whether it
/// can be written, calls find out, and the metrics tell (record_transactions_failed). Needs no key.
#[derive(Debug, Args)]
pub struct Health {
    /// Ask only whether the process answers, not whether it reaches its database; this is what should decide about
    /// restarting it, since a restart mends no database
    #[arg(long)]
    alive: bool,
    /// Ask again until the server is well, for at most this long
    #[arg(long, value_name = "SECONDS", default_value_t = 0, hide_default_value = true)]
    wait: u32,
    #[command(flatten)]
    server: Server,
}

/// What was asked about (empty: the process itself), and the answer.
type Answers = Vec<(&'static str, ServingStatus)>;

impl Health {
    /// Asks, and prints a line for each service.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.server.check()?;
        let until = Instant::now() + Duration::from_secs(self.wait.into());
        let mut answers = self.ask().await;
        while !well(&answers) && Instant::now() < until {
            sleep(BETWEEN_TRIES).await;
            answers = self.ask().await;
        }
        let code = if well(&answers) { ExitCode::SUCCESS } else { FAILED.into() };
        let paint = Paint::for_stdout();
        for (service, status) in answers? {
            output::say(line(paint, service, status))?;
        }
        Ok(code)
    }

    async fn ask(&self) -> anyhow::Result<Answers> {
        let services = if self.alive { &[] } else { SERVICES.as_slice() };
        let asked = async {
            let mut client = HealthClient::new(self.server.open().await?);
            let mut answers = Vec::new();
            for service in [""].iter().chain(services) {
                let answer = status(&mut client, service).await;
                answers.push((*service, answer.with_context(|| self.server.url().to_owned())?));
            }
            Ok(answers)
        };
        timeout(TRY, asked).await.with_context(|| format!("{} did not answer in time", self.server.url()))?
    }
}

async fn status(client: &mut HealthClient<Channel>, service: &str) -> anyhow::Result<ServingStatus> {
    match client.check(HealthCheckRequest { service: service.to_owned() }).await {
        Ok(answer) => Ok(answer.into_inner().status()),
        // An older server: it does not have this service.
        Err(status) if status.code() == Code::NotFound => Ok(ServingStatus::ServiceUnknown),
        Err(status) => Err(output::refusal(&status)),
    }
}

fn well(answers: &anyhow::Result<Answers>) -> bool {
    answers.as_ref().is_ok_and(|answers| answers.iter().all(|(_, status)| *status == ServingStatus::Serving))
}

fn line(paint: Paint, service: &str, status: ServingStatus) -> String {
    let what = if service.is_empty() { "the process" } else { service };
    let word = format!("{:<15}", status.as_str_name());
    let word = if status == ServingStatus::Serving { paint.good(word) } else { paint.bad(word) };
    format!("{word}  {what}")
}

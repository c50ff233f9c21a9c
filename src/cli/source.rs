//! `dintorni source …`: the files that keep places in step, and what stayed though they lack it.
//!
//! Law: deleting a source deletes no place.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use tonic::{Response, Status};

use super::{
    connection::Connection,
    import::stays,
    names,
    output::{note, refusal, say, table, time},
};
use crate::{
    domain::name::OrganizationName,
    grpc::pb::{self, place_service_client::PlaceServiceClient},
};

/// Sources asked for at once: each may name a thousand places.
const PAGE: i32 = 100;

/// List, show and delete the sources of places: the files that `import --sync` keeps in step
///
/// Needs a network, owner or operator key.
#[derive(Debug, Args)]
pub struct Sources {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List a network's sources, with what the last sync of each said
    List(List),
    /// Show a source, and the places that stay though its last file lacked them, with the reason of each
    Show(Show),
    /// Delete a source, such as a mistyped one; its places stay
    ///
    /// Refused while places are of it, unless --force: these are of no source from then on, and the next sync of any source
    /// takes those that its file names.
    Delete(Delete),
}

#[derive(Debug, Args)]
struct List {
    /// Whose sources: organizations/ID, or the ID alone
    #[arg(long, value_name = "ORGANIZATION", value_parser = names::organization)]
    network: OrganizationName,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
struct Which {
    /// Which source: its whole name, or the ID alone
    #[arg(value_name = "SOURCE")]
    name: String,
    /// Whose source it is: organizations/ID, or the ID alone
    #[arg(long, value_name = "ORGANIZATION", value_parser = names::organization)]
    network: OrganizationName,
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
struct Delete {
    #[command(flatten)]
    which: Which,
    /// Delete it even if places are of it; they stay, and are of no source
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    connection: Connection,
}

impl Sources {
    /// Does it, and prints what came of it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::List(list) => list.run().await?,
            Action::Show(show) => show.run().await?,
            Action::Delete(delete) => delete.run().await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let mut client = PlaceServiceClient::new(self.connection.open().await?);
        let (mut sources, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListSourcesRequest { parent: self.network.to_string(), page_size: PAGE, page_token };
            let page = answer(client.list_sources(self.connection.request(request)?).await)?;
            sources.extend(page.sources);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return say(rows(&sources));
            }
        }
    }
}

impl Show {
    async fn run(self) -> anyhow::Result<()> {
        let name = names::source(&self.which.name, &self.which.network)?.to_string();
        let mut client = PlaceServiceClient::new(self.connection.open().await?);
        let source = answer(client.get_source(self.connection.request(pb::GetSourceRequest { name })?).await)?;
        say(rows(std::slice::from_ref(&source)))?;
        source.absent_places.iter().try_for_each(|place| say(format!("stays: {}", stays(place))))?;
        let more = source.absent.saturating_sub(source.absent_places.len() as u64);
        if more > 0 { say(format!("stays: {more} more")) } else { Ok(()) }
    }
}

impl Delete {
    async fn run(self) -> anyhow::Result<()> {
        let name = names::source(&self.which.name, &self.which.network)?.to_string();
        let mut client = PlaceServiceClient::new(self.connection.open().await?);
        let request = pb::DeleteSourceRequest { name: name.clone(), etag: String::new(), force: self.force };
        let let_go = answer(client.delete_source(self.connection.request(request)?).await)?.let_go;
        note(format!("{name}: deleted; {let_go} places were of it, and stay"));
        Ok(())
    }
}

fn answer<T>(result: Result<Response<T>, Status>) -> anyhow::Result<T> {
    result.map(Response::into_inner).map_err(|status| refusal(&status))
}

fn rows(sources: &[pb::Source]) -> String {
    let title = ["NAME", "AS OF", "IN STEP SINCE", "ROWS", "REFUSED", "STAY THOUGH ABSENT"].map(str::to_owned);
    let row = |source: &pb::Source| {
        let pb::Source { name, as_of, sync_time, rows, refused, absent, .. } = source;
        vec![name.clone(), time(*as_of), time(*sync_time), rows.to_string(), refused.to_string(), absent.to_string()]
    };
    table(&std::iter::once(title.to_vec()).chain(sources.iter().map(row)).collect::<Vec<_>>())
}

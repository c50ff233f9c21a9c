//! `dintorni key …`: makes, lists, revokes and rotates API keys.
//!
//! Law 10: a secret is printed once, alone on standard output, so that a script can take it; all else goes to standard
//! error.

use std::{process::ExitCode, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use tonic::{Response, Status};

use super::{
    connection::Connection,
    names,
    output::{note, refusal, say, say_to_reader, table, time},
};
use crate::{
    config::Mistakes,
    domain::name::OrganizationName,
    grpc::{
        pb::{self, key::Scope, organization_service_client::OrganizationServiceClient},
        wire::duration_to_wire,
    },
};

/// Keys asked for at once.
const PAGE: i32 = 1_000;

/// Make, list, revoke and rotate API keys
///
/// Needs an operator key, or an owner key of the same organization. The operator key is what the server's first start
/// shows.
#[derive(Debug, Args)]
pub struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key; its secret is the only line on standard output, and is shown this once
    Create(Create),
    /// List an organization's keys, the revoked ones too, never with a secret
    List(List),
    /// Refuse a key from now on, for ever
    Revoke(Revoke),
    /// Give a key a new secret, which is shown this once; see --overlap for changing it without an outage
    ///
    /// If it fails without an answer, look at `dintorni key list` before you repeat it: a key that shows an older secret was
    /// rotated, and rotating it again would end that older secret, which is in use, at once. Make another key instead.
    Rotate(Rotate),
}

#[derive(Debug, Args)]
struct Create {
    /// The key's own id: letters, digits, . _ ~ -
    id: String,
    /// Whose key it is: organizations/ID, or the ID alone
    #[arg(long, value_name = "ORGANIZATION", value_parser = names::organization)]
    organization: OrganizationName,
    /// What it opens
    #[arg(long, value_enum)]
    scope: Scopes,
    /// Of which app, for the scopes server and app: its whole name, or its ID alone
    #[arg(long, required_if_eq_any([("scope", "server"), ("scope", "app")]))]
    app: Option<String>,
    /// For the scope store, which store: organizations/ORGANIZATION/stores/ID, or the ID alone; may be repeated
    #[arg(long = "store", value_name = "STORE", required_if_eq("scope", "store"))]
    stores: Vec<String>,
    /// Where the key is used, so that one knows what a revocation breaks; by default its id
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
struct List {
    /// Whose keys: organizations/ID, or the ID alone
    #[arg(long, value_name = "ORGANIZATION", value_parser = names::organization)]
    organization: OrganizationName,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
struct Which {
    /// Which key: organizations/ORGANIZATION/keys/ID, or the ID alone together with --organization
    #[arg(value_name = "NAME")]
    name: String,
    /// Whose key it is: organizations/ID, or the ID alone
    #[arg(long, value_name = "ORGANIZATION", value_parser = names::organization)]
    organization: Option<OrganizationName>,
}

#[derive(Debug, Args)]
struct Revoke {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
struct Rotate {
    #[command(flatten)]
    which: Which,
    /// How long the present secret stays good beside the new one, such as 30m, 24h or 7d (the most); by default it ends
    /// at once
    #[arg(long, value_name = "SPAN", value_parser = names::span)]
    overlap: Option<Duration>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scopes {
    /// Everything, in every organization
    Operator,
    /// Everything of its organization
    Owner,
    /// Stores, geofences and beacons
    Network,
    /// Campaigns, and decisions about them
    Brand,
    /// Profiles and decisions of one app, from the publisher's own server
    Server,
    /// Registering devices of one app; it ships in the app, so it is public
    App,
    /// Checking and redeeming coupons at the tills of some stores
    Store,
}

impl From<Scopes> for Scope {
    fn from(scope: Scopes) -> Self {
        match scope {
            Scopes::Operator => Scope::Operator,
            Scopes::Owner => Scope::Owner,
            Scopes::Network => Scope::Network,
            Scopes::Brand => Scope::Brand,
            Scopes::Server => Scope::Server,
            Scopes::App => Scope::App,
            Scopes::Store => Scope::Store,
        }
    }
}

impl Keys {
    /// Does it, and prints what came of it.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self.action {
            Action::Create(create) => create.run().await?,
            Action::List(list) => list.run().await?,
            Action::Revoke(revoke) => revoke.run().await?,
            Action::Rotate(rotate) => rotate.run().await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Create {
    async fn run(self) -> anyhow::Result<()> {
        let app = self.app.as_deref().map(|app| names::app(app, &self.organization)).transpose()?;
        let store = |store: &String| names::store(store, &self.organization).map(|store| store.to_string());
        let stores = self.stores.iter().map(store).collect::<Result<_, Mistakes>>()?;
        let key = pb::Key {
            stores,
            display_name: self.display_name.unwrap_or_else(|| self.id.clone()),
            scope: Scope::from(self.scope).into(),
            app: app.map(|app| app.to_string()).unwrap_or_default(),
            ..Default::default()
        };
        let request = pb::CreateKeyRequest { parent: self.organization.to_string(), key_id: self.id, key: Some(key) };
        let mut client = OrganizationServiceClient::new(self.connection.open().await?);
        let issued = answer(client.create_key(self.connection.request(request)?).await)?;
        hand_over(&issued, "made")
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let mut client = OrganizationServiceClient::new(self.connection.open().await?);
        let mut rows = vec![["NAME", "SCOPE", "STATE", "APP", "USED FOR"].map(str::to_owned).to_vec()];
        let mut page_token = String::new();
        loop {
            let request = pb::ListKeysRequest { parent: self.organization.to_string(), page_size: PAGE, page_token };
            let page = answer(client.list_keys(self.connection.request(request)?).await)?;
            rows.extend(page.keys.into_iter().map(row));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        say(table(&rows))
    }
}

impl Revoke {
    async fn run(self) -> anyhow::Result<()> {
        let name = names::key(&self.which.name, self.which.organization.as_ref())?.to_string();
        let mut client = OrganizationServiceClient::new(self.connection.open().await?);
        let key = answer(client.revoke_key(self.connection.request(pb::RevokeKeyRequest { name })?).await)?;
        note(format!("{}: {}", key.name, state(&key)));
        Ok(())
    }
}

impl Rotate {
    async fn run(self) -> anyhow::Result<()> {
        let name = names::key(&self.which.name, self.which.organization.as_ref())?.to_string();
        let request = pb::RotateKeyRequest { name, overlap: self.overlap.map(duration_to_wire), ..Default::default() };
        let mut client = OrganizationServiceClient::new(self.connection.open().await?);
        let issued = answer(client.rotate_key(self.connection.request(request)?).await)?;
        hand_over(&issued, "has a new secret")
    }
}

fn answer<T>(result: Result<Response<T>, Status>) -> anyhow::Result<T> {
    result.map(Response::into_inner).map_err(|status| refusal(&status))
}

/// Prints the secret, alone. If nobody can have read it that is an error, and not an end without a word.
pub(super) fn hand_over(issued: &pb::IssuedKey, done: &str) -> anyhow::Result<()> {
    let key = issued.key.clone().unwrap_or_default();
    note(format!("{} {done} ({}); its secret is shown this once:", key.name, state(&key)));
    say_to_reader(&issued.secret).map_err(|fault| {
        anyhow::anyhow!(
            "the secret was not shown ({fault}) and is lost: `dintorni key rotate {}` gives another",
            key.name
        )
    })
}

fn row(key: pb::Key) -> Vec<String> {
    let (scope, state) = (key.scope().as_str_name().to_lowercase(), state(&key));
    vec![key.name, scope, state, key.app, key.display_name]
}

fn state(key: &pb::Key) -> String {
    match (key.revoke_time, key.old_secret_expire_time) {
        (Some(since), _) => format!("revoked since {}", time(Some(since))),
        (None, Some(until)) => format!("good, its older secret until {}", time(Some(until))),
        (None, None) => "good".to_owned(),
    }
}

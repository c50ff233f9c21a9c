//! What a key may touch: which kinds of resources, of which organization.
//!
//! Law: asked and answered before anything is looked up, so that a refusal says nothing of what exists.

use tonic::{Extensions, Status};

use crate::{
    domain::{
        name::{KeyName, OrganizationName, StoreName},
        organization::Scope,
    },
    grpc::{
        auth::{Principal, denied},
        status::Problem,
    },
};

/// A kind of work that owners do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Organizations themselves.
    Organizations,
    /// Apps, keys and grants.
    Ownership,
    Places,
    Campaigns,
    /// Checking and redeeming at stores.
    Tills,
}

impl Work {
    fn open_to(self, scope: &Scope) -> bool {
        match scope {
            Scope::Operator => true,
            Scope::Owner => self != Work::Organizations,
            Scope::Network => matches!(self, Work::Places | Work::Tills),
            Scope::Brand => self == Work::Campaigns,
            Scope::Store(_) => self == Work::Tills,
            Scope::Server(_) | Scope::App(_) => false,
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Work::Organizations => "this call takes an operator key",
            Work::Ownership => "this call takes an owner or operator key",
            Work::Places => "this call takes a network, owner or operator key",
            Work::Campaigns => "this call takes a brand, owner or operator key",
            Work::Tills => "this call takes a store, network, owner or operator key",
        }
    }
}

/// A key whose scope fits the work. Whose resource it is remains to be asked: [`Self::reaches`].
#[derive(Debug, Clone)]
pub struct Access {
    pub key: KeyName,
    pub scope: Scope,
}

impl Access {
    /// The key that calls, if it may do such work at all.
    pub fn to(work: Work, extensions: &Extensions) -> Result<Self, Status> {
        let (key, scope) = Principal::key(extensions)?;
        if !work.open_to(scope) {
            return Err(denied(scope, work.wanted()));
        }
        Ok(Self { key: key.clone(), scope: scope.clone() })
    }

    /// Refuses what belongs to another organization than the key.
    pub fn reaches(&self, owner: &OrganizationName) -> Result<(), Status> {
        if self.scope == Scope::Operator || self.key.organization() == *owner {
            return Ok(());
        }
        Err(Problem::ScopeTooNarrow.says(format!("this key opens resources of {} only", self.key.organization())))
    }

    /// Refuses stores that the key does not open. A name that is none is for the fields to say.
    pub fn serves(&self, store: &str) -> Result<(), Status> {
        let Ok(store) = StoreName::parse(store) else { return Ok(()) };
        match &self.scope {
            Scope::Store(stores) if stores.contains(&store) => Ok(()),
            Scope::Store(_) => Err(Problem::ScopeTooNarrow.says("this key opens other stores only")),
            _ => self.reaches(&store.organization()),
        }
    }

    /// Who an edit is on record for.
    pub fn author(&self) -> &str {
        self.key.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::AppName;

    #[test]
    fn each_scope_opens_its_own_work() {
        let app = AppName::parse("organizations/acme/apps/shopper").expect("sound");
        let table = [
            (Scope::Operator, [true, true, true, true, true]),
            (Scope::Owner, [false, true, true, true, true]),
            (Scope::Network, [false, false, true, false, true]),
            (Scope::Brand, [false, false, false, true, false]),
            (Scope::Store([].into()), [false, false, false, false, true]),
            (Scope::Server(app.clone()), [false; 5]),
            (Scope::App(app), [false; 5]),
        ];
        for (scope, open) in table {
            let works = [Work::Organizations, Work::Ownership, Work::Places, Work::Campaigns, Work::Tills];
            assert_eq!(works.map(|work| work.open_to(&scope)), open, "{scope:?}");
        }
    }

    #[test]
    fn a_store_key_serves_its_own_stores_only() {
        let key = KeyName::parse("organizations/acme/keys/k").expect("sound");
        let one = StoreName::parse("organizations/acme/stores/1").expect("sound");
        let store = Access { key: key.clone(), scope: Scope::Store([one.clone()].into()) };
        let network = Access { key, scope: Scope::Network };
        assert!(store.serves(one.as_str()).is_ok() && network.serves(one.as_str()).is_ok());
        assert!(store.serves("organizations/acme/stores/2").is_err());
        assert!(network.serves("organizations/acme/stores/2").is_ok());
        assert!(network.serves("organizations/other/stores/1").is_err());
    }

    #[test]
    fn only_an_operator_reaches_others() {
        let key = KeyName::parse("organizations/acme/keys/k").expect("sound");
        let other = OrganizationName::parse("organizations/acme2").expect("sound");
        let access = |scope| Access { key: key.clone(), scope };
        assert!(access(Scope::Owner).reaches(&key.organization()).is_ok());
        assert_eq!(access(Scope::Owner).reaches(&other).expect_err("refused").code(), tonic::Code::PermissionDenied);
        assert!(access(Scope::Operator).reaches(&other).is_ok());
    }
}

//! What a key may touch: which kinds of resources, of which organization.
//!
//! Law: asked and answered before anything is looked up, so that a refusal says nothing of what exists.

use tonic::{Status, metadata::MetadataMap};

use crate::{
    domain::{
        name::{KeyName, OrganizationName},
        organization::Scope,
    },
    grpc::{
        auth::{Auth, denied},
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
}

impl Work {
    fn open_to(self, scope: &Scope) -> bool {
        match scope {
            Scope::Operator => true,
            Scope::Owner => self != Work::Organizations,
            Scope::Network => self == Work::Places,
            Scope::Brand => self == Work::Campaigns,
            Scope::Server(_) | Scope::App(_) => false,
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Work::Organizations => "this call takes an operator key",
            Work::Ownership => "this call takes an owner or operator key",
            Work::Places => "this call takes a network, owner or operator key",
            Work::Campaigns => "this call takes a brand, owner or operator key",
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
    pub fn to(work: Work, auth: &Auth, metadata: &MetadataMap) -> Result<Self, Status> {
        let (key, scope) = auth.key(metadata)?;
        if work.open_to(&scope) { Ok(Self { key, scope }) } else { Err(denied(&scope, work.wanted())) }
    }

    /// Refuses what belongs to another organization than the key.
    pub fn reaches(&self, owner: &OrganizationName) -> Result<(), Status> {
        if self.scope == Scope::Operator || self.key.organization() == *owner {
            return Ok(());
        }
        Err(Problem::ScopeTooNarrow.says(format!("this key opens resources of {} only", self.key.organization())))
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
            (Scope::Operator, [true, true, true, true]),
            (Scope::Owner, [false, true, true, true]),
            (Scope::Network, [false, false, true, false]),
            (Scope::Brand, [false, false, false, true]),
            (Scope::Server(app.clone()), [false; 4]),
            (Scope::App(app), [false; 4]),
        ];
        for (scope, open) in table {
            let works = [Work::Organizations, Work::Ownership, Work::Places, Work::Campaigns];
            assert_eq!(works.map(|work| work.open_to(&scope)), open, "{scope:?}");
        }
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

//! API keys: making them, knowing them again, and the first one of all.
//!
//! Law 10: a secret is shown once and kept as its hash. 256 random bits need no slow hash, and the hash may be looked
//! up as it is: nobody can aim a secret at a wanted hash.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::digest;

use crate::{
    app::live_catalog::LiveCatalog,
    domain::{
        name::{KeyName, OrganizationName},
        organization::{Key, Organization, Scope},
        time::Timestamp,
        violation::Invalid,
    },
    engine::catalog::Catalog,
    ports::{Appended, Edit, Expected, StoreError},
};

/// What every API key begins with.
pub const PREFIX: &str = "dk_";

/// The organization that owns the operator's first key.
const OPERATOR: &str = "operator";
const FIRST_KEY: &str = "first";

/// A new secret and the hash to keep. `entropy` is used up by this.
pub fn mint(entropy: [u8; 32]) -> (String, [u8; 32]) {
    let secret = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(entropy));
    let hash = hash(&secret);
    (secret, hash)
}

/// The key this secret belongs to and what it opens; none if there is none, or it is revoked.
pub fn authenticate(catalog: &Catalog, secret: &str, now: Timestamp) -> Option<(KeyName, Scope)> {
    let hash = hash(secret);
    let key = &catalog.key_by_hash(&hash)?.value;
    key.opens(&hash, now).then(|| (key.name.clone(), key.scope.clone()))
}

/// Whether there is no operator key that works.
pub fn lacks_operator(catalog: &Catalog, now: Timestamp) -> bool {
    let works = |key: &Key| key.scope == Scope::Operator && key.revoked_at.is_none_or(|at| now < at);
    !catalog.keys.values().any(|entry| works(&entry.value))
}

/// Makes the first operator key, of that hash, whatever there is: a secret that was lost opens nothing from then on.
/// Another node may do the same at the same moment: false for one of the two.
pub async fn make_operator(live: &LiveCatalog, secret_hash: [u8; 32], now: Timestamp) -> Result<bool, StoreError> {
    let edits = operator_edits(&live.snapshot(), secret_hash, now).map_err(|e| StoreError::Corrupt(e.to_string()))?;
    let appended = live.edit(edits, "first start", now).await?;
    Ok(matches!(appended, Appended::Version(_)))
}

fn operator_edits(snapshot: &Catalog, secret_hash: [u8; 32], now: Timestamp) -> Result<Vec<Edit>, Invalid> {
    let owner = OrganizationName::parse(&format!("organizations/{OPERATOR}"))?;
    let name = owner.key(FIRST_KEY)?;
    // A revoked first key is replaced under its name; etags let only one node do so.
    let expected = snapshot.keys.get(&name).map_or(Expected::Absent, |old| Expected::Version(old.etag));
    let key = Key {
        name,
        display_name: "The operator's first key".to_owned(),
        scope: Scope::Operator,
        secret_hash,
        created_at: now,
        revoked_at: None,
        retiring: None,
    };
    let mut edits = vec![Edit::put(key, expected)];
    if !snapshot.organizations.contains_key(&owner) {
        let operator = Organization {
            name: owner,
            display_name: "The operator of this server".to_owned(),
            brand_limits: Default::default(),
        };
        edits.push(Edit::put(operator, Expected::Absent));
    }
    Ok(edits)
}

fn hash(secret: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalog::CatalogChange;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn with_key(catalog: &Catalog, hash: [u8; 32], revoked_at: Option<Timestamp>) -> Catalog {
        let name = KeyName::parse("organizations/acme/keys/till").expect("sound");
        let key = Key {
            name: name.clone(),
            display_name: String::new(),
            scope: Scope::Brand,
            secret_hash: hash,
            created_at: at(0),
            revoked_at,
            retiring: None,
        };
        let version = catalog.version + 1;
        catalog.after(&[CatalogChange { version, name: name.into(), resource: Some(key.into()) }])
    }

    #[test]
    fn a_key_opens_its_scope_until_it_is_revoked() {
        let (secret, hash) = mint([1; 32]);
        let catalog = with_key(&Catalog::default(), hash, Some(at(100)));
        assert!(matches!(authenticate(&catalog, &secret, at(99)), Some((_, Scope::Brand))));
        assert_eq!(authenticate(&catalog, &secret, at(100)), None);
        assert_eq!(authenticate(&catalog, &mint([2; 32]).0, at(0)), None);
    }

    #[test]
    fn the_old_secret_dies_when_a_key_gets_a_new_one_or_is_deleted() {
        let ((old, old_hash), (new, new_hash)) = (mint([1; 32]), mint([2; 32]));
        let catalog = with_key(&with_key(&Catalog::default(), old_hash, None), new_hash, None);
        assert_eq!(authenticate(&catalog, &old, at(0)), None);
        assert!(authenticate(&catalog, &new, at(0)).is_some());

        let name = KeyName::parse("organizations/acme/keys/till").expect("sound");
        let catalog = catalog.after(&[CatalogChange { version: 9, name: name.into(), resource: None }]);
        assert_eq!(authenticate(&catalog, &new, at(0)), None);
    }
}

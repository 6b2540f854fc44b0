//! Customers whom a shop knows by their e-mail address alone: the address becomes a keyed hash before it is kept.
//!
//! Never holds or returns an address. Without the server's secret the hash does not tell whether an address is one of
//! the brand's customers.

use super::email;
use super::id::WorkspaceNo;
use super::keyring::Keyring;

/// What the names of customers begin with whom a shop knows by their address alone.
const OF_EMAIL: &str = "email:";

/// Hashes the customers of one brand.
#[derive(Clone, Copy)]
pub struct CustomerKey([u8; 32]);

impl CustomerKey {
    /// The key of `workspace`, from the oldest of the server's `secrets`, which is never taken away: a customer who
    /// comes back in years is still the same.
    pub fn of(secrets: &Keyring, workspace: WorkspaceNo) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("hopcart 2026 customers by e-mail address");
        if let Some(oldest) = secrets.all().last() {
            hasher.update(&oldest.key);
        }
        hasher.update(&workspace.0.to_le_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// A customer's name in the books, `email:` and 32 hexadecimal digits (128 bits: two of 2^32 customers share one
    /// once in 2^65 brands). Letter case does not matter, as shops take it. `None` for what is no address.
    pub fn of_email(&self, address: &str) -> Option<String> {
        let address = email::parse(address)?.to_lowercase();
        let hash = blake3::keyed_hash(&self.0, address.as_bytes()).to_hex();
        Some(format!("{OF_EMAIL}{}", hash.get(..32)?))
    }

    /// Whether `customer` was named by [`Self::of_email`], and not by the shop.
    pub fn is_of_email(customer: &str) -> bool {
        customer.starts_with(OF_EMAIL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::keyring::Secret;

    #[test]
    fn one_address_is_one_customer_of_one_brand() {
        let secret = |version| Secret {
            version,
            key: [version; 32],
        };
        let ring = |versions: &[u8]| Keyring::new(versions.iter().copied().map(secret).collect()).expect("a ring");
        let key = CustomerKey::of(&ring(&[1]), WorkspaceNo(1));
        let mia = key.of_email("Mia@Shop.example").expect("an address");
        assert_eq!(key.of_email(" mia@shop.EXAMPLE "), Some(mia.clone()));
        assert!(
            mia.starts_with("email:") && mia.len() == 38 && !mia.contains("mia"),
            "{mia}"
        );
        let later = CustomerKey::of(&ring(&[1, 2]), WorkspaceNo(1));
        assert_eq!(
            later.of_email("mia@shop.example"),
            Some(mia.clone()),
            "after a rotation"
        );
        for other in [
            CustomerKey::of(&ring(&[1]), WorkspaceNo(2)).of_email("mia@shop.example"),
            CustomerKey::of(&ring(&[3]), WorkspaceNo(1)).of_email("mia@shop.example"),
            key.of_email("zoe@shop.example"),
        ] {
            assert!(other.is_some_and(|other| other != mia));
        }
        assert_eq!(key.of_email("nobody"), None);
    }
}

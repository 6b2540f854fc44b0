//! Certificates and the host names that they are for.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use webpki::EndEntityCert;

use super::CertificatePair;
use super::error::TlsError;

/// Several pairs, found by name.
#[derive(Debug)]
pub(super) struct Certificates {
    first: Arc<CertifiedKey>,
    /// By lower-case name; wildcards as they are written, `*.example.com`.
    by_name: HashMap<Box<str>, Arc<CertifiedKey>>,
}

impl Certificates {
    /// Loads every pair; where two are for one name, the earlier has it.
    pub fn load(pairs: &[CertificatePair], provider: &CryptoProvider) -> Result<Self, TlsError> {
        let mut first = None;
        let mut by_name = HashMap::new();
        for pair in pairs {
            let key = Arc::new(load_pair(pair, provider)?);
            for name in names(&key) {
                by_name.entry(name).or_insert_with(|| Arc::clone(&key));
            }
            first.get_or_insert(key);
        }
        Ok(Self {
            first: first.ok_or(TlsError::NoPairs)?,
            by_name,
        })
    }

    /// The certificate for a client that asks for `name`: exact, else wildcard, else the first.
    pub fn choose(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let chosen = name.and_then(|name| {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            self.by_name.get(name.as_str()).or_else(|| {
                let (_, parent) = name.split_once('.')?;
                self.by_name.get(format!("*.{parent}").as_str())
            })
        });
        Arc::clone(chosen.unwrap_or(&self.first))
    }
}

fn load_pair(pair: &CertificatePair, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let unreadable = |error| TlsError::Unreadable(pair.cert.clone(), error);
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&pair.cert)
        .map_err(unreadable)?
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(pair.cert.clone()));
    }
    let key = PrivateKeyDer::from_pem_file(&pair.key).map_err(|error| TlsError::Unreadable(pair.key.clone(), error))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => TlsError::Mismatch(pair.cert.clone()),
        error => TlsError::Unusable(pair.cert.clone(), error),
    })
}

/// The DNS names in the certificate, lower case.
fn names(key: &CertifiedKey) -> Vec<Box<str>> {
    let Some(Ok(certificate)) = key.cert.first().map(EndEntityCert::try_from) else {
        return Vec::new();
    };
    certificate
        .valid_dns_names()
        .map(|name| name.to_ascii_lowercase().into())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::write_pair;

    fn load(pairs: &[CertificatePair]) -> Result<Certificates, TlsError> {
        Certificates::load(pairs, &super::super::provider())
    }

    #[test]
    fn names_choose_their_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let pairs = [
            write_pair(folder.path(), "one", &["one.test", "www.one.test"]),
            write_pair(folder.path(), "wild", &["*.two.test"]),
            write_pair(folder.path(), "two", &["two.test", "Shop.two.test", "one.test"]),
        ];
        let certificates = load(&pairs).unwrap();
        let index_of = |name: Option<&str>| {
            let chosen = certificates.choose(name);
            let loaded: Vec<_> = pairs
                .iter()
                .map(|p| CertificateDer::from_pem_file(&p.cert).unwrap())
                .collect();
            loaded.iter().position(|cert| *cert == chosen.cert[0]).unwrap()
        };
        let table = [
            (None, 0),
            (Some("one.test"), 0),
            (Some("WWW.one.test"), 0),
            (Some("unknown.test"), 0),
            (Some("two.test"), 2),
            (Some("any.two.test"), 1),
            (Some("shop.two.test"), 2),
            (Some("a.b.two.test"), 0),
        ];
        for (name, expected) in table {
            assert_eq!(index_of(name), expected, "{name:?}");
        }
    }

    #[test]
    fn unusable_pairs_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let one = write_pair(folder.path(), "one", &["one.test"]);
        let two = write_pair(folder.path(), "two", &["two.test"]);
        let crossed = CertificatePair {
            cert: one.cert.clone(),
            key: two.key.clone(),
        };
        assert!(matches!(load(&[crossed]), Err(TlsError::Mismatch(path)) if path == one.cert));
        assert!(matches!(load(&[]), Err(TlsError::NoPairs)));
        let swapped = CertificatePair {
            cert: one.key.clone(),
            key: one.cert.clone(),
        };
        assert!(matches!(load(&[swapped]), Err(TlsError::NoCertificate(_))));
        let missing = CertificatePair {
            cert: folder.path().join("none"),
            key: one.key.clone(),
        };
        assert!(matches!(load(&[missing]), Err(TlsError::Unreadable(..))));
        let no_key = CertificatePair {
            key: one.cert.clone(),
            cert: one.cert,
        };
        assert!(matches!(load(&[no_key]), Err(TlsError::Unreadable(..))));
    }
}

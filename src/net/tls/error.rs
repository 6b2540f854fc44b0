//! Why certificates cannot be used. Names files, never their content.

use std::fmt;
use std::path::PathBuf;

use rustls::pki_types::pem;

/// An error of a certificate pair.
#[derive(Debug)]
pub enum TlsError {
    /// No pair was given.
    NoPairs,
    /// The file cannot be read, or holds no PEM of the kind asked for.
    Unreadable(PathBuf, pem::Error),
    /// The certificate file holds no certificate.
    NoCertificate(PathBuf),
    /// The certificate and its key do not belong together.
    Mismatch(PathBuf),
    /// The certificate or the key is of a kind that cannot be used.
    Unusable(PathBuf, rustls::Error),
    /// The TLS library refused our settings.
    Setup(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPairs => f.write_str("TLS needs at least one certificate and its key"),
            Self::Unreadable(path, error) => write!(f, "cannot read {} as PEM: {error}", path.display()),
            Self::NoCertificate(path) => write!(f, "{} holds no certificate", path.display()),
            Self::Mismatch(path) => write!(f, "the key does not belong to the certificate {}", path.display()),
            Self::Unusable(path, error) => write!(f, "cannot use {}: {error}", path.display()),
            Self::Setup(error) => write!(f, "cannot set up TLS: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}

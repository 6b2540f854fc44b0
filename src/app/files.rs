//! Files of the operator's that are read before anything is opened: certificates, and which country an address is in.

use std::sync::Arc;

use super::StartError;
use crate::config::Config;
use crate::domain::outside::{NoPlaces, Places};
use crate::integrations::maxmind::PlaceFile;
use crate::net::TlsConfig;

/// Who says where an address is: nobody, if no file is named.
pub(super) fn open_places(config: &Config) -> Result<Arc<dyn Places>, StartError> {
    match &config.country_file {
        Some(path) => match PlaceFile::open(path) {
            Ok(file) => Ok(Arc::new(file)),
            Err(error) => Err(StartError::Config(format!("country_file cannot be used: {error}"))),
        },
        None => Ok(Arc::new(NoPlaces)),
    }
}

/// What the TLS listener shows; `None` without one.
pub(super) fn open_tls(config: &Config) -> Result<Option<Arc<TlsConfig>>, StartError> {
    if config.listen_tls.is_none() {
        return Ok(None);
    }
    if config.tls.certificates.is_empty() {
        return Err(StartError::Config(
            "--listen-tls needs a certificate: give --tls-cert and --tls-key".to_owned(),
        ));
    }
    TlsConfig::load(&config.tls.certificates, config.tls.http2)
        .map(Some)
        .map_err(|error| StartError::Config(error.to_string()))
}

//! Countries from a MaxMind file (`.mmdb`, format 2.0): GeoLite2-Country or any other with `country.iso_code`.
//!
//! The file is read into memory at start; a follow only looks into memory.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use maxminddb::Reader;

use crate::domain::outside::Countries;

/// A country file in memory.
pub struct CountryFile(Reader<Vec<u8>>);

/// Why a country file cannot be used.
#[derive(Debug)]
pub struct CountryFileError(String);

impl fmt::Display for CountryFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CountryFileError {}

impl CountryFile {
    /// Reads `path`.
    ///
    /// # Errors
    /// When it cannot be read or is no MaxMind file.
    pub fn open(path: &Path) -> Result<Self, CountryFileError> {
        Reader::open_readfile(path)
            .map(Self)
            .map_err(|error| CountryFileError(format!("{}: {error}", path.display())))
    }
}

impl Countries for CountryFile {
    fn country(&self, address: IpAddr) -> Option<[u8; 2]> {
        let found = self.0.lookup(address.to_canonical()).ok()?;
        let country: maxminddb::geoip2::Country<'_> = found.decode().ok()??;
        let code: [u8; 2] = country.country.iso_code?.as_bytes().try_into().ok()?;
        Some(code.map(|letter| letter.to_ascii_uppercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
    }

    /// The file holds documentation networks only (RFC 5737, RFC 3849).
    #[test]
    fn addresses_have_the_country_of_their_network() {
        let file = CountryFile::open(&fixture("maxmind/countries.mmdb")).expect("a country file");
        for (address, country) in [
            ("192.0.2.7", Some(*b"DE")),
            ("::ffff:192.0.2.7", Some(*b"DE")),
            ("198.51.100.1", Some(*b"US")),
            ("198.51.100.200", None),
            ("203.0.113.1", None),
            ("2001:db8::1", Some(*b"FR")),
            ("2001:db9::1", None),
        ] {
            assert_eq!(file.country(address.parse().expect("an address")), country, "{address}");
        }
    }

    #[test]
    fn what_is_no_country_file_is_refused_by_name() {
        for name in ["config/good/all.toml", "maxmind/none.mmdb"] {
            let Err(error) = CountryFile::open(&fixture(name)) else {
                panic!("{name} was taken")
            };
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

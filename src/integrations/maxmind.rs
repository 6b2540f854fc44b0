//! Where addresses are, from a MaxMind file (`.mmdb`, format 2.0): GeoLite2-Country, GeoLite2-City or any other with their
//! fields `country.iso_code`, `subdivisions[0].iso_code` and `city.names.en`.
//!
//! The file is read into memory at start; a follow only looks into memory, decodes these three fields and skips the others
//! (coordinates, postal codes, names in other languages), which are finer than what may be known of a follower.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use maxminddb::Reader;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use crate::domain::click::cut;
use crate::domain::locality::{CITY_MAX, is_region};
use crate::domain::outside::{Place, Places};

/// A country or city file in memory.
pub struct PlaceFile(Reader<Vec<u8>>);

/// Why a file cannot be used.
#[derive(Debug)]
pub struct PlaceFileError(String);

impl fmt::Display for PlaceFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PlaceFileError {}

impl PlaceFile {
    /// Reads `path`.
    ///
    /// # Errors
    /// When it cannot be read or is no MaxMind file.
    pub fn open(path: &Path) -> Result<Self, PlaceFileError> {
        Reader::open_readfile(path)
            .map(Self)
            .map_err(|error| PlaceFileError(format!("{}: {error}", path.display())))
    }
}

/// What is read of a record; everything borrows from the file.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Record<'a> {
    #[serde(borrow)]
    country: Coded<'a>,
    #[serde(borrow)]
    subdivisions: First<'a>,
    #[serde(borrow)]
    city: Named<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Coded<'a> {
    iso_code: &'a str,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Named<'a> {
    #[serde(borrow)]
    names: Names<'a>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Names<'a> {
    en: &'a str,
}

/// The first of a list, the largest of subdivisions that lie in one another; the others are skipped.
#[derive(Default)]
struct First<'a>(Coded<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for First<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = First<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of subdivisions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let first = list.next_element::<Coded<'de>>()?.unwrap_or_default();
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

impl Places for PlaceFile {
    fn find(&self, address: IpAddr) -> Place<'_> {
        let found = self.0.lookup(address.to_canonical()).ok();
        let record = found.and_then(|found| found.decode::<Record<'_>>().ok().flatten());
        let Some(record) = record else {
            return Place::default();
        };
        let code = <[u8; 2]>::try_from(record.country.iso_code.as_bytes()).ok();
        let region = record.subdivisions.0.iso_code;
        Place {
            country: code.map(|code| code.map(|letter| letter.to_ascii_uppercase())),
            region: if is_region(region) { region } else { "" },
            city: cut(record.city.names.en, CITY_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
    }

    fn open(name: &str) -> PlaceFile {
        PlaceFile::open(&fixture(name)).expect("a file of places")
    }

    fn place<'a>(country: &[u8], region: &'a str, city: &'a str) -> Place<'a> {
        Place {
            country: country.try_into().ok(),
            region,
            city,
        }
    }

    /// The file holds documentation networks only (RFC 5737, RFC 3849).
    #[test]
    fn addresses_have_the_country_of_their_network() {
        let file = open("maxmind/countries.mmdb");
        for (address, country) in [
            ("192.0.2.7", &b"DE"[..]),
            ("::ffff:192.0.2.7", b"DE"),
            ("198.51.100.1", b"US"),
            ("198.51.100.200", b""),
            ("203.0.113.1", b""),
            ("2001:db8::1", b"FR"),
            ("2001:db9::1", b""),
        ] {
            let found = file.find(address.parse().expect("an address"));
            assert_eq!(found, place(country, "", ""), "{address}");
        }
    }

    #[test]
    fn a_city_file_tells_regions_and_cities_as_far_as_it_knows() {
        let file = open("maxmind/cities.mmdb");
        for (address, country, region, city) in [
            ("192.0.2.7", &b"DE"[..], "BE", "Berlin"),
            ("::ffff:192.0.2.7", b"DE", "BE", "Berlin"),
            ("192.0.2.70", b"DE", "BY", ""),
            ("192.0.2.140", b"DE", "", ""),
            ("192.0.2.200", b"GB", "ENG", "London"),
            ("198.51.100.1", b"US", "CA", "San Francisco"),
            ("198.51.100.70", b"US", "OR", "Portland"),
            ("198.51.100.140", b"US", "ME", "Portland"),
            ("198.51.100.200", b"SG", "", "Singapore"),
            ("203.0.113.1", b"", "", ""),
            ("203.0.113.200", b"", "", ""),
            ("2001:db8::1", b"FR", "IDF", "Saint-Rémy-lès-Chevreuse"),
            ("2001:db9::1", b"", "", ""),
        ] {
            let found = file.find(address.parse().expect("an address"));
            assert_eq!(found, place(country, region, city), "{address}");
        }
        let long = file.find("2001:db8:1::1".parse().expect("an address"));
        assert_eq!(
            (long.region, long.city.len()),
            ("", CITY_MAX),
            "cut, and no region that long"
        );
    }

    #[test]
    fn what_is_no_country_file_is_refused_by_name() {
        for name in ["config/good/all.toml", "maxmind/none.mmdb"] {
            let Err(error) = PlaceFile::open(&fixture(name)) else {
                panic!("{name} was taken")
            };
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

//! Where in its country a click came from, as one short text: `US-CA/San Francisco`, `US-CA`, `DE/Berlin`; empty when
//! no more than the country is known.
//!
//! Before the first `/` stands the country, and the region's code after a hyphen when it is known (together a code of
//! ISO 3166-2, as the dialect writes regions); behind it the city's name as the geolocation file has it. One text, so
//! that region and city are told by slices of it and no click carries two. Never holds anything finer than a city.

/// Longest region code, in bytes: ISO 3166-2 has at most three characters after the country's.
pub const REGION_MAX: usize = 3;
/// Longest name of a city that is kept, in bytes: longer than any place's official name but a handful.
pub const CITY_MAX: usize = 96;
/// Longest locality: country, hyphen, region, slash and city.
pub const LOCALITY_MAX: usize = 2 + 1 + REGION_MAX + 1 + CITY_MAX;

/// The locality of `region` and `city` in `country`, each empty when it is not known. Empty without a country: a city
/// of an unknown country could be any of several.
pub fn of(country: [u8; 2], region: &str, city: &str) -> String {
    let region = if is_region(region) { region } else { "" };
    let city = super::click::cut(city, CITY_MAX);
    if country == [0; 2] || (region.is_empty() && city.is_empty()) {
        return String::new();
    }
    let Ok(code) = std::str::from_utf8(&country) else {
        return String::new();
    };
    let mut text = String::with_capacity(2 + 1 + region.len() + 1 + city.len());
    text.push_str(code);
    for (mark, part) in [('-', region), ('/', city)] {
        if !part.is_empty() {
            text.push(mark);
            text.push_str(part);
        }
    }
    text
}

/// Whether `code` can be a region's after its country: 1 to [`REGION_MAX`] letters and digits.
pub fn is_region(code: &str) -> bool {
    (1..=REGION_MAX).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether `locality` is empty or one of `country`, within its bound.
pub fn is_of(locality: &str, country: [u8; 2]) -> bool {
    locality.is_empty() || (locality.len() <= LOCALITY_MAX && locality.as_bytes().starts_with(&country))
}

/// Country and region, such as `US-CA`; the country alone when the region is not known.
pub fn area(locality: &str) -> &str {
    locality.split('/').next().unwrap_or(locality)
}

/// The code of the country; empty when it is not known.
pub fn country(locality: &str) -> &str {
    locality.get(..2).unwrap_or_default()
}

/// The region with its country, such as `US-CA`; empty when it is not known.
pub fn region(locality: &str) -> &str {
    let area = area(locality);
    if area.len() > 2 { area } else { "" }
}

/// The name of the city; empty when it is not known.
pub fn city(locality: &str) -> &str {
    locality.split_once('/').map_or("", |(_, city)| city)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn localities_hold_what_is_known() {
        for (country_code, region_code, city_name, text) in [
            (*b"US", "CA", "San Francisco", "US-CA/San Francisco"),
            (*b"GB", "ENG", "", "GB-ENG"),
            (*b"SG", "", "Singapore", "SG/Singapore"),
            (*b"DE", "", "", ""),
            ([0; 2], "CA", "San Francisco", ""),
            (*b"US", "C/A", "San Francisco", "US/San Francisco"),
            (*b"US", "CALI", "", ""),
            (*b"KR", "11", "Jung-gu/Seoul", "KR-11/Jung-gu/Seoul"),
        ] {
            assert_eq!(&*of(country_code, region_code, city_name), text);
        }
        let long = "Å".repeat(CITY_MAX);
        assert_eq!(city(&of(*b"SE", "AB", &long)).len(), CITY_MAX);
    }

    proptest! {
        #[test]
        fn parts_come_out_as_they_went_in(code in "[A-Z]{2}", region_code in "[A-Z0-9]{0,3}", name in "\\PC{0,20}") {
            let bytes = [code.as_bytes()[0], code.as_bytes()[1]];
            let text = of(bytes, &region_code, &name);
            prop_assert!(is_of(&text, bytes));
            if text.is_empty() {
                prop_assert!(region_code.is_empty() && name.is_empty());
            } else {
                let area_code = if region_code.is_empty() { String::new() } else { format!("{code}-{region_code}") };
                prop_assert_eq!(country(&text), code);
                prop_assert_eq!(region(&text), area_code);
                prop_assert_eq!(city(&text), name);
            }
        }

        #[test]
        fn any_text_has_parts(text: String) {
            prop_assert!(area(&text).len() + city(&text).len() <= text.len());
            prop_assert!(region(&text).len() <= text.len() && country(&text).len() <= 2);
        }
    }
}

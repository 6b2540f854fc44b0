//! Which continent a country lies on, by its code, as analytics group it. Pure table; borders are nobody's business here.

/// The codes of the dialect's continents, each with its countries (ISO 3166-1 alpha-2). A country that lies on two is
/// where geolocation files put it: Russia in Europe, Turkey and Egypt where their capitals are.
const CONTINENTS: [(&str, &str); 7] = [
    (
        "AF",
        "AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW KE KM LR LS LY MA MG ML MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TG TN TZ UG YT ZA ZM ZW",
    ),
    ("AN", "AQ BV GS HM TF"),
    (
        "AS",
        "AE AF AM AZ BD BH BN BT CC CN CX CY GE HK ID IL IN IO IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TM TR TW UZ VN YE",
    ),
    (
        "EU",
        "AD AL AT AX BA BE BG BY CH CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK",
    ),
    (
        "NA",
        "AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX NI PA PM PR SV SX TC TT US VC VG VI",
    ),
    (
        "OC",
        "AS AU CK FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TL TO TV UM VU WF WS",
    ),
    ("SA", "AR BO BR CL CO EC FK GF GY PE PY SR UY VE"),
];

/// The continent of `country`, an upper-case code; `None` when the code is not known.
pub fn of_country(country: &str) -> Option<&'static str> {
    CONTINENTS
        .iter()
        .find(|(_, countries)| countries.split(' ').any(|known| known == country))
        .map(|(continent, _)| *continent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_country_is_on_one_continent() {
        let codes: Vec<&str> = CONTINENTS.iter().flat_map(|(_, codes)| codes.split(' ')).collect();
        let distinct: HashSet<&str> = codes.iter().copied().collect();
        assert_eq!(codes.len(), distinct.len());
        // ISO 3166-1 has 249 codes; Kosovo's is in use without it.
        assert_eq!(codes.len(), 250);
        assert!(
            codes
                .iter()
                .all(|code| code.len() == 2 && *code == code.to_ascii_uppercase())
        );
    }

    #[test]
    fn countries_are_found() {
        for (country, continent) in [
            ("DE", Some("EU")),
            ("US", Some("NA")),
            ("BR", Some("SA")),
            ("NP", Some("AS")),
            ("ZA", Some("AF")),
            ("NZ", Some("OC")),
            ("AQ", Some("AN")),
            ("ZZ", None),
            ("", None),
            ("de", None),
        ] {
            assert_eq!(of_country(country), continent, "{country}");
        }
    }
}

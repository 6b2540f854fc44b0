//! What an API key may do: scopes in the dialect's words, and which of them a call needs.

/// Everything.
const ALL: &str = "apis.all";
/// Every read.
const READ_ALL: &str = "apis.read";
/// Most scopes of one key: each noun's two, and these.
pub const SCOPES_MAX: usize = 2 * NOUNS.len() + 2;

/// What scopes are about. `links` as in `links.read` and `links.write`.
pub const NOUNS: [&str; 12] = [
    "links",
    "tags",
    "folders",
    "domains",
    "analytics",
    "conversions",
    "customers",
    "partners",
    "stores",
    "orders",
    "webhooks",
    "workspaces",
];

/// Where the API's first path segments belong.
const SEGMENTS: &[(&str, &str)] = &[
    ("links", "links"),
    ("qr", "links"),
    ("tags", "tags"),
    ("utm-templates", "links"),
    ("folders", "folders"),
    ("domains", "domains"),
    ("analytics", "analytics"),
    ("events", "analytics"),
    ("reports", "analytics"),
    ("track", "conversions"),
    ("customers", "customers"),
    ("waitlist", "customers"),
    ("erasures", "customers"),
    ("visitors", "customers"),
    ("partners", "partners"),
    ("program", "partners"),
    ("campaigns", "partners"),
    ("discount-codes", "partners"),
    ("spend", "partners"),
    ("rates", "partners"),
    ("stores", "stores"),
    ("products", "stores"),
    ("orders", "orders"),
    ("webhooks", "webhooks"),
    ("settings", "workspaces"),
    ("workspaces", "workspaces"),
    ("keys", "workspaces"),
    ("audit-log", "workspaces"),
    ("backups", "workspaces"),
];

/// The noun of the paths that begin with `segment`; `None` = nobody has said, so that only a key for everything opens
/// it.
pub fn noun_of(segment: &str) -> Option<&'static str> {
    let found = SEGMENTS.iter().find(|(name, _)| *name == segment);
    found.map(|(_, noun)| *noun)
}

/// Whether `scope` is one of ours.
pub fn is_known(scope: &str) -> bool {
    let is_of_noun = |(noun, verb): (&str, &str)| NOUNS.contains(&noun) && matches!(verb, "read" | "write");
    scope == ALL || scope == READ_ALL || scope.split_once('.').is_some_and(is_of_noun)
}

/// Whether one of `scopes` allows a call of the paths that begin with `segment`; writing includes reading. Else the
/// scope that would.
///
/// # Errors
/// The scope that is lacking.
pub fn check(scopes: &[String], segment: &str, is_read: bool) -> Result<(), String> {
    let has = |scope: &str| scopes.iter().any(|own| own == scope);
    if has(ALL) || (is_read && has(READ_ALL)) {
        return Ok(());
    }
    let Some(noun) = noun_of(segment) else {
        return Err(ALL.to_owned());
    };
    let (read, write) = (format!("{noun}.read"), format!("{noun}.write"));
    match is_read {
        _ if has(&write) => Ok(()),
        true if has(&read) => Ok(()),
        true => Err(read),
        false => Err(write),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_open_what_they_say() {
        for (scopes, segment, is_read, lacking) in [
            (&["links.read"][..], "links", true, None),
            (&["links.read"], "qr", true, None),
            (&["links.read"], "links", false, Some("links.write")),
            (&["links.write"], "links", true, None),
            (&["links.write"], "tags", true, Some("tags.read")),
            (&["tags.read", "links.write"], "tags", true, None),
            (&["apis.read"], "orders", true, None),
            (&["apis.read"], "orders", false, Some("orders.write")),
            (&["apis.all"], "keys", false, None),
            (&["apis.read"], "new", true, None),
            (&["workspaces.write"], "new", true, Some("apis.all")),
            (&[], "links", true, Some("links.read")),
        ] {
            let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            let found = check(&scopes, segment, is_read);
            assert_eq!(found.err().as_deref(), lacking, "{scopes:?} {segment}");
        }
    }

    #[test]
    fn words_are_checked() {
        for (scope, is_good) in [
            ("links.read", true),
            ("apis.all", true),
            ("links", false),
            ("links.delete", false),
            ("apis.write", false),
            ("", false),
        ] {
            assert_eq!(is_known(scope), is_good, "{scope}");
        }
        assert!(SEGMENTS.iter().all(|(_, noun)| NOUNS.contains(noun)));
    }
}

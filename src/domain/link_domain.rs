//! Link domains: the hosts whose paths are slugs. (Named so because "domain" alone is this room.)

use super::consent::ConsentMode;
use super::id::{DomainNo, StoreNo, WorkspaceNo};
use super::time::Timestamp;

/// Hosts that `redir_url` may lead to. 50: a brand's shops by country; each is compared when a follower names one.
pub const REDIR_HOSTS_MAX: usize = 50;

/// A link domain as the books keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkDomain {
    pub no: DomainNo,
    /// Public id, `dom_` and a ULID; `dom_default` for the server's own.
    pub id: String,
    /// Whose it is; `None` = the server's default domain, which all workspaces share.
    pub workspace: Option<WorkspaceNo>,
    /// Host name; empty for the default domain, which answers for every host that nobody registered.
    pub slug: String,
    /// Whether links of the workspace go here when they name no domain.
    pub is_primary: bool,
    pub is_archived: bool,
    /// Whether custom slugs differ by letter case.
    pub is_case_sensitive: bool,
    pub consent: ConsentMode,
    /// Whether the brand has a legal basis for click ids of opted-out followers.
    pub has_legal_basis: bool,
    /// Parent domain that the attribution cookie is set for; `None` = this host alone.
    pub cookie_domain: Option<String>,
    /// The store whose carts this host takes at `/buy` and `/checkout`.
    pub store: Option<StoreNo>,
    /// Where followers go who meet no link, and whose link has ended and has no such place of its own; serialised URLs.
    pub not_found_url: Option<String>,
    pub expired_url: Option<String>,
    /// Hosts, with what lies below them, to which a follower's `redir_url` may lead. None: it leads nowhere.
    pub redir_hosts: Vec<String>,
    /// What a TXT record must say, so that the brand is known to own the domain; drawn at random.
    pub proof: String,
    /// When it did; `None` = nobody has shown it yet.
    pub verified_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl LinkDomain {
    /// Name of the TXT record that shows whose the domain is: below it, for a domain that is an alias has no records of
    /// its own (RFC 1034 section 3.6.2), and with an underscore, so that it is no host (RFC 8552).
    pub fn proof_name(&self) -> String {
        format!("_hopcart.{}", self.slug)
    }

    /// The text of that record.
    pub fn proof_text(&self) -> String {
        format!("hopcart-verification={}", self.proof)
    }
}

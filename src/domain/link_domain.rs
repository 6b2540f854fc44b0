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
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

//! What this room's tests begin with: books in a temporary directory, and rows with plain values.

use tempfile::TempDir;

use super::{Books, Error, Options, Tx, link, store, workspace};
use crate::domain::attribution::Credit;
use crate::domain::campaign::{Campaign, CampaignTerms};
use crate::domain::consent::ConsentMode;
use crate::domain::creator::{Creator, CreatorTerms};
use crate::domain::id::{CampaignNo, CreatorNo, DomainNo, StoreNo, WorkspaceNo};
use crate::domain::link::LinkTerms;
use crate::domain::link_domain::LinkDomain;
use crate::domain::order::{Ages, Order, OrderSnapshot};
use crate::domain::store::{Permalink, Provider, Store, StoreLook};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{CLICKS_PER_EVENT, Health, Trigger, Webhook};

/// Empty books; the directory must outlive them.
pub fn open() -> (TempDir, Books) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let books = Books::open(Options::at(directory.path().join("books.sqlite"))).expect("new books");
    (directory, books)
}

/// Runs `test` in one transaction of empty books.
pub fn in_tx(test: impl FnOnce(&Tx<'_>) -> Result<(), Error> + Send + 'static) {
    let (_directory, books) = open();
    books.commit_blocking(test).expect("the test's transaction");
}

/// A workspace called `name`.
pub fn workspace(tx: &Tx<'_>, name: &str) -> Result<WorkspaceNo, Error> {
    workspace::insert(tx, &format!("ws_{name}"), name, Timestamp(1))
}

/// A domain that was not inserted yet.
pub fn domain(slug: &str, workspace: WorkspaceNo) -> LinkDomain {
    LinkDomain {
        no: DomainNo::default(),
        id: format!("dom_{slug}_{}", workspace.0),
        workspace: Some(workspace),
        slug: slug.to_owned(),
        is_primary: false,
        is_archived: false,
        is_case_sensitive: false,
        consent: ConsentMode::Gpc,
        has_legal_basis: false,
        cookie_domain: None,
        store: None,
        not_found_url: None,
        expired_url: None,
        redir_hosts: Vec::new(),
        proof: String::new(),
        verified_at: None,
        created_at: Timestamp(1),
        updated_at: Timestamp(1),
    }
}

/// A folded link on the default domain.
pub fn link(slug: &str, workspace: WorkspaceNo) -> link::NewLink {
    link::NewLink {
        id: format!("link_{slug}_{}", workspace.0),
        workspace,
        domain: DomainNo::DEFAULT,
        slug: slug.to_owned(),
        is_exact: false,
        terms: LinkTerms {
            destination: "https://shop.test/".to_owned(),
            ..LinkTerms::default()
        },
        created_at: Timestamp(1),
    }
}

/// A webhook that is told of everything and was not inserted yet.
pub fn webhook(id: &str, workspace: WorkspaceNo) -> Webhook {
    Webhook {
        no: 0,
        id: format!("wh_{id}"),
        workspace,
        name: "Till".to_owned(),
        url: "https://till.test/hooks".to_owned(),
        triggers: Trigger::ALL.into_iter().collect(),
        is_narrow: false,
        clicks_per_event: CLICKS_PER_EVENT,
        secret: "whsec_AAAA".to_owned(),
        old_secret: None,
        created_at: Timestamp(1),
        updated_at: Timestamp(1),
        disabled: None,
        health: Health::default(),
    }
}

/// A creator that was not inserted yet.
pub fn creator(name: &str, workspace: WorkspaceNo) -> Creator {
    Creator {
        no: CreatorNo::default(),
        id: format!("pn_{name}_{}", workspace.0),
        workspace,
        terms: CreatorTerms {
            name: name.to_owned(),
            ..CreatorTerms::default()
        },
        created_at: Timestamp(1),
        departure: None,
    }
}

/// A campaign that was not inserted yet.
pub fn campaign(name: &str, workspace: WorkspaceNo) -> Campaign {
    Campaign {
        no: CampaignNo::default(),
        id: format!("cmp_{name}_{}", workspace.0),
        workspace,
        terms: CampaignTerms {
            name: name.to_owned(),
            ..CampaignTerms::default()
        },
        created_at: Timestamp(1),
        updated_at: Timestamp(1),
    }
}

/// A store called `name` that sells in EUR.
pub fn store(tx: &Tx<'_>, name: &str, workspace: WorkspaceNo) -> Result<StoreNo, Error> {
    let store = Store {
        no: StoreNo::default(),
        id: format!("store_{name}"),
        workspace,
        name: name.to_owned(),
        provider: Provider::Shopify,
        base_url: "https://shop.test".to_owned(),
        currency: "EUR".to_owned(),
        permalink: Permalink::default(),
        look: StoreLook::default(),
        ucp_endpoint: None,
        returns_click_ids: false,
        created_at: Timestamp(1),
    };
    Ok(store::insert(tx, store, &["secret".to_owned()])?.no)
}

/// A paid order of 10.00 EUR that nobody is credited with.
pub fn order(external_id: &str, workspace: WorkspaceNo, store: StoreNo) -> Order {
    Order {
        workspace,
        store,
        snapshot: OrderSnapshot {
            external_id: external_id.to_owned(),
            name: format!("#{external_id}"),
            ordered_at: Timestamp(100),
            updated_at: Timestamp(100),
            currency: "EUR".to_owned(),
            revenue: 1000,
            discounts: 0,
            is_test: false,
            is_paid: true,
            cancelled_at: None,
            customer: None,
            buyer: None,
            codes: vec![],
            click_id: None,
            lines: vec![],
        },
        ages: Ages {
            customer: Timestamp(100),
            buyer: Timestamp(100),
            codes: Timestamp(100),
            click_id: Timestamp(100),
        },
        quarantine: None,
        credit: Credit::default(),
        program: None,
        ruling: None,
    }
}

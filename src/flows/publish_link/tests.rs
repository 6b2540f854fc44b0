//! What a link was made as never takes the place of what it was changed to, however late whoever made it publishes it.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::mpsc;
use std::task::Poll;

use tokio::sync::oneshot;

use super::*;
use crate::books::Books;
use crate::domain::consent::ConsentMode;
use crate::domain::creator::CreatorTerms;
use crate::domain::destination::Policy;
use crate::domain::id::StoreNo;

use crate::domain::outside::{FixedClock, SeededEntropy};
use crate::domain::store::{Permalink, Provider, Store, StoreLook};
use crate::flows::context::PublicName;
use crate::flows::mint_links::{MintOrder, mint};
use crate::flows::plan_campaign::{CampaignChange, plan};
use crate::flows::publish_domain::DomainChange;
use crate::flows::upsert_link::upsert;
use crate::flows::{enlist_creator, open_inbound, publish_domain};
use crate::redirect::Table;

const NOW: Timestamp = Timestamp(1_795_000_000_000);
const MADE: &str = "https://shop.example/made";
const CHANGED: &str = "https://shop.example/changed";

/// A server without its sockets.
struct Ground {
    _home: tempfile::TempDir,
    context: Context,
    workspace: WorkspaceNo,
}

impl Ground {
    async fn new() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let books = Books::open(books::Options::at(home.path().join("books.sqlite"))).expect("books");
        let default = books
            .read_blocking(|view| books::link_domain::by_no(view, DomainNo::DEFAULT))
            .expect("read")
            .expect("the default domain");
        let (reader, writer) = Table::new(&default);
        let url = url::Url::parse("https://go.brand.example").expect("a URL");
        let context = Context::new(
            books,
            writer,
            reader,
            Arc::new(FixedClock::at(NOW)),
            Arc::new(SeededEntropy::new(7)),
            Policy {
                private_allowed: true,
                allowed_hosts: Vec::new(),
            },
            PublicName::of_url(&url, &[]).expect("a name"),
        );
        let made = context
            .books()
            .commit(|tx| Ok::<_, Error>(books::workspace::insert(tx, "ws_1", "Brand", NOW)?))
            .await;
        Self {
            _home: home,
            context,
            workspace: made.expect("a workspace"),
        }
    }

    /// A domain that takes carts for a store.
    async fn domain_with_carts(&self) -> DomainNo {
        let store = Store {
            no: StoreNo(0),
            id: "store_1".into(),
            workspace: self.workspace,
            name: "Shop".into(),
            provider: Provider::Shopify,
            base_url: "https://shop.example".into(),
            currency: "EUR".into(),
            permalink: Permalink::default(),
            look: StoreLook::default(),
            ucp_endpoint: None,
            returns_click_ids: false,
            created_at: NOW,
        };
        let added = self
            .context
            .books()
            .commit(move |tx| Ok::<_, Error>(books::store::insert(tx, store, &[])?));
        added.await.expect("a store");
        let change = DomainChange {
            slug: Some("buy.brand.example".into()),
            store: Some(Some("store_1".into())),
            ..DomainChange::default()
        };
        let made = publish_domain::create(&self.context, self.workspace, change, ConsentMode::Gpc);
        made.await.expect("a domain").no
    }

    /// Changes the link `slug` once `making` has it in the books and before `making` can publish it, then lets both end:
    /// where followers are led.
    async fn changed_before_it_is_published<T>(
        &self,
        domain: DomainNo,
        slug: &'static str,
        making: impl Future<Output = Result<T, Error>>,
    ) -> String {
        let mut making = pin!(making);
        let release = self.hold_writer().await;
        self.until_queued(making.as_mut()).await;
        release.send(()).expect("it waits");
        self.until_written().await;
        let read = self
            .context
            .books()
            .read(move |view| books::link::by_slug(view, domain, slug).map_err(Error::from));
        let id = read.await.expect("read").expect("it is in the books").id;
        let change = LinkChange {
            destination: Some(CHANGED.into()),
            ..LinkChange::default()
        };
        let mut changing = pin!(update(&self.context, self.workspace, &id, change));
        // Goes on as far as it can without whoever made the link.
        let mut changed = None;
        for _ in 0..3 {
            if changed.is_none()
                && let Poll::Ready(done) = step(changing.as_mut()).await
            {
                changed = Some(done);
            }
            self.until_written().await;
        }
        assert!(making.await.is_ok());
        let changed = match changed {
            Some(done) => done,
            None => changing.await,
        };
        assert!(changed.is_ok());
        let found = self.context.table().link(domain, slug).expect("it can be followed");
        found.own.destination.clone()
    }

    /// Keeps the writer busy until the returned end is told.
    async fn hold_writer(&self) -> mpsc::Sender<()> {
        let (release, held) = mpsc::channel();
        let (begin, began) = oneshot::channel();
        let books = self.context.books().clone();
        tokio::spawn(async move {
            let work = move |_: &Tx<'_>| {
                begin.send(()).expect("somebody waits");
                held.recv().expect("released");
                Ok::<_, Error>(())
            };
            books.commit(work).await.expect("nothing to write");
        });
        began.await.expect("the writer works");
        release
    }

    /// Drives `making` until it has queued what it writes.
    async fn until_queued<F: Future>(&self, mut making: Pin<&mut F>) {
        let queued = std::future::poll_fn(|cx| {
            assert!(making.as_mut().poll(cx).is_pending(), "it has to wait for the writer");
            if self.context.books().stats().queued > 0 {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        queued.await;
    }

    /// Waits until all that was queued is written.
    async fn until_written(&self) {
        let written = self.context.books().commit(|_| Ok::<_, Error>(()));
        written.await.expect("nothing to write");
    }
}

/// One step of `future`.
async fn step<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

fn link(slug: &str) -> LinkChange {
    LinkChange {
        destination: Some(MADE.into()),
        slug: Some(slug.into()),
        ..LinkChange::default()
    }
}

#[tokio::test]
async fn a_link_that_is_changed_at_once_stays_changed() {
    let ground = Ground::new().await;
    let making = create(&ground.context, ground.workspace, link("made"));
    let led_to = ground.changed_before_it_is_published(DomainNo::DEFAULT, "made", making);
    assert_eq!(led_to.await, CHANGED);
    let making = upsert(&ground.context, ground.workspace, link("kept"));
    let led_to = ground.changed_before_it_is_published(DomainNo::DEFAULT, "kept", making);
    assert_eq!(led_to.await, CHANGED);
}

#[tokio::test]
async fn a_minted_link_that_is_changed_at_once_stays_changed() {
    let ground = Ground::new().await;
    let terms = CreatorTerms {
        name: "Mia".into(),
        username: Some("mia".into()),
        ..CreatorTerms::default()
    };
    let enlisted = enlist_creator::enlist(&ground.context, ground.workspace, terms);
    let creator = enlisted.await.expect("a creator");
    let change = CampaignChange {
        name: Some("Spring".into()),
        ..CampaignChange::default()
    };
    let planned = plan(&ground.context, ground.workspace, change);
    let order = MintOrder {
        campaign_id: planned.await.expect("a campaign").id,
        creator_ids: vec![creator.id],
        slug_pattern: "{username}-minted".into(),
        code_pattern: None,
        template: LinkChange { slug: None, ..link("") },
    };
    let making = mint(&ground.context, ground.workspace, order);
    let led_to = ground.changed_before_it_is_published(DomainNo::DEFAULT, "mia-minted", making);
    assert_eq!(led_to.await, CHANGED);
}

#[tokio::test]
async fn the_link_of_inbound_carts_that_is_changed_at_once_stays_changed() {
    let ground = Ground::new().await;
    let domain = ground.domain_with_carts().await;
    let making = open_inbound::open(&ground.context, domain, None);
    let led_to = ground.changed_before_it_is_published(domain, "~carts", making);
    assert_eq!(led_to.await, CHANGED);
}

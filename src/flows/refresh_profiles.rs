//! Stores' UCP profiles are looked at, in the background or when a brand asks: never on a follower's request.
//!
//! A good look sets the endpoint that carts are written on; a failed one keeps what was known and says what is wrong.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::context::Context;
use super::error::Error;
use crate::books;
use crate::domain::id::WorkspaceNo;
use crate::domain::outside::Fetch;
use crate::domain::store::Store;
use crate::domain::ucp_profile::{Look, UcpProfile};
use crate::integrations::ucp::profile;

/// Looks that are under way at once, those that brands ask for included: each may hold a socket for 5 s.
pub const LOOKS_AT_ONCE_MAX: usize = 4;
/// Stores of one pass: the longest one, in which nobody answers, takes 64 / 4 times 5 s.
const PASS_MAX: u32 = 64;
/// Longest problem that is kept, in characters: a name look-up may say much.
const PROBLEM_MAX: usize = 300;

/// Looks at every profile that is due, at most [`PASS_MAX`] of them. Returns how many were looked at.
///
/// # Errors
/// When the books cannot be read. A store whose look cannot be kept is logged and stays due.
pub async fn refresh_due(context: &Context, fetch: &Arc<dyn Fetch>) -> Result<usize, Error> {
    let now = context.inner.clock.now();
    let due = context
        .inner
        .books
        .read(move |view| books::store::with_due_profile(view, now, PASS_MAX).map_err(Error::from));
    let mut looks = JoinSet::new();
    for store in due.await? {
        let (context, fetch) = (context.clone(), Arc::clone(fetch));
        looks.spawn(async move {
            let looked = look(&context, &*fetch, &store).await;
            if let Err(error) = looked {
                tracing::warn!(store = store.id, %error, "a look at a UCP profile was not kept");
            }
        });
    }
    let count = looks.len();
    while let Some(looked) = looks.join_next().await {
        if let Err(error) = looked {
            tracing::error!(%error, "a look at a UCP profile panicked");
        }
    }
    Ok(count)
}

/// Looks at the profile of one store now. Returns what is known of it afterwards.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] when such a store has no profile.
pub async fn refresh(
    context: &Context,
    fetch: &dyn Fetch,
    workspace: WorkspaceNo,
    id: &str,
) -> Result<(Store, Option<UcpProfile>), Error> {
    let owned = id.to_owned();
    let find = move |view: &books::View<'_>| {
        books::store::by_id(view, workspace, &owned)?.ok_or(Error::NotFound { what: "store" })
    };
    let store = context.inner.books.read(find).await?;
    if !store.provider.has_ucp_profile() {
        return Err(Error::invalid(
            "provider",
            "has no UCP profile: only stores with provider shopify or ucp have one",
        ));
    }
    look(context, fetch, &store).await
}

async fn look(context: &Context, fetch: &dyn Fetch, store: &Store) -> Result<(Store, Option<UcpProfile>), Error> {
    let looked = {
        let permit = context.inner.looks.acquire().await;
        let _permit = permit.map_err(|_| Error::Unavailable)?;
        seek(context, fetch, store).await
    };
    keep(context, store, looked).await
}

/// What the shop says, after every rule; or what is wrong with it, in a line for the brand.
async fn seek(context: &Context, fetch: &dyn Fetch, store: &Store) -> Result<Look, String> {
    let address = profile::address(&store.base_url)
        .ok_or("the store's baseUrl must start with https:// for its profile to be read")?;
    let answer = fetch.get(&address).await?;
    let look = profile::read(&answer).map_err(|error| error.to_string())?;
    if let Some(endpoint) = &look.endpoint {
        context
            .allow_destination(endpoint)
            .map_err(|error| format!("the permalink endpoint {}", error.message()))?;
    }
    Ok(look)
}

/// Keeps what a look brought, unless the store has another base URL by now: then it was a look at another shop.
async fn keep(
    context: &Context,
    store: &Store,
    looked: Result<Look, String>,
) -> Result<(Store, Option<UcpProfile>), Error> {
    let _order = context.inner.locks.of(&store.id).await;
    let (now, random) = (context.inner.clock.now(), context.inner.entropy.number());
    let (no, base_url) = (store.no, store.base_url.clone());
    let kept = context.inner.books.commit(move |tx| {
        let present = books::store::by_no(tx, no)?.ok_or(Error::NotFound { what: "store" })?;
        let before = books::ucp_profile::of_store(tx, no)?;
        if present.base_url != base_url {
            return Ok((present, before, false));
        }
        let profile = match looked {
            Ok(look) => UcpProfile::found(no, look, now),
            Err(problem) => {
                let problem = problem.chars().take(PROBLEM_MAX).collect();
                UcpProfile::failed(no, before, problem, now, random)
            }
        };
        books::ucp_profile::put(tx, &profile)?;
        let is_moved = present.ucp_endpoint != profile.endpoint;
        let store = Store {
            ucp_endpoint: profile.endpoint.clone(),
            ..present
        };
        Ok::<_, Error>((store, Some(profile), is_moved))
    });
    let (store, profile, is_moved) = kept.await?;
    if is_moved {
        // Shelves change under the same lock: this one is the present one.
        let record = context.inner.reader.store(store.no);
        let shelf = record.map(|record| record.shelf.load_full()).unwrap_or_default();
        context.inner.table.put_store(&store, shelf);
    }
    Ok((store, profile))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::books::Books;
    use crate::domain::destination::Policy;
    use crate::domain::id::DomainNo;
    use crate::domain::outside::{Fetched, Fetching, FixedClock, SeededEntropy};
    use crate::domain::store::Provider;
    use crate::domain::time::Timestamp;
    use crate::flows::PublicName;
    use crate::flows::publish_store::{self, StoreChange};
    use crate::redirect::Table;

    const MINUTE: i64 = 60 * 1000;
    const PROFILE: &str = "https://shop.example/.well-known/ucp";

    /// Shops that answer by address, and count.
    #[derive(Default)]
    struct Shops {
        endpoints: Mutex<HashMap<String, String>>,
        asked: Mutex<Vec<String>>,
        under_way: AtomicUsize,
        most_under_way: AtomicUsize,
    }

    impl Fetch for Shops {
        fn get<'a>(&'a self, url: &'a str) -> Fetching<'a> {
            Box::pin(async move {
                let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
                self.most_under_way.fetch_max(under_way, Ordering::SeqCst);
                self.asked.lock().expect("no panic").push(url.to_owned());
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                self.under_way.fetch_sub(1, Ordering::SeqCst);
                let endpoints = self.endpoints.lock().expect("no panic");
                let endpoint = endpoints.get(url).ok_or("cannot connect")?;
                Ok(Fetched {
                    status: 200,
                    content_type: Some("application/json".into()),
                    cache_control: Some("max-age=600".into()),
                    body: format!(
                        r#"{{"ucp": {{"capabilities": {{"dev.ucp.shopping.permalink":
                            [{{"config": {{"endpoint": "{endpoint}"}}}}]}}}}}}"#
                    )
                    .into(),
                })
            })
        }
    }

    struct Ground {
        _home: tempfile::TempDir,
        clock: Arc<FixedClock>,
        context: Context,
        shops: Arc<Shops>,
        workspace: WorkspaceNo,
    }

    impl Ground {
        async fn new() -> Self {
            let home = tempfile::tempdir().expect("a directory");
            let books = Books::open(books::Options::at(home.path().join("books.sqlite"))).expect("new books");
            let clock = Arc::new(FixedClock::at(Timestamp(1_000_000)));
            let made = books.commit(|tx| {
                let workspace = books::workspace::insert(tx, "ws_1", "Brand", Timestamp(1))?;
                let default = books::link_domain::by_no(tx, DomainNo::DEFAULT)?;
                Ok::<_, books::Error>((workspace, default.expect("made by the schema")))
            });
            let (workspace, default) = made.await.expect("a workspace");
            let (reader, table) = Table::new(&default);
            let public = PublicName {
                scheme: "https".into(),
                authority: "go.example".into(),
                host: "go.example".into(),
                ports: vec![443],
            };
            let entropy = Arc::new(SeededEntropy::new(1));
            let context = Context::new(books, table, reader, clock.clone(), entropy, Policy::default(), public);
            Self {
                _home: home,
                clock,
                context,
                shops: Arc::default(),
                workspace,
            }
        }

        async fn store(&self, provider: Provider, base_url: &str) -> Store {
            let change = StoreChange {
                name: Some("Shop".into()),
                provider: Some(provider),
                base_url: Some(base_url.into()),
                currency: Some("EUR".into()),
                ..StoreChange::default()
            };
            let made = publish_store::create(&self.context, self.workspace, change).await;
            made.expect("a store")
        }

        fn name(&self, address: &str, endpoint: &str) {
            let mut endpoints = self.shops.endpoints.lock().expect("no panic");
            endpoints.insert(address.to_owned(), endpoint.to_owned());
        }

        /// How many shops were looked at.
        async fn pass(&self) -> usize {
            let fetch: Arc<dyn Fetch> = self.shops.clone();
            refresh_due(&self.context, &fetch).await.expect("a pass")
        }

        async fn profile(&self, store: &Store) -> UcpProfile {
            let no = store.no;
            let found = self
                .context
                .books()
                .read(move |view| books::ucp_profile::of_store(view, no));
            found.await.expect("books").expect("a profile")
        }

        fn endpoint(&self, store: &Store) -> Option<String> {
            let record = self.context.table().store(store.no)?;
            record.base.endpoint.as_deref().map(str::to_owned)
        }
    }

    #[tokio::test]
    async fn profiles_are_looked_at_when_they_are_due_and_not_before() {
        let ground = Ground::new().await;
        ground.name(PROFILE, "https://pay.example/buy");
        let store = ground.store(Provider::Ucp, "https://shop.example/").await;
        ground.store(Provider::WooCommerce, "https://woo.example/").await;
        // The loop is told before it waits.
        ground.context.profile_due().await;
        assert_eq!(ground.endpoint(&store).as_deref(), Some("https://shop.example"));
        assert_eq!((ground.pass().await, ground.pass().await), (1, 0));
        assert_eq!(ground.endpoint(&store).as_deref(), Some("https://pay.example/buy"));

        ground.clock.advance(10 * MINUTE - 1);
        assert_eq!(ground.pass().await, 0);
        ground.clock.advance(1);
        ground.shops.endpoints.lock().expect("no panic").clear();
        assert_eq!(ground.pass().await, 1);
        let failed = ground.profile(&store).await;
        assert_eq!(failed.problem.as_deref(), Some("cannot connect"));
        assert_eq!(ground.endpoint(&store).as_deref(), Some("https://pay.example/buy"));
        // A minute and up to a quarter of it, then twice that.
        ground.clock.advance(MINUTE - 1);
        assert_eq!(ground.pass().await, 0);
        ground.clock.advance(MINUTE / 4 + 1);
        assert_eq!(ground.pass().await, 1);
        ground.clock.advance(2 * MINUTE - 1);
        assert_eq!(ground.pass().await, 0);
        ground.clock.advance(MINUTE * 9 / 8 + 1);
        ground.name(PROFILE, "https://pay.example/v2");
        assert_eq!(ground.pass().await, 1);
        assert_eq!(ground.endpoint(&store).as_deref(), Some("https://pay.example/v2"));
        assert_eq!(ground.profile(&store).await.problem, None);
    }

    #[tokio::test]
    async fn many_shops_are_asked_a_few_at_a_time() {
        let ground = Ground::new().await;
        for number in 0..70 {
            ground
                .store(Provider::Shopify, &format!("https://s{number}.example/"))
                .await;
        }
        assert_eq!(
            (ground.pass().await, ground.pass().await, ground.pass().await),
            (64, 6, 0)
        );
        assert_eq!(ground.shops.most_under_way.load(Ordering::SeqCst), LOOKS_AT_ONCE_MAX);
        let mut asked = ground.shops.asked.lock().expect("no panic").clone();
        asked.sort();
        asked.dedup();
        assert_eq!(asked.len(), 70);
    }

    #[tokio::test]
    async fn the_destination_policy_has_the_last_word() {
        let ground = Ground::new().await;
        let store = ground.store(Provider::Ucp, "https://shop.example/buy").await;
        for (endpoint, problem) in [
            ("https://127.0.0.1/buy", "private or numeric host"),
            ("http://127.0.0.1/buy", "private or numeric host"),
            ("https://169.254.169.254/latest", "private or numeric host"),
            ("https://metadata.internal/buy", "private or numeric host"),
            ("https://go.example/buy", "link domain of this server"),
        ] {
            ground.name(PROFILE, endpoint);
            let looked = refresh(&ground.context, &*ground.shops, ground.workspace, &store.id).await;
            let (_, profile) = looked.expect("a look");
            let told = profile.and_then(|profile| profile.problem).unwrap_or_default();
            assert!(
                told.starts_with("the permalink endpoint ") && told.contains(problem),
                "{endpoint}: {told}"
            );
            assert_eq!(ground.endpoint(&store).as_deref(), Some("https://shop.example/buy"));
        }
    }

    #[tokio::test]
    async fn a_look_at_a_shop_that_the_store_has_left_is_dropped() {
        let ground = Ground::new().await;
        ground.name(PROFILE, "https://pay.example/buy");
        let before = ground.store(Provider::Ucp, "https://shop.example/buy").await;
        let change = StoreChange {
            base_url: Some("https://other.example/buy".into()),
            ..StoreChange::default()
        };
        let moved = publish_store::update(&ground.context, ground.workspace, &before.id, change).await;
        assert!(moved.is_ok());
        let late = look(&ground.context, &*ground.shops, &before).await.expect("a look");
        assert_eq!((late.0.base_url.as_str(), late.1), ("https://other.example/buy", None));
        assert_eq!(ground.endpoint(&before).as_deref(), Some("https://other.example/buy"));
    }
}

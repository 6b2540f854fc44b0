//! A link's public card, at its address with a `+` behind it: what the link is about and where it leads, before anybody
//! goes there. Read from the books on the background runtime, so that the hot path need not keep what only cards show.
//!
//! Shows nothing of a link that cannot be followed, or only with a password, or whose brand shows no cards.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, StatusCode};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::{interstitial, reply};
use crate::books;
use crate::domain::destination;
use crate::domain::id::DomainNo;
use crate::flows::{Context, Error};
use crate::redirect::{Card, Refusal};
use crate::web::pages::interstitial::public_card_page;
use crate::web::pages::{FollowerPage, Language};

/// Cards read at once; more are told to come back.
const AT_ONCE_MAX: usize = 32;

/// What public cards need; one for all workers.
#[derive(Clone)]
pub struct PublicCards {
    context: Context,
    runtime: Handle,
    places: Arc<Semaphore>,
}

/// What is shown of a link.
struct Shown {
    card: Card,
    host: String,
}

impl PublicCards {
    /// Works on `runtime`.
    pub fn new(context: Context, runtime: Handle) -> Self {
        Self {
            context,
            runtime,
            places: Arc::new(Semaphore::new(AT_ONCE_MAX)),
        }
    }

    /// The card of the link `slug` on `domain`, whose own address is `path`.
    pub(super) async fn show(
        &self,
        domain: DomainNo,
        slug: String,
        path: &str,
        language: Language,
    ) -> Response<Full<Bytes>> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return reply::refused(Refusal::Unavailable);
        };
        let context = self.context.clone();
        let work = self.runtime.spawn(async move {
            let _place = place;
            let now = context.clock().now();
            let read = context.books().read(move |view| {
                let link = books::link::by_slug(view, domain, &slug)?;
                let link = link.filter(|link| {
                    let terms = &link.terms;
                    terms.disabled_at.is_none()
                        && terms.expires_at.is_none_or(|end| end > now)
                        && terms.reception.password.is_none()
                });
                let Some(link) = link else { return Ok(None) };
                if books::settings::of(view, link.workspace)?.hides_cards {
                    return Ok(None);
                }
                Ok::<_, Error>(Some(Shown {
                    card: Card::of(&link.terms),
                    host: destination::host_of(&link.terms.destination).to_owned(),
                }))
            });
            read.await
        });
        match work.await {
            Ok(Ok(Some(shown))) => {
                let view = interstitial::seen(&shown.card);
                interstitial::page(StatusCode::OK, public_card_page(language, &view, &shown.host, path))
            }
            Ok(Ok(None)) => reply::page(FollowerPage::NotFound),
            Ok(Err(_)) | Err(_) => reply::refused(Refusal::Unavailable),
        }
    }
}

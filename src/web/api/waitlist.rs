//! `/waitlist`: who wants to know when a link's products are back, as pages, as a file for a mailing tool, and erased.

use std::pin::Pin;
use std::task::{Context as Waker, Poll};

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use serde_json::{Value, json};

use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller};
use crate::books::waitlist::{Listed, WaitlistFilter};
use crate::books::{self, Page, View};
use crate::domain::email;
use crate::domain::id::WorkspaceNo;
use crate::domain::spreadsheet::push_row;
use crate::flows::Error;
use crate::flows::join_waitlist::{self, Erased};
use crate::flows::publish_link;

/// Default page size, as in the dialect.
const PAGE_SIZE: u32 = 100;
/// Rows of an export that are read at once: half a megabyte as rows usually are, 7 MB at their longest.
const SLICE: u32 = 500;
/// Most rows of an export that asks for a part.
pub(super) const PART_MAX: u32 = 10_000;

/// First line of an export.
const COLUMNS: [&str; 8] = [
    "id",
    "email",
    "linkId",
    "storeId",
    "skus",
    "language",
    "consent",
    "createdAt",
];

/// Which entries a call is about, as it names them.
struct Wanted {
    link_id: Option<String>,
    store_id: Option<String>,
    email: Option<String>,
}

impl Wanted {
    fn take(params: &mut Params) -> Result<Self, ApiError> {
        Ok(Self {
            link_id: params.text("linkId"),
            store_id: params.text("storeId"),
            email: params.text("email").map(|text| address(&text)).transpose()?,
        })
    }

    fn filter(self, view: &View<'_>, workspace: WorkspaceNo) -> Result<WaitlistFilter, Error> {
        let link = self.link_id.map(|id| match publish_link::find(view, workspace, &id) {
            Err(Error::NotFound { .. }) => Err(Error::invalid("linkId", "is not a link of this workspace")),
            found => found,
        });
        let store = self.store_id.map(|id| {
            let found = books::store::by_id(view, workspace, &id)?;
            found.ok_or_else(|| Error::invalid("storeId", "is not a store of this workspace"))
        });
        Ok(WaitlistFilter {
            link: link.transpose()?.map(|link| link.no),
            store: store.transpose()?.map(|store| store.no),
            email: self.email,
        })
    }
}

fn address(text: &str) -> Result<String, ApiError> {
    email::parse(text).ok_or_else(|| ApiError::invalid("email", "must be an e-mail address"))
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let page = params.page(PAGE_SIZE)?;
    let wanted = Wanted::take(&mut params)?;
    params.end()?;
    let listed = api.context.books().read(move |view| {
        let filter = wanted.filter(view, caller.workspace)?;
        Ok::<_, Error>(books::waitlist::list(view, caller.workspace, &filter, &page)?)
    });
    Ok(Json(listed.await?.iter().map(answer).collect()))
}

/// The number of entries.
pub(super) async fn count(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<u64>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let wanted = Wanted::take(&mut params)?;
    params.end()?;
    let counted = api.context.books().read(move |view| {
        let filter = wanted.filter(view, caller.workspace)?;
        Ok::<_, Error>(books::waitlist::count(view, caller.workspace, &filter)?)
    });
    Ok(Json(counted.await?))
}

fn answer(listed: &Listed) -> Value {
    let entry = &listed.entry;
    json!({
        "id": entry.id,
        "email": entry.email,
        "linkId": listed.link_id,
        "storeId": listed.store_id,
        "skus": entry.skus,
        "language": entry.language,
        "consent": entry.consent,
        "createdAt": entry.created_at.to_string(),
    })
}

#[derive(Debug, serde::Serialize)]
pub(super) struct ErasedAnswer {
    erased: usize,
}

/// Erases an address from every list of the workspace; 0 when it was on none.
pub(super) async fn erase(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<ErasedAnswer>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let email = params.text("email");
    params.end()?;
    let email = email.ok_or_else(|| ApiError::invalid("email", "is required"))?;
    let erased = join_waitlist::erase(&api.context, caller.workspace, Erased::Email(email)).await?;
    Ok(Json(ErasedAnswer { erased }))
}

/// Erases one entry.
pub(super) async fn erase_one(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ErasedAnswer>, ApiError> {
    let erased = join_waitlist::erase(&api.context, caller.workspace, Erased::Id(id)).await?;
    Ok(Json(ErasedAnswer { erased }))
}

/// The entries as a file, newest first: all of them, or with `pageSize` and `startingAfter` a part.
pub(super) async fn export(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let left = params.number("pageSize", 1, PART_MAX)?;
    let after = params.text("startingAfter");
    let wanted = Wanted::take(&mut params)?;
    params.end()?;
    let filter = api
        .context
        .books()
        .read(move |view| wanted.filter(view, caller.workspace))
        .await?;
    let export = Export {
        api,
        workspace: caller.workspace,
        filter,
        after,
        left,
    };
    // What can be refused is refused before the first byte goes out.
    let (first, rest) = export.slice().await?;
    let mut head = String::new();
    push_row(&mut head, &COLUMNS);
    head.push_str(&first);
    let body = Slices {
        ready: Some(head.into()),
        reading: rest.map(read),
    };
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (CONTENT_DISPOSITION, "attachment; filename=\"waitlist.csv\""),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::new(body)).into_response())
}

/// An export and where it goes on.
struct Export {
    api: Api,
    workspace: WorkspaceNo,
    filter: WaitlistFilter,
    /// The entry that was told last.
    after: Option<String>,
    /// Rows still wanted; `None` = all.
    left: Option<u32>,
}

impl Export {
    /// The next rows, and the rest when there may be more. An entry that is erased just when the export would go on
    /// from it ends the export with an error: the caller sees that the file is not whole.
    async fn slice(mut self) -> Result<(String, Option<Self>), Error> {
        let size = self.left.map_or(SLICE, |left| left.min(SLICE));
        let page = match self.after.take() {
            Some(id) => Page::After { id, size },
            None => Page::Number { number: 1, size },
        };
        let (workspace, filter) = (self.workspace, self.filter.clone());
        let listed = self
            .api
            .context
            .books()
            .read(move |view| Ok::<_, Error>(books::waitlist::list(view, workspace, &filter, &page)?));
        let listed = listed.await?;
        let mut rows = String::new();
        listed.iter().for_each(|listed| push_listed(&mut rows, listed));
        self.left = self.left.map(|left| left - size);
        self.after = listed.last().map(|last| last.entry.id.clone());
        let has_more = listed.len() == size as usize && self.left != Some(0);
        Ok((rows, has_more.then_some(self)))
    }
}

fn push_listed(out: &mut String, listed: &Listed) {
    let entry = &listed.entry;
    let cells = [
        &*entry.id,
        &entry.email,
        listed.link_id.as_deref().unwrap_or_default(),
        &listed.store_id,
        &entry.skus.join("; "),
        &entry.language,
        &entry.consent,
        &entry.created_at.to_string(),
    ];
    push_row(out, &cells);
}

type Reading = Pin<Box<dyn Future<Output = Result<(String, Option<Export>), Error>> + Send>>;

fn read(export: Export) -> Reading {
    Box::pin(export.slice())
}

/// A body that reads its next slice when the one before has been sent: an export of any length needs the memory of one.
struct Slices {
    ready: Option<Bytes>,
    reading: Option<Reading>,
}

impl hyper::body::Body for Slices {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, waker: &mut Waker<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(ready) = self.ready.take() {
            return Poll::Ready(Some(Ok(Frame::data(ready))));
        }
        let Some(reading) = &mut self.reading else {
            return Poll::Ready(None);
        };
        let slice = std::task::ready!(reading.as_mut().poll(waker));
        self.reading = None;
        Poll::Ready(match slice {
            Ok((rows, rest)) => {
                self.reading = rest.map(read);
                Some(Ok(Frame::data(rows.into())))
            }
            Err(error) => {
                tracing::error!(%error, "an export of a waiting list was cut off");
                Some(Err(error))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{LinkNo, StoreNo};
    use crate::domain::time::Timestamp;
    use crate::domain::waitlist::WaitlistEntry;

    #[test]
    fn a_row_says_who_for_what_and_what_was_agreed_to() {
        let entry = WaitlistEntry {
            id: "wl_1".to_owned(),
            workspace: WorkspaceNo(1),
            store: StoreNo(1),
            link: LinkNo(1),
            email: "=cmd@shop.example".to_owned(),
            consent: "Glow, Inc. may \"write\".".to_owned(),
            language: "en".to_owned(),
            skus: vec!["MUG".to_owned(), "-BOWL".to_owned()],
            created_at: Timestamp(1_795_254_780_123),
        };
        let mut row = String::new();
        push_listed(
            &mut row,
            &Listed {
                entry,
                link_id: None,
                store_id: "store_1".to_owned(),
            },
        );
        assert_eq!(
            row,
            "wl_1,'=cmd@shop.example,,store_1,\"MUG; -BOWL\",en,\"Glow, Inc. may \"\"write\"\".\",2026-11-21T09:53:00.123Z\r\n"
        );
        assert_eq!(COLUMNS.len(), 8);
    }
}

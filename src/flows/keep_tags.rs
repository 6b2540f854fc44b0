//! Tags are made, changed and deleted. A tag that goes leaves its links.

use serde_json::{Value, json};

use super::context::Context;
use super::error::Error;
use crate::books::{self, View};
use crate::domain::id::{TagNo, WorkspaceNo};
use crate::domain::tag::{Tag, TagColor, name_problem};

/// Tags of a workspace. 10,000: lists stay quick, and nobody reads more.
const TAGS_MAX: u64 = 10_000;
/// Links that one transaction takes a tag from: some 10 ms, so that webhooks hardly wait.
const SLICE: u32 = 2_000;

/// Makes a tag; without a color it gets one by its name.
///
/// # Errors
/// [`Error::Invalid`] and [`Error::Conflict`] on `name`.
pub async fn create(
    context: &Context,
    workspace: WorkspaceNo,
    name: String,
    color: Option<TagColor>,
) -> Result<Tag, Error> {
    check_name(&name)?;
    let tag = Tag {
        no: TagNo(0),
        id: context.new_id("tag_"),
        workspace,
        color: color.unwrap_or_else(|| TagColor::of_name(&name)),
        name,
        created_at: context.inner.clock.now(),
    };
    let made = context.inner.books.commit(move |tx| {
        if books::tag::count(tx, workspace, &Default::default())? >= TAGS_MAX {
            return Err(Error::invalid(
                "name",
                "is one too many: a workspace has at most 10000 tags",
            ));
        }
        let tag = books::tag::insert(tx, tag)?;
        books::audit::note(tx, Some(&tag.id), None, Some(facts(&tag)))?;
        Ok(tag)
    });
    made.await
}

/// Changes a tag's name or color.
///
/// # Errors
/// As [`create`].
pub async fn change(
    context: &Context,
    workspace: WorkspaceNo,
    id: String,
    name: Option<String>,
    color: Option<TagColor>,
) -> Result<Tag, Error> {
    if let Some(name) = &name {
        check_name(name)?;
    }
    let changed = context.inner.books.commit(move |tx| {
        let mut tag = find(tx, workspace, &id)?;
        let before = facts(&tag);
        tag.name = name.unwrap_or(tag.name);
        tag.color = color.unwrap_or(tag.color);
        books::tag::update(tx, &tag)?;
        books::audit::note(tx, Some(&tag.id), Some(before), Some(facts(&tag)))?;
        Ok::<_, Error>(tag)
    });
    changed.await
}

/// Deletes a tag: first it is taken from its links, slice by slice, then it goes. Cut off, it is there with fewer links;
/// deleting it again goes on.
pub async fn delete(context: &Context, workspace: WorkspaceNo, id: String) -> Result<Tag, Error> {
    let tag = context.inner.books.read(move |view| find(view, workspace, &id)).await?;
    let no = tag.no;
    loop {
        let gone = tag.clone();
        let taken = context.inner.books.commit(move |tx| {
            let taken = books::tag::take_off(tx, no, SLICE)?;
            if taken < SLICE as usize {
                books::tag::delete(tx, no)?;
                books::audit::note(tx, Some(&gone.id), Some(facts(&gone)), None)?;
            }
            Ok::<_, Error>(taken)
        });
        if taken.await? < SLICE as usize {
            return Ok(tag);
        }
    }
}

/// The workspace's tag called `id`.
pub fn find(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Tag, Error> {
    books::tag::by_id(view, workspace, id)?.ok_or(Error::NotFound { what: "tag" })
}

/// What the audit log says of a tag.
fn facts(tag: &Tag) -> Value {
    json!({ "name": tag.name, "color": tag.color })
}

fn check_name(name: &str) -> Result<(), Error> {
    match name_problem(name) {
        Some(problem) => Err(Error::invalid("name", problem)),
        None => Ok(()),
    }
}

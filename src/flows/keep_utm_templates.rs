//! UTM templates are made, changed and deleted, and copied into links.

use serde_json::{Value, json};

use super::context::Context;
use super::error::Error;
use super::publish_link::LinkChange;
use crate::books::{self, View};
use crate::domain::click::{UTM_MAX, UTM_NAMES};
use crate::domain::id::{UtmTemplateNo, WorkspaceNo};
use crate::domain::utm_template::{UtmTemplate, name_problem};

/// Templates of a workspace. 1,000: one for each channel of each campaign; nobody chooses among more.
const TEMPLATES_MAX: u64 = 1_000;

/// What a caller says of a template. `None` = not said; `Some(None)` = taken away.
#[derive(Debug, Clone, Default)]
pub struct UtmTemplateChange {
    pub name: Option<String>,
    /// In the order of [`UTM_NAMES`].
    pub utm: [Option<Option<String>>; 5],
    pub reference: Option<Option<String>>,
}

impl UtmTemplateChange {
    fn apply(self, template: &mut UtmTemplate) -> Result<(), Error> {
        if let Some(name) = self.name {
            if let Some(problem) = name_problem(&name) {
                return Err(Error::invalid("name", problem));
            }
            template.name = name;
        }
        let utm = UTM_NAMES.into_iter().zip(self.utm).zip(&mut template.utm);
        let utm = utm.map(|((name, said), place)| (name, said, place));
        for (name, said, place) in utm.chain([("ref", self.reference, &mut template.reference)]) {
            let Some(said) = said else { continue };
            *place = said.filter(|text| !text.is_empty());
            if place.as_ref().is_some_and(|text| text.chars().count() > UTM_MAX) {
                return Err(Error::invalid(name, format!("must have at most {UTM_MAX} characters")));
            }
        }
        Ok(())
    }
}

/// Makes a template.
///
/// # Errors
/// [`Error::Invalid`] on a field; [`Error::Conflict`] on `name`.
pub async fn create(
    context: &Context,
    workspace: WorkspaceNo,
    change: UtmTemplateChange,
) -> Result<UtmTemplate, Error> {
    if change.name.is_none() {
        return Err(Error::invalid("name", "is required"));
    }
    let now = context.inner.clock.now();
    let mut template = UtmTemplate {
        no: UtmTemplateNo(0),
        id: context.new_id("utm_"),
        workspace,
        name: String::new(),
        utm: Default::default(),
        reference: None,
        created_at: now,
        updated_at: now,
    };
    change.apply(&mut template)?;
    let made = context.inner.books.commit(move |tx| {
        if books::utm_template::count(tx, workspace)? >= TEMPLATES_MAX {
            let message = format!("is one too many: a workspace has at most {TEMPLATES_MAX} UTM templates");
            return Err(Error::invalid("name", message));
        }
        let template = books::utm_template::insert(tx, template)?;
        books::audit::note(tx, Some(&template.id), None, Some(facts(&template)))?;
        Ok(template)
    });
    made.await
}

/// Changes a template; links that have copied it stay as they are.
///
/// # Errors
/// As [`create`].
pub async fn change(
    context: &Context,
    workspace: WorkspaceNo,
    id: String,
    change: UtmTemplateChange,
) -> Result<UtmTemplate, Error> {
    let now = context.inner.clock.now();
    let changed = context.inner.books.commit(move |tx| {
        let mut template = find(tx, workspace, &id)?;
        let before = facts(&template);
        change.apply(&mut template)?;
        template.updated_at = now;
        books::utm_template::update(tx, &template)?;
        books::audit::note(tx, Some(&template.id), Some(before), Some(facts(&template)))?;
        Ok::<_, Error>(template)
    });
    changed.await
}

/// Deletes a template; links that have copied it stay as they are.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(context: &Context, workspace: WorkspaceNo, id: String) -> Result<UtmTemplate, Error> {
    let gone = context.inner.books.commit(move |tx| {
        let template = find(tx, workspace, &id)?;
        books::utm_template::delete(tx, template.no)?;
        books::audit::note(tx, Some(&template.id), Some(facts(&template)), None)?;
        Ok::<_, Error>(template)
    });
    gone.await
}

/// The workspace's template called `id`.
pub fn find(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<UtmTemplate, Error> {
    books::utm_template::by_id(view, workspace, id)?.ok_or(Error::NotFound { what: "UTM template" })
}

/// What the audit log says of a template.
fn facts(template: &UtmTemplate) -> Value {
    json!({ "name": template.name, "utm": template.utm, "ref": template.reference })
}

/// Lays the UTM parameters of the template that `change` names under its own. The template's `ref`, if it has one, is
/// returned: who calls knows whether the link takes one.
pub(super) fn fill(view: &View<'_>, workspace: WorkspaceNo, change: &mut LinkChange) -> Result<Option<String>, Error> {
    let Some(id) = change.utm_template.take() else {
        return Ok(None);
    };
    let unknown = || Error::invalid("utmTemplateId", "is not a UTM template of this workspace");
    let template = books::utm_template::by_id(view, workspace, &id)?.ok_or_else(unknown)?;
    for (place, kept) in change.utm.iter_mut().zip(template.utm) {
        if place.is_none() {
            *place = kept.map(Some);
        }
    }
    Ok(template.reference)
}

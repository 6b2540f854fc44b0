//! UTM templates, each under one name.

use super::columns::{Columns, Json};
use super::error::Error;
use super::filter::Filter;
use super::page::NumberedPage;
use super::view::{Tx, View};
use crate::domain::id::{UtmTemplateNo, WorkspaceNo};
use crate::domain::utm_template::UtmTemplate;

const SELECT: &str = "SELECT no, id, workspace, name, utm, reference, created_at, updated_at FROM utm_templates";
const TAKEN: &[(&str, &str)] = &[("utm_templates.workspace, utm_templates.name", "name")];

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<UtmTemplate> {
    let mut columns = Columns::of(row);
    Ok(UtmTemplate {
        no: columns.next()?,
        id: columns.next()?,
        workspace: columns.next()?,
        name: columns.next()?,
        utm: columns.next::<Json<_>>()?.0,
        reference: columns.next()?,
        created_at: columns.next()?,
        updated_at: columns.next()?,
    })
}

/// Adds `template`, whatever its `no` is, and returns it with the number it got.
///
/// # Errors
/// [`Error::Conflict`] on `name`.
pub fn insert(tx: &Tx<'_>, template: UtmTemplate) -> Result<UtmTemplate, Error> {
    tx.run_unique(
        "INSERT INTO utm_templates (id, workspace, name, utm, reference, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            &template.id,
            template.workspace,
            &template.name,
            Json(&template.utm),
            &template.reference,
            template.created_at,
            template.updated_at,
        ),
        TAKEN,
    )?;
    Ok(UtmTemplate {
        no: UtmTemplateNo(tx.last_no()?),
        ..template
    })
}

/// Stores what a brand may change of `template` under its number.
///
/// # Errors
/// [`Error::Conflict`] on `name`; [`Error::NotFound`].
pub fn update(tx: &Tx<'_>, template: &UtmTemplate) -> Result<(), Error> {
    let changed = tx.run_unique(
        "UPDATE utm_templates SET name = ?, utm = ?, reference = ?, updated_at = ? WHERE no = ?",
        (
            &template.name,
            Json(&template.utm),
            &template.reference,
            template.updated_at,
            template.no,
        ),
        TAKEN,
    )?;
    match changed {
        0 => Err(Error::NotFound { what: "UTM template" }),
        _ => Ok(()),
    }
}

/// Removes the template; links keep what they copied.
///
/// # Errors
/// [`Error::Failed`].
pub fn delete(tx: &Tx<'_>, template: UtmTemplateNo) -> Result<(), Error> {
    tx.run("DELETE FROM utm_templates WHERE no = ?", [template])?;
    Ok(())
}

/// The workspace's template with public id `id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_id(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Option<UtmTemplate>, Error> {
    let sql = format!("{SELECT} WHERE id = ? AND workspace = ?");
    view.first(&sql, (id, workspace), read)
}

/// One page of the workspace's templates by name; those whose name contains `search`, if it is given.
///
/// # Errors
/// [`Error::Failed`].
pub fn list(
    view: &View<'_>,
    workspace: WorkspaceNo,
    search: Option<&str>,
    page: NumberedPage,
) -> Result<Vec<UtmTemplate>, Error> {
    let mut filter = Filter::of("workspace = ?", workspace.0);
    if let Some(search) = search {
        filter.and_any_contains(&[("name", search)]);
    }
    page.read(view, SELECT, filter, "name, no", read)
}

/// The number of the workspace's templates.
///
/// # Errors
/// [`Error::Failed`].
pub fn count(view: &View<'_>, workspace: WorkspaceNo) -> Result<u64, Error> {
    Filter::of("workspace = ?", workspace.0).count(view, "utm_templates")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;
    use crate::domain::time::Timestamp;

    fn template(name: &str, workspace: WorkspaceNo) -> UtmTemplate {
        UtmTemplate {
            no: UtmTemplateNo::default(),
            id: format!("utm_{name}_{}", workspace.0),
            workspace,
            name: name.to_owned(),
            utm: [Some("tiktok".into()), None, Some("spring".into()), None, None],
            reference: Some("mia".into()),
            created_at: Timestamp(1),
            updated_at: Timestamp(1),
        }
    }

    #[test]
    fn templates_are_their_workspaces_own() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let mut spring = insert(tx, template("Spring", ours))?;
            insert(tx, template("spring", theirs))?;
            let twin = UtmTemplate {
                id: "utm_x".into(),
                ..template("SPRING", ours)
            };
            assert_eq!(insert(tx, twin).map(drop), Err(Error::Conflict { what: "name" }));
            (spring.utm[1], spring.reference, spring.updated_at) = (Some("social".into()), None, Timestamp(2));
            update(tx, &spring)?;
            assert_eq!(by_id(tx, ours, &spring.id)?.as_ref(), Some(&spring));
            assert_eq!(by_id(tx, theirs, &spring.id)?, None);
            let page = NumberedPage { number: 1, size: 9 };
            assert_eq!(list(tx, ours, Some("PRI"), page)?, [spring.clone()]);
            assert_eq!(list(tx, ours, Some("x"), page)?, []);
            delete(tx, spring.no)?;
            assert_eq!((count(tx, ours)?, count(tx, theirs)?), (0, 1));
            Ok(())
        });
    }
}

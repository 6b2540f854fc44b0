//! Creators are enlisted. An e-mail address that is known in the workspace changes that creator, as in the dialect.

use super::audit_facts;
use super::context::Context;
use super::error::Error;
use crate::books;
use crate::domain::creator::{Creator, CreatorTerms, NAME_MAX};
use crate::domain::email;
use crate::domain::id::{CreatorNo, WorkspaceNo};

/// Longest free text about a creator, in characters.
const DESCRIPTION_MAX: usize = 4096;

/// Enlists a creator, or changes the one with the same e-mail address.
pub async fn enlist(context: &Context, workspace: WorkspaceNo, terms: CreatorTerms) -> Result<Creator, Error> {
    check(&terms)?;
    let creator = Creator {
        no: CreatorNo(0),
        id: context.new_id("pn_"),
        workspace,
        terms,
        created_at: context.inner.clock.now(),
        departure: None,
    };
    let enlisted = context.inner.books.commit(move |tx| {
        let known = match &creator.terms.email {
            Some(email) => books::creator::by_email(tx, workspace, email)?,
            None => None,
        };
        match known {
            Some(known) => {
                let before = audit_facts::of_creator(&known);
                let changed = Creator {
                    terms: creator.terms,
                    ..known
                };
                books::creator::update(tx, &changed)?;
                let after = audit_facts::of_creator(&changed);
                books::audit::note(tx, Some(&changed.id), Some(before), Some(after))?;
                Ok(changed)
            }
            None => {
                let made = books::creator::insert(tx, creator)?;
                books::audit::note(tx, Some(&made.id), None, Some(audit_facts::of_creator(&made)))?;
                Ok::<_, Error>(made)
            }
        }
    });
    let creator = enlisted.await?;
    context.inner.table.put_creator(&creator);
    Ok(creator)
}

fn check(terms: &CreatorTerms) -> Result<(), Error> {
    let texts = [
        ("name", Some(&terms.name)),
        ("username", terms.username.as_ref()),
        ("tenantId", terms.tenant_id.as_ref()),
        ("niche", terms.niche.as_ref()),
        ("platform", terms.platform.as_ref()),
        ("email", terms.email.as_ref()),
    ];
    for (field, text) in texts {
        if text.is_some_and(|text| text.trim().is_empty() || text.chars().count() > NAME_MAX) {
            return Err(Error::invalid(field, "must have 1 to 190 characters"));
        }
    }
    if terms.email.as_ref().is_some_and(|email| !email::is_address(email)) {
        return Err(Error::invalid("email", "must be an e-mail address"));
    }
    if terms
        .description
        .as_ref()
        .is_some_and(|text| text.chars().count() > DESCRIPTION_MAX)
    {
        return Err(Error::invalid("description", "must have at most 4096 characters"));
    }
    let is_country = |code: &String| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    if terms.country.as_ref().is_some_and(|code| !is_country(code)) {
        return Err(Error::invalid("country", "must be an ISO 3166-1 code such as DE"));
    }
    if terms.cost < 0 {
        return Err(Error::invalid("cost", "must not be negative"));
    }
    Ok(())
}

//! Links, as the API answers them, with what another server needs to make the same.

use serde_json::Value;

use super::Output;
use super::pages::Pages;
use super::refs::Refs;
use crate::cli::api::Api;
use crate::cli::failure::Failure;
use crate::integrations::link_file::export;

/// Links of a page: as many as the API gives.
const PAGE: usize = 100;

pub async fn write(api: &Api, out: &mut Output) -> Result<(), Failure> {
    let wanted = [("showArchived", "true"), ("sortBy", "createdAt"), ("sortOrder", "asc")];
    let wanted = wanted.map(|(name, value)| (name, Some(value.to_owned()))).into();
    let mut pages = Pages::of(api, "/links", wanted, ("pageSize", PAGE), "/id");
    let mut refs = Refs::new(api);
    out.header(&export::header())?;
    while let Some(links) = pages.next().await? {
        for mut link in links {
            let about = refs.of(&link).await?;
            if let Some(id) = link["folderId"].as_str() {
                link["folder"] = refs.folder(id).await?.into();
            }
            link["refs"] = Value::Object(about);
            link["notExported"] = link["password"].is_string().then_some("password").into();
            let Value::Object(link) = link else { continue };
            out.thing(&link, || vec![export::row(&link)])?;
        }
        out.page()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_column_is_there() {
        let link = json!({ "url": "https://a.example/", "notExported": "password", "clicks": 7 });
        let cells = export::row(link.as_object().expect("an object"));
        assert_eq!(cells.len(), export::header().len());
        for cell in ["https://a.example/", "password", "7"] {
            assert!(cells.iter().any(|told| told == cell), "{cell}: {cells:?}");
        }
    }
}

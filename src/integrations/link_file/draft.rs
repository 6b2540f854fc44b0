//! A link as a file tells it, in the API's words, and what the file cannot tell of it.

use serde_json::{Map, Value, json};

/// What exports show in place of a password, as the API's answers do.
const PASSWORD_SHOWN: &str = "********";
/// UTM parameters, by the names that they have in links and in URLs.
const UTM: [&str; 5] = ["utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"];

/// A tag by its name, with its colour where that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileTag {
    pub name: String,
    pub color: Option<String>,
}

/// What a row tells.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    /// The body of the call that makes the link.
    pub fields: Map<String, Value>,
    /// `None` = not said.
    pub tags: Option<Vec<FileTag>>,
    /// The folder's name.
    pub folder: Option<String>,
    /// What ids in `fields` stand for: by id, what the thing is called.
    pub refs: Map<String, Value>,
    /// What could not be taken over, for people.
    pub notes: Vec<String>,
}

impl Draft {
    /// A field's text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    /// The address of the link as the file has it, for people.
    pub fn address(&self) -> String {
        match (self.text("domain"), self.text("key")) {
            (Some(domain), Some(key)) => format!("{domain}/{key}"),
            (None, Some(key)) => key.to_owned(),
            (_, None) => self.text("externalId").unwrap_or_default().to_owned(),
        }
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.fields.insert(name.to_owned(), value.into());
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Makes of what was told what a link can be made of.
    pub(super) fn settle(&mut self, is_exact: Option<bool>) {
        if let Some(is_exact) = is_exact
            && self.fields.contains_key("key")
            && !self.fields.contains_key("caseSensitive")
        {
            self.set("caseSensitive", is_exact);
        }
        if self.text("password") == Some(PASSWORD_SHOWN) {
            // Open to everybody is the one thing that it must not become.
            self.fields.remove("password");
            self.set("disabled", true);
            self.note("its password is in no export: the link is switched off; set a new password and disabled: false");
        }
        if self.fields.contains_key("cart") {
            // The cart's own URL follows from it.
            self.fields.remove("url");
        } else {
            self.fields.remove("stockPolicy");
            self.drop_told_utm();
        }
    }

    /// What the URL says already is not said again: its place among the parameters stays.
    fn drop_told_utm(&mut self) {
        let Some(url) = self.text("url").and_then(|url| url::Url::parse(url).ok()) else {
            return;
        };
        for name in UTM.into_iter().chain(["ref"]) {
            let told = url.query_pairs().find(|(known, _)| known == name);
            if let Some((_, told)) = told
                && self.fields.get(name) == Some(&json!(told))
            {
                self.fields.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(fields: Value) -> Draft {
        Draft {
            fields: fields.as_object().cloned().expect("an object"),
            ..Draft::default()
        }
    }

    #[test]
    fn a_hidden_password_never_opens_a_link() {
        let mut hidden = draft(json!({ "url": "https://a.example/", "password": "********" }));
        hidden.settle(None);
        assert_eq!(
            Value::Object(hidden.fields),
            json!({ "url": "https://a.example/", "disabled": true })
        );
        assert!(hidden.notes[0].contains("switched off"));
        let mut told = draft(json!({ "url": "https://a.example/", "password": "open" }));
        told.settle(None);
        assert_eq!((told.fields["password"].as_str(), told.notes.len()), (Some("open"), 0));
    }

    #[test]
    fn what_the_url_says_is_not_said_again() {
        let mut one = draft(json!({
            "url": "https://a.example/?utm_source=x&b=1", "utm_source": "x", "utm_medium": "y", "stockPolicy": {}
        }));
        one.settle(Some(true));
        assert_eq!(
            Value::Object(one.fields),
            json!({ "url": "https://a.example/?utm_source=x&b=1", "utm_medium": "y" })
        );
        let mut cart = draft(json!({ "url": "https://shop.example/cart/1:1", "cart": {}, "key": "a" }));
        cart.settle(Some(true));
        assert_eq!(
            Value::Object(cart.fields),
            json!({ "cart": {}, "key": "a", "caseSensitive": true })
        );
    }
}

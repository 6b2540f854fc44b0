//! A strict reader of the HTML that this room writes, for its tests.
//!
//! Understands exactly what maud produces (double-quoted attributes, balanced tags, void elements without a slash)
//! and panics on anything else, so that a value that broke out of its place is seen.

/// Elements without an end tag.
const VOID: &[&str] = &["meta", "link", "input", "img", "br"];

/// Every attribute that the pages use; anything else, such as `style` or `onclick`, must have been smuggled in.
const ATTRIBUTES: &[&str] = &[
    "action",
    "alt",
    "aria-current",
    "aria-describedby",
    "aria-hidden",
    "aria-invalid",
    "aria-label",
    "aria-labelledby",
    "autocapitalize",
    "autocomplete",
    "autofocus",
    "charset",
    "checked",
    "class",
    "colspan",
    "content",
    "d",
    "data-label",
    "datetime",
    "decoding",
    "dir",
    "fetchpriority",
    "for",
    "height",
    "href",
    "id",
    "inputmode",
    "lang",
    "loading",
    "max",
    "maxlength",
    "method",
    "min",
    "name",
    "open",
    "placeholder",
    "preserveAspectRatio",
    "property",
    "readonly",
    "rel",
    "required",
    "role",
    "rx",
    "scope",
    "selected",
    "spellcheck",
    "src",
    "tabindex",
    "title",
    "type",
    "value",
    "viewBox",
    "width",
    "x",
    "y",
];

/// A start tag.
#[derive(Debug)]
pub struct Tag<'a> {
    pub name: &'a str,
    attributes: Vec<(&'a str, &'a str)>,
}

impl<'a> Tag<'a> {
    /// The attribute's text as written, with its escapes.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        let found = self.attributes.iter().find(|(attribute, _)| *attribute == name);
        found.map(|(_, value)| *value)
    }

    /// The attribute as a whole number.
    pub fn number(&self, name: &str) -> i64 {
        let text = self.value(name).unwrap_or_else(|| panic!("{name} of {self:?}"));
        text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number"))
    }
}

/// Reads `page`, and asserts that tags balance, attributes are known ones, ids are unique and what refers to an id
/// finds it. Returns all start tags.
pub fn assert_sound(page: &str) -> Vec<Tag<'_>> {
    let tags = read(page);
    let ids: Vec<_> = tags.iter().filter_map(|tag| tag.value("id")).collect();
    for (place, id) in ids.iter().enumerate() {
        assert!(!ids[..place].contains(id), "two elements are called {id}");
    }
    for tag in &tags {
        for name in ["for", "aria-describedby", "aria-labelledby"] {
            for id in tag.value(name).unwrap_or_default().split_whitespace() {
                assert!(ids.contains(&id), "{name} of {tag:?} leads nowhere");
            }
        }
    }
    tags
}

/// All start tags of `page`, in order.
fn read(page: &str) -> Vec<Tag<'_>> {
    let mut rest = page.strip_prefix("<!DOCTYPE html>").unwrap_or(page);
    let (mut tags, mut open) = (Vec::new(), Vec::new());
    while let Some((text, after)) = rest.split_once('<') {
        assert!(!text.contains('>'), "a bare > in {text:?}");
        // No value may hold a bare `>`: maud escapes it in attributes as in text.
        let (inside, after) = after.split_once('>').expect("the end of a tag");
        rest = after;
        if let Some(name) = inside.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "an end tag that nothing opened");
            continue;
        }
        let tag = read_tag(inside);
        if !VOID.contains(&tag.name) {
            open.push(tag.name);
        }
        tags.push(tag);
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    assert!(!rest.contains('>'), "a bare > in {rest:?}");
    tags
}

/// What stands between `<` and `>` of a start tag.
fn read_tag(inside: &str) -> Tag<'_> {
    let (name, mut rest) = inside.split_once(' ').unwrap_or((inside, ""));
    let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    assert!(!name.is_empty() && plain(name), "a tag called {name:?}");
    assert!(name != "script" && name != "style", "no {name} belongs here");
    let mut attributes = Vec::new();
    while !rest.is_empty() {
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        assert!(ATTRIBUTES.contains(&name), "an attribute called {name:?} in {inside:?}");
        let (value, after) = match after.strip_prefix("=\"") {
            Some(quoted) => quoted.split_once('"').expect("a closing quote"),
            None => ("", after),
        };
        attributes.push((name, value));
        rest = match after.strip_prefix(' ') {
            Some(next) => next,
            None => {
                assert_eq!(after, "", "glued to an attribute of {inside:?}");
                after
            }
        };
    }
    Tag { name, attributes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_markup_is_read() {
        let tags = assert_sound("<!DOCTYPE html><p id=\"a\" class=\"b c\">x<br>y</p><input required name=\"n\">");
        assert_eq!(tags.len(), 3);
        assert_eq!(tags[0].value("class"), Some("b c"));
        assert_eq!(tags[2].value("required"), Some(""));
        assert_eq!(tags[2].value("name"), Some("n"));
    }

    #[test]
    fn broken_markup_is_refused() {
        for page in [
            "<p>",
            "</p>",
            "<p><b></p></b>",
            "<p title=\"a\"b\"></p>",
            "<p onclick=\"x\"></p>",
            "<p style=\"x\"></p>",
            "<script></script>",
            "<p>></p>",
            "<p id=\"a\"></p><p id=\"a\"></p>",
            "<label for=\"nobody\"></label>",
            "<p class='a'></p>",
        ] {
            let outcome = std::panic::catch_unwind(|| assert_sound(page).len());
            assert!(outcome.is_err(), "{page}");
        }
    }
}

//! Which columns tell which of a link's fields, under which names, and whose table a header is of.
//!
//! Names are compared by their letters and digits alone, in any case: `long_url`, `Long URL` and `longUrl` are one column.

use csv::ByteRecord;

use super::Format;
use super::cell::{address, flag, instant, json, list, number, unquoted};
use super::dialect;
use super::draft::{Draft, FileTag};
use super::error::{FieldError, FileError};
use crate::integrations::catalog::letters;
use crate::integrations::formula::bare;

/// Longest column name that is shown in errors, in characters.
const SHOWN_MAX: usize = 64;

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Flag,
    Number,
    Instant,
    Json,
    /// A whole short link: domain and key, where they have no columns of their own.
    Address,
    /// As [`Self::Address`]; of several the first counts.
    Addresses,
    Tags,
    Folder,
    /// What ids stand for.
    Refs,
    /// When it was switched off.
    Off,
}

/// A link's field, what its cells hold, and the columns' names; the first is the usual one.
type Field = (&'static str, Kind, &'static [&'static str]);

/// Ours first, then what others call it. Of several columns for a field the first name counts.
const FIELDS: &[Field] = &[
    (
        "url",
        Kind::Text,
        &[
            "url",
            "destinationUrl",
            "destination",
            "longUrl",
            "targetUrl",
            "target",
            "originalUrl",
            "redirectUrl",
        ],
    ),
    ("domain", Kind::Text, &["domain", "host"]),
    (
        "key",
        Kind::Text,
        &["key", "slug", "shortCode", "backHalf", "alias", "keyword", "path"],
    ),
    (
        "shortLink",
        Kind::Address,
        &["shortLink", "shortUrl", "bitlink", "link"],
    ),
    ("caseSensitive", Kind::Flag, &["caseSensitive"]),
    ("externalId", Kind::Text, &["externalId"]),
    ("tenantId", Kind::Text, &["tenantId"]),
    ("partnerId", Kind::Text, &["partnerId", "partner", "creator"]),
    ("campaignId", Kind::Text, &["campaignId", "campaign"]),
    ("trackConversion", Kind::Flag, &["trackConversion"]),
    ("archived", Kind::Flag, &["archived"]),
    ("disabled", Kind::Flag, &["disabled"]),
    ("disabledAt", Kind::Off, &["disabledAt"]),
    (
        "expiresAt",
        Kind::Instant,
        &[
            "expiresAt",
            "expires",
            "expiration",
            "expirationDate",
            "expiryDate",
            "validUntil",
        ],
    ),
    ("expiredUrl", Kind::Text, &["expiredUrl"]),
    ("password", Kind::Text, &["password"]),
    ("title", Kind::Text, &["title", "name"]),
    ("description", Kind::Text, &["description"]),
    ("comments", Kind::Text, &["comments", "comment", "notes", "note"]),
    ("image", Kind::Text, &["image"]),
    ("video", Kind::Text, &["video"]),
    ("proxy", Kind::Flag, &["proxy"]),
    ("ios", Kind::Text, &["ios"]),
    ("android", Kind::Text, &["android"]),
    ("geo", Kind::Json, &["geo"]),
    ("rules", Kind::Json, &["rules"]),
    ("openInBrowser", Kind::Flag, &["openInBrowser"]),
    ("maxClicks", Kind::Number, &["maxClicks", "maxVisits", "clickLimit"]),
    ("cart", Kind::Json, &["cart"]),
    ("stockPolicy", Kind::Json, &["stockPolicy"]),
    ("testVariants", Kind::Json, &["testVariants"]),
    ("testStartedAt", Kind::Instant, &["testStartedAt"]),
    ("testCompletedAt", Kind::Instant, &["testCompletedAt"]),
    ("contentId", Kind::Text, &["contentId"]),
    ("contentUrl", Kind::Text, &["contentUrl"]),
    ("utm_source", Kind::Text, &["utm_source"]),
    ("utm_medium", Kind::Text, &["utm_medium"]),
    ("utm_campaign", Kind::Text, &["utm_campaign"]),
    ("utm_term", Kind::Text, &["utm_term"]),
    ("utm_content", Kind::Text, &["utm_content"]),
    ("ref", Kind::Text, &["ref"]),
    ("tags", Kind::Tags, &["tags", "tagNames", "labels"]),
    ("folder", Kind::Folder, &["folder", "folderName"]),
    (
        "createdAt",
        Kind::Instant,
        &["createdAt", "created", "dateCreated", "createdDate", "creationDate"],
    ),
    ("refs", Kind::Refs, &["refs"]),
];

/// Where Bitly's names are not the usual ones: its own back-half is one of its links, the brand's another.
const BITLY: &[Field] = &[
    ("url", Kind::Text, &["long_url", "destination", "destination_url"]),
    (
        "shortLink",
        Kind::Addresses,
        &["custom_bitlink", "custom_bitlinks", "custom_back_half"],
    ),
    ("shortLink", Kind::Address, &["link", "bitlink", "short_link", "id"]),
];

/// Columns that exports have for people: nothing is lost with them that could be kept.
const FOR_PEOPLE: [&str; 15] = [
    "id",
    "clicks",
    "leads",
    "conversions",
    "sales",
    "saleAmount",
    "lastClicked",
    "updatedAt",
    "visits",
    "qrCode",
    "shortLink",
    "link",
    "groupGuid",
    "saleAmounts",
    "notExported",
];

/// The fields of a link that a table can tell, as they are called.
pub(super) fn names() -> impl Iterator<Item = (&'static str, Kind)> {
    FIELDS.iter().map(|(field, kind, _)| (*field, *kind))
}

/// A column that is read.
#[derive(Debug)]
struct Column {
    field: &'static str,
    kind: Kind,
    place: usize,
    /// As the header has it.
    name: String,
}

/// The columns of one table.
#[derive(Debug)]
pub(super) struct Columns {
    format: Format,
    width: usize,
    found: Vec<Column>,
    ignored: Vec<String>,
}

impl Columns {
    /// Recognises a header; `wanted` pairs fields with the columns that tell them, against the usual names.
    pub fn of(header: &[String], format: Option<Format>, wanted: &[(String, String)]) -> Result<Self, FileError> {
        let bare: Vec<String> = header.iter().map(|name| letters(name)).collect();
        let place_of = |name: &str| bare.iter().position(|known| *known == letters(name));
        let format = format.unwrap_or_else(|| format_of(|name| place_of(name).is_some()));
        let mut found: Vec<Column> = Vec::new();
        let mut take = |field: &'static str, kind: Kind, place: usize| {
            let written = header[place].trim();
            let is_short = written.chars().count() <= SHOWN_MAX;
            found.push(Column {
                field,
                kind,
                place,
                name: if is_short { written } else { field }.to_owned(),
            });
        };
        for (field, column) in wanted {
            let known = FIELDS.iter().find(|(name, ..)| name == field);
            let (field, kind, _) = known.ok_or_else(|| FileError::NoField(field.clone()))?;
            let place = place_of(column).ok_or_else(|| FileError::Missing(column.clone()))?;
            take(field, *kind, place);
        }
        let is_wanted = |field: &str| wanted.iter().any(|(name, _)| name == field);
        let own: &[Field] = if format == Format::Bitly { BITLY } else { &[] };
        let is_own = |field: &str| own.iter().any(|(name, ..)| *name == field);
        let usual = FIELDS.iter().filter(|(field, ..)| !is_own(field));
        for (field, kind, names) in own.iter().chain(usual).filter(|(field, ..)| !is_wanted(field)) {
            if let Some(place) = names.iter().find_map(|name| place_of(name)) {
                take(field, *kind, place);
            }
        }
        if !found.iter().any(|column| matches!(column.field, "url" | "cart")) {
            return Err(FileError::Unknown);
        }
        let is_read = |place: usize| found.iter().any(|column| column.place == place);
        let is_for_people = |name: &String| FOR_PEOPLE.iter().any(|known| letters(known) == letters(name));
        let ignored = header.iter().enumerate();
        let ignored = ignored
            .filter(|(place, name)| !is_read(*place) && !is_for_people(name) && !name.trim().is_empty())
            .map(|(_, name)| name.trim().chars().take(SHOWN_MAX).collect())
            .collect();
        Ok(Self {
            format,
            width: header.len(),
            found,
            ignored,
        })
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// Columns that are not read.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Whether no column that is read says anything.
    pub fn is_blank(&self, record: &ByteRecord) -> bool {
        let is_empty = |column: &Column| record.get(column.place).is_none_or(|cell| cell.trim_ascii().is_empty());
        self.found.iter().all(is_empty)
    }

    /// What a row tells; `is_exact` = whether letter case counts in its key where it does not say so itself.
    pub fn read(&self, record: &ByteRecord, is_exact: Option<bool>) -> Result<Draft, FieldError> {
        if record.iter().skip(self.width).any(|cell| !cell.trim_ascii().is_empty()) {
            return Err(FieldError::new(
                "row",
                "has more cells than the header: put cells that contain the separator in quotes",
            ));
        }
        let mut draft = Draft::default();
        let mut short_link = None;
        for column in &self.found {
            let Some(text) = column.text(record)? else { continue };
            match column.kind {
                Kind::Address | Kind::Addresses if short_link.is_some() => {}
                // The domain alone may be news.
                Kind::Address if draft.fields.contains_key("key") => short_link = address(&column.name, text).ok(),
                Kind::Address => short_link = Some(address(&column.name, text)?),
                Kind::Addresses => short_link = several(column, text, &mut draft)?,
                _ => column.tell(text, &mut draft)?,
            }
        }
        if let Some((domain, key)) = short_link {
            draft.fields.entry("domain").or_insert(domain.into());
            draft.fields.entry("key").or_insert(key.into());
        }
        dialect::without_plain_defaults(&mut draft);
        draft.settle(is_exact.or(self.format.is_exact().then_some(true)));
        Ok(draft)
    }
}

/// Of several short links of one destination the first; the others are named.
fn several(column: &Column, text: &str, draft: &mut Draft) -> Result<Option<(String, String)>, FieldError> {
    let links = list(text);
    let Some((first, others)) = links.split_first() else {
        return Ok(None);
    };
    if !others.is_empty() {
        draft.note(format!(
            "also led there: {}; give each a row of its own",
            others.join(", ")
        ));
    }
    address(&column.name, first).map(Some)
}

impl Column {
    /// The cell's text without blanks around it; `None` when there is none.
    fn text<'a>(&self, record: &'a ByteRecord) -> Result<Option<&'a str>, FieldError> {
        let bytes = record.get(self.place).unwrap_or_default().trim_ascii();
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(bare(text.trim())).filter(|text| !text.is_empty())),
            Err(_) => Err(FieldError::new(&self.name, "is not UTF-8 text: save the file as UTF-8")),
        }
    }

    /// Writes what the cell says into `draft`.
    fn tell(&self, text: &str, draft: &mut Draft) -> Result<(), FieldError> {
        let name = &self.name;
        match self.kind {
            Kind::Text => draft.set(self.field, unquoted(text).into_owned()),
            Kind::Flag => draft.set(self.field, flag(name, text)?),
            Kind::Number => draft.set(self.field, number(name, text)?),
            Kind::Instant => draft.set(self.field, instant(name, text)?),
            Kind::Json => draft.set(self.field, json(name, text)?),
            Kind::Off => draft.set("disabled", true),
            Kind::Folder => draft.folder = Some(unquoted(text).into_owned()),
            Kind::Refs => match json(name, text)? {
                serde_json::Value::Object(refs) => draft.refs = refs,
                _ => return Err(FieldError::new(name, "must be a JSON object")),
            },
            Kind::Tags => draft.tags = Some(tags(text)),
            Kind::Address | Kind::Addresses => {}
        }
        Ok(())
    }
}

/// Tags: ours with their colours as JSON, others' by their names.
fn tags(text: &str) -> Vec<FileTag> {
    match serde_json::from_str(text) {
        Ok(serde_json::Value::Array(items)) => dialect::tags(&items),
        _ => {
            let names = list(text).into_iter();
            names.map(|name| FileTag { name, color: None }).collect()
        }
    }
}

/// Whose header it is.
fn format_of(has: impl Fn(&str) -> bool) -> Format {
    let is_bitly = ["link", "bitlink", "customBitlink", "customBitlinks", "customBackHalf"];
    if has("longUrl") && has("shortCode") {
        Format::Shlink
    } else if has("longUrl") && is_bitly.into_iter().any(&has) {
        Format::Bitly
    } else if has("shortLink") && has("destinationUrl") {
        Format::Dub
    } else {
        Format::Own
    }
}

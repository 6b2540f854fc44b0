//! The JSON schema of what a body is read into, found by having serde read it: the type says which fields it takes, of
//! which types, and which must be there. So the document cannot say other than the code does.
//!
//! The reader hands out empty values. A type that refuses them is described as far as it was read, and `x-unread` says
//! where that ended: no body of this API may have it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Value, json};

/// Most names that a body's fields may have beside their proper ones; more is a fault of the reading.
const ALIASES_MAX: usize = 64;

/// The schema of `T`.
pub(super) fn schema_of<T: DeserializeOwned>() -> Value {
    let mut aliases = Aliases::new();
    let (mut schema, seen) = loop {
        let mut schema = json!({});
        let tracing = Tracing::without(None, &aliases);
        let stopped = trace::<T>(&tracing, &mut schema).err();
        let alias = stopped.as_ref().and_then(|stop| tracing.alias(stop));
        let seen = tracing.seen.into_inner();
        match (alias, stopped) {
            // A name for a field that was read already: once more without it.
            (Some((pointer, field)), _) if aliases.len() < ALIASES_MAX => {
                aliases.insert(pointer, field);
            }
            (_, Some(stop)) => {
                schema["x-unread"] = json!(stop.to_string());
                break (schema, seen);
            }
            (_, None) => break (schema, seen),
        }
    };
    for pointer in seen {
        // Read once more without this field: what cannot do without it says so.
        let stopped = trace::<T>(&Tracing::without(Some(&pointer), &aliases), &mut json!({})).err();
        if let Some((parent, name)) = pointer.rsplit_once("/properties/")
            && stopped.is_some_and(|stop| stop.missing == Some(name))
            && let Some(parent) = schema.pointer_mut(parent).and_then(Value::as_object_mut)
            && let Some(required) = parent.entry("required").or_insert_with(|| json!([])).as_array_mut()
        {
            required.push(json!(name));
        }
    }
    for (pointer, field) in &aliases {
        let Some((parent, name)) = pointer.rsplit_once("/properties/") else {
            continue;
        };
        if let Some(properties) = schema.pointer_mut(&format!("{parent}/properties")) {
            let mut alias = properties[*field].clone();
            alias["description"] = json!(format!("Another name of `{field}`."));
            alias["deprecated"] = json!(true);
            properties[name] = alias;
        }
    }
    schema
}

fn trace<T: DeserializeOwned>(tracing: &Tracing<'_>, schema: &mut Value) -> Result<(), Stop> {
    let tracer = Tracer {
        tracing,
        pointer: String::new(),
        schema,
    };
    T::deserialize(tracer).map(drop)
}

/// The JSON pointers of names that fields have beside their proper ones, with those.
type Aliases = BTreeMap<String, &'static str>;

/// One reading.
struct Tracing<'a> {
    /// The JSON pointers of the fields that were read.
    seen: RefCell<BTreeSet<String>>,
    /// The field that was read last, and its neighbour before it.
    last: RefCell<(String, String)>,
    /// The field that is left out.
    omitted: Option<&'a str>,
    /// Other names, which are left out too: a field is read once.
    aliases: &'a Aliases,
}

impl<'a> Tracing<'a> {
    fn without(omitted: Option<&'a str>, aliases: &'a Aliases) -> Self {
        Self {
            seen: RefCell::default(),
            last: RefCell::default(),
            omitted,
            aliases,
        }
    }

    /// The other name at which the reading stopped, and the field that it is of.
    fn alias(&self, stop: &Stop) -> Option<(String, &'static str)> {
        let field = stop.duplicate?;
        let (last, before) = self.last.borrow().clone();
        // Names of one field stand together, in alphabetical order: the proper one may come second.
        let is_proper = last.rsplit('/').next() == Some(field);
        Some((if is_proper { before } else { last }, field))
    }
}

/// Why a reading stopped.
#[derive(Debug)]
struct Stop {
    missing: Option<&'static str>,
    /// The field that was read twice.
    duplicate: Option<&'static str>,
    text: String,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Stop {}

impl Error for Stop {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self {
            missing: None,
            duplicate: None,
            text: text.to_string(),
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            missing: Some(field),
            ..Self::custom(format!("{field} is missing"))
        }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self {
            duplicate: Some(field),
            ..Self::custom(format!("{field} was read twice"))
        }
    }
}

/// Describes one value while serde reads it.
struct Tracer<'a> {
    tracing: &'a Tracing<'a>,
    /// Where in the whole schema `schema` stands.
    pointer: String,
    schema: &'a mut Value,
}

impl<'a> Tracer<'a> {
    fn inside<'b>(&'b mut self, step: &str) -> Tracer<'b> {
        let mut place = &mut *self.schema;
        for key in step.trim_start_matches('/').split('/') {
            place = &mut place[key];
        }
        *place = json!({});
        Tracer {
            tracing: self.tracing,
            pointer: format!("{}{step}", self.pointer),
            schema: place,
        }
    }

    fn whole<'de, V: Visitor<'de>>(self, visitor: V, min: Option<u64>, max: Option<u64>) -> Result<V::Value, Stop> {
        *self.schema = json!({ "type": "integer" });
        for (name, bound) in [("minimum", min), ("maximum", max)] {
            if let Some(bound) = bound {
                self.schema[name] = json!(bound);
            }
        }
        visitor.visit_u64(0)
    }
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Stop;

    /// Types that take several forms are told apart by the value; a text suits most of them.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_str("")
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        *self.schema = json!({ "type": "boolean" });
        visitor.visit_bool(false)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.whole(visitor, None, None)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.whole(visitor, Some(0), None)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.whole(visitor, Some(0), Some(u32::MAX.into()))
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        *self.schema = json!({ "type": "number" });
        visitor.visit_f64(0.0)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        *self.schema = json!({ "type": "string" });
        visitor.visit_str("")
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    /// A field that may be `null`. (Those whose type says nothing take it anyway.)
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let (tracing, pointer, schema) = (self.tracing, self.pointer, self.schema);
        let read = visitor.visit_some(Tracer {
            tracing,
            pointer,
            schema,
        });
        if let Some(kind) = schema.get("type").filter(|kind| kind.is_string()).cloned() {
            schema["type"] = json!([kind, "null"]);
        }
        if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut)
            && !words.contains(&Value::Null)
        {
            words.push(Value::Null);
        }
        read
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        *self.schema = json!({ "type": "array" });
        visitor.visit_seq(OneItem(Some(self.inside("/items"))))
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        *self.schema = json!({ "type": "object" });
        visitor.visit_map(OneEntry(Some(self.inside("/additionalProperties"))))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        *self.schema = json!({ "type": "object", "properties": {}, "additionalProperties": false });
        visitor.visit_map(Fields {
            tracer: self,
            left: fields.iter(),
            current: "",
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        *self.schema = json!({ "type": "string", "enum": variants });
        let first: StrDeserializer<'_, Stop> = variants.first().copied().unwrap_or_default().into_deserializer();
        visitor.visit_enum(first)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// Every field of a struct, once.
struct Fields<'a> {
    tracer: Tracer<'a>,
    left: std::slice::Iter<'static, &'static str>,
    current: &'static str,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        for field in self.left.by_ref() {
            let pointer = format!("{}/properties/{field}", self.tracer.pointer);
            let tracing = self.tracer.tracing;
            if tracing.omitted == Some(&*pointer) || tracing.aliases.contains_key(&pointer) {
                continue;
            }
            let before = format!("{}/properties/{}", self.tracer.pointer, self.current);
            tracing.last.replace((pointer.clone(), before));
            tracing.seen.borrow_mut().insert(pointer);
            self.current = field;
            let name: StrDeserializer<'_, Stop> = (*field).into_deserializer();
            return seed.deserialize(name).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        let step = format!("/properties/{}", self.current);
        seed.deserialize(self.tracer.inside(&step))
    }
}

/// A list of one.
struct OneItem<'a>(Option<Tracer<'a>>);

impl<'de> SeqAccess<'de> for OneItem<'_> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Stop> {
        self.0.take().map(|item| seed.deserialize(item)).transpose()
    }
}

/// A map of one entry without a name.
struct OneEntry<'a>(Option<Tracer<'a>>);

impl<'de> MapAccess<'de> for OneEntry<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        let name: StrDeserializer<'_, Stop> = "".into_deserializer();
        self.0.is_some().then(|| seed.deserialize(name)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        match self.0.take() {
            Some(value) => seed.deserialize(value),
            None => Err(Stop::custom("an entry has one value")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Color {
        Red,
        Blue,
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum Texts {
        One(String),
        Many(Vec<String>),
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Inner {
        id: String,
        count: Option<u32>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Outer {
        first_name: String,
        color: Option<Color>,
        texts: Option<Texts>,
        #[serde(default)]
        many: Vec<Inner>,
        by_name: Option<BTreeMap<String, bool>>,
        amount: i64,
        anything: Option<Value>,
        #[serde(rename = "utm_source", alias = "utmSource")]
        source: Option<String>,
        #[serde(alias = "externalId", alias = "ownId")]
        customer_id: String,
    }

    #[test]
    fn the_type_says_what_a_body_takes() {
        let schema = schema_of::<Outer>();
        assert_eq!(schema.get("x-unread"), None, "{schema}");
        let property = |name: &str| schema["properties"][name].clone();
        for (name, kind) in [
            ("firstName", json!({ "type": "string" })),
            (
                "color",
                json!({ "type": ["string", "null"], "enum": ["red", "blue", null] }),
            ),
            ("texts", json!({})),
            (
                "byName",
                json!({ "type": ["object", "null"], "additionalProperties": { "type": "boolean" } }),
            ),
            ("amount", json!({ "type": "integer" })),
            ("anything", json!({})),
        ] {
            assert_eq!(property(name), kind, "{name}");
        }
        assert_eq!(schema["required"], json!(["amount", "customerId", "firstName"]));
        for (alias, field) in [
            ("utmSource", "utm_source"),
            ("externalId", "customerId"),
            ("ownId", "customerId"),
        ] {
            let named = json!({ "type": property(field)["type"], "deprecated": true,
                "description": format!("Another name of `{field}`.") });
            assert_eq!(property(alias), named);
        }
        assert_eq!(property("many")["items"]["required"], json!(["id"]));
        assert_eq!(schema["additionalProperties"], false);
    }

    #[derive(Deserialize)]
    #[serde(try_from = "String")]
    struct Picky;

    impl TryFrom<String> for Picky {
        type Error = &'static str;

        fn try_from(_: String) -> Result<Self, &'static str> {
            Err("is never right")
        }
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct WithPicky {
        picky: Picky,
        last: String,
    }

    #[test]
    fn what_cannot_be_read_to_its_end_says_so() {
        assert_eq!(schema_of::<WithPicky>()["x-unread"], "is never right");
    }
}

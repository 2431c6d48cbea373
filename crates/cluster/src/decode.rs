//! Reads what the API server sends, one object at a time and without the managed fields: they are half of every object, and
//! nobody looks at them.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::{Map, Value};

/// What of `metadata` is never made.
const DROPPED: [&str; 2] = ["managedFields", "selfLink"];

/// An object without its managed fields. What is no object is read as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pruned(pub(crate) Value);

/// What a page of a list says of the whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The version of the list, the same on every page.
    pub(crate) version: String,
    /// Where the next page begins; empty after the last one.
    pub(crate) next: String,
}

/// Reads a page of a list and hands its objects on, one after the other.
pub(crate) fn page(text: &[u8], each: &mut dyn FnMut(Value)) -> serde_json::Result<Place> {
    let mut read = serde_json::Deserializer::from_slice(text);
    let place = List(each).deserialize(&mut read)?;
    read.end()?;
    Ok(place)
}

impl<'de> Deserialize<'de> for Pruned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Part { is_metadata: false }).map(Self)
    }
}

/// An object or its metadata.
#[derive(Clone, Copy)]
struct Part {
    is_metadata: bool,
}

impl<'de> DeserializeSeed<'de> for Part {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut read: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = read.next_key::<String>()? {
            if self.is_metadata && DROPPED.contains(&key.as_str()) {
                read.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = match !self.is_metadata && key == "metadata" {
                true => read.next_value_seed(Self { is_metadata: true })?,
                false => read.next_value()?,
            };
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, read: A) -> Result<Value, A::Error> {
        Value::deserialize(de::value::SeqAccessDeserializer::new(read))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

/// A list, whose objects go to whoever takes them.
struct List<'e>(&'e mut dyn FnMut(Value));

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = Place;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Place, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = Place;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut read: A) -> Result<Place, A::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        #[derive(Default)]
        struct Metadata {
            resource_version: String,
            #[serde(rename = "continue")]
            next: String,
        }
        let (mut metadata, mut listed) = (None, false);
        while let Some(key) = read.next_key::<String>()? {
            match key.as_str() {
                "metadata" => metadata = Some(read.next_value::<Metadata>()?),
                "items" => {
                    read.next_value_seed(Items(&mut *self.0))?;
                    listed = true;
                }
                _ => _ = read.next_value::<IgnoredAny>()?,
            }
        }
        // An answer that is no list must not be taken for one without objects.
        match (metadata, listed) {
            (Some(Metadata { resource_version: version, next }), true) => Ok(Place { version, next }),
            _ => Err(A::Error::custom("it is no list")),
        }
    }
}

struct Items<'e>(&'e mut dyn FnMut(Value));

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut read: A) -> Result<(), A::Error> {
        while let Some(Pruned(object)) = read.next_element()? {
            (self.0)(object);
        }
        Ok(())
    }

    /// As an empty list is written by some servers.
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn managed_fields_are_dropped_and_nothing_else() {
        let object = json!({
            "kind": "Rollout",
            "metadata": { "name": "a", "managedFields": [{ "f:spec": {} }], "selfLink": "/a", "labels": { "b": "c" } },
            "spec": { "metadata": { "managedFields": [1, -2, 2.5, true, null, "x"] } },
        });
        let Pruned(read) = serde_json::from_str(&object.to_string()).unwrap();
        let left = json!({
            "kind": "Rollout",
            "metadata": { "name": "a", "labels": { "b": "c" } },
            "spec": { "metadata": { "managedFields": [1, -2, 2.5, true, null, "x"] } },
        });
        assert_eq!(read, left);
        assert_eq!(read.to_string(), left.to_string(), "fields keep their order");
        for other in [json!(null), json!([1, { "metadata": { "managedFields": 2 } }]), json!("text"), json!(-1.5)] {
            assert_eq!(serde_json::from_str::<Pruned>(&other.to_string()).unwrap().0, other);
        }
    }

    #[test]
    fn a_page_hands_its_objects_on_and_says_where_the_next_one_begins() {
        let read = |text: &str| {
            let mut items = Vec::new();
            page(text.as_bytes(), &mut |item| items.push(item)).map(|place| (items, place))
        };
        let place = |version: &str, next: &str| Place { version: version.into(), next: next.into() };
        let text = r#"{"items":[{"metadata":{"name":"a","managedFields":[]}},{}],"kind":"L","metadata":{"continue":"n","remainingItemCount":3,"resourceVersion":"7"}}"#;
        assert_eq!(read(text).unwrap(), (vec![json!({ "metadata": { "name": "a" } }), json!({})], place("7", "n")));
        let (none, last) = read(r#"{"metadata":{"resourceVersion":"7"},"items":null}"#).unwrap();
        assert_eq!((none.len(), last), (0, place("7", "")));
        for wrong in [
            r#"{"metadata":{}}"#,
            r#"{"items":[]}"#,
            r#"{"items":[{}],"metadata":{}"#,
            r#"{"items":{},"metadata":{}}"#,
            "[]",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}

//! Where the templates of a request find their values: one scope of names.
//!
//! Owns how a name is written and how it is looked up. Refuses to know where values come from: arguments over defaults,
//! captures of earlier steps, the `item` of a list and the `cursor` of a page all stand in the same scope.

use std::borrow::Cow;

use serde_json::Value;

use super::RenderError;
use super::arguments::scalar_text;
use super::placeholder::is_name;

/// The name of the one place that has fields: an item of a list.
pub(super) const ITEM: &str = "item";

/// One scope of names.
pub(super) trait Places {
    /// The value that a name without dots stands for; nothing when it is absent.
    fn value(&self, name: &str) -> Option<&Value>;

    /// The id of the call, which no other call has; nothing where there is no call.
    fn unique(&self) -> Option<&str> {
        None
    }

    /// The value that a name stands for; `item.id` is the field `id` of `item`. Nothing when it, or what it stands in, is
    /// absent. A field that is null is absent.
    fn find(&self, name: &str) -> Option<&Value> {
        let mut keys = name.split('.');
        let first = self.value(keys.next()?)?;
        keys.try_fold(first, |value, key| {
            value.get(key).filter(|field| !field.is_null())
        })
    }
}

impl dyn Places + '_ {
    /// The value as the text that goes into an address or a header: a text, a number or a boolean.
    pub(super) fn text(&self, name: &str) -> Result<Option<Cow<'_, str>>, RenderError> {
        self.find(name)
            .map(|value| {
                scalar_text(value).ok_or_else(|| {
                    RenderError::refused(name, "is neither a text nor a number nor a boolean")
                })
            })
            .transpose()
    }
}

/// A scope in which `item` is one item of a list, and every other name what it is outside.
pub(super) struct WithItem<'a> {
    pub(super) outside: &'a dyn Places,
    pub(super) item: &'a Value,
}

impl Places for WithItem<'_> {
    fn value(&self, name: &str) -> Option<&Value> {
        if name == ITEM {
            Some(self.item)
        } else {
            self.outside.value(name)
        }
    }

    fn unique(&self) -> Option<&str> {
        self.outside.unique()
    }
}

/// A scope in which the id of the call is known.
pub(super) struct InCall<'a> {
    pub(super) outside: &'a dyn Places,
    pub(super) unique: &'a str,
}

impl Places for InCall<'_> {
    fn value(&self, name: &str) -> Option<&Value> {
        self.outside.value(name)
    }

    fn unique(&self) -> Option<&str> {
        Some(self.unique)
    }
}

/// Whether `name` can name a value: a name, or `item.` and the fields that lead to it.
pub(super) fn is_place(name: &str) -> bool {
    match name.split_once('.') {
        None => is_name(name),
        Some((first, fields)) => first == ITEM && fields.split('.').all(is_field),
    }
}

/// The name without the fields behind it: what must be in scope.
pub(super) fn root(name: &str) -> &str {
    name.split_once('.').map_or(name, |(first, _)| first)
}

fn is_field(field: &str) -> bool {
    !field.is_empty()
        && field
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '@'))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::catalogue::arguments::Arguments;
    use crate::catalogue::inputs::Inputs;

    #[test]
    fn an_item_shadows_nothing_but_item() {
        let inputs = json!({"id": {"type": "string"}});
        let inputs = Inputs::try_from(inputs.as_object().unwrap().clone()).unwrap();
        let given = json!({"id": "outer"});
        let outside = Arguments {
            given: given.as_object().unwrap(),
            inputs: &inputs,
        };
        let item = json!({"id": 7, "user": {"name": "Ada", "mail": null}});
        let inside = WithItem {
            outside: &outside,
            item: &item,
        };
        assert_eq!(inside.find("id"), Some(&json!("outer")));
        assert_eq!(inside.find("item.id"), Some(&json!(7)));
        assert_eq!(inside.find("item.user.name"), Some(&json!("Ada")));
        assert_eq!(inside.find("item.user.mail"), None);
        assert_eq!(inside.find("item.none.at_all"), None);
        assert_eq!(outside.find("item.id"), None);
        let places: &dyn Places = &inside;
        assert_eq!(places.text("item.id").unwrap().as_deref(), Some("7"));
        assert!(places.text("item.user").is_err());
        let nothing = Arguments {
            given: &Map::new(),
            inputs: &inputs,
        };
        assert_eq!(nothing.find("id"), None);
    }

    #[test]
    fn only_items_have_fields() {
        for good in ["id", "item", "item.id", "item.user.displayName", "item.@id"] {
            assert!(is_place(good), "{good}");
        }
        for bad in ["", "Id", "id.x", "item.", "item..a", ".item", "item.a b"] {
            assert!(!is_place(bad), "{bad}");
        }
        assert_eq!((root("item.id"), root("id")), ("item", "id"));
    }
}

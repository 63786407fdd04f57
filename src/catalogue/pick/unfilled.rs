//! Which parts of a pick found nothing in any of several outputs: most likely their paths lead nowhere.

use serde_json::Value;

use super::node::{Node, TemplatePiece};

/// A place of the output that nothing filled.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::catalogue) struct Unfilled {
    /// The place, as in `issues[].title`.
    pub(in crate::catalogue) place: String,
    /// Where the file looks for it, as in `fields.summary`.
    pub(in crate::catalogue) source: String,
}

impl Node {
    /// Adds what is missing in all of `found`: the values that stand at `place` in the outputs there are.
    pub(super) fn unfilled(&self, place: &str, found: &[&Value], missing: &mut Vec<Unfilled>) {
        match self {
            Self::Object(fields) => {
                for (key, node) in fields {
                    node.unfilled(&below(place, key), &fields_of(found, key), missing);
                }
            }
            Self::List(list) => {
                let items = items_of(found);
                match items.as_slice() {
                    [] => missing.push(Unfilled::new(place, list.each.to_string())),
                    items => list.pick.unfilled(&format!("{place}[]"), items, missing),
                }
            }
            Self::Entries(entries) => {
                let items = items_of(found);
                match (items.as_slice(), &entries.pick) {
                    ([], _) => missing.push(Unfilled::new(place, entries.fields.to_string())),
                    (items, pick @ Self::Object(_)) => {
                        pick.unfilled(&format!("{place}[]"), items, missing);
                    }
                    (items, pick) => {
                        let values = fields_of(items, "value");
                        pick.unfilled(&format!("{place}[].value"), &values, missing);
                    }
                }
            }
            // What an argument says is not looked for in a reply.
            Self::Argument(_) | Self::Constant(_) => {}
            Self::Field(_)
            | Self::Apply(_)
            | Self::First(_)
            | Self::Header(_)
            | Self::Template(_)
            | Self::Cut(_) => {
                if found.is_empty() {
                    missing.push(Unfilled::new(place, self.source()));
                }
            }
        }
    }

    /// Where it looks, in the words of the file.
    fn source(&self) -> String {
        match self {
            Self::Field(path) => path.to_string(),
            Self::Apply(apply) => apply.to.to_string(),
            Self::Cut(cut) => cut.cut.to_string(),
            Self::First(first) => {
                let paths: Vec<String> = first.first.iter().map(ToString::to_string).collect();
                paths.join(" or ")
            }
            Self::Header(name) => format!("the header {name}"),
            Self::Template(pieces) => pieces.iter().map(TemplatePiece::written).collect(),
            Self::Object(_)
            | Self::List(_)
            | Self::Entries(_)
            | Self::Argument(_)
            | Self::Constant(_) => String::new(),
        }
    }
}

impl TemplatePiece {
    fn written(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Field(path) => format!("{{{path}}}"),
            Self::Argument(name) => format!("{{${name}}}"),
        }
    }
}

impl Unfilled {
    fn new(place: &str, source: String) -> Self {
        Self {
            place: place.to_owned(),
            source,
        }
    }
}

fn below(place: &str, key: &str) -> String {
    match place {
        "" => key.to_owned(),
        place => format!("{place}.{key}"),
    }
}

fn fields_of<'v>(found: &[&'v Value], key: &str) -> Vec<&'v Value> {
    found.iter().filter_map(|value| value.get(key)).collect()
}

fn items_of<'v>(found: &[&'v Value]) -> Vec<&'v Value> {
    let lists = found.iter().filter_map(|value| value.as_array());
    lists.flatten().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Pick;
    use super::*;

    fn unfilled(pick: Value, outputs: &[Value]) -> Vec<String> {
        let outputs: Vec<&Value> = outputs.iter().collect();
        let missing = Pick::try_from(pick).unwrap().unfilled(&outputs);
        let lines = missing.iter();
        lines
            .map(|one| format!("{} < {}", one.place, one.source))
            .collect()
    }

    #[test]
    fn what_no_output_has_is_named_with_its_path() {
        let pick = json!({
            "id": "id",
            "who": {"name": "user.name", "mail": "user.mail"},
            "notes": {"each": "data", "pick": {"title": "t", "url": {"template": "https://x.example/{slug}/{$id}"}}},
            "tags": {"each": "tags", "pick": "name"},
            "text": {"first": ["a.b", "c"]},
            "place": {"header": "Location"},
            "given": {"argument": "id"},
            "ok": {"constant": true},
        });
        let outputs = [
            json!({"id": 1, "who": {"name": "Ada"}, "notes": [{"title": "T"}], "tags": []}),
            json!({"notes": []}),
        ];
        assert_eq!(
            unfilled(pick.clone(), &outputs),
            [
                "who.mail < user.mail",
                "notes[].url < https://x.example/{slug}/{$id}",
                "tags < tags",
                "text < a.b or c",
                "place < the header location",
            ]
        );
        let whole = json!({"who": {"mail": "a@b.example"}, "notes": [{"url": "u"}], "tags": ["x"], "text": "t", "place": "p"});
        let outputs = [outputs[0].clone(), whole];
        assert_eq!(unfilled(pick, &outputs), Vec::<String>::new());
    }

    #[test]
    fn entries_are_lists_of_what_stands_in_an_object() {
        let of_objects =
            json!({"fields": {"entries": "fields", "key": "name", "pick": {"type": "kind"}}});
        let of_values = json!({"fields": {"entries": "fields", "key": "name", "pick": "kind"}});
        let output = json!({"fields": [{"name": "a"}]});
        assert_eq!(
            unfilled(of_objects, std::slice::from_ref(&output)),
            ["fields[].type < kind"]
        );
        assert_eq!(
            unfilled(of_values.clone(), &[output]),
            ["fields[].value < kind"]
        );
        assert_eq!(
            unfilled(of_values, &[json!({"fields": []})]),
            ["fields < fields"]
        );
    }
}

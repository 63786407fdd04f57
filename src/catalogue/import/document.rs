//! An `OpenAPI` document as a tree, with references that stay within it.

use serde_json::{Map, Value};

use super::ImportError;

/// How often a reference may lead to another one.
const MOST_HOPS: usize = 8;
/// The methods that a tool can have, in the order in which operations are listed.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// More operations than any API has; a document with more is not read to its end.
const MOST_OPERATIONS: usize = 20_000;

/// A whole document.
pub(super) struct Document {
    root: Value,
}

/// One operation, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Operation<'d> {
    pub(super) method: &'static str,
    pub(super) path: &'d str,
    /// What all operations of the path share.
    pub(super) item: &'d Map<String, Value>,
    pub(super) body: &'d Map<String, Value>,
}

impl<'d> Operation<'d> {
    pub(super) fn text(&self, key: &str) -> Option<&'d str> {
        self.body.get(key).and_then(Value::as_str)
    }

    pub(super) fn tags(&self) -> impl Iterator<Item = &'d str> {
        let tags = self.body.get("tags").and_then(Value::as_array);
        tags.into_iter().flatten().filter_map(Value::as_str)
    }

    /// How a person names it.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), self.path)
    }
}

impl Document {
    /// Reads JSON or YAML.
    pub(super) fn parse(text: &str) -> Result<Self, ImportError> {
        let root: Value = match serde_json::from_str(text) {
            Ok(root) => root,
            Err(json) if text.trim_start().starts_with(['{', '[']) => {
                return Err(ImportError::NotADocument(json.to_string()));
            }
            Err(_) => {
                let options = serde_saphyr::options! {
                    budget: serde_saphyr::budget! {
                        max_events: 8_000_000,
                        max_depth: 100,
                    },
                };
                serde_saphyr::from_str_with_options(text, options)
                    .map_err(|error| ImportError::NotADocument(first_line(&error.to_string())))?
            }
        };
        let version = root.get("openapi").and_then(Value::as_str);
        if version.is_none_or(|version| !version.starts_with("3.")) {
            let found = version
                .or_else(|| root.get("swagger").and_then(Value::as_str))
                .map(|version| format!(" (it says `{}`)", super::text::one_line(version, 20)))
                .unwrap_or_default();
            return Err(ImportError::NotOpenApi { found });
        }
        Ok(Self { root })
    }

    /// A value of the document, by the keys that lead there.
    pub(super) fn at(&self, keys: &[&str]) -> Option<&Value> {
        keys.iter()
            .try_fold(&self.root, |value, key| value.get(key))
    }

    /// What a value stands for: itself, or what its reference leads to, within the document only.
    pub(super) fn resolve<'d>(&'d self, mut value: &'d Value) -> Option<&'d Value> {
        for _ in 0..MOST_HOPS {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
                return Some(value);
            };
            value = self.root.pointer(reference.strip_prefix('#')?)?;
        }
        None
    }

    /// Every operation, in the order of the document.
    pub(super) fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let paths = self.at(&["paths"]).and_then(Value::as_object);
        let operations = paths.into_iter().flatten().flat_map(|(path, item)| {
            let item = self.resolve(item).and_then(Value::as_object);
            METHODS.iter().filter_map(move |method| {
                let item = item?;
                Some(Operation {
                    method,
                    path,
                    item,
                    body: item.get(*method)?.as_object()?,
                })
            })
        });
        operations.take(MOST_OPERATIONS)
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn json_and_yaml_are_read() {
        let json = r##"{"openapi": "3.1.0", "paths": {"/a": {"get": {}, "delete": {}}, "/b": {"$ref": "#/c"}}, "c": {"post": {}}}"##;
        let names =
            |document: &Document| document.operations().map(|o| o.name()).collect::<Vec<_>>();
        let document = Document::parse(json).unwrap();
        assert_eq!(names(&document), ["GET /a", "DELETE /a", "POST /b"]);
        let yaml = "openapi: 3.0.3\npaths:\n  /a:\n    get: {summary: List}\n";
        assert_eq!(names(&Document::parse(yaml).unwrap()), ["GET /a"]);
    }

    #[test]
    fn other_documents_are_refused_in_a_sentence() {
        let refuse = |text: &str| Document::parse(text).err().unwrap().to_string();
        assert!(refuse("{\"openapi\": ").starts_with("this is neither JSON nor YAML"));
        assert!(refuse("{\"swagger\": \"2.0\"}").contains("(it says `2.0`)"));
        assert!(refuse("just words").contains("no OpenAPI 3 document"));
    }

    #[test]
    fn references_go_round_in_circles_or_outside_to_nothing() {
        let text = r##"{"openapi": "3.0.0", "a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}, "c": {"$ref": "https://example.com/x"}}"##;
        let document = Document::parse(text).unwrap();
        for key in ["a", "c"] {
            assert!(
                document.resolve(document.at(&[key]).unwrap()).is_none(),
                "{key}"
            );
        }
    }

    #[test]
    fn a_document_that_multiplies_itself_is_refused() {
        let mut bomb = String::from("openapi: 3.0.0\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            let items = [before.as_str(); 10].join(", ");
            writeln!(bomb, "a{level}: &a{level} [{items}]").unwrap();
        }
        assert!(Document::parse(&bomb).is_err());
        let deep = format!(
            "openapi: 3.0.0\na: {}{}",
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert!(Document::parse(&deep).is_err());
    }
}

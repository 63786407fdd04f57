//! The text of one GraphQL operation, read as far as the checks need it: its kind, and its variables.
//!
//! What the fields mean only the provider's schema can tell. A document of a file holds exactly one operation and no
//! fragments: what a tool asks for is to be read in one place.

use std::collections::BTreeSet;

use serde::Deserialize;

/// The text of one operation.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Document {
    text: String,
    operation: Operation,
    declared: Vec<DeclaredVariable>,
    used: BTreeSet<String>,
}

/// What an operation may do (GraphQL specification, section 2.3). Subscriptions have no place in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// It reads.
    Query,
    /// It may write.
    Mutation,
}

/// A variable as the document declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeclaredVariable {
    pub(super) name: String,
    /// Its type ends with `!` and it has no default: the request fails without it.
    pub(super) required: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'t> {
    Name(&'t str),
    Variable(&'t str),
    Mark(char),
    /// A number or a text.
    Literal,
}

impl TryFrom<String> for Document {
    type Error = String;

    fn try_from(source: String) -> Result<Self, String> {
        let text = source.trim().to_owned();
        let (operation, declared, used) = {
            let tokens = tokens(&text)?;
            let (operation, rest) = operation(&tokens)?;
            let (head, selection) = match rest.iter().position(|token| *token == Token::Mark('{')) {
                Some(at) => rest.split_at(at),
                None => return Err("the document selects nothing".to_owned()),
            };
            check_braces(selection)?;
            (operation, declared(head), used(selection))
        };
        Ok(Self {
            text,
            operation,
            declared,
            used,
        })
    }
}

impl Document {
    /// The text as it is sent.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it reads or writes.
    pub(super) fn operation(&self) -> Operation {
        self.operation
    }

    /// The variables that the operation declares.
    pub(super) fn declared(&self) -> &[DeclaredVariable] {
        &self.declared
    }

    /// The variables that its fields use.
    pub(super) fn used(&self) -> &BTreeSet<String> {
        &self.used
    }
}

/// The kind of the operation, and what follows the word for it.
fn operation<'s, 't>(tokens: &'s [Token<'t>]) -> Result<(Operation, &'s [Token<'t>]), String> {
    match tokens.split_first() {
        Some((Token::Mark('{'), _)) => Ok((Operation::Query, tokens)),
        Some((Token::Name("query"), rest)) => Ok((Operation::Query, rest)),
        Some((Token::Name("mutation"), rest)) => Ok((Operation::Mutation, rest)),
        _ => Err("the document starts with neither `query` nor `mutation`".to_owned()),
    }
}

/// The variables of the part before the fields: `($id: String!, $first: Int = 20)`.
fn declared(head: &[Token<'_>]) -> Vec<DeclaredVariable> {
    let mut declared: Vec<DeclaredVariable> = Vec::new();
    let (mut lists, mut has_default) = (0_usize, false);
    for token in head {
        match token {
            Token::Variable(name) => {
                has_default = false;
                declared.push(DeclaredVariable {
                    name: (*name).to_owned(),
                    required: false,
                });
            }
            Token::Mark('[') => lists += 1,
            Token::Mark(']') => lists = lists.saturating_sub(1),
            Token::Mark('!') if lists == 0 && !has_default => {
                if let Some(variable) = declared.last_mut() {
                    variable.required = true;
                }
            }
            Token::Mark('=') => {
                has_default = true;
                if let Some(variable) = declared.last_mut() {
                    variable.required = false;
                }
            }
            _ => {}
        }
    }
    declared
}

fn used(selection: &[Token<'_>]) -> BTreeSet<String> {
    let variables = selection.iter().filter_map(|token| match token {
        Token::Variable(name) => Some((*name).to_owned()),
        _ => None,
    });
    variables.collect()
}

/// Every brace is closed, and nothing follows the last one.
fn check_braces(selection: &[Token<'_>]) -> Result<(), String> {
    let mut open = Vec::new();
    for (index, token) in selection.iter().enumerate() {
        let Token::Mark(mark) = token else { continue };
        match mark {
            '{' => open.push('}'),
            '(' => open.push(')'),
            '[' => open.push(']'),
            '}' | ')' | ']' if open.pop() != Some(*mark) => {
                return Err(format!("the document closes `{mark}` where it is not open"));
            }
            _ => {}
        }
        if open.is_empty() && index + 1 < selection.len() {
            return Err("the document holds more than one operation".to_owned());
        }
    }
    open.pop().map_or(Ok(()), |mark| {
        Err(format!("the document never closes with `{mark}`"))
    })
}

/// The tokens of a document (GraphQL specification, section 2.1); white space, commas and comments have no meaning.
fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            ' ' | '\t' | '\r' | '\n' | ',' => 1,
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' => {
                tokens.push(Token::Literal);
                text_length(rest).ok_or("the document opens a text that is never closed")?
            }
            '$' => {
                let length = name_length(&rest[1..]);
                if length == 0 {
                    return Err("the document has a `$` without a name".to_owned());
                }
                tokens.push(Token::Variable(&rest[1..=length]));
                length + 1
            }
            '0'..='9' | '-' => {
                tokens.push(Token::Literal);
                1 + name_length(&rest[1..])
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = name_length(rest);
                tokens.push(Token::Name(&rest[..length]));
                length
            }
            '{' | '}' | '(' | ')' | '[' | ']' | ':' | '=' | '!' | '@' | '|' | '&' | '.' => {
                tokens.push(Token::Mark(first));
                1
            }
            other => {
                return Err(format!(
                    "the document has a `{}` where none can stand",
                    other.escape_default()
                ));
            }
        };
        rest = &rest[length..];
    }
    Ok(tokens)
}

fn name_length(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len())
}

/// The length of the text that starts here, quotes included.
fn text_length(text: &str) -> Option<usize> {
    if let Some(block) = text.strip_prefix("\"\"\"") {
        return block.find("\"\"\"").map(|end| end + 6);
    }
    let mut is_escaped = false;
    for (index, character) in text.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some(index + 1),
            '\n' => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn document(text: &str) -> Result<Document, String> {
        Document::try_from(text.to_owned())
    }

    #[test]
    fn kind_and_variables_are_read() {
        let text = r#"
            # { not this }
            query Issues($id: String!, $tags: [String!], $all: [Int!]!, $first: Int = 20, $key: String! = "a\"}")
            { issue(id: $id, tags: $tags, note: "$nothing }") { id, first(first: $first) { nodes { id } } } }
        "#;
        let read = document(text).unwrap();
        assert_eq!(read.operation(), Operation::Query);
        let declared: Vec<(&str, bool)> = read
            .declared()
            .iter()
            .map(|variable| (variable.name.as_str(), variable.required))
            .collect();
        let expected = [
            ("id", true),
            ("tags", false),
            ("all", true),
            ("first", false),
            ("key", false),
        ];
        assert_eq!(declared, expected);
        let used: Vec<&str> = read.used().iter().map(String::as_str).collect();
        assert_eq!(used, ["first", "id", "tags"]);
        assert_eq!(read.text(), text.trim());
        assert_eq!(
            document("mutation { a }").unwrap().operation(),
            Operation::Mutation
        );
        assert_eq!(
            document("{ a(b: \"\"\"} \" {\"\"\") }")
                .unwrap()
                .operation(),
            Operation::Query
        );
    }

    #[test]
    fn what_is_no_single_operation_is_refused() {
        for (text, words) in [
            ("", "neither `query` nor `mutation`"),
            ("subscription { a }", "neither `query` nor `mutation`"),
            ("query A", "selects nothing"),
            ("query A { a } query B { b }", "more than one operation"),
            (
                "query A { ...F } fragment F on T { a }",
                "more than one operation",
            ),
            ("query A { a", "never closes"),
            ("query A { a ) }", "not open"),
            ("query A { a(b: \"c) }", "never closed"),
            ("query A { a(b: $) }", "without a name"),
            ("query A { a; }", "where none can stand"),
        ] {
            let error = document(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*", noise in "[{}()\\[\\]$!=:\"#a \\n\\\\]*") {
            let _ = document(&text);
            let _ = document(&format!("query A {noise}"));
            if let Ok(read) = document(&format!("query A($a: B) {{ a {noise} }}")) {
                prop_assert_eq!(read.operation(), Operation::Query);
            }
        }
    }
}

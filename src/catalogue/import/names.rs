//! Names of ours, made of names of others.

use std::collections::BTreeSet;

/// Longer names are cut off by clients that put the name of the server before them.
const LONGEST: usize = 40;

/// `petId`, `pet-id` and `Pet ID` become `pet_id`; nothing when no letter is left.
pub(super) fn snake_case(name: &str) -> Option<String> {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut before = ' ';
    for character in name.chars().take(200) {
        if character.is_ascii_alphanumeric() {
            let begins_a_word = character.is_ascii_uppercase()
                && (before.is_ascii_lowercase() || before.is_ascii_digit());
            if begins_a_word && !snake.ends_with('_') {
                snake.push('_');
            }
            snake.push(character.to_ascii_lowercase());
        } else if !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        before = character;
    }
    let snake = snake.trim_matches('_');
    let begins_well = snake.starts_with(|c: char| c.is_ascii_lowercase());
    match (snake.is_empty(), begins_well) {
        (true, _) => None,
        (false, true) => Some(snake.to_owned()),
        (false, false) => Some(format!("n_{snake}")),
    }
}

/// Gives each thing a name that no other has.
#[derive(Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// `wanted`, cut at a word, or with a number behind it when it is taken.
    pub(super) fn free(&mut self, wanted: &str) -> String {
        let mut name = cut(wanted, LONGEST);
        let mut number = 2;
        while !self.0.insert(name.clone()) {
            let suffix = format!("_{number}");
            name = format!("{}{suffix}", cut(wanted, LONGEST - suffix.len()));
            number += 1;
        }
        name
    }
}

fn cut(name: &str, limit: usize) -> String {
    if name.len() <= limit {
        return name.to_owned();
    }
    let head = &name[..limit];
    let end = head
        .rfind('_')
        .filter(|end| *end > limit / 2)
        .unwrap_or(limit);
    head[..end].trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_become_names_of_ours() {
        for (theirs, ours) in [
            ("petId", Some("pet_id")),
            ("X-Request-ID", Some("x_request_id")),
            ("filter[name]", Some("filter_name")),
            ("HTMLUrl", Some("htmlurl")),
            ("2fa", Some("n_2fa")),
            ("\"]\n[x]", Some("x")),
            ("é!", None),
        ] {
            assert_eq!(snake_case(theirs).as_deref(), ours, "{theirs}");
        }
    }

    #[test]
    fn no_name_is_given_twice_and_none_is_too_long() {
        let mut names = Names::default();
        let long = "helpdesk_list_all_open_tickets_of_one_single_queue";
        assert_eq!(names.free("helpdesk_get"), "helpdesk_get");
        assert_eq!(names.free("helpdesk_get"), "helpdesk_get_2");
        for _ in 0..3 {
            assert!(names.free(long).len() <= LONGEST);
        }
    }
}

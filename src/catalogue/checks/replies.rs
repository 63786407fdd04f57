//! How replies are read: pages go on where the templates say, what an output names is there, and every rule is reached.

use std::collections::BTreeMap;

use super::Report;
use crate::catalogue::RefusalKind;
use crate::catalogue::error_rules::ErrorRule;
use crate::catalogue::file::ToolFile;
use crate::catalogue::pagination::Pagination;
use crate::catalogue::problem::ParsedFile;
use crate::catalogue::reply::ReplyShape;
use crate::catalogue::scope::CURSOR;
use crate::catalogue::url_template::UrlTemplate;

/// A place that nothing fills sends the first page for ever; a cursor without a place does the same.
pub(super) fn cursor_has_its_place(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        for tool in &file.provider.tools {
            let Some(pagination) = &tool.pagination else {
                continue;
            };
            let turned = pagination.going_on.as_ref().unwrap_or(&tool.request);
            let has_place = turned.places().contains(&CURSOR);
            let problem = match (pagination.has_a_place(), has_place) {
                (true, false) => "no template of the next page has a place for the cursor",
                (false, true) => {
                    "the next link fills the query by itself, and a template has a place for the cursor too"
                }
                _ => continue,
            };
            report.add(
                file,
                format!("tool {}.pagination", tool.name),
                problem,
                "write `\"$cursor\"` where the provider wants it, and nowhere with `next_link`",
            );
        }
    }
}

/// An output that names what is not there would always leave it out.
pub(super) fn outputs_name_what_is_there(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        for tool in &file.provider.tools {
            for name in named(tool) {
                if is_in_scope(tool, name) || is_kept_of_login(file, tool, name) {
                    continue;
                }
                report.add(
                    file,
                    format!("tool {}", tool.name),
                    format!("the output names `{name}`, which is neither an input nor a capture"),
                    "correct the name, or declare the input; what a tenant has is known where the address depends on one",
                );
            }
            let size = tool.pagination.as_ref().and_then(Pagination::size);
            if let Some(size) = size.filter(|size| tool.inputs.get(size).is_none()) {
                report.add(
                    file,
                    format!("tool {}.pagination", tool.name),
                    format!("`size` is `${size}`, which is no input"),
                    "name the input that says how many items a page has",
                );
            }
        }
    }
}

fn shapes(tool: &ToolFile) -> impl Iterator<Item = &ReplyShape> {
    let steps = tool.steps.iter().filter_map(|step| step.answers.as_ref());
    std::iter::once(&tool.reply).chain(steps)
}

/// Every place that the outputs of a tool name.
pub(super) fn named(tool: &ToolFile) -> Vec<&str> {
    shapes(tool).flat_map(ReplyShape::arguments).collect()
}

/// What the login captured is known in every call, what a tenant has in calls that go to one.
fn is_kept_of_login(file: &ParsedFile, tool: &ToolFile, name: &str) -> bool {
    let oauth = &file.provider.oauth;
    let of_tenant = oauth.tenants.as_ref().map(|tenants| &tenants.captures);
    let goes_to_one = |captures: &BTreeMap<_, _>| {
        let bases = tool.requests().map(|request| match &request.base {
            None => Some(&file.provider.base_url),
            Some(base) => file.provider.bases.get(base),
        });
        let mut names = bases.flatten().flat_map(UrlTemplate::variables);
        names.any(|variable| captures.contains_key(variable))
    };
    oauth.capture.contains_key(name)
        || of_tenant.is_some_and(|captures| captures.contains_key(name) && goes_to_one(captures))
}

/// Whether an input or a capture of the tool has this name.
pub(super) fn is_in_scope(tool: &ToolFile, name: &str) -> bool {
    let captured = tool.steps.iter().map(|step| &step.captures);
    let mut captured = captured.chain(tool.poll.iter().map(|poll| &poll.captures));
    tool.inputs.get(name).is_some()
        || captured.any(|captures| captures.names().any(|capture| capture == name))
}

pub(super) fn transforms_face_their_way(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        for tool in &file.provider.tools {
            let mut picks = shapes(tool).flat_map(ReplyShape::picks);
            if picks.any(crate::catalogue::pick::Pick::misplaced_transforms) {
                report.add(
                    file,
                    format!("tool {}.pick", tool.name),
                    "a transform for requests is applied to a reply",
                    "use one that reads; providers/README.md lists both kinds",
                );
            }
        }
    }
}

/// The rules of a product stand before those of its provider on purpose, and so do those of a tool: each list is looked at
/// by itself.
pub(super) fn error_rules_can_be_reached(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        if file.is_provider() {
            report_unreachable(file, "error", &file.provider.errors, report);
        }
        for tool in &file.provider.tools {
            let place = format!("tool {}.error", tool.name);
            report_unreachable(file, &place, &tool.errors, report);
        }
    }
}

fn report_unreachable(file: &ParsedFile, place: &str, rules: &[ErrorRule], report: &mut Report) {
    for (at, rule) in rules.iter().enumerate() {
        if let Some(before) = rules[..at]
            .iter()
            .position(|before| before.when.covers(&rule.when))
        {
            report.add(
                file,
                place,
                format!(
                    "rule {} is never reached: rule {} fits every reply that it fits",
                    at + 1,
                    before + 1
                ),
                "put the rule that asks for more first, or remove it",
            );
        }
    }
}

/// Where a rule of a tool or a product takes a dead token for something else.
pub(super) fn hidden_dead_tokens(file: &ParsedFile) -> Vec<String> {
    let dead = |rule: &&ErrorRule| rule.is == RefusalKind::TokenInvalid;
    let hides = |rule: &ErrorRule, token: &ErrorRule| {
        rule.is != RefusalKind::TokenInvalid && rule.when.covers(&token.when)
    };
    let rules = &file.provider.errors;
    let of_file = rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| dead(rule))
        .any(|(at, token)| rules[..at].iter().any(|rule| hides(rule, token)));
    let mut places: Vec<String> = of_file.then(|| "error".to_owned()).into_iter().collect();
    for tool in &file.provider.tools {
        let mut tokens = rules.iter().filter(dead);
        if tokens.any(|token| tool.errors.iter().any(|rule| hides(rule, token))) {
            places.push(format!("tool {}.error", tool.name));
        }
    }
    places
}

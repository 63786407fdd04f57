//! The requests of a tool besides its own: steps, items of a list, polls, later pages. What they name is there when they
//! are written, and what they change is said.

use std::collections::BTreeSet;

use super::Report;
use super::tools::is_sentence;
use crate::catalogue::ACCOUNT_ARGUMENT;
use crate::catalogue::file::ToolFile;
use crate::catalogue::graphql_document::Operation;
use crate::catalogue::path_template::Span;
use crate::catalogue::placeholder::is_name;
use crate::catalogue::places::{ITEM, root};
use crate::catalogue::problem::ParsedFile;
use crate::catalogue::request::RequestTemplate;
use crate::catalogue::scope::CURSOR;
use crate::catalogue::step::{MOST_STEPS, Step};

/// Names that something else stands for.
const TAKEN: [&str; 4] = [ACCOUNT_ARGUMENT, CURSOR, ITEM, "unique"];

/// A request of a tool, and what is in scope besides the tool's inputs when it is written.
pub(super) struct Line<'f> {
    /// Where it stands in the file.
    pub(super) place: String,
    pub(super) request: &'f RequestTemplate,
    captures: Vec<&'f str>,
    /// Those of the captures that have a value whatever happened.
    certain: BTreeSet<&'f str>,
    has_item: bool,
}

impl Line<'_> {
    /// Whether something of this name is in scope.
    pub(super) fn knows(&self, tool: &ToolFile, name: &str) -> bool {
        let name = root(name);
        tool.inputs.get(name).is_some()
            || self.captures.contains(&name)
            || (self.has_item && name == ITEM)
    }

    /// Whether it has a value whatever the arguments and the replies are.
    pub(super) fn is_certain(&self, tool: &ToolFile, name: &str) -> bool {
        let input = tool.inputs.get(root(name));
        let given = input.is_some_and(|input| input.required || input.default.is_some());
        given || self.certain.contains(root(name)) || (self.has_item && root(name) == ITEM)
    }
}

/// Every request of a tool, in the order in which they are sent.
pub(super) fn lines(tool: &ToolFile) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut captures = Vec::new();
    let mut certain = BTreeSet::new();
    let at = |what: String| format!("tool {}{what}", tool.name);
    let mut line = |place, request, captures: &Vec<_>, certain: &BTreeSet<_>, has_item| {
        lines.push(Line {
            place,
            request,
            captures: captures.clone(),
            certain: certain.clone(),
            has_item,
        });
    };
    for step in &tool.steps {
        let place = at(format!(".step {}", step.id));
        line(place, &step.request, &captures, &certain, false);
        captures.extend(step.captures.names());
        if !step.when.is_conditional() {
            let optional: BTreeSet<_> = step.captures.optional_names().collect();
            certain.extend(
                step.captures
                    .names()
                    .filter(|name| !optional.contains(name)),
            );
        }
    }
    line(at(String::new()), &tool.request, &captures, &certain, false);
    let later = tool.pagination.as_ref();
    if let Some(request) = later.and_then(|pagination| pagination.going_on.as_ref()) {
        let mut certain = certain.clone();
        certain.insert(CURSOR);
        line(
            at(".pagination.continue".to_owned()),
            request,
            &captures,
            &certain,
            false,
        );
    }
    if let Some(expand) = &tool.expand {
        line(
            at(".expand".to_owned()),
            &expand.request,
            &captures,
            &certain,
            true,
        );
    }
    if let Some(poll) = &tool.poll {
        captures.extend(poll.captures.names());
        certain.extend(poll.captures.names());
        line(
            at(".poll".to_owned()),
            &poll.request,
            &captures,
            &certain,
            false,
        );
    }
    lines
}

/// Every name that a tool makes use of, anywhere.
pub(super) fn used(tool: &ToolFile) -> BTreeSet<&str> {
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for request in tool.requests() {
        used.extend(request.places());
    }
    for step in &tool.steps {
        used.extend(step.when.places());
        used.extend(step.captures.places());
        used.extend(
            step.done
                .iter()
                .flat_map(super::super::step::Sentence::places),
        );
        used.extend(step.answers.iter().flat_map(|reply| reply.arguments()));
    }
    used.extend(tool.poll.iter().flat_map(|poll| poll.captures.places()));
    used.extend(tool.reply.arguments());
    if tool.pagination.is_some() {
        used.insert(CURSOR);
    }
    used.into_iter().map(root).collect()
}

pub(super) fn steps_are_few_and_named(files: &[ParsedFile], report: &mut Report) {
    for (file, tool) in tools(files) {
        if tool.steps.len() > MOST_STEPS {
            report.add(
                file,
                format!("tool {}.step", tool.name),
                format!("it has {} steps before its own request", tool.steps.len()),
                format!("send at most {MOST_STEPS}; a task with more is several tools"),
            );
        }
        let mut seen = BTreeSet::new();
        for step in &tool.steps {
            if !is_name(&step.id) || !seen.insert(&step.id) {
                report.add(
                    file,
                    format!("tool {}.step {}", tool.name, step.id),
                    "the `id` of a step is a name of its own",
                    "write a-z, 0-9 or `_`, differently for each step",
                );
            }
        }
    }
}

pub(super) fn captures_are_new_and_used(files: &[ParsedFile], report: &mut Report) {
    for (file, tool) in tools(files) {
        let used = used(tool);
        let of_steps = tool.steps.iter().flat_map(|step| step.captures.names());
        let of_poll = tool.poll.iter().flat_map(|poll| poll.captures.names());
        for name in of_steps.chain(of_poll) {
            let place = format!("tool {}.capture {name}", tool.name);
            if tool.inputs.get(name).is_some() || TAKEN.contains(&name) {
                report.add(
                    file,
                    &place,
                    "something else has this name already",
                    "choose a name that is no input and not `account`, `cursor`, `item` or `unique`",
                );
            }
            if !used.contains(name) {
                report.add(
                    file,
                    &place,
                    "nothing uses what is captured",
                    "use it in a later request or in the answer, or remove it",
                );
            }
        }
    }
}

/// What is looked at besides the requests: conditions, captures and sentences.
pub(super) fn places_of_steps_are_known(files: &[ParsedFile], report: &mut Report) {
    for (file, tool) in tools(files) {
        let lines = lines(tool);
        for (step, line) in tool.steps.iter().zip(&lines) {
            let own: BTreeSet<&str> = step.captures.names().collect();
            let before = step.when.places().chain(step.captures.places());
            let unknown = before.filter(|name| !line.knows(tool, name));
            let said = step
                .done
                .iter()
                .flat_map(super::super::step::Sentence::places);
            let unsaid = said.filter(|name| !line.knows(tool, name) && !own.contains(name));
            for name in unknown.chain(unsaid) {
                report.add(
                    file,
                    &line.place,
                    format!("`{name}` is neither an input nor captured before"),
                    "capture it in an earlier step, or correct the name",
                );
            }
        }
        // A value that may be absent leaves a hole in a path, after the steps before it were sent.
        for line in &lines {
            let places = line.request.path.places();
            let holes = places.filter(|place| {
                place.span != Span::OptionalSegments
                    && tool.inputs.get(root(&place.name)).is_none()
                    && line.knows(tool, &place.name)
                    && !line.is_certain(tool, &place.name)
            });
            for hole in holes {
                report.add(
                    file,
                    &line.place,
                    format!(
                        "`{}` stands in the path and may not have been captured",
                        hole.name
                    ),
                    "capture it in a step that always runs, and without `required = false`",
                );
            }
        }
    }
}

pub(super) fn changing_steps_say_so(files: &[ParsedFile], report: &mut Report) {
    for (file, tool) in tools(files) {
        for step in &tool.steps {
            let place = format!("tool {}.step {}", tool.name, step.id);
            for (_, message, remedy) in contradictions(tool, step)
                .into_iter()
                .filter(|(is_so, _, _)| *is_so)
            {
                report.add(file, &place, message, remedy);
            }
        }
        let later = tool.pagination.as_ref();
        let others = [
            ("expand", tool.expand.as_ref().map(|expand| &expand.request)),
            ("poll", tool.poll.as_ref().map(|poll| &poll.request)),
            (
                "pagination.continue",
                later.and_then(|pagination| pagination.going_on.as_ref()),
            ),
        ];
        for (what, request) in others {
            if request.is_some_and(|request| may_write(request) && !tool.hints.read_only) {
                report.add(
                    file,
                    format!("tool {}.{what}", tool.name),
                    "it is sent more than once and may change something each time",
                    "use a `get`",
                );
            }
        }
    }
}

fn contradictions(tool: &ToolFile, step: &Step) -> [(bool, &'static str, &'static str); 5] {
    let sentences = [
        step.done.as_ref().map(super::super::step::Sentence::source),
        step.missing.as_deref(),
    ];
    [
        (
            !step.read_only && step.done.is_none() && step.answers.is_none(),
            "it may change something, and nothing says what has happened when a later request fails",
            "say `done = \"The … was …\"`, or `read_only = true` when it changes nothing",
        ),
        (
            !step.read_only && tool.hints.read_only,
            "a tool that only reads has a step that may change something",
            "say `read_only = true` in the step when that is so, or correct the hints",
        ),
        (
            step.read_only && sends_mutation(&step.request),
            "a step that only reads sends no mutation",
            "remove `read_only`, and say `done`",
        ),
        (
            step.answers.is_some() && (!step.when.is_conditional() || !step.captures.is_empty()),
            "its reply is the answer: it needs a `when`, or nothing after it ever runs, and has no `capture`",
            "add `when` and remove `capture`, or remove `answers`",
        ),
        (
            sentences
                .into_iter()
                .flatten()
                .any(|text| !is_sentence(text)),
            "`done` and `missing` are sentences that a person reads",
            "start with a capital letter and end with a full stop",
        ),
    ]
}

pub(super) fn one_way_to_go_on(files: &[ParsedFile], report: &mut Report) {
    for (file, tool) in tools(files) {
        let ways = [
            tool.expand.is_some(),
            tool.poll.is_some(),
            tool.pagination.is_some() && tool.poll.is_some(),
        ];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            report.add(
                file,
                format!("tool {}", tool.name),
                "`poll` goes together neither with `expand` nor with `pagination`",
                "make it two tools, or leave one of them out",
            );
        }
    }
}

pub(super) fn bases_are_declared(files: &[ParsedFile], report: &mut Report) {
    for file in files {
        let of_tools = file.provider.tools.iter().flat_map(|tool| {
            let lines = lines(tool).into_iter();
            lines.map(|line| (line.place, line.request.base.as_deref()))
        });
        let account = file.provider.account.request.base.as_deref();
        let account = file.is_provider().then(|| ("account".to_owned(), account));
        let named = account.into_iter().chain(of_tools);
        for (place, base) in named.filter_map(|(place, base)| Some((place, base?))) {
            if !file.provider.bases.contains_key(base) {
                report.add(
                    file,
                    place,
                    format!("there is no base address `{base}`"),
                    "name it in `bases`, or correct the name",
                );
            }
        }
    }
}

/// Whether a request may change something, by what it is.
pub(super) fn may_write(request: &RequestTemplate) -> bool {
    match &request.graphql {
        Some(_) => sends_mutation(request),
        None => !request.method.is_safe(),
    }
}

fn sends_mutation(request: &RequestTemplate) -> bool {
    let graphql = request.graphql.as_ref();
    graphql.is_some_and(|graphql| graphql.document.operation() == Operation::Mutation)
}

fn tools(files: &[ParsedFile]) -> impl Iterator<Item = (&ParsedFile, &ToolFile)> {
    files
        .iter()
        .flat_map(|file| file.provider.tools.iter().map(move |tool| (file, tool)))
}

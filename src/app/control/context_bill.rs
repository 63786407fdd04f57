//! What the tool list costs an agent, in tokens.

use std::collections::BTreeMap;

use super::{ContextBill, ContextLine};
use crate::mcp::AdvertisedTool;

/// The tokenizer that is counted with. A newer vocabulary would add two megabytes to the program, and no vocabulary is
/// that of every model.
const TOKENIZER: &str = "cl100k_base";

/// Counts what `tools/list` sends of each tool.
pub(super) fn context_bill(tools: &[AdvertisedTool]) -> ContextBill {
    let tokenizer = tiktoken_rs::cl100k_base_singleton();
    let mut services = BTreeMap::<&str, ContextLine>::new();
    for tool in tools {
        let line = services
            .entry(&tool.service)
            .or_insert_with(|| ContextLine {
                service: tool.service.clone(),
                tools: 0,
                tokens: 0,
            });
        line.tools += 1;
        line.tokens += tokenizer.count_ordinary(&tool.json);
    }
    let mut services: Vec<_> = services.into_values().collect();
    services.sort_by_key(|line| std::cmp::Reverse(line.tokens));
    ContextBill {
        tokenizer: TOKENIZER.to_owned(),
        tools: tools.len(),
        tokens: services.iter().map(|line| line.tokens).sum(),
        services,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_is_counted_apart_and_the_dearest_comes_first() {
        let tool = |service: &str, json: &str| AdvertisedTool {
            service: service.to_owned(),
            json: json.to_owned(),
        };
        let bill = context_bill(&[
            tool("acme", "hello world"),
            tool("birch", "hello"),
            tool("birch", "hello world, hello world"),
        ]);
        let line = |service: &str, tools, tokens| ContextLine {
            service: service.to_owned(),
            tools,
            tokens,
        };
        assert_eq!(bill.services, [line("birch", 2, 6), line("acme", 1, 2)]);
        assert_eq!((bill.tools, bill.tokens), (3, 8));
    }
}

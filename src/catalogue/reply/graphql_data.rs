//! The data of a GraphQL reply: where they stand, and what is wanted of them.

use serde_json::Value;

use crate::catalogue::field_path::FieldPath;
use crate::catalogue::graphql::Graphql;
use crate::catalogue::pagination::Pagination;
use crate::catalogue::pick::Pick;
use crate::catalogue::wanted::Wanted;

/// Where the data of a GraphQL reply stand, and what is wanted of them.
#[derive(Clone, Debug)]
pub(super) struct GraphqlData {
    data: FieldPath,
    success: Option<FieldPath>,
    pick: Option<Pick>,
    wanted: Wanted,
}

impl GraphqlData {
    /// What `pick` and `pagination` name stands below the data.
    pub(super) fn new(
        graphql: &Graphql,
        pick: Option<Pick>,
        pagination: Option<&Pagination>,
    ) -> Self {
        let mut wanted = Wanted::default();
        let data = wanted.at(&graphql.data);
        match &pick {
            Some(pick) => pick.want(data),
            None => data.want_whole(),
        }
        if let Some(success) = &graphql.success {
            data.at(success).want_whole();
        }
        if let Some(pagination) = pagination {
            pagination.want(data);
        }
        Self {
            data: graphql.data.clone(),
            success: graphql.success.clone(),
            pick,
            wanted,
        }
    }

    /// What is picked of the data.
    pub(super) fn pick(&self) -> Option<&Pick> {
        self.pick.as_ref()
    }

    /// Which parts of a reply are needed.
    pub(super) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// The data of a reply in which no error rule found a refusal.
    pub(super) fn read<'b>(&self, body: &'b Value) -> Result<&'b Value, String> {
        let data = self
            .data
            .find(body)
            .ok_or("the provider answered without the data that were asked for")?;
        let is_done = self
            .success
            .as_ref()
            .is_none_or(|path| path.find(data) == Some(&Value::Bool(true)));
        if !is_done {
            return Err("the provider says that it was not done, and not why".to_owned());
        }
        Ok(data)
    }
}

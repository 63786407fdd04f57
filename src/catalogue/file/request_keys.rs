//! The keys of a request and of a reply, written once for every table that has them.
//!
//! A macro rather than `serde(flatten)`: with it, an unknown key would not be refused where it stands.

/// A table with the keys of a request, and what stands between the braces.
macro_rules! request_keys {
    ($(#[$meta:meta])* struct $name:ident { $($rest:tt)* }) => {
        $(#[$meta])*
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $name {
            base: Option<String>,
            get: Option<String>,
            post: Option<String>,
            put: Option<String>,
            patch: Option<String>,
            delete: Option<String>,
            #[serde(default)]
            query: crate::catalogue::query_template::QueryTemplate,
            #[serde(default)]
            headers: crate::catalogue::header_templates::HeaderTemplates,
            header_json: Option<crate::catalogue::request_body::HeaderJson>,
            body: Option<crate::catalogue::value_template::ValueTemplate>,
            form: Option<crate::catalogue::query_template::QueryTemplate>,
            graphql: Option<crate::catalogue::graphql::Graphql>,
            raw: Option<crate::catalogue::request_body::Content>,
            multipart_related: Option<crate::catalogue::request_body::MultipartRelated>,
            multipart_form: Option<crate::catalogue::request_body::MultipartForm>,
            #[serde(default)]
            null_body: bool,
            idempotency_header: Option<String>,
            redirect: Option<crate::catalogue::RedirectRule>,
            $($rest)*
        }

        impl $name {
            /// Takes the keys of the request out.
            fn request(&mut self) -> crate::catalogue::request::RequestKeys {
                crate::catalogue::request::RequestKeys {
                    base: self.base.take(),
                    get: self.get.take(),
                    post: self.post.take(),
                    put: self.put.take(),
                    patch: self.patch.take(),
                    delete: self.delete.take(),
                    query: std::mem::take(&mut self.query),
                    headers: std::mem::take(&mut self.headers),
                    header_json: self.header_json.take(),
                    body: self.body.take(),
                    form: self.form.take(),
                    graphql: self.graphql.take(),
                    raw: self.raw.take(),
                    multipart_related: self.multipart_related.take(),
                    multipart_form: self.multipart_form.take(),
                    null_body: self.null_body,
                    idempotency_header: self.idempotency_header.take(),
                    redirect: self.redirect.take(),
                }
            }
        }
    };
}

/// The same with the keys that say how the reply is read.
macro_rules! request_and_reply_keys {
    ($(#[$meta:meta])* struct $name:ident { $($rest:tt)* }) => {
        crate::catalogue::file::request_keys::request_keys! {
            $(#[$meta])*
            struct $name {
                pick: Option<crate::catalogue::pick::Pick>,
                #[serde(default)]
                text: bool,
                keep: Option<crate::catalogue::reply::Keep>,
                max_chars: Option<usize>,
                binary: Option<crate::catalogue::reply::Binary>,
                empty: Option<serde_json::Map<String, serde_json::Value>>,
                treat_as_success: Option<crate::catalogue::reply::AlreadyDone>,
                max_bytes: Option<usize>,
                max_items: Option<usize>,
                $($rest)*
            }
        }

        impl $name {
            /// Takes the keys that say how the reply is read out.
            fn reply(&mut self) -> crate::catalogue::reply::ReplyKeys {
                crate::catalogue::reply::ReplyKeys {
                    pick: self.pick.take(),
                    text: self.text,
                    keep: self.keep.take(),
                    max_chars: self.max_chars,
                    binary: self.binary.take(),
                    empty: self.empty.take(),
                    treat_as_success: self.treat_as_success.take(),
                    max_bytes: self.max_bytes,
                    max_items: self.max_items,
                }
            }
        }
    };
}

pub(super) use {request_and_reply_keys, request_keys};

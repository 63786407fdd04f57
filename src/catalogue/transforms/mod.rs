//! Named transforms: small pure functions that a provider file refers to by name. A file itself never carries code.
//!
//! Each is total and bounded: it looks at one value, never at the network, the clock or the person, and what it makes is
//! at most a constant times as large as what it was given. One file is one idea; this one knows only their names.

mod adf_to_markdown;
mod base64_encode;
mod base64_text;
mod csv_list;
mod gdoc_to_markdown;
mod gmail_message;
mod html_to_text;
mod json_parse;
mod json_string;
mod mail_header;
mod markdown;
mod markdown_text;
mod markup_blocks;
mod markup_tree;
mod mime_message;
mod moments;
mod non_empty_text;
mod notion_blocks_to_markdown;
mod notion_rich_text;
mod reply_subject;
mod storage_to_markdown;

use serde::Deserialize;
use serde_json::Value;

/// A named transform of one value.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Transform {
    // Requests: what an argument is before it is sent.
    /// A letter, as an Internet message in base64url (RFC 5322; RFC 4648 section 5).
    MimeMessage,
    /// Markdown as a document of Atlassian.
    MarkdownToAdf,
    /// Markdown in the storage format of Confluence.
    MarkdownToStorage,
    /// Markdown as blocks of Notion.
    MarkdownToNotionBlocks,
    /// Markdown as HTML.
    MarkdownToHtml,
    /// Text as base64 (RFC 4648 section 4).
    Base64Encode,
    /// Any value as JSON text.
    JsonString,
    /// A subject with `Re: ` before it, once.
    ReplySubject,

    // Replies: what a field is before a model reads it.
    /// Text that was sent in base64, line breaks and all (RFC 4648 section 4; RFC 2045 allows the breaks).
    Base64DecodeText,
    /// A text as it is, unless it is empty: some providers say "no next page" with an empty cursor.
    NonEmptyText,
    /// A document of Atlassian (ADF) as Markdown.
    AdfToMarkdown,
    /// A text with commas as a list.
    CsvList,
    /// Seconds or milliseconds since 1970 as RFC 3339.
    EpochToTime,
    /// A document of Google Docs as Markdown.
    GdocToMarkdown,
    /// The parts of a message of Gmail as what a person reads.
    GmailMessage,
    /// HTML as text.
    HtmlToText,
    /// JSON inside of JSON as what it says.
    JsonParse,
    /// A header by its name, out of a list of `{ name, value }`.
    MailHeader,
    /// `/Date(..)/` as RFC 3339.
    MsJsonDate,
    /// Blocks of Notion as Markdown.
    NotionBlocksToMarkdown,
    /// Rich text of Notion as Markdown.
    NotionRichText,
    /// Confluence's storage format as Markdown.
    StorageToMarkdown,
}

/// On which way a transform is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// In the templates of a request.
    Request,
    /// In what is read out of a reply.
    Reply,
}

/// Why a transform made nothing. Where a reply is read, the field is left out; where a request is written, it is a
/// refusal that names the argument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TransformError {
    /// The value is not what the transform is for.
    #[error("{0}")]
    Unfit(&'static str),
    /// The same, of one field of the value.
    #[error("`{field}` {reason}")]
    UnfitField {
        /// The field.
        field: &'static str,
        /// What is wrong with it, as the rest of a sentence.
        reason: &'static str,
    },
    /// What would come out, or what came in, is larger than is ever meant.
    #[error("{0}")]
    TooLarge(&'static str),
}

impl Transform {
    /// Where the transform belongs.
    pub(super) fn direction(&self) -> Direction {
        match self {
            Self::MimeMessage
            | Self::MarkdownToAdf
            | Self::MarkdownToStorage
            | Self::MarkdownToNotionBlocks
            | Self::MarkdownToHtml
            | Self::Base64Encode
            | Self::JsonString
            | Self::ReplySubject => Direction::Request,
            Self::AdfToMarkdown
            | Self::Base64DecodeText
            | Self::CsvList
            | Self::EpochToTime
            | Self::GdocToMarkdown
            | Self::GmailMessage
            | Self::HtmlToText
            | Self::JsonParse
            | Self::MailHeader
            | Self::MsJsonDate
            | Self::NonEmptyText
            | Self::NotionBlocksToMarkdown
            | Self::NotionRichText
            | Self::StorageToMarkdown => Direction::Reply,
        }
    }

    /// Whether it looks for something that must be named.
    pub(super) fn looks_for_a_name(&self) -> bool {
        matches!(self, Self::MailHeader)
    }

    /// What a transform that looks for something finds by its name.
    pub(super) fn look_for(&self, value: &Value, name: &str) -> Option<Value> {
        match self {
            Self::MailHeader => mail_header::mail_header(value, name),
            _ => None,
        }
    }

    /// The new value.
    ///
    /// # Errors
    /// When the value is not what the transform is for, or too large.
    pub(super) fn apply(&self, value: Value) -> Result<Value, TransformError> {
        match self {
            Self::MimeMessage => mime_message::mime_message(value),
            Self::MarkdownToAdf => markdown::markdown_to_adf(&value),
            Self::MarkdownToStorage => markdown::markdown_to_storage(&value),
            Self::MarkdownToNotionBlocks => markdown::markdown_to_notion_blocks(&value),
            Self::MarkdownToHtml => markdown::markdown_to_html(&value),
            Self::Base64Encode => base64_encode::base64_encode(&value),
            Self::JsonString => json_string::json_string(&value),
            Self::ReplySubject => reply_subject::reply_subject(&value),
            Self::Base64DecodeText => base64_text::base64_decode_text(&value),
            Self::NonEmptyText => non_empty_text::non_empty_text(value),
            Self::AdfToMarkdown => adf_to_markdown::adf_to_markdown(value),
            Self::CsvList => csv_list::csv_list(&value),
            Self::EpochToTime => moments::epoch_to_time(&value),
            Self::GdocToMarkdown => gdoc_to_markdown::gdoc_to_markdown(&value),
            Self::GmailMessage => gmail_message::gmail_message(&value),
            Self::HtmlToText => html_to_text::html_to_text(&value),
            Self::JsonParse => json_parse::json_parse(&value),
            Self::MailHeader => Err(TransformError::Unfit(
                "is looked at by the name of a header only",
            )),
            Self::MsJsonDate => moments::ms_json_date(&value),
            Self::NotionBlocksToMarkdown => {
                notion_blocks_to_markdown::notion_blocks_to_markdown(&value)
            }
            Self::NotionRichText => notion_rich_text::notion_rich_text(&value),
            Self::StorageToMarkdown => storage_to_markdown::storage_to_markdown(&value),
        }
    }
}

impl TransformError {
    /// What is wrong, as the rest of a sentence about an argument.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Unfit(reason) | Self::UnfitField { reason, .. } | Self::TooLarge(reason) => {
                reason
            }
        }
    }

    /// The field that is to blame.
    pub(super) fn field(&self) -> Option<&'static str> {
        match self {
            Self::UnfitField { field, .. } => Some(field),
            Self::Unfit(_) | Self::TooLarge(_) => None,
        }
    }
}

/// The text that a transform of texts was given. The error is the rest of a sentence about an argument.
fn text(value: &Value) -> Result<&str, TransformError> {
    value.as_str().ok_or(TransformError::Unfit("is not a text"))
}
